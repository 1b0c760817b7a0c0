//! What must hold whatever is done to the clock, to a row, to an account or to the definitions meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{Answer, START, World, account, failed, job, text};
use pushcron::clock::Clock;
use pushcron::domain::{Account, Job, Outcome, Overlap, PushSpec, Report, RetryPolicy, Schedule, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;

const STATES: &str = "select state, reason from pushes order by id";
const WRONG: &str = r#"{"kind":"text"}"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn paced() -> Account {
    Account { min_interval: Some(seconds(1)), ..account("a", true) }
}

fn at_once(targets: usize) -> Job {
    let push = (0..targets).map(|target| text(&target.to_string())).collect();
    Job { push, ..job("many", Schedule::At(START + seconds(1))) }
}

fn throttled(wait: u64) -> Answer {
    failed(Outcome::Throttled { wait: Some(seconds(wait)) })
}

/// Lets a second pass by the clocks alone: what the scheduler says of a clock that was set is not asked here.
async fn tick(world: &World, times: u64) {
    for _ in 0..times {
        world.clock.advance(seconds(1));
        world.turn().await;
    }
}

#[tokio::test]
async fn a_paced_account_goes_on_at_its_pace_when_the_clock_is_put_back() {
    let mut world = World::new(vec![paced()]).await;
    world.load(&[at_once(5)]).await;
    world.pass(seconds(1)).await;
    world.arrived(1).await;
    world.clock.step_wall_to(UtcMs(START.0 - 7_200_000));
    for arrived in 2..=5 {
        tick(&world, 1).await;
        world.arrived(arrived).await;
        assert_eq!(world.platform.count(), arrived, "one a second");
    }
}

#[tokio::test]
async fn a_rest_and_a_wait_before_a_retry_keep_their_length_whatever_the_clock_shows() {
    for step_ms in [-7_200_000, -60_000, 1_200_000] {
        let mut world = World::new(vec![account("a", true)]).await;
        world.platform.answers("a", [throttled(9)]);
        world.load(&[at_once(1)]).await;
        world.pass(seconds(1)).await;
        world.expect("select state from pushes", &[&["retrying"]]).await;
        world.clock.step_wall_to(UtcMs(world.clock.now().0 + step_ms));
        tick(&world, 8).await;
        assert_eq!(world.platform.count(), 1, "{step_ms}: too soon");
        tick(&world, 2).await;
        world.expect("select state from pushes", &[&["sent"]]).await;
    }
}

#[tokio::test]
async fn the_tables_tell_the_end_of_a_rest_by_the_clock_as_it_is_now() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [throttled(600)]);
    world.load(&[at_once(1)]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["retrying"]]).await;
    world.clock.step_wall_to(UtcMs(START.0 - 3_600_000));
    tick(&world, 31).await;
    world.expect("select cooldown_until from accounts", &[&["2026-01-01T00:10:00.000Z"]]).await;
    world.expect("select next_attempt_at from pushes", &[&["2026-01-01T00:10:00.000Z"]]).await;
}

#[tokio::test]
async fn a_rest_goes_on_after_a_restart_for_what_is_left_of_it() {
    for put_back in [Duration::ZERO, seconds(7200)] {
        let mut world = World::new(vec![account("a", true)]).await;
        world.platform.answers("a", [throttled(20)]);
        world.load(&[at_once(1)]).await;
        world.pass(seconds(1)).await;
        world.expect("select state from pushes", &[&["retrying"]]).await;
        world.clock.step_wall_to(world.clock.now() - put_back);
        let world = world.kill_and_restart().await;
        tick(&world, 18).await;
        assert_eq!(world.platform.count(), 1, "{put_back:?}: too soon");
        tick(&world, 4).await;
        world.expect("select state from pushes", &[&["sent"]]).await;
    }
}

#[tokio::test]
async fn no_attempt_begins_after_give_up_after_however_long_the_line_was() {
    let mut world = World::new(vec![paced()]).await;
    let retry = Arc::new(RetryPolicy { give_up_after: seconds(3), jitter: 0.0, ..RetryPolicy::default() });
    let push = (0..6).map(|target| PushSpec { retry: retry.clone(), ..text(&target.to_string()) }).collect();
    world.load(&[Job { push, ..at_once(1) }]).await;
    world.pass(seconds(1)).await;
    tick(&world, 40).await;
    let late =
        "select count(*) from attempts as a join pushes as p on p.id = a.push_id where a.started_at >= p.expires_at";
    world.expect("select count(*) from pushes where finished_at is null", &[&["0"]]).await;
    world.expect(late, &[&["0"]]).await;
    world
        .expect("select distinct state, reason from pushes order by 1", &[&["expired", "too_late"], &["sent", ""]])
        .await;
    world.expect("select count(*) >= 3 from pushes where state = 'expired'", &[&["1"]]).await;
}

#[tokio::test]
async fn nothing_whose_time_ended_while_the_machine_slept_is_sent_afterwards() {
    let mut world = World::new(vec![paced()]).await;
    world.load(&[at_once(5)]).await;
    world.pass(seconds(1)).await;
    world.arrived(1).await;
    tick(&world, 1).await;
    world.arrived(2).await;
    world.clock.suspend(seconds(8 * 3600));
    tick(&world, 40).await;
    world.expect("select state, count(*) from pushes group by 1", &[&["expired", "3"], &["sent", "2"]]).await;
    assert_eq!(world.platform.count(), 2);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_ends_its_own_push_and_no_other() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("not yet"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select online from accounts", &[&["0"]]).await;
    world.load(&[at_once(3)]).await;
    world.pass(seconds(2)).await;
    world.expect("select count(*) from pushes where reason = 'no_sender'", &[&["3"]]).await;
    world.execute(&format!("update pushes set message = '{WRONG}' where id = 1"));
    world.platform.set_probe("a", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect(STATES, &[&["failed", "unreadable"], &["sent", ""], &["sent", ""]]).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_daemon_from_starting() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence, throttled(60)]);
    world.load(&[at_once(2)]).await;
    world.pass(seconds(1)).await;
    world.arrived(2).await;
    world.expect("select count(*) from pushes where state = 'sending'", &[&["1"]]).await;
    world.execute(&format!("update pushes set message = '{WRONG}' where state = 'sending'"));
    let world = world.kill_and_restart().await;
    // It may have arrived, and is not said to have failed.
    world.expect("select state from pushes where reason = 'unreadable'", &[&["unknown"]]).await;
    tick(&world, 62).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["1"]]).await;
}

#[tokio::test]
async fn there_is_a_row_for_every_attempt_that_was_made_and_for_no_other() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", std::iter::repeat_n(failed(Outcome::AccountDown), 7));
    world.load(&[at_once(300)]).await;
    world.pass(seconds(1)).await;
    for _ in 0..30 {
        world.events.send(Event::ProbeAll).ok().unwrap();
        tick(&world, 10).await;
    }
    world.expect("select count(*) from pushes where state <> 'sent'", &[&["0"]]).await;
    world.expect("select count(*) from attempts", &[&[&world.platform.count().to_string()]]).await;
    world.expect("select count(*) from attempts where error like '%not begun%'", &[&["0"]]).await;
}

#[tokio::test]
async fn an_account_that_hangs_leaves_room_for_every_other() {
    let wide = |id: &str, is_default| Account { concurrency: Some(64), ..account(id, is_default) };
    let mut world = World::new(vec![wide("hangs", true), wide("healthy", false)]).await;
    world.platform.answers("hangs", std::iter::repeat_n(Answer::Silence, 40_000));
    let named = PushSpec { account: Some("healthy".to_owned()), ..text("h") };
    let later = Job { push: vec![named], ..job("later", Schedule::At(START + seconds(4))) };
    world.load(&[at_once(20_000), later]).await;
    world.pass(seconds(4)).await;
    world.expect("select state from pushes where target = 'group:h'", &[&["sent"]]).await;
    world.expect("select count(*) < 20000 from pushes where state = 'sending'", &[&["1"]]).await;
}

#[tokio::test]
async fn what_was_reported_of_an_earlier_definition_says_nothing_of_the_new_one() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Report(Report::sent(None))]);
    world.load(&[at_once(1)]).await;
    world.pass(seconds(1)).await;
    world.arrived(1).await;
    let stale = pushcron::senders::SenderEvent::Health(Probe::down("401, with the old token"));
    world
        .events
        .send(Event::FromSender { account: "a".into(), generation: 0, event: stale, usage: None })
        .ok()
        .unwrap();
    world.events.send(Event::ProbeAll).ok().unwrap();
    tick(&world, 1).await;
    world.expect("select online from accounts", &[&["1"]]).await;
}

/// Two fires ten seconds apart: the first one's send gets no answer, and the second waits for its end.
async fn overtaken() -> World {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[Job { overlap: Overlap::Replace, ..job("latest", Schedule::Every(10_000)) }]).await;
    world.pass(seconds(10)).await;
    world.arrived(1).await;
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sending", "replaced"], &["pending", ""]]).await;
    world
}

#[tokio::test]
async fn the_older_message_never_goes_out_again_after_a_newer_one_replaced_it() {
    let world = overtaken().await.kill_and_restart().await;
    assert_eq!((world.recovered.retried, world.recovered.unknown), (0, 1));
    world.expect(STATES, &[&["unknown", "replaced"], &["sent", ""]]).await;
    assert_eq!(world.platform.count(), 2);
}

#[tokio::test]
async fn a_push_whose_job_was_removed_while_it_was_being_sent_is_not_tried_again_after_a_kill() {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[at_once(1)]).await;
    world.pass(seconds(1)).await;
    world.arrived(1).await;
    world.load(&[]).await;
    let world = world.kill_and_restart().await;
    world.expect(STATES, &[&["unknown", "job_removed"]]).await;
    assert_eq!(world.platform.count(), 1);
}
