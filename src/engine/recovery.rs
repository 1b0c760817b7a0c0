//! What a process that is gone left behind: attempts without an outcome.

use tracing::warn;

use super::flights::PastFlights;
use crate::clock::Clock;
use crate::domain::{Delivery, Next, Outcome, Report};
use crate::policy::clock_doubt::believable;
use crate::policy::retry::{Attempted, decide};
use crate::store::{Finish, Store, StoreError};

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

/// Closes every attempt that a dead process left open: one that was surely not begun does not count, any other is
/// decided by the same rule as any other attempt whose outcome is
/// unknown. `is_idempotent` tells whether the account of that name can repeat the delivery unseen.
///
/// # Errors
/// Those of the store; nothing is closed then, and the daemon must not start.
pub async fn recover(
    store: &dyn Store,
    clock: &dyn Clock,
    past: &PastFlights,
    is_idempotent: impl Fn(&str, &Delivery) -> bool,
) -> Result<Recovered, StoreError> {
    let now = believable(clock.now(), store.last_recorded_at().await?);
    let mut recovered = Recovered::default();
    let mut finishes = Vec::new();
    for attempt in store.interrupted().await? {
        let Delivery { push_id, im, target, max_attempts, retry, expires_at, .. } = &attempt.delivery;
        if !past.may_include(*push_id, attempt.number) {
            recovered.not_begun += 1;
            finishes.push(Finish {
                push_id: *push_id,
                number: attempt.number,
                report: Report::failed(Outcome::Unreachable, "not begun: pushcron ended before the send"),
                next: Next::Retry { at: now, reason: "not_begun".to_owned() },
                started_at: attempt.started_at,
                finished_at: now,
                health: None,
                uncounted: true,
            });
            continue;
        }
        let report = Report::failed(Outcome::Unknown, "pushcron ended before the answer came");
        let safe = is_idempotent(&attempt.account, &attempt.delivery);
        let attempted = Attempted {
            attempt: attempt.number,
            max_attempts: *max_attempts,
            retry,
            idempotent: safe,
            perhaps_sent: true,
            now,
            expires_at: *expires_at,
            unit_jitter: fastrand::f64(),
        };
        let next = decide(&report.outcome, &attempted);
        match &next {
            Next::Retry { .. } => recovered.retried += 1,
            _ => recovered.unknown += 1,
        }
        warn!(push = push_id, job = attempt.delivery.job.as_deref(), im, %target, account = attempt.account, attempt = attempt.number, state = next.state().as_str(), "an attempt was under way when pushcron ended");
        finishes.push(Finish {
            push_id: *push_id,
            number: attempt.number,
            report,
            next,
            started_at: attempt.started_at,
            finished_at: now,
            health: None,
            uncounted: false,
        });
    }
    if !finishes.is_empty() {
        store.finish_attempts(finishes).await?;
    }
    Ok(recovered)
}
