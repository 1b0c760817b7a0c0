//! Inline media, stored once by content.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::cells::At;
use super::fault::Result;
use super::handle::SqliteStore;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::domain::hex::sha256;
use crate::store::blobs::Blobs;
use crate::store::error::StoreResult;

#[async_trait]
impl Blobs for SqliteStore {
    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> StoreResult<String> {
        self.write(PutBlob { bytes, now }).await
    }

    async fn blob(&self, sha256: &str) -> StoreResult<Option<Vec<u8>>> {
        let sha256 = sha256.to_owned();
        self.read(move |conn| blob(conn, &sha256)).await
    }
}

struct PutBlob {
    bytes: Vec<u8>,
    now: UtcMs,
}

impl Write for PutBlob {
    type Answer = String;

    fn run(&mut self, conn: &Connection) -> Result<String> {
        let sha256 = sha256(&self.bytes);
        let now = At::from(self.now);
        let known =
            conn.execute("UPDATE blobs SET used_at = max(used_at, ?2) WHERE sha256 = ?1", params![sha256, now])?;
        if known == 0 {
            conn.execute("INSERT INTO blobs VALUES (?1, ?2, ?3)", params![sha256, self.bytes, now])?;
        }
        Ok(sha256)
    }
}

fn blob(conn: &Connection, sha256: &str) -> Result<Option<Vec<u8>>> {
    Ok(conn.query_row("SELECT bytes FROM blobs WHERE sha256 = ?1", [sha256], |row| row.get(0)).optional()?)
}
