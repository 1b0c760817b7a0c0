//! The word that a daemon leaves in its database of itself, for those who ask how it is (`pushcron status`): its last sign
//! of life, and what became of the files that were read last.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tracing::debug;

use super::DaemonError;
use super::metrics_endpoint::MetricsEndpoint;
use crate::config;
use crate::domain::presence::{LAST_RELOAD, LastReload, PRESENCE, Presence, RUNS, ReloadOutcome, Runs};
use crate::store::AccountState;

/// Notes what is to be known of the daemon itself. A note that cannot be made is missed by nobody: its age tells.
pub(super) struct Notes {
    endpoint: Arc<MetricsEndpoint>,
    store: Arc<dyn AccountState>,
}

impl Notes {
    pub(super) fn new(endpoint: Arc<MetricsEndpoint>, store: Arc<dyn AccountState>) -> Notes {
        Notes { endpoint, store }
    }

    /// The last round that timer and dispatcher made.
    pub(super) async fn alive(&self) {
        self.presence(false).await;
    }

    /// It is up, by the files as they are.
    pub(super) async fn started(&self, files: &[PathBuf], timezone: &str) {
        self.runs(files, timezone).await;
        self.alive().await;
        self.reload(&Ok(())).await;
    }

    /// By which files it runs, and what they say.
    pub(super) async fn runs(&self, files: &[PathBuf], timezone: &str) {
        self.note(RUNS, &Runs { files: config::real_names(files), timezone: timezone.to_owned() }).await;
    }

    pub(super) async fn stopped(&self) {
        self.presence(true).await;
    }

    async fn presence(&self, stopped: bool) {
        let MetricsEndpoint { started_at, last_tick, clock, .. } = &*self.endpoint;
        let alive_at = last_tick.last().map_or(*started_at, |last| last.at);
        let stopped_at = stopped.then(|| clock.now());
        self.note(PRESENCE, &Presence { started_at: *started_at, alive_at, stopped_at }).await;
    }

    /// What became of the files.
    pub(super) async fn reload<T>(&self, result: &Result<T, DaemonError>) {
        let outcome = match result {
            Ok(_) => ReloadOutcome::Loaded,
            Err(DaemonError::Partly { .. }) => ReloadOutcome::InPart,
            Err(_) => ReloadOutcome::Refused,
        };
        self.endpoint.reloads.note(self.endpoint.clock.now(), outcome == ReloadOutcome::Loaded);
        let problem = result.as_ref().err().map(ToString::to_string);
        self.note(LAST_RELOAD, &LastReload { at: self.endpoint.clock.now(), outcome, problem }).await;
    }

    async fn note(&self, key: &str, value: &(impl Serialize + Sync)) {
        // Plain data can always be written.
        let value = serde_json::to_string(value).unwrap_or_default();
        if let Err(error) = self.store.save_state("", key, &value, self.endpoint.clock.now()).await {
            debug!(%error, key, "no word could be left of the daemon itself");
        }
    }
}
