//! What the daemon lives on: standard error, signals, limits, a database that others hold.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::SENT;
use crate::common::daemon::{House, tick, until};
use crate::common::fake_im::Answer;

/// A pipe of one page: a few dozen lines fill it.
fn small_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptor is ours.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
    assert_eq!(size, 4096);
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_error_that_nobody_reads_stops_no_push_and_no_stop() {
    let house = House::new().await;
    let jobs: String = (0..20).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let (mut reader, writer) = small_pipe();
    let mut command = house.program(&["run", "-vv"]);
    let mut child = command.stderr(writer).spawn().unwrap();
    drop(command);
    until("the daemon is up", async || !house.im.requests().is_empty()).await;
    house.until_at_least(200, SENT).await;
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    // SAFETY: the child is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it stops").unwrap();
    assert_eq!(status.code(), Some(0));
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(" started") && text.len() <= 8192, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_daemon_says_at_its_end_is_not_lost() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    house.until_at_least(1, SENT).await;
    std::fs::remove_file(house.database()).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(60), daemon.child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(69));
    let log = daemon.log();
    assert!(log.lines().last().unwrap().starts_with("pushcron: "), "{log}");
    assert!(log.contains("was removed, moved or replaced"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_the_start_is_heard_at_once() {
    let mut house = House::new().await;
    house.hook = "/silent";
    house.im.on("/silent", Answer::text(200, "{}").held(&Arc::new(Notify::new())));
    house.configure("", &tick("a"));
    // A push by hand holds the database; the daemon waits for it, 90 s at most.
    let words = ["push", "--im", "hook", "--group", "1", "--timeout", "60s", "--text", "hi"];
    let mut push = house.program(&words).stderr(std::process::Stdio::null()).spawn().unwrap();
    until("the push is under way", async || !house.im.requests_to("/silent").is_empty()).await;
    let mut daemon = house.begin(house.program(&["run"]));
    daemon.says("waiting for a push by hand").await;
    let took = daemon.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}\n{}", daemon.log());
    assert!(push.try_wait().unwrap().is_none(), "the push goes on");
    assert!(!daemon.log().contains(" started"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_file_sizes_is_an_error_that_passes_and_kills_nobody() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let mut daemon = house.daemon().await;
    house.until_at_least(2, SENT).await;
    let log = house.database().with_file_name("pushcron.db-wal");
    daemon.limit_file_size(std::fs::metadata(log).unwrap().len());
    until("the database cannot be written", async || {
        let ended = daemon.child.try_wait().unwrap();
        assert!(ended.is_none(), "the daemon was killed: {ended:?}\n{}", daemon.log());
        daemon.log().contains("cannot be recorded") || daemon.log().contains("nothing is sent until")
    })
    .await;
    daemon.limit_file_size(u64::MAX);
    let caught_up = house.number(SENT).await + 8;
    house.until_at_least(caught_up, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

/// 1,500 jobs that fire once in a long time.
fn very_many(text: &str) -> String {
    let job = |n| format!("  - {{name: job{n:04}, cron: '0 8 1 1 *', push: {{im: hook, group: 1, text: {text}}}}}\n");
    (0..1500).map(job).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_stops_half_way_says_what_is_in_force_and_goes_on_by_itself() {
    let house = House::new().await;
    house.configure("", &very_many("one"));
    let mut daemon = house.daemon().await;
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE UPDATE OF definition ON jobs WHEN new.name = 'job1234'
                  BEGIN SELECT raise(ABORT, 'no room'); END";
    foreign.execute_batch(refuse).unwrap();
    house.configure("", &very_many("two"));
    daemon.signal(libc::SIGHUP);
    daemon.says("reloaded in part").await;
    assert!(daemon.log().contains("1000 of 1500 changed jobs are in force already"), "{}", daemon.log());
    assert!(!daemon.log().contains("not reloaded"), "{}", daemon.log());
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE revision = 2").await, 1000);
    foreign.execute_batch("DROP TRIGGER full").unwrap();
    daemon.says("the rest of the new definitions is in force").await;
    assert_eq!(house.number("SELECT count(*) FROM jobs WHERE revision = 2").await, 1500);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_a_reload_is_heard_at_once() {
    let house = House::new().await;
    house.configure("", &very_many("one"));
    let mut daemon = house.daemon().await;
    // Somebody holds the database, and the reload waits for it.
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    house.configure("", &very_many("two"));
    daemon.signal(libc::SIGHUP);
    daemon.signal(libc::SIGTERM);
    daemon.says("stopping").await;
    let log = daemon.log();
    assert!(!log.contains("reloaded"), "{log}");
    foreign.execute_batch("ROLLBACK").unwrap();
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_once_and_not_for_each_part_in_turn() {
    let house = House::new().await;
    let silent =
        "  - {id: silent, im: silent, sender: webhook, url: \"URL\"}\n".replace("URL", &house.im.url("/silent"));
    house.im.on("/silent", Answer::text(200, "{}").held(&Arc::new(Notify::new())));
    let slow = "  - {name: slow, at: 2020-01-01T00:00, push: {im: silent, group: 1, text: slow, timeout: 60s}}\n";
    house.configure(&silent, &(tick("a") + slow));
    let mut daemon = house.daemon().await;
    let (code, told) = house.ends(&["fire", "slow"]).await;
    assert_eq!(code, Some(0), "{told}");
    until("a send is under way", async || !house.im.requests_to("/silent").is_empty()).await;
    // Somebody holds the database, and the timer waits for it.
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.says("database is locked").await;
    let took = daemon.stop().await;
    assert!(took < Duration::from_secs(18), "{took:?}\n{}", daemon.log());
    foreign.execute_batch("ROLLBACK").unwrap();
}
