//! What fired and has no row any more, kept in stretches ([`crate::store::stretches`]).

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cells::{At, instant, instant_of_meta, text};
use super::fault::Result;
use crate::domain::UtcMs;
use crate::store::stretches::{Leaving, STRETCHES, Said, Stretch, stretches};

/// What a schedule's instants depend on, as one text; of a row of `jobs` or `job_revisions` named `d`.
macro_rules! schedule {
    () => {
        "json_array(d.definition -> '$.schedule', d.timezone, d.definition -> '$.dst_gap')"
    };
}

/// What a job said by a revision.
fn said(conn: &Connection, job: &str, revision: u32) -> Result<Option<Said>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        schedule!(),
        ", d.timezone, coalesce(d.definition ->> '$.days', d.definition ->> '$.life') IS NOT NULL
           FROM (SELECT definition, timezone FROM job_revisions WHERE job = ?1 AND revision = ?2
                 UNION ALL
                 SELECT definition, timezone FROM jobs WHERE name = ?1 AND revision = ?2) AS d LIMIT 1"
    ))?;
    let said = |row: &Row<'_>| {
        let (zone, by_days): (String, bool) = (row.get(1)?, row.get(2)?);
        Ok(Said::new(row.get(0)?, by_days.then_some(&*zone)))
    };
    Ok(statement.query_row(params![job, revision], said).optional()?)
}

/// Remembers of these fires, which are about to be pruned, those that fired. `ids` is a JSON list.
pub(super) fn remember(conn: &Connection, ids: &str) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT f.job, f.revision, f.decision = 'fired', f.due_at
           FROM json_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value
          WHERE f.triggered_by = 'cron'
          ORDER BY f.job, f.due_at",
    )?;
    let leaving = statement.query_and_then([ids], |row| {
        let (job, revision, fired) = (text(row, 0)?.to_owned(), row.get(1)?, row.get(2)?);
        Ok(Leaving { job, revision, fired, at: instant(row, 3)? })
    })?;
    let leaving = leaving.collect::<Result<Vec<_>>>()?;
    for stretch in stretches(leaving, |job, revision| said(conn, job, revision))? {
        keep(conn, &stretch)?;
    }
    Ok(())
}

fn keep(conn: &Connection, stretch: &Stretch) -> Result<()> {
    if !stretch.fired {
        conn.prepare_cached("UPDATE pruned_fires SET goes_on = 0 WHERE job = ?1 AND goes_on = 1")?
            .execute([&stretch.job])?;
        return Ok(());
    }
    let Some(said) = &stretch.said else { return Ok(()) };
    let (from, until) = (At::from(stretch.from), At::from(stretch.until));
    if goes_on(conn, stretch, said)? {
        return Ok(());
    }
    // What waited longer than later ones is a stretch by itself.
    conn.prepare_cached("UPDATE pruned_fires SET goes_on = 0 WHERE job = ?1 AND goes_on = 1 AND until_at < ?2")?
        .execute(params![stretch.job, from])?;
    conn.prepare_cached(
        "INSERT INTO pruned_fires
         SELECT ?1, ?2, ?3, ?4, NOT EXISTS (SELECT 1 FROM pruned_fires WHERE job = ?1 AND goes_on = 1) WHERE true
         ON CONFLICT (job, from_at) DO UPDATE SET schedule = excluded.schedule, until_at = excluded.until_at",
    )?
    .execute(params![stretch.job, said.schedule, from, until])?;
    conn.prepare_cached(
        "DELETE FROM pruned_fires
          WHERE job = ?1 AND from_at <= (SELECT from_at FROM pruned_fires WHERE job = ?1
                                          ORDER BY from_at DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![stretch.job, STRETCHES])?;
    Ok(())
}

/// Takes it into the stretch of which nothing was deleted after it that had not fired, if it is one with that.
fn goes_on(conn: &Connection, stretch: &Stretch, said: &Said) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT until_at FROM pruned_fires WHERE job = ?1 AND goes_on = 1 AND schedule = ?2 AND until_at < ?3",
    )?;
    let open = statement
        .query_row(params![stretch.job, said.schedule, At::from(stretch.from)], |row| Ok(instant(row, 0)))
        .optional()?;
    let Some(before) = open.transpose()? else { return Ok(false) };
    if !said.leaves_no_day_out(before, stretch.from) {
        return Ok(false);
    }
    conn.prepare_cached("UPDATE pruned_fires SET until_at = ?2 WHERE job = ?1 AND goes_on = 1")?
        .execute(params![stretch.job, At::from(stretch.until)])?;
    Ok(true)
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
