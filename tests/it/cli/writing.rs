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
    assert_eq!(house.run("resolve 6 perhaps").code, Some(64));
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
