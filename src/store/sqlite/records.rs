//! Where pushes stand, what ended badly, and the whole story of a few fires.

use rusqlite::{Connection, Row, params};

use super::calendars;
use super::cells::{At, instant, maybe_instant, number, text};
use super::fault::Result;
use crate::domain::UtcMs;
use crate::store::cells::state;
use crate::store::model::{BadEnd, BadEnds, FireRecord, OpenWay, Revision, Standing};

pub(super) fn standings(conn: &Connection, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>> {
    let mut statement = conn.prepare_cached(match only_open {
        true => {
            "SELECT id, state, attempts FROM pushes INDEXED BY pushes_open
              WHERE finished_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2"
        }
        false => "SELECT id, state, attempts FROM pushes WHERE id > ?1 ORDER BY id LIMIT ?2",
    })?;
    let rows = statement.query_and_then(params![after_id, number(limit)], |row| {
        Ok(Standing { id: row.get(0)?, state: state(text(row, 1)?)?, attempts: row.get(2)? })
    })?;
    rows.collect()
}

pub(super) fn open_ways(conn: &Connection) -> Result<Vec<OpenWay>> {
    let mut statement = conn.prepare(
        "SELECT count(*), is_fallback, job, im, account
           FROM (SELECT 0 AS is_fallback, f.job, p.im, p.named_account AS account
                   FROM pushes AS p INDEXED BY pushes_open JOIN fires AS f ON f.id = p.fire_id
                  WHERE p.finished_at IS NULL
                 UNION ALL
                 SELECT 1, f.job, way.value ->> 'im', way.value ->> 'account'
                   FROM pushes AS p INDEXED BY pushes_open JOIN fires AS f ON f.id = p.fire_id,
                        json_each(p.fallback) AS way
                  WHERE p.finished_at IS NULL AND p.fallback IS NOT NULL)
          GROUP BY is_fallback, job, im, account ORDER BY is_fallback, job, im, account",
    )?;
    let ways = statement.query_and_then([], |row| {
        let (pushes, is_fallback, job) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?);
        Ok(OpenWay { pushes, is_fallback, job, im: row.get(3)?, account: row.get(4)? })
    })?;
    ways.collect()
}

/// What ended badly. A push that was retried by hand and failed again counts once, by its last end.
const BAD_ENDS: &str = "
   FROM bad_ends AS b
   JOIN pushes AS p ON p.id = b.push_id
   JOIN fires AS f ON f.id = p.fire_id
   LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
  WHERE b.seq > ?1 AND (?2 IS NULL OR p.finished_at > ?2)
    AND b.seq = (SELECT max(seq) FROM bad_ends WHERE push_id = p.id)
    AND p.state IN ('failed', 'unknown', 'expired')
    AND p.reason IS NOT 'resolved by hand'
    AND NOT (f.job IS NULL AND p.im IS ?3 AND p.target IS ?4)";

/// `except` is an im and a target.
pub(super) fn bad_ends(
    conn: &Connection,
    after: i64,
    since: Option<UtcMs>,
    except: Option<(String, String)>,
    first: u64,
) -> Result<BadEnds> {
    let (im, target) = except.unzip();
    let since = since.map(At::from);
    let last = conn.query_row("SELECT coalesce(max(seq), 0) FROM bad_ends", [], |row| row.get::<_, i64>(0))?;
    let mut ends = BadEnds { last: last.max(after), ..BadEnds::default() };
    let mut statement = conn.prepare(&format!("SELECT p.state, count(*) {BAD_ENDS} GROUP BY p.state"))?;
    let mut rows = statement.query(params![after, since, im, target])?;
    while let Some(row) = rows.next()? {
        ends.counts.push((state(text(row, 0)?)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)));
    }
    if !ends.counts.is_empty() {
        let mut statement = conn.prepare(&format!(
            "SELECT p.id, f.job, p.im, p.target, p.state, p.reason,
                    coalesce(p.reason || ': ' || p.detail, last.error, CASE p.reason
                        WHEN 'content' THEN (SELECT error FROM contents WHERE fire_id = f.id)
                        WHEN 'recipients' THEN (SELECT error FROM recipient_lists
                                                 WHERE fire_id = f.id AND error IS NOT NULL ORDER BY number LIMIT 1)
                    END),
                    p.account, p.finished_at,
                    EXISTS (SELECT 1 FROM attempts WHERE push_id = p.id AND outcome = 'unknown'),
                    iif(p.recipient IS 'null' OR (p.kind = 'text' AND p.message ->> 'text' = ''), 1, 0) {BAD_ENDS}
              ORDER BY p.finished_at, p.id LIMIT ?5"
        ))?;
        let rows = statement.query_and_then(params![after, since, im, target, number(first)], bad_end)?;
        ends.first = rows.collect::<Result<_>>()?;
    }
    Ok(ends)
}

fn bad_end(row: &Row<'_>) -> Result<BadEnd> {
    Ok(BadEnd {
        id: row.get(0)?,
        job: row.get(1)?,
        im: row.get(2)?,
        target: row.get(3)?,
        state: state(text(row, 4)?)?,
        reason: row.get(5)?,
        error: row.get(6)?,
        account: row.get(7)?,
        finished_at: instant(row, 8)?,
        perhaps_sent: row.get(9)?,
        is_unmade: row.get(10)?,
    })
}

/// Fires as JSON objects with their pushes, and these with their attempts: the fields of the records in the trait.
pub(super) fn fires(conn: &Connection, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>> {
    // Gaps do not overlap, so of the rows before the time only the last can reach into it.
    let mut statement = conn.prepare(
        "SELECT json_object(
                  'triggered_by', triggered_by, 'due_at', due_at, 'until_at', until_at, 'count', count,
                  'decision', decision, 'reason', reason, 'recorded_at', recorded_at, 'zone', zone,
                  'calendar', calendar, 'revision', revision,
                  'is_unexpanded', json(iif(EXISTS (SELECT 1 FROM unexpanded_fires WHERE fire_id = f.id),
                                            'true', 'false')),
                  'awaits_content', json(iif(EXISTS (SELECT 1 FROM unreleased_fires WHERE fire_id = f.id),
                                             'true', 'false')),
                  'content', (SELECT json_object(
                      'source', source, 'outcome', outcome, 'attempts', attempts, 'began_at', began_at,
                      'made_at', made_at, 'exit_code', exit_code, 'size', octet_length(content), 'sha256', sha256,
                      'error', error, 'stale_from', stale_from, 'stale_why', stale_why)
                         FROM contents WHERE fire_id = f.id),
                  'lists', (SELECT json_group_array(json_object(
                      'name', name, 'source', source, 'attempts', attempts, 'began_at', began_at, 'read_at', read_at,
                      'count', count, 'doubles', doubles, 'error', error,
                      'stale_from', stale_from, 'stale_why', stale_why) ORDER BY number)
                              FROM recipient_lists WHERE fire_id = f.id),
                  'pushes', (SELECT json_group_array(json_object(
                      'id', id, 'fallback_of', parent_id, 'im', im, 'target', target, 'kind', kind, 'state', state, 'reason', reason,
                      'detail', detail, 'max_attempts', max_attempts, 'next_attempt_at', next_attempt_at, 'expires_at', expires_at,
                      'finished_at', finished_at, 'confirmed_at', confirmed_at,
                      'attempts', (SELECT json_group_array(json_object(
                          'number', number, 'account', account, 'rule', rule, 'sender', sender,
                          'started_at', started_at, 'finished_at', finished_at, 'outcome', outcome, 'error', error,
                          'http_status', http_status, 'message_id', message_id, 'note', note,
                              'denied_at', denied_at) ORDER BY number)
                                     FROM attempts WHERE push_id = pushes.id)) ORDER BY ordinal)
                               FROM pushes WHERE fire_id = f.id))
           FROM (SELECT * FROM fires WHERE job = ?1 AND due_at BETWEEN ?2 AND ?3
                 UNION ALL
                 SELECT * FROM (SELECT * FROM fires WHERE job = ?1 AND due_at < ?2 AND triggered_by = 'cron'
                                 ORDER BY due_at DESC LIMIT 1)
                  WHERE until_at >= ?2) AS f
          ORDER BY due_at, id",
    )?;
    let rows = statement.query_and_then(params![job, At::from(from), At::from(until)], |row| {
        Ok(serde_json::from_str(text(row, 0)?)?)
    })?;
    rows.collect()
}

pub(super) fn revisions(conn: &Connection, job: &str) -> Result<Vec<Revision>> {
    let mut statement = conn.prepare(
        "SELECT revision, schedule, timezone, enabled, definition, from_at, until_at, ended_at FROM job_revisions WHERE job = ?1
         UNION ALL
         SELECT revision, schedule, timezone, enabled, definition, loaded_at, NULL, iif(fires_left = 0, ended_at, NULL)
           FROM jobs WHERE name = ?1 AND removed_at IS NULL
          ORDER BY revision",
    )?;
    let rows = statement.query_and_then([job], |row| {
        Ok(Revision {
            revision: row.get(0)?,
            schedule: row.get(1)?,
            timezone: row.get(2)?,
            enabled: row.get(3)?,
            definition: serde_json::from_str(text(row, 4)?).ok(),
            from_at: instant(row, 5)?,
            until_at: maybe_instant(row, 6)?,
            spent_at: maybe_instant(row, 7)?,
        })
    })?;
    let mut revisions = rows.collect::<Result<Vec<Revision>>>()?;
    let definitions = revisions.iter_mut().filter_map(|revision| revision.definition.as_mut());
    calendars::fill(conn, definitions.filter_map(|job| job.days.as_deref_mut()))?;
    Ok(revisions)
}
