//! What the ledger is held against: schedules with the time in which they held, bare rows of `fires`, and the ids that
//! were ever given.

use rusqlite::{Connection, params};

use super::calendars;
use super::cells::{At, number};
use super::fault::Result;
use crate::domain::{LedgerIds, LedgerJob, LedgerRow, UtcMs};

pub(super) fn jobs(conn: &Connection, only: Option<&str>, after: &str, limit: u64) -> Result<Vec<LedgerJob>> {
    let rows: String = conn.query_row(
        "SELECT json_group_array(json_object(
                  'name', j.name,
                  'next_due_at', coalesce(j.next_due_at, iif(j.fires_left = 0, strftime('%Y-%m-%dT%H:%M:%fZ', j.ended_at, '+0.001 seconds'),
                                                                 NULL)),
                  'pruned_until', (SELECT value FROM meta WHERE key = 'pruned_until'),
                  'revisions', (SELECT json_group_array(json_object(
                      'revision', revision, 'schedule', json(definition -> '$.schedule'),
                      'timezone', timezone, 'dst_gap', definition ->> '$.dst_gap',
                      'days', json(definition -> '$.days'), 'life', json(definition -> '$.life'),
                      'from_at', from_at, 'until_at', until_at) ORDER BY revision)
                                  FROM (SELECT revision, definition, timezone, from_at, min(until_at, coalesce(ended_at, until_at)) AS until_at
                                          FROM job_revisions WHERE job = j.name
                                        UNION ALL
                                        SELECT j.revision, j.definition, j.timezone, j.loaded_at, NULL
                                         WHERE j.removed_at IS NULL))))
           FROM (SELECT * FROM jobs WHERE name > ?1 AND name = coalesce(?2, name) ORDER BY name LIMIT ?3) AS j",
        params![after, only, number(limit)],
        |row| row.get(0),
    )?;
    let mut jobs: Vec<LedgerJob> = serde_json::from_str(&rows)?;
    let revisions = jobs.iter_mut().flat_map(|job| &mut job.revisions);
    calendars::fill(conn, revisions.filter_map(|revision| revision.days.as_deref_mut()))?;
    Ok(jobs)
}

pub(super) fn rows(conn: &Connection, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> Result<Vec<LedgerRow>> {
    let rows: String = conn.query_row(
        "SELECT json_group_array(json_object('due_at', due_at, 'until_at', until_at, 'count', count,
                                             'revision', revision, 'recorded_at', recorded_at, 'zone', zone))
           FROM (SELECT *
                   FROM (SELECT * FROM fires INDEXED BY fires_spans
                          WHERE until_at >= ?2 AND until_at IS NOT NULL
                            AND job = ?1 AND due_at < ?2 AND triggered_by = 'cron')
                 UNION ALL
                 SELECT *
                   FROM (SELECT * FROM fires
                          WHERE job = ?1 AND due_at BETWEEN ?2 AND ?3 AND triggered_by = 'cron'
                          ORDER BY due_at LIMIT ?4)
                  ORDER BY due_at)",
        params![job, At::from(from), At::from(until), number(limit)],
        |row| row.get(0),
    )?;
    Ok(serde_json::from_str(&rows)?)
}

/// One statement, so that nothing is written between the two looks; the rows are counted by their smallest index.
pub(super) fn ids(conn: &Connection) -> Result<Vec<LedgerIds>> {
    let ids: String = conn.query_row(
        "SELECT json_group_array(json_object(
                  'kind', k.kind, 'given', coalesce(s.seq, 0), 'kept', k.kept, 'before', coalesce(g.before, 0),
                  'withdrawn', coalesce(g.withdrawn, 0), 'pruned', coalesce(g.pruned, 0),
                  'unused', coalesce(g.unused, 0)))
           FROM (SELECT 'fires' AS kind, (SELECT count(*) FROM fires) AS kept
                 UNION ALL
                 SELECT 'pushes', (SELECT count(*) FROM pushes)) AS k
           LEFT JOIN sqlite_sequence AS s ON s.name = k.kind
           LEFT JOIN gone_ids AS g ON g.kind = k.kind",
        [],
        |row| row.get(0),
    )?;
    Ok(serde_json::from_str(&ids)?)
}
