//! `add`: a job made at run time.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::{Map, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::job_words::{JobWords, plain};
use super::say::say;
use crate::answers::{next, when};
use crate::config::Extra;
use crate::daemon::{self, JobsByVerb};
use crate::domain::{Job, Schedule};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron add tea --in 20m --im qq --group 123456 --text 'Tea is ready'
  pushcron add call --at 14:30 --im qq --user 10001 --text 'Call Li Lei'
  pushcron add stretch --cron '0 10,15 * * 1-5' --zone Asia/Shanghai \\
    --im qq --group 1 --group 2 --text 'Get up'
  pushcron add -f jobs.d/more.yaml    jobs in a file as the daemon's, taken once

A daemon that runs takes it up within a second. The job survives restarts, and a reload of the files leaves it alone.")]
pub struct Add {
    /// What the job is called
    #[arg(required_unless_present = "definition", conflicts_with = "definition")]
    name: Option<String>,
    /// A file with `jobs:` and nothing else
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    definition: Option<PathBuf>,
    #[command(flatten)]
    words: JobWords,
}

impl Add {
    pub fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let jobs = match (&self.name, &self.definition) {
            (_, Some(_)) if !self.words.is_empty() => {
                return Err(Failure::new(
                    Exit::Usage,
                    "the jobs of a file are taken as they are written: name no options",
                ));
            }
            (_, Some(file)) => context.config_and_jobs(&Extra::File(file))?,
            (Some(name), None) => {
                if let Some(place) = context.place_of_job(name) {
                    let text = format!("job '{name}' is in the files, at {place}: change it there, and reload");
                    return Err(Failure::new(Exit::Failed, text));
                }
                if !self.words.says_when() {
                    let text = "when? expected one of --cron, --every, --at, --in and --on-demand";
                    return Err(Failure::new(Exit::Usage, text));
                }
                let mut job = Map::new();
                job.insert("name".to_owned(), json!(plain(name)));
                self.words.put_into(&mut job, &context.whereabouts()?.timezone, context.now())?;
                context.config_and_jobs(&Extra::CommandLine(&json!({ "jobs": [job] }).to_string()))?
            }
            (None, None) => Vec::new(),
        };
        refuse_past(context, &jobs)?;
        let expected = jobs.iter().map(|job| (job.name.clone(), None)).collect();
        let told = jobs.clone();
        context.changing(async |store| {
            let wanted = JobsByVerb { changed: jobs, removed: Vec::new(), expected };
            Ok(daemon::change_jobs(store, &context.clock, wanted).await?)
        })?;
        tell(context, &told)
    }
}

/// A job whose one instant has passed would never fire.
///
/// # Errors
///
/// With that instant.
pub fn refuse_past(context: &Context, jobs: &[Job]) -> Result<(), Failure> {
    let now = context.now();
    for Job { name, schedule, .. } in jobs {
        if let Schedule::At(at) = schedule
            && *at <= now
        {
            let text = format!("job '{name}': {at} is past, so it would never fire");
            return Err(Failure::new(Exit::Usage, text));
        }
    }
    Ok(())
}

/// Each job and its first instant; and whether somebody is there to fire it.
///
/// # Errors
///
/// When a schedule cannot be evaluated.
pub fn tell(context: &Context, jobs: &[Job]) -> Result<Exit, Failure> {
    let mut jobs = jobs.to_vec();
    next::bring_to_their_ends(&mut jobs, &context.counted_fires(), context.now())?;
    for job in &jobs {
        let fires = next::coming(&jobs, Some(&job.name), Some(1), context.now())?;
        let first = fires.first().map(|fire| when::shown(fire.at, &when::zone(&job.timezone), true, true));
        say(match first {
            Some(first) => format!("{}: next {first} ({})", job.name, job.timezone),
            None if job.schedule == Schedule::OnDemand => {
                format!("{0}: fires on demand (`pushcron fire {0}`)", job.name)
            }
            None => format!("{}: never fires any more", job.name),
        });
    }
    if !context.daemon_runs()? {
        writeln!(io::stderr(), "pushcron: no daemon runs on this database; one that starts will fire")?;
    }
    Ok(Exit::Done)
}
