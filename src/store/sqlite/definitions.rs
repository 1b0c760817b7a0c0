//! What only deleted history needed: old acts and revisions, jobs that left long ago, media that nobody names.
//!
//! Each is looked for on a connection that reads, page by page, and deleted by the writer in small batches that ask
//! again whether it may go: no push waits for the search.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::cells::{At, maybe_text};
use super::fault::Result;
use super::handle::SqliteStore;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::error::StoreResult;

/// Rows that one question looks at.
const PAGE: i64 = 2000;
/// Rows that one write deletes; media may have megabytes each.
const ROWS: usize = 200;
const MEDIA: usize = 8;

/// A table in which to look for what is old.
struct Sweep {
    /// After `?1`, at most `?2` rows: the key, and whether the row may go; `?3` is the instant.
    look: &'static str,
    /// Of the keys in `?1` those that may go.
    delete: &'static str,
}

const REVISIONS: Sweep = Sweep {
    look: "SELECT r.rowid, r.until_at < ?3
                   AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = r.job AND f.due_at <= r.until_at)
             FROM job_revisions AS r WHERE r.rowid > coalesce(?1, 0) ORDER BY r.rowid LIMIT ?2",
    delete: "DELETE FROM job_revisions
              WHERE rowid IN (SELECT value FROM json_each(?1)) AND until_at < ?2
                AND NOT EXISTS (SELECT 1 FROM fires
                                 WHERE fires.job = job_revisions.job AND fires.due_at <= job_revisions.until_at)",
};

const JOBS: Sweep = Sweep {
    look: "SELECT name, coalesce(coalesce(removed_at, iif(source = 'verb', ended_at, NULL)) < ?3, 0)
                   AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = j.name)
             FROM jobs AS j WHERE name > coalesce(?1, '') ORDER BY name LIMIT ?2",
    delete: "DELETE FROM jobs
              WHERE name IN (SELECT value FROM json_each(?1)) AND coalesce(removed_at, iif(source = 'verb', ended_at, NULL)) < ?2
                AND NOT EXISTS (SELECT 1 FROM fires WHERE fires.job = jobs.name)",
};

const DELETE_MEDIA: &str = "DELETE FROM blobs WHERE sha256 IN (SELECT value FROM json_each(?1)) AND used_at < ?2";

const DELETE_ACTS: &str = "DELETE FROM acts WHERE id IN (SELECT value FROM json_each(?1)) AND at < ?2";

/// Once the old fires are gone.
pub(super) async fn prune(store: &SqliteStore, before: UtcMs) -> StoreResult<()> {
    loop {
        let old = store.read(move |conn| acts_before(conn, before)).await?;
        let is_last = (old.len() as i64) < PAGE;
        delete(store, DELETE_ACTS, old.into_iter().map(Into::into).collect(), ROWS, before).await?;
        if is_last {
            break;
        }
    }
    for sweep in [&REVISIONS, &JOBS] {
        let mut after = Value::Null;
        loop {
            let page = store.read(move |conn| sweep.page(conn, after, before)).await?;
            let Some(((last, _), is_full)) = page.last().cloned().map(|last| (last, page.len() as i64 == PAGE)) else {
                break;
            };
            let old = page.into_iter().filter(|(_, may_go)| *may_go).map(|(key, _)| in_json(key)).collect();
            delete(store, sweep.delete, old, ROWS, before).await?;
            if !is_full {
                break;
            }
            after = last;
        }
    }
    prune_media(store, before).await
}

fn acts_before(conn: &Connection, before: UtcMs) -> Result<Vec<i64>> {
    let mut statement = conn.prepare("SELECT id FROM acts WHERE at < ?1 ORDER BY at LIMIT ?2")?;
    let ids = statement.query_map(params![At::from(before), PAGE], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

impl Sweep {
    fn page(&self, conn: &Connection, after: Value, before: UtcMs) -> Result<Vec<(Value, bool)>> {
        let mut statement = conn.prepare(self.look)?;
        let rows = statement.query_map(params![after, PAGE, At::from(before)], |row| row.try_into())?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Whatever takes to a medium anew, a loaded file or a push by hand, says so in `used_at` first. So what is old, and in
/// use afterwards by nothing that was there before, is needed by nobody, as long as it is still as old when it goes.
async fn prune_media(store: &SqliteStore, before: UtcMs) -> StoreResult<()> {
    let old = store.read(move |conn| media_used_before(conn, before)).await?;
    if old.is_empty() {
        return Ok(());
    }
    let mut in_use = HashSet::new();
    for look in [
        "SELECT name, iif(instr(definition, 'blob:') > 0, definition, NULL) FROM jobs
          WHERE removed_at IS NULL AND name > coalesce(?1, '') ORDER BY name LIMIT ?2",
        "SELECT id, iif(instr(message, 'blob:') > 0, message, NULL) FROM pushes INDEXED BY pushes_open
          WHERE finished_at IS NULL AND id > coalesce(?1, 0) ORDER BY id LIMIT ?2",
    ] {
        let mut after = Value::Null;
        loop {
            let (rows, last, named) = store.read(move |conn| names_in(conn, look, after)).await?;
            in_use.extend(named);
            if rows < PAGE {
                break;
            }
            after = last;
        }
    }
    let old = old.into_iter().filter(|sha256| !in_use.contains(sha256)).map(Into::into).collect();
    delete(store, DELETE_MEDIA, old, MEDIA, before).await
}

fn media_used_before(conn: &Connection, before: UtcMs) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT sha256 FROM blobs INDEXED BY blobs_used WHERE used_at < ?1")?;
    let names = statement.query_map([At::from(before)], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// A page of definitions or messages: how many there were, the last one's key, and the media they name.
fn names_in(conn: &Connection, look: &'static str, after: Value) -> Result<(i64, Value, Vec<String>)> {
    let mut statement = conn.prepare(look)?;
    let mut rows = statement.query(params![after, PAGE])?;
    let (mut count, mut last, mut named) = (0, Value::Null, Vec::new());
    while let Some(row) = rows.next()? {
        count += 1;
        last = row.get(0)?;
        let text = maybe_text(row, 1)?.unwrap_or_default();
        named.extend(text.split("blob:").skip(1).filter_map(|rest| rest.get(..64)).map(str::to_owned));
    }
    Ok((count, last, named))
}

fn in_json(key: Value) -> serde_json::Value {
    match key {
        Value::Integer(key) => key.into(),
        Value::Text(key) => key.into(),
        _ => serde_json::Value::Null,
    }
}

async fn delete(
    store: &SqliteStore,
    statement: &'static str,
    keys: Vec<serde_json::Value>,
    at_once: usize,
    before: UtcMs,
) -> StoreResult<()> {
    for keys in keys.chunks(at_once) {
        let keys = serde_json::Value::Array(keys.to_vec()).to_string();
        store.write(Delete { statement, keys, before }).await?;
    }
    Ok(())
}

struct Delete {
    statement: &'static str,
    keys: String,
    before: UtcMs,
}

impl Write for Delete {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        conn.execute(self.statement, params![self.keys, At::from(self.before)])?;
        Ok(())
    }
}
