//! Carries out what a restart decides about what a process that is gone left behind: attempts without an outcome, and
//! what the tables tell of accounts.

use std::collections::HashMap;

use super::accounts::PastAccount;
use super::core::Dice;
use super::core::recovery::{Closing, close_interrupted};
use super::send_journal::PastSends;
use crate::clock::Clock;
use crate::domain::{Delivery, Reading, UtcMs};
use crate::policy::clock_doubt::believable;
use crate::store::{AccountRow, Backend, Filter, Store, StoreError, Table, View};

pub use super::core::recovery::{Recovered, resume_waits};

/// Closes every attempt that a dead process left open ([`close_interrupted`]).
///
/// # Errors
/// Those of the store; nothing is closed then, and the daemon must not start.
pub async fn recover(
    store: &dyn Store,
    clock: &dyn Clock,
    past: &PastSends,
    is_idempotent: impl Fn(&str, &Delivery) -> bool,
) -> Result<Recovered, StoreError> {
    let now = believable(clock.now(), store.last_recorded_at().await?);
    let may_have_begun = |push_id, number| past.may_include(push_id, number);
    let interrupted = store.interrupted().await?;
    let Closing { finishes, not_begun, mut recovered } =
        close_interrupted(interrupted, now, &mut Dice::unforeseen(), may_have_begun, is_idempotent);
    if !finishes.is_empty() {
        recovered.not_tried_again(store.finish_attempts(finishes).await?.lost.len());
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

/// What the tables tell of the accounts as an earlier process left them.
///
/// # Errors
/// Those of the store.
pub async fn past_accounts(store: &dyn Backend) -> Result<Vec<PastAccount>, StoreError> {
    let Table { columns, rows } = store.view(View::AccountOverview, &Filter::default()).await?;
    let cell = |row: &[serde_json::Value], name: &str| -> Option<String> {
        let column = columns.iter().position(|column| column == name)?;
        row.get(column)?.as_str().map(str::to_owned)
    };
    let mut last_attempts: HashMap<String, UtcMs> = rows
        .iter()
        .filter_map(|row| Some((cell(row, "account")?, cell(row, "last_attempt_at")?.parse().ok()?)))
        .collect();
    let past = store.accounts().await?.into_iter().map(|AccountRow { id, health, .. }| PastAccount {
        cooldown_until: health.cooldown_until,
        failures: health.failures,
        last_error: health.last_error,
        last_attempt_at: last_attempts.remove(&id),
        id,
    });
    Ok(past.collect())
}
