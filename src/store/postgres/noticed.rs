//! What tells of those that were there before: until when a daemon surely watched, what was written last, and whether
//! a backup was put into use.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::account_state::SaveState;
use super::ask::{maybe, one};
use super::cells::{maybe_instant, parsed, text};
use super::fault::Result;
use super::session::Write;
use crate::domain::UtcMs;
use crate::store::model::Restored;

/// The key of the instant, among what the daemon itself keeps.
const WATCHED_UNTIL: &str = "watched_until";

pub(super) struct NoteWatch {
    pub now: UtcMs,
}

impl Write for NoteWatch {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let (account, key, value) = (String::new(), WATCHED_UNTIL.to_owned(), self.now.to_string());
        SaveState { account, key, value, now: self.now }.run(conn).await
    }
}

/// What cannot be read says nothing.
pub(super) async fn watched_until(conn: &mut PgConnection) -> Result<Option<UtcMs>> {
    let ask = sqlx::query("SELECT value FROM account_state WHERE account = '' AND key = $1").bind(WATCHED_UNTIL);
    let Some(row) = maybe(conn, ask).await? else { return Ok(None) };
    Ok(text(&row, 0)?.parse().ok())
}

pub(super) async fn last_recorded_at(conn: &mut PgConnection) -> Result<Option<UtcMs>> {
    let ask = sqlx::query(
        "SELECT greatest((SELECT recorded_at FROM fires ORDER BY id DESC LIMIT 1),
                         (SELECT started_at FROM attempts ORDER BY id DESC LIMIT 1))",
    );
    maybe_instant(&one(conn, ask).await?, 0)
}

pub(super) async fn restored(conn: &mut PgConnection) -> Result<Option<Restored>> {
    let ask = sqlx::query(
        "SELECT f.value, a.value FROM meta AS f, meta AS a WHERE f.key = 'restored_from' AND a.key = 'restored_at'",
    );
    let Some(row) = maybe(conn, ask).await? else { return Ok(None) };
    let (taken_at, restored_at): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(Restored { taken_at: parsed(taken_at)?, restored_at: parsed(restored_at)? }))
}
