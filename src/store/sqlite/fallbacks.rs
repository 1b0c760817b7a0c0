//! What goes out in the place of a push that ended badly: made with its end, so that no crash comes between.

use rusqlite::{Connection, params};
use tracing::error;

use super::cells::{At, maybe_text, text};
use super::fault::Result;
use super::opened::OpenById;
use crate::domain::{FallbackSpec, Next, RetryPolicy, UtcMs};
use crate::store::model::OpenPush;

/// Makes the fallbacks of a push that has ended so, unless it has some: one that is retried by hand and fails again has had
/// its turn. They have the message, the policy and the fire of the push, and a time of their own.
pub(super) fn make(conn: &Connection, push_id: i64, next: &Next, now: UtcMs, made: &mut Vec<OpenPush>) -> Result<()> {
    let Some(state) = next.calls_for_fallback() else { return Ok(()) };
    let mut find = conn.prepare_cached(
        "SELECT p.fallback, p.retry FROM pushes AS p
          WHERE p.id = ?1 AND p.fallback IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM pushes AS f WHERE f.parent_id = ?1 AND f.parent_id IS NOT NULL)",
    )?;
    let mut rows = find.query([push_id])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let fallbacks = serde_json::from_str::<Vec<FallbackSpec>>(text(row, 0)?);
    let policy = maybe_text(row, 1)?.map(serde_json::from_str::<RetryPolicy>).transpose();
    let (fallbacks, policy) = match (fallbacks, policy) {
        (Ok(fallbacks), Ok(policy)) => (fallbacks, policy.unwrap_or_default()),
        (Err(problem), _) | (_, Err(problem)) => {
            error!(push = push_id, %problem, "the fallback of a push cannot be read, and does not go out");
            return Ok(());
        }
    };
    let mut insert = conn.prepare_cached(
        "INSERT INTO pushes (fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms, retry,
                             state, max_attempts, next_attempt_at, expires_at, exclusive_job, render, content_hash,
                             role, parent_id, recipient)
         SELECT fire_id, (SELECT max(ordinal) + 1 FROM pushes AS f WHERE f.fire_id = p.fire_id), ?2, ?3, ?4, ?4, kind,
                message, timeout_ms, retry, 'pending', ?5, ?6, ?7, exclusive_job, render, content_hash, 'fallback', id, recipient
           FROM pushes AS p WHERE id = ?1",
    )?;
    let mut open = OpenById::new(conn)?;
    for FallbackSpec { im, target, account, after } in fallbacks {
        if !after.contains(&state) {
            continue;
        }
        let (due_at, expires_at) = (At::from(now), At::from(now + policy.give_up_after));
        let target = target.to_string();
        let id = insert.insert(params![push_id, im, target, account, policy.max_attempts, due_at, expires_at])?;
        made.extend(open.find(id)?);
    }
    Ok(())
}

/// Those that went out in the place of a push, in their order.
pub(super) fn of(conn: &Connection, push_id: i64) -> Result<Vec<i64>> {
    let mut statement =
        conn.prepare_cached("SELECT id FROM pushes WHERE parent_id = ?1 AND parent_id IS NOT NULL ORDER BY id")?;
    let ids = statement.query_map([push_id], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}
