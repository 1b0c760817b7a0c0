//! `resolve`: a person's word on an unknown push.

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron history --state unknown    look at the chats: did it arrive?
  pushcron resolve 12 sent")]
pub struct Resolve {
    /// The id of the push
    #[arg(value_name = "PUSH", add = ArgValueCandidates::new(candidates::unknown_pushes))]
    push: i64,
    /// What the chat shows
    outcome: Found,
}

/// What the person saw in the chat.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Found {
    Sent,
    Failed,
}

impl Resolve {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let sent = matches!(self.outcome, Found::Sent);
            say(in_words(&context.acts(store).resolve(self.push, sent).await?));
            Ok(Exit::Done)
        })
    }
}
