//! What senders and the daemon itself keep over restarts.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::cells::plain;
use super::connect::{ANSWER, within};
use super::fault::Result;
use super::instants::At;
use super::session::Write;
use super::store::PostgresStore;
use crate::domain::UtcMs;
use crate::store::account_state::AccountState;
use crate::store::error::StoreResult;

#[async_trait]
impl AccountState for PostgresStore {
    async fn load_state(&self, account: &str) -> StoreResult<Vec<(String, String)>> {
        self.read(Load { account: account.to_owned() }).await
    }

    async fn save_state(&self, account: &str, key: &str, value: &str, now: UtcMs) -> StoreResult<()> {
        let (account, key, value) = (account.to_owned(), key.to_owned(), value.to_owned());
        self.write(SaveState { account, key, value, now }).await
    }
}

struct Load {
    account: String,
}

impl Write for Load {
    type Answer = Vec<(String, String)>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Self::Answer> {
        let kept = sqlx::query("SELECT key, value FROM account_state WHERE account = $1 ORDER BY key");
        let rows = within(ANSWER, kept.bind(&self.account).fetch_all(conn)).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

pub(super) struct SaveState {
    pub account: String,
    pub key: String,
    pub value: String,
    pub now: UtcMs,
}

impl Write for SaveState {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let SaveState { account, key, value, now } = self;
        let save = sqlx::query(
            "INSERT INTO account_state (account, key, value, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        );
        within(
            ANSWER,
            save.bind(plain(account)).bind(plain(key)).bind(plain(value)).bind(At::from(*now)).execute(conn),
        )
        .await?;
        Ok(())
    }
}
