//! What waits to be made durable, and what to do while the database cannot be written.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{error, warn};

use super::stable::StableMap;
use super::{Action, Core, STORE_PAUSE, Step};
use crate::domain::{Moment, Next, Outcome, Reading, Reason};
use crate::store::{Finish, Settle, StoreError, TakeBack};

/// Pushes put back or ended without an attempt in one transaction: few enough that no attempt waits for it noticeably.
const SETTLE_AT_ONCE: usize = 1024;
/// A database that cannot be written is told of so often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Outcomes, snoozes and attempts taken back on their way to the store. Of each kind one batch is being written at a
/// time; what comes meanwhile gathers for the next: the busier, the fewer and larger the transactions.
#[derive(Default)]
pub(super) struct Recorder {
    finishes: Vec<Finish>,
    take_backs: VecDeque<TakeBack>,
    settles: VecDeque<Settle>,
    /// Why a push was snoozed, as its row says, so that the row is not written again and again.
    snoozed: StableMap<i64, Reason>,
    /// Writes under way.
    writing: usize,
    is_finishing: bool,
    is_taking_back: bool,
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

    pub(super) fn settled(&mut self, settles: Vec<Settle>, result: Result<(), StoreError>, now: Reading) {
        self.writing -= 1;
        self.is_settling = false;
        if let Err(error) = result {
            self.failed("snooze or end pushes", &error, now);
            if matches!(error, StoreError::Unavailable(_)) {
                self.settles.extend(settles);
            }
        }
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

impl Core {
    /// Outcomes are durable, or not.
    pub(super) fn finished(
        &mut self,
        finishes: Vec<Finish>,
        result: Result<Vec<i64>, StoreError>,
        step: &mut Step<'_>,
    ) {
        self.recorder.writing -= 1;
        self.recorder.is_finishing = false;
        match result {
            Ok(lost) => {
                for id in &lost {
                    warn!(
                        push = id,
                        "not tried again: meanwhile a newer fire took its place, its job was removed, or it was ended"
                    );
                }
                for finish in finishes {
                    step.act(Action::Closed(finish.push_id));
                    match finish.next {
                        Next::Retry { at, .. } if !lost.contains(&finish.push_id) => {
                            step.act(Action::SetMediaAside(finish.push_id));
                            let unknown = finish.report.outcome == Outcome::Unknown;
                            let wait = at.since(finish.finished_at);
                            self.queue.retry(finish.push_id, wait, at, finish.number, unknown);
                        }
                        _ => self.forget(finish.push_id, step),
                    }
                }
            }
            // The outcome stays in memory and is written once the database takes it; until then the row says
            // `sending`, and a crash would make it `unknown`, which is the truth.
            Err(error @ StoreError::Unavailable(_)) => {
                self.recorder.failed("record outcomes", &error, step.now);
                self.recorder.finishes.extend(finishes);
            }
            Err(error) if finishes.len() > 1 => {
                // One row spoils the batch: find it by recording each on its own.
                warn!(%error, "a batch of outcomes was refused, recording them one by one");
                self.recorder.writing += finishes.len();
                finishes.into_iter().for_each(|finish| step.act(Action::Finish(vec![finish])));
            }
            Err(error) => {
                for finish in finishes {
                    error!(push = finish.push_id, attempt = finish.number, outcome = finish.report.outcome.as_str(), %error, "the outcome cannot be recorded; the push becomes unknown at the next start");
                    self.forget(finish.push_id, step);
                }
            }
        }
    }

    /// Attempts that were never made have no rows any more, or still have them.
    pub(super) fn taken_back(
        &mut self,
        attempts: Vec<TakeBack>,
        result: Result<Vec<i64>, StoreError>,
        step: &mut Step<'_>,
    ) {
        self.recorder.writing -= 1;
        self.recorder.is_taking_back = false;
        match result {
            Ok(ended) => {
                for attempt in &attempts {
                    self.queue.reopen(attempt.push_id);
                    // Taken back at the gate: it waits for the gate, not for the hour.
                    if attempt.reason.is_some()
                        && let Some(reason) = self.recorder.reason_of(attempt.push_id)
                    {
                        self.queue.park(attempt.push_id, reason);
                    }
                }
                ended.into_iter().for_each(|id| self.forget(id, step));
            }
            // Until then the rows say `sending`, and a crash would find no note of them: surely not begun.
            Err(error @ StoreError::Unavailable(_)) => {
                self.recorder.failed("take attempts back", &error, step.now);
                self.recorder.take_backs.extend(attempts);
            }
            Err(error) => {
                for attempt in attempts {
                    error!(push = attempt.push_id, %error, "an attempt cannot be taken back; the push goes on at the next start");
                    self.forget(attempt.push_id, step);
                }
            }
        }
    }
}
