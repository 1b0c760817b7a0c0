//! Rows of `jobs`, read: for the scheduler, and for a fire that is recorded.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, Row, params};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::error;

use super::calendars;
use super::cells::{At, instant, maybe_instant, number, text};
use super::fault::no_job;
use super::fault::{Fault, Result};
use super::made_ahead::made_ahead;
use crate::domain::job::{DstGap, JobSource, Life};
use crate::domain::{DayRule, Job, Misfire, Overlap, Schedule, UtcMs};
use crate::store::model::{Definition, MadeAhead, StoredJob};

pub(super) fn jobs(conn: &Connection) -> Result<Vec<StoredJob>> {
    let mut statement = conn.prepare(
        "SELECT name, definition, timezone, enabled, paused_at IS NOT NULL, next_due_at, definition_hash, revision,
                loaded_at, source, iif(fires_left = 0, ended_at, NULL)
           FROM jobs WHERE removed_at IS NULL ORDER BY name",
    )?;
    let job = |row: &Row<'_>| match stored_job(row) {
        Err(Fault::Row(problem)) => unreadable_job(row, &problem),
        told => told,
    };
    let mut jobs = Vec::new();
    for job in statement.query_and_then([], job)? {
        let mut job = job?;
        if let Some(before) = jobs.last().filter(|before: &&StoredJob| before.timezone == job.timezone) {
            job.timezone = before.timezone.clone();
        }
        jobs.push(job);
    }
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut()))?;
    for (name, due_at, recorded_at) in made_ahead(conn)? {
        if let Ok(index) = jobs.binary_search_by(|job| job.name.cmp(&name)) {
            jobs[index].made_ahead = Some(MadeAhead { due_at, recorded_at });
        }
    }
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
        timezone: "UTC".into(),
        dst_gap: DstGap::default(),
        days: None,
        enabled: row.get(3)?,
        paused: row.get(4)?,
        misfire: Misfire::default(),
        overlap: Overlap::default(),
        lead: None,
        next_due_at,
        // That of no definition which could have given this hash.
        definition_hash: !hash,
        revision: row.get(7)?,
        loaded_at,
        source: source(row, 9)?,
        life: None,
        spent_at: maybe_instant(row, 10)?,
        made_ahead: None,
    })
}

/// A job whose lists of days are still to be filled in.
pub(super) fn stored_job(row: &Row<'_>) -> Result<StoredJob> {
    /// A definition without its messages.
    #[derive(Deserialize)]
    struct Parts {
        schedule: Schedule,
        #[serde(default)]
        misfire: Misfire,
        #[serde(default)]
        overlap: Overlap,
        #[serde(default)]
        dst_gap: DstGap,
        #[serde(default)]
        days: Option<Box<DayRule>>,
        #[serde(default)]
        life: Option<Box<Life>>,
        content_from: Option<Content>,
        #[serde(default)]
        push: Vec<Push>,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(default)]
        lead_ms: u64,
    }
    #[derive(Deserialize)]
    struct Push {
        list: Option<IgnoredAny>,
    }
    let Parts { schedule, misfire, overlap, dst_gap, days, life, content_from, push } =
        serde_json::from_str(text(row, 1)?)?;
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
        lead: match content_from {
            Some(content) => Some(Duration::from_millis(content.lead_ms)),
            None => push.iter().any(|push| push.list.is_some()).then_some(Duration::ZERO),
        },
        next_due_at: maybe_instant(row, 5)?,
        definition_hash: row.get(6)?,
        revision: row.get(7)?,
        loaded_at: instant(row, 8)?,
        source: source(row, 9)?,
        life,
        spent_at: maybe_instant(row, 10)?,
        made_ahead: None,
    })
}

fn source(row: &Row<'_>, column: usize) -> Result<JobSource> {
    Ok(if text(row, column)? == "verb" { JobSource::Verb } else { JobSource::File })
}

/// A job that is not removed, with its messages.
pub(super) fn definition(conn: &Connection, name: &str) -> Result<Definition> {
    let mut statement =
        conn.prepare("SELECT definition, revision, source FROM jobs WHERE name = ?1 AND removed_at IS NULL")?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Err(no_job(name).into()) };
    let mut job: Job = serde_json::from_str(text(row, 0)?)?;
    calendars::fill(conn, job.days.as_deref_mut().into_iter())?;
    Ok(Definition { job, revision: row.get(1)?, source: source(row, 2)? })
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
