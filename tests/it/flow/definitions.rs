//! Definitions that change, pause, or wait for an older fire.

use super::{STATES, every_minute, seconds};

use crate::common::world::{Answer, START, World, account, failed, job};
use pushcron::clock::Clock;
use pushcron::domain::job::Life;
use pushcron::domain::{Job, Outcome, Overlap, PushSpec, Schedule, UtcMs};
use pushcron::senders::Probe;

#[tokio::test]
async fn a_fire_is_skipped_while_an_older_one_is_open_if_the_job_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[Job { overlap: Overlap::Skip, ..every_minute("hello") }]).await;
    world.pass(seconds(60)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.pass(seconds(60)).await;
    world.expect("select decision, reason from fires order by id", &[&["fired", ""], &["skipped", "overlap"]]).await;
}

#[tokio::test]
async fn a_newer_fire_retires_older_open_pushes_if_the_job_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.load(&[Job { overlap: Overlap::Replace, ..every_minute("hello") }]).await;
    world.pass(seconds(120)).await;
    world
        .expect(
            "select state, reason from pushes order by id",
            &[&["cancelled", "replaced"], &["pending", "no_sender"]],
        )
        .await;
}

#[tokio::test]
async fn a_reload_keeps_the_place_of_unchanged_jobs_and_cancels_pushes_of_vanished_ones() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable)]);
    world.load(&[job("goes", Schedule::At(START + seconds(1))), every_minute("stays")]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.load(&[every_minute("stays")]).await;
    world.expect("select state, reason from pushes", &[&["cancelled", "job_removed"]]).await;
    world.expect("select name from jobs where removed_at is not null", &[&["goes"]]).await;
    world.pass(seconds(59)).await;
    world.expect("select job, decision from fires order by id", &[&["goes", "fired"], &["stays", "fired"]]).await;
}

#[tokio::test]
async fn a_fire_recorded_ahead_is_decided_anew_when_its_job_changes_before_the_instant() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("hello", Schedule::At(START + seconds(4)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["pending"]]).await;
    world.load(&[job("hello", Schedule::At(START + seconds(30)))]).await;
    world.expect("select count(*) from pushes", &[&["0"]]).await;
    world.pass(seconds(20)).await;
    assert_eq!(world.platform.count(), 0);
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
}

#[tokio::test]
async fn an_instant_that_passes_while_its_file_is_loaded_fires_late_and_once() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("stays"), every_minute("changes")]).await;
    world.pass(seconds(1)).await;
    let read_at = world.clock.now();
    world.pass(seconds(3)).await;
    let at = Schedule::At(read_at + seconds(2));
    let past = job("past", Schedule::At(read_at - seconds(1)));
    let jobs = [every_minute("stays"), job("changes", at.clone()), job("new", at), past];
    world.load_read(&jobs, read_at).await;
    world.pass(seconds(1)).await;
    world
        .expect(
            "select job, decision, due_at < recorded_at from fires order by job",
            &[&["changes", "fired", "1"], &["new", "fired", "1"]],
        )
        .await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    // What was past when it was read was told to be: it is nobody's.
    world
        .expect("select name from jobs where next_due_at is null order by name", &[&["changes"], &["new"], &["past"]])
        .await;
    world.load_read(&jobs, read_at).await;
    world.pass(seconds(60)).await;
    world.expect("select count(*) from fires where job <> 'stays'", &[&["2"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_job_that_goes_on_and_is_then_told_to_have_ended_ends_with_the_last_instant_that_it_had() {
    let mut world = World::new(vec![account("a", true)]).await;
    let until = |until| Job { life: Some(Box::new(Life { until, ..Life::default() })), ..every_minute("hello") };
    let first = START + seconds(60);
    let ends = "select ended_at = (select max(due_at) from fires), next_due_at from jobs";
    world.load(&[until(Some(first))]).await;
    world.pass(seconds(90)).await;
    world.expect(ends, &[&["1", ""]]).await;
    world.load(&[every_minute("hello")]).await;
    world.expect("select ended_at, next_due_at is null from jobs", &[&["", "0"]]).await;
    world.pass(seconds(60)).await;
    world.load(&[until(Some(first))]).await;
    world.expect(ends, &[&["1", ""]]).await;
    world.expect("select count(*) from fires", &[&["2"]]).await;
    // Without a schedule there is no last instant: it fires whenever somebody says so.
    world.load(&[job("hello", Schedule::OnDemand)]).await;
    world.expect("select ended_at, next_due_at from jobs", &[&["", ""]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_paused_job_skips_its_instants_and_says_so() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(58)).await;
    assert!(world.store.set_paused("hello", true, UtcMs(START.0 + 58_000)).await.unwrap());
    world.pass(seconds(60)).await;
    world.expect("select decision, reason from fires order by id", &[&["skipped", "paused"]]).await;
    assert_eq!(world.platform.count(), 0);
}

#[tokio::test]
async fn a_reload_just_after_a_pause_loses_nothing() {
    let mut world = World::new(vec![account("a", true)]).await;
    let jobs = |text: &str, period| {
        let push = vec![PushSpec {
            target: pushcron::domain::Target::Group(text.to_owned()),
            ..crate::common::world::text("1")
        }];
        let text_only = Job { push, ..every_minute("text") };
        [text_only, job("schedule", Schedule::Every(period)), every_minute("goes")]
    };
    world.load(&jobs("1", 60_000)).await;
    world.pass(seconds(57)).await;
    world.expect("select count(*) from fires", &[&["3"]]).await;
    // Another process withdraws what was recorded ahead; the scheduler has not been told when the files are read again.
    for name in ["text", "schedule", "goes"] {
        world.store.set_paused(name, true, world.clock.now()).await.unwrap();
    }
    world.expect("select count(*) from fires", &[&["0"]]).await;
    world.clock.advance(seconds(5));
    world.load(&jobs("2", 30_000)[..2]).await;
    world.pass(seconds(60)).await;
    world
        .expect(
            "select job, due_at, reason from fires order by 1, 2",
            &[
                &["goes", "2026-01-01T01:01:00.000Z", "paused"],
                &["schedule", "2026-01-01T01:01:00.000Z", "paused"],
                &["schedule", "2026-01-01T01:01:30.000Z", "paused"],
                &["schedule", "2026-01-01T01:02:00.000Z", "paused"],
                &["text", "2026-01-01T01:01:00.000Z", "paused"],
                &["text", "2026-01-01T01:02:00.000Z", "paused"],
            ],
        )
        .await;
    world.balanced_ledger();
}
