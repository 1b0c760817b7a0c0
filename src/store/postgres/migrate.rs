//! Bringing the schema up to date: each step once, whoever else tries the same.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::address::Address;
use super::connect::{ANSWER, drop_hard, within};
use super::fault::{Fault, Result};
use super::instants::At;
use crate::domain::UtcMs;
use crate::domain::hex::sha256;
use crate::store::access::Access;
use crate::store::error::StoreError;

/// The schema in steps; the version of a database is how many of them it has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_init.sql"),
    include_str!("../../../migrations/postgres/0002_ids.sql"),
    include_str!("../../../migrations/postgres/0003_changes.sql"),
    include_str!("../../../migrations/postgres/0004_failures_in_a_row.sql"),
];

/// `pushcron` in ASCII: who brings the schema up to date holds this lock, and it ends with the transaction.
const LOCK: i64 = 0x7075_7368_6372_6f6e;

/// How often whoever holds the lock is waited for, by the server's `lock_timeout` each time.
const TURNS: usize = 30;

/// A step may rewrite a table.
const LONGEST_STEP: Duration = Duration::from_secs(600);

/// Brings the schema up to date, where `access` lets it.
///
/// # Errors
///
/// Where the database is not ours, of a later release, or was made by other steps than those of this release; or of an earlier one,
/// and is to be read only, or is in use.
pub(super) async fn migrate(
    mut conn: PgConnection,
    address: &Address,
    access: Access,
    now: UtcMs,
) -> std::result::Result<PgConnection, StoreError> {
    for _ in 1..TURNS {
        match in_transaction(&mut conn, address, access, now).await {
            Err(fault) if fault.is_of_others() => roll_back(&mut conn).await,
            done => return finish(conn, done, address).await,
        }
    }
    let done = in_transaction(&mut conn, address, access, now).await;
    finish(conn, done, address).await
}

async fn finish(
    conn: PgConnection,
    done: Result<()>,
    address: &Address,
) -> std::result::Result<PgConnection, StoreError> {
    match done {
        Ok(()) => Ok(conn),
        Err(fault) => {
            drop_hard(conn).await;
            Err(fault.into_store_error(address))
        }
    }
}

async fn roll_back(conn: &mut PgConnection) {
    // Where that fails, so does the next turn.
    let _ = within(ANSWER, sqlx::raw_sql("ROLLBACK").execute(conn)).await;
}

async fn in_transaction(conn: &mut PgConnection, address: &Address, access: Access, now: UtcMs) -> Result<()> {
    within(ANSWER, sqlx::raw_sql("BEGIN").execute(&mut *conn)).await?;
    within(ANSWER, sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *conn)).await?;
    let applied = applied(conn, address).await?;
    if applied < MIGRATIONS.len() {
        may_be_changed(conn, address, access, applied).await?;
        within(ANSWER, sqlx::raw_sql("SET LOCAL statement_timeout = '10min'").execute(&mut *conn)).await?;
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(applied) {
        within(LONGEST_STEP, sqlx::raw_sql(*step).execute(&mut *conn)).await?;
        note(conn, index, step, now).await?;
    }
    within(ANSWER, sqlx::raw_sql("COMMIT").execute(conn)).await?;
    Ok(())
}

/// A verb leaves the schema as it is while daemons go by it; one that only reads leaves it in any case.
async fn may_be_changed(conn: &mut PgConnection, address: &Address, access: Access, applied: usize) -> Result<()> {
    let refuse = |problem: String| Err(Fault::Verb(StoreError::Open { path: address.to_string(), problem }));
    match (access, applied) {
        (Access::Daemon, _) | (Access::Write, 0) => Ok(()),
        (Access::Read, 0) => {
            refuse("it is still empty; `pushcron run` makes it a database, or name another with --db".to_owned())
        }
        (Access::Read, _) => refuse(
            "its schema is from an earlier pushcron; `pushcron run` brings it up to date (restart the daemon, if one \
             runs)"
                .to_owned(),
        ),
        (Access::Write, _) => {
            let live =
                sqlx::query("SELECT id FROM hosts WHERE state = 'live' ORDER BY id LIMIT 1").fetch_optional(conn);
            let Some(row) = within(ANSWER, live).await? else { return Ok(()) };
            let host: String = row.try_get(0)?;
            refuse(format!(
                "its schema is from an earlier pushcron, and the daemon '{host}' goes by it; restart that daemon with this \
                 pushcron, which brings it up to date"
            ))
        }
    }
}

async fn note(conn: &mut PgConnection, index: usize, step: &str, now: UtcMs) -> Result<()> {
    if index == 0 {
        let ours = "CREATE TABLE pushcron_migrations (
                      version    integer PRIMARY KEY,
                      sha256     text NOT NULL,
                      applied_at timestamptz(3) NOT NULL
                    )";
        within(ANSWER, sqlx::raw_sql(ours).execute(&mut *conn)).await?;
        // The stem of every idempotency key: ten digits that no other database has.
        let identity = "INSERT INTO meta VALUES ('database_id', left(replace(gen_random_uuid()::text, '-', ''), 10)),
                                                ('created_at', $1)";
        within(ANSWER, sqlx::query(identity).bind(now.to_string()).execute(&mut *conn)).await?;
    }
    let version = i32::try_from(index + 1).unwrap_or(i32::MAX);
    let applied = sqlx::query("INSERT INTO pushcron_migrations VALUES ($1, $2, $3)");
    within(ANSWER, applied.bind(version).bind(sha256(step.as_bytes())).bind(At::from(now)).execute(conn)).await?;
    Ok(())
}

/// How many steps the database has seen.
async fn applied(conn: &mut PgConnection, address: &Address) -> Result<usize> {
    let refuse = |problem: String| Fault::Verb(StoreError::Open { path: address.to_string(), problem });
    // What an extension brings along is nobody's table.
    let look = "SELECT to_regclass('pushcron_migrations') IS NOT NULL,
                       (SELECT count(*) FROM pg_class AS c
                         WHERE c.relnamespace = current_schema()::regnamespace
                           AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'))";
    let row = within(ANSWER, sqlx::query(look).fetch_one(&mut *conn)).await?;
    let (is_ours, tables): (bool, i64) = (row.try_get(0)?, row.try_get(1)?);
    if !is_ours && tables > 0 {
        return Err(refuse(
            "it has tables of others, and none of pushcron's; give pushcron a database of its own".to_owned(),
        ));
    }
    if !is_ours {
        return Ok(0);
    }
    let rows = sqlx::query("SELECT sha256 FROM pushcron_migrations ORDER BY version").fetch_all(conn);
    let rows = within(ANSWER, rows).await?;
    if rows.len() > MIGRATIONS.len() {
        return Err(refuse(format!(
            "its schema has version {}, this pushcron knows versions up to {}; use the newer pushcron",
            rows.len(),
            MIGRATIONS.len()
        )));
    }
    for (index, (row, step)) in rows.iter().zip(MIGRATIONS).enumerate() {
        if row.try_get::<String, _>(0)? != sha256(step.as_bytes()) {
            let version = index + 1;
            return Err(refuse(format!(
                "version {version} of its schema was not made by this pushcron's step of that number; use the pushcron \
                 that made it"
            )));
        }
    }
    Ok(rows.len())
}
