//! `next`: a calendar of the coming fires.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::{Value, json};

use super::check::counted;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Screen, Tone, table};
use super::rows::{Instants, for_programs};
use super::{Show, completions, when};
use crate::domain::{Job, UtcMs};
use crate::policy::schedule::{CompiledSchedule, ScheduleCache};
use crate::store::Table;

const DAY_MS: i64 = 86_400_000;

/// Fires of one job in the calendar of a day; a job that fires every few seconds would bury the others.
const MOST_OF_A_JOB: usize = 5;

/// Lines in the calendar of a day.
const MOST: usize = 100;

/// Fires shown of a single job.
const OF_ONE_JOB: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron next                      the next 24 hours, and one fire of each job that has none in them
  pushcron next daily-report -n 30   thirty fires of one job
  pushcron next --json | jq -r '.[].due_at'")]
pub struct Next {
    /// Only this job, even if it is disabled
    #[arg(add = ArgValueCandidates::new(completions::jobs))]
    job: Option<String>,
    /// So many fires, however far away
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    number: Option<u32>,
    #[command(flatten)]
    show: Show,
}

/// The names of paused jobs; None where they cannot be told.
type Paused = Option<HashSet<String>>;

fn paused(context: &Context) -> Paused {
    match context.paused_jobs() {
        Ok(paused) => Some(paused),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}; which jobs are paused cannot be told");
            None
        }
    }
}

/// One line of the calendar.
struct Fire<'a> {
    at: UtcMs,
    job: &'a Job,
    note: Option<String>,
}

impl Next {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let config = context.config_to_look_at()?;
        let jobs: Vec<&Job> = match &self.job {
            Some(name) => vec![find(&config.jobs, name)?],
            None => config.jobs.iter().filter(|job| job.enabled).collect(),
        };
        let mut cache = ScheduleCache::default();
        let compiled: Result<Vec<_>, _> = jobs
            .iter()
            .map(|job| cache.get_or_compile(&job.schedule, &job.timezone, job.dst_gap).map(|schedule| (*job, schedule)))
            .collect();
        let compiled = compiled.map_err(|error| Failure::of(Exit::BadConfig, &error))?;

        let now = context.now();
        let number = self.number.map(|number| number as usize);
        let mut fires = match number.or(self.job.as_ref().map(|_| OF_ONE_JOB)) {
            Some(number) => first(&compiled, now, number),
            None => calendar(&compiled, now),
        };
        let paused = paused(context);
        if self.show.for_programs() {
            for_programs(&mut io::stdout().lock(), self.show, &as_table(&fires, &paused))?;
            return Ok(Exit::Done);
        }
        let all = fires.len();
        if number.is_none() {
            fires.truncate(MOST);
        }
        self.print(&fires, &paused)?;
        if fires.len() < all {
            writeln!(io::stdout(), "… and {} more; name a job, or say how many with -n", all - fires.len())?;
        }
        let disabled = config.jobs.len() - jobs.len();
        if self.job.is_none() && disabled > 0 {
            writeln!(io::stdout(), "{} disabled", counted(disabled, "job"))?;
        }
        Ok(Exit::Done)
    }

    fn print(&self, fires: &[Fire], paused: &Paused) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if fires.is_empty() {
            writeln!(out, "no job fires any more")?;
            return Ok(());
        }
        let zones = fires.iter().map(|fire| (Some(fire.at), Some(fire.job.timezone.as_str().into())));
        let instants = Instants::new(self.show, "UTC", zones);
        let columns = [
            Column::instant("due", Column::KEPT),
            Column::kept("job"),
            Column::ranked("to", 1, 12),
            Column::ranked("schedule", 2, 10),
            Column::ranked("note", 3, 40),
        ];
        let rows: Vec<Vec<Cell>> = fires
            .iter()
            .map(|fire| {
                vec![
                    instants.cell(Some(fire.at), Some(&fire.job.timezone)),
                    Cell::new(&fire.job.name),
                    Cell::new(targets(fire.job)),
                    Cell::new(fire.job.schedule.describe()),
                    Cell::new(note(fire, paused).unwrap_or_default()).tone(Tone::Doubtful),
                ]
            })
            .collect();
        table(&mut out, Screen::of_stdout(), &columns, &rows)?;
        writeln!(out, "{}", instants.told())?;
        Ok(())
    }
}

/// The job of that name.
///
/// # Errors
///
/// With a near match, when there is none.
fn find<'a>(jobs: &'a [Job], name: &str) -> Result<&'a Job, Failure> {
    jobs.iter().find(|job| job.name == name).ok_or_else(|| {
        let near = jobs.iter().map(|job| (strsim::jaro_winkler(&job.name, name), &job.name));
        let near = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = near.map(|(_, near)| format!("; did you mean '{near}'?")).unwrap_or_default();
        Failure::new(Exit::Failed, format!("there is no job '{name}'{hint}"))
    })
}

type Compiled<'a> = (&'a Job, Arc<CompiledSchedule>);

/// The first `number` fires of all jobs together.
fn first<'a>(jobs: &[Compiled<'a>], now: UtcMs, number: usize) -> Vec<Fire<'a>> {
    let next =
        |index: usize, after: UtcMs| jobs[index].1.next_called_after(after).map(|called| Reverse((called.at, index)));
    let mut heap: BinaryHeap<_> = (0..jobs.len()).filter_map(|index| next(index, now)).collect();
    let mut fires = Vec::with_capacity(number.min(1024));
    while fires.len() < number
        && let Some(Reverse((at, index))) = heap.pop()
    {
        fires.push(fire(&jobs[index], at));
        heap.extend(next(index, at));
    }
    fires
}

/// The coming 24 hours, and one fire of each job that has none in them.
fn calendar<'a>(jobs: &[Compiled<'a>], now: UtcMs) -> Vec<Fire<'a>> {
    let end = UtcMs(now.0 + DAY_MS);
    let mut fires: Vec<Fire> = Vec::with_capacity(jobs.len());
    for compiled in jobs {
        let mut after = now;
        for place in 0..MOST_OF_A_JOB {
            let Some(called) = compiled.1.next_called_after(after).filter(|called| place == 0 || called.at < end)
            else {
                break;
            };
            fires.push(fire(compiled, called.at));
            after = called.at;
        }
        let more = compiled.1.count_called(UtcMs(after.0 + 1), end);
        if after > now
            && after < end
            && more > 0
            && let Some(last) = fires.last_mut()
        {
            last.note = [last.note.take(), Some(format!("{more} more by then"))]
                .into_iter()
                .flatten()
                .reduce(|a, b| format!("{a}; {b}"));
        }
    }
    fires.sort_by_key(|fire| fire.at);
    fires
}

fn fire<'a>((job, schedule): &Compiled<'a>, at: UtcMs) -> Fire<'a> {
    let skipped = schedule.next_called_after(UtcMs(at.0 - 1)).is_some_and(|called| called.skipped);
    let note = if skipped {
        Some("skipped: its time does not exist on that day (dst_gap: skip)".to_owned())
    } else {
        schedule.note_at(at).map(|note| note.to_string())
    };
    Fire { at, job, note }
}

fn note(fire: &Fire, paused: &Paused) -> Option<String> {
    let state = if paused.as_ref().is_some_and(|paused| paused.contains(&fire.job.name)) {
        Some("paused: will be skipped")
    } else if !fire.job.enabled {
        Some("disabled")
    } else {
        None
    };
    state.map(str::to_owned).into_iter().chain(fire.note.clone()).reduce(|a, b| format!("{a}; {b}"))
}

/// `qq group:123456`, and how many more.
fn targets(job: &Job) -> String {
    let first = job.push.first().map(|push| format!("{} {}", push.im, push.target)).unwrap_or_default();
    if job.push.len() > 1 { format!("{first} +{}", job.push.len() - 1) } else { first }
}

fn as_table(fires: &[Fire], paused: &Paused) -> Table {
    let columns = ["job", "due_at", "timezone", "local", "schedule", "enabled", "paused", "note"];
    let row = |fire: &Fire| -> Vec<Value> {
        let Job { name, timezone, schedule, enabled, .. } = fire.job;
        let local = when::shown(fire.at, &when::zone(timezone), true, true);
        let (enabled, is_paused) = (u8::from(*enabled), paused.as_ref().map(|paused| u8::from(paused.contains(name))));
        let values = json!([name, fire.at, timezone, local, schedule.describe(), enabled, is_paused, fire.note]);
        values.as_array().cloned().unwrap_or_default()
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: fires.iter().map(row).collect() }
}
