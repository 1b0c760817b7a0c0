//! YAML files to definitions, or every problem with its place.
//!
//! [`load`] reads files in one pass: text to small trees, trees to drafts that know their places, and, once every file
//! is read, drafts to definitions. Nothing is taken over from a configuration with a problem. This module reads files
//! and variables, and neither sends nor stores.
//!
//! ```text
//! loader: files ─→ document: text ─→ yaml: trees ─→ decoder: drafts ─────────────────────────→ validate ─→ Config
//! (files, trust)   (mask)                           (accounts, daemon, defaults, jobs, push)      │
//!                     └────────────── diagnostics: every problem with its place ──────────────────┴─→ ConfigErrors
//! ```
//!
//! `keys` holds the key words that decoder, schema and mask share, `templates` what is told of texts that are rendered.

mod accounts;
mod address;
mod calendars;
mod carriers;
mod configuration;
mod content;
mod content_http;
mod daemon;
mod decoder;
mod defaults;
mod diagnostics;
mod document;
mod draft;
mod environment;
mod expand;
mod export;
mod extra;
mod fallback;
mod files;
mod items;
mod jobs;
mod judge;
mod keys;
mod lists;
mod loader;
mod mask;
mod media;
mod metrics;
mod metrics_keys;
mod pointer;
mod policies;
mod preconditions;
mod problem;
mod push;
mod recipients;
mod scalar;
mod scenario;
mod schema;
mod secrets;
mod seen;
mod settings;
mod sources;
mod stale;
mod targets;
mod templates;
mod text;
mod tried;
mod trust;
mod validate;
mod web;
mod whole;
mod yaml;

use std::path::PathBuf;

pub use calendars::{
    FetchedSource, ForeignList, ImportError, ImportedList, TakenList, calendar, import_calendar, take_fetched,
};
pub use configuration::Config;
pub use diagnostics::COMMAND_LINE;
pub use environment::{DatabaseLocation, Fetched, FetchedList, LoadEnvironment, Sight, Variable};
pub use export::written;
pub use extra::Extra;
pub use files::real_names;
pub use judge::{Judge, Judged, JudgedJobs, wrong_chat};
pub(crate) use keys::is_job_key;
use loader::Loader;
use mask::SecretKeys;
pub use pointer::pointer_to;
pub use preconditions::{Unmet, asks_for_known_jobs, unmet, unmet_by_known};
pub use problem::{ConfigErrors, Problem};
pub use scenario::{Absence, Scenario, Scope, Scripted, Span, Trouble, scenario};
pub use schema::{KeyInWords, SPELLINGS, keys_in_words, schema};
pub use seen::Seen;
pub use settings::{
    DaemonSettings, Heartbeat, MetricsListen, OnFailure, ReloadOn, WebListen, WebScope, WebSettings, WebToken, WebUser,
};
pub use sources::Sources;
pub use tried::{MayCarry, TRIED, Tried};
use whole::finish;

use crate::domain::{Database, Job, PushSpec, SenderSpec};
use crate::texts::Language;

/// Reads files, and directories with `*.yaml` and `*.yml` files, as one configuration. Without any path it is the
/// embedded `jobs.example.yaml`, so that a newcomer sees a push at once.
///
/// # Errors
/// Every problem of every file at once. A file that cannot be parsed hides what comes after the place; the other
/// files are read nevertheless.
pub fn load(
    paths: &[PathBuf],
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<Config, ConfigErrors> {
    let mut loader = Loader::new(environment, specs);
    loader.paths(paths);
    finish(loader, environment, specs).map(|(config, _)| config)
}

/// As [`load`], with one push outside any job: `push` is a mapping as under a job's `push:`, and is judged by the same
/// rules, with the retry policy and timeout of `defaults`.
///
/// # Errors
/// As [`load`]; problems of the push stand in the file [`COMMAND_LINE`].
pub fn load_with_pushes(
    paths: &[PathBuf],
    pushes: &str,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<(Config, Vec<PushSpec>), ConfigErrors> {
    let mut loader = Loader::new(environment, specs);
    loader.paths(paths);
    loader.pushes(pushes);
    let (config, pushes) = finish(loader, environment, specs)?;
    // Not reached: a push that could not be read left a problem.
    if pushes.is_empty() {
        return Err(ConfigErrors { more: true, ..ConfigErrors::of(Vec::new()) });
    }
    Ok((config, pushes))
}

/// As [`load`], and beside it the jobs of one more document, which are judged by the same rules, with the defaults of the
/// configuration, and of which none may have the name of a job of the files.
///
/// # Errors
/// As [`load`]; problems of the document stand in its file, or in the file [`COMMAND_LINE`].
pub fn load_with_jobs(
    paths: &[PathBuf],
    extra: &Extra,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Result<(Config, Vec<Job>), ConfigErrors> {
    let mut loader = Loader::new(environment, specs);
    loader.paths(paths);
    let before = loader.jobs.len();
    loader.extra_jobs(extra);
    let number = loader.jobs.len() - before;
    let (mut config, _) = finish(loader, environment, specs)?;
    // Without a problem each draft became a job, in their order.
    let jobs = config.jobs.split_off(config.jobs.len().saturating_sub(number));
    Ok((config, jobs))
}

/// Where the files bring a job, as `jobs.yaml:7`.
pub fn place_of_job(
    paths: &[PathBuf],
    name: &str,
    specs: &[&'static SenderSpec],
    environment: &LoadEnvironment,
) -> Option<String> {
    let mut loader = Loader::new(environment, specs);
    loader.paths(paths);
    let place = loader.jobs.iter().find(|job| job.name == name)?.name_at;
    let source = loader.sources.get(usize::from(place.file))?;
    let line = 1 + source.text.get(..place.at as usize)?.matches('\n').count();
    Some(format!("{}:{line}", source.name))
}

/// Which language `daemon.language` says, as far as the files can be read. Nothing else of them is judged.
pub fn language(paths: &[PathBuf], environment: &LoadEnvironment) -> Option<Language> {
    let mut loader = Loader::daemon_only(environment);
    loader.paths(paths);
    loader.daemon.language
}

/// Reads where the database is, without the accounts and jobs, and without judging anything else.
///
/// # Errors
/// When a file cannot be read, or what it says of the database cannot be understood.
pub fn database_location(paths: &[PathBuf], environment: &LoadEnvironment) -> Result<DatabaseLocation, ConfigErrors> {
    let mut loader = Loader::daemon_only(environment);
    loader.paths(paths);
    let daemon = std::mem::take(&mut loader.daemon);
    // A secret that only the daemon may read is no obstacle, as long as the question itself is answered.
    let answered = daemon.database.is_some() && !loader.has_unread;
    if let Err(errors) = loader.diagnostics.finish(&loader.sources, &SecretKeys::new(&[]))
        && !answered
    {
        return Err(errors);
    }
    let timezone = daemon.timezone.clone().or_else(|| environment.timezone.clone()).unwrap_or_else(|| "UTC".to_owned());
    let settings = daemon.finish(environment, Vec::new(), timezone, None);
    Ok(DatabaseLocation { database: Database::at(settings.database), timezone: settings.timezone })
}
