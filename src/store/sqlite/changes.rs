//! SQLite tells nobody: it is asked at times.

use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::handle::SqliteStore;
use crate::store::changes::Changes;
use crate::store::error::StoreResult;
use crate::store::pause::Pause;

#[async_trait]
impl Changes for SqliteStore {
    async fn changed(&self, pause: &Pause) -> StoreResult<()> {
        loop {
            let version = self.version().await?;
            if self.seen_version.swap(version, Ordering::Relaxed) != version {
                return Ok(());
            }
            pause().await;
        }
    }
}
