//! Accounts as the tables show them.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use serde_json::json;

use super::cells::{At, maybe_instant};
use super::fault::Result;
use super::writer::Write;
use crate::domain::Health;
use crate::store::model::AccountRow;

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
                    health.failures,
                ])
            })
            .collect();
        let rows = serde_json::to_string(&rows)?;
        // The whole list tells the order of the files; a part of it only brings news of those in it.
        conn.execute(
            "INSERT INTO accounts
                    (id, position, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until,
                     failures)
             SELECT value ->> 0, CASE WHEN ?2 THEN key ELSE (SELECT count(*) + key FROM accounts) END,
                    value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                    value ->> 8, value ->> 9
               FROM jsonb_each(?1)
              WHERE true
             ON CONFLICT (id) DO UPDATE
                SET position = CASE WHEN ?2 THEN excluded.position ELSE position END, im = excluded.im,
                    sender = excluded.sender, is_default = excluded.is_default, online = excluded.online,
                    sendable = excluded.sendable, checked_at = excluded.checked_at,
                    last_error = excluded.last_error, cooldown_until = excluded.cooldown_until,
                    failures = excluded.failures",
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
            SET online = ?2, sendable = ?3, checked_at = ?4, last_error = ?5, cooldown_until = ?6,
                failures = ?7
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
            health.failures,
        ])?;
    }
    Ok(())
}

pub(super) fn accounts(conn: &Connection) -> Result<Vec<AccountRow>> {
    let mut statement = conn.prepare(
        "SELECT id, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until, failures
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
                failures: row.get(9)?,
            };
            Ok(AccountRow { id: row.get(0)?, im: row.get(1)?, sender: row.get(2)?, is_default: row.get(3)?, health })
        })?
        .collect()
}
