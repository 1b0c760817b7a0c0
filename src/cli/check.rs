//! `check`: the files refused or accepted, without any effect.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::render;
use super::say::say;
use crate::answers::check::Accepted;
use crate::answers::words::counted;
use crate::config::ConfigErrors;
use crate::domain::escaped;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron -c jobs.yaml check                 0: fine, 78: refused
  pushcron -c jobs.yaml check --json \\
    | jq -r '.errors[] | \"\\(.file):\\(.line): \\(.message)\"'")]
pub(super) struct Check {
    /// One JSON object: ok, errors and warnings (each with file, line, column), files, jobs, accounts
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let report = context.check()?;
        if self.json {
            say(render::pretty(&json!(report)));
            return Ok(if report.ok { Exit::Done } else { Exit::BadConfig });
        }
        for warning in &report.warnings {
            for line in format!("warning: {warning}").lines() {
                writeln!(io::stderr(), "{}", escaped(line))?;
            }
        }
        match &report.accepted {
            Some(accepted) if report.ok => {
                if accepted.files.is_empty() {
                    say(NO_FILES);
                }
                say(summary(accepted, report.warnings.len()));
                Ok(Exit::Done)
            }
            _ => Err(ConfigErrors::from(report).into()),
        }
    }
}

/// Who forgot `-c` must not think that his own file is fine.
const NO_FILES: &str = "NONE OF YOUR FILES WAS CHECKED: no -c, no $PUSHCRON_CONFIG and no /etc/pushcron names any, so that this is \
                        the built-in example";

fn summary(accepted: &Accepted, warnings: usize) -> String {
    let disabled = match accepted.disabled {
        0 => String::new(),
        disabled => format!(" ({disabled} disabled)"),
    };
    let warnings = match warnings {
        0 => String::new(),
        warnings => format!(", {}", counted(warnings, "warning")),
    };
    let files = match accepted.files.len() {
        0 => "the embedded example".to_owned(),
        files => counted(files, "file"),
    };
    let (jobs, accounts) = (counted(accepted.jobs, "job"), counted(accepted.accounts, "account"));
    format!("fine: {files}, {jobs}{disabled}, {accounts}{warnings}")
}
