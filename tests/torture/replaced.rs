//! The database's file goes away beneath the running daemon: removed, moved, or replaced by a backup.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::checker::{Away, Findings, Rules};
use super::kills::tick;
use super::receiver::Temper;
use super::stage::{PATIENCE, Stage, within};

/// How soon the daemon ends, at the latest.
const SOON: Duration = Duration::from_secs(10);
/// What had begun when the file went away may still arrive within so long.
const UNDER_WAY: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Removed,
    RemovedWithAll,
    Moved,
    MovedWithAll,
    /// A backup took its place, and the right file came back.
    Replaced,
    /// A backup took its place and stays.
    Restored,
}

const WAYS: [Way; 6] = [Way::Moved, Way::Restored, Way::RemovedWithAll, Way::MovedWithAll, Way::Replaced, Way::Removed];
const COMPANIONS: [&str; 5] = ["", "-wal", "-shm", ".lock", ".flights"];

fn beside(dir: &Path, suffix: &str) -> std::path::PathBuf {
    dir.join(format!("pushcron.db{suffix}"))
}

/// Moves the database, with all that lies beside it or alone.
fn carry(from: &Path, to: &Path, all: bool) {
    for suffix in if all { &COMPANIONS[..] } else { &COMPANIONS[..1] } {
        let moved = std::fs::rename(beside(from, suffix), beside(to, suffix));
        assert!(moved.is_ok() || !suffix.is_empty(), "{moved:?}");
    }
}

fn take_away(stage: &Stage, way: Way) {
    let (dir, away) = (stage.dir.path(), stage.path("away"));
    match way {
        Way::Removed => std::fs::remove_file(stage.database()).unwrap(),
        Way::RemovedWithAll => {
            for suffix in COMPANIONS {
                let _ = std::fs::remove_file(beside(dir, suffix));
            }
        }
        Way::Moved => carry(dir, &away, false),
        Way::MovedWithAll => carry(dir, &away, true),
        Way::Replaced | Way::Restored => {
            carry(dir, &away, false);
            std::fs::rename(stage.path("backup.db"), stage.database()).unwrap();
        }
    }
}

/// Puts the right file back where there is one. Whether it is the one from before.
fn put_back(stage: &Stage, way: Way) -> bool {
    let (dir, away) = (stage.dir.path(), stage.path("away"));
    match way {
        Way::Moved | Way::Replaced => carry(&away, dir, false),
        Way::MovedWithAll => carry(&away, dir, true),
        Way::Removed | Way::RemovedWithAll | Way::Restored => return false,
    }
    true
}

async fn one_loss(stage: &mut Stage, way: Way) -> Findings {
    let jobs = [("a", 1), ("b", 1)];
    stage.configure(&stage.account("hook", ""), &(tick("a", "hook", "a") + &tick("b", "hook", "b")));
    std::fs::create_dir(stage.path("away")).unwrap();
    stage.receiver.set("/hook", Temper::Slow(Duration::from_millis(stage.dice.u64(0..400))));
    let mut daemon = stage.started().await;
    within(PATIENCE, || stage.receiver.count() >= 3).await;
    let copy = stage.path("backup.db");
    let made = stage.program(&["backup", copy.to_str().unwrap()]).stderr(Stdio::inherit()).status().unwrap();
    assert!(made.success());
    let more = stage.receiver.count() + 3;
    within(PATIENCE, || stage.receiver.count() >= more).await;
    stage.watch.look();
    stage.watch.end();
    let from = stage.receiver.now();
    take_away(stage, way);
    let gone_at = stage.receiver.now();
    let mut wrong = Vec::new();
    match daemon.end(SOON).await.map(|status| status.code()) {
        Some(Some(69)) => {}
        Some(code) => stage.tell(&mut wrong, [format!("{way:?}: the daemon ended with {code:?}: {}", daemon.says())]),
        None => stage.tell(&mut wrong, [format!("{way:?}: the daemon still runs after {SOON:?}")]),
    }
    let late = stage.receiver.seen().iter().filter(|seen| seen.at > gone_at + UNDER_WAY).count();
    if late > 0 {
        stage.tell(&mut wrong, [format!("{way:?}: {late} pushes began after the file was gone")]);
    }
    stage.kill(&mut daemon);
    let is_right = put_back(stage, way);
    let away = Away { from, until: stage.receiver.now(), came_back: is_right };
    if !is_right {
        stage.watch.forget();
    }
    let periods = if is_right { &jobs[..] } else { &[] };
    // Whatever file it is, pushes go on.
    let before = stage.receiver.count();
    let daemon = stage.started().await;
    within(PATIENCE, || stage.receiver.count() > before).await;
    stage.receiver.be_kind();
    let rules = Rules { jobs: periods, may_miss: !is_right, away: Some(away), ..Rules::default() };
    let mut findings = stage.verdict_in(daemon, &rules).await;
    if stage.receiver.count() == before {
        stage.tell(&mut wrong, [format!("{way:?}: no push after the next start")]);
    }
    findings.wrong = wrong;
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_ends_the_daemon_and_nothing_is_sent_twice() {
    let mut all = Findings::default();
    let mut stage = Stage::new("replaced files", WAYS.len() as u64).await;
    for round in 0..stage.kills {
        let mut next = stage.again().await;
        let way = WAYS[round as usize % WAYS.len()];
        all.add(one_loss(&mut next, way).await);
    }
    println!("replaced files, all: {all}");
    stage.assert_clean(&all);
}
