//! Taking back what was recorded ahead of its instant.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::calendars;
use super::cells::{At, instant, text};
use super::fault::Result;
use super::gone::{Why, delete_fires};
use super::job_rows::stored_job;
use super::watch::NoteWatch;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::model::Unwatched;

/// The definition of a job that holds now answers for all that comes after an instant, though earlier ones may have
/// held then when the clock showed it before.
pub(super) fn answer_after(conn: &Connection, job: &str, instant: UtcMs) -> Result<()> {
    conn.prepare_cached("UPDATE jobs SET loaded_at = ?2 WHERE name = ?1 AND loaded_at > ?2")?
        .execute(params![job, At::from(instant)])?;
    end_revisions(conn, &[job], instant)
}

/// No earlier revision of these jobs answers for what comes after an instant, though it held then when the clock showed
/// that time before.
pub(super) fn end_revisions(conn: &Connection, jobs: &[&str], instant: UtcMs) -> Result<()> {
    conn.prepare_cached(
        "UPDATE job_revisions SET until_at = ?2
          WHERE job IN (SELECT value FROM jsonb_each(?1)) AND until_at > ?2",
    )?
    .execute(params![serde_json::to_string(jobs)?, At::from(instant)])?;
    Ok(())
}

pub(super) struct Withdrawn {
    pub fires: u64,
    pub pushes: Vec<i64>,
}

/// Takes back what some jobs called for after `now`.
pub(super) fn withdraw_of(conn: &Connection, jobs: &[&str], now: UtcMs) -> Result<Withdrawn> {
    let ids = conn.query_row(
        "SELECT json_group_array(f.id)
           FROM jsonb_each(?1) AS j
          CROSS JOIN fires AS f ON f.job = j.value AND f.due_at > ?2
          WHERE f.triggered_by = 'cron' AND f.recorded_at < f.due_at
            AND NOT EXISTS (SELECT 1 FROM pushes AS p
                             WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))",
        params![serde_json::to_string(jobs)?, At::from(now)],
        |row| row.get(0),
    )?;
    withdraw(conn, ids, now)
}

/// Jobs that come back after they were removed under a clock that was put back since: what of them had not fired after
/// `now` is decided anew, as it was for the others when that was noticed. Returns those whose places lie before
/// `now` with it, since a row reached over it that stood for many instants.
pub(super) fn reopen(conn: &Connection, jobs: &[&str], now: UtcMs) -> Result<Vec<(Arc<str>, UtcMs)>> {
    let jobs = serde_json::to_string(jobs)?;
    withdraw(conn, undecided(conn, now, Some(&jobs))?, now)?;
    let mut statement = conn.prepare_cached(
        "SELECT name, next_due_at FROM jobs
          WHERE name IN (SELECT value FROM jsonb_each(?1)) AND next_due_at <= ?2 ORDER BY name",
    )?;
    statement.query_and_then(params![jobs, At::from(now)], |row| Ok((row.get(0)?, instant(row, 1)?)))?.collect()
}

pub(super) struct WithdrawAhead {
    pub now: UtcMs,
}

impl Write for WithdrawAhead {
    type Answer = u64;

    fn run(&mut self, conn: &Connection) -> Result<u64> {
        NoteWatch { now: self.now }.run(conn)?;
        let ids = undecided(conn, self.now, None)?;
        Ok(withdraw(conn, ids, self.now)?.fires)
    }
}

/// What is still to come after `now`, and did not fire, of some jobs or of all that are not removed: as a JSON list.
fn undecided(conn: &Connection, now: UtcMs, jobs: Option<&str>) -> Result<String> {
    // A push that was looked at has been promised to people: its fire is never taken back, or an id that history and
    // alarms have shown would vanish with the next restart.
    // What was restored may have been sent by the database that was lost, and stays missed. A gap that has begun
    // is taken back only where it can be decided anew from there: by the schedule that it was decided by.
    let ids = conn.query_row(
        "SELECT json_group_array(id)
               FROM (SELECT f.id
                       FROM fires AS f INDEXED BY fires_due
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at > ?1 AND f.triggered_by = 'cron'
                        AND (?2 IS NULL OR f.job IN (SELECT value FROM jsonb_each(?2)))
                        AND (f.recorded_at < f.due_at OR f.decision <> 'fired' AND f.reason <> 'restored')
                        AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                         WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))
                     UNION ALL
                     SELECT f.id
                       FROM fires AS f INDEXED BY fires_spans
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.until_at > ?1 AND f.until_at IS NOT NULL AND f.due_at <= ?1 AND f.reason <> 'restored'
                        AND (?2 IS NULL OR f.job IN (SELECT value FROM jsonb_each(?2)))
                        AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                         WHERE r.job = f.job AND r.revision >= f.revision
                                           AND (r.timezone <> j.timezone
                                                OR r.definition -> '$.schedule' <> j.definition -> '$.schedule'
                                                OR r.definition -> '$.dst_gap' IS NOT j.definition -> '$.dst_gap'
                                                OR r.definition -> '$.days' IS NOT j.definition -> '$.days')))",
        params![At::from(now), jobs],
        |row| row.get(0),
    )?;
    Ok(ids)
}

/// Deletes fires of which nothing was begun, since they are still to come after `now`, and sets their jobs' places back to
/// the first of them. `ids` is a JSON list.
fn withdraw(conn: &Connection, ids: String, now: UtcMs) -> Result<Withdrawn> {
    if ids == "[]" {
        return Ok(Withdrawn { fires: 0, pushes: Vec::new() });
    }
    let pushes = conn
        .prepare("SELECT p.id FROM jsonb_each(?1) AS f CROSS JOIN pushes AS p ON p.fire_id = f.value ORDER BY p.id")?
        .query_map([&ids], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut places = conn.prepare(
        "SELECT f.job, min(f.due_at)
           FROM jsonb_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value
          GROUP BY f.job",
    )?;
    let mut places = places.query([&ids])?;
    while let Some(row) = places.next()? {
        let (job, place) = (text(row, 0)?, instant(row, 1)?);
        conn.prepare_cached(
            "UPDATE jobs SET next_due_at = ?2, ended_at = NULL
              WHERE name = ?1 AND (next_due_at IS NULL OR next_due_at > ?2)",
        )?
        .execute(params![job, At::from(place)])?;
        answer_after(conn, job, place - Duration::from_millis(1))?;
    }
    let gone = delete_fires(conn, &ids, Why::Withdrawn { after: now })?;
    Ok(Withdrawn { fires: gone.fires, pushes })
}

/// By the open pushes, which are few beside the fires of a long history.
pub(super) fn unwatched(conn: &Connection, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>> {
    let mut statement = conn.prepare(
        "SELECT j.name, j.definition, j.timezone, j.enabled, j.paused_at IS NOT NULL, j.next_due_at, j.definition_hash,
                j.revision, j.loaded_at, j.source, p.id, f.due_at
           FROM pushes AS p INDEXED BY pushes_open
           JOIN fires AS f ON f.id = p.fire_id
           JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
          WHERE p.finished_at IS NULL AND p.state = 'pending' AND p.reason IS NULL
            AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at AND f.due_at <= ?2
            AND (?1 IS NULL OR f.due_at > ?1)
            AND NOT EXISTS (SELECT 1 FROM pushes AS s
                             WHERE s.fire_id = f.id AND (s.state <> 'pending' OR s.reason IS NOT NULL))
          ORDER BY p.id",
    )?;
    let rows = statement.query_and_then(params![after.map(At::from), At::from(until)], |row| {
        Ok(Unwatched { job: stored_job(row)?, push_id: row.get(10)?, due_at: instant(row, 11)? })
    })?;
    let mut unwatched = rows.collect::<Result<Vec<_>>>()?;
    calendars::fill(conn, unwatched.iter_mut().filter_map(|push| push.job.days.as_deref_mut()))?;
    Ok(unwatched)
}
