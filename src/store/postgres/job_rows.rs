//! Rows of `jobs`, read: for the scheduler, and for a fire that is recorded.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::all;
use super::calendars;
use super::cells::{instant, maybe_instant, text, whole};
use super::fault::{Fault, Result};
use super::made_ahead::made_ahead;
use crate::domain::UtcMs;
use crate::store::model::{MadeAhead, StoredJob};
use crate::store::stored::{JobCells, share_zone, source};

/// What [`stored_job`] reads, from the table by that name.
macro_rules! job_columns_of {
    ($jobs:literal) => {
        concat!(
            $jobs,
            "name, ",
            $jobs,
            "definition::text, ",
            $jobs,
            "timezone, ",
            $jobs,
            "enabled, ",
            $jobs,
            "paused_at IS NOT NULL, ",
            $jobs,
            "next_due_at, ",
            $jobs,
            "definition_hash, ",
            $jobs,
            "revision, ",
            $jobs,
            "loaded_at, ",
            $jobs,
            "source, CASE WHEN ",
            $jobs,
            "fires_left = 0 THEN ",
            $jobs,
            "ended_at END"
        )
    };
}
pub(super) use job_columns_of;

pub(super) async fn jobs(conn: &mut PgConnection) -> Result<Vec<StoredJob>> {
    let ask = sqlx::query(concat!(
        "SELECT ",
        job_columns_of!("j."),
        " FROM jobs AS j WHERE j.removed_at IS NULL ORDER BY j.name"
    ));
    let mut jobs = Vec::new();
    for row in all(conn, ask).await? {
        jobs.push(match stored_job(&row) {
            Err(Fault::Row(problem)) => cells(&row)?.unreadable(&problem),
            told => told?,
        });
        share_zone(&mut jobs);
    }
    calendars::fill(conn, jobs.iter_mut().filter_map(|job| job.days.as_deref_mut())).await?;
    for (name, due_at, recorded_at) in made_ahead(conn).await? {
        if let Ok(index) = jobs.binary_search_by(|job| job.name.cmp(&name)) {
            jobs[index].made_ahead = Some(MadeAhead { due_at, recorded_at });
        }
    }
    Ok(jobs)
}

fn cells(row: &PgRow) -> Result<JobCells<'_>> {
    Ok(JobCells {
        name: text(row, 0)?.into(),
        definition: text(row, 1)?,
        timezone: text(row, 2)?.into(),
        enabled: row.try_get(3)?,
        paused: row.try_get(4)?,
        next_due_at: maybe_instant(row, 5)?,
        definition_hash: row.try_get(6)?,
        revision: whole(row, 7)?,
        loaded_at: instant(row, 8)?,
        source: source(text(row, 9)?),
        spent_at: maybe_instant(row, 10)?,
    })
}

/// A job whose lists of days are still to be filled in.
pub(super) fn stored_job(row: &PgRow) -> Result<StoredJob> {
    Ok(cells(row)?.stored()?)
}

/// What a fire needs of its job.
pub(super) struct JobRow {
    pub revision: u32,
    pub paused_at: Option<UtcMs>,
    pub next_due_at: Option<UtcMs>,
    pub ended_at: Option<UtcMs>,
    pub definition: String,
    /// So many fires it may have yet; None: for ever.
    pub fires_left: Option<u64>,
}

/// Those of these jobs that are there and not removed.
pub(super) async fn find_jobs(conn: &mut PgConnection, names: &[&str]) -> Result<HashMap<String, JobRow>> {
    let ask = sqlx::query(
        "SELECT name, revision, paused_at, next_due_at, ended_at, definition::text, fires_left
           FROM jobs WHERE name = ANY($1) AND removed_at IS NULL",
    );
    let job = |row: &PgRow| {
        let left: Option<i64> = row.try_get(6)?;
        let job = JobRow {
            revision: whole(row, 1)?,
            paused_at: maybe_instant(row, 2)?,
            next_due_at: maybe_instant(row, 3)?,
            ended_at: maybe_instant(row, 4)?,
            definition: row.try_get(5)?,
            fires_left: left.map(|left| u64::try_from(left).unwrap_or(0)),
        };
        Ok((row.try_get(0)?, job))
    };
    all(conn, ask.bind(names)).await?.iter().map(job).collect()
}

pub(super) async fn find_job(conn: &mut PgConnection, name: &str) -> Result<Option<JobRow>> {
    Ok(find_jobs(conn, &[name]).await?.remove(name))
}
