//! What one account has open at once, and how much of it ahead of its free slots.

use std::time::Duration;

use super::fair_queue::FairQueue;
use crate::domain::{Moment, Rule};

/// Attempts that a queue opens for each that it may send at once: enough that one transaction opens many and that no
/// slot waits for the database. What a queue gets through in [`HORIZON_MS`] decides between the least and the most. Of
/// one that has shown nothing yet its slots tell: 64 of them are there for receivers that take much at once, four for an
/// IM that does not.
///
/// Each is `sending` in its row, and after a power loss nobody could tell it from one under way; so a slow account
/// must not have thousands of them.
const LEAST_PER_SLOT: u32 = 16;
const UNTRIED_PER_SLOT_EACH: u32 = 4;
const MOST_PER_SLOT: u32 = 256;
const HORIZON_MS: u32 = 250;
/// How long a queue must be busy before its pace says something.
const MEASURED_OVER: Duration = Duration::from_secs(1);

/// What a queue may do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLimits {
    pub sender: &'static str,
    pub concurrency: u32,
    pub min_interval: Duration,
}

impl AccountLimits {
    /// Sends to a single target at once: a quarter of all, so that three targets must hang before the account feels
    /// it, and never less than one.
    pub fn per_target(self) -> u32 {
        (self.concurrency / 4).max(1)
    }
}

/// How far a queue is trusted with attempts ahead of its free slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    #[default]
    Full,
    /// Its last attempt failed by the account's own fault: no more than it may send at once.
    Slots,
    /// Nor do those before it work: one attempt shows whether the account works again.
    Trial,
}

/// A push in the queue of an account. The ticket is that of its entry in the queue: one that no longer fits belongs to a
/// push that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub id: i64,
    pub rule: Rule,
    pub ticket: u64,
}

/// The pushes for which one account was chosen, which takes its targets in turn, and its open attempts.
pub(super) struct AccountQueue {
    limits: AccountLimits,
    trust: Trust,
    waiting: FairQueue<Turn>,
    open: u32,
    /// Opening, until as much is open as may be; then not until half of it has ended, so that one transaction opens
    /// many.
    is_filling: bool,
    not_before: Moment,
    per_slot: u32,
    /// Since when it had more open than slots, and what it has ended since then.
    busy_since: Moment,
    ended: u32,
}

impl AccountQueue {
    pub(super) fn new(limits: AccountLimits) -> AccountQueue {
        let mut queue = AccountQueue {
            limits,
            trust: Trust::Full,
            waiting: FairQueue::new(1),
            open: 0,
            is_filling: true,
            not_before: Moment::default(),
            per_slot: (limits.concurrency.saturating_mul(UNTRIED_PER_SLOT_EACH)).clamp(LEAST_PER_SLOT, MOST_PER_SLOT),
            busy_since: Moment::default(),
            ended: 0,
        };
        queue.set_limits(limits);
        queue
    }

    /// New limits count from the next attempt on.
    pub(super) fn set_limits(&mut self, limits: AccountLimits) {
        self.limits = limits;
        self.waiting.set_per_key(self.open_at_once() / 4);
    }

    pub(super) fn sender(&self) -> &'static str {
        self.limits.sender
    }

    /// No attempt before this moment, whatever its pace: an earlier process has just made one.
    pub(super) fn start_after(&mut self, moment: Moment) {
        self.not_before = self.not_before.max(moment);
    }

    /// The sender of an attempt is called at this moment: its pace goes by that, not by when the attempt was opened, which
    /// was ahead of its instant.
    pub(super) fn started(&mut self, moment: Moment) {
        if !self.limits.min_interval.is_zero() {
            self.start_after(moment + self.limits.min_interval);
        }
    }

    pub(super) fn set_trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// Attempts open at once, sent or not. A queue that paces itself opens each when its time has come.
    pub(super) fn open_at_once(&self) -> u32 {
        match (self.limits.min_interval, self.trust) {
            (Duration::ZERO, Trust::Full) => self.limits.concurrency.saturating_mul(self.per_slot),
            (Duration::ZERO, Trust::Slots) => self.limits.concurrency,
            _ => 1,
        }
    }

    /// Attempts open now.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// Whether it has far more open than it turned out to get through.
    pub(super) fn is_overfull(&self) -> bool {
        self.open / 2 > self.open_at_once()
    }

    /// Puts a push behind those to the same target.
    pub(super) fn push(&mut self, key: u64, turn: Turn) {
        self.waiting.push(key, turn);
    }

    /// Takes everything out that was not opened yet.
    pub(super) fn drain(&mut self) -> Vec<Turn> {
        self.waiting.drain().into_iter().map(|(_, turn)| turn).collect()
    }

    /// The next push of which an attempt is to be opened now; it counts as open from here on. `is_wanted` is asked of
    /// each whose turn it is.
    pub(super) fn take(&mut self, now: Moment, is_wanted: impl FnMut(&Turn) -> bool) -> Option<Turn> {
        self.is_filling = self.open < self.open_at_once() && (self.is_filling || self.open <= self.open_at_once() / 2);
        if !self.is_filling || self.not_before > now {
            return None;
        }
        let (_, next) = self.waiting.pop(is_wanted)?;
        self.open += 1;
        if !self.limits.min_interval.is_zero() {
            self.not_before = now + self.limits.min_interval;
        }
        Some(next)
    }

    /// An attempt to this target has ended.
    pub(super) fn close(&mut self, key: u64) {
        self.open = self.open.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
        self.waiting.release(key);
    }

    /// An attempt to this target was taken back: it tells nothing of the queue's pace.
    pub(super) fn take_back(&mut self, key: u64) {
        self.open = self.open.saturating_sub(1);
        self.waiting.release(key);
    }

    /// When it may start its next attempt, where it paces itself and one waits.
    pub(super) fn next_paced_at(&self) -> Option<Moment> {
        let waits = !self.limits.min_interval.is_zero() && self.open == 0 && self.waiting.has_next();
        waits.then_some(self.not_before)
    }

    /// Learns how fast it is from a while in which no slot was free.
    pub(super) fn learn_pace(&mut self, now: Moment) {
        let busy = now.since(self.busy_since);
        // A queue with slots to spare tells nothing.
        if self.open <= self.limits.concurrency {
            (self.busy_since, self.ended) = (now, 0);
        } else if busy >= MEASURED_OVER {
            let in_horizon = u128::from(self.ended) * u128::from(HORIZON_MS) / busy.as_millis();
            let per_slot = u32::try_from(in_horizon).unwrap_or(u32::MAX) / self.limits.concurrency.max(1);
            self.per_slot = per_slot.clamp(LEAST_PER_SLOT, MOST_PER_SLOT);
            self.waiting.set_per_key(self.open_at_once() / 4);
            (self.busy_since, self.ended) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: AccountLimits = AccountLimits { sender: "console", concurrency: 4, min_interval: Duration::ZERO };

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    fn turn(id: i64) -> Turn {
        Turn { id, rule: Rule::ImDefault, ticket: 0 }
    }

    fn full_queue(pushes: i64) -> AccountQueue {
        let mut queue = AccountQueue::new(FREE);
        for id in 0..pushes {
            queue.push(id.unsigned_abs(), turn(id));
        }
        queue
    }

    fn take_all(queue: &mut AccountQueue, now: Moment) -> Vec<i64> {
        std::iter::from_fn(|| queue.take(now, |_| true)).map(|turn| turn.id).collect()
    }

    #[test]
    fn a_queue_opens_many_at_once_and_again_when_half_of_them_have_ended() {
        let mut queue = full_queue(1000);
        assert_eq!(take_all(&mut queue, at(0)).len(), 64);
        for key in 0..31 {
            queue.close(key);
        }
        assert_eq!(take_all(&mut queue, at(0)), Vec::<i64>::new());
        queue.close(31);
        assert_eq!(take_all(&mut queue, at(0)).len(), 32);
    }

    #[test]
    fn a_queue_that_turns_out_slow_keeps_few_open_and_a_fast_one_many() {
        for (ended, open_at_once) in [(0, 64), (40, 64), (400, 100), (1_000_000, 1024)] {
            let mut queue = full_queue(5000);
            queue.learn_pace(at(0));
            take_all(&mut queue, at(0));
            queue.ended = ended;
            queue.learn_pace(at(999));
            assert_eq!(queue.open_at_once(), 64, "too soon to tell");
            queue.learn_pace(at(1000));
            assert_eq!(queue.open_at_once(), open_at_once, "{ended} a second");
        }
    }

    #[test]
    fn a_queue_with_slots_to_spare_says_nothing_about_its_pace() {
        let mut queue = full_queue(4);
        queue.learn_pace(at(0));
        take_all(&mut queue, at(0));
        queue.learn_pace(at(5000));
        assert_eq!(queue.open_at_once(), 64);
    }

    #[test]
    fn a_queue_of_many_slots_is_trusted_with_much_before_it_has_shown_anything() {
        for (concurrency, open_at_once) in [(1, 16), (4, 64), (16, 1024), (64, 16_384), (100, 25_600)] {
            assert_eq!(AccountQueue::new(AccountLimits { concurrency, ..FREE }).open_at_once(), open_at_once);
        }
    }

    #[test]
    fn a_paced_queue_opens_one_attempt_an_interval() {
        let mut queue = AccountQueue::new(AccountLimits { min_interval: Duration::from_secs(1), ..FREE });
        queue.push(1, turn(1));
        queue.push(2, turn(2));
        assert_eq!(take_all(&mut queue, at(0)), [1]);
        queue.close(1);
        assert_eq!(take_all(&mut queue, at(999)), Vec::<i64>::new());
        assert_eq!(queue.next_paced_at(), Some(at(1000)));
        assert_eq!(take_all(&mut queue, at(1000)), [2]);
    }

    #[test]
    fn a_queue_that_fails_keeps_no_more_open_than_its_slots_and_a_broken_one_a_single_attempt() {
        for (trust, open) in [(Trust::Full, 64), (Trust::Slots, 4), (Trust::Trial, 1)] {
            let mut queue = full_queue(1000);
            queue.set_trust(trust);
            assert_eq!(take_all(&mut queue, at(0)).len(), open, "{trust:?}");
        }
    }

    #[test]
    fn a_queue_that_takes_and_never_ends_shows_that_it_has_too_much_open() {
        let mut queue = AccountQueue::new(AccountLimits { concurrency: 16, ..FREE });
        for id in 0_i64..2000 {
            queue.push(id.unsigned_abs(), turn(id));
        }
        queue.learn_pace(at(0));
        assert_eq!(take_all(&mut queue, at(0)).len(), 1024);
        assert!(!queue.is_overfull());
        queue.learn_pace(at(1000));
        assert_eq!((queue.open_at_once(), queue.is_overfull()), (256, true));
    }
}
