//! How all accounts are, asked by the running daemon: it alone may see what they are given.

use std::time::Duration;

use super::by_hand::Acts;
use crate::domain::presence::PROBE_ASKED;
use crate::store::StoreError;

/// How often the rows of the accounts are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Acts {
    /// Has the running daemon ask every account, and waits at most so long until the rows of all of them are newer than the
    /// question. Returns the accounts that told nothing by then.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn probe(&self, patience: Duration) -> Result<Vec<String>, StoreError> {
        let (asked_at, until) = (self.clock.now(), self.clock.monotonic() + patience);
        self.store.save_state("", PROBE_ASKED, &asked_at.to_string(), asked_at).await?;
        loop {
            let accounts = self.store.accounts().await?.into_iter();
            let silent = accounts.filter(|account| account.health.checked_at.is_none_or(|at| at < asked_at));
            let silent: Vec<String> = silent.map(|account| account.id).collect();
            if silent.is_empty() || self.clock.monotonic() >= until {
                return Ok(silent);
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
    }
}
