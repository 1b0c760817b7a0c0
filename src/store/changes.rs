//! How a process learns that another one wrote.

use async_trait::async_trait;

use super::error::StoreError;
use super::pause::Pause;

/// What others write into the database.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Comes back once another process has written since this last came back, or since the database was opened. What
    /// this process writes itself is no change.
    ///
    /// # Errors
    ///
    /// Where the database cannot be asked now; nothing is lost by that, the next call tells of it.
    async fn changed(&self, pause: &Pause) -> Result<(), StoreError>;
}
