//! Verbs beside a running daemon, and `push` without one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::cli::house::House;
use crate::cli::running::Daemon;

const FILE: &str = "\
accounts: [{id: screen, sender: console, im: qq}, {id: closed, sender: onebot11, im: off, url: \"http://127.0.0.1:9\"}]
defaults: {retry: {give_up_after: 1h}}
jobs:
- {name: yearly, cron: \"0 0 1 1 *\", push: [{im: qq, group: 1, text: 新年好}, {im: qq, user: 2, text: b}]}
- {name: stuck, cron: \"0 0 1 1 *\", push: {im: off, group: 1, text: hi}}
";

#[test]
fn a_running_daemon_sends_what_verbs_ask_for() {
    let house = House::with_file(FILE);
    let mut daemon = Daemon::start(&house, &["run"]);
    daemon.line_with("started");

    // As with `push`, a wait may have its limit.
    let run = house.run("fire stuck --wait=100ms");
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(
        run.out.contains("pending") && run.err.contains("100ms are over; the daemon goes on"),
        "{}{}",
        run.out,
        run.err
    );
    house.run("cancel 1").fine();

    let run = house.run("fire yearly --wait");
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.starts_with("yearly fired: pushes 2, 3\n") && run.out.contains("2 pushes: 2 sent"), "{}", run.out);

    assert_eq!(house.run_words(["push", "--im", "qq", "--user", "7", "--text", "an der Straße"]).fine(), "1\n");
    let run = house.run("push --im off --user 7 --text hi --wait 100ms");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "0\n"), "{}", run.err);
    assert!(run.err.contains("the daemon goes on trying"), "{}", run.err);

    // Accounts are known as soon as they were asked, and not at their next turn.
    assert!(!house.run("accounts").fine().contains("not probed"));
    // What reads works beside it, and a second daemon does not.
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["cancelled", "sent", "sent", "sent", "pending"]);
    assert_eq!((&rows[3]["job"], &rows[3]["account"]), (&Value::Null, &"screen".into()));
    let told = house.plain(&house.run("run").refused(69));
    assert!(told.contains(&format!("pid {}", daemon.child.id())), "{told}");
    house.run("backup copy.db").fine();

    let fire = house.run("fire stuck").fine();
    assert_eq!(fire, "stuck fired: push 6\n");
    house.run("cancel 6").fine();
    let explained = house.run("explain stuck 1m").fine();
    assert!(explained.contains("cancelled by hand"), "{explained}");
}

#[test]
fn the_ledger_balances_beside_a_running_daemon_whenever_it_is_asked() {
    let jobs = ["allow", "skip", "replace"].map(|overlap| {
        format!("- {{name: {overlap}, every: 1s, overlap: {overlap}, push: {{im: qq, user: 1, text: hi}}}}\n")
    });
    let house =
        House::with_file(&format!("accounts: [{{id: screen, sender: console, im: qq}}]\njobs:\n{}", jobs.concat()));
    let _daemon = Daemon::start(&house, &["-qq", "run"]);
    let expected = |told: String| serde_json::from_str::<Value>(&told).unwrap()["expected"].as_u64().unwrap();
    let mut told = 0;
    for round in 0.. {
        let run = house.run("ledger --json");
        // There is no database until the daemon has made one.
        if run.code != Some(69) {
            told = expected(run.fine());
        }
        if told >= 9 {
            break;
        }
        if told > 0 {
            house.run(if round % 2 == 0 { "pause allow" } else { "resume allow" });
        }
        assert!(round < 3000, "nothing fires: {told}");
    }
}

#[test]
fn the_log_is_json_where_it_is_asked_for() {
    let house = House::with_file(FILE);
    let mut daemon = Daemon::start(&house, &["run", "--log-format", "json"]);
    let line: Value = serde_json::from_str(&daemon.line_with("started")).unwrap();
    assert_eq!((&line["level"], &line["jobs"]), (&"info".into(), &2.into()), "{line}");
    let quiet = House::with_file(FILE);
    let mut daemon = Daemon::start(&quiet, &["run", "-q"]);
    assert!(daemon.line_with("closed").contains(" WARN "));
}

#[test]
fn a_start_that_is_refused_is_json_too_where_it_is_asked_for() {
    let house = House::with_file("jobs: [{name: a}]");
    let told = house.run("run --log-format json").refused(78);
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "error", "{told}");
    let message = last["message"].as_str().unwrap();
    assert!(message.contains("jobs.yaml:1:") && message.contains("the configuration is refused"), "{told}");
    assert!(house.run("run").refused(78).contains("\npushcron: the configuration is refused"), "people read lines");
}

#[test]
fn what_a_reload_is_refused_for_is_told_line_by_line() {
    let house = House::with_file(&format!(
        "{FILE}- {{name: once, at: 2026-01-01T09:00, push: {{im: qq, group: 1, text: a}}}}\n"
    ));
    let mut daemon = Daemon::start(&house, &["run"]);
    let warned = daemon.line_with("is past, so this job will not fire");
    assert!(!warned.contains("\\n"), "{warned}");
    assert!(daemon.line_with("^").trim_end().ends_with("^^^^^^^^^^^^^^^^"));
    daemon.line_with("started");
    house.write("jobs.yaml", "jobs:\n  - {nam: x}\n");
    let pid = rustix::process::Pid::from_child(&daemon.child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let place = daemon.line_with("jobs.yaml:2:");
    let source = daemon.line_with("- {nam: x}");
    let last = daemon.line_with("not reloaded");
    assert!(last.contains("the configuration is refused, "), "{last}");
    for line in [place, source, last] {
        assert!(line.contains(" ERROR ") && !line.contains("\\n"), "{line}");
    }
}

#[test]
fn instants_of_single_jobs_are_told_by_the_clock_of_their_zone() {
    let file = |at: &str| {
        let job = format!("{{name: a, at: {at}, timezone: Asia/Shanghai, push: {{im: qq, user: u, text: a}}}}");
        format!("accounts: [{{id: screen, sender: console, im: qq}}]\njobs: [{job}]\n")
    };
    let past = House::with_file(&file("2020-01-02T20:00")).run("check");
    let told = past.out + &past.err;
    assert!(told.contains("at: 2020-01-02 20:00:00 (Asia/Shanghai) is past"), "{told}");
    let coming = House::with_file(&file("2099-01-02T20:00"));
    let told = coming.run("next").fine();
    assert!(told.contains(" once") && !told.contains("T12:00"), "{told}");
    let mut daemon = Daemon::start(&coming, &["run"]);
    daemon.line_with("started");
    let told = coming.run("jobs").fine();
    assert!(told.contains("at 2099-01-02 20:00 ") && !told.contains("T12:00"), "{told}");
    assert!(!told.contains("no daemon runs"), "{told}");
    drop(daemon);
    assert!(coming.run("jobs").fine().contains("no daemon runs on this database, so that nothing fires"));
    assert!(coming.run("accounts").fine().contains("no daemon runs on this database"));
}

#[test]
fn history_follows_pushes_to_their_end() {
    let house = House::with_file(FILE);
    let mut daemon = Daemon::start(&house, &["run"]);
    daemon.line_with("started");
    let mut follower =
        house.command(["history", "--follow", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    house.run("fire yearly").fine();
    // A follower that starts late also shows the pushes that were open then, before their end.
    let mut ended = (&mut lines)
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|row| row["state"] != "pending" && row["state"] != "sending");
    for target in ["group:1", "user:2"] {
        let row = ended.next().unwrap();
        assert_eq!((&row["target"], &row["state"]), (&target.into(), &"sent".into()));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_push_works_without_a_daemon() {
    let house = House::with_file(FILE);
    let run = house.run_words(["push", "--im", "qq", "--group", "1", "--text", "costs ${5} and $$"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.contains("costs ${5} and $$") && run.out.ends_with("\n1\n"), "{}", run.out);

    // Nobody asks the account again: it ends as soon as that is known, and says why.
    let run = house.run("push --im off --group 1 --text hi --wait 1h");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "0\n"));
    let lines: Vec<&str> = run.err.lines().collect();
    let why = "closed: get_status: cannot connect: Connection refused (os error 111); mend that, and ask again with \
               `pushcron accounts --probe`";
    assert_eq!(lines.len(), 2, "{}", run.err);
    assert_eq!(lines[0], format!("pushcron: it waits: no account could send; {why}"));
    let end = "pushcron: push 2 is cancelled: no account could send it, and no daemon goes on";
    assert_eq!(lines[1], format!("{end}; {why}"));
    let shown = house.run("show 2").fine().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("account closed now: offline: get_status: cannot connect"), "{shown}");
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sent", "cancelled"]);
}

#[test]
fn targets_and_texts_that_begin_with_a_dash_are_sent_as_they_are() {
    let house = House::with_file(FILE);
    let push = ["push", "--im", "qq", "--group", "-1001234567890", "--title", "-v2 is out", "--text", "-5°C"];
    let told = house.run_words(push).fine();
    assert!(told.contains("group:-1001234567890") && told.contains("-5°C") && told.ends_with("\n1\n"), "{told}");
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --im qq --json").fine()).unwrap();
    assert_eq!(rows[0]["target"], "group:-1001234567890");
    assert!(house.run("history --im -nobody").refused(1).contains("of the im '-nobody'"));

    let run = house.run("push --im qq --text --group 1");
    assert_eq!((run.code, run.out.as_str()), (Some(64), ""));
    assert!(run.err.contains("'--group' is an option of push") && run.err.contains("'--text=--group'"), "{}", run.err);
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_push_that_nobody_reads_about_ends_by_what_became_of_it() {
    let house = House::with_file(&FILE.replace(
        "jobs:\n",
        "jobs:\n- {name: once, cron: \"0 0 1 1 *\", retry: {max_attempts: 1, give_up_after: 1s}, push: {im: off, group: 1, text: a}}\n",
    ));
    for full_disk in [false, true] {
        let run = |line: &str| if full_disk { house.run_on_a_full_disk(line) } else { house.run_unread(line) };
        let bad = run("push --im off --group 1 --text hi --wait 50ms");
        assert_eq!(bad.code, Some(1), "{}", bad.err);
    }
    let mut daemon = Daemon::start(&house, &["run"]);
    daemon.line_with("started");
    for full_disk in [false, true] {
        let run = |line: &str| if full_disk { house.run_on_a_full_disk(line) } else { house.run_unread(line) };
        let (bad, good) =
            (run("push --im off --group 1 --text hi --wait 50ms"), run("push --im qq --group 1 --text hi"));
        assert_eq!((bad.code, good.code), (Some(1), Some(0)), "{}{}", bad.err, good.err);
        let (bad, good) = (run("fire once --wait"), run("fire yearly --wait"));
        assert_eq!((bad.code, good.code), (Some(1), Some(0)), "{}{}", bad.err, good.err);
    }
}

#[test]
fn a_push_carries_a_file_that_only_the_person_can_read() {
    let house = House::with_file(FILE);
    // A file beside no YAML file, given by a relative path.
    std::fs::create_dir(house.path("inner")).unwrap();
    house.write("inner/note.txt", "what is to be done");
    let mut command = house.command(["push", "--im", "qq", "--user", "1", "--file", "note.txt", "--title", "Note"]);
    command.current_dir(house.path("inner")).env("PUSHCRON_CONFIG", "../jobs.yaml");
    let run = crate::cli::house::Told::from(command.output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("note.txt") && run.out.contains("18 bytes"), "{}", run.out);

    house.write("jobs.yaml", &FILE.replace("defaults:", "daemon: {media_max_bytes: 10}\ndefaults:"));
    // As everything that is refused before anything is recorded, so that a script knows that nothing was sent.
    let told = house.run("push --im qq --user 1 --file inner/note.txt").refused(64);
    assert!(told.ends_with("inner/note.txt: larger than 10 bytes (daemon.media_max_bytes)\n"), "{told}");
    assert!(house.run("push --im qq --user 1 --file absent.txt").refused(64).contains("absent.txt: No such file"));
    house.write("latin1.txt", "");
    std::fs::write(house.path("latin1.txt"), b"gr\xfc\xdfe").unwrap();
    let mut command = house.command(["push", "--im", "qq", "--user", "1", "--text", "-"]);
    command.stdin(std::fs::File::open(house.path("latin1.txt")).unwrap());
    let told = crate::cli::house::Told::from(command.output().unwrap()).refused(64);
    assert!(told.starts_with("pushcron: standard input: "), "{told}");
}

#[test]
fn a_push_that_makes_no_sense_is_refused_before_anything_is_written() {
    let house = House::with_file(FILE);
    for (words, told) in [
        (&["--im", "qqq", "--group", "1", "--text", "a"][..], "there is no account for the im 'qqq'"),
        (&["--im", "qq", "--group", "1"], "a push needs content"),
        (&["--im", "qq", "--group", "1", "--text", "a", "--account", "scren"], "there is no account 'scren'"),
        (&["--im", "qq", "--group", "1", "--mixed", "{}"], "--mixed: expected a JSON list"),
        (&["--im", "qq", "--group", "1", "--mixed", "[{\"txt\": \"a\"}]"], "mixed[0]"),
        (
            &["--im", "qq", "--group", "1", "--mixed", "[{\"text\": \"a\", \"text\": \"b\"}]"],
            "the key 'text' is there twice",
        ),
        (
            &["--im", "qq", "--group", "1", "--text", "a", "--fallback", "{\"im\": \"q\", \"user\": 1, \"user\": 2}"],
            "the key 'user' is there twice",
        ),
        (&["--im", "qq", "--group", "1", "--text", "a", "--trigger", "message"], "--chat-im"),
        (
            &"--im qq --group 1 --text a --trigger message --chat-im qq --chat-account closed"
                .split(' ')
                .collect::<Vec<_>>(),
            "the account 'closed' is of the im 'off', not of 'qq'",
        ),
        (&["--im", "qq", "--group", "1", "--text", "a", "--timeout", "soon"], "timeout: expected"),
    ] {
        let run = house.run_words(["push"].iter().chain(words));
        assert_eq!((run.code, run.out.as_str()), (Some(64), ""), "{words:?}: {}", run.err);
        assert!(run.err.starts_with("pushcron: ") && run.err.contains(told), "{words:?}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
    assert!(!house.path("pushcron.db").exists());
}

#[test]
fn accounts_are_probed_without_a_daemon() {
    let house = House::with_file(FILE);
    let probed = house.run("accounts --probe --json");
    let told = "pushcron: down, and jobs go by it: closed\n";
    assert_eq!((probed.code, probed.err.as_str()), (Some(1), told));
    let rows: Vec<Value> = serde_json::from_str(&probed.out).unwrap();
    let known: Vec<(&str, Option<i64>)> =
        rows.iter().map(|row| (row["account"].as_str().unwrap(), row["online"].as_i64())).collect();
    assert_eq!(known, [("screen", Some(1)), ("closed", Some(0))]);
    let people = house.run("accounts --probe");
    assert_eq!((people.code, people.err.as_str()), (Some(1), told));
    let words = people.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("closed: get_status: cannot connect: Connection refused (os error 111)"), "{words}");
    // Of one that is down and that nobody goes by it is only told.
    house.write("jobs.yaml", &FILE.replace("im: off, group: 1", "im: qq, group: 1"));
    assert_eq!(house.run("accounts --probe").code, Some(0));
    // Columns are those of the view.
    let lived_in = House::lived_in();
    let columns = |line: &str| lived_in.run(line).fine().lines().next().unwrap().to_owned();
    assert_eq!(columns("accounts --probe --csv"), columns("accounts --csv"));
}
