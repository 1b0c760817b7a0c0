//! What was decided and shown stays so over a restart.

mod common;

use std::time::Duration;

use common::world::{START, World, account, cron, job, text};
use pushcron::domain::{Job, Misfire, MisfirePolicy, PushSpec, RetryPolicy, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;

const PUSHES: &str =
    "select p.id, f.due_at, p.state, p.reason from pushes as p join fires as f on f.id = p.fire_id order by 1";

fn every_minute() -> Job {
    let retry = RetryPolicy { give_up_after: Duration::from_secs(6 * 3600), jitter: 0.0, ..RetryPolicy::default() };
    Job { push: vec![PushSpec { retry, ..text("1") }], ..job("morning", cron("* * * * *")) }
}

/// A quiet installation whose one account is down: two pushes wait for it.
async fn waiting(job: Job) -> World {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select online from accounts", &[&["0"]]).await;
    world.load(&[job]).await;
    for instant in 1..=2 {
        world.pass(Duration::from_secs(60)).await;
        world.expect("select count(*) from pushes where reason = 'no_sender'", &[&[&instant.to_string()]]).await;
    }
    world
}

async fn both_are_there_and_are_sent(mut world: World, job: Job) {
    world.load(&[job]).await;
    world.scheduler.run_once().await.unwrap();
    let first_two = format!("select * from ({PUSHES}) where id <= 2");
    let waiting = |id, due_at| [id, due_at, "pending", "no_sender"];
    let expected = [waiting("1", "2026-01-01T01:01:00.000Z"), waiting("2", "2026-01-01T01:02:00.000Z")];
    world.expect(&first_two, &[&expected[0], &expected[1]]).await;
    world
        .expect(
            "select count(*) from fires where decision = 'missed' and due_at <= '2026-01-01T01:02:00.000Z'",
            &[&["0"]],
        )
        .await;
    world.balanced_ledger();
    world.platform.set_probe("a", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select state from pushes where id <= 2", &[&["sent"], &["sent"]]).await;
}

fn skipping() -> Job {
    Job { misfire: Misfire { policy: MisfirePolicy::Skip, ..Misfire::default() }, ..every_minute() }
}

fn changed() -> Job {
    Job { schedule: cron("30 8 * * *"), ..every_minute() }
}

#[tokio::test]
async fn pushes_that_wait_for_an_account_keep_their_ids_over_a_stop() {
    for (before, after) in [(every_minute(), every_minute()), (skipping(), skipping()), (every_minute(), changed())] {
        let world = waiting(before).await.stop_and_restart(Duration::from_secs(5400)).await;
        both_are_there_and_are_sent(world, after).await;
    }
}

#[tokio::test]
async fn pushes_that_wait_for_an_account_keep_their_ids_over_a_kill() {
    for (before, after) in [(every_minute(), every_minute()), (skipping(), skipping()), (every_minute(), changed())] {
        let world = waiting(before).await;
        world.clock.advance(Duration::from_secs(5400));
        both_are_there_and_are_sent(world.kill_and_restart().await, after).await;
    }
}

#[tokio::test]
async fn what_is_still_to_come_is_decided_anew_after_a_restart() {
    let mut world = waiting(every_minute()).await;
    world.pass(Duration::from_secs(56)).await;
    world.expect("select count(*) from pushes", &[&["3"]]).await;
    world.clock.step_wall_to(UtcMs(START.0 + 170_000));
    let world = world.kill_and_restart().await;
    world.expect("select id from pushes", &[&["1"], &["2"]]).await;
}

#[tokio::test]
async fn a_push_whose_attempt_was_opened_and_not_begun_keeps_its_id_over_a_kill() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute()]).await;
    world.pass(Duration::from_secs(59)).await;
    // Attempts are opened some milliseconds ahead of their instant.
    world.clock.advance(Duration::from_millis(990));
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.clock.advance(Duration::from_secs(600));
    let world = world.kill_and_restart().await;
    world.expect("select id, state from pushes where id = 1", &[&["1", "sent"]]).await;
    assert_eq!(world.platform.count(), 1);
    world.balanced_ledger();
}
