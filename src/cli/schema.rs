//! `schema`: the JSON Schema of the YAML, for editors.

use std::io::{self, Write};

use clap::Args;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::config;
use crate::senders::specs;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron schema > pushcron.schema.json      then begin the YAML with:
  # yaml-language-server: $schema=./pushcron.schema.json")]
pub(super) struct Schema;

impl Schema {
    pub(super) fn act(&self, _context: &Context) -> Result<Exit, Failure> {
        writeln!(io::stdout(), "{:#}", config::schema(&specs()))?;
        Ok(Exit::Done)
    }
}
