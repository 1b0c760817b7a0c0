//! Time away, and clocks that are set or wrong.

use std::time::Duration;

use super::{STATES, every_minute, seconds};
use crate::common::world::{START, World, account, cron, failed, job};
use pushcron::clock::Clock;
use pushcron::domain::{Job, Misfire, MisfirePolicy, Outcome, Schedule};
use pushcron::engine::dispatcher::Event;

#[tokio::test]
async fn instants_missed_while_nobody_watched_have_their_rows_and_the_latest_fires() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.clock.step_wall_to(START + seconds(3600 + 300));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world
        .expect(
            "select decision, reason, sum(count) from fires group by decision, reason order by 1, 2",
            &[&["fired", "", "2"], &["missed", "misfire_latest", "59"], &["missed", "misfire_window", "4"]],
        )
        .await;
}

#[tokio::test]
async fn every_missed_instant_within_the_window_fires_with_policy_all() {
    let mut world = World::new(vec![account("a", true)]).await;
    let misfire = Misfire { policy: MisfirePolicy::All, ..Misfire::default() };
    world.load(&[Job { misfire, ..every_minute("hello") }]).await;
    world.clock.step_wall_to(START + seconds(600));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["10"]]).await;
}

#[tokio::test]
async fn a_clock_put_back_repeats_nothing_and_silences_nobody() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(120)).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    world.clock.step_wall_to(START + seconds(30));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(100)).await;
    // 01:01 and 01:02 came round again, and had their rows.
    world.expect("select count(*) from pushes", &[&["2"]]).await;
    world.pass(seconds(60)).await;
    world.expect("select count(*) from pushes where state = 'sent'", &[&["3"]]).await;
}

#[tokio::test]
async fn killed_after_the_clock_was_put_back_a_daemon_still_knows_what_it_then_missed() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("hourly", cron("30 * * * *"))]).await;
    world.pass(seconds(1800)).await;
    world.clock.step_wall_to(START + seconds(10));
    world.scheduler.run_once().await.unwrap();
    world.load(&[job("hourly", cron("30 * * * *")), every_minute("new")]).await;
    world.clock.step_wall_to(START - seconds(600));
    world.scheduler.run_once().await.unwrap();
    // Nothing was decided since; now nobody watches for five minutes.
    world.clock.advance(seconds(300));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.expect("select sum(count) from fires where job = 'new'", &[&["5"]]).await;
}

#[tokio::test]
async fn a_machine_that_wakes_in_1970_takes_nothing_back_from_the_ledger() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[Job { enabled: false, ..every_minute("off") }]).await;
    world.pass(seconds(180)).await;
    let rows = "select decision, reason, sum(count) from fires group by 1, 2";
    world.expect(rows, &[&["skipped", "disabled", "3"]]).await;
    world.clock.step_wall_to("1970-01-01T00:10:00Z".parse().unwrap());
    world.scheduler.run_once().await.unwrap();
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.clock.step_wall_to(START + seconds(200));
    world.scheduler.run_once().await.unwrap();
    world.expect(rows, &[&["skipped", "disabled", "3"]]).await;
}

#[tokio::test]
async fn a_clock_put_forward_makes_misfires_and_no_burst() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.clock.step_wall_to(START + seconds(8 * 3600));
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
    world.expect("select sum(count) from fires", &[&["480"]]).await;
}

#[tokio::test]
async fn nothing_is_decided_by_a_clock_that_cannot_be_right() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello")]).await;
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    for wrong in ["1970-01-01T00:10:00.000Z", "2099-01-01T00:00:00.000Z"] {
        world.clock.step_wall_to(wrong.parse().unwrap());
        world.pass(seconds(120)).await;
        world.expect("select count(*) from fires", &[&["1"]]).await;
    }
    world.clock.step_wall_to(START + seconds(120));
    world.scheduler.run_once().await.unwrap();
    world.expect("select count(*) from pushes where state = 'sent'", &[&["2"]]).await;
}

#[tokio::test]
async fn definitions_that_come_under_an_impossible_clock_are_known_since_it_was_set() {
    for wrong in ["1970-01-01T00:00:10.000Z", "2099-01-01T00:00:00.000Z"] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::within(dir, wrong.parse().unwrap(), vec![account("a", true)]).await;
        world.load(&[every_minute("hello")]).await;
        world.pass(seconds(120)).await;
        // A reload changes its mind, and a crash forgets nothing: the next start loads the files anyway.
        world.load(&[every_minute("other")]).await;
        let mut world = world.kill_and_restart().await;
        world.load(&[every_minute("other"), job("second", Schedule::Every(1000))]).await;
        world.expect("select count(*) from jobs", &[&["0"]]).await;
        world.clock.step_wall_to(START + seconds(30));
        world.pass(seconds(30)).await;
        let jobs = "select name, loaded_at from jobs order by name";
        let since = ["2026-01-01T01:00:31.000Z"];
        world.expect(jobs, &[&["other", since[0]], &["second", since[0]]]).await;
        world.expect("select decision from fires where job = 'other'", &[&["fired"]]).await;
        world.expect("select count(*) from fires where decision <> 'fired'", &[&["0"]]).await;
        world.balanced_ledger();
    }
}

#[tokio::test]
async fn changes_that_come_in_1970_leave_the_history_as_it_is_and_wait() {
    let mut world = World::new(vec![account("a", true)]).await;
    let off = Job { enabled: false, ..every_minute("off") };
    world.load(&[off.clone(), every_minute("changing"), every_minute("goes")]).await;
    world.pass(seconds(180)).await;
    let rows = "select job, decision, coalesce(reason, ''), count(*) from fires group by 1, 2, 3 order by 1, 2";
    let before: &[&[&str]] =
        &[&["changing", "fired", "", "3"], &["goes", "fired", "", "3"], &["off", "skipped", "disabled", "3"]];
    world.expect(rows, before).await;
    world.clock.step_wall_to("1970-01-01T00:10:00Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    world.load(&[Job { enabled: true, ..off }, job("changing", cron("30 * * * * *"))]).await;
    world.store.set_paused("off", true, world.clock.now()).await.unwrap();
    world.store.set_paused("off", false, world.clock.now()).await.unwrap();
    world.pass(seconds(60)).await;
    world.expect(rows, before).await;
    // Five minutes after it went dark: what was due meanwhile is decided by what held then.
    world.clock.step_wall_to(START + seconds(490));
    world.pass(seconds(65)).await;
    world
        .expect(
            rows,
            &[
                &["changing", "fired", "", "4"],
                &["changing", "missed", "definition_changed", "5"],
                &["goes", "fired", "", "3"],
                &["goes", "missed", "definition_changed", "5"],
                &["off", "fired", "", "2"],
                &["off", "missed", "misfire_latest", "4"],
                &["off", "skipped", "disabled", "3"],
            ],
        )
        .await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_clock_that_was_hours_ahead_silences_nobody_when_it_is_set() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[every_minute("hello"), job("second", Schedule::Every(1000))]).await;
    world.pass(seconds(60)).await;
    // The clock of the machine runs by local time, five hours ahead, until the network sets it.
    world.clock.step_wall_to(START + seconds(60 + 5 * 3600));
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(10)).await;
    world.expect("select count(*) > 250 from fires where job = 'hello'", &[&["1"]]).await;
    world.expect("select count(*) from fires where job = 'second' and count > 10000", &[&["1"]]).await;
    world.clock.step_wall_to(START + seconds(70));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(300)).await;
    let fired = "select job, count(*) from fires
                  where decision = 'fired' and due_at between '2026-01-01T01:01:00' and '2026-01-01T01:06:10' group by 1";
    world.expect(fired, &[&["hello", "6"], &["second", "310"]]).await;
    world.expect("select count(*) from fires where count > 1", &[&["0"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn a_row_that_stands_for_many_goes_around_what_was_lived_before_the_clock_was_put_back() {
    let mut world = World::new(vec![account("a", true)]).await;
    let second = job("second", Schedule::Every(1000));
    world.load(std::slice::from_ref(&second)).await;
    world.pass(seconds(600)).await;
    world.settled().await;
    world.clock.step_wall_to(START + seconds(100));
    world.scheduler.run_once().await.unwrap();
    world.pass(seconds(5)).await;
    // Now nobody watches for hours: the first instants that are missed have fired before, or were recorded ahead.
    world.clock.advance(seconds(20_000));
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(5)).await;
    world.expect("select count(*) from fires where count > 10000", &[&["1"]]).await;
    let from = "2026-01-01T01:10:06.000Z";
    world.expect("select min(due_at) from fires where count > 1", &[&[from]]).await;
    let told = world.balanced_ledger();
    assert!(told.starts_with("1 job, 20115 instants expected, 20115 recorded"), "{told}");
}

#[tokio::test]
async fn nothing_that_waits_is_given_up_by_a_clock_that_cannot_be_right() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unreachable)]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.clock.step_wall_to("2099-01-01T00:00:00.000Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(120)).await;
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select count(*) from accounts where checked_at like '2099%'", &[&["1"]]).await;
    world.clock.step_wall_to(START + seconds(10));
    world.pass(seconds(2)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

#[tokio::test]
async fn what_a_crash_left_is_taken_up_again_though_the_clock_was_wrong_at_the_start() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(2)))]).await;
    world.pass(seconds(1)).await;
    world.clock.advance(Duration::from_millis(990));
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.clock.step_wall_to("2099-01-01T00:00:00.000Z".parse().unwrap());
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.not_begun), (0, 1));
    world.clock.step_wall_to(START + seconds(5));
    world.pass(seconds(2)).await;
    world.expect("select state, sent_count from pushes", &[&["sent", "1"]]).await;
}
