//! Inline media, stored once by content.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::connect::{ANSWER, within};
use super::fault::Result;
use super::instants::At;
use super::session::Write;
use super::store::PostgresStore;
use crate::domain::UtcMs;
use crate::domain::hex::sha256;
use crate::store::blobs::Blobs;
use crate::store::error::StoreResult;

#[async_trait]
impl Blobs for PostgresStore {
    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> StoreResult<String> {
        self.write(Put { bytes, now }).await
    }

    async fn blob(&self, sha256: &str) -> StoreResult<Option<Vec<u8>>> {
        self.read(Get { sha256: sha256.to_owned() }).await
    }
}

struct Put {
    bytes: Vec<u8>,
    now: UtcMs,
}

impl Write for Put {
    type Answer = String;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<String> {
        let sha256 = sha256(&self.bytes);
        // What is there already is not sent again.
        let known = sqlx::query("UPDATE blobs SET used_at = greatest(used_at, $2) WHERE sha256 = $1");
        let known = known.bind(&sha256).bind(At::from(self.now)).execute(&mut *conn);
        if within(ANSWER, known).await?.rows_affected() == 0 {
            let put = sqlx::query(
                "INSERT INTO blobs (sha256, bytes, used_at) VALUES ($1, $2, $3)
                 ON CONFLICT (sha256) DO UPDATE SET used_at = greatest(blobs.used_at, excluded.used_at)",
            );
            within(ANSWER, put.bind(&sha256).bind(&*self.bytes).bind(At::from(self.now)).execute(conn)).await?;
        }
        Ok(sha256)
    }
}

struct Get {
    sha256: String,
}

impl Write for Get {
    type Answer = Option<Vec<u8>>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Self::Answer> {
        let find = sqlx::query("SELECT bytes FROM blobs WHERE sha256 = $1").bind(&self.sha256);
        let row = within(ANSWER, find.fetch_optional(conn)).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}
