//! Lists of days that are fetched: of each the last good version.

use sqlx::postgres::PgConnection;

use super::ask::done;
use super::cells::{maybe_plain, plain};
use super::fault::Result;
use super::instants::At;
use super::session::Write;
use crate::domain::UtcMs;
use crate::store::model::NoteFetch;

pub(super) struct KeepFetch {
    pub fetch: NoteFetch,
    pub now: UtcMs,
}

impl Write for KeepFetch {
    type Answer = ();

    /// A fetch that failed leaves the last good version as it is.
    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let NoteFetch { name, url, came } = &self.fetch;
        let list = came.as_ref().ok().and_then(Option::as_ref);
        let keep = sqlx::query(
            "INSERT INTO fetched_calendars AS c (name, url, list, changed_at, good_at, tried_at, error)
             VALUES ($1, $2, $3, CASE WHEN $3 IS NOT NULL THEN $4 END, CASE WHEN $3 IS NOT NULL THEN $4 END, $4, $5)
             ON CONFLICT (name) DO UPDATE
                SET url = excluded.url, list = coalesce(excluded.list, c.list),
                    changed_at = coalesce(excluded.changed_at, c.changed_at),
                    good_at = CASE WHEN excluded.error IS NULL AND coalesce(excluded.list, c.list) IS NOT NULL THEN $4
                                   ELSE c.good_at END,
                    tried_at = excluded.tried_at, error = excluded.error",
        );
        let keep = keep.bind(name).bind(plain(url)).bind(maybe_plain(list)).bind(At::from(self.now));
        done(conn, keep.bind(maybe_plain(came.as_ref().err()))).await?;
        Ok(())
    }
}
