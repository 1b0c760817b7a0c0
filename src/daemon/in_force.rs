//! What the configuration in force came from, so that one that says suddenly nothing does not take its place, and one
//! that was changed is noticed where that is asked for.

use tracing::warn;

use super::DaemonError;
use super::watch::Watcher;
use crate::clock::SharedClock;
use crate::config::{self, Config, ReloadOn, Sources};
use crate::store::Store;

/// What is in force.
pub(super) struct InForce {
    origin: Origin,
    watcher: Watcher,
}

/// What must be known of a configuration once it was taken apart.
pub(super) struct Origin {
    sources: Sources,
    accounts: Vec<String>,
    reload: ReloadOn,
}

impl Origin {
    fn of(config: &Config) -> Origin {
        let accounts = config.accounts.iter().map(|account| account.id.clone()).collect();
        Origin { sources: config.sources.clone(), accounts, reload: config.daemon.reload }
    }

    fn tell_vanished_accounts(&self, before: Vec<String>) {
        let gone: Vec<String> = before.into_iter().filter(|id| !self.accounts.contains(id)).collect();
        if !gone.is_empty() {
            warn!(accounts = gone.join(", "), "accounts are gone from the configuration: nothing is sent through them");
        }
    }
}

impl InForce {
    /// Holds a configuration against what the database knows from earlier.
    ///
    /// # Errors
    /// The database knows jobs, and the files none, without saying `jobs: []`; or no file was named or found at all,
    /// and the built-in example would take the place of other jobs.
    pub(super) async fn at_start(
        config: &Config,
        store: &dyn Store,
        clock: &SharedClock,
    ) -> Result<InForce, DaemonError> {
        if config::asks_for_known_jobs(config) {
            let known = store.jobs().await?;
            let of_files = known.iter().filter(|job| !job.source.is_verb()).map(|job| &*job.name);
            if let Some(unmet) = config::unmet_by_known(config, of_files) {
                return Err(unmet.into());
            }
        }
        let before = store.accounts().await?.into_iter().map(|account| account.id).collect();
        let origin = Origin::of(config);
        origin.tell_vanished_accounts(before);
        Ok(InForce { origin, watcher: Watcher::start(config, clock) })
    }

    /// Holds the configuration of a reload against the one in force.
    ///
    /// # Errors
    /// A source that brought definitions brings none now, and does not say that this is meant.
    pub(super) fn at_reload(&self, config: &Config) -> Result<Origin, DaemonError> {
        config.sources.hold_against(&self.origin.sources)?;
        Ok(Origin::of(config))
    }

    /// A file that is gone, which nothing in the files explains.
    pub(super) fn lost_file(&self, config: &Config) -> Option<&str> {
        config.sources.lost_file(&self.origin.sources)
    }

    /// Once `new` is in force.
    pub(super) fn replace(&mut self, new: Origin) {
        new.tell_vanished_accounts(std::mem::take(&mut self.origin.accounts));
        self.watcher.set(new.reload);
        self.origin = new;
    }

    /// What reading the files again came to.
    pub(super) fn read(&self, loaded: &Result<Config, DaemonError>) {
        self.watcher.read(loaded);
    }

    /// Comes back when the files were changed, where they are watched.
    pub(super) async fn changed(&mut self) {
        self.watcher.changed().await;
    }
}
