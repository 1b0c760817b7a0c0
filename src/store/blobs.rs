//! Inline media, beside the rows that speak of them.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::UtcMs;

/// Contents that many rows share.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Inline media, stored once by content. Returns its lower-case SHA-256.
    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> Result<String, StoreError>;

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError>;
}
