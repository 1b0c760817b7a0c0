//! What the ledger is held against: schedules with the time in which they held, bare rows of `fires`, and the ids that
//! were ever given.

use sqlx::postgres::PgConnection;

use super::ask::all;
use super::calendars;
use super::cells::{json, number};
use super::fault::Result;
use super::instants::At;
use super::json::utc;
use crate::domain::{LedgerIds, LedgerJob, LedgerRow, UtcMs};

pub(super) async fn jobs(
    conn: &mut PgConnection,
    only: Option<&str>,
    after: &str,
    limit: u64,
) -> Result<Vec<LedgerJob>> {
    let ask = sqlx::query(concat!(
        "SELECT json_build_object(
                  'name', j.name,
                  'next_due_at', coalesce(",
        utc!("j.next_due_at"),
        ", CASE WHEN j.fires_left = 0 THEN ",
        utc!("(j.ended_at + interval '1 millisecond')"),
        " END),
                  'pruned_until', (SELECT value FROM meta WHERE key = 'pruned_until'),
                  'revisions', coalesce((SELECT json_agg(json_build_object(
                      'revision', r.revision, 'schedule', r.definition -> 'schedule',
                      'timezone', r.timezone, 'dst_gap', r.definition -> 'dst_gap',
                      'days', r.definition -> 'days', 'life', r.definition -> 'life',
                      'from_at', ",
        utc!("r.from_at"),
        ", 'until_at', ",
        utc!("r.until_at"),
        ") ORDER BY r.revision)
                                  FROM (SELECT revision, definition, timezone, from_at, least(until_at, ended_at) AS until_at
                                          FROM job_revisions WHERE job = j.name
                                        UNION ALL
                                        SELECT j.revision, j.definition, j.timezone, j.loaded_at, NULL
                                         WHERE j.removed_at IS NULL) AS r), '[]'::json))::text
           FROM (SELECT * FROM jobs WHERE name > $1 AND ($2::text IS NULL OR name = $2)
                  ORDER BY name LIMIT $3) AS j
          ORDER BY j.name"
    ));
    let rows = all(conn, ask.bind(after).bind(only).bind(number(limit))).await?;
    let mut jobs = rows.iter().map(|row| json(row, 0)).collect::<Result<Vec<LedgerJob>>>()?;
    let revisions = jobs.iter_mut().flat_map(|job| &mut job.revisions);
    calendars::fill(conn, revisions.filter_map(|revision| revision.days.as_deref_mut())).await?;
    Ok(jobs)
}

pub(super) async fn rows(
    conn: &mut PgConnection,
    job: &str,
    from: UtcMs,
    until: UtcMs,
    limit: u64,
) -> Result<Vec<LedgerRow>> {
    let ask = sqlx::query(concat!(
        "SELECT json_build_object('due_at', ",
        utc!("due_at"),
        ", 'until_at', ",
        utc!("until_at"),
        ", 'count', count, 'revision', revision, 'recorded_at', ",
        utc!("recorded_at"),
        ", 'zone', zone)::text
           FROM (SELECT * FROM fires
                  WHERE until_at >= $2 AND until_at IS NOT NULL
                    AND job = $1 AND due_at < $2 AND triggered_by = 'cron'
                 UNION ALL
                 SELECT *
                   FROM (SELECT * FROM fires
                          WHERE job = $1 AND due_at BETWEEN $2 AND $3 AND triggered_by = 'cron'
                          ORDER BY due_at LIMIT $4) AS within) AS f
          ORDER BY f.due_at"
    ));
    let ask = ask.bind(job).bind(At::from(from)).bind(At::from(until)).bind(number(limit));
    all(conn, ask).await?.iter().map(|row| json(row, 0)).collect()
}

/// One statement, so that nothing is written between the two looks.
pub(super) async fn ids(conn: &mut PgConnection) -> Result<Vec<LedgerIds>> {
    let ask = sqlx::query(
        "SELECT json_build_object(
                  'kind', k.kind, 'given', k.given, 'kept', k.kept, 'before', coalesce(g.before, 0),
                  'withdrawn', coalesce(g.withdrawn, 0), 'pruned', coalesce(g.pruned, 0),
                  'unused', coalesce(g.unused, 0))::text
           FROM (SELECT 'fires' AS kind, (SELECT count(*) FROM fires) AS kept, (SELECT fires FROM given_ids) AS given
                 UNION ALL
                 SELECT 'pushes', (SELECT count(*) FROM pushes), (SELECT pushes FROM given_ids)) AS k
           LEFT JOIN gone_ids AS g ON g.kind = k.kind
          ORDER BY k.kind",
    );
    all(conn, ask).await?.iter().map(|row| json(row, 0)).collect()
}
