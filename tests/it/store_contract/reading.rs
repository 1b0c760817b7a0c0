//! The views, and noticing other processes.

use std::sync::Arc;

use pushcron::domain::{
    Decision, Health, Job, LedgerIds, LedgerRevision, LedgerRow, Next, Outcome, Overlap, PushSpec, PushState, Reason,
    Rule, Schedule, Target, Trigger, UtcMs,
};
use pushcron::store::{AccountRow, AdHoc, BadEnd, BadEnds, Begin, Filter, NewFire, Pause, Revision, Settle, View};
use serde_json::json;
use tokio::sync::Notify;

use crate::store_contract::world::{World, at, change, cursor, failed, fire, job, push, sent};

const VIEWS: [View; 7] = [
    View::PushHistory,
    View::DuePushes,
    View::UnknownPushes,
    View::JobOverview,
    View::AccountOverview,
    View::FailuresToday,
    View::Acts,
];

pub(super) async fn every_view_has_its_columns_even_when_empty(world: Arc<World>) {
    for view in VIEWS {
        let nothing = Filter {
            job: Some("nobody".to_owned()),
            im: Some("nowhere".to_owned()),
            account: Some("none".to_owned()),
            ..Filter::default()
        };
        let table = world.store.view(view, &nothing).await.unwrap();
        assert!(table.rows.is_empty(), "{view:?}");
        assert!(table.columns.len() > 8, "{view:?}: {:?}", table.columns);
    }
}

pub(super) async fn history_tells_account_rule_answer_and_lateness(world: Arc<World>) {
    let mut daily = job("daily");
    daily.push[0].account = Some("bot_named".to_owned());
    world.load(&daily, at(0)).await;
    let id = world.fire(&daily, at(0)).await.pushes.remove(0).id;
    assert_eq!(world.history(id).await["account"], "bot_named");

    let begin = Begin { push_id: id, account: Arc::from("bot_named"), sender: "console", rule: Rule::Explicit };
    let delivery = world.store.begin_attempts(vec![begin], at(0)).await.unwrap().remove(0);
    let next = Next::Retry { at: at(9), reason: Reason::Unreachable };
    let mut refused = failed(&delivery, Outcome::Unreachable, next, at(1));
    refused.started_at = UtcMs(at(0).0 + 7);
    world.store.finish_attempts(vec![refused]).await.unwrap();
    let row = world.history(id).await;
    assert_eq!((&row["rule"], &row["error"]), (&json!("explicit"), &json!("the platform said no")));
    assert_eq!((&row["lateness_ms"], &row["reason"]), (&json!(7), &json!("unreachable")));
    assert_eq!((&row["job"], &row["due_at"]), (&json!("daily"), &json!(at(0))));
    assert_eq!((&row["target"], &row["im"], &row["kind"]), (&json!("group:123456"), &json!("qq"), &json!("text")));
    assert_eq!((&row["triggered_by"], &row["attempts"]), (&json!("cron"), &json!(1)));

    let delivery = world.begin(id, at(10)).await;
    world.store.finish_attempts(vec![sent(&delivery, at(11))]).await.unwrap();
    let row = world.history(id).await;
    assert_eq!((&row["account"], &row["rule"]), (&json!("bot_a"), &json!("im_default")));
    assert_eq!((&row["lateness_ms"], &row["error"]), (&json!(7), &json!(null)), "late is the first attempt");
}

pub(super) async fn each_filter_filters(world: Arc<World>) {
    let unknown = world.ended("unknown", Next::Unknown { reason: Reason::Unreadable }).await;
    let mut other = job("other");
    other.push = vec![push("user:1", "x")];
    other.push[0].im = "weixin".to_owned();
    other.push[0].account = Some("bot_w".to_owned());
    world.load(&other, at(50)).await;
    let waiting = world.fire(&other, at(50)).await.pushes.remove(0).id;

    let all = Filter::default();
    let cases = [
        (Filter { job: Some("other".to_owned()), ..all.clone() }, waiting),
        (Filter { im: Some("weixin".to_owned()), ..all.clone() }, waiting),
        (Filter { account: Some("bot_w".to_owned()), ..all.clone() }, waiting),
        (Filter { states: vec![PushState::Unknown], ..all.clone() }, unknown),
        (Filter { states: vec![PushState::Pending], ..all.clone() }, waiting),
        (Filter { states: vec![PushState::Unknown, PushState::Failed], ..all.clone() }, unknown),
        (
            Filter {
                states: vec![PushState::Unknown, PushState::Pending],
                job: Some("other".to_owned()),
                ..all.clone()
            },
            waiting,
        ),
        (Filter { states: vec![PushState::Sent, PushState::Unknown], since: Some(at(0)), ..all.clone() }, unknown),
        (Filter { states: vec![PushState::Retrying, PushState::Pending], ..all.clone() }, waiting),
        (Filter { targets: vec!["user:1".to_owned(), "group:1".to_owned()], ..all.clone() }, waiting),
        (Filter { since: Some(at(50)), ..all.clone() }, waiting),
        (Filter { since: Some(at(0)), until: Some(at(49)), ..all.clone() }, unknown),
        (Filter { push_id: Some(unknown), ..all.clone() }, unknown),
        (Filter { after_id: Some(unknown), ..all.clone() }, waiting),
        (Filter { limit: Some(1), ..all.clone() }, waiting),
    ];
    for (filter, expected) in cases {
        let rows = world.store.view(View::PushHistory, &filter).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(expected)], "{filter:?}");
    }
    let rows = world.store.view(View::UnknownPushes, &all).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(unknown)]);
    let rows = world.store.view(View::DuePushes, &all).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(waiting)]);
    let filter = Filter { job: Some("other".to_owned()), ..all.clone() };
    let table = world.store.view(View::JobOverview, &filter).await.unwrap();
    let overview: serde_json::Map<_, _> = table.columns.into_iter().zip(table.rows[0].clone()).collect();
    assert_eq!((&overview["state"], &overview["open_pushes"]), (&json!("active"), &json!(1)));
    assert_eq!((&overview["next_due_at"], &overview["schedule"]), (&json!(at(51)), &json!("every 1s")));

    let account = AccountRow {
        id: "bot_a".to_owned(),
        im: "qq".to_owned(),
        sender: "console".to_owned(),
        is_default: true,
        health: Health { online: Some(true), ..Health::default() },
    };
    world.store.record_accounts(vec![account], true).await.unwrap();
    let table = world.store.view(View::AccountOverview, &all).await.unwrap();
    let overview: serde_json::Map<_, _> = table.columns.into_iter().zip(table.rows[0].clone()).collect();
    assert_eq!((&overview["account"], &overview["online"]), (&json!("bot_a"), &json!(1)));
    assert_eq!((&overview["last_outcome"], &overview["last_attempt_at"]), (&json!("unknown"), &json!(at(0))));
}

pub(super) async fn pages_are_newest_first(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    for i in 0..5 {
        world.fire(&daily, at(i)).await;
    }
    for filter in [
        Filter { limit: Some(3), ..Filter::default() },
        Filter { job: Some("daily".to_owned()), limit: Some(3), ..Filter::default() },
        Filter { since: Some(at(0)), limit: Some(3), ..Filter::default() },
        Filter { im: Some("qq".to_owned()), limit: Some(3), ..Filter::default() },
    ] {
        let table = world.store.view(View::PushHistory, &filter).await.unwrap();
        let due = table.columns.iter().position(|column| column == "due_at").unwrap();
        let due: Vec<_> = table.rows.iter().map(|row| row[due].clone()).collect();
        assert_eq!(due, [json!(at(4)), json!(at(3)), json!(at(2))], "{filter:?}");
    }
}

pub(super) async fn everything_is_read_in_pages_whatever_the_filter(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    for i in 0..5 {
        world.fire(&daily, at(i)).await;
    }
    // Several of one instant and of one end, so that pages end among equals.
    for i in 0..5 {
        let next = Next::Failed { reason: Reason::Rejected };
        world.ended(&format!("failed{i}"), next).await;
    }
    let all = Filter { limit: Some(3), oldest_first: true, ..Filter::default() };
    for (page, lines) in [
        (all.clone(), 11),
        (Filter { job: Some("daily".to_owned()), ..all.clone() }, 5),
        (Filter { job: Some("daily".to_owned()), since: Some(at(1)), ..all.clone() }, 4),
        (Filter { since: Some(at(0)), ..all.clone() }, 10),
        (Filter { since: Some(at(0)), until: Some(at(3)), ..all.clone() }, 9),
        (Filter { states: vec![PushState::Failed], ..all.clone() }, 5),
        (Filter { states: vec![PushState::Pending], ..all.clone() }, 5),
        (Filter { states: vec![PushState::Sent], ..all.clone() }, 1),
        (Filter { im: Some("qq".to_owned()), ..all.clone() }, 11),
        (Filter { account: Some("bot_a".to_owned()), ..all.clone() }, 6),
    ] {
        // What is newest first without a page is oldest first in pages, each line once.
        let whole = Filter { limit: None, oldest_first: false, ..page.clone() };
        let mut whole = world.store.view(View::PushHistory, &whole).await.unwrap().rows;
        whole.reverse();
        let (mut paged, mut page) = (Vec::new(), page);
        loop {
            let table = world.store.view(View::PushHistory, &page).await.unwrap();
            assert!(table.rows.len() <= 3);
            page.after = table.mark();
            paged.extend(table.rows);
            if page.after.is_none() {
                break;
            }
        }
        assert_eq!((paged.len(), &paged), (lines, &whole), "{page:?}");
        let skipped = Filter { limit: Some(1), skip: 2, oldest_first: false, after: None, ..page };
        let skipped = world.store.view(View::PushHistory, &skipped).await.unwrap().rows;
        assert_eq!(skipped.first(), whole.iter().rev().nth(2));
    }
    let some = Filter { ids: Some(vec![2, 4]), oldest_first: true, ..Filter::default() };
    let some = world.store.view(View::PushHistory, &some).await.unwrap().rows;
    assert_eq!(some.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [json!(2), json!(4)]);
}

pub(super) async fn where_pushes_stand_is_read_in_pages(world: Arc<World>) {
    let first = world.waiting("first").await.id;
    let sending = world.waiting("sending").await.id;
    world.begin(sending, at(0)).await;
    let failed = world.ended("failed", Next::Failed { reason: Reason::Rejected }).await;
    let read = async |after, open, limit| -> Vec<_> {
        let standings = world.store.standings(after, open, limit).await.unwrap();
        standings.iter().map(|standing| (standing.id, standing.state, standing.attempts)).collect()
    };
    let [waits, under_way, over] =
        [(first, PushState::Pending, 0), (sending, PushState::Sending, 1), (failed, PushState::Failed, 1)];
    assert_eq!(read(first - 1, false, 9).await, [waits, under_way, over]);
    assert_eq!(read(first, false, 1).await, [under_way]);
    assert_eq!(read(0, true, 9).await, [waits, under_way]);
    assert_eq!(read(first, true, 9).await, [under_way]);
}

pub(super) async fn a_fire_tells_its_whole_story(world: Arc<World>) {
    let mut daily = job("daily");
    daily.push.push(push("user:2", "second"));
    world.load(&daily, at(0)).await;
    let pushes = world.fire(&daily, at(0)).await.pushes;
    let skipped = NewFire { decision: Decision::Skipped, reason: Some(Reason::Disabled), ..fire(&daily, at(1)) };
    world.store.record_fires(vec![skipped], vec![cursor(&daily, at(1), at(2))], at(1)).await.unwrap();
    world.store.fire_by_hand("daily", at(1)).await.unwrap();
    let delivery = world.begin(pushes[0].id, at(0)).await;
    world.store.finish_attempts(vec![sent(&delivery, at(1))]).await.unwrap();

    let fires = world.store.fires("daily", at(0), at(1)).await.unwrap();
    let told: Vec<_> = fires.iter().map(|fire| (fire.due_at, fire.triggered_by, fire.decision)).collect();
    assert_eq!(
        told,
        [
            (at(0), Trigger::Cron, Decision::Fired),
            (at(1), Trigger::Cron, Decision::Skipped),
            (at(1), Trigger::Manual, Decision::Fired),
        ]
    );
    assert_eq!(fires[0].zone.as_deref(), Some("Asia/Shanghai 2026a"));
    assert_eq!((fires[0].revision, fires[0].recorded_at), (Some(1), at(0)));
    assert_eq!(fires[1].reason.as_deref(), Some("disabled"));
    let first = &fires[0].pushes[0];
    assert_eq!((first.id, first.state, first.finished_at), (pushes[0].id, PushState::Sent, Some(at(1))));
    assert_eq!((first.attempts[0].rule, first.attempts[0].outcome.as_deref()), (Rule::ImDefault, Some("sent")));
    assert_eq!(first.attempts[0].message_id, Some(format!("m{}", pushes[0].id)));
    assert_eq!((fires[0].pushes[1].target.id(), fires[0].pushes[1].attempts.len()), ("2", 0));
    assert_eq!(world.store.fires("daily", at(2), at(3)).await.unwrap(), []);
}

pub(super) async fn a_gap_is_found_from_inside(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let gap = NewFire {
        decision: Decision::Missed,
        reason: Some(Reason::MisfireSkip),
        count: 20_000,
        until_at: Some(at(20_000)),
        ..fire(&daily, at(1))
    };
    world.store.record_fires(vec![gap], vec![cursor(&daily, at(0), at(20_001))], at(20_001)).await.unwrap();
    for (from, until, found) in
        [(0, 0, 0), (1, 1, 1), (500, 500, 1), (0, 30_000, 1), (20_000, 20_000, 1), (20_001, 20_001, 0)]
    {
        let fires = world.store.fires("daily", at(from), at(until)).await.unwrap();
        assert_eq!(fires.len(), found, "{from} to {until}");
    }
}

pub(super) async fn every_definition_that_held_is_remembered(world: Arc<World>) {
    let first = job("daily");
    let mut second = first.clone();
    second.push[0].message.body = pushcron::domain::Body::Text { text: "other".to_owned() };
    for (job, now) in [(&first, at(0)), (&second, at(10))] {
        world.store.apply_jobs(vec![change(job.clone(), now)], vec![], now).await.unwrap();
    }
    let told = |revisions: Vec<Revision>| -> Vec<_> {
        revisions.into_iter().map(|r| (r.revision, r.definition.unwrap(), r.from_at, r.until_at)).collect()
    };
    let one = (1, first.clone(), at(0), Some(at(10)));
    let now = told(world.store.revisions("daily").await.unwrap());
    assert_eq!(now, [one.clone(), (2, second.clone(), at(10), None)]);
    world.store.apply_jobs(vec![], vec![Arc::from("daily")], at(20)).await.unwrap();
    let removed = told(world.store.revisions("daily").await.unwrap());
    assert_eq!(removed, [one, (2, second, at(10), Some(at(20)))]);
    assert_eq!(world.store.revisions("nobody").await.unwrap(), []);
}

pub(super) async fn the_ledger_reads_schedules_and_rows_in_pages(world: Arc<World>) {
    let job = |name: &str, period| Job { schedule: Schedule::Every(period), ..job(name) };
    for (seconds, period) in [(0, 1000), (10, 2000)] {
        let changes = ["a", "c"].map(|name| change(job(name, period), at(seconds))).to_vec();
        world.store.apply_jobs(changes, vec![], at(seconds)).await.unwrap();
    }
    world.store.apply_jobs(vec![], vec![Arc::from("c")], at(20)).await.unwrap();
    let names = async |only, after, limit| -> Vec<String> {
        let jobs = world.store.ledger_jobs(only, after, limit).await.unwrap();
        jobs.iter().map(|job| job.name.to_string()).collect()
    };
    assert_eq!(names(None, "", 2).await, ["a", "bystander"]);
    assert_eq!(names(None, "bystander", 2).await, ["c"], "removed jobs are told too");
    assert_eq!(names(Some("nobody"), "", 2).await, [""; 0]);
    let told = async |name| {
        let job = world.store.ledger_jobs(Some(name), "", 1).await.unwrap().remove(0);
        let revision = |r: &LedgerRevision| (r.revision, r.schedule.clone().unwrap(), r.from_at, r.until_at);
        (job.next_due_at, job.revisions.iter().map(revision).collect::<Vec<_>>())
    };
    let first = (1, Schedule::Every(1000), at(0), Some(at(10)));
    let second = |until| (2, Schedule::Every(2000), at(10), until);
    assert_eq!(told("a").await, (Some(at(10)), vec![first.clone(), second(None)]));
    assert_eq!(told("c").await, (None, vec![first, second(Some(at(20)))]));

    let a = job("a", 2000);
    let gap = NewFire {
        decision: Decision::Missed,
        reason: Some(Reason::MisfireWindow),
        count: 4,
        until_at: Some(at(18)),
        ..fire(&a, at(12))
    };
    let fires = vec![fire(&a, at(10)), gap, fire(&a, at(20)), fire(&a, at(22))];
    world.store.record_fires(fires, vec![cursor(&a, at(10), at(24))], at(23)).await.unwrap();
    world.store.fire_by_hand("a", at(21)).await.unwrap();
    let due = async |from, limit| -> Vec<UtcMs> {
        let rows = world.store.ledger_rows("a", from, at(22), limit).await.unwrap();
        rows.iter().map(|row| row.due_at).collect()
    };
    assert_eq!(due(at(0), 9).await, [at(10), at(12), at(20), at(22)]);
    assert_eq!(due(at(0), 2).await, [at(10), at(12)]);
    assert_eq!(due(at(14), 1).await, [at(12), at(20)], "the gap reaches into the time");
    let row = world.store.ledger_rows("a", at(12), at(12), 1).await.unwrap().remove(0);
    let zone = Some("Asia/Shanghai 2026a".to_owned());
    let expected =
        LedgerRow { due_at: at(12), until_at: Some(at(18)), count: 4, revision: 2, recorded_at: at(23), zone };
    assert_eq!(row, expected);
}

pub(super) async fn every_id_that_has_no_row_is_accounted_for(world: Arc<World>) {
    let ids = async |kind: &str| -> LedgerIds {
        let ids = world.store.ledger_ids().await.unwrap();
        assert!(ids.iter().all(|ids| ids.missing() == 0), "{ids:?}");
        ids.into_iter().find(|ids| ids.kind == kind).unwrap()
    };
    let mut daily = job("daily");
    daily.push.push(push("user:10001", "second"));
    world.load(&daily, at(-1000)).await;
    let ahead = |from: i64| (from..from + 3).map(|i| fire(&daily, at(i))).collect::<Vec<_>>();

    // Taken back by a restart, by a pause, by a change.
    world.store.record_fires(ahead(0), vec![cursor(&daily, at(-1000), at(3))], at(-1)).await.unwrap();
    assert_eq!(world.store.withdraw_ahead(at(0)).await.unwrap(), 2);
    assert_eq!(ids("pushes").await.withdrawn, 4);
    world.store.record_fires(ahead(1), vec![cursor(&daily, at(1), at(4))], at(0)).await.unwrap();
    world.store.set_paused("daily", true, at(1)).await.unwrap();
    world.store.set_paused("daily", false, at(1)).await.unwrap();
    assert_eq!(ids("fires").await.withdrawn, 4);
    world.store.record_fires(ahead(2), vec![cursor(&daily, at(2), at(5))], at(1)).await.unwrap();
    let other = Job { overlap: Overlap::Replace, ..daily.clone() };
    world.store.apply_jobs(vec![change(other, at(5))], vec![], at(2)).await.unwrap();
    assert_eq!((ids("fires").await.withdrawn, ids("pushes").await.withdrawn), (6, 12));

    // Told again, in the midst of others that are new.
    let fires = (0..8).map(|i| fire(&daily, at(i))).collect::<Vec<_>>();
    let before = ids("fires").await;
    let place = world.stored("daily").await.next_due_at.unwrap();
    world.store.record_fires(fires.clone(), vec![cursor(&daily, place, at(8))], at(9)).await.unwrap();
    world.store.record_fires(fires, vec![cursor(&daily, at(8), at(8))], at(9)).await.unwrap();
    assert_eq!(ids("fires").await.kept, before.kept + 5);

    // Refused whole, asked for by hand.
    let mut without_time = push("user:1", "x");
    without_time.timeout = std::time::Duration::ZERO;
    let by_hand = |spec| AdHoc { spec, triggered_by: Trigger::Manual, chat: None };
    world.store.push_ad_hoc(by_hand(without_time), at(9)).await.unwrap_err();
    world.store.push_ad_hoc(by_hand(push("user:1", "x")), at(9)).await.unwrap();
    world.store.fire_by_hand("daily", at(9)).await.unwrap();
    let id = world.ended("over", Next::Sent).await;
    ids("pushes").await;

    // Too old.
    let old = job("old");
    world.load(&old, at(-1000)).await;
    let sent_long_ago = world.fire(&old, at(-1000)).await.pushes.remove(0).id;
    world.store.cancel(sent_long_ago, at(-900)).await.unwrap();
    world.store.prune(at(-100), 10).await.unwrap();
    assert_eq!((ids("fires").await.pruned, ids("pushes").await.pruned), (1, 1));
    assert_eq!(world.state(id).await, PushState::Sent);
}

/// Also when the copy is put into use.
pub(super) async fn every_id_is_accounted_for_in_a_copy_as_well(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let ahead = (0..3).map(|i| fire(&daily, at(i))).collect();
    world.store.record_fires(ahead, vec![cursor(&daily, at(0), at(3))], at(0)).await.unwrap();
    assert_eq!(world.store.withdraw_ahead(at(0)).await.unwrap(), 2);
    let id = world.ended("over", Next::Sent).await;
    let path = world.backend.scratch().join("copy.db");
    world.store.backup(&path, at(10)).await.unwrap();
    let copy = world.backend.open_backup(path, at(3600)).await;
    assert_eq!(copy.push_state(id).await.unwrap(), Some(PushState::Sent));
    let ids = copy.ledger_ids().await.unwrap();
    assert!(ids.iter().all(|ids| ids.missing() == 0 && ids.withdrawn == 2), "{ids:?}");
    assert_eq!(ids, world.store.ledger_ids().await.unwrap());
}

pub(super) async fn another_process_is_noticed_and_our_own_writes_are_not(world: Arc<World>) {
    noticed(&world).await;
    world.load(&job("daily"), at(0)).await;
    assert!(!noticed(&world).await);
    let other = world.backend.open().await;
    other.fire_by_hand("daily", at(1)).await.unwrap();
    assert!(noticed(&world).await);
    assert!(!noticed(&world).await);
    assert_eq!(world.open_ids().await.len(), 1);
    assert!(!noticed(&world).await, "reading changes nothing");
}

/// Whether a change is told of; a backend that waits for one has found none.
async fn noticed(world: &World) -> bool {
    let waits = Arc::new(Notify::new());
    let told = waits.clone();
    let pause: Box<Pause> = Box::new(move || {
        told.notify_one();
        Box::pin(std::future::pending())
    });
    tokio::select! {
        biased;
        changed = world.store.changed(&*pause) => changed.map(|()| true).unwrap(),
        () = waits.notified() => false,
    }
}

pub(super) async fn what_ended_badly_is_found_in_the_order_of_its_recording(world: Arc<World>) {
    let all = async |after, since: Option<i64>| world.store.bad_ends(after, since.map(at), None, 10).await.unwrap();
    assert_eq!(all(0, None).await, BadEnds::default());
    // Each of these ends a second after nine.
    let failed = world.ended("failed", Next::Failed { reason: Reason::Rejected }).await;
    world.ended("unknown", Next::Unknown { reason: Reason::Unknown }).await;
    world.ended("expired", Next::Expired { reason: Reason::TooLate }).await;
    world.ended("cancelled", Next::Cancelled { reason: Reason::CancelledByHand }).await;
    world.ended("sent", Next::Sent).await;
    let ends = all(0, None).await;
    let counts = |ends: &BadEnds| {
        let mut counts: Vec<_> = ends.counts.iter().map(|(state, count)| (state.as_str(), *count)).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(&ends), [("expired", 1), ("failed", 1), ("unknown", 1)]);
    assert_eq!(ends.last, 3);
    let first = BadEnd {
        id: failed,
        job: Some("failed".to_owned()),
        im: ends.first[0].im.clone(),
        target: ends.first[0].target.clone(),
        state: PushState::Failed,
        reason: "rejected".to_owned(),
        error: Some("the platform said no".to_owned()),
        account: Some("bot_a".to_owned()),
        finished_at: at(1),
        // Each of these has an attempt that came to nothing clear.
        perhaps_sent: true,
        is_unmade: false,
    };
    assert_eq!(ends.first[0], first);
    assert_eq!(world.store.bad_ends(0, None, None, 2).await.unwrap().first.len(), 2);
    assert_eq!(all(3, None).await, BadEnds { last: 3, ..BadEnds::default() });
    assert_eq!(counts(&all(2, None).await), [("expired", 1)]);
    assert_eq!(counts(&all(0, Some(0)).await), counts(&ends));
    assert_eq!(counts(&all(0, Some(1)).await), [], "after the instant, not at it");
    let target: Target = first.target.parse().unwrap();
    let elsewhere = world.store.bad_ends(0, None, Some((&first.im, &target)), 10).await.unwrap();
    assert_eq!(elsewhere, ends, "pushes of jobs to that place are none of ours");

    // One outside any job, to a place of its own.
    let job = crate::store_contract::world::job("spec");
    let spec = PushSpec { target: Target::User("ops".to_owned()), ..job.push[0].clone() };
    let push = AdHoc { spec: spec.clone(), triggered_by: Trigger::Manual, chat: None };
    let push_id = world.store.push_ad_hoc(push, at(20)).await.unwrap();
    let next = Next::Failed { reason: Reason::NoSender };
    world.store.settle(vec![Settle::of(push_id, next)], at(20)).await.unwrap();
    let ends = all(3, None).await;
    assert_eq!((ends.first[0].job.as_deref(), ends.first[0].error.as_deref()), (None, None));
    assert!(!ends.first[0].perhaps_sent, "no attempt was made");
    let without = async |im: &str, target: &Target| {
        world.store.bad_ends(3, None, Some((im, target)), 10).await.unwrap().first.len()
    };
    assert_eq!(without(&spec.im, &spec.target).await, 0);
    assert_eq!(without("other", &spec.target).await, 1);
    assert_eq!(without(&spec.im, &job.push[0].target).await, 1);

    // Put back by hand it is none until it ends badly again, which is an end of its own.
    let (last, next) = (ends.last, Next::Expired { reason: Reason::TooLate });
    world.store.retry(failed, at(30)).await.unwrap();
    assert_eq!(counts(&all(0, None).await), [("expired", 1), ("failed", 1), ("unknown", 1)]);
    world.store.settle(vec![Settle::of(failed, next)], at(-50)).await.unwrap();
    let ends = all(last, None).await;
    assert_eq!((counts(&ends), ends.last), (vec![("expired", 1)], last + 1));
}

pub(super) async fn one_push_is_told_with_all_that_hangs_on_it(world: Arc<World>) {
    let id = world.ended("unknown", Next::Unknown { reason: Reason::Unreadable }).await;
    let story = world.store.push_story(id).await.unwrap().unwrap();
    assert_eq!((story.job.as_deref(), story.ordinal), (Some("unknown"), 0));
    assert_eq!((&story.message["kind"], &story.message["text"]), (&json!("text"), &json!("hello")));
    assert_eq!(story.timezone.as_deref(), Some("Asia/Shanghai"));
    assert_eq!((story.fire.pushes.len(), story.fire.pushes[0].id), (1, id));
    assert_eq!(story.fire.pushes[0].attempts.len(), 1);
    assert_eq!(world.store.push_story(id + 1).await.unwrap(), None);
}

pub(super) async fn what_did_not_fire_is_told_by_its_time(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(10)).await;
    let missed = NewFire { decision: Decision::Missed, reason: Some(Reason::MisfireSkip), ..fire(&daily, at(10)) };
    let gap = NewFire { count: 5, until_at: Some(at(24)), due_at: at(20), ..missed.clone() };
    for (fire, next) in [(missed, at(20)), (gap, at(30))] {
        let cursor = cursor(&daily, fire.due_at, next);
        world.store.record_fires(vec![fire], vec![cursor], at(40)).await.unwrap();
    }
    let of = async |job: Option<&str>, from: i64, until: i64| {
        let found = world.store.unfired(job, Some(at(from)), Some(at(until)), 10).await.unwrap();
        found.into_iter().map(|unfired| unfired.due_at).collect::<Vec<_>>()
    };
    assert_eq!(of(None, 0, 40).await, [at(20), at(10)]);
    assert_eq!(of(Some("daily"), 10, 10).await, [at(10)]);
    assert_eq!(of(None, 22, 23).await, [at(20)], "a gap that reaches into the time");
    assert_eq!(of(None, 25, 40).await, []);
    assert_eq!(of(Some("bystander"), 0, 40).await, []);
    let all = world.store.unfired(None, None, None, 1).await.unwrap();
    assert_eq!((all.len(), all[0].count, all[0].reason.as_str()), (1, 5, "misfire_skip"));
}

pub(super) async fn how_things_stand_is_told_in_numbers(world: Arc<World>) {
    world.ended("unknown", Next::Unknown { reason: Reason::Unreadable }).await;
    world.ended("failed", Next::Failed { reason: Reason::Rejected }).await;
    world.waiting("waiting").await;
    let now = at(0);
    let before = world.store.situation(now, at(-3600)).await.unwrap();
    assert_eq!((before.open, before.unknown, before.failed), (1, 1, 1), "{before:?}");
    assert_eq!((before.active_jobs, before.paused_jobs), (4, 0));
    assert_eq!(world.store.situation(now, at(3600)).await.unwrap().failed, 0, "that was not lately");
    let next = before.next_fire.unwrap();
    world.store.set_paused(&next.job, true, now).await.unwrap();
    let after = world.store.situation(now, at(-3600)).await.unwrap();
    assert_eq!((after.active_jobs, after.paused_jobs), (3, 1));
    assert_ne!(after.next_fire.unwrap().job, next.job);
    world.store.set_paused(&next.job, false, now).await.unwrap();
    assert_eq!(world.store.known_targets().await.unwrap(), ["group:123456"]);
}
