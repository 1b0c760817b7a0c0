//! YAML files to definitions, or every problem with its place.
//!
//! [`load`] reads files in one pass: text to small trees (`yaml`), trees to drafts that know their places (`jobs`,
//! `push`, `accounts`, `daemon`), and, once every file is read, drafts to definitions (`settle`). Nothing is taken
//! over from a configuration with a problem. This module reads files and variables, and neither sends nor stores.

mod accounts;
mod daemon;
mod files;
mod items;
mod jobs;
mod load;
mod mask;
mod media;
mod policies;
mod problem;
mod push;
mod reading;
mod scalar;
mod scenario;
mod schema;
mod secrets;
mod settings;
mod settle;
mod sources;
mod trust;
mod yaml;

use std::path::PathBuf;

pub use problem::{ConfigErrors, Problem};
pub use scenario::{Absence, Scenario, Scope, Scripted, Span, Trouble, scenario};
pub use schema::schema;
pub use settings::{DaemonSettings, Heartbeat, OnFailure};
pub use sources::Sources;

use crate::domain::{Account, Job, PushSpec, SenderSpec, UtcMs};

/// A configuration without any problem.
#[derive(Clone, Debug)]
pub struct Config {
    pub daemon: DaemonSettings,
    /// In file order, on which "first online" depends.
    pub accounts: Vec<Account>,
    pub jobs: Vec<Job>,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Problem>,
    /// Every file that was read, in that order.
    pub files: Vec<PathBuf>,
    /// Token files that were read: never sent as media.
    pub secret_files: Vec<PathBuf>,
    /// Which file brought what.
    pub sources: Sources,
}

/// A look-up of environment variables.
pub type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a configuration depends on besides its files.
pub struct Surroundings {
    pub now: UtcMs,
    /// Looks up an environment variable: `${NAME}`, `$STATE_DIRECTORY`, `$CREDENTIALS_DIRECTORY`.
    pub variable: Box<Variable>,
    /// Where a relative database path starts, unless there is a state directory.
    pub working_directory: PathBuf,
    /// The IANA name of the system's zone, if it has one.
    pub timezone: Option<String>,
    /// Whether credentials must be there. Where they need not, an account whose credential only the service itself
    /// can see is left out with a warning.
    pub needs_credentials: bool,
    /// The user as whom we run: files of anybody else but root are told.
    pub user: u32,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(now: UtcMs) -> Surroundings {
        Surroundings {
            now,
            variable: Box::new(|name| std::env::var(name).ok()),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            timezone: jiff::tz::TimeZone::system().iana_name().map(str::to_owned),
            needs_credentials: true,
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// Where files of the daemon's own belong: systemd's state directory (the first, if there are several), else
    /// the working directory.
    fn state_directory(&self) -> PathBuf {
        let directories = (self.variable)("STATE_DIRECTORY").unwrap_or_default();
        match directories.split(':').next() {
            Some(first) if !first.is_empty() => PathBuf::from(first),
            _ => self.working_directory.clone(),
        }
    }
}

/// Reads files, and directories with `*.yaml` and `*.yml` files, as one configuration. Without any path it is the
/// embedded `jobs.example.yaml`, so that a newcomer sees a push at once.
///
/// # Errors
/// Every problem of every file at once. A file that cannot be parsed hides what comes after the place; the other
/// files are read nevertheless.
pub fn load(paths: &[PathBuf], specs: &[&'static SenderSpec], around: &Surroundings) -> Result<Config, ConfigErrors> {
    let mut loading = load::Loading::new(around, specs);
    loading.paths(paths);
    finish(loading, around, specs).map(|(config, _)| config)
}

/// The file in which the problems of a push outside any job stand.
pub const COMMAND_LINE: &str = "command line";

/// As [`load`], with one push outside any job: `push` is a mapping as under a job's `push:`, and is judged by the same
/// rules, with the retry policy and timeout of `defaults`.
///
/// # Errors
/// As [`load`]; problems of the push stand in the file [`COMMAND_LINE`].
pub fn load_with_push(
    paths: &[PathBuf],
    push: &str,
    specs: &[&'static SenderSpec],
    around: &Surroundings,
) -> Result<(Config, PushSpec), ConfigErrors> {
    let mut loading = load::Loading::new(around, specs);
    loading.paths(paths);
    loading.push(push);
    let (config, push) = finish(loading, around, specs)?;
    // Not reached: a push that could not be read left a problem.
    let unread = ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) };
    push.map(|push| (config, push)).ok_or(unread)
}

fn finish(
    mut loading: load::Loading,
    around: &Surroundings,
    specs: &[&'static SenderSpec],
) -> Result<(Config, Option<PushSpec>), ConfigErrors> {
    loading.doubt_directories();
    let settled = settle::settle(&mut loading, around);
    let warnings = loading.findings.finish(&loading.sources, &mask::Keys::new(specs));
    let warnings = warnings.map_err(|errors| ConfigErrors { under_way: loading.under_way, ..errors })?;
    let config = Config {
        daemon: settled.daemon,
        accounts: settled.accounts,
        jobs: settled.jobs,
        warnings,
        files: loading.files,
        secret_files: loading.secret_files,
        sources: sources::Sources(loading.brought),
    };
    Ok((config, settled.push))
}

/// What verbs that only look at the database ask of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// As [`DaemonSettings::database`].
    pub database: PathBuf,
    /// As [`DaemonSettings::timezone`].
    pub timezone: String,
}

/// Reads where the database is, without the accounts and jobs, and without judging anything else.
///
/// # Errors
/// When a file cannot be read, or what it says of the database cannot be understood.
pub fn whereabouts(paths: &[PathBuf], around: &Surroundings) -> Result<Whereabouts, ConfigErrors> {
    let mut loading = load::Loading::daemon_only(around);
    loading.paths(paths);
    let daemon = std::mem::take(&mut loading.daemon);
    // A secret that only the daemon may read is no obstacle, as long as the question itself is answered.
    let answered = daemon.database.is_some() && !loading.incomplete;
    if let Err(errors) = loading.findings.finish(&loading.sources, &mask::Keys::new(&[]))
        && !answered
    {
        return Err(errors);
    }
    let timezone = daemon.timezone.clone().or_else(|| around.timezone.clone()).unwrap_or_else(|| "UTC".to_owned());
    let settings = daemon.finish(around, Vec::new(), timezone, None);
    Ok(Whereabouts { database: settings.database, timezone: settings.timezone })
}
