//! `edit`: a job that a verb made, changed in what is said.

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::{Value, json};

use super::add::{refuse_past, tell};
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::job_words::JobWords;
use crate::acts::whole_inline;
use crate::answers::jobs::verb_job;
use crate::config::{Extra, written};
use crate::daemon::{self, JobsByVerb};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron edit stretch --cron '0 11 * * *'    its other keys stay as they are
  pushcron edit stretch --text 'Get up, all of you'

Only jobs that `add` made: those of the files are changed there.")]
pub struct Edit {
    /// The name of the job
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    #[command(flatten)]
    words: JobWords,
}

impl Edit {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        if self.words.is_empty() {
            return Err(Failure::new(Exit::Usage, "what is to be changed? expected at least one option"));
        }
        let zone = context.whereabouts()?.timezone;
        let told = context.changing(async |store| {
            let found = verb_job(store, &self.job, || context.place_of_job(&self.job)).await;
            let mut found = found.map_err(|refusal| context.of_job(&self.job, refusal))?;
            for push in &mut found.job.push {
                whole_inline(store, &mut push.message).await?;
            }
            let mut job = written(&found.job);
            if let Value::Object(keys) = &mut job {
                self.words.put_into(keys, &zone, context.now())?;
            }
            let jobs = context.config_and_jobs(&Extra::CommandLine(&json!({ "jobs": [job] }).to_string()))?;
            if self.words.says_when() {
                refuse_past(context, &jobs)?;
            }
            let told = jobs.clone();
            let expected = vec![(self.job.clone(), Some(found.revision))];
            let wanted = JobsByVerb { changed: jobs, removed: Vec::new(), expected };
            daemon::change_jobs(store, &context.clock, wanted).await?;
            Ok(told)
        })?;
        tell(context, &told)
    }
}
