//! How long ago a push was first sent, for platforms that know an idempotency key for a while only. It goes by a clock
//! that nobody sets: by the wall clock, one put back would let out a repeat whose key is forgotten, and one put forward
//! would give up what is safe.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::domain::{Delivery, Locked, Moment, UtcMs};

/// Pushes remembered. Of older ones, as of those of an earlier run, only the wall clock tells.
const KEPT: usize = 4096;

pub(crate) struct KeyAges {
    clock: SharedClock,
    known: Mutex<VecDeque<Age>>,
}

struct Age {
    key: String,
    /// How old the push's key was then, at most.
    age: Duration,
    at: Moment,
}

impl KeyAges {
    pub(crate) fn new(clock: &SharedClock) -> KeyAges {
        KeyAges { clock: clock.clone(), known: Mutex::default() }
    }

    /// Notes that an attempt begins: the first shows the platform the key, and of a later one that an earlier run began
    /// the wall clock tells once how old it is.
    pub(crate) fn begin(&self, delivery: &Delivery) {
        let reading = self.clock.reading();
        let mut known = self.known.locked();
        if known.iter().all(|age| age.key != delivery.key) {
            let age = if delivery.attempt > 1 { reading.wall.since(delivery.made_at) } else { Duration::ZERO };
            known.push_back(Age { key: delivery.key.clone(), age, at: reading.moment });
        }
        let surplus = known.len().saturating_sub(KEPT);
        known.drain(..surplus);
    }

    /// Whether a key that the platform remembers for `window` still guards the push; `now` tells where the first attempt
    /// is not known.
    pub(crate) fn holds(&self, delivery: &Delivery, window: Duration, now: UtcMs) -> bool {
        let known = self.known.locked();
        match known.iter().find(|age| age.key == delivery.key) {
            Some(Age { age, at, .. }) => age.saturating_add(self.clock.boottime().since(*at)) < window,
            None => key_holds(delivery, window, now),
        }
    }
}

/// Whether an idempotency key that the platform remembers for `window` still guards a push at `now`.
///
/// The first attempt came no earlier than the push itself, so this errs on the safe side.
pub(crate) fn key_holds(delivery: &Delivery, window: Duration, now: UtcMs) -> bool {
    now < delivery.made_at + window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::shared::samples;

    #[test]
    fn a_key_holds_from_the_making_of_the_push() {
        let delivery = samples::text("a");
        let window = Duration::from_secs(60);
        let end = delivery.made_at + window;
        assert!(key_holds(&delivery, window, end - Duration::from_millis(1)));
        assert!(!key_holds(&delivery, window, end));
    }
}
