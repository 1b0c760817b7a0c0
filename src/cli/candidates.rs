//! What a shell offers for an argument while a person types: the jobs, accounts and pushes that there are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;

use super::args::Global;
use super::context::Context;
use crate::answers;
use crate::answers::history::Pushes;
use crate::answers::rows::{Row, rows};
use crate::clock::SystemClock;
use crate::domain::{PushState, escaped};
use crate::logging;

/// Pushes that a shell offers; more do not help anybody.
const MOST: u64 = 50;

/// The jobs of the database, else those of the files.
pub(super) fn jobs() -> Vec<CompletionCandidate> {
    let context = context_of_words();
    let stored = context.reading(async |store| Ok(answers::jobs::jobs(store).await?)).ok();
    if let Some(table) = stored.filter(|table| !table.rows.is_empty()) {
        return rows(&table).map(|row| candidate(row, "job", "schedule")).collect();
    }
    let jobs = context.config_to_look_at().map(|config| config.jobs).unwrap_or_default();
    jobs.into_iter().map(|job| CompletionCandidate::new(job.name).help(Some(job.schedule.describe().into()))).collect()
}

/// The accounts of the files, else those of the database.
pub(super) fn accounts() -> Vec<CompletionCandidate> {
    let context = context_of_words();
    match context.config_to_look_at() {
        Ok(config) => {
            let accounts = config.accounts.into_iter();
            accounts.map(|account| CompletionCandidate::new(account.id).help(Some(account.im.into()))).collect()
        }
        Err(_) => {
            let stored = context.reading(async |store| Ok(answers::accounts::known(store).await?));
            let table = stored.unwrap_or_default();
            rows(&table).map(|row| candidate(row, "account", "im")).collect()
        }
    }
}

/// The ims that accounts of the files serve, else those of the database, each with its accounts.
pub(super) fn ims() -> Vec<CompletionCandidate> {
    let context = context_of_words();
    let pairs: Vec<(String, String)> = match context.config_to_look_at() {
        Ok(config) => config.accounts.into_iter().map(|account| (account.im, account.id)).collect(),
        Err(_) => {
            let stored = context.reading(async |store| Ok(answers::accounts::known(store).await?));
            let table = stored.unwrap_or_default();
            rows(&table).map(|row| (row.text("im").into_owned(), row.text("account").into_owned())).collect()
        }
    };
    let mut ims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (im, account) in pairs {
        ims.entry(im).or_default().push(account);
    }
    let told = |(im, accounts): (String, Vec<String>)| {
        CompletionCandidate::new(im).help(Some(escaped(&accounts.join(", ")).into_owned().into()))
    };
    ims.into_iter().map(told).collect()
}

pub(super) fn open_pushes() -> Vec<CompletionCandidate> {
    pushes(Pushes::Open, |_| true)
}

/// Unknown pushes, and what may have become of them.
pub(super) fn resolvable() -> Vec<CompletionCandidate> {
    let mut all = pushes(Pushes::Unknown, |_| true);
    // What became of them is said behind them.
    if std::env::args().any(|word| word.parse::<i64>().is_ok()) {
        all.extend(["sent", "failed"].map(CompletionCandidate::new));
    }
    all
}

pub(super) fn all_pushes() -> Vec<CompletionCandidate> {
    pushes(Pushes::All, |_| true)
}

/// Pushes that ended otherwise than sent.
pub(super) fn ended_pushes() -> Vec<CompletionCandidate> {
    pushes(Pushes::All, |state| {
        PushState::parse(state).is_some_and(|state| state.is_final() && state != PushState::Sent)
    })
}

fn pushes(pushes: Pushes, wanted: impl Fn(&str) -> bool) -> Vec<CompletionCandidate> {
    let stored = context_of_words().reading(async |store| Ok(answers::history::some(store, pushes, MOST).await?));
    let table = stored.unwrap_or_default();
    let told = |row: Row| {
        let help = format!("{} {} {}", row.text("job"), row.text("target"), row.text("state"));
        CompletionCandidate::new(row.text("id").into_owned()).help(Some(escaped(help.trim()).into_owned().into()))
    };
    rows(&table).filter(|row| wanted(&row.text("state"))).map(told).collect()
}

fn candidate(row: Row, name: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(row.text(name).into_owned()).help(Some(escaped(&row.text(help)).into_owned().into()))
}

/// The files and the database that the words typed so far name. They cannot be parsed, since they are not complete.
fn context_of_words() -> Context {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let values = |names: [&str; 2]| {
        let pairs = words.windows(2).filter(move |pair| names.iter().any(|name| pair[0] == *name));
        pairs.map(|pair| PathBuf::from(&pair[1])).collect::<Vec<_>>()
    };
    let global = Global {
        config: values(["-c", "--config"]),
        db: values(["--db", "--db"]).pop(),
        verbose: 0,
        quiet: 0,
        log_format: logging::Format::Auto,
    };
    Context::new(global, SystemClock::shared())
}
