//! `rm`: jobs that verbs made, ended.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::say::say;
use crate::answers::jobs::verb_job;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron rm tea    it fires no more, and what waits of it is cancelled; its history stays

Only jobs that `add` made: those of the files are removed there.")]
pub(super) struct Rm {
    /// The names of the jobs
    #[arg(required = true, value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    jobs: Vec<String>,
}

impl Rm {
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let files = context.files()?;
            let mut found = Vec::new();
            for (index, name) in self.jobs.iter().enumerate() {
                if self.jobs[..index].contains(name) {
                    continue;
                }
                let job = verb_job(store, name, || files.place_of(name)).await;
                found.push(job.map_err(|refusal| context.of_job(name, refusal))?);
            }
            let done = context.acts(store).remove(found).await?;
            say(in_words(&done).in_language(context.language()));
            Ok(Exit::Done)
        })
    }
}
