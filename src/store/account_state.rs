//! What senders and the daemon keep over restarts, in small values.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::UtcMs;

/// Small values by key, of each account; under the empty name, of the daemon itself.
#[async_trait]
pub trait AccountState: Send + Sync {
    /// What is kept of an account, by key.
    async fn load_state(&self, account: &str) -> Result<Vec<(String, String)>, StoreError>;

    async fn save_state(&self, account: &str, key: &str, value: &str, now: UtcMs) -> Result<(), StoreError>;
}
