//! What one account has open at once, and how much of it ahead of its free slots.

use std::time::Duration;

use super::lines::Lines;
use crate::domain::{Rule, UtcMs};

/// Attempts that a lane opens for each that it may send at once: enough that one transaction opens many and that no
/// slot waits for the database. What a lane gets through in [`HORIZON_MS`] decides between the least and the most. Of
/// one that has shown nothing yet its slots tell: 64 of them are there for receivers that take much at once, four for an
/// IM that does not.
///
/// Each is `sending` in its row, and after a power loss nobody could tell it from one under way; so a slow account
/// must not have thousands of them.
const LEAST_PER_SLOT: u32 = 16;
const UNTRIED_PER_SLOT_EACH: u32 = 4;
const MOST_PER_SLOT: u32 = 256;
const HORIZON_MS: u32 = 250;
/// How long a lane must be busy before its pace says something.
const MEASURED_OVER_MS: i64 = 1000;

/// What a lane may do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    pub sender: &'static str,
    pub concurrency: u32,
    pub min_interval: Duration,
}

impl LaneLimits {
    /// Sends to a single target at once: a quarter of the lane, so that three targets must hang before the lane feels
    /// it, and never less than one.
    pub fn per_target(self) -> u32 {
        (self.concurrency / 4).max(1)
    }
}

/// The pushes for which one account was chosen, a line for each target, and its open attempts.
pub struct Lane {
    limits: LaneLimits,
    lines: Lines<(i64, Rule)>,
    open: u32,
    /// Opening, until as much is open as may be; then not until half of it has ended, so that one transaction opens
    /// many.
    is_filling: bool,
    not_before: UtcMs,
    per_slot: u32,
    /// Since when it had more open than slots, and what it has ended since then.
    busy_since: UtcMs,
    ended: u32,
}

impl Lane {
    pub fn new(limits: LaneLimits) -> Lane {
        let mut lane = Lane {
            limits,
            lines: Lines::new(1),
            open: 0,
            is_filling: true,
            not_before: UtcMs::MIN,
            per_slot: (limits.concurrency.saturating_mul(UNTRIED_PER_SLOT_EACH)).clamp(LEAST_PER_SLOT, MOST_PER_SLOT),
            busy_since: UtcMs::MIN,
            ended: 0,
        };
        lane.set_limits(limits);
        lane
    }

    /// New limits count from the next attempt on.
    pub fn set_limits(&mut self, limits: LaneLimits) {
        self.limits = limits;
        self.lines.set_per_line(self.open_at_once() / 4);
    }

    pub fn sender(&self) -> &'static str {
        self.limits.sender
    }

    /// Attempts open at once, sent or not. A lane that paces itself opens each when its time has come.
    pub fn open_at_once(&self) -> u32 {
        match self.limits.min_interval {
            Duration::ZERO => self.limits.concurrency.saturating_mul(self.per_slot),
            _ => 1,
        }
    }

    /// Puts a push at the end of its target's line.
    pub fn push(&mut self, line: u64, id: i64, rule: Rule) {
        self.lines.push(line, (id, rule));
    }

    /// Takes a push out that was not opened yet.
    pub fn remove(&mut self, line: u64, id: i64) {
        self.lines.remove(line, |(ready, _)| *ready == id);
    }

    /// The next push of which an attempt is to be opened now; it counts as open from here on.
    pub fn take(&mut self, now: UtcMs) -> Option<(i64, Rule)> {
        self.is_filling = self.open < self.open_at_once() && (self.is_filling || self.open <= self.open_at_once() / 2);
        if !self.is_filling || self.not_before > now {
            return None;
        }
        let (_, next) = self.lines.take()?;
        self.open += 1;
        if !self.limits.min_interval.is_zero() {
            self.not_before = now + self.limits.min_interval;
        }
        Some(next)
    }

    /// An attempt of this line has ended.
    pub fn close(&mut self, line: u64) {
        self.open = self.open.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
        self.lines.back(line);
    }

    /// When it may start its next attempt, where it paces itself and one waits.
    pub fn next_paced_at(&self) -> Option<UtcMs> {
        let waits = !self.limits.min_interval.is_zero() && self.open == 0 && self.lines.has_next();
        waits.then_some(self.not_before)
    }

    /// Learns how fast it is from a while in which no slot was free.
    pub fn learn_pace(&mut self, now: UtcMs) {
        let busy_ms = now.ms_since(self.busy_since);
        // A clock that was put back tells nothing, nor does a lane with slots to spare.
        if self.open <= self.limits.concurrency || busy_ms < 0 {
            (self.busy_since, self.ended) = (now, 0);
        } else if busy_ms >= MEASURED_OVER_MS {
            let in_horizon = u64::from(self.ended) * u64::from(HORIZON_MS) / busy_ms.unsigned_abs();
            let per_slot = u32::try_from(in_horizon).unwrap_or(u32::MAX) / self.limits.concurrency.max(1);
            self.per_slot = per_slot.clamp(LEAST_PER_SLOT, MOST_PER_SLOT);
            self.lines.set_per_line(self.open_at_once() / 4);
            (self.busy_since, self.ended) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: LaneLimits = LaneLimits { sender: "console", concurrency: 4, min_interval: Duration::ZERO };

    fn full_lane(pushes: i64) -> Lane {
        let mut lane = Lane::new(FREE);
        for id in 0..pushes {
            lane.push(id.unsigned_abs(), id, Rule::ImDefault);
        }
        lane
    }

    fn take_all(lane: &mut Lane, now: UtcMs) -> Vec<i64> {
        std::iter::from_fn(|| lane.take(now)).map(|(id, _)| id).collect()
    }

    #[test]
    fn a_lane_opens_many_at_once_and_again_when_half_of_them_have_ended() {
        let mut lane = full_lane(1000);
        assert_eq!(take_all(&mut lane, UtcMs(0)).len(), 64);
        for line in 0..31 {
            lane.close(line);
        }
        assert_eq!(take_all(&mut lane, UtcMs(0)), Vec::<i64>::new());
        lane.close(31);
        assert_eq!(take_all(&mut lane, UtcMs(0)).len(), 32);
    }

    #[test]
    fn a_lane_that_turns_out_slow_keeps_few_open_and_a_fast_one_many() {
        for (ended, open_at_once) in [(0, 64), (40, 64), (400, 100), (1_000_000, 1024)] {
            let mut lane = full_lane(5000);
            lane.learn_pace(UtcMs(0));
            take_all(&mut lane, UtcMs(0));
            lane.ended = ended;
            lane.learn_pace(UtcMs(999));
            assert_eq!(lane.open_at_once(), 64, "too soon to tell");
            lane.learn_pace(UtcMs(1000));
            assert_eq!(lane.open_at_once(), open_at_once, "{ended} a second");
        }
    }

    #[test]
    fn a_lane_with_slots_to_spare_says_nothing_about_its_pace() {
        let mut lane = full_lane(4);
        lane.learn_pace(UtcMs(0));
        take_all(&mut lane, UtcMs(0));
        lane.learn_pace(UtcMs(5000));
        assert_eq!(lane.open_at_once(), 64);
    }

    #[test]
    fn a_lane_of_many_slots_is_trusted_with_much_before_it_has_shown_anything() {
        for (concurrency, open_at_once) in [(1, 16), (4, 64), (16, 1024), (64, 16_384), (100, 25_600)] {
            assert_eq!(Lane::new(LaneLimits { concurrency, ..FREE }).open_at_once(), open_at_once);
        }
    }

    #[test]
    fn a_paced_lane_opens_one_attempt_an_interval() {
        let mut lane = Lane::new(LaneLimits { min_interval: Duration::from_secs(1), ..FREE });
        lane.push(1, 1, Rule::ImDefault);
        lane.push(2, 2, Rule::ImDefault);
        assert_eq!(take_all(&mut lane, UtcMs(0)), [1]);
        lane.close(1);
        assert_eq!(take_all(&mut lane, UtcMs(999)), Vec::<i64>::new());
        assert_eq!(lane.next_paced_at(), Some(UtcMs(1000)));
        assert_eq!(take_all(&mut lane, UtcMs(1000)), [2]);
    }
}
