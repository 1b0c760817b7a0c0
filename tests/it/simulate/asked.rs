//! What people ask of a simulation, through the verb.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::Value;

use crate::cli::house::House;

fn json(house: &House, line: &str) -> Value {
    serde_json::from_str(&house.run(line).fine()).unwrap()
}

#[test]
fn g3_misses_are_exactly_the_pushes_whose_time_ended_in_the_outage() {
    let jobs: String = [("before", "54 8", "30m"), ("short", "0 9", "30m"), ("barely", "10 9", "31m"), ("long", "0 9", "1h")]
        .map(|(name, at, give_up)| {
            format!("  - {{name: {name}, cron: '{at} * * *', push: {{im: qq, group: '1', text: hi}}, retry: {{give_up_after: {give_up}}}}}\n")
        })
        .concat();
    let house = House::with_file(&format!(
        "daemon: {{timezone: UTC}}\naccounts: [{{id: a, im: qq, sender: console, default: true}}]\njobs:\n{jobs}"
    ));
    house.write("out.yaml", "events: [{from: 2026-12-03T08:55, until: 2026-12-03T09:40, account: a, is: down}]");
    let told = json(&house, "simulate --from 2026-12-01 --days 4 --scenario out.yaml --json");
    let troubles = told["troubles"].as_array().unwrap();
    let of = |state: &str| {
        let in_state = troubles.iter().filter(|push| push["state"] == state);
        in_state.map(|push| format!("{} {}", push["job"], push["due_at"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(of("failed"), ["short 2026-12-03T09:00:00.000Z"]);
    assert_eq!(of("sent"), ["long 2026-12-03T09:00:00.000Z", "barely 2026-12-03T09:10:00.000Z"], "late");
    assert_eq!(troubles.len(), 3);
    let misses = house.run("simulate --from 2026-12-01 --days 4 --scenario out.yaml --misses").fine();
    let jobs: Vec<_> = misses.lines().skip(1).map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(jobs, ["short", "long", "barely"], "{misses}");
}

#[test]
fn g5_summer_time_is_noted_as_next_notes_it() {
    let house = House::with_file(
        "daemon: {timezone: UTC}
accounts: [{id: a, im: qq, sender: console, default: true}]
jobs:
  - {name: night, cron: '30 2 * * *', timezone: Europe/Berlin, push: {im: qq, group: '1', text: hi}}
  - {name: always, cron: '15 * * * *', timezone: Europe/Berlin, push: {im: qq, group: '1', text: hi}}
  - {name: skips, cron: '30 2 * * *', timezone: Europe/Berlin, dst_gap: skip, push: {im: qq, group: '1', text: hi}}
  - {name: shanghai, cron: '30 2 * * *', timezone: Asia/Shanghai, push: {im: qq, group: '1', text: hi}}
",
    );
    let notes = |rows: &Value| {
        let noted = rows.as_array().unwrap().iter().filter(|row| row["note"].is_string());
        let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in noted {
            let note = format!("{} {}", row["due_at"], row["note"]);
            notes.entry(row["job"].as_str().unwrap().to_owned()).or_default().push(note);
        }
        notes
    };
    // Both from now on, by the machine's clock; a year has one March and one October.
    let simulated = notes(&json(&house, "simulate --days 365 --json")["notes"]);
    for (job, number) in [("night", 364), ("always", 8700), ("skips", 364), ("shanghai", 364)] {
        let next = notes(&json(&house, &format!("next {job} -n {number} --json")));
        assert_eq!(simulated.get(job), next.get(job), "{job}");
    }
    assert_eq!(simulated["night"].len(), 2, "{simulated:?}");
}

#[test]
fn g6_other_files_tell_only_what_they_change() {
    let files = |more: &str| {
        format!(
            "daemon: {{timezone: UTC}}\naccounts: [{{id: a, im: qq, sender: console, default: true}}]\njobs:\n  \
             - {{name: hourly, every: 1h, push: {{im: qq, group: '1', text: hi}}}}\n{more}"
        )
    };
    let house = House::with_file(&files(""));
    house.write("new.yaml", &files("  - {name: noon, cron: '0 12 * * *', push: {im: qq, group: '2', text: hi}}\n"));
    let told = house.run("simulate --from 2026-12-01 --days 2 --what-if new.yaml").fine();
    assert_eq!(told, "noon: 2 pushes more, first at 2026-12-01T12:00:00.000Z\n");
}

#[test]
fn g7_a_simulation_leaves_the_database_the_network_and_every_file_alone() {
    let platform = TcpListener::bind("127.0.0.1:0").unwrap();
    platform.set_nonblocking(true).unwrap();
    let url = format!("http://{}", platform.local_addr().unwrap());
    let house = House::lived_in();
    let files = format!(
        "daemon: {{timezone: UTC, database: pushcron.db, media_allow_private: true}}
accounts:
  - {{id: bot, im: qq, sender: onebot11, url: '{url}', token: secret, default: true}}
  - {{id: hook, im: hook, sender: webhook, url: '{url}/hook'}}
jobs:
  - {{name: text, every: 1h, push: {{im: qq, group: '1', text: hi}}}}
  - {{name: image, every: 2h, push: {{im: qq, group: '1', image: '{url}/a.png'}}}}
  - {{name: hook, every: 3h, push: {{im: hook, group: '1', text: hi}}}}
"
    );
    house.write("jobs.yaml", &files);
    let state = || {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(house.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let changed = path.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (changed, std::fs::read(path).ok()));
        }
        files
    };
    let before = state();
    assert!(before.contains_key(&house.path("pushcron.db")), "{:?}", before.keys());
    let told = house.run("simulate --from 2026-12-01 --days 7 --load").fine();
    assert!(told.contains("bot") && told.contains("hook"), "{told}");
    assert!(state() == before, "a file was touched");
    assert!(platform.accept().is_err(), "somebody was asked");
}
