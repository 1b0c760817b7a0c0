//! A time line for lengths: paces, quotas and rests. It reads as wall time does, and nobody sets it: it starts at the
//! wall clock's hour when the sender is made and goes on by the time since the boot, so that sleep counts and a clock
//! that is put forward or back neither forgets what was sent nor makes anybody wait longer.

use crate::clock::SharedClock;
use crate::domain::{Reading, UtcMs};

#[derive(Clone)]
pub(crate) struct Steady {
    clock: SharedClock,
    began: Reading,
}

impl Steady {
    pub(crate) fn new(clock: &SharedClock) -> Steady {
        Steady { clock: clock.clone(), began: clock.reading() }
    }

    pub(crate) fn now(&self) -> UtcMs {
        self.line().wall
    }

    /// What the line shows, and when, so that others can read it off at a later moment.
    pub(crate) fn line(&self) -> Reading {
        let moment = self.clock.boottime();
        Reading { wall: self.began.wall_at(moment), moment }
    }

    /// The wall instant, seen from the hour `wall`, at which this line reaches `at`.
    pub(crate) fn on_the_wall(&self, at: UtcMs, wall: UtcMs) -> UtcMs {
        wall + at.since(self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn only_time_that_passes_moves_the_line() {
        let manual = ManualClock::new(UtcMs(1_000_000));
        let shared: SharedClock = manual.clone();
        let steady = Steady::new(&shared);
        manual.step_wall_to(UtcMs(5));
        assert_eq!(steady.now(), UtcMs(1_000_000));
        manual.advance(Duration::from_secs(1));
        manual.suspend(Duration::from_secs(2));
        manual.step_wall_to(UtcMs(9_000_000));
        assert_eq!(steady.now(), UtcMs(1_003_000));
        assert_eq!(steady.on_the_wall(UtcMs(1_004_000), UtcMs(9_000_000)), UtcMs(9_001_000));
        assert_eq!(steady.on_the_wall(UtcMs(1), UtcMs(7)), UtcMs(7), "what has passed is now");
    }
}
