//! How pushes end otherwise than by an attempt: because nobody wants them any more, or because nobody can read them.

use rusqlite::{CachedStatement, Connection, params};
use tracing::error;

use super::cells::At;
use super::fault::Result;
use crate::domain::{Next, UtcMs};

/// What becomes of a push that is not wanted any more: it must not be said of one that may have arrived that it was
/// ended before.
macro_rules! cancelled_or_unknown {
    () => {
        "iif(EXISTS (SELECT 1 FROM attempts AS a WHERE a.push_id = pushes.id AND a.outcome = 'unknown' AND a.denied_at IS NULL),
             'unknown', 'cancelled')"
    };
}
pub(super) use cancelled_or_unknown;

/// Ends what was being sent when a newer fire replaced it, or when its job was removed, instead of having it tried again:
/// the newer message may be out already. The row has said why since then: a push that is being sent and wanted has no
/// reason, see [`super::pushes::replace_older`] and [`super::pushes::cancel_of_jobs`].
pub(super) struct EndUnwanted<'conn>(CachedStatement<'conn>);

impl<'conn> EndUnwanted<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(EndUnwanted(conn.prepare_cached(concat!(
            "UPDATE pushes SET state = ",
            cancelled_or_unknown!(),
            ", finished_at = ?3
              WHERE id = ?1 AND attempts = ?2 AND state = 'sending' AND reason IS NOT NULL"
        ))?))
    }

    /// Whether it was one of those.
    pub(super) fn run(&mut self, push_id: i64, number: u32, now: UtcMs) -> Result<bool> {
        Ok(self.0.execute(params![push_id, number, At::from(now)])? > 0)
    }
}

/// Ends a push whose row cannot be read. It must hold up no other, and nobody can say what it was to send.
pub(super) fn end_unreadable(conn: &Connection, push_id: i64, problem: &str, now: UtcMs) -> Result<()> {
    let ended = conn.execute(
        "UPDATE pushes SET state = 'failed', reason = 'unreadable', next_attempt_at = NULL, finished_at = ?2
          WHERE id = ?1 AND (state = 'pending' OR state = 'retrying')",
        params![push_id, At::from(now)],
    )?;
    if ended > 0 {
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
