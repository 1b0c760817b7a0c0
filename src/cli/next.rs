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
use crate::domain::{Job, Schedule, escaped};
use crate::texts::{self, Language, Text};

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
            let told = texts::paused_cannot_be_told(failure.told(context.language()));
            let _ = writeln!(io::stderr(), "{}", told.in_language(context.language()));
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
        let language = context.language();
        self.print(&jobs, &fires, &paused, language)?;
        let tell = |text: Text| writeln!(io::stdout(), "{}", text.in_language(language));
        if fires.len() < all {
            tell(texts::more_fires(all - fires.len()))?;
        }
        let disabled = jobs.iter().filter(|job| !job.enabled).count();
        if self.job.is_none() && disabled > 0 {
            tell(texts::jobs_disabled(texts::jobs(disabled)))?;
        }
        let on_demand = jobs.iter().filter(|job| job.enabled && job.schedule == Schedule::OnDemand).count();
        if self.job.is_none() && on_demand > 0 {
            tell(texts::jobs_on_demand(texts::jobs(on_demand)))?;
        }
        Ok(Exit::Done)
    }

    fn print(&self, jobs: &[Job], fires: &[Fire], paused: &Paused, language: Language) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let say = |text: Text| escaped(text.in_language(language)).into_owned();
        if fires.is_empty() {
            let told = match &self.job {
                Some(name) if jobs.iter().any(|job| job.name == *name && job.schedule == Schedule::OnDemand) => {
                    texts::has_no_schedule(name)
                }
                Some(job) if self.from.is_none() && self.until.is_none() => texts::fires_no_more(job),
                Some(job) => texts::fires_not_then(job),
                None => texts::no_job_fires(),
            };
            writeln!(out, "{}", say(told))?;
            return Ok(());
        }
        let zones = fires.iter().map(|fire| (Some(fire.at), Some((&*fire.job.timezone).into())));
        let instants = Instants::new(self.show.utc, "UTC", zones);
        let columns = [
            Column::instant(say(texts::title_due()), Column::KEPT),
            Column::kept(say(texts::title_job())),
            Column::ranked(say(texts::title_to()), 1, 12),
            Column::ranked(say(texts::title_schedule()), 2, 10),
            Column::ranked(say(texts::title_note()), 3, 40),
        ];
        let rows: Vec<Vec<Cell>> = fires
            .iter()
            .map(|fire| {
                vec![
                    Cell::new(instants.shown(Some(fire.at), Some(&fire.job.timezone))),
                    Cell::new(&fire.job.name),
                    Cell::new(next::targets(fire.job)),
                    Cell::new(in_brief(&fire.job.schedule).in_language(language)),
                    Cell::new(note(fire, paused).in_language(language)).tone(Tone::Doubtful),
                ]
            })
            .collect();
        table(&mut out, self.show.screen(), &columns, &rows)?;
        writeln!(out, "{}", instants.told().in_language(language))?;
        Ok(())
    }
}

/// What is to be said beside a fire.
fn note(fire: &Fire, paused: &Paused) -> Text {
    let state = if paused.as_ref().is_some_and(|paused| paused.contains(&fire.job.name)) {
        Some(texts::paused_and_skipped())
    } else if !fire.job.enabled {
        Some(texts::job_disabled())
    } else {
        None
    };
    Text::joined(state.into_iter().chain(next::in_words(&fire.notes)), &texts::told_semicolon())
}

/// A schedule beside its fire, whose instant is shown already.
fn in_brief(schedule: &Schedule) -> Text {
    match schedule {
        Schedule::At(_) => texts::once(),
        Schedule::Cron(_) | Schedule::Every(_) | Schedule::OnDemand => texts::schedule_words(&schedule.describe()),
    }
}
