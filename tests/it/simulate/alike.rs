//! What is simulated is what happens: the same files and the same trouble, live over a real store and simulated.
//!
//! Each case is lived through twice. Live, a manual clock goes on by seconds and the platform answers by the script, which
//! is read here a second time, without the simulation's own reading of it. Then every row is held against every row.
//! One thread does all of it: else the clock could go on while the dispatcher works out how long to sleep by it.

use std::collections::BTreeMap;
use std::time::Duration;

use pushcron::clock::Clock;
use pushcron::config::{Absence, Config, LoadEnvironment, Scenario, Scope, Scripted, Trouble, load, scenario};
use pushcron::domain::{Delivery, Moment, Outcome, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::{Probe, specs};
use pushcron::simulate::{Course, Request, simulate};

use crate::common::world::{Answer, START, World, failed};

/// Beside the instants of the jobs, so that no probe comes at the very moment of a push: which is first is then chance, live.
const BEGIN: UtcMs = UtcMs(START.0 + 13_000);
/// How often accounts are asked how they are.
const PROBE_EVERY: u64 = 30;
/// The deadline of an attempt where the files give none.
const TIMEOUT: Duration = Duration::from_secs(15);

struct Case {
    /// Jobs, after [`ACCOUNTS`].
    files: &'static str,
    /// The events; the simulation begins soon after 01:00 of the first of January.
    events: &'static str,
    seconds: u64,
    /// What must have come up, lest the case show nothing: words among the rows.
    shows: &'static [&'static str],
}

const ACCOUNTS: &str = "
daemon: {timezone: UTC}
defaults: {retry: {jitter: 0}}
accounts:
  - {id: a, im: qq, sender: console, default: true, concurrency: 4}
  - {id: b, im: qq, sender: console, concurrency: 4}
  - {id: slow, im: slow, sender: console, min_interval: 3s}
jobs:";

/// Every row of what happened: fires, pushes, attempts, each sorted.
#[derive(Debug, PartialEq)]
struct Told {
    fires: Vec<Vec<String>>,
    pushes: Vec<Vec<String>>,
    attempts: Vec<Vec<String>>,
}

impl Told {
    fn new(mut fires: Vec<Vec<String>>, mut pushes: Vec<Vec<String>>, mut attempts: Vec<Vec<String>>) -> Told {
        for rows in [&mut fires, &mut pushes, &mut attempts] {
            rows.sort();
        }
        Told { fires, pushes, attempts }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        [&self.fires, &self.pushes, &self.attempts].into_iter().flatten().flatten().map(String::as_str)
    }
}

fn read(case: &Case) -> (Config, Scenario) {
    let dir = tempfile::tempdir().unwrap();
    let (jobs, script) = (dir.path().join("jobs.yaml"), dir.path().join("script.yaml"));
    std::fs::write(&jobs, format!("{ACCOUNTS}{}", case.files)).unwrap();
    std::fs::write(&script, format!("events:{}", case.events)).unwrap();
    let around = LoadEnvironment::of_process(START);
    let config = load(&[jobs], &specs(), &around).unwrap_or_else(|problems| panic!("{problems}"));
    let script = scenario(&script, &config, &specs(), &around).unwrap_or_else(|problems| panic!("{problems}"));
    // The platform of the live side takes no time.
    (config, Scenario { latency: Duration::ZERO, ..script })
}

fn simulated(case: &Case, config: &Config, scenario: &Scenario) -> Course {
    let (from, until, zone_version) = (BEGIN, BEGIN + Duration::from_secs(case.seconds), "2026a".to_owned());
    simulate(&Request { config, scenario, from, until, seed: 1, zone_version }).unwrap()
}

fn of_course(course: &Course) -> Told {
    let fire =
        |(job, due_at, decision, reason, count): (&str, UtcMs, pushcron::domain::Decision, Option<&str>, u64)| {
            let reason = reason.unwrap_or_default();
            [job, &due_at.to_string(), decision.as_str(), reason, &count.to_string()].map(str::to_owned).to_vec()
        };
    let (mut pushes, mut attempts) = (Vec::new(), Vec::new());
    for push in course.pushes() {
        let key = [push.job.to_owned(), push.due_at.to_string(), push.target.to_string(), push.ordinal.to_string()];
        let ended = push.finished_at.map(|at| at.to_string()).unwrap_or_default();
        let of_push = [push.state.as_str().to_owned(), push.reason.unwrap_or_default().to_owned(), ended];
        pushes.push([&key[..], &of_push[..]].concat());
        for (number, attempt) in (1_u32..).zip(push.attempts()) {
            let (started, outcome) = (attempt.started_at.to_string(), attempt.outcome.unwrap_or_default());
            let of_attempt = [&number.to_string(), attempt.account, attempt.rule, outcome, &started].map(str::to_owned);
            attempts.push([&key[..], &of_attempt[..]].concat());
        }
    }
    Told::new(course.fires().map(fire).collect(), pushes, attempts)
}

async fn of_world(world: &World, until: UtcMs) -> Told {
    let fires =
        format!("select job, due_at, decision, coalesce(reason, ''), count from fires where due_at < '{until}'");
    let from = format!("from pushes p join fires f on f.id = p.fire_id where f.due_at < '{until}'");
    let key = "f.job, f.due_at, p.target, p.ordinal";
    let pushes = format!("select {key}, p.state, coalesce(p.reason, ''), coalesce(p.finished_at, '') {from}");
    let of_attempt = "a.number, a.account, a.rule, coalesce(a.outcome, ''), a.started_at";
    let from = from.replace("from pushes p", "from attempts a join pushes p on p.id = a.push_id");
    let attempts = format!("select {key}, {of_attempt} {from}");
    Told::new(world.rows(&fires).await, world.rows(&pushes).await, world.rows(&attempts).await)
}

fn trouble_of(scenario: &Scenario, account: &str, at: UtcMs) -> Option<Trouble> {
    scenario.events.iter().find_map(|event| match event {
        Scripted::Account { span, account: id, trouble } if id == account && span.contains(at) => Some(*trouble),
        _ => None,
    })
}

/// What the platform answers at this hour; None: that it has sent it.
fn answer_of(scenario: &Scenario, account: &str, delivery: &Delivery, at: UtcMs) -> Option<Answer> {
    match trouble_of(scenario, account, at) {
        Some(Trouble::Down) => return Some(failed(Outcome::AccountDown)),
        Some(Trouble::Unreachable) => return Some(failed(Outcome::Unreachable)),
        Some(Trouble::Silent) => return Some(Answer::Silence),
        None => {}
    }
    scenario.events.iter().find_map(|event| match event {
        Scripted::Answers { span, scope, answer, .. } if span.contains(at) => {
            let is_meant = match scope {
                Scope::Account(id) => id == account,
                Scope::Im(im) => *im == delivery.im,
                Scope::All => true,
            };
            is_meant.then(|| failed(answer.clone()))
        }
        _ => None,
    })
}

/// How much must have happened by when, by a clock that is right: attempts begun, of those under way, and pushes ended.
struct Expected {
    counts: BTreeMap<u64, [usize; 3]>,
}

impl Expected {
    fn new(course: &Course, seconds: u64) -> Expected {
        let mut counts: BTreeMap<u64, [usize; 3]> = (0..=seconds).map(|second| (second, [0; 3])).collect();
        for push in course.pushes() {
            for attempt in push.attempts() {
                let began = attempt.started_at.since(BEGIN).as_secs();
                let takes = if attempt.outcome == Some("unknown") { TIMEOUT.as_secs() } else { 0 };
                for (second, [begun, open, _]) in counts.range_mut(began..) {
                    *begun += 1;
                    *open += usize::from(*second < began + takes);
                }
            }
            if let Some(ended) = push.finished_at {
                counts.range_mut(ended.since(BEGIN).as_secs()..).for_each(|(_, [.., over])| *over += 1);
            }
        }
        Expected { counts }
    }

    /// Waits until that has happened live; else the rows tell what differs.
    async fn happens(&self, world: &World, second: u64) -> bool {
        let [begun, open, over] = self.counts[&second].map(|count| count.to_string());
        let sql = "select (select count(*) from attempts), (select count(*) from attempts where outcome is null),
                          (select count(*) from pushes where finished_at is not null)";
        let enough = [[begun, open, over].to_vec()];
        let waits = async {
            while world.rows(sql).await != enough {
                tokio::task::yield_now().await;
                let _ = tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waits).await.is_ok()
    }
}

async fn live(case: &Case, config: &Config, scenario: &Scenario, course: &Course) -> Told {
    let mut world = World::within(tempfile::tempdir().unwrap(), BEGIN, config.accounts.clone()).await;
    let (clock, scenario_of_platform) = (world.clock.clone(), scenario.clone());
    let born = clock.boottime();
    let right = move |moment: Moment| BEGIN + moment.since(born);
    world.platform.answers_by(move |account, delivery| {
        answer_of(&scenario_of_platform, account, delivery, right(clock.boottime()))
    });
    world.load(&config.jobs).await;
    // By a clock that was set, the hours of the rows do not tell the order of things.
    let is_set = scenario.events.iter().any(|event| matches!(event, Scripted::Clock { .. }));
    let expected = Expected::new(course, case.seconds);
    let mut second = 0;
    while second + 1 < case.seconds {
        second += 1;
        world.clock.advance(Duration::from_secs(1));
        let now = right(world.clock.boottime());
        for account in &config.accounts {
            let is_well = trouble_of(scenario, &account.id, now).is_none();
            world.platform.set_probe(&account.id, if is_well { Probe::up() } else { Probe::down("by the script") });
        }
        for event in &scenario.events {
            match event {
                Scripted::Clock { at, by_ms } if *at == now => {
                    world.clock.step_wall_to(UtcMs(world.clock.now().0 + by_ms));
                }
                Scripted::Daemon { span, absence } if span.from == now => {
                    let back = born + span.until.since(BEGIN);
                    world = world.away_until(back, *absence == Absence::Killed).await;
                    world.load(&config.jobs).await;
                    second = span.until.since(BEGIN).as_secs();
                }
                _ => {}
            }
        }
        if second.is_multiple_of(PROBE_EVERY) {
            world.events.send(Event::ProbeAll).ok().unwrap();
            let asked = format!("select count(*) from accounts where checked_at = '{}'", world.clock.now());
            world.expect(&asked, &[&[&config.accounts.len().to_string()]]).await;
        }
        world.scheduler.run_once().await.unwrap();
        if is_set {
            world.settled().await;
        } else if !expected.happens(&world, second).await {
            // Rows end with their own hour: what is to come tells nothing.
            let now = world.clock.now().to_string();
            let only = |ours: &Vec<Vec<String>>, theirs: &Vec<Vec<String>>| {
                let here = ours.iter().filter(|row| row.last().is_some_and(|at| *at <= now) && !theirs.contains(row));
                here.map(|row| row.join(" ")).collect::<Vec<_>>()
            };
            let (told, lived) = (of_course(course), of_world(&world, world.clock.now() + Duration::from_secs(1)).await);
            panic!(
                "at {now} live and simulated part\nonly simulated: {:#?} {:#?}\nonly live: {:#?} {:#?}",
                only(&told.pushes, &lived.pushes),
                only(&told.attempts, &lived.attempts),
                only(&lived.pushes, &told.pushes),
                only(&lived.attempts, &told.attempts)
            );
        }
    }
    of_world(&world, world.clock.now() + Duration::from_secs(1)).await
}

async fn alike(case: &Case) {
    let (config, scenario) = read(case);
    let course = simulated(case, &config, &scenario);
    let told = of_course(&course);
    for word in case.shows {
        assert!(told.words().any(|seen| seen == *word), "nothing shows '{word}' in {told:#?}");
    }
    let live = live(case, &config, &scenario, &course).await;
    for (simulated, live) in
        [(&told.fires, &live.fires), (&told.pushes, &live.pushes), (&told.attempts, &live.attempts)]
    {
        let only = |ours: &[Vec<String>], theirs: &[Vec<String>]| {
            ours.iter().filter(|row| !theirs.contains(row)).map(|row| row.join(" ")).collect::<Vec<_>>()
        };
        let (only_simulated, only_live) = (only(simulated, live), only(live, simulated));
        assert!(simulated == live, "only simulated: {only_simulated:#?}\nonly live: {only_live:#?}");
    }
}

/// An account that is not reached, a kill, and what was missed.
#[tokio::test]
async fn the_same_trouble_live_and_simulated_gives_the_same_fires_pushes_and_attempts() {
    alike(&Case {
        files: "
  - {name: minutely, every: 60s, push: {im: qq, group: '1', text: hi}, misfire: {policy: all, within: 2h}}
  - {name: twice, every: 5m, push: [{im: qq, group: '2', text: a}, {im: qq, user: '3', account: b, text: b}]}
  - {name: one, every: 7m, overlap: skip, misfire: skip, push: {im: qq, group: '4', text: hi}}
  - {name: off, every: 9m, enabled: false, push: {im: qq, group: '5', text: hi}}
",
        events: "
  - {from: 2026-01-01T01:01:00, for: 12s, account: a, answers: unreachable}
  - {from: 2026-01-01T01:10:30, until: 2026-01-01T01:30:30, daemon: killed}
",
        seconds: 2430,
        shows: &["missed", "caught_up", "unreachable"],
    })
    .await;
}

/// Retries that grow until the push is given up, or its attempts are spent.
#[tokio::test]
async fn retries_that_grow_until_the_push_is_given_up_or_its_attempts_are_spent_go_alike() {
    alike(&Case {
        files: "
  - {name: short, every: 4m, push: {im: qq, group: '1', text: hi}, retry: {backoff: 2s, factor: 3, max_attempts: 3, jitter: 0}}
  - {name: long, every: 5m, push: {im: qq, group: '2', account: b, text: hi}, retry: {backoff: 1s, factor: 2, max_backoff: 20s, max_attempts: 20, give_up_after: 90s, jitter: 0}}
",
        events: "
  - {from: 2026-01-01T01:03:50, for: 4m, im: qq, answers: unreachable}
  - {from: 2026-01-01T01:11:50, for: 20s, answers: {throttled: 7s}}
  - {from: 2026-01-01T01:14:50, for: 20s, account: b, answers: rejected}
  - {from: 2026-01-01T01:19:50, for: 20s, account: b, answers: target_gone}
",
        seconds: 1830,
        shows: &["attempts_exhausted", "throttled", "rejected", "target_gone"],
    }).await;
}

/// A daemon that is off, for every policy of what was missed.
#[tokio::test]
async fn a_daemon_that_is_off_goes_alike_for_every_policy_of_what_was_missed() {
    alike(&Case {
        files: "
  - {name: all, every: 3m, misfire: {policy: all, within: 10m}, push: {im: qq, group: '1', text: hi}}
  - {name: latest, every: 2m, misfire: {policy: latest, within: 1h}, push: {im: qq, group: '2', text: hi}}
  - {name: skip, every: 2m, misfire: skip, push: {im: qq, group: '3', text: hi}}
  - {name: one, every: 1m, overlap: skip, misfire: {policy: latest, within: 1h}, push: {im: qq, group: '4', text: hi}}
",
        events: "
  - {from: 2026-01-01T01:05:30, until: 2026-01-01T01:21:30, daemon: off}
  - {from: 2026-01-01T01:24:07, until: 2026-01-01T01:24:37, daemon: killed}
  - {from: 2026-01-01T01:26:30, until: 2026-01-01T01:29:30, daemon: killed}
",
        seconds: 2130,
        shows: &["missed", "caught_up"],
    })
    .await;
}

/// A clock that is set on.
#[tokio::test]
async fn a_clock_that_is_set_on_goes_alike() {
    alike(&Case {
        files: "
  - {name: minutely, every: 1m, misfire: {policy: all, within: 10m}, push: {im: qq, group: '1', text: hi}}
  - {name: skip, every: 2m, misfire: skip, push: {im: qq, group: '2', text: hi}}
",
        events: "
  - {at: 2026-01-01T01:05:30, clock: +25m}
  - {from: 2026-01-01T01:08:30, for: 70s, account: a, answers: unreachable}
",
        seconds: 1230,
        shows: &["missed", "unreachable"],
    })
    .await;
}

/// An account that is down, the other that takes over, and one that nobody may replace.
#[tokio::test]
async fn an_account_that_is_down_and_the_other_that_takes_over_go_alike() {
    alike(&Case {
        files: "
  - {name: any, every: 1m, push: {im: qq, group: '1', text: hi}}
  - {name: named, every: 2m, push: {im: qq, group: '2', account: a, text: hi}, retry: {give_up_after: 3m, jitter: 0}}
",
        events: "
  - {from: 2026-01-01T01:04:50, for: 7m, account: a, is: down}
  - {from: 2026-01-01T01:07:50, for: 2m, account: b, is: down}
",
        seconds: 1230,
        shows: &["account_down", "first_online", "explicit"],
    })
    .await;
}
