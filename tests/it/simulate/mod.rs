//! What is simulated is what happens: the same files and the same trouble, live over a real store and simulated.

mod alike;

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
    assert!(house.run("simulate --days 1 --db out.db").refused(64).contains("writes none yet"));
    assert!(house.run("simulate --days 1 --fail-on limits").refused(64).contains("not simulated yet"));
}
