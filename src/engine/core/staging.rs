//! An account's attempts between their record and their send: until their instant, then in line for a free slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fair_queue::FairQueue;
use crate::domain::{Delivery, UtcMs};

/// An attempt whose row is durable and that waits for its instant or a free slot.
pub(super) struct Staged {
    pub(super) delivery: Arc<Delivery>,
    pub(super) start_at: UtcMs,
    pub(super) target_key: u64,
}

/// What one account has staged.
pub(super) struct Staging {
    /// Those whose instant has not come.
    early: BTreeMap<UtcMs, Vec<Staged>>,
    ready: FairQueue<Staged>,
    /// Attempts under way.
    sending: u32,
}

impl Staging {
    /// At most `per_target` attempts of one target are under way at once.
    pub(super) fn new(per_target: u32) -> Staging {
        Staging { early: BTreeMap::new(), ready: FairQueue::new(per_target), sending: 0 }
    }

    /// One whose hour has come is in line from here on: a clock that is put back afterwards does not hold it up.
    pub(super) fn stage(&mut self, staged: Staged, now: UtcMs) {
        if staged.start_at <= now {
            self.ready.push(staged.target_key, staged);
        } else {
            self.early.entry(staged.start_at).or_default().push(staged);
        }
    }

    /// The next attempt to send now, if one of `slots` is free. It is under way until [`Staging::finished`].
    pub(super) fn take(&mut self, now: UtcMs, slots: u32) -> Option<Staged> {
        while let Some(first) = self.early.first_entry()
            && *first.key() <= now
        {
            for staged in first.remove() {
                self.ready.push(staged.target_key, staged);
            }
        }
        if self.sending >= slots {
            return None;
        }
        let (_, staged) = self.ready.pop(|_| true)?;
        self.sending += 1;
        Some(staged)
    }

    /// An attempt to this target is no longer under way.
    pub(super) fn finished(&mut self, target_key: u64) {
        self.sending = self.sending.saturating_sub(1);
        self.ready.release(target_key);
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sending > 0
    }

    /// Those whose instant has come wait for a slot, which comes as an event; this is the first that has not.
    pub(super) fn next_start_at(&self) -> Option<UtcMs> {
        self.early.keys().next().copied()
    }

    /// Everything that is not under way.
    pub(super) fn take_all(&mut self) -> Vec<Staged> {
        let early = std::mem::take(&mut self.early).into_values().flatten();
        early.chain(self.ready.drain().into_iter().map(|(_, staged)| staged)).collect()
    }
}
