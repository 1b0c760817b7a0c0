//! Verbs that need no database, and what the others say before there is one.

use insta::assert_snapshot;
use serde_json::Value;

use crate::cli::house::House;

/// Instants so far away that no run of the tests comes near them.
const FAR: &str = "\
daemon: {timezone: Asia/Shanghai}
accounts: [{id: screen, sender: console, im: qq}]
jobs:
- {name: new-year, at: 2091-01-01T00:00, push: {im: qq, group: 123456, text: hi}}
- {name: 春节问候-给全体成员和他们的家人, at: 2091-02-18T08:00, push: [{im: qq, user: 1, text: a}, {im: qq, user: 2, text: b}]}
- {name: nightly, at: 2091-03-25T02:30:00, timezone: Europe/Berlin, push: {im: qq, group: 1, text: hi}}
- {name: off, at: 2092-01-01T00:00, enabled: false, push: {im: qq, group: 1, text: hi}}
";

const WRONG: &str = "\
accounts:
- {id: a, sender: onebot11, url: \"http://127.0.0.1:1\", tokn: canary-7f3a}
jobs:
- {name: one, cron: \"0 9 * * *\", timezone: Asia/Shanghi, push: {im: qq, group: 1, text: hi}}
- {name: one, cron: \"0 0 30 2 *\", push: {im: q, group: 1, text: hi}}
";

#[test]
fn good_files_are_accepted() {
    let house = House::with_file(FAR);
    assert_snapshot!("check__fine", house.run("check").fine());
    assert_snapshot!("check__fine_json", house.run("check --json").fine());
    assert_snapshot!(
        "check__embedded_example",
        House::empty()
            .command(["check"])
            .env_remove("PUSHCRON_CONFIG")
            .output()
            .map(crate::cli::house::Told::from)
            .unwrap()
            .fine()
    );
}

#[test]
fn bad_files_are_refused_with_every_place_and_no_secret() {
    let house = House::with_file(WRONG);
    let told = house.run("check").refused(78);
    assert_snapshot!("check__refused", told);
    assert!(!told.contains("canary"), "{told}");

    let run = house.run("check --json");
    assert_eq!((run.code, run.err.as_str()), (Some(78), ""));
    assert!(!run.out.contains("canary"), "{}", run.out);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["ok"], false);
    let lines: Vec<i64> = report["errors"].as_array().unwrap().iter().map(|e| e["line"].as_i64().unwrap()).collect();
    assert_eq!(lines, [2, 4, 5, 5, 5], "{report}");
    // Everything that reads the files says the same.
    assert_eq!(house.run("next").refused(78), told);
    assert_eq!(house.run("run").refused(78), told);
}

/// A text or a file that would not go out as it was meant is told before its hour.
#[test]
fn check_looks_ahead_at_files_that_are_not_there_and_texts_that_go_out_as_they_stand() {
    let jobs = [
        ("image: charts/none.png", "this local file is not there now"),
        ("image: 'charts/day-*.png'", "a pattern of file names is not expanded"),
        ("file: link.txt", "behind a link that leads out of daemon.media_roots"),
        ("text: 'It is {{ due }}'", "'{{' looks like a template, and goes out as it stands"),
        ("text: 'Report of %F'", "'%F' looks like a form of a date, and goes out as it stands"),
        ("text: 'Up since $(uptime)'", "'$(' looks like a command of a shell, and goes out as it stands"),
    ];
    let lines: Vec<String> = jobs
        .iter()
        .enumerate()
        .map(|(n, (content, _))| format!("- {{name: j{n}, every: 1h, push: {{im: qq, group: 1, {content}}}}}\n"))
        .collect();
    let head = "accounts: [{id: screen, sender: console, im: qq}]\n";
    let house = House::with_file(&format!("{head}jobs:\n{}", lines.concat()));
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), house.path("link.txt")).unwrap();
    let report: Value = serde_json::from_str(&house.run("check --json").fine()).unwrap();
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), jobs.len(), "{report}");
    for (n, (warning, (content, words))) in warnings.iter().zip(jobs).enumerate() {
        assert!(warning["message"].as_str().unwrap().contains(words), "{content}: {warning}");
        assert_eq!(warning["line"], n + 3, "{content}: {warning}");
        assert!(warning["hint"].is_string(), "{content}: {warning}");
    }
    let column = lines[3].find("{{ due").unwrap() + 1;
    assert_eq!(warnings[3]["column"], column, "the very sign: {}", warnings[3]);

    // Rendered, what would stand there by mistake is an error.
    let refused = format!("{head}defaults: {{render: true}}\njobs:\n{}", lines[3..].concat().replace("due", "duee"));
    let house = House::with_file(&refused);
    let run = house.run("check --json");
    assert_eq!(run.code, Some(78), "{}", run.out);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let told: Vec<(i64, i64, &str)> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let at = |key: &str| error[key].as_i64().unwrap();
            (at("line"), at("column"), error["message"].as_str().unwrap())
        })
        .collect();
    let columns = [column + 3, lines[4].find("%F").unwrap() + 1, lines[5].find("$(").unwrap() + 1];
    let expected = [
        (4, columns[0] as i64, "template: there is no variable 'duee'"),
        (5, columns[1] as i64, "'%F' looks like a form of a date, and goes out as it stands"),
        (6, columns[2] as i64, "'$(' looks like a command of a shell, and goes out as it stands"),
    ];
    assert_eq!(told, expected);
    assert_eq!(report["errors"][0]["hint"], "did you mean 'due'?");
}

/// A good token's shape, which stands where a chat should.
const TOKEN: &str = "7700112233:AAHcanaryCanaryCanaryCanaryCanaryCa";

#[test]
fn targets_that_the_sender_could_never_write_to_are_refused_with_their_form() {
    const ACCOUNTS: &str = "accounts:\n- {id: t, sender: telegram, token_file: token}\n";
    let wrong = [
        ("group", "-1001234567890/abc", ""),
        ("group", "-1001234567890/", ""),
        ("group", "-1001234567890:17", "write -1001234567890/17"),
        ("group", "t.me/news", "write @news"),
        ("group", "https://t.me/news", "write @news"),
        ("group", "-100 1234567890", "write -1001234567890"),
        ("user", "news", ""),
        ("group", TOKEN, ""),
    ];
    for (key, id, advice) in wrong {
        let house = House::with_file(&format!(
            "{ACCOUNTS}jobs:\n- name: j\n  every: 1m\n  push:\n    im: telegram\n    {key}: \"{id}\"\n    text: hi\n"
        ));
        house.write("token", "1:a");
        let told = house.run("check").refused(78);
        let column = key.len() + 7;
        assert!(told.starts_with(&format!("jobs.yaml:8:{column}: ")), "{told}");
        assert!(told.contains("expected a chat's number such as -1001234567890 or a channel's @name"), "{told}");
        assert!(told.contains(advice), "{told}");
        assert_eq!(told.contains(id), id != TOKEN, "{told}");
        assert_eq!(house.run("next").refused(78), told, "whoever reads the files says the same");

        let house = House::with_file(&format!("{ACCOUNTS}jobs: []\n"));
        house.write("token", "1:a");
        let told = house.run_words(["push", "--im", "telegram", &format!("--{key}"), id, "--text", "hi"]).refused(64);
        assert!(told.contains("expected a chat's number") && told.contains(advice), "{told}");
        assert_eq!(told.contains(id), id != TOKEN, "{told}");
        assert!(!house.path("pushcron.db").exists(), "nothing was begun");
    }
}

#[test]
fn coming_fires_are_shown_to_people_and_programs() {
    let house = House::with_file(FAR);
    assert_snapshot!("next__people", house.run("next").fine());
    assert_snapshot!("next__utc", house.run("next --utc -n 2").fine());
    assert_snapshot!("next__csv", house.run("next --csv").fine());
    assert_snapshot!("next__json", house.run("next --json -n 1").fine());
    assert_snapshot!("next__disabled_job", house.run("next off").fine());
    assert_snapshot!("next__no_such_job", house.run("next nihgtly").refused(1));
}

#[test]
fn a_job_that_fires_often_does_not_bury_the_others() {
    let house = House::with_file(
        "accounts: [{id: screen, sender: console, im: qq}]\njobs:\n\
         - {name: tick, every: 30s, push: {im: qq, group: 1, text: hi}}\n\
         - {name: far, at: 2091-01-01T00:00, push: {im: qq, group: 1, text: hi}}\n",
    );
    let lines: Vec<String> = house.run("next").fine().lines().map(str::to_owned).collect();
    let count = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!((count("tick"), count("far")), (5, 1), "{lines:?}");
    assert!(lines[5].ends_with("2875 more by then"), "{lines:?}");
    assert_eq!(house.run("next -n 40 --csv").fine().lines().count(), 41);
}

#[test]
fn summer_time_is_noted_where_it_moves_a_fire() {
    let house = House::with_file(
        "accounts: [{id: screen, sender: console, im: qq}]\njobs:\n\
         - {name: nightly, cron: \"30 2 * * *\", timezone: Europe/Berlin, push: {im: qq, group: 1, text: hi}}\n",
    );
    let rows: Vec<Value> = serde_json::from_str(&house.run("next nightly -n 366 --json").fine()).unwrap();
    let notes: Vec<&str> = rows.iter().filter_map(|row| row["note"].as_str()).collect();
    let spring = notes.iter().filter(|note| note.starts_with("02:30 does not exist on ")).count();
    let autumn = notes.iter().filter(|note| note.starts_with("first of two 02:30")).count();
    assert_eq!((notes.len(), spring, autumn), (2, 1, 1), "{notes:?}");
}

#[test]
fn without_a_database_verbs_say_what_to_do() {
    let house = House::with_file(FAR);
    let told = house.plain(&house.run("jobs").refused(69));
    assert_snapshot!("jobs__no_database", told);
    for line in [
        "accounts",
        "history",
        "status",
        "show 1",
        "explain a 09:00",
        "fire a",
        "retry 1",
        "cancel 1",
        "resolve 1 sent",
        "pause a",
        "resume a",
        "backup b.db",
    ] {
        assert_eq!(house.plain(&house.run(line).refused(69)), told, "{line}");
    }
    assert!(!house.path("pushcron.db").exists(), "a verb made a database");
    let elsewhere = house.run("jobs --db other.db").refused(69);
    assert!(elsewhere.contains("no database other.db yet"), "{elsewhere}");
}

#[test]
fn usage_is_told_with_64_and_help_with_0() {
    let house = House::empty();
    for line in [
        "",
        "fly",
        "history --limit many",
        "jobs --json --csv",
        "push --im qq --text a",
        "completions tcsh",
        "-v -q jobs",
    ] {
        let run = house.run(line);
        assert_eq!((run.code, run.out.as_str()), (Some(64), ""), "{line}");
        assert!(!run.err.is_empty(), "{line}");
    }
    assert_snapshot!("help__all", house.run("--help").fine());
    assert_snapshot!("help__history", house.run("history --help").fine());
    assert_eq!(house.run("--version").fine(), format!("pushcron {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn files_come_from_the_options_or_else_the_environment() {
    let house = House::with_file("accounts: []\njobs: []\n");
    house.write("more.yaml", "accounts: [{id: screen, sender: console, im: qq}]\n");
    assert_eq!(house.run("check").fine(), "fine: 1 file, 0 jobs, 0 accounts\n");
    assert_eq!(house.run("check -c more.yaml -c jobs.yaml").fine(), "fine: 2 files, 0 jobs, 1 account\n");
    assert_eq!(house.run("-c . check").fine(), "fine: 2 files, 0 jobs, 1 account\n");
    let run = house.command(["check"]).env("PUSHCRON_CONFIG", "more.yaml:jobs.yaml").output().unwrap();
    assert_eq!(crate::cli::house::Told::from(run).fine(), "fine: 2 files, 0 jobs, 1 account\n");
    assert!(house.run("-c absent.yaml check").refused(78).contains("absent.yaml"));
}

#[test]
fn what_only_a_sender_can_judge_is_refused_too() {
    let house = House::with_file(
        "accounts: [{id: a, im: qq, sender: onebot11, url: \"http://127.0.0.1:1\", ca_file: /nowhere.pem}]\njobs: []\n",
    );
    let told = house.run("check").refused(78);
    assert!(told.contains("account a: ") && told.contains("nowhere.pem"), "{told}");
    assert!(told.ends_with("pushcron: the configuration is refused: 1 problem\n"), "{told}");
    let report: Value = serde_json::from_str(&house.run("check --json").out).unwrap();
    assert_eq!((&report["ok"], report["errors"].as_array().map(Vec::len)), (&false.into(), Some(1)), "{report}");
    assert_eq!(house.run("run").code, Some(78));
}

#[test]
fn a_database_that_cannot_be_read_hides_no_pause() {
    let house = House::with_file(FAR);
    house.write("pushcron.db", "no database at all");
    let run = house.run("next new-year -n 1 --json");
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("which jobs are paused cannot be told") && run.err.contains("damaged"), "{}", run.err);
    let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    assert_eq!(rows[0]["paused"], Value::Null, "{}", run.out);
    assert!(house.run("next").err.contains("which jobs are paused cannot be told"));
}

#[test]
fn check_refuses_a_database_that_run_would_refuse() {
    let house = House::with_file("accounts: [{id: screen, sender: console, im: qq}]\njobs: []\n");
    std::fs::create_dir(house.path("directory.db")).unwrap();
    house.write("text.db", &"no database at all\n".repeat(20));
    let other = rusqlite::Connection::open(house.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE a (b)").unwrap();
    other.close().unwrap();
    std::os::unix::fs::symlink("nowhere", house.path("link.db")).unwrap();
    for (name, told) in [
        ("directory.db", "this is no file"),
        ("text.db", "file is not a database"),
        ("other.db", "not one of pushcron's"),
        ("link.db", "a symbolic link to nowhere"),
        (":memory:", "the database must be a file"),
    ] {
        let check = house.run(&format!("check --db {name}")).refused(78);
        assert!(check.contains(told), "{name}: {check}");
        let run = house.run(&format!("run --db {name}"));
        assert!(run.code == Some(69) && run.err.contains(told), "{name}: {:?} {}", run.code, run.err);
        house.write("named.yaml", &format!("daemon: {{database: \"{name}\"}}\njobs: []\n"));
        // In the files it is a path whatever it is called.
        if name != ":memory:" {
            let named = house.run("check -c named.yaml").refused(78);
            assert!(named.contains(told), "{name}: {named}");
        }
    }
    // Where nothing is there yet it can be made, and what was made and never written to is as good.
    house.run("check --db new.db").fine();
    house.write("empty.db", "");
    assert_eq!(house.run("check --db empty.db").code, Some(0));
    assert!(!house.path("new.db").exists(), "a look makes nothing");
    let told = house.run("check --db nowhere/new.db");
    assert!(told.code == Some(0) && told.err.contains("the directory nowhere is not there"), "{}", told.err);
    // One of ours, also beside a daemon that has just made it.
    let ours = House::lived_in();
    ours.run("check").fine();
    ours.write("jobs.yaml", "accounts: [{id: screen, sender: console, im: qq}]\n");
    let check = ours.run("check").refused(78);
    assert!(check.contains("'jobs: []'"), "{check}");
    assert!(ours.run("run").err.contains("'jobs: []'"));
}

#[test]
fn check_tells_of_addresses_that_nothing_is_fetched_from() {
    let push = "push: {im: qq, group: 1, text: hi}";
    for (job, told) in [
        (
            "content_from: {http: \"https://127.0.0.1:9/a\"}, push: {im: qq, group: 1}",
            "127.0.0.1: nothing is fetched from loopback addresses",
        ),
        (
            "content_from: {http: \"https://[::ffff:10.0.0.1]/a\"}, push: {im: qq, group: 1}",
            ": nothing is fetched from IPv4-mapped addresses",
        ),
        (
            "content_from: {http: \"https://localhost/a\"}, push: {im: qq, group: 1}",
            "localhost: nothing is fetched from loopback addresses",
        ),
        ("push: {to: list, text: hi}", "192.168.1.5: nothing is fetched from private addresses"),
    ] {
        let list =
            "targets: {list: {im: qq, from: {lines: \"https://192.168.1.5/a\", user: id}}, other: {im: qq, user: 1}}";
        let targets = if job.contains("list") { list } else { "" };
        let yaml = format!(
            "accounts: [{{id: screen, sender: console, im: qq}}]\njobs: [{{name: one, cron: \"0 9 * * *\", {job}}}]\n{targets}\n"
        );
        let house = House::with_file(&yaml);
        let check = house.run("check").refused(78);
        assert!(check.contains(told) && check.contains("media_allow_private"), "{job}: {check}");
        house.write("jobs.yaml", &format!("daemon: {{media_allow_private: true}}\n{yaml}"));
        house.run("check").fine();
    }
    // As other media that will not be sent: the push goes, and fails by itself.
    let media = push.replace("text: hi", "image: \"http://10.1.2.3/a.png\"");
    let house = House::with_file(&format!(
        "accounts: [{{id: screen, sender: console, im: qq}}]\njobs: [{{name: one, cron: \"0 9 * * *\", {media}}}]\n"
    ));
    let told = house.run("check");
    assert!(
        told.code == Some(0) && told.err.contains("10.1.2.3: nothing is fetched from private addresses"),
        "{}",
        told.err
    );
}
