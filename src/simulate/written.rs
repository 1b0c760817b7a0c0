//! Writes what a simulated daemon writes to a database as well, where one is asked for.

use crate::domain::{Delivery, UtcMs};
use crate::engine::core::timer::{Answer, Ask};
use crate::store::{Begin, SimulatedStore, SimulatedWrite, StoreError};

/// The database, and what went wrong with it: from then on nothing is written.
pub(super) struct Written {
    into: Option<Box<dyn SimulatedStore>>,
    fault: Option<StoreError>,
}

impl Written {
    pub(super) fn new(into: Option<Box<dyn SimulatedStore>>) -> Written {
        Written { into, fault: None }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.into.is_some()
    }

    pub(super) fn write(&mut self, write: impl FnOnce() -> SimulatedWrite) {
        if let Some(into) = self.into.as_mut().filter(|_| self.fault.is_none()) {
            self.fault = into.write(write()).err();
        }
    }

    pub(super) fn begun(&mut self, begins: &[Begin], now: UtcMs, deliveries: &[Delivery]) {
        let begun = || deliveries.iter().map(|delivery| delivery.push_id).collect();
        self.write(|| SimulatedWrite::Begin { begins: begins.to_vec(), now, begun: begun() });
    }

    /// What the timer asked of the store, where that changes something.
    pub(super) fn asked(&mut self, asked: Option<Ask>, answer: &Answer) {
        let write = match (asked, answer) {
            (Some(Ask::Apply { changes, now, .. }), _) => SimulatedWrite::Apply { changes, now },
            (Some(Ask::Record { fires, cursors, now }), Answer::Recorded(recorded)) => {
                let made = recorded.pushes.iter().map(|push| push.id).collect();
                SimulatedWrite::Record { fires, cursors, now, made }
            }
            (Some(Ask::NoteWatch { now }), _) => SimulatedWrite::NoteWatch { now },
            (Some(Ask::WithdrawAhead { now }), _) => SimulatedWrite::WithdrawAhead { now },
            (Some(Ask::EndUntouched { settles, now }), Answer::Ended(ended)) => {
                SimulatedWrite::EndUntouched { settles, now, ended: ended.clone() }
            }
            _ => return,
        };
        self.write(|| write);
    }

    /// Whether all was written so far.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// All is written; the daemon's clock shows `until`.
    pub(super) fn finish(&mut self, until: UtcMs) -> Result<(), StoreError> {
        self.check()?;
        self.into.take().map_or(Ok(()), |into| into.finish(until))
    }
}
