//! `ledger`: does every instant that was called for have its one row, and has no row vanished?

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, render};
use crate::answers::ledger::{self, Audit};
use crate::answers::when;
use crate::domain::{UtcMs, escaped};
use crate::store::History;
use crate::zone;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron ledger                                  all jobs, all that is kept of them
  pushcron ledger daily-report --from 7d
  pushcron --db copy.db ledger --json              a backup

What the schedules called for is built anew, from every definition that a job has had and the time in which it held, \
and held against the table fires. Without a job, the ids that were ever given to fires and pushes are held against \
the rows too: one that is neither there nor was taken back or pruned has vanished. Nothing is changed, and a daemon may \
run meanwhile. The exit code is 0 where expected minus recorded is 0 for every job and no id has vanished, else 1.")]
pub struct Ledger {
    /// Only this job, even if it left the files
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: Option<String>,
    /// Only instants since then: 24h, 7d, 2026-01-01, 2026-01-01T09:00, 09:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only instants before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A JSON object: the sums, and the jobs that do not balance
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let zone = when::zone(&context.whereabouts()?.timezone);
        let instant = |option: &str, text: &Option<String>| -> Result<Option<UtcMs>, Failure> {
            let stretch = text.as_deref().map(|text| when::parse(text, &zone, context.now())).transpose();
            let stretch = stretch.map_err(|problem| Failure::new(Exit::Usage, format!("--{option}: {problem}")))?;
            Ok(stretch.map(|stretch| stretch.from))
        };
        let from = instant("from", &self.from)?;
        let until = instant("until", &self.until)?.map_or(context.now(), |until| UtcMs(until.0 - 1).min(context.now()));
        let audit = Audit { from, until, zone_version: zone::data_version() };
        context.reading(async |store| self.check(store, &audit).await)
    }

    async fn check(&self, store: &dyn History, audit: &Audit) -> Result<Exit, Failure> {
        let tell = |line: String| {
            if !self.json {
                say(escaped(&line));
            }
        };
        let sums = ledger::check(store, self.job.as_deref(), audit, tell).await?;
        match self.json {
            true => say(render::pretty(&sums.as_json(audit))),
            false => {
                sums.lines_of_ids().for_each(say);
                say(sums.line());
            }
        }
        Ok(if sums.is_even() { Exit::Done } else { Exit::Failed })
    }
}
