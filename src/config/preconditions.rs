//! What a daemon asks of a configuration before it runs with it, beside that its files are right. A start and a reload are
//! refused by the first that is not met; `check` walks the same list and tells them all.

use std::collections::HashSet;
use std::fmt;

use super::Config;
use super::problem::{ConfigErrors, Problem};
use super::sources::Sources;
use crate::domain::{ContentSource, Job};
use crate::texts::{self, Text};

/// One that is not met.
#[derive(Debug)]
pub enum Unmet {
    /// `on_failure.command` is set, and the daemon runs as root.
    CommandAsRoot,
    /// A job has its content made, or its recipients listed, by a command, and the daemon runs as root.
    ContentAsRoot { job: String },
    /// No file was named or found, and the built-in example would take the place of what the database knows.
    NoFiles { known: usize },
    /// The database knows jobs, and the files none, without saying `jobs: []`.
    JobsForgotten(ConfigErrors),
}

impl Unmet {
    fn text(&self) -> Text {
        match self {
            Unmet::CommandAsRoot => texts::alarm_command_as_root(),
            Unmet::ContentAsRoot { job } => texts::content_as_root(job),
            Unmet::NoFiles { known } => texts::no_files(known),
            Unmet::JobsForgotten(errors) => Text::same(errors.to_string()),
        }
    }

    /// As problems of the files, for whoever only looks at them.
    pub fn problems(self) -> Vec<Problem> {
        // Who checks is often root where the daemon is not.
        let is_of_root = matches!(self, Unmet::CommandAsRoot | Unmet::ContentAsRoot { .. });
        let hint = is_of_root.then(texts::check_as_that_user);
        match self {
            Unmet::JobsForgotten(errors) => errors.errors,
            unmet => vec![Problem { hint, ..Problem::without_place(unmet.text()) }],
        }
    }
}

/// As a log has it.
impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

/// Those that the files alone do not meet, for a daemon with the rights of root or without.
///
/// A daemon that runs as root must not lend root to whoever may write its configuration.
pub fn unmet(config: &Config, is_root: bool) -> Vec<Unmet> {
    if !is_root {
        return Vec::new();
    }
    let on_failure = config.daemon.on_failure.as_ref();
    let alarm = on_failure.filter(|on_failure| on_failure.command.is_some() && !on_failure.as_root);
    let refuses_root = |source: &ContentSource| matches!(source, ContentSource::Command(command) if !command.as_root);
    let runs_as_root = |job: &&Job| {
        let content = job.content_from.iter().map(|content| &content.source);
        let lists = job.push.iter().filter_map(|push| Some(&push.list.as_ref()?.source));
        content.chain(lists).any(refuses_root)
    };
    let jobs = config.jobs.iter().filter(runs_as_root).map(|job| Unmet::ContentAsRoot { job: job.name.clone() });
    alarm.map(|_| Unmet::CommandAsRoot).into_iter().chain(jobs).collect()
}

/// Whether the jobs that the database knows from files can be asked after at all: only where the files have no word of jobs
/// does it matter which there are.
pub fn asks_for_known_jobs(config: &Config) -> bool {
    config.files.is_empty() || config.sources.have_no_word_of_jobs()
}

/// What the files do not meet of a database that knows these jobs of files.
pub fn unmet_by_known<'a>(config: &Config, known: impl IntoIterator<Item = &'a str>) -> Option<Unmet> {
    if !asks_for_known_jobs(config) {
        return None;
    }
    let ours: HashSet<&str> = config.jobs.iter().map(|job| &*job.name).collect();
    match known.into_iter().filter(|name| !ours.contains(name)).count() {
        0 => None,
        known if config.files.is_empty() => Some(Unmet::NoFiles { known }),
        known => Some(Unmet::JobsForgotten(Sources::jobs_forgotten(known))),
    }
}
