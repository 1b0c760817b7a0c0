//! Definitions: what the files said, revision by revision, and pauses.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::fault::Result;
use super::fires;
use super::pushes;
use super::writer::Write;
use crate::domain::job::DstGap;
use crate::domain::{Misfire, Overlap, Schedule, UtcMs};
use crate::store::{Applied, JobChange, StoreError, StoredJob};

/// Rows that cross to us, or to SQLite, in one piece of JSON: enough to make statements cheap, few enough to keep
/// 100,000 definitions from standing in memory at once.
const PIECE: usize = 1000;

pub(super) async fn jobs(conn: &mut SqliteConnection) -> Result<Vec<StoredJob>> {
    #[derive(Deserialize)]
    struct Row {
        name: Arc<str>,
        schedule: Schedule,
        timezone: String,
        dst_gap: Option<DstGap>,
        enabled: u8,
        paused: u8,
        misfire: Misfire,
        overlap: Overlap,
        next_due_at: Option<UtcMs>,
        definition_hash: i64,
        revision: u32,
        loaded_at: UtcMs,
    }
    let mut jobs: Vec<StoredJob> = Vec::new();
    loop {
        let rows: String = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                      name, definition -> 'schedule', timezone, definition ->> 'dst_gap', enabled,
                      paused_at IS NOT NULL, definition -> 'misfire', definition ->> 'overlap', next_due_at,
                      definition_hash, revision, loaded_at))
               FROM (SELECT * FROM jobs WHERE name > ?1 AND removed_at IS NULL ORDER BY name LIMIT ?2)",
        )
        .bind(jobs.last().map_or("", |job| &job.name))
        .bind(PIECE as i64)
        .fetch_one(&mut *conn)
        .await?;
        let rows: Vec<Row> = serde_json::from_str(&rows)?;
        let last = rows.len() < PIECE;
        jobs.extend(rows.into_iter().map(|row| StoredJob {
            name: row.name,
            schedule: row.schedule,
            timezone: row.timezone,
            dst_gap: row.dst_gap.unwrap_or_default(),
            enabled: row.enabled == 1,
            paused: row.paused == 1,
            misfire: row.misfire,
            overlap: row.overlap,
            next_due_at: row.next_due_at,
            definition_hash: row.definition_hash,
            revision: row.revision,
            loaded_at: row.loaded_at,
        }));
        if last {
            return Ok(jobs);
        }
    }
}

pub(super) async fn paused_jobs(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT name FROM jobs WHERE paused_at IS NOT NULL AND removed_at IS NULL ORDER BY name")
        .fetch_all(conn)
        .await?)
}

pub(super) struct ApplyJobs {
    pub changes: Vec<JobChange>,
    pub removed: Vec<Arc<str>>,
    pub now: UtcMs,
}

#[async_trait]
impl Write for ApplyJobs {
    type Answer = Applied;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<Applied> {
        let mut applied = Applied::default();
        for changes in self.changes.chunks(PIECE) {
            let names: Vec<&str> = changes.iter().map(|change| change.job.name.as_str()).collect();
            let changed = retire(conn, &names, self.now, &mut applied).await?;
            applied.changed += changed;
            applied.added += changes.len() as u64 - changed;
            upsert(conn, changes, self.now).await?;
            touch_blobs(conn, &names, self.now).await?;
        }
        for names in self.removed.chunks(PIECE) {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            applied.removed += retire(conn, &names, self.now, &mut applied).await?;
            remove(conn, &names, self.now, &mut applied).await?;
        }
        Ok(applied)
    }
}

/// Ends the revisions that hold and withdraws what they called for after `now`. Returns how many there were.
async fn retire(conn: &mut SqliteConnection, names: &[&str], now: UtcMs, applied: &mut Applied) -> Result<u64> {
    let withdrawn = fires::withdraw_of(conn, names, now).await?;
    applied.withdrawn.extend(withdrawn.pushes);
    touch_blobs(conn, names, now).await?;
    let ended = sqlx::query(
        "INSERT INTO job_revisions (job, revision, schedule, timezone, enabled, definition, from_at, until_at)
         SELECT name, revision, schedule, timezone, enabled, definition, loaded_at, ?2
           FROM jobs
          WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL",
    )
    .bind(serde_json::to_string(names)?)
    .bind(now.to_string())
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

async fn upsert(conn: &mut SqliteConnection, changes: &[JobChange], now: UtcMs) -> Result<()> {
    let rows: Vec<_> = changes
        .iter()
        .map(|JobChange { job, definition_hash, next_due_at, keeps_place }| {
            let (enabled, keeps) = (u8::from(job.enabled), u8::from(*keeps_place));
            (&job.name, job.schedule.describe(), &job.timezone, enabled, next_due_at, job, definition_hash, keeps)
        })
        .collect();
    sqlx::query(
        "INSERT INTO jobs (name, schedule, timezone, enabled, next_due_at, definition, definition_hash, revision,
                           loaded_at)
         SELECT c.value ->> 0, c.value ->> 1, c.value ->> 2, c.value ->> 3,
                iif(c.value ->> 7 AND held.next_due_at < coalesce(c.value ->> 4, '9999'),
                    held.next_due_at, c.value ->> 4),
                c.value -> 5, c.value ->> 6, 1, ?2
           FROM jsonb_each(?1) AS c
           LEFT JOIN jobs AS held ON held.name = c.value ->> 0
          WHERE true
         ON CONFLICT (name) DO UPDATE
            SET schedule = excluded.schedule, timezone = excluded.timezone, enabled = excluded.enabled,
                next_due_at = excluded.next_due_at, definition = excluded.definition,
                definition_hash = excluded.definition_hash, revision = revision + 1,
                loaded_at = excluded.loaded_at, removed_at = NULL",
    )
    .bind(serde_json::to_string(&rows)?)
    .bind(now.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks jobs removed and ends their waiting pushes; a pause ends with the job.
async fn remove(conn: &mut SqliteConnection, names: &[&str], now: UtcMs, applied: &mut Applied) -> Result<()> {
    let names = serde_json::to_string(names)?;
    sqlx::query(
        "UPDATE jobs SET removed_at = ?2, paused_at = NULL, next_due_at = NULL
          WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL",
    )
    .bind(&names)
    .bind(now.to_string())
    .execute(&mut *conn)
    .await?;
    applied.cancelled.extend(pushes::cancel_of_jobs(conn, &names, now).await?);
    Ok(())
}

/// Inline media of these jobs was in use until now, so that pruning spares what their history may still need.
async fn touch_blobs(conn: &mut SqliteConnection, names: &[&str], now: UtcMs) -> Result<()> {
    sqlx::query(
        "UPDATE blobs SET used_at = max(used_at, ?2)
          WHERE sha256 IN (SELECT substr(t.value, 6)
                             FROM jobs AS j, jsonb_tree(j.definition, '$.push') AS t
                            WHERE j.name IN (SELECT value FROM jsonb_each(?1))
                              AND instr(j.definition, '\"blob:') > 0
                              AND t.type = 'text' AND t.value LIKE 'blob:%')",
    )
    .bind(serde_json::to_string(names)?)
    .bind(now.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) struct SetPaused {
    pub job: String,
    pub paused: bool,
    pub now: UtcMs,
}

#[async_trait]
impl Write for SetPaused {
    type Answer = bool;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<bool> {
        let is_paused: Option<bool> =
            sqlx::query_scalar("SELECT paused_at IS NOT NULL FROM jobs WHERE name = ?1 AND removed_at IS NULL")
                .bind(&self.job)
                .fetch_optional(&mut *conn)
                .await?;
        match is_paused {
            None => return Err(no_job(&self.job).into()),
            Some(is_paused) if is_paused == self.paused => return Ok(false),
            Some(_) => {}
        }
        sqlx::query("UPDATE jobs SET paused_at = ?2 WHERE name = ?1")
            .bind(&self.job)
            .bind(self.paused.then(|| self.now.to_string()))
            .execute(&mut *conn)
            .await?;
        fires::withdraw_of(conn, &[&self.job], self.now).await?;
        Ok(true)
    }
}

pub(super) fn no_job(name: &str) -> StoreError {
    StoreError::NotFound(format!("there is no job '{name}'; `pushcron jobs` lists them"))
}
