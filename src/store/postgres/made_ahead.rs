//! Fires that have their contents before their instants.

use std::sync::Arc;

use sqlx::postgres::PgConnection;

use super::ask::all;
use super::cells::{instant, text};
use super::fault::Result;
use crate::domain::UtcMs;

/// Until when it is decided what becomes of jobs, by what was made ahead for them: the job, the instant, and when that was
/// recorded.
pub(super) async fn made_ahead(conn: &mut PgConnection) -> Result<Vec<(Arc<str>, UtcMs, UtcMs)>> {
    let ask = sqlx::query(
        "SELECT DISTINCT ON (f.job) f.job, f.due_at, f.recorded_at
           FROM pushes AS p
           JOIN fires AS f ON f.id = p.fire_id
           JOIN contents AS c ON c.fire_id = f.id
           JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL AND j.revision = f.revision
          WHERE p.finished_at IS NULL AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at
          ORDER BY f.job, f.due_at DESC",
    );
    let rows = all(conn, ask).await?;
    rows.iter().map(|row| Ok((text(row, 0)?.into(), instant(row, 1)?, instant(row, 2)?))).collect()
}
