//! What a host may be like, and what others do beside a daemon: nothing of it loses or doubles a push.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};

use super::SENT;
use crate::common::daemon::{House, tick, until};

/// The daemon as the shell starts it after these words.
fn after(house: &House, words: &str) -> tokio::process::Command {
    house.program_under(&["sh", "-c", &format!("{words}; exec \"$@\""), "sh"], &["run"])
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_error_on_a_full_device_stops_no_push_and_no_stop() {
    let house = House::new().await;
    house.configure("", &tick("a"));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = house.program(&["run", "-vv"]).stderr(full).spawn().unwrap();
    until("the daemon is up", async || !house.im.requests().is_empty()).await;
    house.until_at_least(5, SENT).await;
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    // SAFETY: the child is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    let status = tokio::time::timeout(Duration::from_secs(60), child.wait()).await.expect("it stops").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_variable_of_the_zone_holds_the_daemon_runs() {
    for zone in ["", ":", "Nowhere/Land", "XYZ-25", "/etc/passwd", "\u{1F600}"] {
        let house = House::new().await;
        house.configure("", &tick("a"));
        let mut command = house.program(&["run"]);
        command.env("TZ", zone);
        let mut daemon = house.start(command).await;
        house.until_at_least(2, SENT).await;
        house.assert_it_ends_well(&mut daemon).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_umask_nobody_else_reads_the_state() {
    for umask in ["000", "077", "027"] {
        let house = House::new().await;
        house.configure("", &tick("a"));
        let mut daemon = house.start(after(&house, &format!("umask {umask}"))).await;
        house.until_at_least(2, SENT).await;
        let mut looked_at = 0;
        for entry in std::fs::read_dir(&house.state).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("pushcron.db") {
                let mode = entry.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "umask {umask}: {} is {mode:o}", entry.path().display());
                looked_at += 1;
            }
        }
        assert!(looked_at >= 2, "umask {umask}: {looked_at} files");
        house.assert_it_ends_well(&mut daemon).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_open_files_from_the_start_the_daemon_sends() {
    let house = House::new().await;
    let jobs: String = (0..10).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.start(after(&house, "ulimit -n 64")).await;
    house.until_at_least(30, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stood_still_in_a_burst_goes_on_where_it_stood() {
    let house = House::new().await;
    let jobs: String = (0..20).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    let clock = SystemClock::new();
    for round in 1..=3 {
        house.until_at_least(round * 40, SENT).await;
        daemon.signal(libc::SIGSTOP);
        let stopped_at = clock.now();
        until("it stood still for a while", async || clock.now() > stopped_at + Duration::from_secs(3)).await;
        daemon.signal(libc::SIGCONT);
    }
    house.until_at_least(300, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_writes_a_second_by_others_beside_it_lose_and_double_nothing() {
    let house = House::new().await;
    let jobs: String = (0..5).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(5, SENT).await;
    let database = house.database();
    let writing = tokio::task::spawn_blocking(move || {
        let outside = rusqlite::Connection::open(database).unwrap();
        outside.busy_timeout(Duration::from_secs(60)).unwrap();
        outside.execute_batch("CREATE TABLE notes_of_ours (text TEXT)").unwrap();
        for number in 0..1500 {
            outside.execute("INSERT INTO notes_of_ours VALUES (?1)", [number]).unwrap();
        }
    });
    let before = house.number(SENT).await;
    writing.await.unwrap();
    assert_eq!(house.number("SELECT count(*) FROM notes_of_ours").await, 1500);
    house.until_at_least(before + 10, SENT).await;
    house.assert_it_ends_well(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_go_out_while_somebody_reads_in_one_long_transaction() {
    let house = House::new().await;
    let jobs: String = (0..5).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(5, SENT).await;
    let reader = rusqlite::Connection::open(house.database()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let seen = || reader.query_row("SELECT count(*) FROM pushes", [], |row| row.get::<_, i64>(0)).unwrap();
    let first = seen();
    let before = house.number(SENT).await;
    house.until_at_least(before + 40, SENT).await;
    assert_eq!(seen(), first, "it was one transaction all the while");
    reader.execute_batch("COMMIT").unwrap();
    assert!(seen() > first);
    house.assert_it_ends_well(&mut daemon).await;
}

/// Pushes by hand whose target is refused go to their fallback, and the exit code is that of the message.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_by_hand_ends_as_its_fallback_does() {
    use crate::common::fake_im::Answer;
    for daemon in [false, true] {
        let house = House::new().await;
        let account = |id: &str| {
            let url = house.im.url(&format!("/{id}"));
            format!("  - {{id: {id}, im: {id}, sender: webhook, url: \"{url}\", default: true}}\n")
        };
        house.im.on("/bad", Answer::text(400, "never"));
        house.configure(&account("bad"), "  []\n");
        let mut running = if daemon { Some(house.daemon().await) } else { None };
        for (to, code, out) in [("hook", 0, "1\n"), ("bad", 1, "0\n")] {
            let fallback = format!("{{\"im\": \"{to}\", \"group\": \"9\"}}");
            let words = ["push", "--im", "bad", "--group", "1", "--text", "hi", "--fallback", &fallback];
            let ended = house.program(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(code), "daemon {daemon}, to {to}: {told}");
            assert_eq!(String::from_utf8_lossy(&ended.stdout), out, "daemon {daemon}, to {to}: {told}");
        }
        assert_eq!(house.number("SELECT count(*) FROM pushes WHERE role = 'fallback'").await, 2);
        if let Some(running) = &mut running {
            running.stop().await;
        }
    }
}
