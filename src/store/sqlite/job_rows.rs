//! Rows of `jobs`, read: for the scheduler, and for a fire that is recorded.

use rusqlite::{CachedStatement, Connection, Row, params};

use super::calendars;
use super::cells::{At, instant, maybe_instant, number, text};
use super::fault::{Fault, Result};
use super::made_ahead::made_ahead;
use crate::domain::{Job, UtcMs};
use crate::store::error::no_job;
use crate::store::model::{Definition, MadeAhead, StoredJob};
use crate::store::stored::{JobCells, share_zone, source};

pub(super) fn jobs(conn: &Connection) -> Result<Vec<StoredJob>> {
    let mut statement = conn.prepare(
        "SELECT name, definition, timezone, enabled, paused_at IS NOT NULL, next_due_at, definition_hash, revision,
                loaded_at, source, iif(fires_left = 0, ended_at, NULL)
           FROM jobs WHERE removed_at IS NULL ORDER BY name",
    )?;
    let job = |row: &Row<'_>| match stored_job(row) {
        Err(Fault::Row(problem)) => Ok(cells(row)?.unreadable(&problem)),
        told => told,
    };
    let mut jobs = Vec::new();
    for job in statement.query_and_then([], job)? {
        jobs.push(job?);
        share_zone(&mut jobs);
    }
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut()))?;
    for (name, due_at, recorded_at) in made_ahead(conn)? {
        if let Ok(index) = jobs.binary_search_by(|job| job.name.cmp(&name)) {
            jobs[index].made_ahead = Some(MadeAhead { due_at, recorded_at });
        }
    }
    Ok(jobs)
}

fn cells<'row>(row: &'row Row<'_>) -> Result<JobCells<'row>> {
    Ok(JobCells {
        name: row.get(0)?,
        definition: text(row, 1)?,
        timezone: row.get(2)?,
        enabled: row.get(3)?,
        paused: row.get(4)?,
        next_due_at: maybe_instant(row, 5)?,
        definition_hash: row.get(6)?,
        revision: row.get(7)?,
        loaded_at: instant(row, 8)?,
        source: source(text(row, 9)?),
        spent_at: maybe_instant(row, 10)?,
    })
}

/// A job whose lists of days are still to be filled in.
pub(super) fn stored_job(row: &Row<'_>) -> Result<StoredJob> {
    Ok(cells(row)?.stored()?)
}

/// A job that is not removed, with its messages.
pub(super) fn definition(conn: &Connection, name: &str) -> Result<Definition> {
    let mut statement =
        conn.prepare("SELECT definition, revision, source FROM jobs WHERE name = ?1 AND removed_at IS NULL")?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Err(no_job(name).into()) };
    let mut job: Job = serde_json::from_str(text(row, 0)?)?;
    calendars::fill(conn, job.days.as_deref_mut().into_iter())?;
    Ok(Definition { job, revision: row.get(1)?, source: source(text(row, 2)?) })
}

/// The jobs that verbs made and that are neither removed nor at their end, by name.
pub(super) fn verb_jobs(conn: &Connection) -> Result<Vec<Job>> {
    let mut statement = conn.prepare(
        "SELECT definition FROM jobs
          WHERE source = 'verb' AND removed_at IS NULL AND ended_at IS NULL ORDER BY name",
    )?;
    let jobs = statement.query_and_then([], |row| Ok(serde_json::from_str(text(row, 0)?)?))?;
    let mut jobs = jobs.collect::<Result<Vec<Job>>>()?;
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut()))?;
    Ok(jobs)
}

/// The jobs that fire by themselves and whose next instant comes first, and those of which a fire to come is recorded already.
pub(super) fn soonest_jobs(conn: &Connection, limit: u64, now: UtcMs) -> Result<Vec<Job>> {
    let mut statement = conn.prepare(
        "SELECT definition FROM jobs
          WHERE removed_at IS NULL
            AND (name IN (SELECT name FROM jobs WHERE removed_at IS NULL AND enabled AND next_due_at IS NOT NULL
                           ORDER BY next_due_at, name LIMIT ?1)
                 OR name IN (SELECT job FROM fires WHERE due_at > ?2))
          ORDER BY next_due_at, name",
    )?;
    let jobs = statement.query_and_then(params![number(limit), At::from(now)], |row| Ok(text(row, 0)?.to_owned()))?;
    // One that cannot be read has no instants that anybody could tell.
    let jobs = jobs.collect::<Result<Vec<String>>>()?;
    let mut jobs: Vec<Job> = jobs.iter().filter_map(|job| serde_json::from_str(job).ok()).collect();
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut()))?;
    Ok(jobs)
}

/// What verbs change of jobs while a daemon runs: which are paused, and which revision holds of those that verbs make.
pub(super) fn changed_by_verbs(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare(
        "SELECT name || iif(paused_at IS NOT NULL, ' paused', '') || iif(source = 'verb', ' ' || revision, '')
           FROM jobs WHERE removed_at IS NULL AND (paused_at IS NOT NULL OR source = 'verb') ORDER BY name",
    )?;
    let standing = statement.query_map([], |row| row.get(0))?;
    Ok(standing.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn counted_fires(conn: &Connection) -> Result<Vec<(String, u64)>> {
    let mut statement = conn
        .prepare("SELECT name, counted FROM jobs WHERE fires_left IS NOT NULL AND removed_at IS NULL ORDER BY name")?;
    let counted = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let counted = counted.map(|row| row.map(|(name, count)| (name, u64::try_from(count).unwrap_or(0))));
    Ok(counted.collect::<rusqlite::Result<_>>()?)
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
    pub ended_at: Option<UtcMs>,
    pub definition: String,
    /// So many fires it may have yet; None: for ever.
    pub fires_left: Option<u64>,
}

/// Finds jobs that are not removed.
pub(super) struct FindJob<'conn>(CachedStatement<'conn>);

impl<'conn> FindJob<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(FindJob(conn.prepare_cached(
            "SELECT rowid, revision, paused_at, next_due_at, ended_at, definition, fires_left
               FROM jobs WHERE name = ?1 AND removed_at IS NULL",
        )?))
    }

    pub(super) fn job(&mut self, name: &str) -> Result<Option<JobRow>> {
        let mut rows = self.0.query([name])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(JobRow {
            rowid: row.get(0)?,
            revision: row.get(1)?,
            paused_at: maybe_instant(row, 2)?,
            next_due_at: maybe_instant(row, 3)?,
            ended_at: maybe_instant(row, 4)?,
            definition: row.get(5)?,
            fires_left: row.get::<_, Option<i64>>(6)?.map(|left| u64::try_from(left).unwrap_or(0)),
        }))
    }
}
