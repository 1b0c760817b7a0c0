//! Who did what by hand, written with what was done; and requests that are carried out once.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{done, maybe};
use super::by_hand::PushSeveral;
use super::cells::{json, to_json};
use super::fault::Result;
use super::instants::At;
use super::note::{self, Act};
use super::session::Write;
use crate::domain::UtcMs;
use crate::store::bounds::{KEY_KEPT, KEYS_FORGOTTEN};
use crate::store::model::{By, Once, RequestKey};

/// Whether a push of a request `k` is open.
macro_rules! is_open {
    () => {
        "EXISTS (SELECT 1 FROM json_array_elements_text(k.push_ids) AS i (id) JOIN pushes AS p ON p.id = i.id::bigint
                  WHERE p.finished_at IS NULL)"
    };
}

/// Pushes of a request that is carried out once.
pub(super) struct PushOnce {
    pub push: PushSeveral,
    pub request: RequestKey,
}

impl Write for PushOnce {
    type Answer = Once;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Once> {
        let RequestKey { key, payload } = &self.request;
        let kept_since = self.push.now - KEY_KEPT;
        forget(conn, kept_since).await?;
        if let Some(once) = known(conn, key, payload, kept_since).await? {
            return Ok(once);
        }
        let ids = self.push.run(conn).await?;
        let keep = sqlx::query(
            "INSERT INTO request_keys (key, payload, push_ids, at) VALUES ($1, $2, $3::json, $4)
             ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, push_ids = excluded.push_ids, at = excluded.at",
        );
        done(conn, keep.bind(key).bind(payload).bind(to_json(&ids)?).bind(At::from(self.push.now))).await?;
        Ok(Once::Recorded(ids))
    }
}

/// What a request came to that was carried out before.
pub(super) async fn request(conn: &mut PgConnection, request: &RequestKey, now: UtcMs) -> Result<Option<Once>> {
    known(conn, &request.key, &request.payload, now - KEY_KEPT).await
}

/// What a key stands for.
async fn known(conn: &mut PgConnection, key: &str, payload: &str, kept_since: UtcMs) -> Result<Option<Once>> {
    let find = sqlx::query(concat!(
        "SELECT payload = $2, push_ids::text FROM request_keys AS k WHERE key = $1 AND (at >= $3 OR ",
        is_open!(),
        ")"
    ));
    let Some(row) = maybe(conn, find.bind(key).bind(payload).bind(At::from(kept_since))).await? else {
        return Ok(None);
    };
    Ok(Some(if row.try_get(0)? { Once::Replayed(json(&row, 1)?) } else { Once::Other }))
}

async fn forget(conn: &mut PgConnection, kept_since: UtcMs) -> Result<()> {
    let forget = sqlx::query(concat!(
        "DELETE FROM request_keys
          WHERE key IN (SELECT key FROM request_keys AS k WHERE at < $1 AND NOT ",
        is_open!(),
        " ORDER BY at LIMIT $2)"
    ));
    done(conn, forget.bind(At::from(kept_since)).bind(KEYS_FORGOTTEN)).await?;
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

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        note::act(conn, self.by.as_ref(), self.now, &Act { verb: self.verb, ..Act::default() }).await
    }
}
