//! `next`: a calendar of the coming fires.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::Show;
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::render::{Cell, Column, Tone, table};
use super::rows::for_programs;
use crate::answers::next::{self, Fire, KnownOfJobs, Paused};
use crate::answers::rows::Instants;
use crate::answers::words::counted;
use crate::domain::{Job, Schedule};

/// Lines in the calendar of a day.
const MOST: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron next                      the next 24 hours, and one fire of each job that has none in them
  pushcron next daily-report -n 30   thirty fires of one job
  pushcron next daily-report --from 2026-10-01 --until 2026-10-31
  pushcron next --json | jq -r '.[].due_at'")]
pub(super) struct Next {
    /// Only this job, even if it is disabled
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: Option<String>,
    /// So many fires, however far away
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    number: Option<u32>,
    /// Every fire from this time on, instead of now: 2026-10-01, 2026-10-01T09:00
    #[arg(long, value_name = "TIME", conflicts_with = "number")]
    from: Option<String>,
    /// Every fire until this time, a day with all its hours
    #[arg(long, value_name = "TIME", conflicts_with = "number")]
    until: Option<String>,
    #[command(flatten)]
    show: Show,
}

/// None where there is a database that cannot be read, which is told.
fn known(context: &Context, asked: Option<&str>) -> Option<KnownOfJobs> {
    match context.known_of_jobs(asked) {
        Ok(known) => Some(known),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}; which jobs are paused cannot be told");
            None
        }
    }
}

impl Next {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let config = context.config_to_look_at()?;
        context.tell_of_example();
        let mut jobs = config.jobs;
        let known = known(context, self.job.as_deref());
        let is_readable = known.is_some();
        let KnownOfJobs { by_verbs, asked, paused, counted: fired } = known.unwrap_or_default();
        let paused = is_readable.then_some(paused);
        // One that has come to its end may be asked for by its name.
        for job in by_verbs.into_iter().chain(asked) {
            if !jobs.iter().any(|known| known.name == job.name) {
                jobs.push(job);
            }
        }
        next::bring_to_their_ends(&mut jobs, &fired, context.now())?;
        let number = self.number.map(|number| number as usize);
        let job = self.job.as_deref();
        let bounds = (self.from.as_deref(), self.until.as_deref());
        let mut fires = match bounds {
            (None, None) => next::coming(&jobs, job, number, context.now())?,
            bounds => {
                let stretch = next::stretch(&jobs, job, &config.daemon.timezone, bounds, context.now())?;
                next::between(&jobs, job, stretch)?
            }
        };
        if self.show.for_programs() {
            for_programs(&mut io::stdout().lock(), self.show, &next::as_table(&fires, &paused))?;
            return Ok(Exit::Done);
        }
        let all = fires.len();
        if number.is_none() && bounds == (None, None) {
            fires.truncate(MOST);
        }
        self.print(&jobs, &fires, &paused)?;
        if fires.len() < all {
            writeln!(io::stdout(), "… and {} more; name a job, or say how many with -n", all - fires.len())?;
        }
        let disabled = jobs.iter().filter(|job| !job.enabled).count();
        if self.job.is_none() && disabled > 0 {
            writeln!(io::stdout(), "{} disabled", counted(disabled, "job"))?;
        }
        let on_demand = jobs.iter().filter(|job| job.enabled && job.schedule == Schedule::OnDemand).count();
        if self.job.is_none() && on_demand > 0 {
            writeln!(io::stdout(), "{} on demand", counted(on_demand, "job"))?;
        }
        Ok(Exit::Done)
    }

    fn print(&self, jobs: &[Job], fires: &[Fire], paused: &Paused) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if fires.is_empty() {
            match &self.job {
                Some(name) if jobs.iter().any(|job| job.name == *name && job.schedule == Schedule::OnDemand) => {
                    writeln!(out, "{name} has no schedule: it fires on demand (`pushcron fire {name}`)")?;
                }
                Some(job) if self.from.is_none() && self.until.is_none() => {
                    writeln!(out, "{job} has come to its end: it fires no more")?;
                }
                Some(job) => writeln!(out, "{job} does not fire in that time")?,
                None => writeln!(out, "no job fires any more")?,
            }
            return Ok(());
        }
        let zones = fires.iter().map(|fire| (Some(fire.at), Some((&*fire.job.timezone).into())));
        let instants = Instants::new(self.show.utc, "UTC", zones);
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
                    Cell::new(instants.shown(Some(fire.at), Some(&fire.job.timezone))),
                    Cell::new(&fire.job.name),
                    Cell::new(next::targets(fire.job)),
                    Cell::new(in_brief(&fire.job.schedule)),
                    Cell::new(note(fire, paused).unwrap_or_default()).tone(Tone::Doubtful),
                ]
            })
            .collect();
        table(&mut out, self.show.screen(), &columns, &rows)?;
        writeln!(out, "{}", instants.told())?;
        Ok(())
    }
}

/// What is to be said beside a fire.
fn note(fire: &Fire, paused: &Paused) -> Option<String> {
    let state = if paused.as_ref().is_some_and(|paused| paused.contains(&fire.job.name)) {
        Some("paused: will be skipped")
    } else if !fire.job.enabled {
        Some("disabled")
    } else {
        None
    };
    let notes = next::in_words(&fire.notes);
    state
        .map(str::to_owned)
        .into_iter()
        .chain(notes.map(|text| text.english().to_owned()))
        .reduce(|a, b| format!("{a}; {b}"))
}

/// A schedule beside its fire, whose instant is shown already.
fn in_brief(schedule: &Schedule) -> String {
    match schedule {
        Schedule::At(_) => "once".to_owned(),
        Schedule::Cron(_) | Schedule::Every(_) | Schedule::OnDemand => schedule.describe(),
    }
}
