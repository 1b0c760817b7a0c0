//! `retry`: finished pushes once more.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;
use super::{candidates, wait};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron retry 12
  pushcron retry 12 13 --wait    0: both were sent

A push that is `unknown` may have arrived already; look at the chat first.")]
pub struct Retry {
    /// Pushes that are failed, unknown, expired or cancelled
    #[arg(required = true, value_name = "PUSH", add = ArgValueCandidates::new(candidates::ended_pushes))]
    pushes: Vec<i64>,
    /// Wait for the outcome and show it
    #[arg(short, long)]
    wait: bool,
}

impl Retry {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let acts = context.acts(store);
            for id in &self.pushes {
                say(in_words(&acts.retry(*id).await?));
            }
            wait::or_tell(context, &acts, &self.pushes, self.wait).await
        })
    }
}
