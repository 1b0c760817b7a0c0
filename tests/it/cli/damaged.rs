//! Verbs over rows that cannot be read: the one is named, and the others are told as ever.

use rusqlite::Connection;
use serde_json::Value;

use crate::cli::house::House;

fn damaged(sql: &str) -> House {
    let house = House::lived_in();
    assert!(Connection::open(house.path("pushcron.db")).unwrap().execute(sql, []).unwrap() > 0, "{sql}");
    house
}

const UNREADABLE_JOB: &str = r#"UPDATE jobs SET definition = '{"schedule": {"moon": 1}}' WHERE name = 'berlin'"#;

#[test]
fn the_ledger_names_the_job_whose_definition_cannot_be_read_and_checks_the_others() {
    let house = damaged(UNREADABLE_JOB);
    let whole = House::lived_in();
    let sums = |house: &House, words: &str| -> Value {
        serde_json::from_str(&house.run(&format!("ledger --until 2026-01-07 --json {words}")).out).unwrap()
    };
    let run = house.run("ledger --until 2026-01-07");
    assert_eq!((run.code, run.err.as_str()), (Some(1), ""));
    let line = "berlin: cannot be checked: the definition of its revision 1 cannot be read: unknown variant `moon`";
    assert!(run.out.starts_with(line) && run.out.contains("1 job wrong"), "{}", run.out);
    let problem = sums(&house, "")["wrong"][0]["problem"].clone();
    assert!(problem.as_str().unwrap().starts_with("the definition of its revision 1"), "{problem}");
    for job in ["daily-report", "每日晨报"] {
        assert_eq!(sums(&house, job), sums(&whole, job), "{job}");
    }
}

#[test]
fn a_job_whose_definition_cannot_be_read_is_explained_by_what_is_left() {
    let house = damaged(UNREADABLE_JOB);
    let told = house.run("explain berlin 2026-01-05T09:30").fine().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("berlin had no row in fires") && told.contains("'@hourly' in Europe/Berlin"), "{told}");
    assert!(told.contains("cannot be evaluated any more"), "{told}");
    let told: Value = serde_json::from_str(&house.run("explain berlin 2026-01-05T09:30 --json").fine()).unwrap();
    assert_eq!(told["story"]["revisions"][0]["definition"], Value::Null, "{told}");

    // What fired by it is told as ever.
    let house = damaged("UPDATE jobs SET definition = '{}' WHERE name = 'daily-report'");
    let whole = House::lived_in();
    let line = "explain daily-report 2026-01-05T09:00";
    assert_eq!(house.run(line).fine(), whole.run(line).fine());
}

#[test]
fn explain_history_and_ledger_agree_on_pushes_whose_row_cannot_be_read() {
    for (id, asked, state, sentence) in [
        (
            7,
            "daily-report 2026-01-08T09:00",
            "failed",
            "(its row in the database cannot be read): no attempt was made.",
        ),
        (
            6,
            "每日晨报 2026-01-06T08:30",
            "unknown",
            "(its row in the database cannot be read): \"the connection broke after the request had left\"",
        ),
    ] {
        // What a daemon writes where the row of a push cannot be read: one that waits, one that was on its way.
        let house = damaged(&format!(
            "UPDATE pushes SET message = '{{}}', retry = '{{}}', state = '{state}', reason = 'unreadable',
                    next_attempt_at = NULL, finished_at = '2026-01-08T01:00:02.000Z' WHERE id = {id}"
        ));
        let told = house.run(&format!("explain {asked}")).fine().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("{state} {sentence}")), "{told}");
        let rows: Vec<Value> = serde_json::from_str(&house.run("history --json").fine()).unwrap();
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        assert_eq!((&row["state"], &row["reason"]), (&state.into(), &"unreadable".into()));
        let line = "ledger --until 2026-01-07 --json";
        assert_eq!(house.run(line).out, House::lived_in().run(line).out);
    }
}

#[test]
fn a_database_that_cannot_be_read_is_not_said_to_be_one_that_cannot_be_written() {
    let house = House::lived_in();
    // A file of which every read fails, whoever asks.
    for line in ["jobs", "accounts", "history", "explain berlin 09:00", "ledger"] {
        let told = house.run(&format!("{line} --db /proc/self/mem")).refused(69);
        assert!(told.contains("/mem cannot be read: disk I/O error"), "{line}: {told}");
    }
    let told = house.run("pause berlin --db /proc/self/mem").refused(69);
    assert!(told.contains("cannot be written now: disk I/O error"), "who wanted to write is told so: {told}");

    Connection::open(house.path("pushcron.db")).unwrap().execute_batch("ALTER TABLE fires RENAME TO fired").unwrap();
    let told = house.run("explain berlin 09:00").refused(69);
    assert!(told.contains("pushcron.db cannot be read: no such table"), "{told}");
}

#[test]
fn what_ended_without_an_attempt_is_not_said_to_wait_for_one() {
    let house = House::lived_in();
    let asked = "explain daily-report 2026-01-08T09:00";
    assert!(house.run(asked).fine().contains("no attempt yet"));
    house.run("cancel 7").fine();
    let told = house.run(asked).fine();
    assert!(told.contains("no attempt was made") && !told.contains("yet"), "{told}");
}
