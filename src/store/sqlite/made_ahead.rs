//! Fires that have their contents before their instants.

use std::sync::Arc;

use rusqlite::Connection;

use super::cells::instant;
use super::fault::Result;
use crate::domain::UtcMs;

/// Until when it is decided what becomes of jobs, by what was made ahead for them: the job, the instant, and when that was
/// recorded.
pub(super) fn made_ahead(conn: &Connection) -> Result<Vec<(Arc<str>, UtcMs, UtcMs)>> {
    let mut statement = conn.prepare(
        "SELECT f.job, max(f.due_at), f.recorded_at
           FROM pushes AS p INDEXED BY pushes_open
           JOIN fires AS f ON f.id = p.fire_id
           JOIN contents AS c ON c.fire_id = f.id
           JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL AND j.revision = f.revision
          WHERE p.finished_at IS NULL AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at
          GROUP BY f.job",
    )?;
    statement.query_and_then([], |row| Ok((row.get(0)?, instant(row, 1)?, instant(row, 2)?)))?.collect()
}
