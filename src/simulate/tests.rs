use std::collections::BTreeMap;

use super::*;
use crate::config::{Absence, LoadEnvironment, Scope, Scripted, Span, Trouble, load};
use crate::domain::{Decision, Outcome, PushState};
use crate::senders::specs;

const ACCOUNTS: &str = "daemon: {timezone: UTC}\naccounts:\n  - {id: a, im: im, sender: console, default: true}\n";

fn config(jobs: &str) -> Config {
    with_accounts(ACCOUNTS, jobs)
}

fn with_accounts(accounts: &str, jobs: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.yaml");
    std::fs::write(&path, format!("{accounts}jobs:\n{jobs}")).unwrap();
    load(&[path], &specs(), &LoadEnvironment::of_process(at("2026-12-01T00:00:00Z"))).unwrap()
}

fn job(name: &str, schedule: &str, more: &str) -> String {
    format!("  - {{name: {name}, {schedule}, push: {{im: im, group: '1', text: hi}}{more}}}\n")
}

fn at(text: &str) -> UtcMs {
    text.parse().unwrap()
}

fn span(from: &str, until: &str) -> Span {
    Span { from: at(from), until: at(until) }
}

fn run(config: &Config, events: Vec<Scripted>, from: &str, until: &str) -> Course {
    let scenario = Scenario { events, ..Scenario::default() };
    let (from, until, zone_version) = (at(from), at(until), "2026a".to_owned());
    simulate(&Request { config, scenario: &scenario, from, until, seed: 7, zone_version }).unwrap()
}

fn told(course: &Course) -> String {
    let fires: Vec<_> = course.fires().map(|fire| format!("{fire:?}")).collect();
    let push = |push: PushSeen| {
        let attempts: Vec<_> = push.attempts().map(|seen| (seen.account, seen.started_at, seen.outcome)).collect();
        format!("{} {} {:?} {:?} {attempts:?}", push.job, push.due_at, push.state, push.reason)
    };
    let pushes: Vec<_> = course.pushes().map(push).collect();
    [fires, pushes].concat().join("\n")
}

fn states(course: &Course) -> Vec<(String, PushState)> {
    course.pushes().map(|push| (push.due_at.to_string()[5..16].to_owned(), push.state)).collect()
}

#[test]
fn every_instant_of_a_day_is_sent_at_its_hour() {
    let config = config(&job("hourly", "cron: '0 * * * *'", ""));
    let course = run(&config, Vec::new(), "2026-12-01T00:00:30Z", "2026-12-02T00:00:30Z");
    assert_eq!(course.sums().pushes, BTreeMap::from([("sent", 24)]));
    for push in course.pushes() {
        let started: Vec<_> = push.attempts().map(|attempt| attempt.started_at).collect();
        assert_eq!(started, [push.due_at]);
    }
}

#[test]
fn an_outage_costs_those_pushes_whose_time_ended_in_it_and_no_others() {
    let jobs = [
        job("short", "cron: '0 9 * * *'", ", retry: {give_up_after: 30m}"),
        job("long", "cron: '0 9 * * *'", ", retry: {give_up_after: 1h}"),
        job("before", "cron: '50 8 * * *'", ""),
    ];
    let outage = Scripted::Account {
        span: span("2026-12-03T08:55:00Z", "2026-12-03T09:40:00Z"),
        account: "a".to_owned(),
        trouble: Trouble::Down,
    };
    let course = run(&config(&jobs.concat()), vec![outage], "2026-12-01T00:00:00Z", "2026-12-05T00:00:00Z");
    let missed: Vec<_> = course.pushes().filter(PushSeen::is_miss).map(|push| (push.job, push.due_at)).collect();
    assert_eq!(missed, [("short", at("2026-12-03T09:00:00Z"))]);
    let late = course.pushes().find(|push| push.job == "long" && push.due_at == at("2026-12-03T09:00:00Z")).unwrap();
    let minutes = late.late_by().unwrap().as_secs() / 60;
    assert!(late.state == PushState::Sent && minutes == 40, "{minutes}");
}

#[test]
fn a_daemon_that_is_off_misses_by_the_policy_of_each_job() {
    let jobs = [
        job("all", "cron: '0 * * * *'", ", misfire: {policy: all, within: 24h}"),
        job("skip", "cron: '0 * * * *'", ", misfire: skip"),
    ];
    for absence in [Absence::Off, Absence::Killed] {
        let off = Scripted::Daemon { span: span("2026-12-01T02:30:00Z", "2026-12-01T05:30:00Z"), absence };
        let course = run(&config(&jobs.concat()), vec![off], "2026-12-01T00:30:00Z", "2026-12-01T08:30:00Z");
        let of = |job: &str, wanted: Decision| {
            course.fires().filter(|(name, _, decision, ..)| *name == job && *decision == wanted).count()
        };
        assert_eq!([of("all", Decision::Fired), of("all", Decision::Missed)], [8, 0]);
        assert_eq!([of("skip", Decision::Fired), of("skip", Decision::Missed)], [5, 3]);
    }
}

#[test]
fn a_clock_that_is_put_back_fires_no_instant_twice_and_silences_no_job() {
    let config = config(&job("hourly", "cron: '0 * * * *'", ""));
    let back = Scripted::Clock { at: at("2026-12-01T06:30:00Z"), by_ms: -2 * 3_600_000 };
    let course = run(&config, vec![back], "2026-12-01T00:30:00Z", "2026-12-01T12:30:00Z");
    let hours: Vec<_> = states(&course).into_iter().map(|(due, _)| due).collect();
    let expected: Vec<_> = (1..=10).map(|hour| format!("12-01T{hour:02}:00")).collect();
    assert_eq!(hours, expected);
}

#[test]
fn answers_of_the_script_are_retried_by_the_policy() {
    let config = config(&job("one", "cron: '0 9 * * *'", ", retry: {jitter: 0}"));
    let refused = Scripted::Answers {
        span: span("2026-12-01T08:00:00Z", "2026-12-01T09:00:12Z"),
        scope: Scope::All,
        answer: Outcome::Unreachable,
        share: 1.0,
    };
    let course = run(&config, vec![refused], "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    let push = course.pushes().next().unwrap();
    let outcomes: Vec<_> = push.attempts().map(|attempt| attempt.outcome.unwrap()).collect();
    assert_eq!(outcomes, ["unreachable", "unreachable", "sent"]);
}

const ROBOTS: &str = "daemon: {timezone: UTC}
accounts:
  - {id: robot, im: dingtalk, sender: dingtalk_robot, default: true, url: 'https://oapi.dingtalk.com/robot/send?access_token=t'}
  - {id: bot, im: weixin, sender: ilink, default: true}
";

fn robots(im: &str, to: &str, names: std::ops::Range<u32>, schedule: &str) -> Config {
    let job = |name| format!("  - {{name: j{name}, {schedule}, push: {{im: {im}, {to}, text: hi}}}}\n");
    with_accounts(ROBOTS, &names.map(job).collect::<String>())
}

/// G4 of the plan: the peak and its last push, by the limit that the sender states.
#[test]
fn what_exceeds_the_limit_of_a_platform_leaves_in_the_minutes_after_it() {
    let config = robots("dingtalk", "group: ops", 0..43, "cron: '0 9 * * *'");
    let course = run(&config, Vec::new(), "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    assert_eq!(course.sums().pushes, BTreeMap::from([("sent", 43)]));
    assert_eq!((course.sums().attempts, course.sums().limited), (43, 23), "what waits spends no attempt");
    let mut by_minute = BTreeMap::<String, usize>::new();
    for push in course.pushes() {
        let started = push.attempts().last().unwrap().started_at.to_string();
        *by_minute.entry(started[11..16].to_owned()).or_default() += 1;
    }
    let expected = [("09:00", 20), ("09:01", 20), ("09:02", 3)].map(|(minute, count)| (minute.to_owned(), count));
    assert_eq!(by_minute, BTreeMap::from(expected));
    let load = &course.load()[0];
    assert_eq!((load.peak_minute, load.in_peak_minute), (at("2026-12-01T09:00:00Z"), 20));
    assert_eq!(load.last_of_peak_late_ms / 60_000, 2);
}

#[test]
fn a_kill_and_a_clock_put_back_forget_nothing_that_was_sent() {
    let config = robots("dingtalk", "group: ops", 0..43, "cron: '0 9 * * *'");
    let killed = span("2026-12-01T09:00:04.400Z", "2026-12-01T09:00:10Z");
    let killed = Scripted::Daemon { span: killed, absence: Absence::Killed };
    let back = Scripted::Clock { at: at("2026-12-01T09:00:30Z"), by_ms: -20_000 };
    let course = run(&config, vec![killed, back], "2026-12-01T08:00:00Z", "2026-12-01T12:00:00Z");
    let mut starts: Vec<UtcMs> =
        course.pushes().flat_map(|push| push.attempts().next()).map(|seen| seen.started_at).collect();
    starts.sort();
    assert_eq!(starts.len() as u64, course.sums().attempts);
    // A minute after the first, which the clock shows as 40 s.
    assert!(starts[19] < starts[0] + Duration::from_secs(13));
    assert_eq!(starts[20], starts[0] + Duration::from_secs(40));
}

#[test]
fn an_account_that_only_answers_waits_for_a_word_of_the_script() {
    let config = robots("weixin", "user: me", 0..12, "cron: '0 9 * * *'");
    let day = |events| run(&config, events, "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    let inbound = |hour: &str| Scripted::Inbound { at: at(hour), account: "bot".to_owned() };
    assert_eq!(day(Vec::new()).sums().pushes, BTreeMap::from([("sent", 12)]), "without a word in the script all goes");
    // Ten after each word, and the rest after the next, in time or too late.
    let course = day(vec![inbound("2026-12-01T08:00:00Z"), inbound("2026-12-01T09:30:00Z")]);
    let after = |push: &PushSeen| push.attempts().any(|seen| seen.started_at >= at("2026-12-01T09:30:00Z"));
    assert_eq!((course.sums().pushes, course.pushes().filter(after).count()), (BTreeMap::from([("sent", 12)]), 2));
    let course = day(vec![inbound("2026-12-01T08:00:00Z"), inbound("2026-12-01T12:00:00Z")]);
    assert_eq!(course.sums().pushes, BTreeMap::from([("sent", 10), ("expired", 2)]));
    let reasons: Vec<_> = course.pushes().filter(PushSeen::is_miss).map(|push| push.reason).collect();
    assert_eq!(reasons, [Some("window_closed"); 2]);
    // Too long ago.
    let course = day(vec![inbound("2026-11-30T09:30:00Z")]);
    assert_eq!(course.sums().pushes, BTreeMap::from([("expired", 12)]));
}

#[test]
fn one_seed_gives_one_course() {
    let config = config(&[job("a", "every: 7m", ""), job("b", "every: 5m", ", overlap: skip")].concat());
    let half = || Scripted::Answers {
        span: span("2026-12-01T08:00:00Z", "2026-12-01T20:00:00Z"),
        scope: Scope::All,
        answer: Outcome::Throttled { wait: None },
        share: 0.5,
    };
    let course = || told(&run(&config, vec![half()], "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"));
    let once = course();
    assert!(once.contains("throttled") && once == course());
}

#[test]
fn other_files_change_what_they_change_and_nothing_else() {
    let (a, b) = (job("a", "every: 10m", ""), job("b", "every: 1h", ""));
    let course = |jobs: &str| run(&config(jobs), Vec::new(), "2026-12-01T00:00:30Z", "2026-12-02T00:00:30Z");
    let (before, after) = (course(&a), course(&[a.clone(), b].concat()));
    let found = changes(&before, &after);
    assert_eq!(found.iter().map(|change| (&*change.job, change.new)).collect::<Vec<_>>(), [("b", 24)]);
    assert_eq!(changes(&before, &before), []);
}

#[test]
fn summer_time_is_noted_as_next_does_and_a_century_is_refused() {
    let config = config(&job("night", "cron: '30 2 * * *', timezone: Europe/Berlin", ""));
    for (from, until) in
        [("2027-03-27T00:00:00Z", "2027-03-30T00:00:00Z"), ("2027-10-30T00:00:00Z", "2027-11-02T00:00:00Z")]
    {
        let notes = run(&config, Vec::new(), from, until).dst_notes().len();
        assert_eq!(notes, 1, "{from}");
    }
    let busy = self::config(&job("busy", "every: 1s", ""));
    let scenario = Scenario::default();
    let (from, until) = (at("2026-12-01T00:00:00Z"), at("2126-12-01T00:00:00Z"));
    let request = Request { config: &busy, scenario: &scenario, from, until, seed: 1, zone_version: String::new() };
    assert!(matches!(simulate(&request), Err(SimulateError::TooMany { .. })));
}
