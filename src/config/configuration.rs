//! What the files came to.

use std::path::PathBuf;
use std::sync::Arc;

use super::calendars::FetchedSource;
use super::judge::Judge;
use super::problem::Problem;
use super::seen::Seen;
use super::settings::DaemonSettings;
use super::sources::Sources;
use crate::domain::{Account, Job, UtcMs};

/// A configuration without any problem.
#[derive(Clone, Debug)]
pub struct Config {
    /// The moment by which it was judged, so that what lay before it was told to be past.
    pub read_at: UtcMs,
    pub daemon: DaemonSettings,
    /// In file order, on which "first online" depends.
    pub accounts: Vec<Account>,
    /// Im and id of every account, those too whose credentials only the running service sees.
    pub account_names: Vec<(String, String)>,
    pub jobs: Vec<Job>,
    /// The lists of days that the daemon fetches.
    pub fetched: Vec<FetchedSource>,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Problem>,
    /// Every file that was read, in that order.
    pub files: Vec<PathBuf>,
    /// Token files that were read: never sent as media.
    pub secret_files: Vec<PathBuf>,
    /// What was found in the file system.
    pub seen: Seen,
    /// Which file brought what.
    pub sources: Sources,
    /// By which pushes of the HTTP API are judged, where there is one.
    pub judge: Option<Arc<Judge>>,
}

impl Config {
    /// Whether nothing was left out that somebody needs who sends: then an onlooker saw what the service sees.
    pub fn is_whole(&self) -> bool {
        // One that is not set is empty for an onlooker.
        self.unseen_accounts().is_empty() && !self.daemon.template_env.values().any(String::is_empty)
    }

    /// The accounts that were left out, since only the running service sees what they are given.
    pub fn unseen_accounts(&self) -> Vec<&str> {
        let is_seen = |id: &str| self.accounts.iter().any(|account| account.id == id);
        self.account_names.iter().map(|(_, id)| id.as_str()).filter(|id| !is_seen(id)).collect()
    }
}
