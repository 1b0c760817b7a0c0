//! The wall clock is set, beneath a running daemon or while it is dead, and pushes that wait for a length go on within
//! that length.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::checker::{Findings, Rules};
use super::receiver::Temper;
use super::stage::{Running, Stage, within};

/// The longest wait that any of the accounts asks for is two seconds, and the smallest step is a minute.
const WITHIN: Duration = Duration::from_secs(25);
const PACE: Duration = Duration::from_millis(1500);
const ACCOUNTS: [&str; 4] = ["plain", "paced", "resting", "retrying"];

/// Of the library's two forms the one that locks: in the other, threads that read the clock at the same time are told
/// the machine's own now and then, a leap there and back that no test asked for.
fn libfaketime() -> Option<String> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let mut libraries = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.exists())?.to_str().map(str::to_owned)
}

/// Sets the wall clock of everything that the stage starts. What history shows is judged by the earlier of the two hours
/// until the daemon has noticed: instants that are leapt over are misfires, and those that a clock put back has before it
/// once more are to come.
async fn set_clock(stage: &Stage, off: i64, daemon: Option<&Running>) {
    if off < 0 {
        stage.watch.is_off_by(off);
    }
    let (new, place) = (stage.path("offset.new"), stage.path("offset"));
    std::fs::write(&new, format!("{off:+}\n")).unwrap();
    std::fs::rename(new, place).unwrap();
    if let Some(daemon) = daemon {
        within(WITHIN, || daemon.says().contains("the clock jumped")).await;
    }
    stage.watch.is_off_by(off);
}

/// Each account sends so many from now on, those included that wait for another try on the accounts of `owing`; or it is
/// told which does not.
async fn all_go_on(stage: &Stage, daemon: &Running, owing: &[&str], when: &str) -> Vec<String> {
    let (since, wanted) = (stage.receiver.now(), 3);
    let owed: Vec<(&str, HashSet<String>)> = owing.iter().map(|path| (*path, stage.receiver.untaken(path))).collect();
    let still_owed = |(path, owed): &(&str, HashSet<String>)| !stage.receiver.untaken(path).is_disjoint(owed);
    let sent = |account: &str| stage.receiver.taken_since(&format!("/{account}"), since);
    let all = || ACCOUNTS.iter().all(|account| sent(account) >= wanted) && !owed.iter().any(still_owed);
    within(WITHIN, all).await;
    let silent = ACCOUNTS.iter().filter(|account| sent(account) < wanted);
    let log = daemon.says();
    let tail: Vec<&str> = log.lines().rev().take(3).collect();
    let owing = owed.iter().filter(|owed| still_owed(owed));
    let owing =
        owing.map(|(path, _)| format!("{path}: what waited for its next try still waits after {WITHIN:?} {when}"));
    silent
        .map(|account| format!("{account}: {} pushes in {WITHIN:?} {when}; log: {}", sent(account), tail.join(" | ")))
        .chain(owing)
        .collect()
}

/// Sends of the paced account that came sooner after each other than they may, in one life of the daemon.
fn too_soon(stage: &Stage, since: Duration, when: &str) -> Vec<String> {
    let seen = stage.receiver.seen();
    let times: Vec<Duration> =
        seen.iter().filter(|seen| seen.path == "/paced" && seen.at >= since).map(|seen| seen.at).collect();
    // Requests are on their way for a moment, and the machine is busy.
    let least = PACE.mul_f64(0.6);
    let pairs = times.windows(2).filter(|pair| pair[1] - pair[0] < least);
    pairs.map(|pair| format!("paced: {:?} between two sends {when}", pair[1] - pair[0])).collect()
}

async fn one_step(stage: &mut Stage, library: &str, step: i64, while_dead: bool) -> Findings {
    let timestamps = stage.path("offset").to_str().unwrap().to_owned();
    for (name, value) in [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", &timestamps),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
    ] {
        stage.env.push((name.to_owned(), value.to_owned()));
    }
    set_clock(stage, 0, None).await;
    let mores = ["", ", min_interval: 1500ms", "", ", dedupes: true"];
    let accounts: String = ACCOUNTS.iter().zip(mores).map(|(account, more)| stage.account(account, more)).collect();
    let jobs: String = ACCOUNTS
        .iter()
        .map(|name| {
            format!(
                "  - {{name: {name}, every: 2s, misfire: {{policy: latest, within: 12h}}, \
                 push: {{im: {name}, group: \"{name}\", text: tick, timeout: 5s}}, \
                 retry: {{max_attempts: 50, backoff: 1s, max_backoff: 1s, jitter: 0, give_up_after: 24h}}}}\n"
            )
        })
        .collect();
    stage.configure(&accounts, &jobs);
    for (account, temper) in ACCOUNTS.iter().zip([Temper::Kind, Temper::Kind, Temper::Resting(2), Temper::Breaking]) {
        stage.receiver.set(&format!("/{account}"), temper);
    }
    let mut daemon = stage.started().await;
    let mut wrong = all_go_on(stage, &daemon, &[], "before any step").await;
    let when = format!("after a step of {step:+} s, while it was {}", if while_dead { "dead" } else { "running" });
    // The step comes while one account rests and another one waits for its next try.
    let refusals = stage.receiver.refusals("/resting");
    within(WITHIN, || stage.receiver.refusals("/resting") > refusals).await;
    if while_dead {
        stage.kill(&mut daemon);
        set_clock(stage, step, None).await;
        daemon = stage.started().await;
    }
    let since = stage.receiver.now();
    if !while_dead {
        set_clock(stage, step, Some(&daemon)).await;
    }
    // What a kill makes of a refusal that was not recorded yet is `unknown`, but where the receiver drops repeats.
    let owing = if while_dead { &["/retrying"][..] } else { &["/retrying", "/resting"] };
    wrong.extend(all_go_on(stage, &daemon, owing, &when).await);
    wrong.extend(too_soon(stage, since, &when));
    stage.kill(&mut daemon);
    let mut daemon = stage.started().await;
    wrong.extend(all_go_on(stage, &daemon, &["/retrying"], &format!("{when}, and a kill")).await);
    if !wrong.is_empty() {
        // What is silent does not settle.
        daemon.stop().await;
        let integrity = "not looked at".to_owned();
        return Findings { wrong, kills: stage.killed, integrity, ..Findings::default() };
    }
    let periods = ACCOUNTS.map(|account| (account, 2));
    let rules = Rules { jobs: &periods, may_miss: true, leaps: true, dedupes: Some("/retrying"), ..Rules::default() };
    stage.receiver.be_kind();
    stage.verdict_in(daemon, &rules).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_go_on_within_their_lengths_however_the_clock_is_set() {
    let Some(library) = libfaketime() else {
        eprintln!("SKIPPED: steps of the clock, since libfaketime is not installed");
        return;
    };
    let mut stage = Stage::new("clock steps", 6).await;
    let steps = [(-60, false), (-7200, true), (7200, false), (-60, true), (-7200, false), (7200, true)];
    let mut all = Findings::default();
    while all.kills < stage.kills {
        // They mostly wait, so that several of them go side by side.
        let mut stages = Vec::new();
        for step in steps {
            stages.push((stage.again().await, step));
        }
        let going = stages.iter_mut().map(|(next, (step, while_dead))| one_step(next, &library, *step, *while_dead));
        for findings in futures_util::future::join_all(going).await {
            all.add(findings);
        }
    }
    println!("clock steps, all: {all}");
    stage.assert_clean(&all);
}
