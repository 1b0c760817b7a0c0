//! What keeps the database small: pruning in steps. Its files are the server's to look after.

use std::path::Path;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, one};
use super::cells::{maybe_instant, number};
use super::fault::Result;
use super::gone::{Gone, Why, delete_fires};
use super::instants::At;
use super::meta::{instant_of, keep_instant};
use super::session::Write;
use super::store::PostgresStore;
use super::{definitions, fold, pruned};
use crate::domain::UtcMs;
use crate::store::error::{StoreError, StoreResult};
use crate::store::model::{DatabaseStats, Pruned};
use crate::store::upkeep::{Breakdown, Upkeep};

#[async_trait]
impl Upkeep for PostgresStore {
    async fn database_stats(&self) -> StoreResult<DatabaseStats> {
        self.ask(|conn| Box::pin(database_stats(conn))).await
    }

    async fn finished_pushes(&self) -> StoreResult<u64> {
        count_finished(self).await
    }

    async fn prune(&self, before: UtcMs, limit: u64) -> StoreResult<Pruned> {
        let fires = self.ask(move |conn| Box::pin(old_fires(conn, before, limit))).await?;
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

    /// The server does that by itself.
    async fn checkpoint(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn backup(&self, _to: &Path, _now: UtcMs) -> StoreResult<()> {
        Err(StoreError::NotAllowed(
            "the database is on a PostgreSQL server: copy it with `pg_dump --format=custom`, and put a copy back with \
             `pg_restore`"
                .to_owned(),
        ))
    }

    fn breakdown(&self) -> Breakdown {
        Box::pin(self.until_broken())
    }

    async fn close(&self) {
        PostgresStore::close(self).await;
    }
}

/// The oldest fires that may go. They are looked for on a session that reads: among the old ones there may be many that wait.
async fn old_fires(conn: &mut PgConnection, before: UtcMs, limit: u64) -> Result<Vec<i64>> {
    // A row that stands for many instants goes when the last of them is old enough.
    let ask = sqlx::query(
        "SELECT f.id
           FROM fires AS f
          WHERE f.due_at < $1 AND coalesce(f.until_at, f.due_at) < $1
            AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.finished_at IS NULL)
          ORDER BY f.due_at
          LIMIT $2",
    );
    all(conn, ask.bind(At::from(before)).bind(number(limit))).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Deletes fires with all that hangs on them, but for those of which a push was retried by hand meanwhile.
struct Prune {
    fires: Vec<i64>,
}

impl Write for Prune {
    type Answer = Pruned;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Pruned> {
        let ask = sqlx::query(
            "SELECT f.id
               FROM fires AS f
              WHERE f.id = ANY($1)
                AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.finished_at IS NULL)",
        );
        let rows = all(conn, ask.bind(&self.fires)).await?;
        let fires = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<i64>>>()?;
        let last = sqlx::query("SELECT max(coalesce(until_at, due_at)) FROM fires WHERE id = ANY($1)").bind(&fires);
        let last = maybe_instant(&one(conn, last).await?, 0)?;
        let before = instant_of(conn, pruned::PRUNED_UNTIL).await?;
        if let Some(until) = last.filter(|last| before.is_none_or(|before| before < *last)) {
            keep_instant(conn, pruned::PRUNED_UNTIL, until).await?;
        }
        pruned::remember(conn, &fires).await?;
        let Gone { fires, pushes } = delete_fires(conn, &fires, Why::Pruned).await?;
        Ok(Pruned { fires, pushes })
    }
}

async fn database_stats(conn: &mut PgConnection) -> Result<DatabaseStats> {
    let ask = sqlx::query(
        "SELECT (SELECT count(*) FROM pushes
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state = 'unknown'),
                pg_database_size(current_database())",
    );
    let row = one(conn, ask).await?;
    let count = |column: usize| -> Result<u64> { Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0)) };
    Ok(DatabaseStats { unknown_pushes: count(0)?, used_bytes: count(1)?, free_bytes: None })
}

/// Fires whose pushes are counted by one question.
const COUNTED: i64 = 50_000;

/// Counted in steps: one question over ten million rows would take longer than a question may.
async fn count_finished(store: &PostgresStore) -> StoreResult<u64> {
    let (first, last, open) = store.ask(|conn| Box::pin(what_to_count(conn))).await?;
    let (Some(mut from), Some(last)) = (first, last) else { return Ok(0) };
    let mut all: i64 = 0;
    while from <= last {
        let until = from.saturating_add(COUNTED);
        all += store.ask(move |conn| Box::pin(pushes_of(conn, from, until))).await?;
        from = until;
    }
    Ok(u64::try_from(all - open).unwrap_or(0))
}

/// The first and the last fire that has pushes, and how many pushes are open.
async fn what_to_count(conn: &mut PgConnection) -> Result<(Option<i64>, Option<i64>, i64)> {
    let ask = sqlx::query(
        "SELECT (SELECT min(fire_id) FROM pushes), (SELECT max(fire_id) FROM pushes),
                (SELECT count(*) FROM pushes WHERE finished_at IS NULL)",
    );
    let row = one(conn, ask).await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

async fn pushes_of(conn: &mut PgConnection, from: i64, until: i64) -> Result<i64> {
    let ask = sqlx::query("SELECT count(*) FROM pushes WHERE fire_id >= $1 AND fire_id < $2");
    Ok(one(conn, ask.bind(from).bind(until)).await?.try_get(0)?)
}
