//! Rows of `jobs`, read: for the scheduler, and for a fire that is recorded.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row};
use serde::Deserialize;
use tracing::error;

use super::calendars;
use super::cells::{instant, maybe_instant, text};
use super::fault::{Fault, Result};
use crate::domain::job::DstGap;
use crate::domain::{DayRule, Misfire, Overlap, Schedule, UtcMs};
use crate::store::model::StoredJob;

pub(super) fn jobs(conn: &Connection) -> Result<Vec<StoredJob>> {
    let mut statement = conn.prepare(
        "SELECT name, definition, timezone, enabled, paused_at IS NOT NULL, next_due_at, definition_hash, revision,
                loaded_at
           FROM jobs WHERE removed_at IS NULL ORDER BY name",
    )?;
    let job = |row: &Row<'_>| match stored_job(row) {
        Err(Fault::Row(problem)) => unreadable_job(row, &problem),
        told => told,
    };
    let mut jobs = statement.query_and_then([], job)?.collect::<Result<Vec<_>>>()?;
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut()))?;
    Ok(jobs)
}

/// A job whose definition another release or a hand wrote: it is there, to be replaced or removed by what the files say,
/// and all that is sure of its schedule is the next instant.
fn unreadable_job(row: &Row<'_>, problem: &str) -> Result<StoredJob> {
    let (name, hash): (Arc<str>, i64) = (row.get(0)?, row.get(6)?);
    error!(job = %name, problem, "the definition of a job cannot be read; it fires again once the files are loaded");
    let (next_due_at, loaded_at) = (maybe_instant(row, 5)?, instant(row, 8)?);
    Ok(StoredJob {
        name,
        schedule: Schedule::At(next_due_at.unwrap_or(loaded_at)),
        timezone: "UTC".to_owned(),
        dst_gap: DstGap::default(),
        days: None,
        enabled: row.get(3)?,
        paused: row.get(4)?,
        misfire: Misfire::default(),
        overlap: Overlap::default(),
        next_due_at,
        // That of no definition which could have given this hash.
        definition_hash: !hash,
        revision: row.get(7)?,
        loaded_at,
    })
}

pub(super) fn stored_job(row: &Row<'_>) -> Result<StoredJob> {
    /// A definition without its messages.
    #[derive(Deserialize)]
    struct Definition {
        schedule: Schedule,
        #[serde(default)]
        misfire: Misfire,
        #[serde(default)]
        overlap: Overlap,
        #[serde(default)]
        dst_gap: DstGap,
        #[serde(default)]
        days: Option<Box<DayRule>>,
    }
    let Definition { schedule, misfire, overlap, dst_gap, days } = serde_json::from_str(text(row, 1)?)?;
    Ok(StoredJob {
        name: row.get(0)?,
        schedule,
        timezone: row.get(2)?,
        dst_gap,
        days,
        enabled: row.get(3)?,
        paused: row.get(4)?,
        misfire,
        overlap,
        next_due_at: maybe_instant(row, 5)?,
        definition_hash: row.get(6)?,
        revision: row.get(7)?,
        loaded_at: instant(row, 8)?,
    })
}

pub(super) fn paused_jobs(conn: &Connection) -> Result<Vec<String>> {
    let mut statement =
        conn.prepare("SELECT name FROM jobs WHERE paused_at IS NOT NULL AND removed_at IS NULL ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// What a fire needs of its job.
pub(super) struct JobRow {
    pub rowid: i64,
    pub revision: u32,
    pub paused_at: Option<UtcMs>,
    pub next_due_at: Option<UtcMs>,
    pub definition: String,
}

/// Finds jobs that are not removed.
pub(super) struct FindJob<'conn>(CachedStatement<'conn>);

impl<'conn> FindJob<'conn> {
    pub fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(FindJob(conn.prepare_cached(
            "SELECT rowid, revision, paused_at, next_due_at, definition
               FROM jobs WHERE name = ?1 AND removed_at IS NULL",
        )?))
    }

    pub fn job(&mut self, name: &str) -> Result<Option<JobRow>> {
        let mut rows = self.0.query([name])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(JobRow {
            rowid: row.get(0)?,
            revision: row.get(1)?,
            paused_at: maybe_instant(row, 2)?,
            next_due_at: maybe_instant(row, 3)?,
            definition: row.get(4)?,
        }))
    }
}
