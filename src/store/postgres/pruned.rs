//! What fired and has no row any more, kept in stretches ([`crate::store::stretches`]).

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, done, maybe};
use super::cells::{instant, text, whole};
use super::fault::{Fault, Result};
use super::instants::At;
use super::meta::instant_of;
use crate::domain::UtcMs;
use crate::store::stretches::{Leaving, STRETCHES, Said, Stretch, stretches};

/// What a schedule's instants depend on, as one value, however it was spelt; of a row of `jobs` or `job_revisions` named `d`.
macro_rules! schedule {
    () => {
        "json_build_array(d.definition -> 'schedule', d.timezone, d.definition -> 'dst_gap')::jsonb"
    };
}

/// Under which key the database notes how far pruning has come.
pub(super) const PRUNED_UNTIL: &str = "pruned_until";

/// The last instant of which pruning has taken a row, of whatever job.
pub(super) async fn pruned_until(conn: &mut PgConnection) -> Result<Option<UtcMs>> {
    instant_of(conn, PRUNED_UNTIL).await
}

/// Whether each of these instants, of the job at its place, has fired by the schedule that the job has now, and lost its row to
/// pruning since.
pub(super) async fn fired_of(conn: &mut PgConnection, jobs: &[&str], instants: &[At]) -> Result<Vec<bool>> {
    let ask = sqlx::query(concat!(
        "SELECT EXISTS (SELECT 1
                          FROM pruned_fires AS p JOIN jobs AS d ON d.name = p.job
                         WHERE p.job = q.job AND q.at BETWEEN p.from_at AND p.until_at AND p.schedule::jsonb = ",
        schedule!(),
        ") FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS q (job, at, place) ORDER BY q.place"
    ));
    all(conn, ask.bind(jobs).bind(instants)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Remembers of these fires, which are about to be pruned, those that fired.
pub(super) async fn remember(conn: &mut PgConnection, ids: &[i64]) -> Result<()> {
    let ask = sqlx::query(
        "SELECT job, revision, decision = 'fired', due_at
           FROM fires WHERE id = ANY($1) AND triggered_by = 'cron' ORDER BY job, due_at",
    );
    let leaving = |row: &PgRow| {
        Ok(Leaving { job: row.try_get(0)?, revision: whole(row, 1)?, fired: row.try_get(2)?, at: instant(row, 3)? })
    };
    let leaving = all(conn, ask.bind(ids)).await?.iter().map(leaving).collect::<Result<Vec<_>>>()?;
    let said = said_by(conn, &leaving).await?;
    let stretches = stretches(leaving, |job, revision| Ok::<_, Fault>(said.get(&(job.to_owned(), revision)).cloned()))?;
    for stretch in &stretches {
        keep(conn, stretch).await?;
    }
    Ok(())
}

/// What their jobs said by the revisions of these fires.
async fn said_by(conn: &mut PgConnection, fires: &[Leaving]) -> Result<HashMap<(String, u32), Said>> {
    let mut of: Vec<(&str, i64)> = fires.iter().map(|fire| (&*fire.job, i64::from(fire.revision))).collect();
    of.dedup();
    let (jobs, revisions): (Vec<&str>, Vec<i64>) = of.into_iter().unzip();
    let ask = sqlx::query(concat!(
        "SELECT d.name, d.revision, ",
        schedule!(),
        "::text, d.timezone, coalesce(d.definition ->> 'days', d.definition ->> 'life') IS NOT NULL
           FROM unnest($1::text[], $2::bigint[]) AS q (job, revision)
          CROSS JOIN LATERAL (
            SELECT job AS name, revision, definition, timezone FROM job_revisions
             WHERE job = q.job AND revision = q.revision
             UNION ALL
            SELECT name, revision, definition, timezone FROM jobs WHERE name = q.job AND revision = q.revision) AS d"
    ));
    let said = |row: &PgRow| {
        let by_days: bool = row.try_get(4)?;
        let zone = text(row, 3)?;
        Ok(((row.try_get(0)?, whole(row, 1)?), Said::new(row.try_get(2)?, by_days.then_some(zone))))
    };
    all(conn, ask.bind(jobs).bind(revisions)).await?.iter().map(said).collect()
}

async fn keep(conn: &mut PgConnection, stretch: &Stretch) -> Result<()> {
    if !stretch.fired {
        let end = "UPDATE pruned_fires SET goes_on = false WHERE job = $1 AND goes_on";
        done(conn, sqlx::query(end).bind(&stretch.job)).await?;
        return Ok(());
    }
    let Some(said) = &stretch.said else { return Ok(()) };
    let (from, until) = (At::from(stretch.from), At::from(stretch.until));
    if goes_on(conn, stretch, said).await? {
        return Ok(());
    }
    // What waited longer than later ones is a stretch by itself.
    let end = "UPDATE pruned_fires SET goes_on = false WHERE job = $1 AND goes_on AND until_at < $2";
    done(conn, sqlx::query(end).bind(&stretch.job).bind(from)).await?;
    let keep = sqlx::query(
        "INSERT INTO pruned_fires (job, schedule, from_at, until_at, goes_on)
         VALUES ($1, $2::json, $3, $4, NOT EXISTS (SELECT 1 FROM pruned_fires WHERE job = $1 AND goes_on))
         ON CONFLICT (job, from_at) DO UPDATE SET schedule = excluded.schedule, until_at = excluded.until_at",
    );
    done(conn, keep.bind(&stretch.job).bind(&said.schedule).bind(from).bind(until)).await?;
    let forget = sqlx::query(
        "DELETE FROM pruned_fires
          WHERE job = $1 AND from_at <= (SELECT from_at FROM pruned_fires WHERE job = $1
                                          ORDER BY from_at DESC LIMIT 1 OFFSET $2)",
    );
    done(conn, forget.bind(&stretch.job).bind(STRETCHES)).await?;
    Ok(())
}

/// Takes it into the stretch of which nothing was deleted after it that had not fired, if it is one with that.
async fn goes_on(conn: &mut PgConnection, stretch: &Stretch, said: &Said) -> Result<bool> {
    let find = sqlx::query(
        "SELECT until_at FROM pruned_fires WHERE job = $1 AND goes_on AND schedule::jsonb = $2::jsonb AND until_at < $3",
    );
    let found = maybe(conn, find.bind(&stretch.job).bind(&said.schedule).bind(At::from(stretch.from))).await?;
    let Some(row) = found else { return Ok(false) };
    if !said.leaves_no_day_out(instant(&row, 0)?, stretch.from) {
        return Ok(false);
    }
    let go_on = sqlx::query("UPDATE pruned_fires SET until_at = $2 WHERE job = $1 AND goes_on");
    done(conn, go_on.bind(&stretch.job).bind(At::from(stretch.until))).await?;
    Ok(true)
}
