//! Are the files right?

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, ConfigErrors, Problem};
use crate::domain::near::near_match;
use crate::domain::{Account, Job};
use crate::senders::{Environment, find};
use crate::store::{History, OpenWay, StoreError};
use crate::texts::{self, Text};

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
        ConfigErrors { errors, warnings, more: more.unwrap_or(false), ..ConfigErrors::default() }
    }
}

/// Jobs that have fired as often as they may; `counted` says how often each has fired.
pub(crate) fn ended(jobs: &[Job], counted: &HashMap<String, u64>) -> Vec<Problem> {
    let problem = |job: &Job| {
        let (max, fired) = (job.max_fires()?, *counted.get(&job.name)?);
        let text = texts::job_has_ended(&job.name, fired, max);
        (fired >= max).then(|| Problem::without_place(text))
    };
    jobs.iter().filter_map(problem).collect()
}

/// What each account's own sender has against it: what the files cannot tell, and the daemon refuses to start with.
pub(crate) fn unusable(accounts: &[Account], environment: &Environment) -> Vec<Problem> {
    let problem = |account: &Account| {
        let registered = find(&account.sender)?;
        let error = (registered.build)(account, environment).err()?;
        Some(Problem::without_place(error.text()))
    };
    accounts.iter().filter_map(problem).collect()
}

/// The accounts that jobs of verbs and open pushes ask for, and that are not there. `names` are the accounts of the files, by
/// im and id.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn vanished(store: &dyn History, names: &[(String, String)]) -> Result<Vec<Problem>, StoreError> {
    let jobs = store.verb_jobs().await?;
    let mut problems: Vec<Problem> = jobs.iter().flat_map(|job| vanished_of_job(job, names)).collect();
    problems.extend(store.open_ways().await?.iter().filter_map(|way| vanished_of_pushes(way, names)));
    Ok(problems)
}

fn vanished_of_job(job: &Job, names: &[(String, String)]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let name = &job.name;
    for push in &job.push {
        let ways = push.fallback.iter().map(|way| (&way.im, &way.account, texts::fallback_of_it_waits()));
        let own = (&push.im, &push.account, texts::pushes_wait());
        for (im, account, then) in std::iter::once(own).chain(ways) {
            let Some((what, near)) = absent(im, account.as_deref(), names) else { continue };
            let mut problem = Problem::without_place(texts::job_of_a_verb(name, what, then));
            let change = texts::change_or_end_it(name);
            let near = near.map(|near| texts::did_you_mean(near).and(&Text::same(" ")));
            problem.hint = Some(near.map_or(change.clone(), |near| near.and(&change)));
            // A job to twenty groups has one thing wrong.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

fn vanished_of_pushes(way: &OpenWay, names: &[(String, String)]) -> Option<Problem> {
    let (what, _) = absent(&way.im, way.account.as_deref(), names)?;
    let of = way.job.as_ref().map_or_else(Text::none, texts::of_the_job);
    let then = if way.is_fallback { texts::fallback_waits() } else { texts::nothing_is_sent() };
    let mut problem = Problem::without_place(texts::open_pushes(way.pushes, of, what, then));
    problem.hint = Some(texts::bring_it_back());
    Some(problem)
}

/// What is not there of a way, and what was perhaps meant.
fn absent<'a>(im: &str, account: Option<&str>, names: &'a [(String, String)]) -> Option<(Text, Option<&'a str>)> {
    match account {
        Some(id) => match names.iter().find(|(_, known)| known == id) {
            Some((own, _)) if own == im => None,
            Some((own, _)) => Some((texts::account_of_another_im(id, own, im), None)),
            None => {
                let near = near_match(id, names.iter().map(|(_, id)| id.as_str()));
                Some((texts::no_account_any_more(id), near))
            }
        },
        None if names.iter().any(|(known, _)| known == im) => None,
        None => Some((texts::no_account_for_im_any_more(im), None)),
    }
}
