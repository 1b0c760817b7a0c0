//! `simulate --db`: a database as a daemon would have left it, for every verb that reads, and for no daemon.

use crate::cli::house::House;
use crate::common::rows::query;

const FILES: &str = "
daemon: {timezone: Asia/Shanghai}
accounts: [{id: bot, im: qq, sender: console, default: true}]
jobs:
  - {name: morning, cron: '0 9 * * *', push: {im: qq, group: '1', text: good morning}, retry: {give_up_after: 30m}}
  - {name: report, cron: '0 9 * * *', push: {im: qq, group: '2', text: report}, retry: {give_up_after: 2h}}
  - {name: midnight, cron: '0 0 * * *', push: {im: qq, user: '3', text: hi}}
";
const OUTAGE: &str = "
events:
  - {from: 2026-12-03T08:55, until: 2026-12-03T09:40, account: bot, is: down}
  - {from: 2026-12-05T20:00, until: 2026-12-06T10:00, daemon: off}
";
const WEEK: &str = "simulate --from 2026-12-01 --days 7 --scenario outage.yaml";

fn house() -> House {
    let house = House::with_file(FILES);
    house.write("outage.yaml", OUTAGE);
    house
}

fn files(house: &House) -> Vec<String> {
    let names = std::fs::read_dir(house.dir.path()).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_verb_that_reads_works_on_what_a_simulation_wrote() {
    let house = house();
    let told = house.run(WEEK).fine();
    assert_eq!(house.run(&format!("{WEEK} --db week.db")).fine(), told, "it says the same");
    assert_eq!(files(&house), ["jobs.yaml", "outage.yaml", "week.db"]);
    let rows = |sql: &str| query(&house.path("week.db"), sql).concat();
    assert_eq!(rows("select count(*) from fires where decision = 'fired'"), ["19"]);
    assert_eq!(
        rows("select job || ' ' || due_at from push_history where state = 'failed'"),
        ["morning 2026-12-03T01:00:00.000Z"]
    );
    assert_eq!(rows("select state from pushes where finished_at is null"), Vec::<String>::new());
    assert_eq!(
        rows("select max(due_at) from fires"),
        ["2026-12-07T01:00:00.000Z"],
        "what comes after the end is not in it"
    );
    assert_eq!(rows("select id || ' ' || online from accounts"), ["bot 1"]);

    let history = house.run("--db week.db history --json").fine();
    assert_eq!(history.matches("\"sent\"").count(), 18, "{history}");
    let why = house.run_words(["--db", "week.db", "explain", "morning", "2026-12-03T09:00"]).fine();
    assert!(why.contains("no account could send"), "{why}");
    let missed = house.run_words(["--db", "week.db", "explain", "midnight", "2026-12-06T00:00"]).fine();
    assert!(missed.contains("miss"), "{missed}");
    let ledger = house.run("--db week.db ledger --json").fine();
    let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    assert_eq!((&ledger["expected"], &ledger["recorded"]), (&20.into(), &20.into()), "{ledger}");
    house.run("--db week.db jobs").fine();
}

#[test]
fn one_seed_gives_one_database_byte_by_byte() {
    let house = house();
    house.write(
        "half.yaml",
        "events: [{from: 2026-12-01T08:00, until: 2026-12-05T10:00, answers: {throttled: 30s}, share: 0.5}]",
    );
    let bytes = |name: &str, seed: u32| {
        let line = format!("simulate --from 2026-12-01 --days 7 --scenario half.yaml --seed {seed} --db {name}");
        house.run(&line).fine();
        std::fs::read(house.path(name)).unwrap()
    };
    let once = bytes("a.db", 4);
    assert!(once == bytes("b.db", 4), "the same");
    assert!(once != bytes("a.db", 5), "another course, in the place of the first");
    assert!(once == bytes("a.db", 4), "and again the first");
}

#[test]
fn no_daemon_and_nothing_that_changes_runs_on_what_a_simulation_wrote() {
    let house = house();
    house.run(&format!("{WEEK} --db week.db")).fine();
    let before = std::fs::read(house.path("week.db")).unwrap();
    for line in ["run", "fire morning", "pause morning", "push --im qq --group 1 --text hi", "retry 1"] {
        let told = house.run(&format!("--db week.db {line}"));
        assert_eq!(told.code, Some(69), "{line}: {}{}", told.out, told.err);
        assert!(told.err.contains("a simulation wrote this, and nothing in it was ever sent"), "{line}: {}", told.err);
    }
    assert!(std::fs::read(house.path("week.db")).unwrap() == before);
}

#[test]
fn what_no_simulation_wrote_is_never_replaced() {
    let lived_in = House::lived_in();
    lived_in.write("notes.txt", "not a database");
    lived_in.write("empty.db", "");
    std::fs::create_dir(lived_in.path("folder")).unwrap();
    for name in ["pushcron.db", "notes.txt", "empty.db", "folder"] {
        let before = std::fs::read(lived_in.path(name)).ok();
        let told = lived_in.run(&format!("simulate --days 1 --db {name}")).refused(69);
        assert!(told.contains("no simulation wrote it"), "{name}: {told}");
        assert!(std::fs::read(lived_in.path(name)).ok() == before, "{name}");
    }
    let nowhere = lived_in.run("simulate --days 1 --db nowhere/out.db").refused(69);
    assert!(nowhere.contains("the directory nowhere does not exist"), "{nowhere}");
    let two = lived_in.run("simulate --days 1 --db out.db --what-if jobs.yaml").refused(64);
    assert!(two.contains("without --what-if") && !lived_in.path("out.db").exists(), "{two}");
}
