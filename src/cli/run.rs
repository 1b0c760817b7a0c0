//! `run`: the daemon.

use clap::Args;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::daemon;
use crate::web;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron run                      the files of /etc/pushcron, or the embedded example where there are none
  pushcron -c jobs.yaml run -v

SIGHUP reloads the files, all or nothing; SIGTERM and SIGINT stop: sends under way may finish within 10 s.")]
pub(super) struct Run {}

impl Run {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        daemon::run(&context.daemon_options(), web::part())?;
        Ok(Exit::Done)
    }
}
