//! Taking back what was recorded ahead of its instant.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::calendars;
use super::cells::{At, instant, text};
use super::fault::Result;
use super::gone::{Why, delete_fires};
use super::job_rows::stored_job;
use super::watch::NoteWatch;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::model::Unwatched;

/// A job has fired as often as it may, owes no row, and came to its end by the instant `?2`.
macro_rules! spent_by {
    () => {
        "fires_left = 0 AND next_due_at IS NULL AND ended_at <= ?2"
    };
}
pub(super) use spent_by;

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
    let jobs = serde_json::to_string(jobs)?;
    let ahead = || {
        Ok(conn.query_row(
            "SELECT json_group_array(f.id)
               FROM jsonb_each(?1) AS n
              CROSS JOIN jobs AS j ON j.name = n.value
              CROSS JOIN fires AS f ON f.job = j.name AND f.due_at > ?2
              WHERE f.triggered_by = 'cron' AND f.recorded_at < f.due_at
                AND (j.fires_left IS NOT 0 OR f.decision = 'fired')
                AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                 WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))",
            params![jobs, At::from(now)],
            |row| row.get(0),
        )?)
    };
    withdraw_all(conn, ahead, now)
}

/// What did not fire of a job stays as it is while that has fired as often as it may. What is withdrawn may give it a fire
/// back, and then all of it is still to come.
fn withdraw_all(conn: &Connection, ids: impl Fn() -> Result<String>, now: UtcMs) -> Result<Withdrawn> {
    let mut all = Withdrawn { fires: 0, pushes: Vec::new() };
    loop {
        let Withdrawn { fires, pushes } = withdraw(conn, ids()?, now)?;
        all.fires += fires;
        all.pushes.extend(pushes);
        if fires == 0 {
            return Ok(all);
        }
    }
}

/// Jobs that come back after they were removed under a clock that was put back since: what of them had not fired after
/// `now` is decided anew, as it was for the others when that was noticed. Returns those whose places lie before
/// `now` with it, since a row reached over it that stood for many instants.
pub(super) fn reopen(conn: &Connection, jobs: &[&str], now: UtcMs) -> Result<Vec<(Arc<str>, UtcMs)>> {
    let jobs = serde_json::to_string(jobs)?;
    withdraw_all(conn, || undecided(conn, now, Some(&jobs)), now)?;
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
        Ok(withdraw_all(conn, || undecided(conn, self.now, None), self.now)?.fires)
    }
}

/// What is still to come after `now`, and did not fire, of some jobs or of all that are not removed: as a JSON list.
///
/// A source is asked once for a fire, so that a content which was made ahead stays with its pushes. So do pushes that were
/// recorded by a clock which was put back since: it may have shown their instant, and history them, before anybody looked
/// at them. Only behind a fire that is taken back they go too: the place of its job goes back there, and what is decided
/// from there on would pass over them.
fn undecided(conn: &Connection, now: UtcMs, jobs: Option<&str>) -> Result<String> {
    // A push that was looked at has been promised to people: its fire is never taken back, or an id that history and
    // alarms have shown would vanish with the next restart.
    // What was restored may have been sent by the database that was lost, and stays missed. A gap that has begun
    // is taken back only where it can be decided anew from there: by the schedule that it was decided by.
    let mut statement = conn.prepare(
        "SELECT u.id, f.job,
                f.decision = 'fired' AND f.revision = j.revision AND j.enabled AND j.paused_at IS NULL
                AND coalesce((SELECT c.made_at <= ?1 FROM contents AS c WHERE c.fire_id = f.id),
                             f.recorded_at > ?1 AND EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id))
               FROM (SELECT f.id
                       FROM fires AS f INDEXED BY fires_due
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at > ?1 AND f.triggered_by = 'cron'
                        AND (?2 IS NULL OR f.job IN (SELECT value FROM jsonb_each(?2)))
                        AND (f.recorded_at < f.due_at OR f.decision <> 'fired' AND f.reason <> 'restored')
                        AND (j.fires_left IS NOT 0 OR f.decision = 'fired')
                        AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                         WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))
                     UNION ALL
                     SELECT f.id
                       FROM unexpanded_fires AS u
                       CROSS JOIN fires AS f ON f.id = u.fire_id
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at <= ?1 AND f.recorded_at < f.due_at AND f.triggered_by = 'cron'
                        AND (?2 IS NULL OR f.job IN (SELECT value FROM jsonb_each(?2)))
                     UNION ALL
                     SELECT f.id
                       FROM fires AS f INDEXED BY fires_spans
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.until_at > ?1 AND f.until_at IS NOT NULL AND f.due_at <= ?1 AND f.reason <> 'restored'
                        AND j.fires_left IS NOT 0
                        AND (?2 IS NULL OR f.job IN (SELECT value FROM jsonb_each(?2)))
                        AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                         WHERE r.job = f.job AND r.revision >= f.revision
                                           AND (r.timezone <> j.timezone
                                                OR r.definition -> '$.schedule' <> j.definition -> '$.schedule'
                                                OR r.definition -> '$.dst_gap' IS NOT j.definition -> '$.dst_gap'
                                                OR r.definition -> '$.days' IS NOT j.definition -> '$.days'
                                                OR r.definition -> '$.life.from' IS NOT j.definition -> '$.life.from'
                                                OR r.definition -> '$.life.until'
                                                   IS NOT j.definition -> '$.life.until'))) AS u
              CROSS JOIN fires AS f ON f.id = u.id
              CROSS JOIN jobs AS j ON j.name = f.job
              ORDER BY f.job, f.due_at",
    )?;
    let mut rows = statement.query(params![At::from(now), jobs])?;
    let (mut ids, mut taken_back): (Vec<i64>, Option<Arc<str>>) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let is_behind = taken_back.as_deref() == Some(text(row, 1)?);
        if is_behind || !row.get::<_, bool>(2)? {
            ids.push(row.get(0)?);
            if !is_behind {
                taken_back = Some(row.get(1)?);
            }
        }
    }
    Ok(serde_json::to_string(&ids)?)
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
        "SELECT f.job, min(f.due_at), sum(f.decision = 'fired'),
                sum(f.decision = 'fired'
                    AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                     WHERE r.job = f.job AND r.revision >= f.revision
                                       AND (r.timezone <> j.timezone
                                            OR r.definition -> '$.schedule' <> j.definition -> '$.schedule'
                                            OR r.definition -> '$.life.max_fires' IS NULL)))
           FROM jsonb_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value CROSS JOIN jobs AS j ON j.name = f.job
          GROUP BY f.job",
    )?;
    let mut places = places.query([&ids])?;
    while let Some(row) = places.next()? {
        let (job, first) = (text(row, 0)?, instant(row, 1)?);
        let place = ended_before(conn, job, first)?.map_or(first, |end| end + Duration::from_millis(1));
        give_back(conn, job, row.get(2)?, row.get(3)?)?;
        // A job that stays spent keeps its end, and calls for nothing after it.
        conn.prepare_cached(
            "UPDATE jobs SET next_due_at = ?2, ended_at = iif(fires_left = 0, ended_at, NULL)
              WHERE name = ?1 AND (next_due_at IS NULL OR next_due_at > ?2)
                AND (fires_left IS NOT 0 OR ended_at >= ?2)",
        )?
        .execute(params![job, At::from(place)])?;
        answer_after(conn, job, place - Duration::from_millis(1))?;
    }
    let gone = delete_fires(conn, &ids, Why::Withdrawn { after: now })?;
    Ok(Withdrawn { fires: gone.fires, pushes })
}

/// When a job came to its end, if that was before what is taken back of it: the clock was put back in between, and
/// what is taken back would have fired last. All that it called for since its end has no row, so that it goes on there.
fn ended_before(conn: &Connection, job: &str, first: UtcMs) -> Result<Option<UtcMs>> {
    conn.prepare_cached(concat!("SELECT ended_at FROM jobs WHERE name = ?1 AND ", spent_by!()))?
        .query_row(params![job, At::from(first - Duration::from_millis(1))], |row| Ok(instant(row, 0)))
        .optional()?
        .transpose()
}

/// So many fires of a job are taken back, `counted` of them by the schedule that it has now: those it may have again.
fn give_back(conn: &Connection, job: &str, fired: i64, counted: i64) -> Result<()> {
    if fired > 0 {
        conn.prepare_cached(
            "UPDATE jobs
                SET fired = max(0, fired - ?2),
                    counted = max(0, counted - ?3),
                    fires_left = iif(fires_left IS NULL, NULL,
                                     max(0, (definition ->> '$.life.max_fires') - max(0, counted - ?3))),
                    ended_at = iif(fires_left = 0 AND (definition ->> '$.life.max_fires') > max(0, counted - ?3),
                                   NULL, ended_at)
              WHERE name = ?1",
        )?
        .execute(params![job, fired, counted])?;
    }
    Ok(())
}

/// By the open pushes, which are few beside the fires of a long history.
pub(super) fn unwatched(conn: &Connection, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>> {
    let mut statement = conn.prepare(
        "SELECT j.name, j.definition, j.timezone, j.enabled, j.paused_at IS NOT NULL, j.next_due_at, j.definition_hash,
                j.revision, j.loaded_at, j.source, iif(j.fires_left = 0, j.ended_at, NULL), p.id, f.due_at
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
        Ok(Unwatched { job: stored_job(row)?, push_id: row.get(11)?, due_at: instant(row, 12)? })
    })?;
    let mut unwatched = rows.collect::<Result<Vec<_>>>()?;
    calendars::fill(conn, unwatched.iter_mut().filter_map(|push| push.job.days.as_deref_mut()))?;
    Ok(unwatched)
}
