//! Are the files right?

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, ConfigErrors, Problem};
use crate::domain::{Account, Job};
use crate::senders::{Environment, find};

/// What the files come to: every problem and warning with its place, and what was accepted.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ok: bool,
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Where the files as such are right.
    #[serde(flatten)]
    pub accepted: Option<Accepted>,
    /// Where they are not: whether the rest of them was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Accepted {
    /// Empty: the embedded example holds.
    pub files: Vec<PathBuf>,
    pub jobs: usize,
    #[serde(skip)]
    pub disabled: usize,
    pub accounts: usize,
}

impl Report {
    /// `unusable` is what the senders of the accounts have against them.
    pub fn new(loaded: Result<Config, ConfigErrors>, unusable: Vec<Problem>) -> Report {
        match loaded {
            Ok(config) => Report {
                ok: unusable.is_empty(),
                errors: unusable,
                accepted: Some(Accepted {
                    jobs: config.jobs.len(),
                    disabled: config.jobs.iter().filter(|job| !job.enabled).count(),
                    accounts: config.accounts.len(),
                    files: config.files,
                }),
                warnings: config.warnings,
                more: None,
            },
            Err(ConfigErrors { errors, warnings, more, .. }) => {
                Report { ok: false, errors, warnings, accepted: None, more: Some(more) }
            }
        }
    }
}

/// What is wrong, of a report that is not fine.
impl From<Report> for ConfigErrors {
    fn from(report: Report) -> ConfigErrors {
        let Report { errors, warnings, more, .. } = report;
        ConfigErrors { errors, warnings, more: more.unwrap_or(false), under_way: false }
    }
}

/// Jobs that have fired as often as they may; `counted` says how often each has fired.
pub fn ended(jobs: &[Job], counted: &HashMap<String, u64>) -> Vec<Problem> {
    let problem = |job: &Job| {
        let (max, fired) = (job.max_fires()?, *counted.get(&job.name)?);
        let text =
            format!("job '{}' has come to its end: it has fired {fired} times, and its max_fires is {max}", job.name);
        (fired >= max).then(|| Problem::without_place(text))
    };
    jobs.iter().filter_map(problem).collect()
}

/// What each account's own sender has against it: what the files cannot tell, and the daemon refuses to start with.
pub fn unusable(accounts: &[Account], environment: &Environment) -> Vec<Problem> {
    let problem = |account: &Account| {
        let registered = find(&account.sender)?;
        let error = (registered.build)(account, environment).err()?;
        Some(Problem::without_place(error.to_string()))
    };
    accounts.iter().filter_map(problem).collect()
}
