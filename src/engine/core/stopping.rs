//! The end: nothing new is begun, what is under way may end within a grace, and all of it is recorded.

use std::time::Duration;

use super::io::Step;
use super::recorder::STORE_PAUSE;
use super::state::Core;
use crate::domain::{Outcome, Reading, Report};

/// How long the stop of a daemon waits for attempts under way.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

impl Core {
    pub(super) fn stop(&mut self, grace: Duration, step: &mut Step<'_>) {
        self.stopping_until = Some(step.now.moment + grace);
        let staged = self.starter.unstage(None);
        self.take_back_all(staged, step);
        self.take_back_resolving(step);
    }

    /// Whether a stop is complete. A database that cannot be written must not keep the process from ending: what is not
    /// recorded is `sending` on disk and becomes unknown at the next start.
    pub fn has_stopped(&self, now: Reading) -> bool {
        let Some(until) = self.stopping_until else { return false };
        let is_overdue = now.moment >= until + STORE_PAUSE && !self.starter.is_sending();
        self.starter.is_idle() && self.recorder.is_idle() || is_overdue
    }

    /// At the end of the grace: what is still under way may or may not arrive, and says so.
    pub(super) fn give_up_overdue(&mut self, step: &mut Step<'_>) {
        if self.stopping_until.is_none_or(|until| step.now.moment < until) {
            return;
        }
        for abandoned in self.abandon(|_| true, step) {
            let report = Report::failed(Outcome::Unknown, "pushcron was stopped before the answer came");
            self.conclude(abandoned, report, false, step);
        }
    }
}
