//! `check`: the files refused or accepted, without any effect.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render;
use super::say::say;
use crate::answers::words::counted;
use crate::config::{Config, ConfigErrors};
use crate::domain::escaped;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron -c jobs.yaml check                 0: fine, 78: refused
  pushcron -c jobs.yaml check --json | jq -r '.errors[] | \"\\(.file):\\(.line): \\(.message)\"'")]
pub struct Check {
    /// One JSON object: ok, errors and warnings (each with file, line, column), files, jobs, accounts
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let config = context.config_to_look_at();
        // What only the senders themselves can judge, and `run` would refuse.
        let accounts = config.as_ref().map_or_else(|_| Ok(Vec::new()), |config| context.unusable_accounts(config))?;
        if self.json {
            say(render::pretty(&report(&config, &accounts)));
            return Ok(if config.is_ok() && accounts.is_empty() { Exit::Done } else { Exit::BadConfig });
        }
        let warnings = config.as_ref().map_or_else(|errors| &errors.warnings, |config| &config.warnings);
        for warning in warnings {
            for line in format!("warning: {warning}").lines() {
                writeln!(io::stderr(), "{}", escaped(line))?;
            }
        }
        let config = config?;
        if !accounts.is_empty() {
            return Err(Failure::of_accounts(accounts));
        }
        say(summary(&config));
        Ok(Exit::Done)
    }
}

fn report(config: &Result<Config, ConfigErrors>, accounts: &[String]) -> Value {
    match config {
        Ok(config) => json!({
            "ok": accounts.is_empty(),
            "errors": accounts.iter().map(of_no_file).collect::<Vec<_>>(),
            "warnings": config.warnings,
            "files": config.files,
            "jobs": config.jobs.len(),
            "accounts": config.accounts.len(),
        }),
        Err(errors) => {
            json!({ "ok": false, "errors": errors.errors, "warnings": errors.warnings, "more": errors.more })
        }
    }
}

/// The form of problems that have no place.
fn of_no_file(message: &String) -> Value {
    json!({ "file": "", "line": 0, "column": 0, "message": message })
}

fn summary(config: &Config) -> String {
    let disabled = match config.jobs.iter().filter(|job| !job.enabled).count() {
        0 => String::new(),
        disabled => format!(" ({disabled} disabled)"),
    };
    let warnings = match config.warnings.len() {
        0 => String::new(),
        warnings => format!(", {}", counted(warnings, "warning")),
    };
    let files = match config.files.len() {
        0 => "the embedded example".to_owned(),
        files => counted(files, "file"),
    };
    let (jobs, accounts) = (counted(config.jobs.len(), "job"), counted(config.accounts.len(), "account"));
    format!("fine: {files}, {jobs}{disabled}, {accounts}{warnings}")
}
