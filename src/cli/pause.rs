//! `pause` and `resume`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron pause daily-report    its fires are recorded as skipped until `pushcron resume daily-report`")]
pub(super) struct Pause {
    /// The names of the jobs
    #[arg(required = true, value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    jobs: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron resume daily-report")]
pub(super) struct Resume {
    /// The names of the jobs
    #[arg(required = true, value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    jobs: Vec<String>,
}

impl Pause {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        set(context, &self.jobs, true)
    }
}

impl Resume {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        set(context, &self.jobs, false)
    }
}

fn set(context: &Context, jobs: &[String], paused: bool) -> Result<Exit, Failure> {
    context.changing(async |store| {
        for job in jobs {
            let done = context.acts(store).set_paused(job, paused).await;
            let done = done.map_err(|refusal| context.of_job(job, refusal))?;
            say(in_words(&done).in_language(context.language()));
        }
        Ok(Exit::Done)
    })
}
