//! `fire`: a job's fire by hand.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, wait};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron fire daily-report           a running daemon sends within a second
  pushcron fire daily-report --wait    0: everything was sent, 1: something was not")]
pub struct Fire {
    /// The name of the job
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// Wait for the outcome and show it
    #[arg(short, long)]
    wait: bool,
}

impl Fire {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let acts = context.acts(store);
            let since = context.now();
            let done = acts.fire(&self.job).await;
            let done = done.map_err(|refusal| context.of_job(&self.job, refusal))?;
            say(in_words(&done));
            let mut push_ids = done.push_ids().to_vec();
            if push_ids.is_empty() && self.wait {
                push_ids = acts.expanded(&self.job, since, || context.daemon_runs()).await?;
                if push_ids.is_empty() {
                    let text = format!("{} sends nothing; `pushcron explain {}` tells why", self.job, self.job);
                    return Err(Failure::new(Exit::Failed, text));
                }
            }
            wait::or_tell(context, &acts, &push_ids, self.wait).await
        })
    }
}
