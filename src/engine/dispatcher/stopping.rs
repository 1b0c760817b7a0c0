//! Taking attempts back that were not begun, and the end of the dispatcher.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Dispatcher, STORE_PAUSE, Stopping};
use crate::domain::{Delivery, Outcome, Reading, Report, UtcMs};
use crate::engine::runway::{Runway, Staged};
use crate::store::{Finish, TakeBack};

/// How long a stop waits for attempts under way.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

impl Dispatcher {
    pub(super) fn stop(&mut self, done: oneshot::Sender<()>) {
        self.stopping = Some(Stopping { until: self.clock.monotonic() + STOP_GRACE, done: Some(done) });
        self.unstage();
    }

    pub(super) fn has_stopped(&self) -> bool {
        let idle = self.flights.is_empty() && !self.beginning && self.writing == 0;
        let recorded = self.finishes.is_empty() && self.settles.is_empty() && self.take_backs.is_empty();
        // A database that cannot be written must not keep the process from ending: what is not recorded is
        // `sending` on disk and becomes unknown at the next start.
        let overdue = self
            .stopping
            .as_ref()
            .is_some_and(|stopping| self.clock.monotonic() >= stopping.until + STORE_PAUSE && self.flights.is_empty());
        self.stopping.is_some() && (idle && recorded || overdue)
    }

    /// Takes back attempts whose sender was not called yet: they were not made, and do not count.
    pub(super) fn unstage(&mut self) {
        let staged = self.runways.values_mut().flat_map(Runway::take_all).collect();
        self.take_back_all(staged);
    }

    /// Has everything that waits for this account chosen for anew: it cannot send now.
    pub(super) fn leave_account(&mut self, account: &str) {
        self.queue.leave_lanes(Some(account));
        let staged = self.runways.get_mut(account).map(Runway::take_all).unwrap_or_default();
        self.take_back_all(staged);
    }

    /// Takes back attempts staged for an account that left the definitions.
    pub(super) fn unstage_orphans(&mut self) {
        let gone: Vec<Arc<str>> =
            self.runways.keys().filter(|account| self.roster.get(account).is_none()).cloned().collect();
        for account in gone {
            let Some(runway) = self.runways.get_mut(&account) else { continue };
            let staged = runway.take_all();
            if !runway.is_sending() {
                self.runways.remove(&account);
            }
            self.take_back_all(staged);
        }
    }

    pub(super) fn take_back_all(&mut self, staged: Vec<Staged>) {
        for Staged { delivery, start_at, .. } in staged {
            self.take_back(&delivery, start_at, None);
        }
    }

    /// Takes back an attempt whose sender was not called: it was never made. The push is due again at `start_at`, or, with
    /// a reason, when what kept it is over.
    pub(super) fn take_back(&mut self, delivery: &Delivery, start_at: UtcMs, reason: Option<&'static str>) {
        self.queue.take_back(delivery.push_id, self.clock.boottime());
        self.take_backs.push_back(TakeBack {
            push_id: delivery.push_id,
            number: delivery.attempt,
            next_attempt_at: start_at,
            reason: reason.map(str::to_owned),
        });
    }

    /// At the end of the grace: what is still under way may or may not arrive, and says so.
    pub(super) fn give_up_overdue(&mut self, now: Reading) {
        let Some(stopping) = &self.stopping else { return };
        if self.clock.monotonic() < stopping.until {
            return;
        }
        for (push_id, flight) in std::mem::take(&mut self.flights) {
            flight.task.abort();
            let report = Report::failed(Outcome::Unknown, "pushcron was stopped before the answer came");
            let next = self.decide(&flight, &report.outcome, now.wall);
            self.tell(&flight, &report, &next);
            self.spread(&flight, &report.outcome, &next);
            self.queue.close(push_id, now.moment);
            self.finishes.push(Finish {
                push_id,
                number: flight.delivery.attempt,
                report,
                next,
                started_at: flight.started_at,
                finished_at: now.wall,
                health: None,
            });
        }
    }
}
