//! From definitions to recorded outcomes, on a clock that stands still and a platform that answers by script.

mod clock;
mod crashes;
mod definitions;

use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{START, World, account, cron, failed, job, text};
use pushcron::domain::{Job, Outcome, PushSpec, PushState, RetryPolicy, Schedule};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;
use pushcron::store::AdHoc;

const STATES: &str = "select state, sent_count, attempts from pushes order by id";
const ATTEMPTS: &str = "select account, rule, outcome from attempts order by id";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn every_minute(name: &str) -> Job {
    job(name, cron("* * * * *"))
}

#[tokio::test]
async fn a_due_job_becomes_a_fire_a_push_an_attempt_and_a_line_of_history() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(59)).await;
    assert_eq!(world.platform.count(), 0, "nothing leaves before its instant");
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    world.expect(ATTEMPTS, &[&["a", "im_default", "sent"]]).await;
    world
        .expect(
            "select job, triggered_by, due_at, decision from fires",
            &[&["hello", "cron", "2026-01-01T01:01:00.000Z", "fired"]],
        )
        .await;
    world
        .expect(
            "select job, target, state, account, rule, message_id, lateness_ms from push_history",
            &[&["hello", "group:1", "sent", "a", "im_default", "m1", "0"]],
        )
        .await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_after_a_growing_wait() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable), failed(Outcome::Unreachable)]);
    world.load(&[job("once", Schedule::At(START + seconds(10)))]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(5)).await;
    world.expect(STATES, &[&["retrying", "0", "2"]]).await;
    world.pass(seconds(9)).await;
    assert_eq!(world.platform.count(), 2, "the second wait is twice the first");
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "3"]]).await;
}

#[tokio::test]
async fn a_rejected_message_fails_at_once_and_for_good() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Rejected)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(600)).await;
    world.expect(STATES, &[&["failed", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn what_may_have_gone_out_is_unknown_and_never_sent_again() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(600)).await;
    world.expect(STATES, &[&["unknown", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_where_the_protocol_makes_it_safe() {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
    let keys: Vec<String> = world.platform.arrived().into_iter().map(|(_, delivery)| delivery.key).collect();
    assert_eq!(keys[0], keys[1], "both attempts carry one key");
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_where_the_job_asks_for_it() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown)]);
    let retry = Arc::new(RetryPolicy { resend_unknown: true, jitter: 0.0, ..RetryPolicy::default() });
    let push = vec![PushSpec { retry, ..text("1") }];
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(1))) }]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn a_dead_default_hands_over_to_the_next_one_online() {
    let mut world = World::new(vec![account("main", true), account("spare", false)]).await;
    world.platform.answers("main", [failed(Outcome::AccountDown)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.platform.set_probe("main", Probe::down("logged out"));
    world.pass(seconds(6)).await;
    world.expect(ATTEMPTS, &[&["main", "im_default", "account_down"], &["spare", "first_online", "sent"]]).await;
}

#[tokio::test]
async fn a_push_that_names_its_account_waits_for_it_and_never_changes_hands() {
    let mut world = World::new(vec![account("named", false), account("spare", true)]).await;
    world.platform.set_probe("named", Probe::down("logged out"));
    let push = vec![PushSpec { account: Some("named".to_owned()), ..text("1") }];
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(60))) }]).await;
    world.pass(seconds(120)).await;
    world.expect("select state, attempts, reason from pushes", &[&["pending", "0", "account_offline"]]).await;
    world.platform.set_probe("named", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect(ATTEMPTS, &[&["named", "explicit", "sent"]]).await;
}

#[tokio::test]
async fn without_anybody_online_no_attempt_is_spent_until_somebody_comes_up() {
    let mut world = World::new(vec![account("a", true), account("b", false)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.platform.set_probe("b", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select id from accounts where online = 0 order by id", &[&["a"], &["b"]]).await;
    world.load(&[job("once", Schedule::At(START + seconds(60)))]).await;
    world.pass(seconds(90)).await;
    world.expect("select state, attempts, reason from pushes", &[&["pending", "0", "no_sender"]]).await;
    world.platform.set_probe("b", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect(ATTEMPTS, &[&["b", "first_online", "sent"]]).await;
}

#[tokio::test]
async fn a_reload_opens_an_account_again_that_rests_after_failures() {
    let mut world = World::new(vec![account("main", true)]).await;
    world.platform.answers("main", (0..5).map(|_| failed(Outcome::Unreachable)));
    let soon = RetryPolicy { backoff: seconds(1), max_backoff: seconds(1), jitter: 0.0, ..RetryPolicy::default() };
    let soon = Arc::new(soon);
    let push = (1..=5).map(|group| PushSpec { retry: soon.clone(), ..text(&group.to_string()) }).collect();
    world.load(&[Job { push, ..job("once", Schedule::At(START + seconds(1))) }]).await;
    world.pass(seconds(1)).await;
    world.expect("select count(*) from accounts where cooldown_until is not null", &[&["1"]]).await;
    world.pass(seconds(5)).await;
    world.expect("select distinct state, reason from pushes", &[&["retrying", "no_sender"]]).await;
    assert_eq!(world.platform.count(), 5);
    world.reload_accounts();
    world.expect("select distinct state from pushes", &[&["sent"]]).await;
}

#[tokio::test]
async fn a_push_that_never_found_an_account_fails_after_its_time() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.load(&[job("once", Schedule::At(START + seconds(60)))]).await;
    world.pass(seconds(120)).await;
    world.expect("select state from pushes", &[&["pending"]]).await;
    world.pass(seconds(3600)).await;
    world.expect("select state, attempts, reason from pushes", &[&["failed", "0", "no_sender"]]).await;
    assert_eq!(world.platform.count(), 0);
}

#[tokio::test]
async fn an_end_without_an_attempt_counts_for_the_account_of_the_last_one() {
    let end_of = |account: Option<&str>| (account.map(str::to_owned), PushState::Failed);
    let retry = || Arc::new(RetryPolicy { give_up_after: seconds(600), ..RetryPolicy::default() });
    for restarts in [false, true] {
        let mut world = World::new(vec![account("a", true)]).await;
        world.platform.answers("a", [failed(Outcome::AccountDown)]);
        let push = vec![PushSpec { retry: retry(), account: Some("a".to_owned()), ..text("1") }];
        let late = vec![PushSpec { retry: retry(), ..text("2") }];
        world
            .load(&[
                Job { push, ..job("once", Schedule::At(START + seconds(1))) },
                Job { push: late, ..job("later", Schedule::At(START + seconds(30))) },
            ])
            .await;
        world.pass(seconds(1)).await;
        world.platform.set_probe("a", Probe::down("logged out"));
        world.pass(seconds(60)).await;
        world.expect("select state, attempts from pushes", &[&["retrying", "1"], &["pending", "0"]]).await;
        if restarts {
            world = world.kill_and_restart().await;
        }
        world.pass(seconds(1200)).await;
        world.expect("select distinct state, finished_at is null from pushes", &[&["failed", "0"]]).await;
        let mut ended = world.ended.lock().unwrap().clone();
        ended.sort_by(|(a, _), (b, _)| b.cmp(a));
        assert_eq!(ended, [end_of(Some("a")), end_of(None)], "restarts: {restarts}");
    }
}

#[tokio::test]
async fn the_wait_that_a_platform_asks_for_is_kept() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Throttled { wait: Some(seconds(70)) })]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(69)).await;
    assert_eq!(world.platform.count(), 1);
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn a_push_in_answer_to_a_chat_goes_through_the_account_of_the_chat() {
    let world = World::new(vec![account("main", true), account("chatty", false)]).await;
    let push = AdHoc {
        spec: text("1"),
        triggered_by: pushcron::domain::Trigger::Message,
        chat: Some(("qq".to_owned(), "chatty".to_owned())),
    };
    world.store.push_ad_hoc(push, START).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect(ATTEMPTS, &[&["chatty", "message_account", "sent"]]).await;
}
