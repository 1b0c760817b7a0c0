//! `check`: the files refused or accepted, without any effect.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
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
        let config = context.config();
        if self.json {
            writeln!(io::stdout(), "{:#}", report(&config))?;
            return Ok(if config.is_ok() { Exit::Done } else { Exit::BadConfig });
        }
        let warnings = config.as_ref().map_or_else(|errors| &errors.warnings, |config| &config.warnings);
        for warning in warnings {
            for line in format!("warning: {warning}").lines() {
                writeln!(io::stderr(), "{}", escaped(line))?;
            }
        }
        writeln!(io::stdout(), "{}", summary(&config?))?;
        Ok(Exit::Done)
    }
}

fn report(config: &Result<Config, ConfigErrors>) -> Value {
    match config {
        Ok(config) => json!({
            "ok": true,
            "errors": [],
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

/// `1 job`, `2 jobs`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
