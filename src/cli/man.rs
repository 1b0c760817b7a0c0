//! `man`: a page for the program and one for each verb, made from the very definitions that parse the command line.

use std::path::PathBuf;

use clap::Args;
use rustix::fs::Mode;

use super::failure::{Exit, Failure};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron man /usr/share/man/man1")]
pub struct Man {
    /// A directory that exists
    directory: PathBuf,
}

impl Man {
    pub fn act(&self, verbs: clap::Command) -> Result<Exit, Failure> {
        // Everybody reads the manual; no verb's secret is in it.
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        clap_mangen::generate_to(verbs, &self.directory)
            .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", self.directory.display())))?;
        Ok(Exit::Done)
    }
}
