//! What is simulated is what happens: the same files and the same trouble, live over a real store and simulated.

mod alike;
mod asked;
mod database;

use std::path::Path;

use crate::cli::house::House;

const FILES: &str = "
daemon: {timezone: UTC}
defaults: {retry: {jitter: 0}}
accounts:
  - {id: a, im: qq, sender: console, default: true, concurrency: 4}
  - {id: b, im: qq, sender: console, concurrency: 4}
jobs:
  - {name: minutely, every: 60s, push: {im: qq, group: '1', text: hi}, misfire: {policy: all, within: 2h}}
  - {name: twice, every: 5m, push: [{im: qq, group: '2', text: a}, {im: qq, user: '3', account: b, text: b}]}
  - {name: one, every: 7m, overlap: skip, misfire: skip, push: {im: qq, group: '4', text: hi}}
  - {name: off, every: 9m, enabled: false, push: {im: qq, group: '5', text: hi}}
";

/// The blocks of the page between fences of this kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let begin = format!("```{kind}\n");
    page.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn the_example_of_the_page_says_what_the_page_says_and_leaves_nothing_behind() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulate.md")).unwrap();
    let (yaml, text) = (blocks(&page, "yaml"), blocks(&page, "text"));
    let house = House::with_file(&yaml[0]);
    house.write("outage.yaml", &yaml[1]);
    let told = house.run("simulate --from 2026-12-01 --days 7 --scenario outage.yaml").fine();
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&told), lines(&text[0]));
    let json = "simulate --from 2026-12-01 --days 7 --scenario outage.yaml --json";
    assert_eq!(house.run(json).fine(), house.run(json).fine());
    let failed = house.run("simulate --from 2026-12-01 --days 7 --scenario outage.yaml --fail-on misses --load");
    assert_eq!(failed.code, Some(1), "{}", failed.out);
    assert_eq!(house.run("simulate --from 2026-12-01 --days 7 --fail-on misses,late>10m").code, Some(0));
    assert_eq!(house.run("simulate --days 7 --what-if jobs.yaml").fine(), "nothing changes\n");
    let mut left: Vec<_> =
        std::fs::read_dir(house.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["jobs.yaml", "outage.yaml"]);
}

#[test]
fn a_wrong_scenario_is_refused_with_every_place() {
    let house = House::with_file(FILES);
    house.write(
        "wrong.yaml",
        "events:
  - {from: 2026-12-03T08:55, until: 2026-12-03T09:40, account: c, is: down}
  - {from: 2026-12-03T08:55, until: 2026-12-03T07:40, account: a, is: down}
  - {from: 2026-12-03T08:55, for: 10m, account: a, is: dwon}
  - {at: 2026-12-03T08:55}
  - {at: noon, clock: -2h}
",
    );
    let told = house.run("simulate --from 2026-12-01 --scenario wrong.yaml").refused(78);
    for place in ["wrong.yaml:2:", "wrong.yaml:3:", "wrong.yaml:4:", "wrong.yaml:5:", "wrong.yaml:6:"] {
        assert!(told.contains(place), "{place} in {told}");
    }
    assert!(told.contains("did you mean 'down'?") && told.contains("there is no account 'c'"), "{told}");
    let told = house.run("simulate --from 2026-12-02 --until 2026-12-01").refused(64);
    assert!(told.contains("expected an end after the beginning"), "{told}");
    assert!(house.run("simulate --days 1 --fail-on limit").refused(64).contains("expected misses, limits or late>10m"));
}

/// A robot that may send 20 messages in a minute, and so many jobs at nine.
fn robot_with(jobs: usize) -> House {
    let job =
        |number| format!("  - {{name: j{number}, cron: '0 9 * * *', push: {{im: dingtalk, group: ops, text: hi}}}}\n");
    let jobs: String = (0..jobs).map(job).collect();
    House::with_file(&format!(
        "daemon: {{timezone: UTC}}\naccounts:\n  - {{id: robot, im: dingtalk, sender: dingtalk_robot, default: true, \
         url: 'https://oapi.dingtalk.com/robot/send?access_token=t'}}\njobs:\n{jobs}"
    ))
}

/// How long it takes is measured by `cargo bench --bench simulate`.
#[test]
fn g1_a_month_of_a_thousand_jobs_is_the_same_twice() {
    let jobs: String = (0..1_000)
        .map(|job| {
            let (minute, hour, group) = (job % 60, job % 24, job % 10);
            format!(
                "  - {{name: job{job}, cron: '{minute} {hour} * * *', push: {{im: qq, group: {group}, text: hi}}}}\n"
            )
        })
        .collect();
    let house = House::with_file(&format!(
        "daemon: {{timezone: UTC}}\naccounts: [{{id: a, im: qq, sender: console, default: true}}]\njobs:\n{jobs}"
    ));
    let half = "events: [{from: 2026-12-03T08:00, until: 2026-12-05T10:00, answers: {throttled: 30s}, share: 0.5}]";
    house.write("half.yaml", half);
    let told = |seed: u32| {
        let month = "simulate --from 2026-12-01 --to 2027-01-01 --scenario half.yaml --json";
        house.run(&format!("{month} --seed {seed}")).fine()
    };
    let once = told(7);
    let told_of = serde_json::from_str::<serde_json::Value>(&once).unwrap();
    // The nine jobs of midnight were made at the first one, and fire from the second on.
    assert_eq!(told_of["sums"]["instants"]["fired"], 31_000 - 9, "{once}");
    assert!(once == told(7), "one seed, one course");
    assert!(once != told(8), "another seed, another course");
}

#[test]
fn g4_more_than_a_platform_grants_in_a_minute_is_told_and_is_amiss_for_ci() {
    const ASKED: &str = "simulate --from 2026-12-01 --days 1 --fail-on";
    let house = robot_with(43);
    let told = house.run(&format!("{ASKED} limits"));
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.out.contains("held by what their platforms grant in a time: 23\n"), "{}", told.out);
    // The last leave in the third minute: nothing is missed, and none is so late.
    assert_eq!(house.run(&format!("{ASKED} misses,late>10m")).code, Some(0));
    let within = robot_with(20).run(&format!("{ASKED} misses,limits"));
    assert_eq!((within.code, within.out.contains("held by")), (Some(0), false), "{}", within.out);
}

#[test]
fn what_is_wrong_in_a_scenario_is_shown_as_it_was_written_and_another_file_is_not() {
    let house = House::with_file(FILES);
    house.write("wrong.yaml", "latency: {default: 300 ms, matix: 1s}\nevents:\n- {at: noon, inbound: a}\n");
    let told = house.run("simulate --scenario wrong.yaml").refused(78);
    for line in ["1 | latency: {default: 300 ms, matix: 1s}", "3 | - {at: noon, inbound: a}"] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("****"), "{told}");

    for another in [
        "accounts:\n  - {id: a, sender: onebot11, token: canary-7f3a}\njobs: []\n",
        "accounts: [{id: a, token: canary-7f3a}]\n",
        "events: [{token: canary-7f3a}]\n",
        "{accounts: [{id: a, token: canary-7f3a}]\n",
    ] {
        house.write("another.yaml", another);
        let told = house.run("simulate --scenario another.yaml").refused(78);
        assert!(told.contains("another.yaml:") && !told.contains("canary"), "{told}");
    }
}

const BERLIN: &str = "
daemon: {timezone: Europe/Berlin}
accounts: [{id: a, im: qq, sender: console, default: true}]
jobs:
  - {name: nightly, cron: '30 2 * * *', push: {im: qq, group: '1', text: hi}}
";

#[test]
fn the_calendar_tells_what_summer_time_changes_also_where_nobody_sees_a_terminal() {
    let house = House::with_file(BERLIN);
    let told = house.run("simulate --from 2027-03-27 --days 3 --calendar").fine();
    assert!(told.contains("\n2027-03-28 03:00:00  nightly: 02:30 does not exist on 2027-03-28"), "{told}");
    assert_eq!(told.matches("\nSun 2027-03-28").count() + told.matches("\nMon 2027-03-29").count(), 2, "{told}");
}

#[test]
fn days_are_those_of_the_calendar() {
    let house = House::with_file(BERLIN);
    for (from, until) in [("2027-03-27", "2027-03-29"), ("2027-10-30", "2027-11-01"), ("2027-06-01", "2027-06-03")] {
        let told = house.run(&format!("simulate --from {from} --days 2")).fine();
        assert!(told.starts_with(&format!("from {from} 00:00:00 until {until} 00:00:00\n")), "{told}");
    }
    assert!(house.run("simulate --from 9999-12-01 --days 40000").refused(64).contains("--days 40000 ends outside"));
}

#[test]
fn a_job_without_an_instant_is_told_with_the_reason() {
    let house = House::with_file(
        "daemon: {timezone: UTC}
accounts: [{id: a, im: qq, sender: console, default: true}]
jobs:
  - {name: was, at: 2026-01-05T09:00, push: {im: qq, group: '1', text: hi}}
  - {name: will, at: 2091-01-05T09:00, push: {im: qq, group: '1', text: hi}}
  - {name: not, at: 2091-02-01T09:00, enabled: false, push: {im: qq, group: '1', text: hi}}
  - {name: daily, cron: '0 9 * * *', push: {im: qq, group: '1', text: hi}}
",
    );
    let told = house.run("simulate --from 2027-06-01 --days 1").fine();
    let line = "3 jobs with no instant in this time: was (none is to come, the last was at 2026-01-05 09:00:00), \
                will (next at 2091-01-05 09:00:00), not (disabled)\n";
    assert!(told.contains(line), "{told}");
    let told: serde_json::Value = serde_json::from_str(&house.run("simulate --from 2027-06-01 --json").fine()).unwrap();
    assert_eq!(told["silent_jobs"], serde_json::json!(["was", "will", "not"]));
}
