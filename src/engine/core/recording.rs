//! What writes came to.

use tracing::{error, warn};

use super::io::{Action, Step};
use super::state::Core;
use crate::domain::{Next, Outcome};
use crate::store::{Closed, Finish, StoreError, TakeBack};

impl Core {
    /// Outcomes are durable, or not.
    pub(super) fn finished(&mut self, finishes: Vec<Finish>, result: Result<Closed, StoreError>, step: &mut Step<'_>) {
        self.recorder.writing -= 1;
        self.recorder.is_finishing = false;
        match result {
            Ok(Closed { lost, fallbacks }) => {
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
                fallbacks.into_iter().for_each(|push| self.queue.add(push, step.now));
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
