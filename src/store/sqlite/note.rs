//! The row that an act by hand leaves.

use rusqlite::{Connection, params};

use super::cells::At;
use super::fault::Result;
use crate::domain::UtcMs;
use crate::store::model::By;
pub(super) use crate::store::note::Act;

/// Notes an act in the transaction that did it. What nobody did by hand leaves no row.
pub(super) fn act(conn: &Connection, by: Option<&By>, now: UtcMs, act: &Act<'_>) -> Result<()> {
    let Some(By { actor, via, request }) = by else { return Ok(()) };
    let Act { verb, job, push_id, fire_id, before, after } = act;
    conn.execute(
        "INSERT INTO acts (at, actor, via, verb, job, push_id, fire_id, before, after, request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![At::from(now), actor, via, verb, job, push_id, fire_id, before, after, request],
    )?;
    Ok(())
}
