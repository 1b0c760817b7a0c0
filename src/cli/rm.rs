//! `rm`: jobs that verbs made, ended.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::candidates;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::say::say;
use crate::answers::jobs::verb_job;
use crate::answers::words::counted;
use crate::daemon::{self, JobsByVerb};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  pushcron rm tea    it fires no more, and what waits of it is cancelled; its history stays

Only jobs that `add` made: those of the files are removed there.")]
pub struct Rm {
    /// The names of the jobs
    #[arg(required = true, value_name = "JOB", add = ArgValueCandidates::new(candidates::jobs))]
    jobs: Vec<String>,
}

impl Rm {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        context.changing(async |store| {
            let mut wanted = JobsByVerb::default();
            for name in &self.jobs {
                let found = verb_job(store, name, || context.place_of_job(name)).await;
                let found = found.map_err(|refusal| context.of_job(name, refusal))?;
                wanted.expected.push((name.clone(), Some(found.revision)));
                wanted.removed.push(name.clone());
            }
            let applied = daemon::change_jobs(store, &context.clock, wanted).await?;
            for name in &self.jobs {
                let cancelled =
                    applied.cancelled_of.iter().find(|(job, _)| job == name).map_or(0, |(_, pushes)| *pushes);
                say(match cancelled {
                    0 => format!("{name} is removed"),
                    pushes => format!("{name} is removed, and {} of it cancelled", counted(pushes, "waiting push")),
                });
            }
            Ok(Exit::Done)
        })
    }
}
