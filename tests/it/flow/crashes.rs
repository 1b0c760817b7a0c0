//! Kills, stops and backups between the steps of a push.

use std::time::Duration;

use super::{STATES, seconds};
use crate::common::world::{Answer, START, World, account, cron, job};
use pushcron::clock::Clock;
use pushcron::domain::{Outcome, PartReport, Report, Schedule};

/// A push has arrived at the platform, which says nothing.
async fn unanswered(mut world: World) -> World {
    world.platform.answers("a", [Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect("select state from pushes", &[&["sending"]]).await;
    world.arrived(1).await;
    world
}

#[tokio::test]
async fn killed_before_the_attempt_a_push_is_simply_sent_after_the_restart() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(4)))]).await;
    // Recorded ahead, not begun.
    world.pass(seconds(1)).await;
    world.expect("select state, attempts from pushes", &[&["pending", "0"]]).await;
    let mut world = world.kill_and_restart().await;
    world.pass(seconds(5)).await;
    world.expect(STATES, &[&["sent", "1", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_between_the_record_and_the_send_a_push_goes_on_as_if_nothing_had_happened() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.load(&[job("once", Schedule::At(START + seconds(2)))]).await;
    world.pass(seconds(1)).await;
    world.clock.advance(Duration::from_millis(990));
    // Opened ahead of its instant, its sender not called.
    world.expect("select state from pushes", &[&["sending"]]).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.not_begun), (0, 1));
    world.pass(seconds(5)).await;
    world.expect("select state, sent_count from pushes", &[&["sent", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_while_sending_a_push_is_unknown_and_not_sent_again() {
    let world = unanswered(World::new(vec![account("a", true)]).await).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.retried), (1, 0));
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["unknown", "0", "1"]]).await;
    assert_eq!(world.platform.count(), 1);
}

#[tokio::test]
async fn killed_while_sending_a_push_with_a_key_is_sent_again_under_the_same_key() {
    let world = unanswered(World::with_idempotent_sender(vec![account("a", true)]).await).await;
    let mut world = world.kill_and_restart().await;
    assert_eq!((world.recovered.unknown, world.recovered.retried), (0, 1));
    world.pass(seconds(10)).await;
    world.expect(STATES, &[&["sent", "1", "2"]]).await;
}

/// What the third attempt is told of the parts, after one that failed and one whose sender had no last word.
async fn parts_after(cut_off: impl AsyncFnOnce(World) -> World) -> Vec<(String, String)> {
    let mut world = World::with_idempotent_sender(vec![account("a", true)]).await;
    let part =
        |part: &str, outcome: &str| PartReport { part: part.to_owned(), outcome: outcome.to_owned(), message_id: None };
    let mut report = Report::failed(Outcome::Unreachable, "scripted");
    report.parts = vec![part("text 1/3", "sent"), part("text 2/3", "unreachable")];
    world.platform.answers("a", [Answer::Report(report), Answer::Silence]);
    world.load(&[job("once", Schedule::At(START + seconds(1)))]).await;
    world.pass(seconds(1)).await;
    world.expect(STATES, &[&["retrying", "0", "1"]]).await;
    world.pass(seconds(10)).await;
    world.arrived(2).await;
    let mut world = cut_off(world).await;
    world.pass(seconds(60)).await;
    world.expect(STATES, &[&["sent", "1", "3"]]).await;
    let (_, delivery) = world.platform.arrived().pop().unwrap();
    delivery.parts.into_iter().map(|part| (part.part, part.outcome)).collect()
}

#[tokio::test]
async fn a_part_that_was_under_way_when_its_attempt_was_cut_off_is_perhaps_sent_for_the_next() {
    let expected = [("text 1/3", "sent"), ("text 2/3", "unknown")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(parts_after(async |world| world.kill_and_restart().await).await, expected, "killed");
    assert_eq!(parts_after(async |world| world.stop_and_restart(seconds(1)).await).await, expected, "stopped");
}

#[tokio::test]
async fn a_stop_gives_up_what_does_not_end_in_time_and_says_unknown() {
    let world = unanswered(World::new(vec![account("a", true)]).await).await;
    let (dir, _, store) = world.stop().await;
    store.close().await;
    let rows = crate::common::rows::query(&dir.path().join("pushcron.db"), STATES);
    assert_eq!(rows, [["unknown", "0", "1"]]);
}

#[tokio::test]
async fn a_stop_without_grace_ends_though_no_answer_comes_and_says_unknown() {
    let world = unanswered(World::new(vec![account("a", true)]).await).await;
    // The clock stands still all the while.
    let (dir, store) = world.stop_at_once().await;
    store.close().await;
    let rows = crate::common::rows::query(&dir.path().join("pushcron.db"), STATES);
    assert_eq!(rows, [["unknown", "0", "1"]]);
}

#[tokio::test]
async fn what_a_restored_backup_does_not_know_is_missed_and_not_sent_again() {
    let mut world = World::new(vec![account("bot", true)]).await;
    world.load(&[job("minutely", cron("* * * * *"))]).await;
    world.pass(Duration::from_secs(90)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["1"]]).await;
    let backup = world.dir.path().join("copy");
    world.store.backup(&backup, world.clock.now()).await.unwrap();
    world.pass(Duration::from_secs(120)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["3"]]).await;
    let sent = world.platform.count();

    let mut world = world.restore_and_restart(&backup).await;
    world.pass(Duration::from_secs(20)).await;
    let fires = "SELECT substr(due_at, 12, 8), decision, coalesce(reason, '') FROM fires ORDER BY due_at";
    let missed = |at| [at, "missed", "restored"];
    world.expect(fires, &[&["01:01:00", "fired", ""], &missed("01:02:00"), &missed("01:03:00")]).await;
    assert_eq!(world.platform.count(), sent, "nothing is sent twice");
    world.pass(Duration::from_secs(30)).await;
    world.expect("SELECT count(*) FROM pushes WHERE state = 'sent'", &[&["2"]]).await;
    assert_eq!(world.platform.count(), sent + 1, "and it goes on");
}
