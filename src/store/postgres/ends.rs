//! How pushes end otherwise than by an attempt: because nobody wants them any more, or because nobody can read them.

use sqlx::postgres::PgConnection;
use tracing::error;

use super::ask::done;
use super::fault::Result;
use super::instants::At;
use crate::domain::{Next, PushState, Reason, UtcMs};

/// What becomes of a push that is not wanted any more: it must not be said of one that may have arrived that it was
/// ended before.
macro_rules! cancelled_or_unknown {
    () => {
        "CASE WHEN EXISTS (SELECT 1 FROM attempts AS a
                            WHERE a.push_id = pushes.id AND a.outcome = 'unknown' AND a.denied_at IS NULL)
              THEN 'unknown' ELSE 'cancelled' END"
    };
}
pub(super) use cancelled_or_unknown;

/// Ends a push of which nothing was begun.
pub(super) async fn end(
    conn: &mut PgConnection,
    push_id: i64,
    state: PushState,
    reason: Reason,
    at: UtcMs,
) -> Result<()> {
    let end = sqlx::query(
        "UPDATE pushes SET state = $2, reason = $3, next_attempt_at = NULL, finished_at = $4 WHERE id = $1",
    );
    done(conn, end.bind(push_id).bind(state.as_str()).bind(reason.as_str()).bind(At::from(at))).await?;
    Ok(())
}

/// Ends a push whose row cannot be read. It must hold up no other, and nobody can say what it was to send.
pub(super) async fn end_unreadable(conn: &mut PgConnection, push_id: i64, problem: &str, now: UtcMs) -> Result<()> {
    let end = sqlx::query(
        "UPDATE pushes SET state = 'failed', reason = 'unreadable', next_attempt_at = NULL, finished_at = $2
          WHERE id = $1 AND state IN ('pending', 'retrying')",
    );
    if done(conn, end.bind(push_id).bind(At::from(now))).await? > 0 {
        error!(push = push_id, problem, "the row of a push cannot be read: the push ends as failed (unreadable)");
    }
    Ok(())
}

/// When a push is due again, if it is.
pub(super) fn next_attempt_at(next: &Next) -> Option<UtcMs> {
    match next {
        Next::Retry { at, .. } => Some(*at),
        _ => None,
    }
}
