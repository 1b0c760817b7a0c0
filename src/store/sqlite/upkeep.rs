//! Keeping the file small and copied: pruning in steps, folding the log, backups.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use async_trait::async_trait;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::accounts::instant;
use super::connect;
use super::fault::{Fault, Result};
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::{Figures, Pruned, Restored, StoreError};

/// Pages given back to the disk with each step of pruning: few enough for some milliseconds.
const PAGES_PER_STEP: i64 = 256;

/// One part in this many of the file may lie free: the next days fill it again, and a file that shrinks and grows
/// every night is moved about for nothing.
const FREE_SHARE: i64 = 4;

pub(super) struct Prune {
    pub before: UtcMs,
    pub limit: u64,
}

#[async_trait]
impl Write for Prune {
    type Answer = Pruned;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<Pruned> {
        let before = self.before.to_string();
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        // A row that stands for many instants goes when the last of them is old enough.
        let fires: Vec<i64> = sqlx::query_scalar(
            "SELECT f.id
               FROM fires AS f INDEXED BY fires_due
              WHERE f.due_at < ?1 AND coalesce(f.until_at, f.due_at) < ?1
                AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.finished_at IS NULL)
              ORDER BY f.due_at
              LIMIT ?2",
        )
        .bind(&before)
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        let fires = serde_json::to_string(&fires)?;
        sqlx::query(
            "INSERT INTO meta
             SELECT 'pruned_until', max(coalesce(until_at, due_at))
               FROM fires WHERE id IN (SELECT value FROM json_each(?1))
             HAVING count(*) > 0
             ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
        )
        .bind(&fires)
        .execute(&mut *conn)
        .await?;
        // SQLite does not count what a foreign key deletes along.
        let pushes = sqlx::query("DELETE FROM pushes WHERE fire_id IN (SELECT value FROM json_each(?1))")
            .bind(&fires)
            .execute(&mut *conn)
            .await?
            .rows_affected();
        let fires = sqlx::query("DELETE FROM fires WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(&fires)
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if fires < self.limit {
            prune_definitions(conn, &before).await?;
        }
        shrink(conn).await?;
        Ok(Pruned { fires, pushes })
    }
}

/// Gives some free pages back when there are many.
async fn shrink(conn: &mut SqliteConnection) -> Result<()> {
    let (free, all): (i64, i64) =
        sqlx::query_as("SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count")
            .fetch_one(&mut *conn)
            .await?;
    let pages = (free - all / FREE_SHARE).min(PAGES_PER_STEP);
    if pages > 0 {
        // A pragma takes no bound parameter; this one is a number.
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"))).execute(conn).await?;
    }
    Ok(())
}

/// Once the old fires are gone: what only they needed.
async fn prune_definitions(conn: &mut SqliteConnection, before: &str) -> Result<()> {
    for statement in [
        "DELETE FROM job_revisions
          WHERE until_at < ?1
            AND NOT EXISTS (SELECT 1 FROM fires
                             WHERE fires.job = job_revisions.job AND fires.due_at <= job_revisions.until_at)",
        "DELETE FROM jobs
          WHERE removed_at < ?1 AND NOT EXISTS (SELECT 1 FROM fires WHERE fires.job = jobs.name)",
        "DELETE FROM blobs
          WHERE used_at < ?1
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE removed_at IS NULL AND instr(definition, sha256) > 0)
            AND NOT EXISTS (SELECT 1 FROM pushes INDEXED BY pushes_open
                             WHERE finished_at IS NULL AND instr(message, sha256) > 0)",
    ] {
        sqlx::query(statement).bind(before).execute(&mut *conn).await?;
    }
    Ok(())
}

pub(super) struct Checkpoint;

#[async_trait]
impl Write for Checkpoint {
    type Answer = ();
    const IN_TRANSACTION: bool = false;

    /// First without waiting for anybody; the log is cut short only when nobody reads in it any more.
    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let (busy, pages, folded): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *conn).await?;
        if busy == 0 && pages == folded && pages > 0 {
            sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 5000")
                .execute(conn)
                .await?;
        }
        Ok(())
    }
}

pub(super) struct DataVersion;

#[async_trait]
impl Write for DataVersion {
    type Answer = i64;
    const IN_TRANSACTION: bool = false;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<i64> {
        Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(conn).await?)
    }
}

/// Copies the database as it is at one instant. It runs on a connection of its own, beside all others.
pub(super) async fn backup(from: &Path, to: &Path, now: UtcMs) -> Result<()> {
    let failed = |error: std::io::Error| {
        Fault::Verb(StoreError::Open { path: to.display().to_string(), problem: error.to_string() })
    };
    // VACUUM INTO takes an empty file: made by us, so that it has its mode before it has any content.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    let copied = copy(from, to, now).await;
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
        return copied;
    }
    file.sync_all().map_err(failed)
}

async fn copy(from: &Path, to: &Path, now: UtcMs) -> Result<()> {
    let mut conn = connect::reader(from).pragma("query_only", "0").connect().await?;
    sqlx::query("VACUUM INTO ?1").bind(to.to_string_lossy()).execute(&mut conn).await?;
    conn.close().await?;
    let mut copy = connect::copy(to).connect().await?;
    sqlx::query("INSERT OR REPLACE INTO meta VALUES ('backup_of', ?1)")
        .bind(now.to_string())
        .execute(&mut copy)
        .await?;
    copy.close().await?;
    Ok(())
}

pub(super) async fn figures(conn: &mut SqliteConnection) -> Result<Figures> {
    let (unknown_pushes, pages, free_pages, page_size): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM pushes INDEXED BY pushes_troubled
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state = 'unknown'),
                page_count, freelist_count, page_size
           FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    .fetch_one(conn)
    .await?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(Figures {
        unknown_pushes: number(unknown_pushes),
        used_bytes: number((pages - free_pages) * page_size),
        free_bytes: number(free_pages * page_size),
    })
}

pub(super) async fn finished_pushes(conn: &mut SqliteConnection) -> Result<u64> {
    let finished: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM pushes)
              - (SELECT count(*) FROM pushes INDEXED BY pushes_open WHERE finished_at IS NULL)",
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(finished).unwrap_or(0))
}

pub(super) async fn restored(conn: &mut SqliteConnection) -> Result<Option<Restored>> {
    let instants: Option<(String, String)> = sqlx::query_as(
        "SELECT f.value, a.value FROM meta AS f, meta AS a WHERE f.key = 'restored_from' AND a.key = 'restored_at'",
    )
    .fetch_optional(conn)
    .await?;
    instants
        .map(|(taken_at, restored_at)| {
            Ok(Restored { taken_at: instant(taken_at)?, restored_at: instant(restored_at)? })
        })
        .transpose()
}
