//! What fired and has no row any more: it must not fire again where the clock is put back to before its instant.
//!
//! Rows go in the order of their instants, so that what fired of a job lies in stretches, one as a rule. What did not fire
//! ends a stretch: under a clock that stood ahead much is missed that is still to come when the clock is set. So does a day
//! of which there was no row, where the job left days out: by other lists it may be called for.

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cells::{At, instant, instant_of_meta, text, zone};
use super::fault::Result;
use crate::domain::UtcMs;

/// So many stretches of a job are kept, the latest: the others lie further back than clocks are put.
const STRETCHES: i64 = 8;

/// What a schedule's instants depend on, as one text; of a row of `jobs` or `job_revisions` named `d`.
macro_rules! schedule {
    () => {
        "json_array(d.definition -> '$.schedule', d.timezone, d.definition -> '$.dst_gap')"
    };
}

/// Rows in a row of one job, one revision and one fate.
struct Stretch {
    job: String,
    revision: u32,
    fired: bool,
    from: UtcMs,
    until: UtcMs,
    /// None where nobody knows any more.
    said: Option<Said>,
}

/// What a job said when it fired.
struct Said {
    schedule: String,
    /// Its zone, where it left days out or had an end: of a day between two that fired nothing is known then.
    by_days: Option<TimeZone>,
}

impl Said {
    fn of(conn: &Connection, job: &str, revision: u32) -> Result<Option<Said>> {
        let mut statement = conn.prepare_cached(concat!(
            "SELECT ",
            schedule!(),
            ", d.timezone, coalesce(d.definition ->> '$.days', d.definition ->> '$.life') IS NOT NULL
               FROM (SELECT definition, timezone FROM job_revisions WHERE job = ?1 AND revision = ?2
                     UNION ALL
                     SELECT definition, timezone FROM jobs WHERE name = ?1 AND revision = ?2) AS d LIMIT 1"
        ))?;
        let said = |row: &Row<'_>| {
            let (name, by_days): (String, bool) = (row.get(1)?, row.get(2)?);
            Ok(Said { schedule: row.get(0)?, by_days: by_days.then(|| zone(&name)) })
        };
        Ok(statement.query_row(params![job, revision], said).optional()?)
    }

    /// Whether all that the schedule calls for between two instants that fired has fired, as far as the days go.
    fn leaves_no_day_out(&self, from: UtcMs, until: UtcMs) -> bool {
        let Some(zone) = &self.by_days else { return true };
        let day = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).date();
        day(from).tomorrow().is_ok_and(|next| day(until) <= next)
    }
}

/// Remembers of these fires, which are about to be pruned, those that fired. `ids` is a JSON list.
pub(super) fn remember(conn: &Connection, ids: &str) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT f.job, f.revision, f.decision = 'fired', f.due_at
           FROM json_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value
          WHERE f.triggered_by = 'cron'
          ORDER BY f.job, f.due_at",
    )?;
    let mut rows = statement.query([ids])?;
    let mut stretch: Option<Stretch> = None;
    while let Some(row) = rows.next()? {
        let (job, revision, fired, at) = (text(row, 0)?, row.get(1)?, row.get(2)?, instant(row, 3)?);
        match &mut stretch {
            Some(open)
                if open.job == job
                    && open.revision == revision
                    && open.fired == fired
                    && open.said.as_ref().is_none_or(|said| said.leaves_no_day_out(open.until, at)) =>
            {
                open.until = at;
            }
            _ => {
                let said = if fired { Said::of(conn, job, revision)? } else { None };
                let next = Stretch { job: job.to_owned(), revision, fired, from: at, until: at, said };
                stretch.replace(next).map_or(Ok(()), |ended| ended.keep(conn))?;
            }
        }
    }
    stretch.map_or(Ok(()), |last| last.keep(conn))
}

impl Stretch {
    fn keep(&self, conn: &Connection) -> Result<()> {
        if !self.fired {
            conn.prepare_cached("UPDATE pruned_fires SET goes_on = 0 WHERE job = ?1 AND goes_on = 1")?
                .execute([&self.job])?;
            return Ok(());
        }
        let Some(said) = &self.said else { return Ok(()) };
        let (from, until) = (At::from(self.from), At::from(self.until));
        if self.goes_on_with(conn, said)? {
            return Ok(());
        }
        // What waited longer than later ones is a stretch by itself.
        conn.prepare_cached("UPDATE pruned_fires SET goes_on = 0 WHERE job = ?1 AND goes_on = 1 AND until_at < ?2")?
            .execute(params![self.job, from])?;
        conn.prepare_cached(
            "INSERT INTO pruned_fires
             SELECT ?1, ?2, ?3, ?4, NOT EXISTS (SELECT 1 FROM pruned_fires WHERE job = ?1 AND goes_on = 1) WHERE true
             ON CONFLICT (job, from_at) DO UPDATE SET schedule = excluded.schedule, until_at = excluded.until_at",
        )?
        .execute(params![self.job, said.schedule, from, until])?;
        conn.prepare_cached(
            "DELETE FROM pruned_fires
              WHERE job = ?1 AND from_at <= (SELECT from_at FROM pruned_fires WHERE job = ?1
                                              ORDER BY from_at DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![self.job, STRETCHES])?;
        Ok(())
    }

    /// Takes it into the stretch of which nothing was deleted after it that had not fired, if it is one with that.
    fn goes_on_with(&self, conn: &Connection, said: &Said) -> Result<bool> {
        let mut statement = conn.prepare_cached(
            "SELECT until_at FROM pruned_fires WHERE job = ?1 AND goes_on = 1 AND schedule = ?2 AND until_at < ?3",
        )?;
        let open = statement
            .query_row(params![self.job, said.schedule, At::from(self.from)], |row| Ok(instant(row, 0)))
            .optional()?;
        let Some(before) = open.transpose()? else { return Ok(false) };
        if !said.leaves_no_day_out(before, self.from) {
            return Ok(false);
        }
        conn.prepare_cached("UPDATE pruned_fires SET until_at = ?2 WHERE job = ?1 AND goes_on = 1")?
            .execute(params![self.job, At::from(self.until)])?;
        Ok(true)
    }
}

/// The last instant of which pruning has taken a row, of whatever job.
pub(super) fn pruned_until(conn: &Connection) -> Result<Option<UtcMs>> {
    instant_of_meta(conn, "pruned_until")
}

/// Whether an instant of a job has fired, by the schedule that the job has now, and lost its row to pruning since.
pub(super) fn has_fired(conn: &Connection, job: &str, at: UtcMs) -> Result<bool> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT EXISTS (SELECT 1
                          FROM pruned_fires AS p JOIN jobs AS d ON d.name = p.job
                         WHERE p.job = ?1 AND ?2 BETWEEN p.from_at AND p.until_at AND p.schedule = ",
        schedule!(),
        ")"
    ))?;
    Ok(statement.query_row(params![job, At::from(at)], |row| row.get(0))?)
}
