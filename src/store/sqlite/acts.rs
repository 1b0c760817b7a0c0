//! Who did what by hand, written with what was done; and requests that are carried out once.

use rusqlite::{Connection, OptionalExtension, params};

use super::by_hand::PushSeveral;
use super::cells::At;
use super::fault::Result;
use super::note::{self, Act};
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::bounds::{KEY_KEPT, KEYS_FORGOTTEN};
use crate::store::model::{By, Once, RequestKey};

/// Pushes of a request that is carried out once.
pub(super) struct PushOnce {
    pub push: PushSeveral,
    pub request: RequestKey,
}

impl Write for PushOnce {
    type Answer = Once;

    fn run(&mut self, conn: &Connection) -> Result<Once> {
        let RequestKey { key, payload } = &self.request;
        let kept_since = self.push.now - KEY_KEPT;
        forget(conn, kept_since)?;
        if let Some(once) = known(conn, key, payload, kept_since)? {
            return Ok(once);
        }
        let ids = self.push.run(conn)?;
        conn.execute(
            "INSERT INTO request_keys VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, push_ids = excluded.push_ids, at = excluded.at",
            params![key, payload, serde_json::to_string(&ids)?, At::from(self.push.now)],
        )?;
        Ok(Once::Recorded(ids))
    }
}

/// What a request came to that was carried out before.
pub(super) fn request(conn: &Connection, request: &RequestKey, now: UtcMs) -> Result<Option<Once>> {
    known(conn, &request.key, &request.payload, now - KEY_KEPT)
}

/// What a key stands for.
fn known(conn: &Connection, key: &str, payload: &str, kept_since: UtcMs) -> Result<Option<Once>> {
    let found: Option<(String, String)> = conn
        .query_row(
            "SELECT payload, push_ids FROM request_keys AS k
              WHERE key = ?1
                AND (at >= ?2 OR EXISTS (SELECT 1 FROM json_each(k.push_ids) AS i JOIN pushes AS p ON p.id = i.value
                                          WHERE p.finished_at IS NULL))",
            params![key, At::from(kept_since)],
            |row| row.try_into(),
        )
        .optional()?;
    let Some((of, ids)) = found else { return Ok(None) };
    if of != payload {
        return Ok(Some(Once::Other));
    }
    Ok(Some(Once::Replayed(serde_json::from_str(&ids)?)))
}

fn forget(conn: &Connection, kept_since: UtcMs) -> Result<()> {
    conn.execute(
        "DELETE FROM request_keys
          WHERE key IN (SELECT key FROM request_keys AS k
                         WHERE at < ?1
                           AND NOT EXISTS (SELECT 1 FROM json_each(k.push_ids) AS i JOIN pushes AS p ON p.id = i.value
                                            WHERE p.finished_at IS NULL)
                         ORDER BY at LIMIT ?2)",
        params![At::from(kept_since), KEYS_FORGOTTEN],
    )?;
    Ok(())
}

/// What is noted of an act that leaves no other trace in the database.
pub(super) struct NoteAct {
    pub verb: &'static str,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for NoteAct {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        note::act(conn, self.by.as_ref(), self.now, &Act { verb: self.verb, ..Act::default() })
    }
}
