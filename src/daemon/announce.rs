//! What the log says of a start and of a reload.

use std::path::PathBuf;

use tracing::{info, warn};

use super::setup;
use crate::domain::{Database, version};
use crate::engine::core::timer::Timeline;
use crate::engine::recovery::Recovered;
use crate::store::Applied;

/// What the log says once all is set up, before anything is sent.
pub struct Start<'a> {
    pub files: &'a [PathBuf],
    pub database: &'a Database,
    pub accounts: usize,
    pub open_pushes: usize,
}

impl Start<'_> {
    pub fn tell(&self, timeline: &Timeline, applied: &Applied, recovered: &Recovered) {
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
pub fn tell_applied(applied: &Applied) {
    if *applied != Applied::default() {
        let Applied { added, changed, removed, cancelled, .. } = applied;
        info!(added, changed, removed, cancelled_pushes = cancelled.len(), "definitions changed");
    }
}
