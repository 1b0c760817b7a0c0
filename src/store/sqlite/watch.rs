//! What tells of those that were there before: until when a daemon surely watched, what was written last, and whether
//! a backup was put into use.

use rusqlite::{Connection, OptionalExtension};

use super::account_state::SaveState;
use super::cells::parsed;
use super::fault::Result;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::model::Restored;

/// The key of the instant, among what the daemon itself keeps.
const WATCHED_UNTIL: &str = "watched_until";

pub(super) struct NoteWatch {
    pub now: UtcMs,
}

impl Write for NoteWatch {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let (account, key, value) = (String::new(), WATCHED_UNTIL.to_owned(), self.now.to_string());
        SaveState { account, key, value, now: self.now }.run(conn)
    }
}

/// What cannot be read says nothing.
pub(super) fn watched_until(conn: &Connection) -> Result<Option<UtcMs>> {
    let at: Option<String> = conn
        .query_row("SELECT value FROM account_state WHERE account = '' AND key = ?1", [WATCHED_UNTIL], |row| row.get(0))
        .optional()?;
    Ok(at.and_then(|at| at.parse().ok()))
}

pub(super) fn last_recorded_at(conn: &Connection) -> Result<Option<UtcMs>> {
    let newest: Option<String> = conn.query_row(
        "SELECT max(at)
           FROM (SELECT * FROM (SELECT recorded_at AS at FROM fires ORDER BY id DESC LIMIT 1)
                 UNION ALL
                 SELECT * FROM (SELECT started_at FROM attempts ORDER BY id DESC LIMIT 1))",
        [],
        |row| row.get(0),
    )?;
    Ok(newest.as_deref().map(parsed).transpose()?)
}

pub(super) fn restored(conn: &Connection) -> Result<Option<Restored>> {
    let instants: Option<(String, String)> = conn
        .query_row(
            "SELECT f.value, a.value FROM meta AS f, meta AS a WHERE f.key = 'restored_from' AND a.key = 'restored_at'",
            [],
            |row| row.try_into(),
        )
        .optional()?;
    instants
        .map(|(taken_at, restored_at)| {
            Ok(Restored { taken_at: parsed(&taken_at)?, restored_at: parsed(&restored_at)? })
        })
        .transpose()
}
