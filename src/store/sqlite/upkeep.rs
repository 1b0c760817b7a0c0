//! Keeping the file small and copied: pruning in steps, folding the log, backups.

use std::io;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::cells::{At, number};
use super::fault::{Fault, Result, closed};
use super::gone::{Gone, Why, delete_fires};
use super::handle::SqliteStore;
use super::writer::{Request, Write};
use super::{connect, definitions, fold, pruned};
use crate::domain::UtcMs;
use crate::store::error::{StoreError, StoreResult};
use crate::store::model::{DatabaseStats, Pruned};
use crate::store::upkeep::{Breakdown, Upkeep};
use crate::whole_file;

/// Pages given back to the disk with each step of pruning: few enough for some milliseconds.
const PAGES_PER_STEP: i64 = 256;

/// One part in this many of the file may lie free: the next days fill it again, and a file that shrinks and grows
/// every night is moved about for nothing.
const FREE_SHARE: i64 = 4;

#[async_trait]
impl Upkeep for SqliteStore {
    async fn database_stats(&self) -> StoreResult<DatabaseStats> {
        self.read(database_stats).await
    }

    async fn finished_pushes(&self) -> StoreResult<u64> {
        count_finished(self).await
    }

    async fn prune(&self, before: UtcMs, limit: u64) -> StoreResult<Pruned> {
        let fires = self.read(move |conn| old_fires(conn, before, limit)).await?;
        let was_last = (fires.len() as u64) < limit;
        let pruned = self.write(Prune { fires }).await?;
        if was_last {
            definitions::prune(self, before).await?;
            fold::prune(self, before).await?;
        }
        Ok(pruned)
    }

    async fn fold_hours(&self, now: UtcMs) -> StoreResult<bool> {
        fold::next(self, now).await
    }

    async fn checkpoint(&self) -> StoreResult<()> {
        self.write(Checkpoint).await
    }

    async fn backup(&self, to: &Path, now: UtcMs) -> StoreResult<()> {
        let (from, to) = (self.path.clone(), to.to_owned());
        let copied =
            spawn_blocking(move || make_backup(&from, &to, now).map_err(|fault| fault.into_store_error(&from)));
        copied.await.unwrap_or_else(|_| Err(closed()))
    }

    fn breakdown(&self) -> Breakdown {
        Box::pin(self.until_broken())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.look_away();
        let (done, closed) = oneshot::channel();
        if self.enqueue(Request::Close(done)).is_ok() {
            // Either way the writer is gone.
            let _ = closed.await;
        }
    }
}

/// The oldest fires that may go. They are looked for on a connection that reads: among the old ones there may be many
/// that wait.
fn old_fires(conn: &Connection, before: UtcMs, limit: u64) -> Result<Vec<i64>> {
    // A row that stands for many instants goes when the last of them is old enough.
    let mut statement = conn.prepare_cached(
        "SELECT f.id
           FROM fires AS f INDEXED BY fires_due
          WHERE f.due_at < ?1 AND coalesce(f.until_at, f.due_at) < ?1
            AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.finished_at IS NULL)
          ORDER BY f.due_at
          LIMIT ?2",
    )?;
    let fires = statement.query_map(params![At::from(before), number(limit)], |row| row.get(0))?;
    Ok(fires.collect::<rusqlite::Result<_>>()?)
}

/// Deletes fires with all that hangs on them, but for those of which a push was retried by hand meanwhile.
struct Prune {
    fires: Vec<i64>,
}

impl Write for Prune {
    type Answer = Pruned;

    fn run(&mut self, conn: &Connection) -> Result<Pruned> {
        let fires: Vec<i64> = conn
            .prepare_cached(
                "SELECT f.id
                   FROM json_each(?1) AS old
                   JOIN fires AS f ON f.id = old.value
                  WHERE NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.finished_at IS NULL)",
            )?
            .query_map([serde_json::to_string(&self.fires)?], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let fires = serde_json::to_string(&fires)?;
        conn.execute(
            "INSERT INTO meta
             SELECT 'pruned_until', max(coalesce(until_at, due_at))
               FROM fires WHERE id IN (SELECT value FROM json_each(?1))
             HAVING count(*) > 0
             ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
            [&fires],
        )?;
        pruned::remember(conn, &fires)?;
        let Gone { fires, pushes } = delete_fires(conn, &fires, Why::Pruned)?;
        shrink(conn)?;
        Ok(Pruned { fires, pushes })
    }
}

/// Gives some free pages back when there are many.
fn shrink(conn: &Connection) -> Result<()> {
    let (free, all): (i64, i64) =
        conn.query_row("SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count", [], |row| {
            row.try_into()
        })?;
    let pages = (free - all / FREE_SHARE).min(PAGES_PER_STEP);
    if pages > 0 {
        // A pragma takes no bound parameter; this one is a number. Each step gives back one page.
        let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
    }
    Ok(())
}

struct Checkpoint;

impl Write for Checkpoint {
    type Answer = ();
    const IN_TRANSACTION: bool = false;

    /// First without waiting for anybody; the log is cut short only when nobody reads in it any more.
    fn run(&mut self, conn: &Connection) -> Result<()> {
        let (busy, pages, folded): (i64, i64, i64) =
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.try_into())?;
        if busy != 0 || pages != folded || pages == 0 {
            return Ok(());
        }
        conn.busy_timeout(Duration::ZERO)?;
        let cut = conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        conn.busy_timeout(connect::BUSY_TIMEOUT)?;
        Ok(cut?)
    }
}

/// Copies the database as it is at one instant. It runs on a connection of its own, beside all others.
fn make_backup(from: &Path, to: &Path, now: UtcMs) -> Result<()> {
    let failed = |error: std::io::Error| {
        Fault::Verb(StoreError::Open { path: to.display().to_string(), problem: error.to_string() })
    };
    if to.symlink_metadata().is_ok() {
        return Err(failed(io::Error::other("this is there already; name a file that is not there yet")));
    }
    // VACUUM INTO takes an empty file. It gets its name when the copy is whole, however long that takes.
    let file = whole_file::begin(to).map_err(failed)?;
    copy(from, file.path(), now)?;
    whole_file::put_new(file, to, 0o600).map_err(failed)
}

fn copy(from: &Path, to: &Path, now: UtcMs) -> Result<()> {
    connect::copy(from)?.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    connect::copy(to)?.execute("INSERT OR REPLACE INTO meta VALUES ('backup_of', ?1)", [At::from(now)])?;
    Ok(())
}

fn database_stats(conn: &Connection) -> Result<DatabaseStats> {
    let (unknown_pushes, pages, free_pages, page_size): (i64, i64, i64, i64) = conn.query_row(
        "SELECT (SELECT count(*) FROM pushes INDEXED BY pushes_troubled
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state = 'unknown'),
                page_count, freelist_count, page_size
           FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        [],
        |row| row.try_into(),
    )?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(DatabaseStats {
        unknown_pushes: number(unknown_pushes),
        used_bytes: number((pages - free_pages) * page_size),
        free_bytes: Some(number(free_pages * page_size)),
    })
}

/// Fires whose pushes are counted by one question.
const COUNTED: i64 = 50_000;

/// Counted in steps: one question over ten million rows would hold the log open for as long.
async fn count_finished(store: &SqliteStore) -> StoreResult<u64> {
    let (first, last, open): (Option<i64>, Option<i64>, i64) = store
        .read(|conn| {
            // Each by itself, so that either is one step into the index.
            let found = conn.query_row(
                "SELECT (SELECT min(fire_id) FROM pushes), (SELECT max(fire_id) FROM pushes),
                        (SELECT count(*) FROM pushes INDEXED BY pushes_open WHERE finished_at IS NULL)",
                [],
                |row| row.try_into(),
            )?;
            Ok(found)
        })
        .await?;
    let (Some(mut from), Some(last)) = (first, last) else { return Ok(0) };
    let mut all: i64 = 0;
    while from <= last {
        let until = from.saturating_add(COUNTED);
        all += store.read(move |conn| pushes_of(conn, from, until)).await?;
        from = until;
    }
    Ok(u64::try_from(all - open).unwrap_or(0))
}

fn pushes_of(conn: &Connection, from: i64, until: i64) -> Result<i64> {
    let mut statement = conn.prepare_cached("SELECT count(*) FROM pushes WHERE fire_id >= ?1 AND fire_id < ?2")?;
    Ok(statement.query_row([from, until], |row| row.get(0))?)
}
