//! Are the files right?

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{self, Config, ConfigErrors, Problem, Unmet};
use crate::domain::near::near_match;
use crate::domain::{Account, Database, Job, UtcMs};
use crate::senders::{Environment, find};
use crate::store::{self, Access, History, OpenWay, StoreError, StoredJob};
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
    /// `refused` is what `run` would refuse beside what is wrong with the files themselves.
    pub fn new(loaded: Result<Config, ConfigErrors>, refused: Vec<Problem>) -> Report {
        match loaded {
            Ok(config) => Report {
                ok: refused.is_empty(),
                errors: refused,
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

/// Why a daemon could not begin with what is where its database is to be.
pub(crate) fn refused_database(named: &Database) -> Vec<Problem> {
    let looked = store::real_name(named).and_then(|database| store::look(&database));
    looked.err().map(|error| Problem::without_place(Text::same(error.to_string()))).into_iter().collect()
}

/// That the directory of the database is not there: it may come to be where the daemon runs.
pub(crate) fn without_directory(database: &Database) -> Option<Problem> {
    let place = store::place(database)?;
    let directory = place.parent().filter(|directory| *directory != Path::new("") && !directory.exists())?;
    Some(Problem::without_place(texts::no_directory_for_database(directory.display())))
}

/// Whether a daemon on this database would run as root, as far as whoever asks can tell: he is root, and it is not somebody
/// else's.
pub(crate) fn is_run_as_root(database: &Database) -> bool {
    let owner = store::place(database).and_then(|place| place.metadata().ok()).map(|found| found.uid());
    rustix::process::geteuid().is_root() && owner.is_none_or(|owner| owner == 0)
}

/// What a daemon of these rights asks of the files and does not find.
pub(crate) fn unmet(config: &Config, is_root: bool) -> Vec<Problem> {
    config::unmet(config, is_root).into_iter().flat_map(Unmet::problems).collect()
}

/// The jobs that the database knows; none where it cannot be read.
pub(crate) fn known_jobs(database: &Database, now: UtcMs) -> Vec<StoredJob> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let known = runtime.block_on(async {
        let store = store::open(database, Access::Read, now).await?;
        let known = store.jobs().await;
        store.close().await;
        known
    });
    known.unwrap_or_default()
}

/// Jobs of files that the database knows, and the files have no word of.
pub(crate) fn forgotten(config: &Config, known: &[StoredJob]) -> Vec<Problem> {
    let of_files = known.iter().filter(|job| !job.source.is_verb()).map(|job| &*job.name);
    config::unmet_by_known(config, of_files).map(Unmet::problems).unwrap_or_default()
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
