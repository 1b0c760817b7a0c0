//! Accounts as the tables show them.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, done};
use super::cells::{maybe_instant, plain};
use super::fault::Result;
use super::instants::At;
use super::session::Write;
use crate::domain::Health;
use crate::store::model::AccountRow;

pub(super) struct RecordAccounts {
    pub accounts: Vec<AccountRow>,
    pub all: bool,
}

impl Write for RecordAccounts {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let accounts = &self.accounts;
        let ids: Vec<&str> = accounts.iter().map(|account| &*account.id).collect();
        let health = Columns::of(accounts.iter().map(|account| (&*account.id, &account.health)));
        // The whole list tells the order of the files; a part of it only brings news of those in it.
        let record = sqlx::query(
            "INSERT INTO accounts
                    (id, position, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until,
                     failures)
             SELECT n.id, CASE WHEN $1 THEN n.place ELSE (SELECT count(*) FROM accounts) + n.place END,
                    n.im, n.sender, n.is_default, n.online, n.sendable, n.checked_at, n.last_error, n.cooldown_until,
                    n.failures
               FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::boolean[],
                           $8::timestamptz[], $9::text[], $10::timestamptz[], $11::bigint[]) WITH ORDINALITY
                 AS n (id, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until, failures,
                       place)
             ON CONFLICT (id) DO UPDATE
                SET position = CASE WHEN $1 THEN excluded.position ELSE accounts.position END, im = excluded.im,
                    sender = excluded.sender, is_default = excluded.is_default, online = excluded.online,
                    sendable = excluded.sendable, checked_at = excluded.checked_at,
                    last_error = excluded.last_error, cooldown_until = excluded.cooldown_until,
                    failures = excluded.failures",
        );
        let record = record
            .bind(self.all)
            .bind(&ids)
            .bind(accounts.iter().map(|account| &*account.im).collect::<Vec<_>>())
            .bind(accounts.iter().map(|account| &*account.sender).collect::<Vec<_>>())
            .bind(accounts.iter().map(|account| account.is_default).collect::<Vec<_>>())
            .bind(health.online)
            .bind(health.sendable)
            .bind(health.checked_at)
            .bind(health.last_error)
            .bind(health.cooldown_until)
            .bind(health.failures);
        done(&mut *conn, record).await?;
        if self.all {
            done(conn, sqlx::query("DELETE FROM accounts WHERE id <> ALL ($1)").bind(&ids)).await?;
        }
        Ok(())
    }
}

/// Health by columns, as statements over several rows take it.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<&'a str>,
    online: Vec<Option<bool>>,
    sendable: Vec<Option<bool>>,
    checked_at: Vec<Option<At>>,
    last_error: Vec<Option<String>>,
    cooldown_until: Vec<Option<At>>,
    failures: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(all: impl Iterator<Item = (&'a str, &'a Health)>) -> Columns<'a> {
        let mut columns = Columns::default();
        for (id, health) in all {
            columns.ids.push(id);
            columns.online.push(health.online);
            columns.sendable.push(health.sendable);
            columns.checked_at.push(health.checked_at.map(At::from));
            columns.last_error.push(health.last_error.as_deref().map(|error| plain(error).into_owned()));
            columns.cooldown_until.push(health.cooldown_until.map(At::from));
            columns.failures.push(health.failures.into());
        }
        columns
    }
}

/// Writes what attempts told of accounts that have a row. Each is in it once.
pub(super) async fn record_health(conn: &mut PgConnection, health: BTreeMap<&str, &Health>) -> Result<()> {
    if health.is_empty() {
        return Ok(());
    }
    let health = Columns::of(health.into_iter());
    let record = sqlx::query(
        "UPDATE accounts AS a
            SET online = n.online, sendable = n.sendable, checked_at = n.checked_at, last_error = n.last_error,
                cooldown_until = n.cooldown_until, failures = n.failures
           FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::timestamptz[], $5::text[], $6::timestamptz[],
                       $7::bigint[])
             AS n (id, online, sendable, checked_at, last_error, cooldown_until, failures)
          WHERE a.id = n.id",
    );
    let record = record.bind(health.ids).bind(health.online).bind(health.sendable).bind(health.checked_at);
    done(conn, record.bind(health.last_error).bind(health.cooldown_until).bind(health.failures)).await?;
    Ok(())
}

pub(super) async fn accounts(conn: &mut PgConnection) -> Result<Vec<AccountRow>> {
    let ask = sqlx::query(
        "SELECT id, im, sender, is_default, online, sendable, checked_at, last_error, cooldown_until, failures
           FROM accounts ORDER BY position, id",
    );
    all(conn, ask).await?.iter().map(account).collect()
}

fn account(row: &PgRow) -> Result<AccountRow> {
    let health = Health {
        online: row.try_get(4)?,
        sendable: row.try_get(5)?,
        checked_at: maybe_instant(row, 6)?,
        last_error: row.try_get(7)?,
        rest_until: None,
        cooldown_until: maybe_instant(row, 8)?,
        failures: row.try_get::<i64, _>(9)?.try_into().unwrap_or(u32::MAX),
    };
    let (id, im, sender) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(AccountRow { id, im, sender, is_default: row.try_get(3)?, health })
}
