//! What becomes of attempts that a process which is gone left open.

use tracing::{error, warn};

use super::io::Dice;
use crate::domain::{Delivery, Next, Outcome, Reading, Reason, Report, UtcMs};
use crate::policy::retry::{AttemptContext, decide};
use crate::store::{Finish, Interrupted, OpenPush, TakeBack};

/// What became of interrupted attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Perhaps sent, and said to be so.
    pub unknown: usize,
    /// Tried again, since the protocol makes a repeat safe or the job asks for it.
    pub retried: usize,
    /// Surely not sent: the sender was never called. They go on as if nothing had happened.
    pub not_begun: usize,
}

/// How attempts are to be closed.
#[derive(Default)]
pub struct Closing {
    pub finishes: Vec<Finish>,
    /// Attempts that were surely not begun, and count for nothing.
    pub not_begun: Vec<TakeBack>,
    pub recovered: Recovered,
}

/// Decides about every attempt that a dead process left open: one that was surely not begun does not count, any other is
/// decided by the same rule as any other attempt whose outcome is unknown. `may_have_begun` tells by the journal of sends
/// whether the attempt of a push may have been started, `is_idempotent` whether the account of that name can repeat the
/// delivery unseen.
pub fn close_interrupted(
    interrupted: Vec<Interrupted>,
    now: UtcMs,
    dice: &mut Dice,
    may_have_begun: impl Fn(i64, u32) -> bool,
    is_idempotent: impl Fn(&str, &Delivery) -> bool,
) -> Closing {
    let mut closing = Closing::default();
    for attempt in interrupted {
        let may_have_begun = may_have_begun(attempt.push_id, attempt.number);
        match &attempt.delivery {
            Err(problem) => {
                closing.recovered.unknown += usize::from(may_have_begun);
                let (report, next) = unreadable(attempt.push_id, problem, may_have_begun);
                closing.finish(&attempt, report, next, now);
            }
            Ok(_) if !may_have_begun => {
                let (push_id, number) = (attempt.push_id, attempt.number);
                closing.recovered.not_begun += 1;
                closing.not_begun.push(TakeBack { push_id, number, next_attempt_at: now, reason: None });
            }
            Ok(delivery) => {
                let safe = is_idempotent(&attempt.account, delivery);
                let (report, next) = perhaps_sent(&attempt, delivery, safe, dice, now);
                match &next {
                    Next::Retry { .. } => closing.recovered.retried += 1,
                    _ => closing.recovered.unknown += 1,
                }
                closing.finish(&attempt, report, next, now);
            }
        }
    }
    closing
}

impl Closing {
    fn finish(&mut self, attempt: &Interrupted, report: Report, next: Next, now: UtcMs) {
        let Interrupted { push_id, number, started_at, .. } = *attempt;
        self.finishes.push(Finish { push_id, number, report, next, started_at, finished_at: now, health: None });
    }
}

impl Recovered {
    /// So many pushes were replaced by a newer fire, or are of a job that is gone: perhaps sent, and not tried again.
    pub fn not_tried_again(&mut self, ended: usize) {
        self.retried = self.retried.saturating_sub(ended);
        self.unknown += ended;
    }
}

fn unreadable(push: i64, problem: &str, may_have_begun: bool) -> (Report, Next) {
    let reason = Reason::Unreadable;
    let (outcome, next) = match may_have_begun {
        true => (Outcome::Unknown, Next::Unknown { reason }),
        false => (Outcome::Unreachable, Next::Failed { reason }),
    };
    error!(push, problem, state = next.state().as_str(), "the row of a push cannot be read");
    (Report::failed(outcome, format!("the row of the push cannot be read: {problem}")), next)
}

fn perhaps_sent(
    attempt: &Interrupted,
    delivery: &Delivery,
    idempotent: bool,
    dice: &mut Dice,
    now: UtcMs,
) -> (Report, Next) {
    let Delivery { im, target, max_attempts, retry, expires_at, .. } = delivery;
    let report = Report::failed(Outcome::Unknown, "pushcron ended before the answer came");
    let report = report.in_doubt_after(&delivery.parts);
    let context = AttemptContext {
        attempt: attempt.number,
        max_attempts: *max_attempts,
        retry,
        idempotent,
        perhaps_sent: true,
        now,
        expires_at: *expires_at,
        unit_jitter: dice.unit(),
    };
    let next = decide(&report.outcome, &context);
    warn!(push = attempt.push_id, job = delivery.job.as_deref(), im, %target, account = attempt.account, attempt = attempt.number, state = next.state().as_str(), "an attempt was under way when pushcron ended");
    (report, next)
}

/// Lets what waits for a length wait for what is left of it, by the clock as it is now. An hour that had come before the
/// clock was put back has come. The instants are those of the reading `by`.
pub fn resume_waits(open: &mut [OpenPush], seen: Reading, by: Reading) {
    for push in open.iter_mut().filter(|push| push.is_resting || push.next_attempt_at <= seen.wall) {
        push.is_resting = true;
        push.next_attempt_at = by.wall + push.next_attempt_at.since(seen.wall);
    }
}
