//! `add`: a job made at run time.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::Context;
use super::done::in_words;
use super::failure::{Exit, Failure};
use super::job_words::JobWords;
use super::say::{aside, say};
use crate::acts::{Done, Proposal};
use crate::config::COMMAND_LINE;
use crate::domain::escaped;
use crate::texts::{self, Language};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pushcron add tea --in 20m --im qq --group 123456 --text 'Tea is ready'
  pushcron add call --at 14:30 --im qq --user 10001 --text 'Call Li Lei'
  pushcron add stretch --cron '0 10,15 * * 1-5' --zone Asia/Shanghai \\
    --im qq --group 1 --group 2 --text 'Get up'
  pushcron add -f jobs.d/more.yaml    jobs in a file as the daemon's, taken once

A daemon that runs takes it up within a second. The job survives restarts, and a reload of the files leaves it alone.")]
pub(super) struct Add {
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
    pub(super) fn act(&self, context: &Context) -> Result<Exit, Failure> {
        let files = context.files()?;
        let proposal = match (&self.name, &self.definition) {
            (_, Some(_)) if !self.words.is_empty() => {
                return Err(Failure::new(
                    Exit::Usage,
                    "the jobs of a file are taken as they are written: name no options",
                ));
            }
            (_, Some(file)) => files.propose_file(file)?,
            (Some(name), None) => {
                let mut job = files.new_job(name)?;
                if !self.words.says_when() {
                    let text = "when? expected one of --cron, --every, --at, --in and --on-demand";
                    return Err(Failure::new(Exit::Usage, text));
                }
                self.words.put_into(&mut job, &context.whereabouts()?.timezone, files.now)?;
                files.propose(job)?
            }
            // Clap asks for one of them.
            (None, None) => return Ok(Exit::Done),
        };
        tell_doubts(&proposal, context.language());
        let done = context.changing(async |store| Ok(context.acts(store).define(proposal).await?))?;
        tell(context, &done)
    }
}

/// What is doubtful of jobs that are to be. Of a file it is told with its place.
pub(super) fn tell_doubts(proposal: &Proposal, language: Language) {
    for doubt in &proposal.doubts {
        let told = if doubt.file == COMMAND_LINE {
            doubt.message.in_language(language).to_owned()
        } else {
            doubt.told(language)
        };
        let _ = writeln!(io::stderr(), "{}", escaped(&told));
    }
}

/// What was done; and whether somebody is there to fire it.
///
/// # Errors
///
/// When it cannot be told whether a daemon runs.
pub(super) fn tell(context: &Context, done: &Done) -> Result<Exit, Failure> {
    say(in_words(done).in_language(context.language()));
    if !context.daemon_runs()? {
        aside(&texts::no_daemon_will_fire(), context.language());
    }
    Ok(Exit::Done)
}
