//! Contents that are made for a fire: made once and frozen, whoever is killed, and nothing else waits for them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};

use crate::common::daemon::{House, tick, until};
use crate::common::fake_im::{Answer, Request};

pub(crate) const RETRY: &str =
    "retry: {max_attempts: 50, backoff: 300ms, max_backoff: 300ms, jitter: 0, resend_unknown: true}";

/// A program that notes each of its runs in the file `runs`, and goes on with this.
pub(crate) fn program(house: &House, name: &str, script: &str) -> PathBuf {
    let path = house.dir.path().join(name);
    let dir = house.dir.path().display();
    let script = format!("#!/bin/sh\ncd {dir}\necho run >> runs-{name}\n{script}\n");
    // Written beside and moved, so that nobody runs it while it is open for writing.
    let new = house.dir.path().join("new");
    std::fs::write(&new, script).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, &path).unwrap();
    path
}

pub(crate) fn runs(house: &House, name: &str) -> usize {
    std::fs::read_to_string(house.dir.path().join(format!("runs-{name}"))).unwrap_or_default().lines().count()
}

/// A job that nobody but a person fires.
pub(crate) fn by_hand(name: &str, content_from: &str) -> String {
    format!(
        "  - {{name: {name}, cron: 0 0 1 1 *, content_from: {{{content_from}, backoff: 100ms}}, \
         push: {{im: hook, group: 1}}, {RETRY}}}\n"
    )
}

pub(crate) fn command(program: &std::path::Path) -> String {
    format!("command: [{}], as_root: true", program.display())
}

fn text(request: &Request) -> String {
    request.json()["data"]["text"].as_str().unwrap().to_owned()
}

pub(crate) fn texts(house: &House) -> Vec<String> {
    house.im.requests_to("/hook").iter().map(text).collect()
}

pub(crate) const ENDS: &str = "SELECT state, coalesce(reason, '-') FROM pushes ORDER BY id";

#[tokio::test]
async fn e1_every_attempt_sends_the_same_content_though_its_command_would_say_another() {
    let house = House::new().await;
    let clock = program(&house, "clock", "date +%s.%N");
    house.im.script("/hook", [Answer::status(503), Answer::text(200, "{}")]);
    house.configure("", &by_hand("now", &command(&clock)));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "now", "--wait"]).await.0, Some(0), "{}", daemon.log());
    let requests = house.im.requests_to("/hook");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].json(), requests[1].json());
    assert!(text(&requests[0]).parse::<f64>().unwrap() > 0.0);
    assert_eq!(runs(&house, "clock"), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn e2_who_is_killed_before_the_content_is_there_asks_again_and_afterwards_nobody_does() {
    let house = House::new().await;
    let slow = program(&house, "slow", "while [ ! -e go ]; do sleep 0.05; done; date +%s.%N");
    house.im.on("/hook", Answer::status(503));
    house.configure("", &by_hand("report", &command(&slow)));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report"]).await.0, Some(0));
    until("the command runs", async || runs(&house, "slow") == 1).await;
    daemon.child.kill().await.unwrap();
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, 0);

    let mut daemon = house.daemon().await;
    until("the command runs again", async || runs(&house, "slow") == 2).await;
    std::fs::write(house.dir.path().join("go"), "").unwrap();
    until("an attempt was made", async || !house.im.requests_to("/hook").is_empty()).await;
    daemon.child.kill().await.unwrap();

    house.im.on("/hook", Answer::text(200, "{}"));
    let mut daemon = house.daemon().await;
    house.until_at_least(1, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.stop().await;
    assert_eq!(runs(&house, "slow"), 2);
    assert_eq!(house.number("SELECT count(*) FROM contents").await, 1);
    let mut versions = texts(&house);
    versions.dedup();
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!(house.ends(&["ledger"]).await.0, Some(0));
}

#[tokio::test]
async fn e2_a_content_made_ahead_of_its_instant_goes_out_once_whoever_was_killed_meanwhile() {
    let house = House::new().await;
    let slow = program(&house, "slow", "while [ ! -e go ]; do sleep 0.05; done; echo ready");
    house.configure(
        "",
        &format!(
            "  - {{name: report, at: \"{}\", push: {{im: hook, group: 1}}, content_from: {{{}, lead: 55m}}}}\n",
            SystemClock::new().now() + Duration::from_secs(50 * 60),
            command(&slow)
        ),
    );
    let mut daemon = house.daemon().await;
    until("the command runs", async || runs(&house, "slow") == 1).await;
    daemon.child.kill().await.unwrap();
    assert_eq!(house.number("SELECT count(*) FROM unexpanded_fires").await, 1);
    let mut daemon = house.daemon().await;
    until("the command runs again", async || runs(&house, "slow") == 2).await;
    std::fs::write(house.dir.path().join("go"), "").unwrap();
    house.until_at_least(1, "SELECT count(*) FROM pushes").await;
    assert_eq!(house.ends(&["history", "--not-sent"]).await.0, Some(0), "nothing is missing before its hour");
    // Its hour has not come, but its source was asked: nobody asks it again.
    daemon.stop().await;
    assert_eq!(house.number("SELECT count(*) FROM fires").await, 1);
    assert_eq!(house.number("SELECT count(*) FROM contents").await, 1);
    assert_eq!((runs(&house, "slow"), texts(&house)), (2, Vec::<String>::new()));
    let (code, told) = house.ends(&["ledger"]).await;
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test]
async fn e2_a_content_made_ahead_outlives_kill_stop_reload_and_verbs_and_goes_with_a_changed_job() {
    let house = House::new().await;
    let count = program(&house, "count", "wc -l < runs-count");
    let in_half_an_hour = (SystemClock::new().now() + Duration::from_secs(30 * 60)).to_string();
    let minute = &in_half_an_hour[14..16];
    let job = |target: u32| {
        let command = command(&count);
        format!(
            "{}  - {{name: ahead, cron: {minute} * * * *, push: {{im: hook, group: {target}}}, \
             content_from: {{{command}, lead: 55m}}}}\n",
            tick("tick")
        )
    };
    house.configure("", &job(1));
    let mut daemon = house.daemon().await;
    let made = "SELECT p.id, f.due_at, p.state, c.content FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id
                  JOIN contents AS c ON c.fire_id = f.id WHERE f.job = 'ahead' ORDER BY p.id";
    until("a content is made ahead", async || !house.rows(made).await.is_empty()).await;
    let first = house.rows(made).await;
    assert_eq!((first[0][2].as_str(), first[0][3].as_str()), ("pending", "1"));
    let ticks = async |more: i64| {
        let sent = house.number("SELECT count(*) FROM push_history WHERE job = 'tick' AND state = 'sent'").await;
        let sql = "SELECT count(*) FROM push_history WHERE job = 'tick' AND state = 'sent'";
        house.until_at_least(sent + more, sql).await;
    };

    daemon.child.kill().await.unwrap();
    let mut daemon = house.daemon().await;
    ticks(2).await;
    assert_eq!(house.rows(made).await, first, "after a kill: {}", daemon.log());
    daemon.stop().await;
    assert_eq!(house.rows(made).await, first, "after a stop");
    let mut daemon = house.daemon().await;
    ticks(2).await;
    assert_eq!(house.rows(made).await, first, "after a stop and a start: {}", daemon.log());
    assert_eq!(house.ends(&["pause", "tick"]).await.0, Some(0));
    assert_eq!(house.ends(&["resume", "tick"]).await.0, Some(0));
    ticks(2).await;
    assert_eq!(house.rows(made).await, first, "after a pause of another: {}", daemon.log());
    assert_eq!(runs(&house, "count"), 1);
    let (code, told) = house.ends(&["ledger"]).await;
    assert_eq!(code, Some(0), "{told}");

    daemon.stop().await;
    house.configure("", &job(2));
    let mut daemon = house.daemon().await;
    until("the content is made anew for the changed job", async || runs(&house, "count") == 2).await;
    until("it stands there", async || house.rows(made).await.len() == 1).await;
    let changed = house.rows(made).await;
    assert_eq!((changed.len(), changed[0][3].as_str()), (1, "2"));
    assert_eq!(house.ends(&["pause", "ahead"]).await.0, Some(0));
    assert_eq!(house.rows(made).await, Vec::<Vec<String>>::new(), "a pause takes it back");
    daemon.stop().await;
}

#[tokio::test]
async fn e3_a_source_that_fails_is_told_with_its_words_and_one_that_has_nothing_to_say_is_not() {
    let house = House::new().await;
    let bad = program(&house, "bad", "echo half; echo no such table >&2; exit 1");
    let mute = program(&house, "mute", "exit 0");
    let over = program(&house, "over", "exit 99");
    let pager = program(&house, "pager", "cat >> told");
    let account =
        format!("  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n", house.im.url("/hook"));
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, on_failure: {{command: [{}], as_root: true, every: 1s}}}}\n\
         accounts:\n{account}jobs:\n{}{}{}",
        house.database().display(),
        pager.display(),
        by_hand("mute", &command(&mute)),
        by_hand("over", &command(&over)),
        by_hand("bad", &command(&bad)),
    ));
    let mut daemon = house.daemon().await;
    for job in ["mute", "over", "bad"] {
        assert_eq!(house.ends(&["fire", job, "--wait"]).await.0, Some(1), "{}", daemon.log());
    }
    let told = || std::fs::read_to_string(house.dir.path().join("told")).unwrap_or_default();
    until("the failure is told", async || told().contains("no such table")).await;
    daemon.stop().await;
    let ends = [["cancelled", "content_empty"], ["cancelled", "content_empty"], ["failed", "content"]];
    assert_eq!(house.rows(ENDS).await, ends);
    assert!(!told().contains("mute") && !told().contains("over"), "{}", told());
    assert_eq!((runs(&house, "bad"), runs(&house, "mute")), (2, 1), "a failure is tried again");
    assert_eq!(texts(&house), Vec::<String>::new());
    let due_at = house.rows("SELECT due_at FROM fires WHERE job = 'bad'").await[0][0].clone();
    let said = house.program(&["explain", "bad", &due_at]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    for part in ["asked 2 times", "exit 1", "could not be made", "no such table", "content_from"] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn e6_unchanged_is_what_was_last_sent_and_not_what_was_last_made() {
    let house = House::new().await;
    let report = house.dir.path().join("report.md");
    house.configure("", &by_hand("report", &format!("file: {}, unchanged: skip", report.display())));
    let mut daemon = house.daemon().await;
    for (content, answer, exit) in [("A", 200, 0), ("A", 200, 1), ("B", 400, 1), ("B", 200, 0)] {
        std::fs::write(&report, content).unwrap();
        house.im.on("/hook", Answer::text(answer, "{}"));
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(exit), "{}", daemon.log());
    }
    daemon.stop().await;
    let ends = [["sent", "-"], ["cancelled", "content_unchanged"], ["failed", "rejected"], ["sent", "-"]];
    assert_eq!(house.rows(ENDS).await, ends);
    assert_eq!(texts(&house), ["A", "B", "B"]);
}

#[tokio::test]
async fn what_is_still_on_its_way_is_not_sent_a_second_time_because_the_receiver_is_down() {
    let house = House::new().await;
    let report = house.dir.path().join("report.md");
    house.configure("", &by_hand("report", &format!("file: {}, unchanged: skip", report.display())));
    house.im.on("/hook", Answer::status(503));
    let mut daemon = house.daemon().await;
    for (fires, content) in (1..).zip(["A", "A", "A", "B", "B", "A"]) {
        std::fs::write(&report, content).unwrap();
        assert_eq!(house.ends(&["fire", "report"]).await.0, Some(0));
        house.until_at_least(fires, "SELECT count(*) FROM pushes").await;
    }
    house.im.on("/hook", Answer::text(200, "{}"));
    house.until_at_least(3, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.stop().await;
    let (sent, skipped) = (["sent", "-"], ["cancelled", "content_unchanged"]);
    assert_eq!(house.rows(ENDS).await, [sent, skipped, skipped, sent, skipped, sent]);
}

#[tokio::test]
async fn an_old_content_that_a_person_sent_again_is_what_was_sent_last() {
    let house = House::new().await;
    let report = house.dir.path().join("report.md");
    house.configure("", &by_hand("report", &format!("file: {}, unchanged: skip", report.display())));
    let mut daemon = house.daemon().await;
    for (content, answer, exit) in [("5", 400, 1), ("6", 200, 0)] {
        std::fs::write(&report, content).unwrap();
        house.im.on("/hook", Answer::text(answer, "{}"));
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(exit), "{}", daemon.log());
    }
    let failed = house.rows("SELECT id FROM pushes WHERE state = 'failed'").await[0][0].clone();
    assert_eq!(house.ends(&["retry", &failed]).await.0, Some(0));
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    for exit in [0, 1] {
        assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(exit), "{}", daemon.log());
    }
    daemon.stop().await;
    assert_eq!(texts(&house), ["5", "6", "5", "6"]);
}

#[tokio::test]
async fn a_content_of_max_bytes_may_end_its_line() {
    let house = House::new().await;
    let (fits, over) = (house.dir.path().join("fits"), house.dir.path().join("over"));
    std::fs::write(&fits, "five.\n").unwrap();
    std::fs::write(&over, "sixth.\n").unwrap();
    let full = program(&house, "full", "printf 'five.\\n'");
    let file = |name: &str, path: &std::path::Path| by_hand(name, &format!("file: {}, max_bytes: 5", path.display()));
    let jobs =
        [file("fits", &fits), by_hand("full", &format!("{}, max_bytes: 5", command(&full))), file("over", &over)];
    house.configure("", &jobs.concat());
    let mut daemon = house.daemon().await;
    for (job, exit) in [("fits", 0), ("full", 0), ("over", 1)] {
        assert_eq!(house.ends(&["fire", job, "--wait"]).await.0, Some(exit), "{job}: {}", daemon.log());
    }
    daemon.stop().await;
    assert_eq!(texts(&house), ["five.", "five."]);
    let error = house.rows("SELECT error FROM contents WHERE outcome = 'failed'").await;
    assert!(error[0][0].contains("more than 5 bytes"), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_too_old_or_not_there_or_no_text_fails() {
    let house = House::new().await;
    let (old, gbk) = (house.dir.path().join("old"), house.dir.path().join("gbk"));
    std::fs::write(&gbk, b"\xc4\xe3\xba\xc3").unwrap();
    std::fs::write(&old, "yesterday").unwrap();
    let hours_ago = std::fs::File::options().write(true).open(&old).unwrap();
    hours_ago.set_modified(std::time::UNIX_EPOCH).unwrap();
    let file = |name: &str, path: &std::path::Path| by_hand(name, &format!("file: {}, max_age: 26h", path.display()));
    let nowhere = house.dir.path().join("nowhere");
    house.configure("", &[file("old", &old), file("gbk", &gbk), file("nowhere", &nowhere)].concat());
    let mut daemon = house.daemon().await;
    for job in ["old", "gbk", "nowhere"] {
        assert_eq!(house.ends(&["fire", job, "--wait"]).await.0, Some(1), "{}", daemon.log());
    }
    daemon.stop().await;
    assert_eq!(house.rows(ENDS).await, [["failed", "content"]; 3]);
    let errors = house.rows("SELECT error FROM contents ORDER BY fire_id").await;
    assert!(errors[0][0].contains("max_age") && errors[1][0].contains("UTF-8"), "{errors:?}");
}

#[tokio::test]
async fn e8_an_address_of_this_machine_is_not_asked_unless_that_is_allowed() {
    let house = House::new().await;
    house.im.on("/report", Answer::text(200, "all is well\n"));
    let port = house.im.address().port();
    let plain = by_hand("plain", &format!("http: \"{}\"", house.im.url("/report")));
    let four = by_hand("four", &format!("http: \"https://127.0.0.1:{port}/report\""));
    let six = by_hand("six", &format!("http: \"https://[::ffff:127.0.0.1]:{port}/report\""));
    let open = by_hand("open", "http: \"http://example.com/report\"");
    for (job, told) in [
        (&plain, "127.0.0.1: nothing is fetched from loopback addresses"),
        (&four, "127.0.0.1: nothing is fetched from loopback addresses"),
        (&six, ": nothing is fetched from IPv4-mapped addresses"),
        (&open, "expected an address that begins with https://"),
    ] {
        house.configure("", job);
        for verb in ["check", "run"] {
            let (code, said) = house.ends(&[verb]).await;
            assert!(code == Some(78) && said.contains(told), "{verb}: {code:?} {said}");
        }
    }
    assert_eq!(house.im.requests().len(), 0);

    let account =
        format!("  - {{id: hook, im: hook, sender: webhook, url: \"{}\", default: true}}\n", house.im.url("/hook"));
    house.write(&format!(
        "daemon: {{database: {}, timezone: UTC, media_allow_private: true}}\naccounts:\n{account}jobs:\n{plain}",
        house.database().display()
    ));
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "plain", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    assert_eq!(texts(&house), ["all is well"]);
}

#[tokio::test]
async fn a_command_of_three_seconds_delays_no_other_push() {
    let house = House::new().await;
    let slow = program(&house, "slow", "sleep 3; echo slept");
    house.configure(
        "",
        &format!(
            "{}  - {{name: slow, every: 1s, push: {{im: hook, group: 2}}, content_from: {{{}}}}}\n",
            tick("tick"),
            command(&slow)
        ),
    );
    let mut daemon = house.daemon().await;
    house.until_at_least(2, "SELECT count(*) FROM push_history WHERE job = 'slow' AND state = 'sent'").await;
    house.until_at_least(8, "SELECT count(*) FROM push_history WHERE job = 'tick' AND state = 'sent'").await;
    daemon.stop().await;
    let late = house
        .rows("SELECT lateness_ms FROM push_history WHERE job = 'tick' AND lateness_ms IS NOT NULL ORDER BY 1")
        .await;
    let late: Vec<i64> = late.iter().map(|row| row[0].parse().unwrap()).collect();
    eprintln!("late by {late:?} ms, beside commands of 3 s");
    assert!(late.iter().all(|late| *late < 2500), "{late:?}");
}

/// Of a job each second, whose content is made `when` that says, one fire waits for it and the others are left out.
pub(crate) async fn others_are_skipped_while_one_waits_for_its_content(when: &str) {
    let house = House::new().await;
    let slow = program(&house, "slow", "while [ ! -e go ]; do sleep 0.05; done; echo ready");
    house.configure(
        "",
        &format!(
            "  - {{name: report, every: 1s, overlap: skip, push: {{im: hook, group: 1}}, content_from: {{{}{when}}}}}\n",
            command(&slow)
        ),
    );
    let mut daemon = house.daemon().await;
    house.until_at_least(2, "SELECT count(*) FROM fires WHERE decision = 'skipped' AND reason = 'overlap'").await;
    assert_eq!(runs(&house, "slow"), 1);
    std::fs::write(house.dir.path().join("go"), "").unwrap();
    house.until_at_least(2, "SELECT count(*) FROM pushes WHERE state = 'sent'").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_with_overlap_skip_sees_a_content_that_is_being_made() {
    others_are_skipped_while_one_waits_for_its_content("").await;
}

#[tokio::test]
async fn a_push_with_a_text_of_its_own_keeps_it_and_goes_only_when_there_is_something_to_say() {
    let house = House::new().await;
    let file = house.dir.path().join("alarms");
    house.configure(
        "",
        &format!(
            "  - {{name: alarms, cron: 0 0 1 1 *, content_from: {{file: {}}}, \
             push: [{{im: hook, group: 1, text: look at the board}}, {{im: hook, group: 2, title: Alarms}}]}}\n",
            file.display()
        ),
    );
    let mut daemon = house.daemon().await;
    std::fs::write(&file, "\n").unwrap();
    assert_eq!(house.ends(&["fire", "alarms", "--wait"]).await.0, Some(1));
    std::fs::write(&file, "disk full\n").unwrap();
    assert_eq!(house.ends(&["fire", "alarms", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    let mut sent = texts(&house);
    sent.sort();
    assert_eq!(sent, ["disk full", "look at the board"]);
}

#[tokio::test]
async fn what_could_not_be_run_or_could_be_changed_by_others_is_refused_at_load() {
    let house = House::new().await;
    let open = program(&house, "open", "echo hi");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let open = open.display().to_string();
    let file = house.dir.path().join("plain");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = file.display().to_string();
    for (content_from, told) in [
        ("command: [report]", "expected the absolute path of a program first"),
        ("command: report", "expected a list, as the program"),
        ("command: [/nowhere/report]", "cannot be run"),
        ("command: [/usr/bin]", "is a directory"),
        (&*format!("command: [{file}]"), "is not executable"),
        (&format!("command: [{open}]"), "every user of this machine can change what is in this file"),
        ("command: [/bin/true], file: a", "content_from has one source"),
        ("timeout: 3s", "content_from needs a source"),
        ("file: a, env: {A: b}", "env belongs to the source 'command'"),
        ("command: [/bin/true], max_age: 3h", "max_age belongs to the source 'file'"),
        ("command: [/bin/true], empty: send", "every push needs a content of its own"),
        ("command: [/bin/true], max_bytes: 3MB", "a size from 1 to 1MiB"),
        ("command: [/bin/true], lead: 2h", "at most 1h"),
        ("command: [/bin/true], trust: yes", "unknown key 'trust' in content_from"),
        ("http: \"https://me:pass@example.org/\"", "expected an address that begins with http"),
    ] {
        let told = told.replace("expected a list, as the program", "a list: the program and its arguments");
        let job = "{name: a, cron: 0 0 1 1 *, push: {im: hook, group: 1}, content_from: ";
        house.configure("", &format!("  - {job}{{{content_from}}}}}\n"));
        let (code, said) = house.ends(&["run"]).await;
        assert!(code == Some(78) && said.contains(&told), "{content_from}: {code:?} {said}");
    }
    let job = "  - {name: a, every: 1h, overlap: skip, push: {im: hook, group: 1}, ";
    house.configure("", &format!("{job}content_from: {{command: [/bin/true], lead: 2s}}}}\n"));
    let (_, said) = house.ends(&["run"]).await;
    assert!(said.contains("lead needs overlap: allow"), "{said}");
}

#[tokio::test]
async fn a_simulated_daemon_has_its_contents_at_once() {
    let house = House::new().await;
    house.configure(
        "",
        "  - {name: a, every: 1h, push: {im: hook, group: 1}, content_from: {command: [/bin/false], lead: 1m}}\n",
    );
    let out = house.dir.path().join("simulated.db").display().to_string();
    let words = ["simulate", "--from", "2030-01-01", "--to", "2030-01-02", "--db", &out];
    let (code, said) = house.ends(&words).await;
    assert_eq!(code, Some(0), "{said}");
    let rows = crate::common::rows::query(std::path::Path::new(&out), "SELECT state, count(*) FROM pushes GROUP BY 1");
    assert_eq!(rows, [["sent", "23"]]);
}

#[tokio::test]
async fn what_a_source_says_is_no_template_and_the_texts_beside_it_are() {
    let house = House::new().await;
    let file = house.dir.path().join("report");
    std::fs::write(&file, "{{ 7 * 6 }} {% if").unwrap();
    house.configure(
        "",
        &format!(
            "  - {{name: report, cron: 0 0 1 1 *, render: true, content_from: {{file: {}}}, \
             push: [{{im: hook, group: 1, title: '{{{{ job }}}} of the day'}}, {{im: hook, group: 2, text: '{{{{ job }}}} is there'}}]}}\n",
            file.display()
        ),
    );
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    daemon.stop().await;
    let requests = house.im.requests_to("/hook");
    let title = |request: &Request| request.json()["data"]["title"].as_str().unwrap_or_default().to_owned();
    let mut said: Vec<(String, String)> = requests.iter().map(|request| (title(request), text(request))).collect();
    said.sort();
    let said: Vec<(&str, &str)> = said.iter().map(|(title, text)| (&**title, &**text)).collect();
    assert_eq!(said, [("", "report is there"), ("report of the day", "{{ 7 * 6 }} {% if")]);
}

#[tokio::test]
async fn what_was_not_sent_is_made_up_for_with_a_content_of_now() {
    let house = House::new().await;
    let report = program(&house, "report", "echo made");
    house.configure(
        "",
        &format!(
            "  - {{name: report, every: 1s, overlap: skip, push: {{im: hook, group: 1}}, content_from: {{{}}}}}\n",
            command(&report)
        ),
    );
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["pause", "report"]).await.0, Some(0));
    house.until_at_least(2, "SELECT count(*) FROM fires WHERE reason = 'paused'").await;
    assert_eq!(house.ends(&["backfill", "report", "--from", "1h", "--gap", "100ms"]).await.0, Some(0));
    let sent = "SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id
                 WHERE f.reason = 'backfill' AND p.state = 'sent'";
    house.until_at_least(2, sent).await;
    daemon.stop().await;
    let made_up = house.number("SELECT count(*) FROM fires WHERE reason = 'backfill'").await;
    assert_eq!(house.number(sent).await, made_up);
    assert_eq!(runs(&house, "report") as i64, house.number("SELECT count(*) FROM contents").await);
}

#[tokio::test]
async fn a_job_that_a_verb_made_is_as_good_as_one_of_the_files() {
    let house = House::new().await;
    let report = program(&house, "report", "echo made; echo $WHO");
    house.configure("", "  - {name: other, cron: 0 0 1 1 *, push: {im: hook, group: 1, text: hi}}\n");
    let file = house.dir.path().join("report.yaml");
    let job = |push: &str| {
        format!(
            "jobs:\n  - {{name: report, cron: 0 0 1 1 *, push: {{im: hook, {push}}}, content_from: {{{}, \
             env: {{WHO: 'a $${{B}}'}}, unchanged: skip, lead: 2s}}}}\n",
            command(&report)
        )
    };
    std::fs::write(&file, job("group: 1")).unwrap();
    let mut daemon = house.daemon().await;
    assert_eq!(house.ends(&["add", "-f", file.to_str().unwrap()]).await.0, Some(0));
    assert_eq!(house.ends(&["edit", "report", "--group", "2"]).await.0, Some(0));
    assert_eq!(house.ends(&["fire", "report", "--wait"]).await.0, Some(0), "{}", daemon.log());
    assert_eq!(texts(&house), ["made\na ${B}"]);
    assert_eq!(house.rows("SELECT target FROM pushes").await, [["group:2"]]);
    // A program that is gone is told, and is no reason to leave the rest as it is.
    let moved = report.with_extension("moved");
    std::fs::rename(&report, &moved).unwrap();
    let (code, said) = house.ends(&["edit", "report", "--group", "3"]).await;
    assert!(code == Some(0) && said.contains("cannot be run"), "{code:?} {said}");
    assert_eq!(
        house.rows("SELECT definition ->> '$.push[0].target' FROM jobs WHERE name = 'report'").await,
        [["group:3"]]
    );
    std::fs::rename(&moved, &report).unwrap();
    daemon.stop().await;
    let exported = house.program(&["export", "report"]).stdout(std::process::Stdio::piped()).output().await.unwrap();
    let definition = "SELECT definition FROM jobs WHERE name = 'report'";
    let before = house.rows(definition).await;
    std::fs::write(&file, exported.stdout).unwrap();
    house.ends(&["rm", "report"]).await;
    assert_eq!(house.ends(&["add", "-f", file.to_str().unwrap()]).await.0, Some(0));
    assert_eq!(house.rows(definition).await, before);
}

/// A fallback has the bytes of its push, and here there are none; a text of its own beside a content would say that all is
/// well. What tells of it is `on_failure`.
#[tokio::test]
async fn a_content_that_could_not_be_made_has_no_fallback_and_is_told_by_on_failure() {
    let house = House::new().await;
    let broken = program(&house, "broken", "echo 'no data' >&2; exit 1");
    let fallback = "fallback: {im: hook, group: 2, after: [failed, expired]}";
    let job = |name: &str, text: &str| {
        format!(
            "  - {{name: {name}, cron: 0 0 1 1 *, content_from: {{{}, attempts: 1}}, push: {{im: hook, group: 1{text}, {fallback}}}}}\n",
            command(&broken)
        )
    };
    house.configure("", &[job("report", ""), job("own", ", text: all is well")].concat());
    let mut daemon = house.daemon().await;
    for name in ["report", "own"] {
        assert_eq!(house.ends(&["fire", name, "--wait"]).await.0, Some(1), "{}", daemon.log());
    }
    daemon.stop().await;
    assert_eq!(
        house.rows("SELECT state, reason, coalesce(role, '-') FROM pushes").await,
        [["failed", "content", "-"]; 2]
    );
    assert!(house.im.requests_to("/hook").is_empty());
}
