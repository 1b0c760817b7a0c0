//! What waits to be made durable, and what to do while the database cannot be written.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::error;

use super::io::{Action, Step};
use super::stable::StableMap;
use crate::domain::{Moment, Reading, Reason};
use crate::store::{Finish, OpenPush, Settle, StoreError, TakeBack};

/// How long the database is left alone after it could not be written.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Pushes put back or ended without an attempt in one transaction: few enough that no attempt waits for it noticeably.
const SETTLE_AT_ONCE: usize = 1024;
/// A database that cannot be written is told of so often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Outcomes, snoozes and attempts taken back on their way to the store. Of each kind one batch is being written at a
/// time; what comes meanwhile gathers for the next: the busier, the fewer and larger the transactions.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) finishes: Vec<Finish>,
    pub(super) take_backs: VecDeque<TakeBack>,
    settles: VecDeque<Settle>,
    /// Why a push was snoozed, as its row says, so that the row is not written again and again.
    snoozed: StableMap<i64, Reason>,
    /// Writes under way.
    pub(super) writing: usize,
    pub(super) is_finishing: bool,
    pub(super) is_taking_back: bool,
    is_settling: bool,
    down_until: Option<Moment>,
    told_at: Option<Moment>,
}

impl Recorder {
    pub(super) fn finish(&mut self, finish: Finish) {
        self.finishes.push(finish);
    }

    pub(super) fn take_back(&mut self, attempt: TakeBack) {
        self.take_backs.push_back(attempt);
    }

    pub(super) fn settle(&mut self, settle: Settle) {
        self.settles.push_back(settle);
    }

    /// Snoozes a push, unless its row gives this reason already.
    pub(super) fn snooze(&mut self, settle: Settle, reason: Reason) {
        if self.snoozed.insert(settle.push_id, reason) != Some(reason) {
            self.settles.push_back(settle);
        }
    }

    /// The row of this push is about to give this reason, written by other means.
    pub(super) fn snoozed_for(&mut self, push_id: i64, reason: Reason) {
        self.snoozed.insert(push_id, reason);
    }

    /// Why a push waits, as its row says.
    pub(super) fn reason_of(&self, push_id: i64) -> Option<Reason> {
        self.snoozed.get(&push_id).copied()
    }

    pub(super) fn forget(&mut self, push_id: i64) {
        self.snoozed.remove(&push_id);
    }

    /// Hands everything gathered to the store.
    pub(super) fn flush(&mut self, step: &mut Step<'_>) {
        if self.is_down(step.now) {
            return;
        }
        if !self.settles.is_empty() && !self.is_settling {
            self.writing += 1;
            self.is_settling = true;
            step.act(Action::Settle { settles: next_batch(&mut self.settles), now: step.now.wall });
        }
        if !self.take_backs.is_empty() && !self.is_taking_back {
            self.writing += 1;
            self.is_taking_back = true;
            step.act(Action::TakeBack { attempts: next_batch(&mut self.take_backs), now: step.now.wall });
        }
        if !self.finishes.is_empty() && !self.is_finishing {
            self.writing += 1;
            self.is_finishing = true;
            step.act(Action::Finish(std::mem::take(&mut self.finishes)));
        }
    }

    /// Whether nothing waits to be written, and nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.writing == 0 && self.finishes.is_empty() && self.settles.is_empty() && self.take_backs.is_empty()
    }

    /// Returns the pushes that go out in the place of some that ended badly.
    pub(super) fn settled(
        &mut self,
        settles: Vec<Settle>,
        result: Result<Vec<OpenPush>, StoreError>,
        now: Reading,
    ) -> Vec<OpenPush> {
        self.writing -= 1;
        self.is_settling = false;
        result.unwrap_or_else(|error| {
            self.failed("snooze or end pushes", &error, now);
            if matches!(error, StoreError::Unavailable(_)) {
                self.settles.extend(settles);
            }
            Vec::new()
        })
    }

    /// Until when the database is left alone, if it is.
    pub(super) fn is_down_until(&self) -> Option<Moment> {
        self.down_until
    }

    pub(super) fn is_down(&mut self, now: Reading) -> bool {
        self.down_until = self.down_until.filter(|until| now.moment < *until);
        self.down_until.is_some()
    }

    /// Leaves the database alone for a moment.
    pub(super) fn pause(&mut self, now: Reading) {
        self.down_until = Some(now.moment + STORE_PAUSE);
    }

    /// Leaves the database alone for a moment; told once a minute, since it may stay like this for hours.
    pub(super) fn failed(&mut self, activity: &str, error: &StoreError, now: Reading) {
        self.pause(now);
        if self.told_at.is_none_or(|told| now.moment >= told + TELL_AGAIN) {
            self.told_at = Some(now.moment);
            error!(%error, "cannot {activity}; nothing is sent until the database can be written, trying again every second");
        }
    }
}

/// What is written next of all that waits to be, oldest first.
fn next_batch<T>(waiting: &mut VecDeque<T>) -> Vec<T> {
    waiting.drain(..waiting.len().min(SETTLE_AT_ONCE)).collect()
}
