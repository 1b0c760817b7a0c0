//! Holds `policy::schedule` against a second opinion: Python's own reading of the zone data for the offsets, and the
//! rules of summer time once more, minute by minute, in the plainest words.
//!
//! The plain run takes the zones with odd changes and a sample of the others; `PUSHCRON_SEED` repeats a sample.
//! `PUSHCRON_ALL_ZONES=1` takes all.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use pushcron::domain::job::{DstGap, Timing};
use pushcron::domain::{Schedule, UtcMs};
use pushcron::policy::schedule::ScheduleCache;

/// Gaps of half an hour, of two hours, at midnight, at the last hour of a day, by decree, and Ramadan's four a year.
const ODD: [&str; 14] = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Havana",
    "America/Nuuk",
    "America/Scoresbysund",
    "America/Asuncion",
    "Asia/Beirut",
    "Asia/Tehran",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Casey",
    "Pacific/Chatham",
    "Atlantic/Azores",
];
const SAMPLE: usize = 6;
const DAY: i64 = 1440;

/// From this minute on (since the epoch), the clock is so many minutes ahead of UTC.
struct Span {
    start: i64,
    offset: i64,
}

/// A cron text, and what it means: whether it is due at (minute of the day, weekday), and whether it is a fixed time.
struct Pattern {
    text: String,
    is_due: Box<dyn Fn(i64, i64) -> bool>,
    fixed: bool,
}

impl Pattern {
    fn elapsed(text: &str, is_due: impl Fn(i64, i64) -> bool + 'static) -> Pattern {
        Pattern { text: text.to_owned(), is_due: Box::new(is_due), fixed: false }
    }

    /// A fixed time every day, or on one weekday.
    fn fixed(minute: i64, weekday: Option<i64>) -> Pattern {
        let day = weekday.map_or("*".to_owned(), |weekday| weekday.to_string());
        Pattern {
            text: format!("{} {} * * {day}", minute % 60, minute / 60),
            is_due: Box::new(move |at, on| at == minute && weekday.is_none_or(|weekday| weekday == on)),
            fixed: true,
        }
    }

    fn is_due(&self, local: i64) -> bool {
        // The epoch was a Thursday.
        (self.is_due)(local.rem_euclid(DAY), (local.div_euclid(DAY) + 4).rem_euclid(7))
    }
}

fn patterns_for_any_day() -> Vec<Pattern> {
    vec![
        Pattern::elapsed("* * * * *", |_, _| true),
        Pattern::elapsed("*/15 * * * *", |at, _| at % 15 == 0),
        Pattern::elapsed("*/7 */2 * * *", |at, _| at % 60 % 7 == 0 && at / 60 % 2 == 0),
        Pattern::elapsed("30 * * * *", |at, _| at % 60 == 30),
        Pattern::elapsed("0,30 0,2,23 * * *", |at, _| at % 30 == 0 && [0, 2, 23].contains(&(at / 60))),
        Pattern::elapsed("10-20 1-3 * * 0,6", |at, on| {
            (10..=20).contains(&(at % 60)) && (1..=3).contains(&(at / 60)) && (on == 0 || on == 6)
        }),
        Pattern::fixed(0, None),
        Pattern::fixed(150, None),
        Pattern::fixed(23 * 60 + 59, None),
    ]
}

/// Fixed times just before, at the start of, within, at the end of and after what a change skips or repeats, daily and
/// on that weekday alone.
fn patterns_for_change(before: i64, after: i64) -> Vec<Pattern> {
    let (low, high) = (before.min(after), before.max(after));
    let times = [low - 1, low, (low + high) / 2, high - 1, high];
    let both = |local: i64| {
        let weekday = (local.div_euclid(DAY) + 4).rem_euclid(7);
        [Pattern::fixed(local.rem_euclid(DAY), None), Pattern::fixed(local.rem_euclid(DAY), Some(weekday))]
    };
    times.into_iter().flat_map(both).collect()
}

/// Every minute in `from..to` at which the pattern fires, by walking them all.
fn walk(pattern: &Pattern, spans: &[Span], from: i64, to: i64, dst_gap: DstGap) -> Vec<i64> {
    let mut fires = Vec::new();
    // No change is as large as this in these years, so a fold is met before its second half begins.
    let start = from - DAY / 4;
    let mut span = spans.partition_point(|span| span.start <= start) - 1;
    let mut latest_shown = i64::MIN;
    for at in start..to {
        if spans.get(span + 1).is_some_and(|next| next.start == at) {
            span += 1;
        }
        let shown = at + spans[span].offset;
        let fires_now = if !pattern.fixed {
            pattern.is_due(shown)
        } else if latest_shown == i64::MIN || shown <= latest_shown {
            // The clock shows again what it has shown.
            false
        } else {
            let passed_over = (latest_shown + 1..shown).any(|missing| pattern.is_due(missing));
            pattern.is_due(shown) || (passed_over && dst_gap == DstGap::Fire)
        };
        if fires_now && at >= from {
            fires.push(at);
        }
        latest_shown = latest_shown.max(shown);
    }
    fires
}

/// Compares all fires in `from..to`, and what comes next after odd instants near the middle.
fn check(cache: &mut ScheduleCache, zone: &str, spans: &[Span], pattern: &Pattern, from: i64, to: i64) {
    // Only a fixed time knows the difference.
    let gap_rules: &[DstGap] = if pattern.fixed { &[DstGap::Fire, DstGap::Skip] } else { &[DstGap::Fire] };
    for &dst_gap in gap_rules {
        let cron = Schedule::Cron(pattern.text.clone());
        let schedule = cache
            .get_or_compile(Timing { schedule: &cron, timezone: zone, dst_gap, days: None, life: None })
            .unwrap_or_else(|error| panic!("{zone}: {error}"));
        let instant = |minute: i64| UtcMs(minute * 60_000);
        let label = || format!("'{}' in {zone}, {} to {}, {dst_gap:?}", pattern.text, instant(from), instant(to));
        let expected: Vec<UtcMs> = walk(pattern, spans, from, to, dst_gap).into_iter().map(instant).collect();
        let fires: Vec<UtcMs> = schedule.occurrences(instant(from), instant(to)).collect();
        assert_eq!(fires, expected, "{}", label());
        if dst_gap == DstGap::Fire {
            assert_eq!(schedule.count_called(instant(from), instant(to)), expected.len() as u64, "{}", label());
        }
        for after in ((from + to) / 2 - 200..(from + to) / 2 + 200).step_by(23).map(|at| UtcMs(instant(at).0 - 1)) {
            let known = expected.partition_point(|fire| *fire <= after);
            if let Some(next) = expected.get(known) {
                assert_eq!(schedule.next_after(after), Some(*next), "after {after}: {}", label());
            }
        }
        if let Some(last) = expected.last() {
            assert_eq!(schedule.previous_before(instant(to)), Some(*last), "{}", label());
        }
    }
}

/// Offsets by zone as `tests/oracle/offsets.py` tells them; None where there is no Python to ask.
fn ask_python(zones: &[&str]) -> Option<BTreeMap<String, Vec<Span>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/offsets.py");
    let (input, output) = (Stdio::piped(), Stdio::piped());
    let mut python = Command::new("python3").arg(script).stdin(input).stdout(output).spawn().ok()?;
    python.stdin.take()?.write_all(zones.join("\n").as_bytes()).ok()?;
    let answer = python.wait_with_output().ok().filter(|answer| answer.status.success())?;
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        let spans = words.map(|word| {
            let (start, offset) = word.split_once(':')?;
            let (start, offset): (i64, i64) = (start.parse().ok()?, offset.parse().ok()?);
            assert_eq!((start % 60, offset % 60), (0, 0), "{name} changes within a minute");
            Some(Span { start: start / 60, offset: offset / 60 })
        });
        Some((name.clone(), spans.collect::<Option<Vec<Span>>>()?))
    };
    let text = String::from_utf8(answer.stdout).ok()?;
    Some(text.lines().map(|line| parse(line).expect("the script's own form")).collect())
}

fn sample() -> Vec<String> {
    let seed = std::env::var("PUSHCRON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    eprintln!("PUSHCRON_SEED={seed}");
    let mut known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    known.retain(|name| name.contains('/'));
    known.sort();
    let mut random = fastrand::Rng::with_seed(seed);
    random.shuffle(&mut known);
    known.truncate(SAMPLE);
    known.extend(ODD.map(str::to_owned));
    known
}

#[test]
fn every_change_of_the_clock_from_2020_to_2040_keeps_the_rules() {
    let zones = if std::env::var_os("PUSHCRON_ALL_ZONES").is_some() { Vec::new() } else { sample() };
    let Some(zones) = ask_python(&zones.iter().map(String::as_str).collect::<Vec<_>>()) else {
        eprintln!("SKIPPED: the oracle needs python3 with zoneinfo");
        return;
    };
    let (mut changes, mut cache) = (0, ScheduleCache::default());
    for (zone, spans) in &zones {
        for change in spans.windows(2) {
            let (before, after) = (change[1].start + change[0].offset, change[1].start + change[1].offset);
            let patterns = patterns_for_any_day().into_iter().chain(patterns_for_change(before, after));
            for pattern in patterns {
                check(&mut cache, zone, spans, &pattern, change[1].start - DAY / 2 - 7, change[1].start + DAY / 2 + 7);
            }
            changes += 1;
        }
        let quiet = spans[0].start + 200 * DAY;
        for pattern in patterns_for_any_day() {
            check(&mut cache, zone, spans, &pattern, quiet, quiet + 8 * DAY);
        }
    }
    eprintln!("{} zones, {changes} changes", zones.len());
    assert!(changes > 100, "the oracle saw only {changes} changes");
}
