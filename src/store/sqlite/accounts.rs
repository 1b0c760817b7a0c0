//! Accounts as the tables show them, what senders keep over restarts, and inline media.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{FromRow, SqliteConnection};

use super::fault::{Fault, Result};
use super::writer::Write;
use crate::domain::{Health, UtcMs};
use crate::store::AccountRow;

pub(super) struct RecordAccounts {
    pub accounts: Vec<AccountRow>,
    pub all: bool,
}

#[async_trait]
impl Write for RecordAccounts {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let rows: Vec<_> = self
            .accounts
            .iter()
            .map(|account| {
                let health = &account.health;
                json!([
                    account.id,
                    account.im,
                    account.sender,
                    u8::from(account.is_default),
                    health.online.map(u8::from),
                    health.sendable.map(u8::from),
                    health.checked_at,
                    health.last_error,
                    health.cooldown_until,
                ])
            })
            .collect();
        let rows = serde_json::to_string(&rows)?;
        // The whole list tells the order of the files; a part of it only brings news of those in it.
        sqlx::query(
            "INSERT INTO accounts
                    (id, position, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until)
             SELECT value ->> 0, CASE WHEN ?2 THEN key ELSE (SELECT count(*) + key FROM accounts) END,
                    value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                    value ->> 8
               FROM jsonb_each(?1)
              WHERE true
             ON CONFLICT (id) DO UPDATE
                SET position = CASE WHEN ?2 THEN excluded.position ELSE position END, im = excluded.im,
                    sender = excluded.sender, is_default = excluded.is_default, online = excluded.online,
                    sendable = excluded.sendable, checked_at = excluded.checked_at,
                    last_error = excluded.last_error, cooldown_until = excluded.cooldown_until",
        )
        .bind(&rows)
        .bind(self.all)
        .execute(&mut *conn)
        .await?;
        if self.all {
            sqlx::query("DELETE FROM accounts WHERE id NOT IN (SELECT value ->> 0 FROM jsonb_each(?1))")
                .bind(&rows)
                .execute(conn)
                .await?;
        }
        Ok(())
    }
}

/// Writes what attempts told of accounts that have a row.
pub(super) async fn record_health(conn: &mut SqliteConnection, health: HashMap<&str, &Health>) -> Result<()> {
    for (id, health) in health {
        sqlx::query(
            "UPDATE accounts
                SET online = ?2, sendable = ?3, checked_at = ?4, last_error = ?5, cooldown_until = ?6
              WHERE id = ?1",
        )
        .bind(id)
        .bind(health.online)
        .bind(health.sendable)
        .bind(health.checked_at.map(|at| at.to_string()))
        .bind(&health.last_error)
        .bind(health.cooldown_until.map(|at| at.to_string()))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(super) async fn accounts(conn: &mut SqliteConnection) -> Result<Vec<AccountRow>> {
    #[derive(FromRow)]
    struct Row {
        id: String,
        im: String,
        sender: String,
        is_default: bool,
        online: Option<bool>,
        sendable: Option<bool>,
        checked_at: Option<String>,
        last_error: Option<String>,
        cooldown_until: Option<String>,
    }
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM accounts ORDER BY position, id").fetch_all(conn).await?;
    rows.into_iter()
        .map(|row| {
            let health = Health {
                online: row.online,
                sendable: row.sendable,
                checked_at: row.checked_at.map(instant).transpose()?,
                last_error: row.last_error,
                cooldown_until: row.cooldown_until.map(instant).transpose()?,
            };
            Ok(AccountRow { id: row.id, im: row.im, sender: row.sender, is_default: row.is_default, health })
        })
        .collect()
}

pub(super) fn instant(text: String) -> Result<UtcMs> {
    text.parse().map_err(|error: crate::domain::time::NotAnInstant| Fault::Row(error.to_string()))
}

pub(super) async fn recall(conn: &mut SqliteConnection, account: &str) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as("SELECT key, value FROM account_state WHERE account = ?1 ORDER BY key")
        .bind(account)
        .fetch_all(conn)
        .await?)
}

pub(super) struct Remember {
    pub account: String,
    pub key: String,
    pub value: String,
    pub now: UtcMs,
}

#[async_trait]
impl Write for Remember {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        sqlx::query(
            "INSERT INTO account_state VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        )
        .bind(&self.account)
        .bind(&self.key)
        .bind(&self.value)
        .bind(self.now.to_string())
        .execute(conn)
        .await?;
        Ok(())
    }
}

pub(super) struct PutBlob {
    pub bytes: Vec<u8>,
    pub now: UtcMs,
}

#[async_trait]
impl Write for PutBlob {
    type Answer = String;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<String> {
        let sha256: String = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let known = sqlx::query("UPDATE blobs SET used_at = max(used_at, ?2) WHERE sha256 = ?1")
            .bind(&sha256)
            .bind(self.now.to_string())
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if known == 0 {
            sqlx::query("INSERT INTO blobs VALUES (?1, ?2, ?3)")
                .bind(&sha256)
                .bind(&self.bytes)
                .bind(self.now.to_string())
                .execute(conn)
                .await?;
        }
        Ok(sha256)
    }
}

pub(super) async fn blob(conn: &mut SqliteConnection, sha256: &str) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT bytes FROM blobs WHERE sha256 = ?1").bind(sha256).fetch_optional(conn).await?)
}
