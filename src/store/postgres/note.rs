//! The row that an act by hand leaves.

use sqlx::postgres::PgConnection;

use super::ask::done;
use super::cells::{maybe_plain, plain};
use super::fault::Result;
use super::instants::At;
use crate::domain::UtcMs;
use crate::store::model::By;
pub(super) use crate::store::note::Act;

/// Notes an act in the transaction that did it. What nobody did by hand leaves no row.
pub(super) async fn act(conn: &mut PgConnection, by: Option<&By>, now: UtcMs, act: &Act<'_>) -> Result<()> {
    let Some(By { actor, via, request }) = by else { return Ok(()) };
    let Act { verb, job, push_id, fire_id, before, after } = *act;
    let note = sqlx::query(
        "INSERT INTO acts (at, actor, via, verb, job, push_id, fire_id, before, after, request)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    );
    let note = note.bind(At::from(now)).bind(plain(actor)).bind(*via).bind(verb).bind(job);
    let note = note.bind(push_id).bind(fire_id).bind(before).bind(after).bind(maybe_plain(request.as_ref()));
    done(conn, note).await?;
    Ok(())
}
