//! `cancel`: open pushes ended by hand.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron cancel 12
  pushcron cancel 12 13 14

A push that is being sent at this moment cannot be cancelled.")]
pub struct Cancel {
    /// Pushes that are pending or retrying
    #[arg(required = true, value_name = "PUSH", add = ArgValueCandidates::new(candidates::open_pushes))]
    pushes: Vec<i64>,
}

impl Cancel {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            for id in &self.pushes {
                say(in_words(&context.acts(store).cancel(*id).await?));
            }
            Ok(Exit::Done)
        })
    }
}
