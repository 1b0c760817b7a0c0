//! Making outcomes durable, and what to do while the database cannot be written.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{error, warn};

use super::{Dispatcher, Event, Internal, STORE_PAUSE};
use crate::domain::{Next, Outcome};
use crate::store::{Finish, Settle, StoreError, TakeBack};

/// Pushes put back or ended without an attempt in one transaction: few enough that no attempt waits for it noticeably.
const SETTLE_AT_ONCE: usize = 1024;

impl Dispatcher {
    /// Hands everything gathered to the store. What ends while outcomes are being recorded gathers for the next batch:
    /// the busier, the fewer and larger the transactions.
    pub(super) fn flush(&mut self) {
        if self.store_is_down() {
            return;
        }
        if !self.settles.is_empty() && !self.settling {
            self.writing += 1;
            self.settling = true;
            let settles = next_batch(&mut self.settles);
            let (store, events, now) = (self.store.clone(), self.events.clone(), self.clock.now());
            tokio::spawn(async move {
                let result = store.settle(settles.clone(), now).await;
                let _ = events.send(Event::Internal(Internal::Settled { settles, result }));
            });
        }
        if !self.take_backs.is_empty() && !self.taking_back {
            self.writing += 1;
            self.taking_back = true;
            let attempts = next_batch(&mut self.take_backs);
            let (store, events) = (self.store.clone(), self.events.clone());
            tokio::spawn(async move {
                let result = store.take_back_attempts(attempts.clone()).await;
                let _ = events.send(Event::Internal(Internal::TakenBack { attempts, result }));
            });
        }
        if !self.finishes.is_empty() && !self.recording {
            self.writing += 1;
            self.recording = true;
            let finishes = std::mem::take(&mut self.finishes);
            let (store, events) = (self.store.clone(), self.events.clone());
            tokio::spawn(async move {
                let result = store.finish_attempts(finishes.clone()).await;
                let _ = events.send(Event::Internal(Internal::Recorded { finishes, result }));
            });
        }
    }

    pub(super) fn recorded(&mut self, finishes: Vec<Finish>, result: Result<Vec<i64>, StoreError>) {
        self.writing -= 1;
        self.recording = false;
        match result {
            Ok(lost) => {
                for id in &lost {
                    warn!(push = id, "the attempt was ended by hand before its outcome came");
                }
                for finish in finishes {
                    self.notes.release(finish.push_id);
                    match finish.next {
                        Next::Retry { at, .. } if !lost.contains(&finish.push_id) => {
                            self.desk.set_aside(finish.push_id);
                            let unknown = finish.report.outcome == Outcome::Unknown;
                            let wait = at.since(finish.finished_at);
                            self.queue.retry(finish.push_id, wait, at, finish.number, unknown);
                        }
                        _ => self.forget(finish.push_id),
                    }
                }
            }
            Err(StoreError::Unavailable(_)) => {
                // The outcome stays in memory and is written once the database takes it; until then the row says
                // `sending`, and a crash would make it `unknown`, which is the truth.
                let error = result.err();
                if let Some(error) = error {
                    self.store_failed("record outcomes", &error);
                }
                self.finishes.extend(finishes);
            }
            Err(error) if finishes.len() > 1 => {
                // One row spoils the batch: find it by recording each on its own.
                warn!(%error, "a batch of outcomes was refused, recording them one by one");
                for finish in finishes {
                    self.writing += 1;
                    let (store, events) = (self.store.clone(), self.events.clone());
                    tokio::spawn(async move {
                        let finishes = vec![finish];
                        let result = store.finish_attempts(finishes.clone()).await;
                        let _ = events.send(Event::Internal(Internal::Recorded { finishes, result }));
                    });
                }
            }
            Err(error) => {
                for finish in finishes {
                    error!(push = finish.push_id, attempt = finish.number, outcome = finish.report.outcome.as_str(), %error, "the outcome cannot be recorded; the push becomes unknown at the next start");
                    self.forget(finish.push_id);
                }
            }
        }
    }

    pub(super) fn taken_back(&mut self, attempts: Vec<TakeBack>, result: Result<Vec<i64>, StoreError>) {
        self.writing -= 1;
        self.taking_back = false;
        match result {
            Ok(ended) => {
                for attempt in &attempts {
                    self.queue.reopen(attempt.push_id);
                    // Taken back at the gate: it waits for the gate, not for the hour.
                    if let Some(reason) = self.snoozed.get(&attempt.push_id).filter(|_| attempt.reason.is_some()) {
                        self.queue.park(attempt.push_id, reason);
                    }
                }
                ended.into_iter().for_each(|id| self.forget(id));
            }
            // Until then the rows say `sending`, and a crash would find no note of them: surely not begun.
            Err(error @ StoreError::Unavailable(_)) => {
                self.store_failed("take attempts back", &error);
                self.take_backs.extend(attempts);
            }
            Err(error) => {
                for attempt in attempts {
                    error!(push = attempt.push_id, %error, "an attempt cannot be taken back; the push goes on at the next start");
                    self.forget(attempt.push_id);
                }
            }
        }
    }

    pub(super) fn settled(&mut self, settles: Vec<Settle>, result: Result<(), StoreError>) {
        self.writing -= 1;
        self.settling = false;
        if let Err(error) = result {
            self.store_failed("snooze or end pushes", &error);
            if matches!(error, StoreError::Unavailable(_)) {
                self.settles.extend(settles);
            }
        }
    }

    pub(super) fn store_is_down(&mut self) -> bool {
        if self.store_down_until.is_some_and(|until| self.clock.monotonic() >= until) {
            self.store_down_until = None;
        }
        self.store_down_until.is_some()
    }

    /// Leaves the database alone for a moment; told once a minute, since it may stay like this for hours.
    pub(super) fn store_failed(&mut self, activity: &str, error: &StoreError) {
        let now = self.clock.monotonic();
        self.store_down_until = Some(now + STORE_PAUSE);
        if self.store_told_at.is_none_or(|told| now >= told + Duration::from_secs(60)) {
            self.store_told_at = Some(now);
            error!(%error, "cannot {activity}; nothing is sent until the database can be written, trying again every second");
        }
    }
}

/// What is written next of all that waits to be, oldest first.
fn next_batch<T>(waiting: &mut VecDeque<T>) -> Vec<T> {
    waiting.drain(..waiting.len().min(SETTLE_AT_ONCE)).collect()
}
