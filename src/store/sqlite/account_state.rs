//! What senders and the daemon itself keep over restarts.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::cells::At;
use super::fault::Result;
use super::handle::SqliteStore;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::account_state::AccountState;
use crate::store::error::StoreResult;

#[async_trait]
impl AccountState for SqliteStore {
    async fn load_state(&self, account: &str) -> StoreResult<Vec<(String, String)>> {
        let account = account.to_owned();
        self.read(move |conn| load(conn, &account)).await
    }

    async fn save_state(&self, account: &str, key: &str, value: &str, now: UtcMs) -> StoreResult<()> {
        let (account, key, value) = (account.to_owned(), key.to_owned(), value.to_owned());
        self.write(SaveState { account, key, value, now }).await
    }
}

fn load(conn: &Connection, account: &str) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare("SELECT key, value FROM account_state WHERE account = ?1 ORDER BY key")?;
    let kept = statement.query_map([account], |row| row.try_into())?;
    Ok(kept.collect::<rusqlite::Result<_>>()?)
}

pub(super) struct SaveState {
    pub account: String,
    pub key: String,
    pub value: String,
    pub now: UtcMs,
}

impl Write for SaveState {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO account_state VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        )?;
        statement.execute(params![self.account, self.key, self.value, At::from(self.now)])?;
        Ok(())
    }
}
