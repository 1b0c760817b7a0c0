//! `simulate`: what the files would do over some time, without doing it.

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use jiff::ToSpan;
use serde_json::{Value, json};

use super::args::duration;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{self, Cell, Column, Screen, Tone, table};
use super::say::{aloud, say};
use crate::answers::when;
use crate::answers::words::counted;
use crate::config::{Config, Scenario};
use crate::domain::{Database, UtcMs, escaped};
use crate::simulate::{Change, Course, PushSeen, Request, Silence, SimulateError, Sums, changes, simulate_into};
use crate::texts;

/// Pushes shown to people.
const MOST: usize = 50;
/// Later than this after its instant, a push is late.
const LATE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron simulate --from 2026-12-01 --days 31                        a month: what is sent, late, not sent
  pushcron simulate --from 2026-12-01 --days 7 --scenario outage.yaml  the same week with an outage
  pushcron simulate --days 7 --what-if jobs.new.yaml                   what other files would change
  pushcron --db month.db simulate --days 31                            leaves the rows of such a month for history, explain, sqlite3
  pushcron simulate --days 31 --fail-on 'misses,late>10m'              for CI: exit code 1 where something is amiss")]
pub(super) struct Simulate {
    /// The beginning, by the clock of the daemon's zone [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, not included
    #[arg(long, alias = "to", value_name = "TIME", conflicts_with = "days")]
    until: Option<String>,
    /// So many days from the beginning [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=40_000))]
    days: Option<u32>,
    /// What happens meanwhile: outages, answers, a daemon that is away, a clock that is set (docs/simulate.md)
    #[arg(long, alias = "script", value_name = "FILE", value_hint = ValueHint::FilePath)]
    scenario: Option<PathBuf>,
    /// The same number gives the same course of events
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// A line a day, with what summer time changes
    #[arg(long)]
    calendar: bool,
    /// What each account has to carry, and its fullest minute
    #[arg(long)]
    load: bool,
    /// Every push that is not sent, or late, with its reason
    #[arg(long)]
    misses: bool,
    /// Tell only what these files would change
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, conflicts_with_all = ["calendar", "load", "misses"])]
    what_if: Option<PathBuf>,
    /// Exit with 1 where there is any of these: misses, limits (a push waits for what its platform grants), late>10m
    #[arg(long, value_name = "LIST")]
    fail_on: Option<String>,
    /// One JSON object, with instants in UTC
    #[arg(long)]
    json: bool,
}

/// What `--fail-on` asks for.
#[derive(Default)]
struct FailOn {
    misses: bool,
    limits: bool,
    late: Option<Duration>,
}

impl FailOn {
    fn parse(text: &str) -> Result<FailOn, Failure> {
        let mut fail_on = FailOn::default();
        for word in text.split(',').map(str::trim) {
            match word.split_once('>') {
                None if word == "misses" => fail_on.misses = true,
                Some(("late", length)) => {
                    let late =
                        duration(length).map_err(|why| usage(format!("--fail-on: late: {why}, got '{length}'")))?;
                    fail_on.late = Some(late);
                }
                None if word == "limits" => fail_on.limits = true,
                _ => return Err(usage(format!("--fail-on: expected misses, limits or late>10m, got '{word}'"))),
            }
        }
        Ok(fail_on)
    }

    fn is_met_by(&self, course: &Course) -> bool {
        course.pushes().any(|push| {
            let is_late = self.late.zip(push.late_by()).is_some_and(|(most, by)| by > most);
            is_late || self.misses && push.is_miss() || self.limits && push.is_limited()
        })
    }
}

fn usage(text: String) -> Failure {
    Failure::new(Exit::Usage, text)
}

impl From<SimulateError> for Failure {
    fn from(error: SimulateError) -> Failure {
        if let SimulateError::Store(error) = error {
            return error.into();
        }
        let exit = match error {
            SimulateError::NoTime { .. } | SimulateError::Unbelievable { .. } | SimulateError::TooMany { .. } => {
                Exit::Usage
            }
            SimulateError::Schedule { .. } | SimulateError::Apply(_) => Exit::BadConfig,
            SimulateError::Stuck { .. } | SimulateError::Store(_) => Exit::Failed,
        };
        Failure::of(exit, &error)
    }
}

impl Simulate {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let database = context.named_database();
        if database.is_some() && self.what_if.is_some() {
            return Err(usage(
                "--db: with --what-if there are two courses; write one of them, without --what-if".to_owned(),
            ));
        }
        let fail_on = self.fail_on.as_deref().map(FailOn::parse).transpose()?.unwrap_or_default();
        let config = context.config_to_look_at()?;
        context.tell_of_example();
        let (from, until) = self.time(&config, context.now())?;
        let scenario = match &self.scenario {
            Some(path) => context.scenario(path, &config)?,
            None => Scenario::default(),
        };
        let course = self.live_through(&config, &scenario, (from, until), database.as_ref())?;
        let judged = match &self.what_if {
            Some(path) => {
                let other = context.config_of(path)?;
                let scenario = match &self.scenario {
                    Some(path) => context.scenario(path, &other)?,
                    None => Scenario::default(),
                };
                let then = self.live_through(&other, &scenario, (from, until), None)?;
                self.tell_changes(&course, &then);
                then
            }
            None => {
                self.tell(&course, &config);
                course
            }
        };
        Ok(if fail_on.is_met_by(&judged) { Exit::Failed } else { Exit::Done })
    }

    fn live_through(
        &self,
        config: &Config,
        scenario: &Scenario,
        (from, until): (UtcMs, UtcMs),
        into: Option<&Database>,
    ) -> Result<Course, Failure> {
        let zone_version = crate::zone::data_version();
        let request = Request { config, scenario, from, until, seed: self.seed, zone_version };
        // Its lines about every push would be those of a daemon, and there is none.
        let quiet = tracing::subscriber::NoSubscriber::default();
        Ok(tracing::subscriber::with_default(quiet, || simulate_into(&request, into))?)
    }

    fn time(&self, config: &Config, now: UtcMs) -> Result<(UtcMs, UtcMs), Failure> {
        let zone = when::zone(&config.daemon.timezone);
        let read = |option: &str, text: &str| {
            when::parse(text, &zone, now).map(|stretch| stretch.from).map_err(|why| usage(format!("{option}: {why}")))
        };
        let from = self.from.as_deref().map_or(Ok(now), |text| read("--from", text))?;
        let until = match &self.until {
            Some(text) => read("--until", text)?,
            // Days of the calendar, of which one may have 23 hours.
            None => {
                let days = self.days.unwrap_or(1);
                let end = from.to_jiff().to_zoned(zone).checked_add(i64::from(days).days());
                let end = end.map_err(|_| usage(format!("--days {days} ends outside the years that can be told")))?;
                UtcMs::from(end.timestamp())
            }
        };
        Ok((from, until))
    }

    fn tell(&self, course: &Course, config: &Config) {
        let zone = when::zone(&config.daemon.timezone);
        if self.json {
            return say(render::pretty(&report(course, &zone)));
        }
        aloud(|out| self.write(out, course, &zone));
    }

    fn write(&self, out: &mut dyn Write, course: &Course, zone: &jiff::tz::TimeZone) -> io::Result<()> {
        let shown = |at| when::shown(at, zone, true, false);
        if !(self.calendar || self.load || self.misses) {
            summary(out, &course.sums(), &shown(course.from), &shown(course.until))?;
            notes(out, course, &shown)?;
            silence(out, course, &shown)?;
            misses(out, course, &shown, MOST)?;
        }
        if self.calendar {
            calendar(out, course, zone)?;
            notes(out, course, &shown)?;
        }
        if self.load {
            load(out, course, &shown)?;
        }
        if self.misses {
            misses(out, course, &shown, usize::MAX)?;
        }
        Ok(())
    }

    fn tell_changes(&self, before: &Course, after: &Course) {
        let found = changes(before, after);
        if self.json {
            let told = json!({ "before": before.sums(), "after": after.sums(), "changes": found });
            return say(render::pretty(&told));
        }
        aloud(|out| match found.is_empty() {
            true => writeln!(out, "nothing changes"),
            false => found.iter().try_for_each(|change| writeln!(out, "{}", in_words(change))),
        });
    }
}

fn in_words(change: &Change) -> String {
    let part = |count: u64, words: &str| (count > 0).then(|| format!("{count} {words}"));
    let later = match change.later_by_ms {
        0 => None,
        ms => {
            let by = crate::domain::job::describe_ms(ms.unsigned_abs() / 1000 * 1000);
            Some(format!("leaves up to {by} {}", if ms > 0 { "later" } else { "earlier" }))
        }
    };
    let parts = [
        part(change.new, "pushes more"),
        part(change.gone, "pushes fewer"),
        part(change.no_longer_sent, "no longer sent"),
        part(change.now_sent, "sent now"),
        later,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let first = change.first_at.map(|at| format!(", first at {at}")).unwrap_or_default();
    format!("{}: {}{first}", escaped(&change.job), parts.join(", "))
}

fn summary(out: &mut dyn Write, sums: &Sums, from: &str, until: &str) -> io::Result<()> {
    let listed = |counts: &std::collections::BTreeMap<&'static str, u64>| match counts.is_empty() {
        true => "none".to_owned(),
        false => counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", "),
    };
    writeln!(out, "from {from} until {until}")?;
    writeln!(out, "instants: {}", listed(&sums.instants))?;
    writeln!(out, "pushes: {} ({} attempts)", listed(&sums.pushes), sums.attempts)?;
    match sums.limited {
        0 => Ok(()),
        limited => writeln!(out, "held by what their platforms grant in a time: {limited}"),
    }
}

/// What summer time changes.
fn notes(out: &mut dyn Write, course: &Course, shown: &dyn Fn(UtcMs) -> String) -> io::Result<()> {
    let notes = course.dst_notes();
    for (at, job, note) in notes.iter().take(MOST) {
        writeln!(out, "{}  {}: {note}", shown(*at), escaped(job))?;
    }
    match notes.len().checked_sub(MOST) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "… and {more} more: --json has them all"),
    }
}

/// Jobs that nothing is told of, and why.
fn silence(out: &mut dyn Write, course: &Course, shown: &dyn Fn(UtcMs) -> String) -> io::Result<()> {
    let silent = course.silent_jobs();
    if silent.is_empty() {
        return Ok(());
    }
    let told = |(name, silence): &(&str, Silence)| {
        let why = match silence {
            Silence::Disabled => "disabled".to_owned(),
            Silence::Until(at) => format!("next at {}", shown(*at)),
            Silence::Since(at) => format!("none is to come, the last was at {}", shown(*at)),
            Silence::Always => "its schedule calls for none".to_owned(),
        };
        format!("{} ({why})", escaped(name))
    };
    let mut names: Vec<String> = silent.iter().take(MOST).map(told).collect();
    if silent.len() > MOST {
        names.push("…".to_owned());
    }
    writeln!(out, "{} with no instant in this time: {}", counted(silent.len(), "job"), names.join(", "))
}

/// `40m30s`.
fn in_minutes(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

fn is_trouble(push: &PushSeen<'_>) -> bool {
    push.is_miss() || push.late_by().is_some_and(|by| by > LATE)
}

fn why(push: &PushSeen<'_>) -> String {
    match push.reason {
        Some(word) => texts::reason_in_words(word).english().to_owned(),
        None => push.attempts().next().and_then(|first| first.outcome).map_or_else(String::new, |outcome| {
            if outcome == "sent" { String::new() } else { texts::reason_in_words(outcome).english().to_owned() }
        }),
    }
}

fn misses(out: &mut dyn Write, course: &Course, shown: &dyn Fn(UtcMs) -> String, most: usize) -> io::Result<()> {
    let count = course.pushes().filter(is_trouble).count();
    if count == 0 {
        let open = course.pushes().filter(|push| !push.state.is_final()).count();
        return match open {
            0 => writeln!(out, "every push is sent, none late"),
            _ => writeln!(out, "every push is sent, none late, but for what is open at the end"),
        };
    }
    let columns = [
        Column::kept("due"),
        Column::kept("job"),
        Column::ranked("to", 1, 12),
        Column::kept("state"),
        Column::ranked("late by", 3, 8),
        Column::ranked("why", 2, 20),
    ];
    let row = |push: PushSeen<'_>| {
        let late = push.late_by().map(in_minutes);
        let tone = if push.is_miss() { Tone::Bad } else { Tone::Doubtful };
        vec![
            Cell::new(shown(push.due_at)),
            Cell::new(push.job),
            Cell::new(format!("{} {}", push.im, push.target)),
            Cell::new(push.state.as_str()).tone(tone),
            Cell::new(late.unwrap_or_default()),
            Cell::new(why(&push)),
        ]
    };
    let rows: Vec<Vec<Cell>> = course.pushes().filter(is_trouble).take(most).map(row).collect();
    table(out, Screen::of_stdout(), &columns, &rows)?;
    if count > rows.len() {
        writeln!(out, "… and {} more: --misses shows them all", count - rows.len())?;
    }
    Ok(())
}

fn calendar(out: &mut dyn Write, course: &Course, zone: &jiff::tz::TimeZone) -> io::Result<()> {
    let number = |title| Column::kept(title).right();
    let columns = [
        Column::kept("day"),
        number("fired"),
        number("sent"),
        number("late"),
        number("not sent"),
        number("skipped"),
        number("missed"),
    ];
    let days = course.days(zone, LATE);
    let row = |(date, day): (&jiff::civil::Date, &crate::simulate::DayLoad)| {
        let numbers = [day.fired, day.sent, day.late, day.not_sent, day.skipped, day.missed];
        let mut row = vec![Cell::new(date.strftime("%a %Y-%m-%d").to_string())];
        row.extend(numbers.map(|number| Cell::new(number.to_string())));
        row
    };
    let rows: Vec<Vec<Cell>> = days.iter().map(row).collect();
    table(out, Screen::of_stdout(), &columns, &rows)
}

fn load(out: &mut dyn Write, course: &Course, shown: &dyn Fn(UtcMs) -> String) -> io::Result<()> {
    let columns = [
        Column::kept("account"),
        Column::kept("attempts").right(),
        Column::kept("in its fullest minute").right(),
        Column::ranked("which began", 3, 19),
        Column::ranked("in its fullest hour", 1, 8).right(),
    ];
    let row = |load: crate::simulate::Load| {
        vec![
            Cell::new(&load.account),
            Cell::new(load.attempts.to_string()),
            Cell::new(load.in_peak_minute.to_string()),
            Cell::new(shown(load.peak_minute)),
            Cell::new(load.in_peak_hour.to_string()),
        ]
    };
    let rows: Vec<Vec<Cell>> = course.load().into_iter().map(row).collect();
    table(out, Screen::of_stdout(), &columns, &rows)
}

fn report(course: &Course, zone: &jiff::tz::TimeZone) -> Value {
    let trouble = |push: PushSeen<'_>| {
        json!({
            "job": push.job,
            "due_at": push.due_at,
            "im": push.im,
            "target": push.target.to_string(),
            "state": push.state.as_str(),
            "reason": push.reason,
            "attempts": push.attempts().len(),
            "limited": push.is_limited(),
            "finished_at": push.finished_at,
            "late_ms": push.late_by().map(|by| u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        })
    };
    let note = |(at, job, note): (UtcMs, &str, String)| json!({ "job": job, "due_at": at, "note": note });
    let day = |(date, day)| json!({ "day": date, "counts": day });
    let days: Vec<Value> =
        course.days(zone, LATE).into_iter().map(|(date, load)| day((date.to_string(), load))).collect();
    json!({
        "from": course.from,
        "until": course.until,
        "sums": course.sums(),
        "troubles": course.pushes().filter(is_trouble).map(trouble).collect::<Vec<_>>(),
        "load": course.load(),
        "days": days,
        "notes": course.dst_notes().into_iter().map(note).collect::<Vec<_>>(),
        "silent_jobs": course.silent_jobs().into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
    })
}
