//! begin_attempts, finish_attempts, interrupted.

use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{
    Delivery, Health, Job, Next, Outcome, Overlap, PartReport, PushState, Reason, Report, RetryPolicy, Rule, Trigger,
    UtcMs,
};
use pushcron::store::{AccountRow, Begin, TakeBack, View};
use serde_json::json;

use crate::store_contract::world::{World, at, begin, failed, finish, job, sent};

pub(super) async fn an_attempt_is_durable_before_its_delivery_is_handed_out(world: Arc<World>) {
    let mut daily = job("daily");
    daily.push[0].retry = RetryPolicy { max_attempts: 7, ..RetryPolicy::default() }.into();
    daily.push[0].timeout = Duration::from_millis(1234);
    world.load(&daily, at(0)).await;
    let push = world.fire(&daily, at(0)).await.pushes.remove(0);

    // Begun a moment ahead: it counts as started at its instant.
    let delivery = world.begin(push.id, UtcMs(at(0).0 - 3)).await;

    let other = world.backend.open().await;
    assert_eq!(other.push_state(push.id).await.unwrap(), Some(PushState::Sending));
    let open = other.interrupted().await.unwrap();
    assert_eq!((open.len(), open[0].number, open[0].started_at), (1, 1, at(0)));
    assert_eq!((open[0].account.as_str(), open[0].sender.as_str()), ("bot_a", "console"));

    assert_eq!(delivery.push_id, push.id);
    assert_eq!(delivery.attempt, 1);
    assert_eq!(delivery.job.as_deref(), Some("daily"));
    assert_eq!(delivery.triggered_by, Trigger::Cron);
    assert_eq!(delivery.due_at, at(0));
    assert_eq!(delivery.im, "qq");
    assert_eq!(delivery.target, daily.push[0].target);
    assert_eq!(delivery.message, daily.push[0].message);
    assert_eq!(delivery.timeout, Duration::from_millis(1234));
    assert_eq!(delivery.retry, *daily.push[0].retry);
    assert_eq!(delivery.max_attempts, 7);
    assert_eq!(delivery.expires_at, at(3600));
    assert!(delivery.parts.is_empty() && delivery.media.is_empty());
}

pub(super) async fn a_push_is_begun_once(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let other = world.waiting("other").await;
    let twice = vec![begin(push.id), begin(push.id)];
    assert_eq!(world.store.begin_attempts(twice, at(0)).await.unwrap().len(), 1);
    let again = vec![begin(push.id), begin(other.id), begin(4711)];
    let deliveries = world.store.begin_attempts(again, at(0)).await.unwrap();
    assert_eq!(deliveries.iter().map(|delivery| delivery.push_id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(world.history(push.id).await["attempts"], 1);
}

pub(super) async fn a_sent_push_counts_one(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let delivery = world.begin(push.id, at(0)).await;
    assert_eq!(world.store.finish_attempts(vec![sent(&delivery, at(1))]).await.unwrap().lost, [0i64; 0]);
    let row = world.history(push.id).await;
    assert_eq!(row["state"], "sent");
    assert_eq!(row["message_id"], json!(format!("m{}", push.id)));
    assert_eq!(row["finished_at"], json!(at(1)));
    assert!(row["error"].is_null() && row["reason"].is_null());
    assert!(world.open_ids().await.is_empty());
}

pub(super) async fn a_failed_attempt_waits_for_the_next(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let first = world.begin(push.id, at(0)).await;
    let next = Next::Retry { at: at(30), reason: Reason::Throttled };
    let throttled = Outcome::Throttled { wait: Some(Duration::from_secs(30)) };
    world.store.finish_attempts(vec![failed(&first, throttled, next, at(1))]).await.unwrap();

    let open = world.store.open_pushes().await.unwrap();
    assert_eq!((open[0].id, open[0].attempts, open[0].next_attempt_at), (push.id, 1, at(30)));
    assert!(!open[0].perhaps_sent);
    let row = world.row(View::DuePushes, push.id).await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("retrying"), &json!("throttled")));

    let second = world.begin(push.id, at(31)).await;
    assert_eq!(second.attempt, 2);
    world.store.finish_attempts(vec![sent(&second, at(32))]).await.unwrap();
    assert_eq!(world.history(push.id).await["attempts"], 2);
}

pub(super) async fn a_push_that_may_have_arrived_stays_marked(world: Arc<World>) {
    let push = world.waiting("daily").await;
    for (i, outcome) in [(0, Outcome::Unknown), (10, Outcome::Unreachable)] {
        let delivery = world.begin(push.id, at(i)).await;
        let next = Next::Retry { at: at(i + 10), reason: Reason::from(&outcome) };
        world.store.finish_attempts(vec![failed(&delivery, outcome, next, at(i + 1))]).await.unwrap();
        assert!(world.store.open_pushes().await.unwrap()[0].perhaps_sent);
    }
}

pub(super) async fn every_way_out_of_sending_ends_in_its_state(world: Arc<World>) {
    let reason = Reason::TooLate;
    let ways = [
        (Next::Sent, PushState::Sent),
        (Next::Failed { reason }, PushState::Failed),
        (Next::Unknown { reason }, PushState::Unknown),
        (Next::Expired { reason }, PushState::Expired),
        (Next::Cancelled { reason }, PushState::Cancelled),
        (Next::Retry { at: at(9), reason }, PushState::Retrying),
    ];
    for (i, (next, state)) in ways.into_iter().enumerate() {
        let id = world.ended(&format!("job{i}"), next).await;
        assert_eq!(world.state(id).await, state);
        let reason = &world.history(id).await["reason"];
        assert_eq!(*reason, if state == PushState::Sent { json!(null) } else { json!("too_late") });
    }
}

pub(super) async fn an_attempt_taken_back_was_never_made(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let back = |number, seconds, reason: Option<Reason>| TakeBack {
        push_id: push.id,
        number,
        next_attempt_at: at(seconds),
        reason,
    };
    world.begin(push.id, at(0)).await;
    assert_eq!(world.store.take_back_attempts(vec![back(1, 1, None)], at(0)).await.unwrap(), Vec::<i64>::new());
    let untouched = world.open(push.id).await;
    assert_eq!((untouched.attempts, untouched.next_attempt_at, untouched.is_resting), (0, at(1), false));
    assert_eq!(world.history(push.id).await["attempts"], json!(0));

    let first = world.begin(push.id, at(2)).await;
    assert_eq!((first.attempt, first.max_attempts), (1, push_attempts(&world, push.id).await));
    let next = Next::Retry { at: at(3), reason: Reason::Throttled };
    let failure = failed(&first, Outcome::Throttled { wait: None }, next, at(2));
    world.store.finish_attempts(vec![failure]).await.unwrap();
    world.begin(push.id, at(3)).await;
    world.store.take_back_attempts(vec![back(2, 4, Some(Reason::WindowClosed))], at(3)).await.unwrap();
    let waiting = world.open(push.id).await;
    assert_eq!((waiting.attempts, waiting.next_attempt_at, waiting.is_resting), (1, at(4), true));
    assert_eq!(world.history(push.id).await["reason"], json!("window_closed"));

    // One that was made is never taken back, nor one of a push that a person has ended.
    let second = world.begin(push.id, at(4)).await;
    world.store.finish_attempts(vec![finish(&second, Report::sent(None), Next::Sent, at(5))]).await.unwrap();
    assert_eq!(world.store.take_back_attempts(vec![back(2, 9, None)], at(5)).await.unwrap(), [push.id]);
    assert_eq!(world.state(push.id).await, PushState::Sent);
    assert_eq!(world.history(push.id).await["attempts"], json!(2));
}

fn replacing() -> Job {
    Job { overlap: Overlap::Replace, ..job("replacing") }
}

fn taken_back(push_id: i64) -> TakeBack {
    TakeBack { push_id, number: 1, next_attempt_at: at(2), reason: Some(Reason::WindowClosed) }
}

/// An attempt that would be followed by another, or, taken back, by itself again.
async fn comes_back(world: &World, delivery: &Delivery, outcome: Option<Outcome>) -> Vec<i64> {
    let Some(outcome) = outcome else {
        return world.store.take_back_attempts(vec![taken_back(delivery.push_id)], at(7)).await.unwrap();
    };
    let next = Next::Retry { at: at(30), reason: Reason::from(&outcome) };
    world.store.finish_attempts(vec![failed(delivery, outcome, next, at(7))]).await.unwrap().lost
}

const WAYS_BACK: [(Option<Outcome>, &str); 3] =
    [(None, "cancelled"), (Some(Outcome::Unreachable), "cancelled"), (Some(Outcome::Unknown), "unknown")];

pub(super) async fn what_a_newer_fire_replaced_while_it_was_being_sent_is_not_tried_again(world: Arc<World>) {
    world.load(&replacing(), at(0)).await;
    for (i, (outcome, state)) in WAYS_BACK.into_iter().enumerate() {
        let due = 2 * i as i64;
        let older = world.fire(&replacing(), at(due)).await.pushes.remove(0);
        let delivery = world.begin(older.id, at(due)).await;
        let newer = world.fire(&replacing(), at(due + 1)).await.pushes.remove(0);
        assert_eq!(comes_back(&world, &delivery, outcome).await, [older.id]);
        let row = world.history(older.id).await;
        assert_eq!((&row["state"], &row["reason"]), (&json!(state), &json!("replaced")));
        assert_eq!(row["finished_at"], json!(at(7)));
        assert_eq!(world.open_ids().await, [newer.id]);
        world.store.cancel(newer.id, at(8)).await.unwrap();
    }
}

pub(super) async fn what_was_replaced_and_arrived_all_the_same_is_sent(world: Arc<World>) {
    world.load(&replacing(), at(0)).await;
    let older = world.fire(&replacing(), at(0)).await.pushes.remove(0);
    let delivery = world.begin(older.id, at(0)).await;
    world.fire(&replacing(), at(1)).await;
    assert_eq!(world.store.finish_attempts(vec![sent(&delivery, at(2))]).await.unwrap().lost, [0i64; 0]);
    assert_eq!(
        (world.state(older.id).await, &world.history(older.id).await["reason"]),
        (PushState::Sent, &json!(null))
    );
}

pub(super) async fn a_push_of_a_job_removed_while_it_was_being_sent_is_not_tried_again(world: Arc<World>) {
    for (i, (outcome, state)) in WAYS_BACK.into_iter().enumerate() {
        let name = format!("job{i}");
        let push = world.waiting(&name).await;
        let delivery = world.begin(push.id, at(0)).await;
        world.store.apply_jobs(vec![], vec![Arc::from(name.as_str())], at(1)).await.unwrap();
        assert_eq!(comes_back(&world, &delivery, outcome).await, [push.id]);
        let row = world.history(push.id).await;
        assert_eq!((&row["state"], &row["reason"]), (&json!(state), &json!("job_removed")));
    }
}

pub(super) async fn an_older_push_is_tried_again_where_nothing_replaced_it(world: Arc<World>) {
    // A fire by hand goes past `overlap: skip`, and leaves the older one alone.
    let skipping = Job { overlap: Overlap::Skip, ..job("skipping") };
    let allowing = job("allowing");
    for job in [skipping, allowing] {
        world.load(&job, at(0)).await;
        let older = world.fire(&job, at(0)).await.pushes.remove(0);
        let delivery = world.begin(older.id, at(0)).await;
        world.store.fire_by_hand(&job.name, at(1)).await.unwrap();
        assert_eq!(comes_back(&world, &delivery, Some(Outcome::Unreachable)).await, [0i64; 0]);
        assert_eq!(world.state(older.id).await, PushState::Retrying);
    }
}

pub(super) async fn an_older_push_that_a_person_asks_for_again_goes_out_until_a_newer_fire_replaces_it(
    world: Arc<World>,
) {
    world.load(&replacing(), at(0)).await;
    let older = world.fire(&replacing(), at(0)).await.pushes.remove(0);
    world.fire(&replacing(), at(1)).await;
    assert_eq!(world.state(older.id).await, PushState::Cancelled);
    world.store.retry(older.id, at(2)).await.unwrap();
    let delivery = world.begin(older.id, at(2)).await;
    assert_eq!(comes_back(&world, &delivery, Some(Outcome::Unreachable)).await, [0i64; 0]);
    assert_eq!(world.state(older.id).await, PushState::Retrying);
    world.fire(&replacing(), at(9)).await;
    assert_eq!(world.state(older.id).await, PushState::Cancelled);
}

pub(super) async fn a_push_is_as_old_as_it_was_though_a_person_puts_it_back(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let first = world.begin(push.id, at(0)).await;
    assert_eq!(first.made_at, at(0));
    let unknown = Next::Unknown { reason: Reason::Unknown };
    world.store.finish_attempts(vec![failed(&first, Outcome::Unknown, unknown, at(1))]).await.unwrap();
    world.store.retry(push.id, at(7000)).await.unwrap();
    let delivery = world.begin(push.id, at(7000)).await;
    assert_eq!((delivery.made_at, delivery.expires_at), (at(0), at(7000 + 3600)));

    // What is caught up late was made then, and what is recorded ahead waits for its instant.
    for (instant, now, made_at) in [(100, 900, 900), (8000, 7995, 8000)] {
        let job = job(&format!("job{instant}"));
        world.load(&job, at(instant)).await;
        let push = world.fire_seen(&job, at(instant), at(now)).await.pushes.remove(0);
        assert_eq!(world.begin(push.id, at(8000)).await.made_at, at(made_at));
    }
}

pub(super) async fn what_waits_and_may_have_arrived_is_unknown_once_it_is_replaced_or_its_job_is_gone(
    world: Arc<World>,
) {
    world.load(&replacing(), at(0)).await;
    let older = world.fire(&replacing(), at(0)).await.pushes.remove(0);
    let delivery = world.begin(older.id, at(0)).await;
    comes_back(&world, &delivery, Some(Outcome::Unknown)).await;
    assert_eq!(world.fire(&replacing(), at(1)).await.cancelled, [older.id]);
    assert_eq!(world.state(older.id).await, PushState::Unknown);

    let push = world.waiting("goes").await;
    let delivery = world.begin(push.id, at(0)).await;
    comes_back(&world, &delivery, Some(Outcome::Unknown)).await;
    let applied = world.store.apply_jobs(vec![], vec![Arc::from("goes")], at(8)).await.unwrap();
    assert_eq!(applied.cancelled, [push.id]);
    assert_eq!(world.state(push.id).await, PushState::Unknown);
    assert_eq!(world.history(push.id).await["reason"], json!("job_removed"));
}

async fn push_attempts(world: &World, id: i64) -> u32 {
    let fires = world.store.fires("daily", at(-1_000_000), at(1_000_000)).await.unwrap();
    let push = fires.iter().flat_map(|fire| &fire.pushes).find(|push| push.id == id);
    push.unwrap().max_attempts
}

pub(super) async fn parts_are_kept_for_the_next_attempt(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let part = |outcome: &str, id: Option<&str>| PartReport {
        part: "text".to_owned(),
        outcome: outcome.to_owned(),
        message_id: id.map(str::to_owned),
    };
    let parts = vec![part("sent", Some("m1")), part("throttled", None)];
    let first = world.begin(push.id, at(0)).await;
    let next = Next::Retry { at: at(1), reason: Reason::Throttled };
    let mut report = Report::failed(Outcome::Throttled { wait: None }, "slow down");
    report.parts = parts.clone();
    world.store.finish_attempts(vec![finish(&first, report, next, at(1))]).await.unwrap();

    let second = world.begin(push.id, at(2)).await;
    assert_eq!(second.parts, parts);
    // A report without parts (the connection broke before the first) forgets none.
    let next = Next::Retry { at: at(3), reason: Reason::Unreachable };
    world.store.finish_attempts(vec![failed(&second, Outcome::Unreachable, next, at(3))]).await.unwrap();
    assert_eq!(world.begin(push.id, at(4)).await.parts, parts);
}

pub(super) async fn what_an_attempt_says_of_its_account_is_written_with_it(world: Arc<World>) {
    let row = |id: &str| AccountRow {
        id: id.to_owned(),
        im: "qq".to_owned(),
        sender: "console".to_owned(),
        is_default: false,
        health: Health::default(),
    };
    world.store.record_accounts(vec![row("bot_a"), row("bot_b")], true).await.unwrap();
    let push = world.waiting("daily").await;
    let delivery = world.begin(push.id, at(0)).await;
    let health = Health {
        online: Some(true),
        sendable: Some(false),
        checked_at: Some(at(1)),
        last_error: Some("muted".to_owned()),
        rest_until: None,
        cooldown_until: Some(at(60)),
        failures: 3,
    };
    let next = Next::Retry { at: at(5), reason: Reason::AccountDown };
    let mut finish = failed(&delivery, Outcome::AccountDown, next, at(1));
    finish.health = Some((Arc::from("bot_a"), health.clone()));
    world.store.finish_attempts(vec![finish]).await.unwrap();
    let accounts = world.store.accounts().await.unwrap();
    assert_eq!(accounts[0].health, health);
    assert_eq!(accounts[1].health, Health::default());
}

pub(super) async fn a_finish_that_comes_too_late_changes_nothing(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let other = world.waiting("other").await;
    let delivery = world.begin(push.id, at(0)).await;
    let in_time = world.begin(other.id, at(0)).await;
    let gone = Next::Unknown { reason: Reason::Unknown };
    world.store.finish_attempts(vec![failed(&delivery, Outcome::Unknown, gone, at(1))]).await.unwrap();
    world.store.resolve(push.id, false, at(2)).await.unwrap();

    let stale = world.store.finish_attempts(vec![sent(&delivery, at(3)), sent(&in_time, at(3))]).await.unwrap();
    assert_eq!(stale.lost, [push.id]);
    assert_eq!(world.state(push.id).await, PushState::Failed);
    assert_eq!(world.history(push.id).await["error"], "the platform said no");
    assert_eq!(world.state(other.id).await, PushState::Sent);
}

pub(super) async fn attempts_of_a_dead_process_are_found(world: Arc<World>) {
    assert!(world.store.interrupted().await.unwrap().is_empty());
    let push = world.waiting("daily").await;
    world.waiting("not_begun").await;
    world.ended("over", Next::Sent).await;
    let begin = Begin { push_id: push.id, account: Arc::from("bot_b"), sender: "webhook", rule: Rule::Explicit };
    let delivery = world.store.begin_attempts(vec![begin], at(7)).await.unwrap().remove(0);

    let found = world.backend.open().await.interrupted().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].number, found[0].started_at), (1, at(7)));
    assert_eq!((found[0].account.as_str(), found[0].sender.as_str()), ("bot_b", "webhook"));
    assert_eq!(format!("{:?}", found[0].delivery), format!("{:?}", Ok::<_, String>(delivery)));
}

pub(super) async fn the_key_of_a_push_is_the_same_at_every_attempt(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let other = world.waiting("other").await;
    let first = world.begin(push.id, at(0)).await;
    let next = Next::Retry { at: at(1), reason: Reason::Unreachable };
    world.store.finish_attempts(vec![failed(&first, Outcome::Unreachable, next, at(1))]).await.unwrap();
    let second = world.begin(push.id, at(2)).await;
    assert_eq!(first.key, second.key);
    assert_ne!(first.key, world.begin(other.id, at(2)).await.key);
    assert!(first.key.len() <= 40, "{}", first.key);
    assert!(first.key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "{}", first.key);
}
