//! Verbs that show what the database knows.

use insta::assert_snapshot;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::cli::house::{House, Told};

#[test]
fn jobs_are_shown_to_people_and_programs() {
    let house = House::lived_in();
    assert_snapshot!("jobs__people", house.run("jobs").fine());
    assert_snapshot!("jobs__utc", house.run("jobs --utc").fine());
    assert_snapshot!("jobs__csv", house.run("jobs --csv").fine());
    assert_snapshot!("jobs__json", house.run("jobs --json").fine());
}

#[test]
fn accounts_are_shown_to_people_and_programs() {
    let house = House::lived_in();
    assert_snapshot!("accounts__people", house.run("accounts").fine());
    assert_snapshot!("accounts__csv", house.run("accounts --csv").fine());
    assert_snapshot!("accounts__json", house.run("accounts --json").fine());
}

#[test]
fn the_history_is_shown_to_people_and_programs() {
    let house = House::lived_in();
    assert_snapshot!("history__people", house.run("history").fine());
    assert_snapshot!("history__utc", house.run("history --utc --limit 2").fine());
    assert_snapshot!("history__csv", house.run("history --csv").fine());
    assert_snapshot!("history__json", house.run("history --json --limit 2").fine());
}

#[test]
fn the_history_is_filtered() {
    let house = House::lived_in();
    let ids = |filter: &str| {
        let rows: Vec<Value> = serde_json::from_str(&house.run(&format!("history --json {filter}")).fine()).unwrap();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        ("", &[2, 3, 1, 5, 6, 4, 7, 8][..]),
        ("--job daily-report", &[1, 4, 7]),
        ("--job 每日晨报 --state failed", &[5]),
        ("--im weixin", &[2, 3, 5, 6]),
        ("--account bot_qq_spare", &[4]),
        ("--state unknown", &[6]),
        ("--since 2026-01-08", &[7, 8]),
        ("--since 2026-01-06T09:00", &[4, 7, 8]),
        ("--since 2026-01-06T01:00:00Z --limit 1", &[8]),
        ("--limit 0 --im qq", &[1, 4, 7, 8]),
        ("--job berlin", &[]),
        ("--state failed,unknown", &[5, 6]),
        ("--state failed --state pending", &[5, 7]),
        ("--state failed,unknown --job daily-report", &[]),
        ("--target 123456", &[1, 4, 7]),
        ("--target user:李四 --state sent", &[3]),
        ("--until 2026-01-05", &[1, 2, 3]),
        ("--since 2026-01-06T08:30 --until 2026-01-06T09:00", &[4, 5, 6]),
        ("--job 每日晨报 --at 2026-01-06T08:30", &[5, 6]),
        ("--at 2026-01-06", &[4, 5, 6]),
    ] {
        let mut found = ids(filter);
        let mut expected = expected.to_vec();
        // Which of several rows of one instant comes first is not promised.
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    assert_eq!(house.run("history --job berlin").fine(), "no pushes\n");
    assert_eq!(house.run("history --until 2020-01-01").fine(), "no pushes\n");
    let told = house.run("history --since yesterdayish").refused(64);
    assert!(told.starts_with("pushcron: --since: expected a time such as"), "{told}");
}

#[test]
fn a_filter_with_a_word_that_nobody_knows_is_refused_with_a_near_one() {
    let house = House::lived_in();
    for (filter, told) in [
        ("--job daily-reprot", "there is no job 'daily-reprot'; did you mean 'daily-report'?"),
        ("--job zzz", "there is no job 'zzz'; `pushcron jobs` lists them"),
        ("--im weixn", "no account and no push is of the im 'weixn'; did you mean 'weixin'?"),
        ("--im ntfy", "no account and no push is of the im 'ntfy'; `pushcron accounts` lists those that have one"),
        ("--account bot_qq_op", "there is no account 'bot_qq_op'; did you mean 'bot_qq_ops'?"),
        ("--target 123465", "no push goes to the target '123465'; did you mean '123456'?"),
        ("--target group:12345", "no push goes to the target 'group:12345'; did you mean 'group:123456'?"),
    ] {
        for more in ["", " --json", " --not-sent", " --follow"] {
            let told_here = house.run(&format!("history {filter}{more}")).refused(1);
            assert_eq!(told_here, format!("pushcron: {told}\n"), "{filter}{more}");
        }
    }
    // What is known, and has no push, is no slip.
    for filter in ["--im telegram", "--account 新账号", "--job berlin --state failed", "--im qq --job 每日晨报"]
    {
        assert_eq!(house.run(&format!("history {filter}")).fine(), "no pushes\n");
    }
    assert!(house.run("history --state failedd").refused(64).contains("'failed'"));
    assert!(house.run("history --at 2026-01-06 --since 2026-01-05").refused(64).contains("--since"));
    let told = house.run("history --since 2026-01-07 --until 2026-01-06").refused(64);
    assert!(told.contains("--until is not later than --since"), "{told}");
}

#[test]
fn who_did_not_get_it_and_why_is_one_question() {
    let house = House::lived_in();
    let ask = |words: &[&str]| house.run_words([&["history", "--not-sent"], words].concat());
    let told = ask(&["--job", "每日晨报", "--at", "2026-01-06 08:30"]);
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""));
    assert_snapshot!("history__not_sent", told.out);
    let all_well = ask(&["--job", "每日晨报", "--at", "2026-01-05 08:30"]);
    assert_eq!((all_well.code, all_well.out.as_str()), (Some(0), "all of it was sent\n"));
    // What was missed has no push that could tell.
    let missed = ask(&["--job", "daily-report", "--at", "2026-01-07 09:00"]);
    assert_eq!(missed.code, Some(1));
    let sentence = "daily-report: 2026-01-07 09:00 was missed: it was noticed too late, and only the latest";
    assert!(missed.out.starts_with(sentence), "{}", missed.out);
    let missed = ask(&["--since", "2026-01-05", "--until", "2026-01-07", "--json"]);
    assert_eq!((missed.code, missed.err.starts_with(sentence)), (Some(1), true), "{}", missed.err);
    let rows: Vec<Value> = serde_json::from_str(&missed.out).unwrap();
    assert_eq!(rows.len(), 2);
    // Of what nobody knows anything, it is not said that all is well.
    let nothing = ask(&["--job", "daily-report", "--at", "2026-01-09 09:00"]);
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.out.contains("no daemon has run since"), "{}", nothing.out);
    let nothing = ask(&["--job", "daily-report", "--at", "2026-01-05 10:00"]);
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.out.contains("was not due at"), "{}", nothing.out);
    let nothing = ask(&["--since", "2020-01-01", "--until", "2020-01-02"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), "there were no pushes\n"));
}

#[test]
fn a_fire_whose_pushes_are_still_to_be_made_is_not_sent_yet() {
    let house = House::with_unmade_pushes();
    let by_list = "held: 2026-01-06 09:00 is not sent yet: its pushes wait for a list of days (own: no list for 2026-01-06: held), 12h at most\n";
    let by_content =
        "held: 2026-01-07 09:00 is not sent yet: its content or its recipients are still to be had\n".to_owned();
    let both = format!("{by_list}{by_content}");
    for (filter, told) in [
        ("--job held", &both),
        ("--im telegram", &both),
        ("--account 新账号", &both),
        ("--target group:9", &both),
        ("--job held --at 2026-01-07", &by_content),
    ] {
        assert_eq!(&house.run(&format!("history --not-sent {filter}")).refused_with_words(1), told, "{filter}");
    }
    let json = house.run("history --not-sent --job held --json");
    assert_eq!((json.code, json.out.trim(), json.err), (Some(1), "[]", both));
    assert!(house.run("status").out.contains("pushes are still to be made"), "{}", house.run("status").out);
    let status: Value = serde_json::from_str(&house.run("status --json").out).unwrap();
    assert_eq!(status["waiting_fires"], 2);
}

#[test]
fn an_instant_that_no_daemon_has_decided_about_is_not_sent() {
    let house = House::lived_in();
    let three =
        "daily-report: 2026-01-09 09:00 and 2 instants until 2026-01-13 09:00 have no row: no daemon has run since\n";
    let one = "daily-report: 2026-01-09 09:00 has no row: no daemon has run since\n";
    // Of the others one is paused, and one disabled.
    for (filter, told) in [
        ("--since 2026-01-09 --until 2026-01-13", three),
        ("--since 2026-01-09 --until 2026-01-13 --job daily-report", three),
        ("--since 2026-01-09 --until 2026-01-13 --im qq --account bot_qq_ops --target 123456", three),
        ("--at 2026-01-09", one),
        ("--at 2026-01-09 --job daily-report", one),
    ] {
        assert_eq!(house.run(&format!("history --not-sent {filter}")).refused_with_words(1), told, "{filter}");
    }
    let open = house.run("history --not-sent --since 2026-01-09");
    assert_eq!((open.code, open.out.contains("have no row: no daemon has run since")), (Some(1), true), "{}", open.out);
    // What is not called for, and what is to come, is well.
    for filter in ["--at 2026-01-10", "--since 2091-01-01", "--until 2026-01-04"] {
        assert_eq!(house.run(&format!("history --not-sent {filter}")).fine(), "there were no pushes\n", "{filter}");
    }
}

#[test]
fn what_an_unrelated_job_missed_is_nothing_to_whom_the_filter_names() {
    let house = House::lived_in();
    for filter in
        ["--im telegram", "--account 新账号", "--target 张三@微信 --at 2026-01-07", "--im weixin --at 2026-01-07"]
    {
        assert_eq!(house.run(&format!("history --not-sent {filter}")).fine(), "there were no pushes\n", "{filter}");
    }
    for filter in ["--im qq", "--account bot_qq_ops", "--account bot_qq_spare", "--target 123456"] {
        let told = house.run(&format!("history --not-sent {filter} --at 2026-01-07")).refused_with_words(1);
        assert!(told.starts_with("daily-report: 2026-01-07 09:00 was missed: "), "{filter}: {told}");
    }
}

#[test]
fn a_table_is_as_wide_as_it_is_wanted_to_be() {
    let house = House::lived_in();
    let run = |line: &str, columns: &str| {
        let mut command = house.command(line.split_whitespace());
        crate::cli::house::Told::from(command.env("COLUMNS", columns).output().unwrap()).fine()
    };
    let why = "the connection broke after the request had left";
    assert!(run("history", "200").contains(why));
    assert_eq!(run("history", "many"), run("history", "80"));
    for width in ["60", "80", "100", "130"] {
        let table = run("history --state failed,unknown,sent", width);
        let most: usize = width.parse().unwrap();
        assert!(table.lines().all(|line| line.width() <= most), "{width}: {table}");
        // To whom, and what became of it, is there whatever else is not.
        let titles = table.lines().next().unwrap();
        assert!(titles.contains("target") && titles.contains("state") && titles.contains("why"), "{width}: {table}");
        assert!(table.contains("user:张三@微信") || most < 80, "{width}: {table}");
    }
    let wide = house.run("history --wide").fine();
    for told in [why, "tries", "late", "account", "user:张三@微信", "get_status"] {
        assert_eq!(wide.contains(told), told != "get_status", "{told}: {wide}");
    }
    assert!(house.run("accounts --wide").fine().contains("Connection refused (os error 111)"));
}

#[test]
fn everything_about_a_push_is_shown() {
    let house = House::lived_in();
    assert_snapshot!("show__failed", house.run("show 5").fine());
    assert_snapshot!("show__retried", house.run("show 4").fine());
    assert_snapshot!("show__open_and_outside_any_job", house.run("show 7 8").fine());
    let told: Value = serde_json::from_str(&house.run("show 6 --json").fine()).unwrap();
    assert_eq!((&told[0]["job"], &told[0]["message"]["text"]), (&"每日晨报".into(), &"hello".into()));
    assert_eq!(told[0]["fire"]["pushes"][0]["attempts"][0]["outcome"], "unknown");
    // The others are shown all the same.
    let run = house.run("show 99 6");
    assert_eq!(
        (run.code, run.err.as_str()),
        (Some(1), "pushcron: there is no push 99; `pushcron history` lists them\n")
    );
    assert!(run.out.contains("push 6 to weixin user:李四 is unknown"), "{}", run.out);
    // Nothing is advised that could arrive twice.
    let told = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("look at the chat, then `pushcron resolve 6 sent|failed`"), "{told}");
}

#[test]
fn tables_fit_80_columns_and_foreign_text_cannot_break_them() {
    let house = House::lived_in();
    for verb in ["jobs", "accounts", "history"] {
        let table = house.run(verb).fine();
        for line in table.lines().filter(|line| !line.contains(';')) {
            assert!(line.width() <= 80, "{verb}: {} columns: {line}", line.width());
        }
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(!table.lines().any(|line| line.starts_with("99")), "{table}");
    }
    // Programs get it as it is.
    let rows: Vec<Value> = serde_json::from_str(&house.run("history --json --state failed").fine()).unwrap();
    assert_eq!(rows[0]["error"], "no such user\u{1b}[2J\n99  forged  sent");
}

#[test]
fn a_fire_is_explained() {
    let house = House::lived_in();
    let explain = |job: &str, time: &str| house.run_words(["explain", job, time]).fine();
    assert_snapshot!("explain__sent", explain("daily-report", "2026-01-05T09:00"));
    assert_snapshot!("explain__retried_through_another", explain("daily-report", "2026-01-06T01:00:00Z"));
    assert_snapshot!("explain__failed_and_unknown", explain("每日晨报", "2026-01-06 08:30"));
    assert_snapshot!("explain__missed", explain("daily-report", "2026-01-07 09:00:00"));
    assert_snapshot!("explain__by_hand", explain("daily-report", "2026-01-08T09:00:01"));
}

#[test]
fn a_fire_is_explained_in_the_language_of_the_locale_and_to_programs_in_english() {
    let house = House::lived_in();
    let told = |line: &[&str]| {
        let run: Told = house.command(line).env("LANG", "zh_CN.UTF-8").output().unwrap().into();
        run.fine()
    };
    let explain = |job: &str, time: &str| told(&["explain", job, time]);
    let all = [
        explain("daily-report", "2026-01-06T01:00:00Z"),
        explain("每日晨报", "2026-01-06 08:30"),
        explain("daily-report", "2026-01-07 09:00:00"),
        explain("daily-report", "2026-01-08T09:00:01"),
        explain("daily-report", "2026-01-05 10:00"),
        explain("berlin", "2031-03-30 02:30"),
    ];
    assert!(all.iter().flat_map(|told| told.lines()).all(|line| line.width() <= 100), "{all:?}");
    assert_snapshot!("explain__in_chinese", all.join("\n"));
    let line = ["explain", "daily-report", "2026-01-05T09:00", "--json"];
    assert_eq!(told(&line), house.run_words(line).fine());
}

#[test]
fn what_did_not_happen_is_explained_too() {
    let house = House::lived_in();
    let explain = |job: &str, time: &str| house.run_words(["explain", job, time]).fine();
    assert_snapshot!("explain__not_in_the_schedule", explain("daily-report", "2026-01-05 10:00"));
    assert_snapshot!("explain__before_the_ledger", explain("daily-report", "2025-12-01 09:00"));
    assert_snapshot!("explain__not_decided_yet", explain("daily-report", "2026-01-09 09:00"));
    assert_snapshot!("explain__in_the_gap", explain("berlin", "2031-03-30 02:30"));
    assert_snapshot!("explain__to_come", explain("berlin", "2031-03-29 02:00"));
    assert_eq!(
        house.run("explain nobody 09:00").refused(1),
        "pushcron: there is no job 'nobody'; `pushcron jobs` lists them\n"
    );
    assert!(house.run("explain berlin soon").refused(64).starts_with("pushcron: expected a time such as"));
}

#[test]
fn a_filter_that_names_nobody_is_refused_with_the_name_that_was_meant() {
    let house = House::lived_in();
    for (line, told) in [
        ("history --job zzz", "there is no job 'zzz'; `pushcron jobs` lists them"),
        ("history --job daily-reprot", "there is no job 'daily-reprot'; did you mean 'daily-report'?"),
        ("history --job daily-reprot --follow --json", "did you mean 'daily-report'?"),
        ("history --account scren --state failed", "there is no account 'scren'; did you mean 'screen'?"),
        ("history --account nobody", "there is no account 'nobody'; `pushcron accounts` lists them"),
        ("history --im telegarm --csv", "no account and no push is of the im 'telegarm'"),
    ] {
        assert!(house.run(line).refused(1).contains(told), "{line}: {}", house.run(line).err);
    }
    // What is known and has no pushes, or none that fit.
    house.write(
        "jobs.yaml",
        "accounts: [{id: screen, sender: console, im: qq}, {id: new, sender: console, im: fresh}]\n\
         jobs: [{name: newcomer, every: 1h, push: {im: qq, group: 1, text: a}}]\n",
    );
    for line in ["history --job berlin --since 2090-01-01", "history --account new", "history --im fresh"] {
        assert_eq!(house.run(line).fine(), "no pushes\n", "{line}");
    }
    let told = house.run("history --job newcomer").refused(1);
    assert!(told.contains("job 'newcomer' is in the files, and no daemon has loaded it"), "{told}");
    for verb in ["fire newcomr", "pause newcomr", "ledger newcomr", "explain newcomr 09:00", "export newcomr"] {
        assert!(house.run(verb).refused(1).contains("did you mean 'newcomer'?"), "{verb}: {}", house.run(verb).err);
    }
}

#[test]
fn explain_without_a_time_says_what_a_time_looks_like() {
    let told = House::lived_in().run("explain berlin").refused(64);
    let line = "TIME: 09:00, 2026-01-01T09:00, 2026-01-01 (the whole day), 2026-01-01T01:00:00Z";
    assert!(told.contains("<TIME>") && told.contains(line) && told.contains("Usage: pushcron explain"), "{told}");
    let told = House::lived_in().run("resume").refused(64);
    assert!(told.contains("<JOB>") && !told.contains("TIME"), "{told}");
}

#[test]
fn a_word_that_is_no_number_is_answered_with_what_was_expected() {
    let house = House::lived_in();
    for line in ["cancel abc", "retry 99999999999999999999", "show 0", "resolve x sent"] {
        let told = house.run(line).refused(64);
        assert!(told.contains("expected the number of a push, as `pushcron history` shows it"), "{line}: {told}");
    }
    assert!(house.run("history --limit x").refused(64).contains("a number of pushes such as 20, or 0 for all"));
}

#[test]
fn a_time_that_ends_before_it_begins_is_refused() {
    let house = House::lived_in();
    for (line, told) in [
        ("ledger --from 2026-01-07 --until 2026-01-06", "--until is not later than --from"),
        ("ledger berlin --from 2026-01-06 --until 2026-01-06 --json", "--until is not later than --from"),
        ("ledger --since 2091-01-01", "--from: 2091-01-01 is still to come"),
        ("ledger --from 2091-01-01", "--from: 2091-01-01 is still to come"),
        ("ledger --from 2091-01-01 --until 2092-01-01", "--from: 2091-01-01 is still to come"),
        ("explain berlin 0h", "'0h' is no stretch of time"),
        ("simulate --from 2027-01-02 --until 2027-01-01", "expected an end after the beginning"),
    ] {
        assert!(house.run(line).refused(64).contains(told), "{line}: {}", house.run(line).err);
    }
    assert_eq!(house.run("ledger --from 2026-01-06 --until 2026-01-07").code, Some(0));
    assert_eq!(house.run("ledger berlin --until 2091-01-01").code, Some(1), "what is to come is not looked at");
}

#[test]
fn programs_get_an_explanation_with_the_rows_behind_it() {
    let house = House::lived_in();
    let told = house.run("explain daily-report 2026-01-06T01:00:00Z --json").fine();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["calls"], serde_json::json!(["2026-01-06T01:00:00.000Z"]));
    let push = &told["story"]["fires"][0]["pushes"][0];
    assert_eq!((&push["state"], &push["attempts"][0]["outcome"]), (&"sent".into(), &"unreachable".into()));
    assert_eq!(
        (&push["attempts"][1]["account"], &push["attempts"][1]["rule"]),
        (&"bot_qq_spare".into(), &"first_online".into())
    );
    assert!(told["answer"].as_str().unwrap().starts_with("daily-report was due"), "{told}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::io::Read;
    let house = House::lived_in();
    for verb in [["history", "--json"], ["completions", "bash"]] {
        let mut child = house
            .command(verb)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""), "{verb:?}");
    }
}
