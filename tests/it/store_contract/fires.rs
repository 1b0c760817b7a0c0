//! record_fires, withdraw_ahead, fire_by_hand, push_ad_hoc.

use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::job::Life;
use pushcron::domain::{Calendar, DayRule, Decision, Job, Next, Overlap, PushState, Reason, Schedule, Trigger, UtcMs};
use pushcron::store::{AdHoc, NewFire, StoreError};
use serde_json::json;

use crate::store_contract::world::{World, at, change, cursor, fire, job, push, sent};

pub(super) async fn a_fire_makes_every_push_of_the_definition(world: Arc<World>) {
    let mut daily = job("daily");
    daily.push.push(push("user:10001", "second"));
    daily.push[1].account = Some("bot_b".to_owned());
    daily.push[1].im = "weixin".to_owned();
    world.load(&daily, at(0)).await;
    let recorded = world.fire(&daily, at(0)).await;

    assert_eq!(recorded.pushes.len(), 2);
    assert!(recorded.cancelled.is_empty() && recorded.skipped == 0 && recorded.stale.is_empty());
    let second = &recorded.pushes[1];
    assert_eq!(second.job.as_deref(), Some("daily"));
    assert_eq!(second.triggered_by, Trigger::Cron);
    assert_eq!(second.im, "weixin");
    assert_eq!(second.target.to_string(), "user:10001");
    assert_eq!(second.account.as_deref(), Some("bot_b"));
    assert_eq!((second.due_at, second.next_attempt_at, second.expires_at), (at(0), at(0), at(3600)));
    assert_eq!(second.attempts, 0);
    assert_eq!(world.store.open_pushes().await.unwrap(), recorded.pushes);
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(1)));
}

pub(super) async fn an_instant_is_recorded_once_however_often_it_is_told(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    assert_eq!(world.fire(&daily, at(0)).await.pushes.len(), 1);
    assert!(world.fire(&daily, at(0)).await.pushes.is_empty());
    let twice = vec![fire(&daily, at(1)), fire(&daily, at(1))];
    let recorded = world.store.record_fires(twice, vec![cursor(&daily, at(1), at(2))], at(1)).await.unwrap();
    assert_eq!(recorded.pushes.len(), 1);
    assert_eq!(world.open_ids().await.len(), 2);
}

pub(super) async fn skips_and_misses_make_no_push(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let skipped = NewFire { decision: Decision::Skipped, reason: Some(Reason::Disabled), ..fire(&daily, at(0)) };
    let missed = NewFire {
        decision: Decision::Missed,
        reason: Some(Reason::MisfireSkip),
        count: 20_000,
        until_at: Some(at(20_000)),
        ..fire(&daily, at(1))
    };
    let cursors = vec![cursor(&daily, at(0), at(20_001))];
    let recorded = world.store.record_fires(vec![skipped, missed], cursors, at(20_001)).await.unwrap();
    assert!(recorded.pushes.is_empty());
    assert!(world.open_ids().await.is_empty());
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(20_001)));
}

pub(super) async fn a_fire_recorded_late_has_its_whole_time(world: Arc<World>) {
    let mut daily = job("daily");
    Arc::make_mut(&mut daily.push[0].retry).give_up_after = Duration::from_millis(90_500);
    world.load(&daily, at(0)).await;
    let late = world.fire_seen(&daily, at(0), at(50)).await.pushes.remove(0);
    assert_eq!((late.due_at, late.expires_at), (at(0), UtcMs(at(50).0 + 90_500)));
    let ahead = world.fire_seen(&daily, at(60), at(58)).await.pushes.remove(0);
    assert_eq!(ahead.expires_at, UtcMs(at(60).0 + 90_500));

    let mut patient = job("patient");
    Arc::make_mut(&mut patient.push[0].retry).give_up_after = Duration::from_secs(1 << 40);
    world.load(&patient, at(0)).await;
    assert_eq!(world.fire(&patient, at(0)).await.pushes[0].expires_at, UtcMs::MAX);
}

pub(super) async fn fires_decided_from_a_place_that_moved_are_refused_whole(world: Arc<World>) {
    let (moved, steady) = (job("moved"), job("steady"));
    for job in [&moved, &steady] {
        world.load(job, at(0)).await;
    }
    let fires = vec![fire(&moved, at(1)), fire(&steady, at(0))];
    let cursors = vec![cursor(&moved, at(1), at(2)), cursor(&steady, at(0), at(1))];
    let recorded = world.store.record_fires(fires, cursors, at(1)).await.unwrap();
    assert_eq!(recorded.stale, [Arc::from("moved")]);
    assert_eq!(recorded.pushes.len(), 1);
    assert_eq!(world.stored("moved").await.next_due_at, Some(at(0)));
    assert_eq!(world.stored("steady").await.next_due_at, Some(at(1)));
}

pub(super) async fn fires_of_a_job_that_is_gone_are_refused(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    world.store.apply_jobs(vec![], vec![Arc::from("daily")], at(0)).await.unwrap();
    let nobody = job("nobody");
    let fires = vec![fire(&daily, at(0)), fire(&nobody, at(0))];
    let cursors = vec![cursor(&daily, at(0), at(1)), cursor(&nobody, at(0), at(1))];
    let recorded = world.store.record_fires(fires, cursors, at(0)).await.unwrap();
    assert_eq!(recorded.stale.len(), 2);
    assert!(recorded.pushes.is_empty());
}

pub(super) async fn a_fire_due_while_paused_becomes_a_skip(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    world.store.set_paused("daily", true, at(1)).await.unwrap();
    // The one due before the pause was only noticed late.
    assert_eq!(world.fire_seen(&daily, at(0), at(2)).await.pushes.len(), 1);
    assert!(world.fire_seen(&daily, at(1), at(2)).await.pushes.is_empty());
    assert!(world.fire_seen(&daily, at(2), at(2)).await.pushes.is_empty());
}

pub(super) async fn overlap_skip_lets_one_through_and_skips_while_it_is_open(world: Arc<World>) {
    let mut daily = job("daily");
    daily.overlap = Overlap::Skip;
    world.load(&daily, at(0)).await;
    // Three at once, as after a pause of the machine: the first goes through.
    let fires = (0..3).map(|i| fire(&daily, at(i))).collect();
    let recorded = world.store.record_fires(fires, vec![cursor(&daily, at(0), at(3))], at(3)).await.unwrap();
    assert_eq!((recorded.pushes.len(), recorded.skipped), (1, 2));
    assert_eq!(recorded.pushes[0].due_at, at(0));

    let delivery = world.begin(recorded.pushes[0].id, at(3)).await;
    assert_eq!(world.fire(&daily, at(3)).await.skipped, 1, "it is being sent");
    world.store.finish_attempts(vec![sent(&delivery, at(4))]).await.unwrap();
    let recorded = world.fire(&daily, at(4)).await;
    assert_eq!((recorded.pushes.len(), recorded.skipped), (1, 0));
}

pub(super) async fn overlap_replace_retires_what_waits_and_leaves_what_is_being_sent(world: Arc<World>) {
    let mut daily = job("daily");
    daily.overlap = Overlap::Replace;
    world.load(&daily, at(0)).await;
    let first = world.fire(&daily, at(0)).await.pushes.remove(0);
    world.begin(first.id, at(0)).await;
    let second = world.fire(&daily, at(1)).await;
    assert!(second.cancelled.is_empty());
    let third = world.fire(&daily, at(2)).await;
    assert_eq!(third.cancelled, [second.pushes[0].id]);
    assert_eq!(world.state(first.id).await, PushState::Sending);
    assert_eq!(world.history(second.pushes[0].id).await["reason"], "replaced");

    // Of several in one call only the newest waits, and only older ones are told.
    let fires = (3..6).map(|i| fire(&daily, at(i))).collect();
    let recorded = world.store.record_fires(fires, vec![cursor(&daily, at(3), at(6))], at(6)).await.unwrap();
    assert_eq!(recorded.cancelled, [third.pushes[0].id]);
    assert_eq!(recorded.pushes.iter().map(|push| push.due_at).collect::<Vec<_>>(), [at(5)]);
}

pub(super) async fn what_was_recorded_ahead_is_withdrawn_and_decided_anew(world: Arc<World>) {
    let (daily, disabled) = (job("daily"), job("disabled"));
    world.load(&daily, at(0)).await;
    world.load(&disabled, at(5)).await;
    let fires = vec![
        fire(&daily, at(1)),
        fire(&daily, at(2)),
        fire(&daily, at(3)),
        NewFire { decision: Decision::Skipped, reason: Some(Reason::Disabled), ..fire(&disabled, at(5)) },
    ];
    world.fire_seen(&daily, at(0), at(0)).await;
    let cursors = vec![cursor(&daily, at(1), at(4)), cursor(&disabled, at(5), at(6))];
    world.store.record_fires(fires, cursors, at(0)).await.unwrap();

    // The daemon was last awake when the first of them was due: that one has fired and waits for its turn.
    assert_eq!(world.store.withdraw_ahead(at(1)).await.unwrap(), 3);
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(2)));
    assert_eq!(world.stored("disabled").await.next_due_at, Some(at(5)));
    let open: Vec<_> = world.store.open_pushes().await.unwrap().iter().map(|push| push.due_at).collect();
    assert_eq!(open, [at(0), at(1)]);

    let fires = vec![fire(&daily, at(2)), fire(&daily, at(3))];
    let again = world.store.record_fires(fires, vec![cursor(&daily, at(2), at(4))], at(9)).await.unwrap();
    assert_eq!(again.pushes.len(), 2);
    assert_eq!(world.store.withdraw_ahead(at(1)).await.unwrap(), 0, "these were recorded at their time");
}

pub(super) async fn a_job_that_stays_spent_keeps_its_end_where_an_earlier_fire_is_taken_back(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(30)).await;
    world.fire_seen(&daily, at(30), at(26)).await;
    let life = Life { max_fires: Some(1), ..Life::default() };
    let once = Job { schedule: Schedule::Every(7000), life: Some(Box::new(life)), ..daily };
    world.store.apply_jobs(vec![change(once.clone(), at(35))], vec![], at(31)).await.unwrap();
    let last = world.fire_seen(&once, at(35), at(33)).await;
    world.begin(last.pushes[0].id, at(35)).await;
    let place_and_end = async || {
        let stored = world.stored("daily").await;
        (stored.next_due_at, stored.spent_at)
    };
    assert_eq!(place_and_end().await, (None, Some(at(35))));

    // The clock is put back before both. The earlier one was of another schedule, and counts for nothing.
    assert_eq!(world.store.withdraw_ahead(at(20)).await.unwrap(), 1);
    assert_eq!(place_and_end().await, (Some(at(30)), Some(at(35))));
    let again = world.store.record_fires(vec![fire(&once, at(30))], vec![cursor(&once, at(30), at(42))], at(30)).await;
    assert_eq!(again.unwrap().pushes.len(), 0);
    assert_eq!(place_and_end().await, (None, Some(at(35))));
}

pub(super) async fn what_a_clock_recorded_that_was_put_back_since_keeps_its_ids(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(61)).await;
    let fires = || vec![fire(&daily, at(61)), fire(&daily, at(62))];
    let recorded = world.store.record_fires(fires(), vec![cursor(&daily, at(61), at(63))], at(60)).await.unwrap();
    let shown: Vec<_> = recorded.pushes.iter().map(|push| push.id).collect();

    // Whoever reads history at 61 s is shown the first of them. Then the clock is put back by a minute.
    let open = async || -> Vec<i64> { world.store.open_pushes().await.unwrap().iter().map(|push| push.id).collect() };
    assert_eq!(world.store.withdraw_ahead(at(2)).await.unwrap(), 0);
    assert_eq!(open().await, shown);
    let again = world.store.record_fires(fires(), vec![cursor(&daily, at(63), at(63))], at(60)).await.unwrap();
    assert_eq!((again.pushes.len(), open().await), (0, shown.clone()), "decided anew, they are there");

    // Behind an instant that is to come again they are decided anew with it.
    let missed = NewFire { decision: Decision::Missed, reason: Some(Reason::MisfireWindow), ..fire(&daily, at(60)) };
    world.store.record_fires(vec![missed], vec![cursor(&daily, at(63), at(63))], at(60)).await.unwrap();
    assert_eq!(world.store.withdraw_ahead(at(2)).await.unwrap(), 3);
    assert_eq!((open().await, world.stored("daily").await.next_due_at), (Vec::new(), Some(at(60))));
}

pub(super) async fn what_never_fired_is_taken_back_where_the_clock_was_put_back(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let skipped = |due: i64, reason: Reason| NewFire {
        decision: Decision::Skipped,
        reason: Some(reason),
        ..fire(&daily, at(due))
    };
    let gap =
        NewFire { count: 30, until_at: Some(at(39)), decision: Decision::Missed, ..skipped(10, Reason::MisfireWindow) };
    let late = NewFire { reason: Some(Reason::CaughtUp), ..fire(&daily, at(41)) };
    let fires = vec![
        fire(&daily, at(0)),
        skipped(1, Reason::Paused),
        gap,
        skipped(40, Reason::Paused),
        late,
        skipped(42, Reason::Restored),
    ];
    world.store.record_fires(fires, vec![cursor(&daily, at(0), at(50))], at(50)).await.unwrap();

    assert_eq!(world.store.withdraw_ahead(at(50)).await.unwrap(), 0, "all of it has passed");
    // The clock now shows 20 seconds past: 40 is to come, and the gap is half to come.
    assert_eq!(world.store.withdraw_ahead(at(20)).await.unwrap(), 2);
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(10)));
    let left = world.store.ledger_rows("daily", at(0), at(99), 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.due_at).collect::<Vec<_>>(), [at(0), at(1), at(41), at(42)]);

    // Of what an earlier definition called for, only a gap that has begun stays: nobody could decide it anew.
    let gap = NewFire { count: 25, until_at: Some(at(35)), ..skipped(11, Reason::DefinitionChanged) };
    let fires = vec![gap, skipped(36, Reason::DefinitionChanged)];
    world.store.record_fires(fires, vec![cursor(&daily, at(10), at(50))], at(50)).await.unwrap();
    let slower = Job { schedule: Schedule::Every(2000), ..daily.clone() };
    world.store.apply_jobs(vec![change(slower, at(52))], vec![], at(51)).await.unwrap();
    assert_eq!(world.store.withdraw_ahead(at(20)).await.unwrap(), 1);
    let left = world.store.ledger_rows("daily", at(0), at(99), 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.due_at).collect::<Vec<_>>(), [at(0), at(1), at(11), at(41), at(42)]);
    let revisions = world.store.revisions("daily").await.unwrap();
    let held: Vec<_> = revisions.iter().map(|revision| (revision.from_at, revision.until_at)).collect();
    let from = UtcMs(at(36).0 - 1);
    assert_eq!(held, [(at(-10), Some(from)), (from, None)], "the newest answers for what comes again");
}

/// A job that goes by a list of days.
fn by_a_list(name: &str) -> Job {
    let list = Arc::new(Calendar { name: "own".to_owned(), ..Calendar::default() }).reference();
    Job { days: Some(Box::new(DayRule { workdays: Some(list), ..DayRule::default() })), ..job(name) }
}

pub(super) async fn a_gap_that_was_decided_by_other_days_is_not_decided_anew(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let gap = NewFire {
        count: 25,
        until_at: Some(at(35)),
        decision: Decision::Missed,
        reason: Some(Reason::MisfireWindow),
        ..fire(&daily, at(11))
    };
    world.store.record_fires(vec![gap], vec![cursor(&daily, at(0), at(50))], at(50)).await.unwrap();
    world.store.apply_jobs(vec![change(by_a_list("daily"), at(52))], vec![], at(51)).await.unwrap();
    assert_eq!(world.store.withdraw_ahead(at(20)).await.unwrap(), 0);
    let left = world.store.ledger_rows("daily", at(0), at(99), 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.due_at).collect::<Vec<_>>(), [at(11)]);
}

pub(super) async fn a_push_that_nobody_watched_comes_with_the_lists_of_days_of_its_job(world: Arc<World>) {
    let daily = by_a_list("daily");
    world.load(&daily, at(0)).await;
    let ahead = world.fire_seen(&daily, at(9), at(2)).await.pushes.remove(0);
    let found = world.store.unwatched(Some(at(3)), at(20)).await.unwrap();
    let [unwatched] = &found[..] else { panic!("{found:?}") };
    assert_eq!((unwatched.push_id, unwatched.due_at), (ahead.id, at(9)));
    let days = unwatched.job.days.as_deref().unwrap();
    assert!(days.calendars().iter().all(|calendar| calendar.list.is_some()), "{days:?}");
}

pub(super) async fn a_place_that_goes_back_takes_the_beginning_of_its_revision_along(world: Arc<World>) {
    let daily = job("daily");
    world.store.apply_jobs(vec![change(daily.clone(), at(101))], vec![], at(100)).await.unwrap();
    world.store.record_fires(vec![], vec![cursor(&daily, at(101), at(102))], at(50)).await.unwrap();
    assert_eq!(world.stored("daily").await.loaded_at, at(100), "it went on");
    world.store.record_fires(vec![], vec![cursor(&daily, at(102), at(51))], at(50)).await.unwrap();
    assert_eq!(world.stored("daily").await.loaded_at, at(50));
    world.store.record_fires(vec![], vec![cursor(&daily, at(51), at(50))], at(60)).await.unwrap();
    assert_eq!(world.stored("daily").await.loaded_at, at(50));
}

pub(super) async fn the_last_sign_of_a_daemon_is_remembered(world: Arc<World>) {
    let push = world.waiting("daily").await;
    assert_eq!(world.store.last_recorded_at().await.unwrap(), Some(at(0)));
    world.begin(push.id, at(7)).await;
    assert_eq!(world.store.last_recorded_at().await.unwrap(), Some(at(7)));
}

pub(super) async fn an_attempt_begun_ahead_keeps_its_fire(world: Arc<World>) {
    let daily = job("daily");
    world.load(&daily, at(0)).await;
    let fires = vec![fire(&daily, at(0)), fire(&daily, at(1))];
    let ahead = UtcMs(at(0).0 - 10);
    let pushes = world.store.record_fires(fires, vec![cursor(&daily, at(0), at(2))], ahead).await.unwrap().pushes;
    world.begin(pushes[0].id, ahead).await;
    assert_eq!(world.store.withdraw_ahead(ahead).await.unwrap(), 1);
    assert_eq!(world.state(pushes[0].id).await, PushState::Sending);
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(1)));
}

pub(super) async fn a_fire_by_hand_works_on_paused_and_disabled_jobs(world: Arc<World>) {
    let mut daily = job("daily");
    daily.enabled = false;
    daily.push.push(push("user:10001", "second"));
    world.load(&daily, at(100)).await;
    world.store.set_paused("daily", true, at(0)).await.unwrap();
    let ids = world.store.fire_by_hand("daily", at(7)).await.unwrap();
    assert_eq!(ids.len(), 2);
    let open = world.store.open_pushes().await.unwrap();
    assert_eq!(open.iter().map(|push| push.id).collect::<Vec<_>>(), ids);
    assert!(open.iter().all(|push| push.triggered_by == Trigger::Manual && push.due_at == at(7)));
    assert_eq!(world.stored("daily").await.next_due_at, Some(at(100)));

    let nobody = world.store.fire_by_hand("nobody", at(7)).await.unwrap_err();
    assert!(matches!(&nobody, StoreError::NotFound(text) if text.contains("nobody")), "{nobody}");
}

pub(super) async fn two_fires_by_hand_in_one_millisecond_are_two(world: Arc<World>) {
    world.load(&job("daily"), at(100)).await;
    for _ in 0..3 {
        assert_eq!(world.store.fire_by_hand("daily", at(7)).await.unwrap().len(), 1);
    }
    let due: Vec<_> = world.store.open_pushes().await.unwrap().iter().map(|push| push.due_at.0 - at(7).0).collect();
    assert_eq!(due, [0, 1, 2]);
}

pub(super) async fn a_push_outside_any_job_keeps_the_chat_that_asked(world: Arc<World>) {
    let spec = push("user:10001", "answer");
    let chat = Some(("weixin".to_owned(), "bot_w".to_owned()));
    let asked = AdHoc { spec: spec.clone(), triggered_by: Trigger::Message, chat: chat.clone() };
    let by_hand = AdHoc { spec: spec.clone(), triggered_by: Trigger::Manual, chat: None };
    let id = world.store.push_ad_hoc(asked, at(3)).await.unwrap();
    let other = world.store.push_ad_hoc(by_hand, at(3)).await.unwrap();

    let open = world.store.open_pushes().await.unwrap();
    assert_eq!(open.iter().map(|push| push.id).collect::<Vec<_>>(), [id, other]);
    assert_eq!((&open[0].chat, &open[0].job), (&chat, &None));
    assert_eq!((open[0].triggered_by, open[1].triggered_by), (Trigger::Message, Trigger::Manual));
    assert_eq!(open[0].expires_at, at(3603));
    let delivery = world.begin(id, at(3)).await;
    assert_eq!((delivery.message, delivery.retry), (spec.message, (*spec.retry).clone()));
    assert_eq!(world.history(id).await["job"], json!(null));
    // The schedule's rows are told from these: the same instant is free for a job.
    let next = world.ended("daily", Next::Sent).await;
    assert_eq!(world.state(next).await, PushState::Sent);
    world.store.apply_jobs(vec![change(job("last"), at(0))], vec![], at(0)).await.unwrap();
}
