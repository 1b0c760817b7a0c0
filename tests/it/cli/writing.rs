//! Verbs that write to the database, without a daemon.

use futures_util::FutureExt;
use insta::assert_snapshot;
use pushcron::domain::{Database, UtcMs};
use pushcron::store::{self, Purpose};
use serde_json::Value;

use crate::cli::house::House;

fn state(house: &House, push: i64) -> String {
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
    let row = rows.iter().find(|row| row["id"] == push).unwrap();
    row["state"].as_str().unwrap().to_owned()
}

const NOBODY_SENDS: &str = "pushcron: no daemon runs on this database; one that starts will send\n";

#[test]
fn a_fire_by_hand_waits_for_a_daemon() {
    let house = House::lived_in();
    // Disabled and paused jobs fire by hand like all others.
    for (job, told) in [("berlin", "berlin fired: push 9\n"), ("每日晨报", "每日晨报 fired: pushes 10, 11\n")] {
        let run = house.run(&format!("fire {job}"));
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), told, NOBODY_SENDS));
    }
    assert_eq!(state(&house, 9), "pending");
    let run = house.run("fire berlin --wait");
    assert_eq!(run.code, Some(69));
    assert!(run.err.starts_with("pushcron: no daemon runs on this database to wait for"), "{}", run.err);
    assert!(house.run("fire nobody").refused(1).contains("nobody"));
}

/// A definition of an earlier version, which asked nobody what a target looks like.
#[test]
fn a_fire_by_hand_of_what_can_reach_nobody_is_refused() {
    let house = House::with_a_stray_job();
    let told = house.run("fire stray").refused(64);
    assert!(told.contains("'t.me/news'") && told.contains("write @news"), "{told}");
    assert!(told.contains("job 'stray'"), "{told}");
    let told = house.run("fire stray --wait").refused(64);
    assert!(told.contains("'t.me/news'"), "{told}");
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
    assert!(rows.iter().all(|row| row["job"] != "stray"), "nothing was recorded");
}

#[test]
fn a_failed_push_is_due_again_and_a_sent_one_is_not() {
    let house = House::lived_in();
    let run = house.run("retry 5");
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "push 5 is due again\n", NOBODY_SENDS));
    assert_eq!(state(&house, 5), "retrying");
    assert_snapshot!("retry__sent_already", house.run("retry 1").refused(1));
    assert_snapshot!("retry__no_such_push", house.run("retry 99").refused(1));
    assert_eq!(house.run("retry").code, Some(64));
}

#[test]
fn an_open_push_is_cancelled_and_a_final_one_is_not() {
    let house = House::lived_in();
    assert_eq!(house.run("cancel 7").fine(), "push 7 is cancelled\n");
    assert_eq!(state(&house, 7), "cancelled");
    assert_snapshot!("cancel__final_already", house.run("cancel 1").refused(1));
}

#[test]
fn an_unknown_push_becomes_what_a_person_saw() {
    let house = House::lived_in();
    assert_snapshot!("resolve__not_unknown", house.run("resolve 1 failed").refused(1));
    assert_eq!(house.run("resolve 6 sent").fine(), "push 6 is sent\n");
    assert_eq!(state(&house, 6), "sent");
    // Nobody takes it for the platform's own word.
    assert!(house.run("history --state sent").fine().contains("resolved by hand"));
    let explained = house.run_words(["explain", "每日晨报", "2026-01-06 08:30"]).fine();
    assert!(explained.contains("user:李四 sent (resolved by hand)"), "{explained}");
    assert_eq!(house.run("resolve 6 perhaps").code, Some(64));
}

#[test]
fn of_many_pushes_each_is_told_and_one_that_fails_keeps_no_other_from_it() {
    let house = House::lived_in();
    let run = house.run("retry 5 9999 1 6");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "push 5 is due again\npush 6 is due again\n"));
    let told: Vec<&str> = run.err.lines().collect();
    assert_eq!(told.len(), 4, "{}", run.err);
    assert_eq!(told[0], "pushcron: there is no push 9999; `pushcron history` lists them");
    assert!(told[1].starts_with("pushcron: push 1 is sent, and a retry never sends what was sent"), "{}", told[1]);
    assert_eq!(told[2], "pushcron: 2 of 4 done, 2 refused");
    assert_eq!([5, 6].map(|push| state(&house, push)), ["retrying", "retrying"]);
    let run = house.run("cancel 5 1 6");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "push 5 is cancelled\npush 6 is cancelled\n"));
    let house = House::lived_in();
    let run = house.run("resolve 5 6 sent");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "push 6 is sent\n"), "{}", run.err);
}

#[test]
fn pushes_are_meant_by_what_they_have_in_common() {
    let house = House::lived_in();
    let at = ["--job", "每日晨报", "--at", "2026-01-06 08:30"];
    let shown = house.run_words([&["retry", "--dry-run"], &at[..]].concat()).fine();
    assert!(shown.contains("1 push: 1 failed"), "{shown}");
    assert_eq!(state(&house, 5), "failed");
    // What may have arrived is not among them.
    let run = house.run_words([&["retry"], &at[..]].concat());
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "push 5 is due again\n", NOBODY_SENDS));
    assert_eq!(house.run_words([&["resolve"], &at[..], &["failed"]].concat()).fine(), "push 6 is failed\n");
    assert_eq!(house.run("cancel --job daily-report").fine(), "push 7 is cancelled\n");
    assert_eq!(house.run("cancel --job daily-report").fine(), "no push is meant: none is in such a state\n");
    // Once somebody has looked and said that it did not, it is.
    let run = house.run("retry --job 每日晨报");
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "push 6 is due again\n", NOBODY_SENDS));
    for (line, told) in [
        ("retry", "which pushes? name them"),
        ("resolve sent", "which pushes? name them"),
        ("resolve 6", "expected `sent` or `failed` as the last word, got '6'"),
        ("resolve x sent", "expected the number of a push, as `pushcron history` shows it, got 'x'"),
        ("cancel 7 --job daily-report", "not both"),
    ] {
        assert!(house.run(line).refused(64).contains(told), "{line}");
    }
    assert!(house.run("retry --job daily-reprot").refused(1).contains("did you mean 'daily-report'?"));
}

#[test]
fn very_many_pushes_are_not_meant_by_a_slip() {
    let house = House::lived_in();
    let copies = "INSERT INTO pushes (fire_id, ordinal, im, target, kind, message, timeout_ms, state, max_attempts, expires_at,
                                      finished_at, reason)
                  WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 120)
                  SELECT fire_id, n, im, target, kind, message, timeout_ms, state, max_attempts, expires_at, finished_at, reason
                    FROM pushes, n WHERE id = 5";
    rusqlite::Connection::open(house.path("pushcron.db")).unwrap().execute(copies, []).unwrap();
    let told = house.run("retry --job 每日晨报").refused(64);
    assert!(told.contains("112 pushes are meant; --dry-run shows them"), "{told}");
    assert_eq!(state(&house, 5), "failed");
    let run = house.run("retry --job 每日晨报 --yes");
    assert_eq!((run.code, run.out.lines().count()), (Some(0), 112), "{}", run.err);
}

#[test]
fn a_job_is_paused_and_goes_on() {
    let house = House::lived_in();
    let job = |name: &str| {
        let rows: Vec<Value> = serde_json::from_str(&house.run("jobs --json").fine()).unwrap();
        rows.iter().find(|row| row["job"] == name).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        house.run("pause daily-report 每日晨报").fine(),
        "daily-report is paused\n每日晨报 was paused already\n"
    );
    assert_eq!(job("daily-report"), "paused");
    assert_eq!(house.run("resume daily-report").fine(), "daily-report goes on\n");
    assert_eq!(house.run("resume daily-report").fine(), "daily-report was not paused\n");
    assert_eq!(job("daily-report"), "active");
    assert!(house.run("pause nobody").refused(1).contains("nobody"));
}

#[test]
fn a_backup_is_a_database_of_its_own_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::lived_in();
    assert_eq!(house.run("backup copy.db").fine(), "copied to copy.db\n");
    let mode = std::fs::metadata(house.path("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(house.run("history --csv --db copy.db").fine(), house.run("history --csv").fine());
    let told = house.run("backup copy.db").refused(69);
    assert!(told.contains("copy.db") && told.contains("there already"), "{told}");
    house.run("backup missing/copy.db").refused(69);
    let beside = std::fs::read_dir(house.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let ours: Vec<_> = beside.filter(|name| name.to_string_lossy().starts_with(".pushcron-")).collect();
    assert!(ours.is_empty(), "left behind: {ours:?}");
}

#[test]
fn a_reader_that_is_gone_keeps_no_verb_from_its_work() {
    for full_disk in [false, true] {
        let house = House::lived_in();
        let act = |line: &str, code: i32, told: &str| {
            let run = if full_disk { house.run_on_a_full_disk(line) } else { house.run_unread(line) };
            // A full disk is told, and changes as little.
            let said: String = run.err.lines().filter(|said| !said.contains("standard output: ")).collect();
            assert_eq!(
                (run.code, said.contains(told) && said.is_empty() == told.is_empty()),
                (Some(code), true),
                "{line}: {}",
                run.err
            );
            assert_eq!(run.err.contains("standard output: "), full_disk, "{line}: {}", run.err);
        };
        act("fire 每日晨报", 0, "one that starts will send");
        act("cancel 7 9 10", 0, "");
        act("retry 5 9 10", 0, "one that starts will send");
        assert_eq!([7, 5, 9, 10].map(|push| state(&house, push)), ["cancelled", "retrying", "retrying", "retrying"]);
        act("resolve 6 failed", 0, "");
        assert_eq!(state(&house, 6), "failed");
        act("pause daily-report berlin", 0, "");
        let jobs: Vec<Value> = serde_json::from_str(&house.run("jobs --json").fine()).unwrap();
        assert!(jobs.iter().all(|job| job["state"] == "paused"), "{jobs:?}");
        act("resume daily-report 每日晨报 berlin", 0, "");
        let jobs: Vec<Value> = serde_json::from_str(&house.run("jobs --json").fine()).unwrap();
        assert!(jobs.iter().all(|job| job["state"] != "paused"), "{jobs:?}");
        act("backup copy.db", 0, "");
        assert!(house.path("copy.db").exists());
    }
}

#[test]
fn a_reader_that_is_gone_turns_no_bad_verdict_into_a_good_one() {
    let house = House::lived_in();
    house.write("wrong.yaml", "jobs: [{name: a}]\n");
    for line in
        ["-c wrong.yaml check --json", "push --im qq --user 1 --text hi --account absent", "ledger --until 2026-01-07"]
    {
        let code = house.run(line).code;
        assert_eq!(house.run_unread(line).code, code, "{line}");
    }
    rusqlite::Connection::open(house.path("pushcron.db"))
        .unwrap()
        .execute("DELETE FROM fires WHERE id = (SELECT min(id) FROM fires WHERE triggered_by = 'cron')", [])
        .unwrap();
    for line in ["ledger --until 2026-01-07", "ledger --json --until 2026-01-07"] {
        assert_eq!(house.run(line).code, Some(1), "{line}");
        assert_eq!((house.run_unread(line).code, house.run_on_a_full_disk(line).code), (Some(1), Some(1)), "{line}");
    }
}

#[test]
fn a_job_that_is_in_the_files_and_in_no_database_is_said_to_be_loaded_by_nobody() {
    let house = House::lived_in();
    house.write(
        "jobs.yaml",
        "daemon: {timezone: Asia/Shanghai}\naccounts: [{id: screen, sender: console, im: qq}]\n\
         jobs: [{name: newcomer, every: 1h, push: {im: qq, group: 1, text: hi}}]\n",
    );
    let verbs = ["fire newcomer", "pause newcomer", "resume newcomer", "explain newcomer 09:00", "ledger newcomer"];
    for line in verbs {
        assert_eq!(
            house.run(line).refused(1),
            "pushcron: job 'newcomer' is in the files, and no daemon has loaded it: start one (`pushcron run`)\n",
            "{line}"
        );
    }
    let database = Database::at(house.path("pushcron.db"));
    let lease = store::take_lease(&database, Purpose::Daemon, UtcMs(0)).now_or_never().unwrap().unwrap();
    for line in verbs {
        let told = house.run(line).refused(1);
        let advice = "the daemon that runs has not loaded it: `systemctl reload pushcron`, or send it SIGHUP";
        assert!(told.contains(advice), "{line}: {told}");
    }
    drop(lease);
    // A misspelt one is not helped by a start.
    assert!(house.run("fire newcomr").refused(1).contains("there is no job 'newcomr'; `pushcron jobs` lists them"));
    // What the files say is not asked of files that are refused.
    house.write("jobs.yaml", "daemon: {timezone: Asia/Shanghai}\njobs: [{name: newcomer}]\n");
    assert!(house.run("fire newcomer").refused(1).contains("there is no job 'newcomer'"));
}

#[test]
fn fires_whose_pushes_are_still_to_be_made_are_cancelled_with_their_job() {
    let house = House::with_unmade_pushes();
    let told = house.run("cancel --job held --dry-run").fine();
    assert_eq!(told.lines().filter(|line| line.ends_with("whose pushes are still to be made")).count(), 2, "{told}");
    // Who gets them is not known yet.
    let narrow = house.run("cancel --job held --target 9");
    assert_eq!((narrow.code, narrow.err.matches("left alone").count()), (Some(0), 2), "{}", narrow.err);
    assert!(house.run("history --job held").fine().contains("no pushes"));

    let told = house.run("cancel --job held --at 2026-01-06").fine();
    assert_eq!(told.lines().count(), 1, "{told}");
    let told = house.run("cancel --job held").fine();
    assert!(told.starts_with("the fire of held due 2026-01-07 09:00:00 is cancelled"), "{told}");
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --job held --json").fine()).unwrap();
    let ends: Vec<_> = rows.iter().map(|row| (row["state"].as_str(), row["reason"].as_str())).collect();
    assert_eq!(ends, [(Some("cancelled"), Some("cancelled by hand")); 2]);
    assert!(house.run("cancel --job held").fine().starts_with("no push is meant"));
}
