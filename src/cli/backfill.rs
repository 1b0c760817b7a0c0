//! `backfill`: instants that did not come about, made up for by hand.

use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::args::duration;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, wait};
use crate::answers::backfill::{Wanted, owed};
use crate::answers::jobs::definition;
use crate::answers::when;
use crate::texts;

/// So many are made up for without being asked twice.
const UNASKED: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron backfill report --from 09:00 --to 12:00 --dry-run   which instants did not come about?
  pushcron backfill report --from 09:00 --to 12:00             makes up for them, oldest first
  pushcron backfill report --from 2026-12-01 --again --gap 10s  those that fired in vain, too

A second run does nothing: an instant is made up for once. The rows of the schedule stay as they are.")]
pub(super) struct Backfill {
    /// The name of the job
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// The first instant, by the clock of the job's zone
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Instants before this one [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Of those that did not fire only these
    #[arg(long, value_name = "DECISION", value_delimiter = ',', default_value = "missed,skipped", value_parser = ["missed", "skipped"])]
    only: Vec<String>,
    /// Also those that fired and of which nothing was sent
    #[arg(long)]
    again: bool,
    /// So long between one and the next
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    gap: Option<Duration>,
    /// Only show them
    #[arg(long)]
    dry_run: bool,
    /// However many they are
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: wait::Waiting,
}

impl Backfill {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let found = definition(store, &self.job).await;
            let job = found.map_err(|refusal| context.of_job(&self.job, refusal))?.job;
            let zone = when::zone(&job.timezone);
            let now = context.now();
            let instant = |option: &str, text: &str| {
                let stretch = when::parse(text, &zone, now);
                let told = stretch.map_err(|problem| Failure::new(Exit::Usage, format!("{option}: {problem}")))?;
                Ok::<_, Failure>(told.from)
            };
            let from = instant("--from", &self.from)?;
            let until = self.to.as_deref().map_or(Ok(now), |text| instant("--to", text))?;
            if until <= from {
                return Err(Failure::new(Exit::Usage, "--to is not after --from: there is no time between them"));
            }
            let is_wanted = |word: &str| self.only.iter().any(|only| only == word);
            let (skipped, missed) = (is_wanted("skipped"), is_wanted("missed"));
            let wanted = Wanted { from, until, skipped, missed, again: self.again };
            let instants = owed(store, &self.job, &wanted).await?;
            if self.dry_run {
                for at in &instants {
                    say(when::shown(*at, &zone, true, true));
                }
                let told = texts::instants_to_make_up_for(texts::instants(instants.len()), &self.job);
                say(told.in_language(context.language()));
                return Ok(Exit::Done);
            }
            if instants.len() > UNASKED && !self.yes {
                let text = texts::so_many_instants(texts::instants(instants.len()), &self.job);
                return Err(Failure::of_text(Exit::Usage, text));
            }
            let acts = context.acts(store);
            let done = acts.backfill(&self.job, instants, self.gap.unwrap_or_default()).await?;
            say(in_words(&done).in_language(context.language()));
            if done.push_ids().is_empty() {
                return Ok(Exit::Done);
            }
            wait::or_tell(context, &acts, done.push_ids(), (self.wait, self.wait.until(&acts))).await
        })
    }
}
