//! `export`: a job as the files would spell it.

use std::io::{self, Write};

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;

use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use crate::acts::whole_inline;
use crate::answers::jobs::definition;
use crate::config::written;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron export tea >> jobs.d/tea.yaml    a reload then takes the job over, and nothing of it fires twice")]
pub struct Export {
    /// The name of the job
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
}

impl Export {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let job = context.reading_all(async |store| {
            let found = definition(store, &self.job).await;
            let mut found = found.map_err(|refusal| context.of_job(&self.job, refusal))?;
            for push in &mut found.job.push {
                whole_inline(store, &mut push.message).await?;
            }
            Ok(written(&found.job))
        })?;
        print(&mut io::stdout().lock(), &job)?;
        Ok(Exit::Done)
    }
}

/// The keys of the job a line each, their values as JSON, which YAML includes.
fn print(out: &mut dyn Write, job: &Value) -> io::Result<()> {
    writeln!(out, "jobs:")?;
    for (place, (key, value)) in job.as_object().into_iter().flatten().enumerate() {
        let lead = if place == 0 { "  - " } else { "    " };
        match value {
            Value::Array(values) => {
                writeln!(out, "{lead}{key}:")?;
                for value in values {
                    writeln!(out, "      - {value}")?;
                }
            }
            value => writeln!(out, "{lead}{key}: {value}")?,
        }
    }
    Ok(())
}
