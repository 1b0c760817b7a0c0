//! `fire`: a job's fire by hand.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, wait};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron fire daily-report           a running daemon sends within a second
  pushcron fire daily-report --wait    0: everything was sent, 1: something was not")]
pub struct Fire {
    #[arg(add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    /// Wait for the outcome and show it
    #[arg(short, long)]
    wait: bool,
}

impl Fire {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let pushes = context.acts(store).fire(&self.job).await?;
            let ids: Vec<String> = pushes.iter().map(ToString::to_string).collect();
            let noun = if ids.len() == 1 { "push" } else { "pushes" };
            say(format_args!("{} fired: {noun} {}", self.job, ids.join(", ")));
            wait::or_tell(context, store, &pushes, self.wait).await
        })
    }
}
