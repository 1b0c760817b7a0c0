//! The time that an attempt may still take.

use std::time::Duration;

use super::failure::Failure;
use crate::clock::SharedClock;
use crate::domain::Moment;

/// 128 kB/s: a 20 MB file gets some 160 s more than the timeout of its push.
const SLOWEST_UPLOAD_BYTES_PER_MS: u64 = 128;

pub(crate) struct Budget {
    clock: SharedClock,
    end: Moment,
}

impl Budget {
    pub(crate) fn new(clock: &SharedClock, timeout: Duration) -> Budget {
        Budget { clock: clock.clone(), end: clock.boottime() + timeout }
    }

    /// Makes room for what `timeout` does not mean: an upload's bytes, a pause that the platform demands.
    pub(crate) fn extend(&mut self, by: Duration) {
        self.end = self.end + by;
    }

    /// Makes room for the bytes of an upload at the slowest speed that still counts as working.
    pub(crate) fn extend_for_bytes(&mut self, len: u64) {
        self.extend(Duration::from_millis(len / SLOWEST_UPLOAD_BYTES_PER_MS));
    }

    /// When it ends.
    pub(crate) fn end(&self) -> Moment {
        self.end
    }

    /// What is left for the next request.
    ///
    /// # Errors
    /// Nothing is left: the part was not begun and a later attempt goes on there.
    pub(crate) fn left(&self) -> Result<Duration, Failure> {
        match self.end.since(self.clock.boottime()) {
            Duration::ZERO => Err(Failure::unreachable("the time of this attempt ran out before it")),
            left => Ok(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::UtcMs;
    use crate::senders::shared::failure::Class;

    #[test]
    fn an_upload_brings_its_own_time_and_nothing_begins_when_the_time_is_up() {
        let manual = ManualClock::new(UtcMs(0));
        let clock: SharedClock = manual.clone();
        let mut budget = Budget::new(&clock, Duration::from_secs(8));
        budget.extend_for_bytes(20_480_000);
        assert_eq!(budget.left(), Ok(Duration::from_secs(8 + 160)));
        manual.advance(Duration::from_secs(168));
        assert_eq!(budget.left().unwrap_err().class, Class::Unreachable);
    }
}
