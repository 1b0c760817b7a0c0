//! `edit`: a job that a verb made, changed in what is said.

use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::{Map, Value};

use super::add::{tell, tell_doubts};
use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::job_words::JobWords;
use crate::answers::jobs::verb_job;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron edit stretch --cron '0 11 * * *'    its other keys stay as they are
  pushcron edit stretch --text 'Get up, all of you'

Only jobs that `add` made: those of the files are changed there.")]
pub(super) struct Edit {
    /// The name of the job
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    job: String,
    #[command(flatten)]
    words: JobWords,
}

impl Edit {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        if self.words.is_empty() {
            return Err(Failure::new(Exit::Usage, "what is to be changed? expected at least one option"));
        }
        // Before anything is waited for: what is said of a time is said now.
        let files = context.files()?;
        let zone = context.whereabouts()?.timezone;
        let done = context.changing(async |store| {
            let acts = context.acts(store);
            let found = verb_job(store, &self.job, || files.place_of(&self.job)).await;
            let found = found.map_err(|refusal| context.of_job(&self.job, refusal))?;
            let change = |keys: &mut Map<String, Value>| self.words.put_into(keys, &zone, files.now);
            let proposal = acts.edited(found, &files, self.words.says_when(), change).await?;
            tell_doubts(&proposal, context.language());
            Ok(acts.define(proposal).await?)
        })?;
        tell(context, &done)
    }
}
