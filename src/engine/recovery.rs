//! What a process that is gone left behind: attempts without an outcome.

use tracing::{error, warn};

use super::flights::PastFlights;
use super::roster::PastAccount;
use crate::clock::Clock;
use crate::domain::{Delivery, Next, Outcome, Reading, Report};
use crate::policy::clock_doubt::believable;
use crate::policy::retry::{Attempted, decide};
use crate::store::{Filter, Finish, OpenPush, Store, StoreError, Table, TakeBack, View};

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
    let (mut finishes, mut not_begun) = (Vec::new(), Vec::new());
    for attempt in store.interrupted().await? {
        let push_id = attempt.push_id;
        let may_have_begun = past.may_include(push_id, attempt.number);
        let delivery = match &attempt.delivery {
            Ok(delivery) => delivery,
            Err(problem) => {
                let reason = "unreadable".to_owned();
                let next = if may_have_begun { Next::Unknown { reason } } else { Next::Failed { reason } };
                error!(push = push_id, problem, state = next.state().as_str(), "the row of a push cannot be read");
                recovered.unknown += usize::from(may_have_begun);
                let outcome = if may_have_begun { Outcome::Unknown } else { Outcome::Unreachable };
                finishes.push(Finish {
                    push_id,
                    number: attempt.number,
                    report: Report::failed(outcome, format!("the row of the push cannot be read: {problem}")),
                    next,
                    started_at: attempt.started_at,
                    finished_at: now,
                    health: None,
                });
                continue;
            }
        };
        let Delivery { im, target, max_attempts, retry, expires_at, .. } = delivery;
        if !may_have_begun {
            recovered.not_begun += 1;
            let taken_back = TakeBack { push_id, number: attempt.number, next_attempt_at: now, reason: None };
            not_begun.push(taken_back);
            continue;
        }
        let report = Report::failed(Outcome::Unknown, "pushcron ended before the answer came");
        let report = report.in_doubt_after(&delivery.parts);
        let safe = is_idempotent(&attempt.account, delivery);
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
        warn!(push = push_id, job = delivery.job.as_deref(), im, %target, account = attempt.account, attempt = attempt.number, state = next.state().as_str(), "an attempt was under way when pushcron ended");
        finishes.push(Finish {
            push_id,
            number: attempt.number,
            report,
            next,
            started_at: attempt.started_at,
            finished_at: now,
            health: None,
        });
    }
    if !finishes.is_empty() {
        // Replaced by a newer fire, or of a job that is gone: perhaps sent, and not tried again.
        let ended = store.finish_attempts(finishes).await?.len();
        recovered.retried = recovered.retried.saturating_sub(ended);
        recovered.unknown += ended;
    }
    if !not_begun.is_empty() {
        store.take_back_attempts(not_begun, now).await?;
    }
    Ok(recovered)
}

/// The present, or a later hour that was seen before: what was left of a length when an earlier process ended is counted
/// from there, so that a clock that was put back meanwhile adds nothing to it.
///
/// # Errors
/// Those of the store.
pub async fn last_seen(store: &dyn Store, now: Reading) -> Result<Reading, StoreError> {
    let last = store.last_recorded_at().await?;
    // By a clock of 2099 every wait would be over.
    let wall = believable(now.wall, last);
    Ok(Reading { wall: last.map_or(wall, |last| last.max(wall)), ..now })
}

/// Lets what waits for a length wait for what is left of it, by the clock as it is now. An hour that had come before the
/// clock was put back has come. The instants are those of the reading `by`.
pub fn resume_waits(open: &mut [OpenPush], seen: Reading, by: Reading) {
    for push in open.iter_mut().filter(|push| push.is_resting || push.next_attempt_at <= seen.wall) {
        push.is_resting = true;
        push.next_attempt_at = by.wall + push.next_attempt_at.since(seen.wall);
    }
}

/// What the tables tell of the accounts as an earlier process left them.
///
/// # Errors
/// Those of the store.
pub async fn past_accounts(store: &dyn Store) -> Result<Vec<PastAccount>, StoreError> {
    let Table { columns, rows } = store.view(View::AccountOverview, &Filter::default()).await?;
    let cell = |row: &[serde_json::Value], name: &str| -> Option<String> {
        let column = columns.iter().position(|column| column == name)?;
        row.get(column)?.as_str().map(str::to_owned)
    };
    let instant = |row: &[serde_json::Value], name: &str| cell(row, name)?.parse().ok();
    let past = rows.iter().filter_map(|row| {
        Some(PastAccount {
            id: cell(row, "account")?,
            cooldown_until: instant(row, "cooldown_until"),
            last_attempt_at: instant(row, "last_attempt_at"),
        })
    });
    Ok(past.collect())
}
