//! Waiting for pushes that a daemon was asked to send.

use std::time::Duration;

use crate::answers::refusal::{Kind, Refusal};
use crate::clock::SharedClock;
use crate::domain::PushState;
use crate::store::{History, StoreError};

/// How often the states are looked up: soon enough for a person, and no load for the database.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until these pushes are final.
///
/// # Errors
///
/// When the daemon that is waited for is gone.
pub async fn until_final<E: From<Refusal> + From<StoreError>>(
    store: &dyn History,
    clock: &SharedClock,
    pushes: &[i64],
    daemon_runs: impl Fn() -> Result<bool, E>,
) -> Result<(), E> {
    for id in pushes {
        while !store.push_state(*id).await?.is_none_or(PushState::is_final) {
            if !daemon_runs()? {
                let text = "no daemon runs on this database to wait for; the pushes are recorded, and one that starts will send";
                return Err(Refusal::new(Kind::OutOfReach, text).into());
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}
