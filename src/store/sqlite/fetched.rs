//! Lists of days that are fetched: of each the last good version.

use rusqlite::{Connection, params};

use super::cells::{At, instant, maybe_instant};
use super::fault::Result;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::model::{FetchedCalendar, NoteFetch};

pub(super) fn fetched_calendars(conn: &Connection) -> Result<Vec<FetchedCalendar>> {
    let mut statement =
        conn.prepare("SELECT name, url, list, good_at, tried_at, error FROM fetched_calendars ORDER BY name")?;
    let rows = statement.query_and_then([], |row| {
        Ok(FetchedCalendar {
            name: row.get(0)?,
            url: row.get(1)?,
            list: row.get(2)?,
            good_at: maybe_instant(row, 3)?,
            tried_at: instant(row, 4)?,
            error: row.get(5)?,
        })
    })?;
    rows.collect()
}

pub(super) struct KeepFetch {
    pub fetch: NoteFetch,
    pub now: UtcMs,
}

impl Write for KeepFetch {
    type Answer = ();

    /// A fetch that failed leaves the last good version as it is.
    fn run(&mut self, conn: &Connection) -> Result<()> {
        let NoteFetch { name, url, came } = &self.fetch;
        let list = came.as_ref().ok().and_then(Option::as_ref);
        let now = At::from(self.now);
        conn.prepare(
            "INSERT INTO fetched_calendars (name, url, list, changed_at, good_at, tried_at, error)
             VALUES (?1, ?2, ?3, iif(?3 IS NULL, NULL, ?4), iif(?3 IS NULL, NULL, ?4), ?4, ?5)
             ON CONFLICT (name) DO UPDATE
                SET url = excluded.url, list = coalesce(excluded.list, list),
                    changed_at = coalesce(excluded.changed_at, changed_at),
                    good_at = iif(excluded.error IS NULL AND coalesce(excluded.list, list) IS NOT NULL, ?4, good_at),
                    tried_at = excluded.tried_at, error = excluded.error",
        )?
        .execute(params![name, url, list, now, came.as_ref().err()])?;
        Ok(())
    }
}
