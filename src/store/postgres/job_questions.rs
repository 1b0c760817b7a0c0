//! What is asked of jobs beside their schedules.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, maybe};
use super::calendars;
use super::cells::{json, number, text, whole};
use super::fault::Result;
use super::instants::At;
use crate::domain::{Job, UtcMs};
use crate::store::error::no_job;
use crate::store::model::Definition;
use crate::store::stored::source;

/// A job that is not removed, with its messages.
pub(super) async fn definition(conn: &mut PgConnection, name: &str) -> Result<Definition> {
    let ask = "SELECT definition::text, revision, source FROM jobs WHERE name = $1 AND removed_at IS NULL";
    let Some(row) = maybe(conn, sqlx::query(ask).bind(name)).await? else { return Err(no_job(name).into()) };
    let mut job: Job = json(&row, 0)?;
    calendars::fill(conn, job.days.as_deref_mut().into_iter()).await?;
    Ok(Definition { job, revision: whole(&row, 1)?, source: source(text(&row, 2)?) })
}

/// The jobs that verbs made and that are neither removed nor at their end, by name.
pub(super) async fn verb_jobs(conn: &mut PgConnection) -> Result<Vec<Job>> {
    let ask = "SELECT definition::text FROM jobs
                WHERE source = 'verb' AND removed_at IS NULL AND ended_at IS NULL ORDER BY name";
    let rows = all(conn, sqlx::query(ask)).await?;
    let mut jobs = rows.iter().map(|row| json(row, 0)).collect::<Result<Vec<Job>>>()?;
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut())).await?;
    Ok(jobs)
}

/// The jobs that fire by themselves and whose next instant comes first, and those of which a fire to come is recorded already.
pub(super) async fn soonest_jobs(conn: &mut PgConnection, limit: u64, now: UtcMs) -> Result<Vec<Job>> {
    let ask = sqlx::query(
        "SELECT definition::text FROM jobs
          WHERE removed_at IS NULL
            AND (name IN (SELECT name FROM jobs WHERE removed_at IS NULL AND enabled AND next_due_at IS NOT NULL
                           ORDER BY next_due_at, name LIMIT $1)
                 OR name IN (SELECT job FROM fires WHERE due_at > $2))
          ORDER BY next_due_at NULLS FIRST, name",
    );
    let rows = all(conn, ask.bind(number(limit)).bind(At::from(now))).await?;
    // One that cannot be read has no instants that anybody could tell.
    let mut jobs: Vec<Job> = rows.iter().filter_map(|row| json(row, 0).ok()).collect();
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut())).await?;
    Ok(jobs)
}

/// What verbs change of jobs while a daemon runs: which are paused, and which revision holds of those that verbs make.
pub(super) async fn changed_by_verbs(conn: &mut PgConnection) -> Result<Vec<String>> {
    let ask = "SELECT name || CASE WHEN paused_at IS NOT NULL THEN ' paused' ELSE '' END
                           || CASE WHEN source = 'verb' THEN ' ' || revision ELSE '' END
                 FROM jobs WHERE removed_at IS NULL AND (paused_at IS NOT NULL OR source = 'verb') ORDER BY name";
    texts(conn, ask).await
}

pub(super) async fn counted_fires(conn: &mut PgConnection) -> Result<Vec<(String, u64)>> {
    let ask = "SELECT name, counted FROM jobs WHERE fires_left IS NOT NULL AND removed_at IS NULL ORDER BY name";
    let counted = |row: &PgRow| Ok((row.try_get(0)?, whole(row, 1)?));
    all(conn, sqlx::query(ask)).await?.iter().map(counted).collect()
}

pub(super) async fn paused_jobs(conn: &mut PgConnection) -> Result<Vec<String>> {
    texts(conn, "SELECT name FROM jobs WHERE paused_at IS NOT NULL AND removed_at IS NULL ORDER BY name").await
}

async fn texts(conn: &mut PgConnection, ask: &'static str) -> Result<Vec<String>> {
    all(conn, sqlx::query(ask)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
