//! Names that nobody knows: an empty answer would hide the slip.

use super::history::Source;
use super::refusal::{Kind, Refusal};
use super::rows::rows;
use crate::config::Config;
use crate::domain::near::nearest;
use crate::store::{Filter, History, StoreError, Table, View};

/// As similar, of 1, a name must be to one that was probably meant.
const NEAR: f64 = 0.8;

/// What a person can name in a filter.
#[derive(Clone, Copy)]
enum Named {
    Job,
    Account,
    Im,
}

/// Refuses a filter that found nothing because it names a job, an account or an im of which neither the database nor the files
/// know anything. What is to be said of a job that the database does not know, `of_job` says.
///
/// # Errors
/// With a near match, where there is one; those of the store.
pub(crate) async fn refuse_unknown(
    store: &dyn History,
    filter: &Filter,
    files: impl FnOnce() -> Option<Config>,
    of_job: impl Fn(&str, Refusal) -> Refusal,
) -> Result<(), Refusal> {
    let named = [(Named::Job, &filter.job), (Named::Account, &filter.account), (Named::Im, &filter.im)];
    let mut unknown = Vec::new();
    for (of, name) in named {
        let Some(name) = name else { continue };
        if !has_pushes(store, of, name).await? {
            unknown.push((of, name));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let files = files();
    for (of, name) in unknown {
        let known = known(store, of, files.as_ref()).await?;
        let is_known = match of {
            // One of the files that nobody has loaded has no pushes for another reason.
            Named::Job => !store.ledger_jobs(Some(name), "", 1).await?.is_empty(),
            Named::Account | Named::Im => known.contains(name),
        };
        match of {
            _ if is_known => {}
            Named::Job => return Err(of_job(name, of.unknown(name, &known))),
            Named::Account | Named::Im => return Err(of.unknown(name, &known)),
        }
    }
    Ok(())
}

/// That there is no job of that name, and which one was probably meant.
pub(crate) fn no_job<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Refusal {
    let hint = did_you_mean(name, known).unwrap_or_else(|| "`pushcron jobs` lists them".to_owned());
    Refusal::new(Kind::NotFound, format!("there is no job '{name}'; {hint}"))
}

pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known, NEAR).map(|near| format!("did you mean '{near}'?"))
}

/// Whether any push is of that name, whatever else the filter says.
async fn has_pushes(store: &dyn History, of: Named, name: &str) -> Result<bool, StoreError> {
    let name = Some(name.to_owned());
    let one = Filter { limit: Some(1), ..Filter::default() };
    let filter = match of {
        Named::Job => Filter { job: name, ..one },
        Named::Account => Filter { account: name, ..one },
        Named::Im => Filter { im: name, ..one },
    };
    Ok(!store.lines(&filter).await?.rows.is_empty())
}

/// The names of that kind, those of the database first.
async fn known(store: &dyn History, of: Named, files: Option<&Config>) -> Result<Vec<String>, StoreError> {
    let all = Filter::default();
    let column = |table: &Table, column| rows(table).map(|row| row.text(column).into_owned()).collect::<Vec<String>>();
    let mut names = match of {
        Named::Job => column(&store.view(View::JobOverview, &all).await?, "job"),
        Named::Account => column(&store.view(View::AccountOverview, &all).await?, "account"),
        Named::Im => column(&store.view(View::AccountOverview, &all).await?, "im"),
    };
    let Some(files) = files else { return Ok(names) };
    match of {
        Named::Job => names.extend(files.jobs.iter().map(|job| job.name.clone())),
        Named::Account => names.extend(files.accounts.iter().map(|account| account.id.clone())),
        Named::Im => {
            names.extend(files.accounts.iter().map(|account| account.im.clone()));
            names.extend(files.jobs.iter().flat_map(|job| &job.push).map(|push| push.im.clone()));
        }
    }
    Ok(names)
}

impl Named {
    fn unknown(self, name: &str, known: &[String]) -> Refusal {
        let known = known.iter().map(String::as_str);
        let near = did_you_mean(name, known.clone());
        let text = match self {
            Named::Job => return no_job(name, known),
            Named::Account => {
                let hint = near.unwrap_or_else(|| "`pushcron accounts` lists them".to_owned());
                format!("there is no account '{name}'; {hint}")
            }
            Named::Im => {
                let hint = near.unwrap_or_else(|| "`pushcron accounts` lists those that have one".to_owned());
                format!("no account and no push is of the im '{name}'; {hint}")
            }
        };
        Refusal::new(Kind::NotFound, text)
    }
}
