//! Accounts as the tables show them, what senders keep over restarts, and inline media.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::cells::{At, maybe_instant};
use super::fault::Result;
use super::fires::PushAdHoc;
use super::writer::Write;
use crate::domain::{Health, UtcMs};
use crate::store::AccountRow;

pub(super) struct RecordAccounts {
    pub accounts: Vec<AccountRow>,
    pub all: bool,
}

impl Write for RecordAccounts {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
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
        conn.execute(
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
            params![rows, self.all],
        )?;
        if self.all {
            conn.execute("DELETE FROM accounts WHERE id NOT IN (SELECT value ->> 0 FROM jsonb_each(?1))", [rows])?;
        }
        Ok(())
    }
}

/// Writes what attempts told of accounts that have a row.
pub(super) fn record_health(conn: &Connection, health: HashMap<&str, &Health>) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "UPDATE accounts
            SET online = ?2, sendable = ?3, checked_at = ?4, last_error = ?5, cooldown_until = ?6
          WHERE id = ?1",
    )?;
    for (id, health) in health {
        statement.execute(params![
            id,
            health.online,
            health.sendable,
            health.checked_at.map(At::from),
            health.last_error,
            health.cooldown_until.map(At::from),
        ])?;
    }
    Ok(())
}

pub(super) fn accounts(conn: &Connection) -> Result<Vec<AccountRow>> {
    let mut statement = conn.prepare(
        "SELECT id, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until
           FROM accounts ORDER BY position, id",
    )?;
    statement
        .query_and_then([], |row| {
            let health = Health {
                online: row.get(4)?,
                sendable: row.get(5)?,
                checked_at: maybe_instant(row, 6)?,
                last_error: row.get(7)?,
                rest_until: None,
                cooldown_until: maybe_instant(row, 8)?,
            };
            Ok(AccountRow { id: row.get(0)?, im: row.get(1)?, sender: row.get(2)?, is_default: row.get(3)?, health })
        })?
        .collect()
}

pub(super) fn recall(conn: &Connection, account: &str) -> Result<Vec<(String, String)>> {
    let mut statement = conn.prepare("SELECT key, value FROM account_state WHERE account = ?1 ORDER BY key")?;
    let kept = statement.query_map([account], |row| row.try_into())?;
    Ok(kept.collect::<rusqlite::Result<_>>()?)
}

pub(super) struct Remember {
    pub account: String,
    pub key: String,
    pub value: String,
    pub now: UtcMs,
}

impl Write for Remember {
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

/// A push outside any job, and that it was handed over.
pub(super) struct PushAndRemember {
    pub push: PushAdHoc,
    pub remember: Remember,
}

impl Write for PushAndRemember {
    type Answer = i64;

    fn run(&mut self, conn: &Connection) -> Result<i64> {
        self.remember.run(conn)?;
        self.push.run(conn)
    }
}

pub(super) struct PutBlob {
    pub bytes: Vec<u8>,
    pub now: UtcMs,
}

impl Write for PutBlob {
    type Answer = String;

    fn run(&mut self, conn: &Connection) -> Result<String> {
        let sha256: String = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let now = At::from(self.now);
        let known =
            conn.execute("UPDATE blobs SET used_at = max(used_at, ?2) WHERE sha256 = ?1", params![sha256, now])?;
        if known == 0 {
            conn.execute("INSERT INTO blobs VALUES (?1, ?2, ?3)", params![sha256, self.bytes, now])?;
        }
        Ok(sha256)
    }
}

pub(super) fn blob(conn: &Connection, sha256: &str) -> Result<Option<Vec<u8>>> {
    Ok(conn.query_row("SELECT bytes FROM blobs WHERE sha256 = ?1", [sha256], |row| row.get(0)).optional()?)
}
