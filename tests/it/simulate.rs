//! What is simulated is what happens: the same files and the same trouble, live over a real store and simulated.

use std::path::Path;
use std::time::Duration;

use pushcron::config::{Absence, Config, LoadEnvironment, Scenario, Scope, Scripted, Span, load};
use pushcron::domain::{Outcome, UtcMs};
use pushcron::senders::specs;
use pushcron::simulate::{Course, Request, simulate};

use crate::cli::house::House;
use crate::common::world::{START, World, failed};

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

fn config() -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.yaml");
    std::fs::write(&path, FILES).unwrap();
    load(&[path], &specs(), &LoadEnvironment::of_process(START)).unwrap()
}

fn after(seconds: u64) -> UtcMs {
    START + Duration::from_secs(seconds)
}

/// Nobody is reached at the first minute for so long; killed after ten minutes and a half, back after twenty more.
const UNREACHED: u64 = 12;
const KILLED: u64 = 630;
const BACK: u64 = 1830;
const END: u64 = 3630;

fn simulated(config: &Config) -> Course {
    let events = vec![
        Scripted::Answers {
            span: Span { from: after(60), until: after(60 + UNREACHED) },
            scope: Scope::Account("a".to_owned()),
            answer: Outcome::Unreachable,
            share: 1.0,
        },
        Scripted::Daemon { span: Span { from: after(KILLED), until: after(BACK) }, absence: Absence::Killed },
    ];
    let scenario = Scenario { events, latency: Duration::ZERO, ..Scenario::default() };
    let (from, until, zone_version) = (START, after(END), "2026a".to_owned());
    simulate(&Request { config, scenario: &scenario, from, until, seed: 1, zone_version }).unwrap()
}

async fn pass(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.clock.advance(Duration::from_secs(1));
        world.scheduler.run_once().await.unwrap();
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_trouble_live_and_simulated_gives_the_same_fires_pushes_and_attempts() {
    let config = config();
    let course = simulated(&config);
    let unreached = course.pushes().flat_map(|push| push.attempts().collect::<Vec<_>>());
    let unreached = unreached.filter(|attempt| attempt.outcome == Some("unreachable")).count();
    assert!(unreached > 1, "{unreached}");

    let mut world = World::new(config.accounts.clone()).await;
    world.load(&config.jobs).await;
    pass(&mut world, 59).await;
    world.platform.answers("a", (0..unreached).map(|_| failed(Outcome::Unreachable)));
    pass(&mut world, KILLED - 59).await;
    world.clock.advance(Duration::from_secs(BACK - KILLED));
    let mut world = world.kill_and_restart().await;
    world.scheduler.run_once().await.unwrap();
    world.settled().await;
    pass(&mut world, END - BACK).await;

    let until = after(END);
    let mut fires: Vec<Vec<String>> = course
        .fires()
        .map(|(job, due_at, decision, reason, count)| {
            let reason = reason.unwrap_or_default();
            [job, &due_at.to_string(), decision.as_str(), reason, &count.to_string()].map(str::to_owned).to_vec()
        })
        .collect();
    fires.sort();
    let live = format!("select job, due_at, decision, coalesce(reason, ''), count from fires where due_at < '{until}'");
    let mut live = world.rows(&live).await;
    live.sort();
    assert_eq!(fires, live);

    let mut pushes = Vec::new();
    let mut attempts = Vec::new();
    for push in course.pushes() {
        let key = [push.job.to_owned(), push.due_at.to_string(), push.target.to_string()];
        let of_push = [push.state.as_str().to_owned(), push.reason.unwrap_or_default().to_owned()];
        pushes.push([&key[..], &of_push[..]].concat());
        for (number, attempt) in (1..).zip(push.attempts()) {
            let number: u32 = number;
            let outcome = attempt.outcome.unwrap_or_default();
            let of_attempt = [&number.to_string(), attempt.account, attempt.rule, outcome].map(str::to_owned);
            attempts.push([&key[..], &of_attempt[..]].concat());
        }
    }
    pushes.sort();
    attempts.sort();
    let from = format!("from pushes p join fires f on f.id = p.fire_id where f.due_at < '{until}'");
    let mut live =
        world.rows(&format!("select f.job, f.due_at, p.target, p.state, coalesce(p.reason, '') {from}")).await;
    live.sort();
    assert_eq!(pushes, live);
    let from = format!(
        "from attempts a join pushes p on p.id = a.push_id join fires f on f.id = p.fire_id where f.due_at < '{until}'"
    );
    let columns = "f.job, f.due_at, p.target, a.number, a.account, a.rule, coalesce(a.outcome, '')";
    let mut live = world.rows(&format!("select {columns} {from}")).await;
    live.sort();
    assert_eq!(attempts, live);
    assert!(fires.iter().any(|fire| fire[2] == "missed") && fires.iter().any(|fire| fire[3] == "caught_up"));
}

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
