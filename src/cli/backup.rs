//! `backup`: a consistent copy of the live database.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron backup /var/backups/pushcron-$(date +%F).db

A plain `cp` of a database that is in use loses data. To restore, stop the daemon and put the copy in the database's
place; pushes that the copy does not know to be sent are `unknown` then, and not repeated.")]
pub(super) struct Backup {
    /// A file that does not exist yet; it gets mode 0600
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

impl Backup {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.reading_all(async |store| {
            let done = context.acts(store).back_up(&self.file).await?;
            say(in_words(&done).in_language(context.language()));
            Ok(Exit::Done)
        })
    }
}
