//! What people ask about single pushes, about instants that came to nothing, and about how much there is.

use rusqlite::{Connection, Row, params};

use super::cells::{At, instant, maybe_instant, number, text};
use super::fault::Result;
use crate::domain::UtcMs;
use crate::store::cells::decision;
use crate::store::model::{NextFire, PushStory, Situation, Unfired, WaitingFire};

/// A push as a JSON object with its fire and its attempts: the fields of the records in the trait.
pub(super) fn push_story(conn: &Connection, push_id: i64) -> Result<Option<PushStory>> {
    let mut statement = conn.prepare(
        "SELECT json_object(
                  'job', f.job, 'ordinal', p.ordinal, 'named_account', p.named_account,
                  'message', json(p.message), 'render', json(p.render), 'timeout_ms', p.timeout_ms,
                  'retry', json(p.retry), 'parts', json(p.parts),
                  'timezone', coalesce(substr(f.zone, 1, instr(f.zone, ' ') - 1), j.timezone),
                  'chat_im', f.chat_im, 'chat_account', f.chat_account,
                  'fallbacks', (SELECT json_group_array(id) FROM (SELECT id FROM pushes WHERE parent_id = p.id ORDER BY id)),
                  'is_unmade', json(iif(p.recipient IS 'null'
                                        OR (p.kind = 'text' AND p.message ->> 'text' = ''
                                            AND NOT EXISTS (SELECT 1 FROM unreleased_fires WHERE fire_id = p.fire_id)),
                                        'true', 'false')),
                  'fire', json_object(
                      'triggered_by', f.triggered_by, 'due_at', f.due_at, 'until_at', f.until_at, 'count', f.count,
                      'decision', f.decision, 'reason', f.reason, 'recorded_at', f.recorded_at, 'zone', f.zone,
                      'calendar', f.calendar, 'revision', f.revision,
                      'awaits_content', json(iif(EXISTS (SELECT 1 FROM unreleased_fires WHERE fire_id = f.id),
                                                 'true', 'false')),
                      'content', (SELECT json_object(
                          'source', source, 'outcome', outcome, 'attempts', attempts, 'began_at', began_at,
                          'made_at', made_at, 'exit_code', exit_code, 'size', octet_length(content), 'sha256', sha256,
                          'error', error, 'stale_from', stale_from, 'stale_why', stale_why)
                         FROM contents WHERE fire_id = f.id),
                      'pushes', json_array(json_object(
                          'id', p.id, 'fallback_of', p.parent_id, 'im', p.im, 'target', p.target, 'kind', p.kind, 'state', p.state,
                          'reason', p.reason, 'detail', p.detail, 'max_attempts', p.max_attempts, 'next_attempt_at', p.next_attempt_at,
                          'expires_at', p.expires_at, 'finished_at', p.finished_at, 'confirmed_at', p.confirmed_at,
                          'attempts', (SELECT json_group_array(json_object(
                              'number', number, 'account', account, 'rule', rule, 'sender', sender,
                              'started_at', started_at, 'finished_at', finished_at, 'outcome', outcome, 'error', error,
                              'http_status', http_status, 'message_id', message_id, 'note', note,
                              'denied_at', denied_at) ORDER BY number)
                                         FROM attempts WHERE push_id = p.id)))))
           FROM pushes AS p
           JOIN fires AS f ON f.id = p.fire_id
           LEFT JOIN jobs AS j ON j.name = f.job
          WHERE p.id = ?1",
    )?;
    let mut rows = statement.query([push_id])?;
    rows.next()?.map(|row| Ok(serde_json::from_str(text(row, 0)?)?)).transpose()
}

/// Instants that did not fire, and fires that have no pushes yet; a row that stands for a gap is among them when the gap
/// reaches into the time. What was skipped comes last, so that it crowds out nothing that somebody may wait for.
pub(super) fn unfired(
    conn: &Connection,
    job: Option<&str>,
    from: Option<UtcMs>,
    until: Option<UtcMs>,
    limit: u64,
) -> Result<Vec<Unfired>> {
    // Few rows did not fire, and only they are in this index.
    let mut statement = conn.prepare(
        "SELECT f.job, f.due_at, f.until_at, f.count, f.decision, f.why,
                coalesce(substr(f.zone, 1, instr(f.zone, ' ') - 1), j.timezone)
           FROM (SELECT id, job, due_at, until_at, count, decision, coalesce(reason, '') AS why, zone
                   FROM fires INDEXED BY fires_unfired
                  WHERE decision <> 'fired' AND triggered_by = 'cron'
                 UNION ALL
                 SELECT w.id, w.job, w.due_at, w.until_at, w.count, w.decision,
                        iif(w.calendar LIKE '%: held', w.calendar, ''), w.zone
                   FROM unexpanded_fires AS u CROSS JOIN fires AS w ON w.id = u.fire_id
                  WHERE w.decision = 'fired') AS f
           LEFT JOIN jobs AS j ON j.name = f.job
          WHERE (?1 IS NULL OR f.job = ?1)
            AND (?2 IS NULL OR coalesce(f.until_at, f.due_at) >= ?2)
            AND (?3 IS NULL OR f.due_at <= ?3)
          ORDER BY f.decision = 'skipped', f.due_at DESC, f.id DESC LIMIT ?4",
    )?;
    let rows =
        statement.query_and_then(params![job, from.map(At::from), until.map(At::from), number(limit)], of_row)?;
    rows.collect()
}

/// Fires whose pushes are still to be made.
pub(super) fn waiting_fires(
    conn: &Connection,
    job: Option<&str>,
    from: Option<UtcMs>,
    until: Option<UtcMs>,
    limit: u64,
) -> Result<Vec<WaitingFire>> {
    let mut statement = conn.prepare(
        "SELECT f.id, f.job, f.due_at, coalesce(substr(f.zone, 1, instr(f.zone, ' ') - 1), j.timezone)
           FROM unexpanded_fires AS u CROSS JOIN fires AS f ON f.id = u.fire_id JOIN jobs AS j ON j.name = f.job
          WHERE (?1 IS NULL OR f.job = ?1) AND (?2 IS NULL OR f.due_at >= ?2) AND (?3 IS NULL OR f.due_at <= ?3)
          ORDER BY f.due_at, f.id LIMIT ?4",
    )?;
    let rows =
        statement.query_and_then(params![job, from.map(At::from), until.map(At::from), number(limit)], |row| {
            Ok(WaitingFire { fire_id: row.get(0)?, job: row.get(1)?, due_at: instant(row, 2)?, timezone: row.get(3)? })
        })?;
    rows.collect()
}

fn of_row(row: &Row<'_>) -> Result<Unfired> {
    Ok(Unfired {
        job: row.get(0)?,
        due_at: instant(row, 1)?,
        until_at: maybe_instant(row, 2)?,
        count: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(1),
        decision: decision(text(row, 4)?)?,
        reason: row.get(5)?,
        timezone: row.get(6)?,
    })
}

/// `since` is when lately began.
pub(super) fn situation(conn: &Connection, now: UtcMs, since: UtcMs) -> Result<Situation> {
    let counted: [i64; 6] = conn.query_row(
        "SELECT (SELECT count(*) FROM pushes INDEXED BY pushes_open WHERE finished_at IS NULL),
                (SELECT count(*) FROM pushes INDEXED BY pushes_troubled
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state = 'unknown'),
                (SELECT count(*) FROM pushes INDEXED BY pushes_troubled
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state IN ('failed', 'expired')
                    AND finished_at >= ?1),
                (SELECT count(*) FROM jobs WHERE removed_at IS NULL AND enabled AND paused_at IS NULL
                                             AND ended_at IS NULL),
                (SELECT count(*) FROM jobs WHERE removed_at IS NULL AND enabled AND paused_at IS NOT NULL
                                             AND ended_at IS NULL),
                (SELECT count(*) FROM unexpanded_fires AS u CROSS JOIN fires AS f ON f.id = u.fire_id WHERE f.due_at <= ?2)",
        [At::from(since), At::from(now)],
        |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]),
    )?;
    let [open, unknown, failed, active_jobs, paused_jobs, waiting_fires] =
        counted.map(|count| u64::try_from(count).unwrap_or(0));
    let next_fire = next_fire(conn, now)?;
    Ok(Situation { active_jobs, paused_jobs, next_fire, open, waiting_fires, unknown, failed })
}

/// The first instant that has no row, or that has one ahead of its time.
fn next_fire(conn: &Connection, now: UtcMs) -> Result<Option<NextFire>> {
    let mut statement = conn.prepare(
        "SELECT job, due_at, timezone
           FROM (SELECT name AS job, next_due_at AS due_at, timezone FROM jobs
                  WHERE removed_at IS NULL AND enabled AND paused_at IS NULL AND next_due_at IS NOT NULL
                 UNION ALL
                 SELECT f.job, f.due_at, j.timezone FROM fires AS f JOIN jobs AS j ON j.name = f.job
                  WHERE f.due_at > ?1 AND f.decision = 'fired' AND f.triggered_by = 'cron')
          ORDER BY due_at LIMIT 1",
    )?;
    let mut rows = statement.query([At::from(now)])?;
    rows.next()?
        .map(|row| Ok(NextFire { job: row.get(0)?, due_at: instant(row, 1)?, timezone: row.get(2)? }))
        .transpose()
}

/// The targets of what jobs push, and of the newest pushes.
pub(super) fn known_targets(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare(
        "SELECT target FROM (SELECT target FROM pushes ORDER BY id DESC LIMIT 10000)
         UNION SELECT target.value FROM jobs, json_each(iif(json_valid(definition), definition, '{}'), '$.push') AS push, json_each(push.value) AS target
                WHERE target.key = 'target' AND removed_at IS NULL
         ORDER BY 1",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
