//! What is simulated is what happens: the same files and the same trouble, live over a real store and simulated.
//!
//! Each case is lived through twice. Live, a manual clock goes on by half seconds and the platform answers by the script, which
//! is read here a second time, without the simulation's own reading of it. Then every row is held against every row.
//! The platform takes its time over an answer, as real ones do. One thread does all of it: else the clock could go on while
//! the dispatcher works out how long to sleep by it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pushcron::clock::Clock;
use pushcron::config::{Absence, Config, LoadEnvironment, Scenario, Scope, Scripted, Trouble, load, scenario};
use pushcron::domain::{Database, Delivery, Moment, Outcome, UtcMs};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::{Probe, specs};
use pushcron::simulate::{Course, Request, simulate_into};

use crate::common::rows::query;
use crate::common::world::{Answer, START, World, failed};

/// Beside the instants of the jobs, so that no probe comes at the very moment of a push: which is first is then chance, live.
const BEGIN: UtcMs = UtcMs(START.0 + 13_000);
/// How often accounts are asked how they are.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How long the platform takes over an answer. If it took no time, it would be chance, live, whether what is sent at one
/// instant goes out before the first answer to it has come back.
const LATENCY: Duration = Duration::from_millis(500);
/// How far the clock goes on at once, live: whatever happens, happens at a multiple of it.
const STEP: Duration = Duration::from_millis(500);
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
    (config, Scenario { latency: LATENCY, ..script })
}

fn simulated(case: &Case, config: &Config, scenario: &Scenario, into: &Path) -> Course {
    let (from, until, zone_version) = (BEGIN, BEGIN + Duration::from_secs(case.seconds), "2026a".to_owned());
    simulate_into(&Request { config, scenario, from, until, seed: 1, zone_version }, Some(&Database::at(into))).unwrap()
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

fn of_world(world: &World, until: UtcMs) -> Told {
    of_database(&world.dir.path().join("pushcron.db"), until)
}

fn of_database(path: &Path, until: UtcMs) -> Told {
    let fires =
        format!("select job, due_at, decision, coalesce(reason, ''), count from fires where due_at < '{until}'");
    let from = format!("from pushes p join fires f on f.id = p.fire_id where f.due_at < '{until}'");
    let key = "f.job, f.due_at, p.target, p.ordinal";
    let pushes = format!("select {key}, p.state, coalesce(p.reason, ''), coalesce(p.finished_at, '') {from}");
    let of_attempt = "a.number, a.account, a.rule, coalesce(a.outcome, ''), a.started_at";
    let from = from.replace("from pushes p", "from attempts a join pushes p on p.id = a.push_id");
    let attempts = format!("select {key}, {of_attempt} {from}");
    Told::new(query(path, &fires), query(path, &pushes), query(path, &attempts))
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

/// By how much the daemon's clock was set when it showed `at` over a push of this instant. Where the clock is put back, all is
/// quiet, so that what was due before is over before.
fn set_by(scenario: &Scenario, at: UtcMs, due_at: UtcMs) -> i64 {
    let by = |event: &Scripted| match *event {
        Scripted::Clock { at: set_at, by_ms } if by_ms > 0 && at.0 >= set_at.0 + by_ms => by_ms,
        Scripted::Clock { at: set_at, by_ms } if by_ms < 0 && due_at >= set_at => by_ms,
        _ => 0,
    };
    scenario.events.iter().map(by).sum()
}

/// How much must have happened by when, by a clock that is right: requests that arrived, attempts that are over, and pushes.
struct Expected {
    counts: BTreeMap<Duration, [usize; 3]>,
}

impl Expected {
    fn new(course: &Course, scenario: &Scenario, steps: u32) -> Expected {
        let mut counts: BTreeMap<Duration, [usize; 3]> = (0..=steps).map(|step| (STEP * step, [0; 3])).collect();
        let passed = |at: UtcMs, due_at: UtcMs| UtcMs(at.0 - set_by(scenario, at, due_at)).since(BEGIN);
        for push in course.pushes() {
            for attempt in push.attempts() {
                let arrived = passed(attempt.started_at, push.due_at);
                let takes = if attempt.outcome == Some("unknown") { TIMEOUT } else { LATENCY };
                counts.range_mut(arrived..).for_each(|(_, [arrived, ..])| *arrived += 1);
                counts.range_mut(arrived + takes..).for_each(|(_, [_, answered, _])| *answered += 1);
            }
            if let Some(ended) = push.finished_at {
                counts.range_mut(passed(ended, push.due_at)..).for_each(|(_, [.., over])| *over += 1);
            }
        }
        Expected { counts }
    }

    /// Waits until that has happened live; else the rows tell what differs. Attempts have their rows before their senders
    /// are called, some of them long before: only the platform knows which were.
    async fn happens(&self, world: &World, passed: Duration) -> bool {
        if self.counts[&passed] == self.counts[&(passed - STEP)] {
            return true;
        }
        let [arrived, answered, over] = self.counts[&passed];
        let sql = "select (select count(*) from attempts where outcome is not null),
                          (select count(*) from pushes where finished_at is not null)";
        let enough = [[answered, over].map(|count| count.to_string()).to_vec()];
        let waits = async {
            while world.platform.count() != arrived || world.rows(sql).await != enough {
                pause().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waits).await.is_ok()
    }
}

/// Lets the daemon's tasks have their turn.
async fn pause() {
    tokio::task::yield_now().await;
    let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
}

async fn live(case: &Case, config: &Config, scenario: &Scenario, course: &Course) -> Told {
    let mut world = World::within(tempfile::tempdir().unwrap(), BEGIN, config.accounts.clone()).await;
    let (clock, scenario_of_platform) = (world.clock.clone(), scenario.clone());
    let born = clock.boottime();
    let right = move |moment: Moment| BEGIN + moment.since(born);
    world.platform.takes(LATENCY, &clock);
    world.platform.answers_by(move |account, delivery| {
        answer_of(&scenario_of_platform, account, delivery, right(clock.boottime()))
    });
    world.load(&config.jobs).await;
    let end = Duration::from_secs(case.seconds);
    let expected = Expected::new(course, scenario, u32::try_from(end.as_millis() / STEP.as_millis()).unwrap());
    let mut passed = Duration::ZERO;
    while passed + STEP < end {
        passed += STEP;
        world.clock.advance(STEP);
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
                    passed = span.until.since(BEGIN);
                }
                _ => {}
            }
        }
        if passed.as_millis().is_multiple_of(PROBE_EVERY.as_millis()) {
            world.events.send(Event::ProbeAll).ok().unwrap();
            let asked = format!("select count(*) from accounts where checked_at = '{}'", world.clock.now());
            world.expect(&asked, &[&[&config.accounts.len().to_string()]]).await;
        }
        world.scheduler.run_once().await.unwrap();
        world.round().await;
        if !expected.happens(&world, passed).await {
            let now = world.clock.now();
            panic!(
                "at {now} live and simulated part\n{}",
                parting(&of_course(course), &of_world(&world, now + STEP), now)
            );
        }
    }
    of_world(&world, world.clock.now() + STEP)
}

/// The rows that only one of the two has, of those that end with an hour up to `now`.
fn parting(simulated: &Told, live: &Told, now: UtcMs) -> String {
    let now = now.to_string();
    let only = |ours: &Told, theirs: &Told| {
        let kinds = [(&ours.fires, &theirs.fires), (&ours.pushes, &theirs.pushes), (&ours.attempts, &theirs.attempts)];
        kinds.map(|(ours, theirs)| {
            let here = ours.iter().filter(|row| row.last().is_some_and(|at| *at <= now) && !theirs.contains(row));
            here.map(|row| row.join(" ")).collect::<Vec<_>>()
        })
    };
    format!("only simulated: {:#?}\nonly live: {:#?}", only(simulated, live), only(live, simulated))
}

async fn alike(case: &Case) {
    let (config, scenario) = read(case);
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("simulated.db");
    let course = simulated(case, &config, &scenario, &database);
    let told = of_course(&course);
    let written = of_database(&database, UtcMs::MAX);
    assert!(told == written, "its rows and its database part\n{}", parting(&told, &written, UtcMs::MAX));
    for word in case.shows {
        assert!(told.words().any(|seen| seen == *word), "nothing shows '{word}' in {told:#?}");
    }
    let live = live(case, &config, &scenario, &course).await;
    assert!(told == live, "{}", parting(&told, &live, UtcMs::MAX));
}

/// An account that is not reached, a kill, and what was missed.
#[tokio::test]
async fn g2_the_same_trouble_live_and_simulated_gives_the_same_fires_pushes_and_attempts() {
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

/// Fires that overlap.
#[tokio::test]
async fn fires_that_overlap_go_alike() {
    alike(&Case {
        files: "
  - {name: allow, every: 1m, push: {im: qq, group: '1', text: hi}}
  - {name: skip, every: 1m, overlap: skip, push: {im: qq, group: '2', text: hi}}
  - {name: replace, every: 1m, overlap: replace, push: [{im: qq, group: '3', text: hi}, {im: qq, user: '4', account: b, text: hi}]}
",
        events: "
  - {from: 2026-01-01T01:03:30, for: 5m, account: a, is: unreachable}
  - {from: 2026-01-01T01:12:30, for: 3m, answers: {throttled: 45s}}
",
        seconds: 1530,
        shows: &["overlap", "replaced"],
    }).await;
}

/// A clock that is put back.
#[tokio::test]
async fn a_clock_that_is_put_back_goes_alike() {
    alike(&Case {
        files: "
  - {name: minutely, every: 1m, push: {im: qq, group: '1', text: hi}}
  - {name: skip, every: 2m, overlap: skip, misfire: skip, push: {im: qq, group: '2', text: hi}}
",
        events: "
  - {at: 2026-01-01T01:10:30, clock: -6m}
  - {from: 2026-01-01T01:17:30, for: 70s, account: a, answers: unreachable}
",
        seconds: 1830,
        shows: &["unreachable"],
    })
    .await;
}

/// An account that never answers, and a breaker that opens.
#[tokio::test]
async fn an_account_that_never_answers_and_a_breaker_that_opens_go_alike() {
    alike(&Case {
        files: "
  - {name: a, every: 1m, push: {im: qq, group: '1', text: hi}}
  - {name: b, every: 1m, push: {im: qq, group: '2', account: b, text: hi}, retry: {backoff: 1s, max_attempts: 9, jitter: 0}}
",
        events: "
  - {from: 2026-01-01T01:04:50, for: 3m, account: a, is: silent}
  - {from: 2026-01-01T01:09:40, for: 6m, account: b, answers: unreachable}
",
        seconds: 1530,
        shows: &["unknown", "unreachable"],
    }).await;
}

/// An account that paces itself.
#[tokio::test]
async fn an_account_that_paces_itself_goes_alike() {
    alike(&Case {
        files: "
  - {name: many, every: 2m, push: [{im: slow, group: '1', text: hi}, {im: slow, group: '2', text: hi}, {im: slow, user: '3', text: hi}, {im: slow, group: '1', text: ho}]}
  - {name: more, every: 3m, push: {im: slow, group: '1', text: hi}, retry: {give_up_after: 1m, jitter: 0}}
",
        events: "
  - {from: 2026-01-01T01:05:50, for: 40s, im: slow, answers: {throttled: 4s}}
  - {from: 2026-01-01T01:12:04, until: 2026-01-01T01:14:04, daemon: killed}
",
        seconds: 1530,
        shows: &["throttled"],
    }).await;
}

/// Pushes that end badly, and what goes out in their place.
#[tokio::test]
async fn fallbacks_go_alike() {
    alike(&Case {
        files: "
  - {name: a, every: 2m, overlap: replace, push: {im: qq, group: '1', account: b, text: hi, fallback: [{account: a}, {group: '9', after: unknown}]}, retry: {max_attempts: 2, jitter: 0}}
  - {name: b, every: 3m, push: {im: qq, group: '2', account: b, text: hi, fallback: {im: qq, user: '3', account: a, after: [expired, failed, unknown]}}, retry: {give_up_after: 70s, jitter: 0}}
",
        events: "
  - {from: 2026-01-01T01:03:50, for: 5m, account: b, answers: unreachable}
  - {from: 2026-01-01T01:11:50, for: 5m, account: b, is: down}
",
        seconds: 1230,
        shows: &["failed"],
    })
    .await;
}
