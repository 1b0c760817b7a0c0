//! What the log says of a start and of a reload.

use std::path::PathBuf;

use tracing::{error, info, warn};

use super::error::DaemonError;
use super::setup;
use crate::domain::{Database, version};
use crate::engine::core::timer::Timeline;
use crate::engine::recovery::Recovered;
use crate::store::Applied;

/// What the log says once all is set up, before anything is sent.
pub(super) struct Start<'a> {
    pub files: &'a [PathBuf],
    pub database: &'a Database,
    pub accounts: usize,
    pub open_pushes: usize,
}

impl Start<'_> {
    pub(super) fn tell(&self, timeline: &Timeline, applied: &Applied, recovered: &Recovered) {
        info!(
            config = %setup::shown(self.files),
            database = %self.database,
            jobs = timeline.len(),
            accounts = self.accounts,
            next_fire_at = timeline.next_fire_at().map(tracing::field::display),
            open_pushes = self.open_pushes,
            "pushcron {} started", version::BUILD
        );
        tell_applied(applied);
        if *recovered != Recovered::default() {
            let Recovered { unknown, retried, not_begun } = recovered;
            warn!(unknown, retried, not_begun, "attempts were under way when pushcron last ended");
        }
    }
}

/// What a configuration that is now in force changed.
pub(super) fn tell_applied(applied: &Applied) {
    if *applied != Applied::default() {
        let Applied { added, changed, removed, cancelled, .. } = applied;
        info!(added, changed, removed, cancelled_pushes = cancelled.len(), "definitions changed");
    }
}

/// Why a reload changed nothing. What is wrong with files is told as `check` tells it, each line a line of the log.
pub(super) fn tell_refused(error: &DaemonError) {
    let DaemonError::Config(errors) = error else {
        error!("not reloaded, the old definitions stay in force: {error}");
        return;
    };
    for problem in &errors.errors {
        for line in problem.to_string().lines() {
            error!("{line}");
        }
    }
    error!(
        "not reloaded, the old definitions stay in force: the configuration is refused, {}",
        errors.count().english()
    );
}
