//! What people ask about single pushes, about instants that came to nothing, and about how much there is.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, maybe, one};
use super::cells::{instant, json, maybe_instant, number, text, whole};
use super::fault::Result;
use super::instants::At;
use super::json::{attempts_of, content_of, fire_fields, push_fields, utc};
use crate::domain::{PushState, UtcMs};
use crate::store::cells::{decision, state};
use crate::store::model::{FetchedCalendar, NextFire, PushStory, Situation, Unfired, WaitingFire};

/// A push as a JSON object with its fire and its attempts: the fields of the records in the trait.
pub(super) async fn push_story(conn: &mut PgConnection, push_id: i64) -> Result<Option<PushStory>> {
    let ask = sqlx::query(concat!(
        "SELECT json_build_object(
                  'job', f.job, 'ordinal', p.ordinal, 'named_account', p.named_account,
                  'message', p.message, 'render', p.render, 'timeout_ms', p.timeout_ms,
                  'retry', p.retry, 'parts', p.parts,
                  'timezone', coalesce(split_part(f.zone, ' ', 1), j.timezone),
                  'chat_im', f.chat_im, 'chat_account', f.chat_account,
                  'fallbacks', coalesce((SELECT json_agg(id ORDER BY id) FROM pushes WHERE parent_id = p.id), '[]'::json),
                  'is_unmade', coalesce(p.recipient::text = 'null', false)
                                 OR (p.kind = 'text' AND coalesce(p.message ->> 'text' = '', false)
                                     AND NOT EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = p.fire_id)),
                  'fire', json_build_object(",
        fire_fields!(),
        ", 'content', ",
        content_of!("f.id"),
        ", 'pushes', json_build_array(json_build_object(",
        push_fields!(),
        ", 'attempts', ",
        attempts_of!("p.id"),
        "))))::text
           FROM pushes AS p
           JOIN fires AS f ON f.id = p.fire_id
           LEFT JOIN jobs AS j ON j.name = f.job
          WHERE p.id = $1"
    ));
    maybe(conn, ask.bind(push_id)).await?.map(|row| json(&row, 0)).transpose()
}

/// Instants that did not fire, and fires that have no pushes yet; a row that stands for a gap is among them when the gap
/// reaches into the time. What was skipped comes last, so that it crowds out nothing that somebody may wait for.
pub(super) async fn unfired(
    conn: &mut PgConnection,
    job: Option<&str>,
    from: Option<UtcMs>,
    until: Option<UtcMs>,
    limit: u64,
) -> Result<Vec<Unfired>> {
    let ask = sqlx::query(
        "SELECT f.job, f.due_at, f.until_at, f.count, f.decision, f.why,
                coalesce(split_part(f.zone, ' ', 1), j.timezone)
           FROM (SELECT id, job, due_at, until_at, count, decision, coalesce(reason, '') AS why, zone
                   FROM fires
                  WHERE decision <> 'fired' AND triggered_by = 'cron'
                 UNION ALL
                 SELECT w.id, w.job, w.due_at, w.until_at, w.count, w.decision,
                        CASE WHEN w.calendar LIKE '%: held' THEN w.calendar ELSE '' END, w.zone
                   FROM unexpanded_fires AS u CROSS JOIN fires AS w
                  WHERE w.id = u.fire_id AND w.decision = 'fired') AS f
           LEFT JOIN jobs AS j ON j.name = f.job
          WHERE ($1::text IS NULL OR f.job = $1)
            AND ($2::timestamptz IS NULL OR coalesce(f.until_at, f.due_at) >= $2)
            AND ($3::timestamptz IS NULL OR f.due_at <= $3)
          ORDER BY f.decision = 'skipped', f.due_at DESC, f.id DESC LIMIT $4",
    );
    let ask = ask.bind(job).bind(from.map(At::from)).bind(until.map(At::from)).bind(number(limit));
    all(conn, ask).await?.iter().map(of_row).collect()
}

/// Fires whose pushes are still to be made.
pub(super) async fn waiting_fires(
    conn: &mut PgConnection,
    job: Option<&str>,
    from: Option<UtcMs>,
    until: Option<UtcMs>,
    limit: u64,
) -> Result<Vec<WaitingFire>> {
    let ask = sqlx::query(
        "SELECT f.id, f.job, f.due_at, coalesce(split_part(f.zone, ' ', 1), j.timezone)
           FROM unexpanded_fires AS u CROSS JOIN fires AS f JOIN jobs AS j ON j.name = f.job
          WHERE f.id = u.fire_id AND ($1::text IS NULL OR f.job = $1)
            AND ($2::timestamptz IS NULL OR f.due_at >= $2) AND ($3::timestamptz IS NULL OR f.due_at <= $3)
          ORDER BY f.due_at, f.id LIMIT $4",
    );
    let ask = ask.bind(job).bind(from.map(At::from)).bind(until.map(At::from)).bind(number(limit));
    let waiting = |row: &PgRow| {
        let (fire_id, job) = (row.try_get(0)?, row.try_get(1)?);
        Ok(WaitingFire { fire_id, job, due_at: instant(row, 2)?, timezone: row.try_get(3)? })
    };
    all(conn, ask).await?.iter().map(waiting).collect()
}

fn of_row(row: &PgRow) -> Result<Unfired> {
    Ok(Unfired {
        job: row.try_get(0)?,
        due_at: instant(row, 1)?,
        until_at: maybe_instant(row, 2)?,
        count: whole(row, 3)?,
        decision: decision(text(row, 4)?)?,
        reason: row.try_get(5)?,
        timezone: row.try_get(6)?,
    })
}

/// `since` is when lately began.
pub(super) async fn situation(conn: &mut PgConnection, now: UtcMs, since: UtcMs) -> Result<Situation> {
    let ask = sqlx::query(
        "SELECT (SELECT count(*) FROM pushes WHERE finished_at IS NULL),
                (SELECT count(*) FROM pushes
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state = 'unknown'),
                (SELECT count(*) FROM pushes
                  WHERE finished_at IS NOT NULL AND state <> 'sent' AND state IN ('failed', 'expired')
                    AND finished_at >= $1),
                (SELECT count(*) FROM jobs WHERE removed_at IS NULL AND enabled AND paused_at IS NULL
                                             AND ended_at IS NULL),
                (SELECT count(*) FROM jobs WHERE removed_at IS NULL AND enabled AND paused_at IS NOT NULL
                                             AND ended_at IS NULL),
                (SELECT count(*) FROM unexpanded_fires AS u CROSS JOIN fires AS f
                  WHERE f.id = u.fire_id AND f.due_at <= $2)",
    );
    let row = one(conn, ask.bind(At::from(since)).bind(At::from(now))).await?;
    let [open, unknown, failed, active_jobs, paused_jobs, waiting_fires] =
        [whole(&row, 0)?, whole(&row, 1)?, whole(&row, 2)?, whole(&row, 3)?, whole(&row, 4)?, whole(&row, 5)?];
    let next_fire = next_fire(conn, now).await?;
    Ok(Situation { active_jobs, paused_jobs, next_fire, open, waiting_fires, unknown, failed })
}

/// The first instant that has no row, or that has one ahead of its time.
async fn next_fire(conn: &mut PgConnection, now: UtcMs) -> Result<Option<NextFire>> {
    let ask = sqlx::query(
        "SELECT job, due_at, timezone
           FROM (SELECT name AS job, next_due_at AS due_at, timezone FROM jobs
                  WHERE removed_at IS NULL AND enabled AND paused_at IS NULL AND next_due_at IS NOT NULL
                 UNION ALL
                 SELECT f.job, f.due_at, j.timezone FROM fires AS f JOIN jobs AS j ON j.name = f.job
                  WHERE f.due_at > $1 AND f.decision = 'fired' AND f.triggered_by = 'cron') AS ahead
          ORDER BY due_at, job LIMIT 1",
    );
    let next = |row: PgRow| Ok(NextFire { job: row.try_get(0)?, due_at: instant(&row, 1)?, timezone: row.try_get(2)? });
    maybe(conn, ask.bind(At::from(now))).await?.map(next).transpose()
}

/// The targets of what jobs push, and of the newest pushes.
pub(super) async fn known_targets(conn: &mut PgConnection) -> Result<Vec<String>> {
    let ask = sqlx::query(
        r#"SELECT target COLLATE "C" FROM (SELECT target FROM pushes ORDER BY id DESC LIMIT 10000) AS newest
            UNION
           SELECT (push.value ->> 'target') COLLATE "C"
             FROM jobs
            CROSS JOIN LATERAL json_array_elements(CASE json_typeof(definition -> 'push')
                                                        WHEN 'array' THEN definition -> 'push' END) AS push (value)
            WHERE removed_at IS NULL AND push.value ->> 'target' IS NOT NULL
            ORDER BY 1"#,
    );
    all(conn, ask).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn push_state(conn: &mut PgConnection, push_id: i64) -> Result<Option<PushState>> {
    let found = maybe(conn, sqlx::query("SELECT state FROM pushes WHERE id = $1").bind(push_id)).await?;
    found.map(|row| Ok(state(text(&row, 0)?)?)).transpose()
}

/// Those that went out in the place of a push, in their order.
pub(super) async fn fallbacks(conn: &mut PgConnection, push_id: i64) -> Result<Vec<i64>> {
    let ask = "SELECT id FROM pushes WHERE parent_id = $1 AND parent_id IS NOT NULL ORDER BY id";
    all(conn, sqlx::query(ask).bind(push_id)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn fetched_calendars(conn: &mut PgConnection) -> Result<Vec<FetchedCalendar>> {
    let ask = "SELECT name, url, list, good_at, tried_at, error FROM fetched_calendars ORDER BY name";
    let fetched = |row: &PgRow| {
        Ok(FetchedCalendar {
            name: row.try_get(0)?,
            url: row.try_get(1)?,
            list: row.try_get(2)?,
            good_at: maybe_instant(row, 3)?,
            tried_at: instant(row, 4)?,
            error: row.try_get(5)?,
        })
    };
    all(conn, sqlx::query(ask)).await?.iter().map(fetched).collect()
}
