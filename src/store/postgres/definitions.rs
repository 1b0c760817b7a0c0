//! What only deleted history needed: old acts and revisions, jobs that left long ago, media that nobody names.
//!
//! Each is looked for on a session that reads, page by page, and deleted by the writer in small batches that ask again whether
//! it may go: no push waits for the search.

use std::collections::HashSet;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Decode, Encode, Postgres, Row, Type};

use super::ask::{all, done};
use super::cells::maybe_text;
use super::fault::Result;
use super::instants::At;
use super::session::Write;
use super::store::PostgresStore;
use crate::domain::UtcMs;
use crate::store::error::StoreResult;

/// Rows that one question looks at.
const PAGE: i64 = 2000;
/// Rows that one write deletes; media may have megabytes each.
const ROWS: usize = 200;
const MEDIA: usize = 8;

const LOOK_AT_REVISIONS: &str = "SELECT r.job, r.revision,
         r.until_at < $4 AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = r.job AND f.due_at <= r.until_at)
    FROM job_revisions AS r WHERE (r.job, r.revision) > ($1, $2) ORDER BY r.job, r.revision LIMIT $3";

const DELETE_REVISIONS: &str = "DELETE FROM job_revisions AS r
   USING unnest($1::text[], $2::bigint[]) AS old (job, revision)
   WHERE r.job = old.job AND r.revision = old.revision AND r.until_at < $3
     AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = r.job AND f.due_at <= r.until_at)";

const LOOK_AT_JOBS: &str = "SELECT j.name,
         coalesce(coalesce(j.removed_at, CASE WHEN j.source = 'verb' THEN j.ended_at END) < $3, false)
           AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = j.name)
    FROM jobs AS j WHERE j.name > $1 ORDER BY j.name LIMIT $2";

const DELETE_JOBS: &str = "DELETE FROM jobs AS j
   WHERE j.name = ANY($1) AND coalesce(j.removed_at, CASE WHEN j.source = 'verb' THEN j.ended_at END) < $2
     AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = j.name)";

const DELETE_MEDIA: &str = "DELETE FROM blobs WHERE sha256 = ANY($1) AND used_at < $2";

const DELETE_ACTS: &str = "DELETE FROM acts WHERE id = ANY($1) AND at < $2";

/// Once the old fires are gone.
pub(super) async fn prune(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    prune_acts(store, before).await?;
    prune_revisions(store, before).await?;
    prune_jobs(store, before).await?;
    prune_media(store, before).await
}

async fn prune_acts(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    loop {
        let old: Vec<i64> = store.ask(move |conn| Box::pin(acts_before(conn, before))).await?;
        for ids in old.chunks(ROWS) {
            store.write(Delete { statement: DELETE_ACTS, keys: ids.to_vec(), before }).await?;
        }
        if (old.len() as i64) < PAGE {
            return Ok(());
        }
    }
}

async fn acts_before(conn: &mut PgConnection, before: UtcMs) -> Result<Vec<i64>> {
    let ask = sqlx::query("SELECT id FROM acts WHERE at < $1 ORDER BY at LIMIT $2");
    all(conn, ask.bind(At::from(before)).bind(PAGE)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Deletes, of these keys, the rows that are still old.
struct Delete<K> {
    statement: &'static str,
    keys: Vec<K>,
    before: UtcMs,
}

impl<K> Write for Delete<K>
where
    K: Send + Sync + 'static,
    Vec<K>: for<'q> Encode<'q, Postgres> + Type<Postgres>,
{
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        done(conn, sqlx::query(self.statement).bind(&self.keys).bind(At::from(self.before))).await?;
        Ok(())
    }
}

type RevisionKey = (String, i64);

async fn prune_revisions(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    let mut after: RevisionKey = (String::new(), 0);
    loop {
        let page = store.ask(move |conn| Box::pin(revisions_after(conn, after, before))).await?;
        let Some((last, _)) = page.last().cloned() else { return Ok(()) };
        let is_full = page.len() as i64 == PAGE;
        let old: Vec<RevisionKey> = page.into_iter().filter(|(_, may_go)| *may_go).map(|(key, _)| key).collect();
        for keys in old.chunks(ROWS) {
            let (jobs, revisions) = keys.iter().cloned().unzip();
            store.write(DeleteRevisions { jobs, revisions, before }).await?;
        }
        if !is_full {
            return Ok(());
        }
        after = last;
    }
}

/// The keys of a page, and whether each may go.
async fn revisions_after(
    conn: &mut PgConnection,
    (job, revision): RevisionKey,
    before: UtcMs,
) -> Result<Vec<(RevisionKey, bool)>> {
    let ask = sqlx::query(LOOK_AT_REVISIONS).bind(job).bind(revision).bind(PAGE).bind(At::from(before));
    all(conn, ask).await?.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
}

struct DeleteRevisions {
    jobs: Vec<String>,
    revisions: Vec<i64>,
    before: UtcMs,
}

impl Write for DeleteRevisions {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let delete = sqlx::query(DELETE_REVISIONS).bind(&self.jobs).bind(&self.revisions);
        done(conn, delete.bind(At::from(self.before))).await?;
        Ok(())
    }
}

async fn prune_jobs(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    let mut after = String::new();
    loop {
        let page = store.ask(move |conn| Box::pin(jobs_after(conn, after, before))).await?;
        let Some((last, _)) = page.last().cloned() else { return Ok(()) };
        let is_full = page.len() as i64 == PAGE;
        let old: Vec<String> = page.into_iter().filter(|(_, may_go)| *may_go).map(|(name, _)| name).collect();
        for names in old.chunks(ROWS) {
            store.write(Delete { statement: DELETE_JOBS, keys: names.to_vec(), before }).await?;
        }
        if !is_full {
            return Ok(());
        }
        after = last;
    }
}

async fn jobs_after(conn: &mut PgConnection, after: String, before: UtcMs) -> Result<Vec<(String, bool)>> {
    let ask = sqlx::query(LOOK_AT_JOBS).bind(after).bind(PAGE).bind(At::from(before));
    all(conn, ask).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whatever takes to a medium anew, a loaded file or a push by hand, says so in `used_at` first. So what is old, and in
/// use afterwards by nothing that was there before, is needed by nobody, as long as it is still as old when it goes.
async fn prune_media(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    let old = store.ask(move |conn| Box::pin(media_used_before(conn, before))).await?;
    if old.is_empty() {
        return Ok(());
    }
    let mut in_use: HashSet<String> = HashSet::new();
    let mut after = String::new();
    loop {
        let page = store.ask(move |conn| Box::pin(names_in_jobs(conn, after))).await?;
        in_use.extend(page.named);
        match page.last.filter(|_| page.is_full) {
            Some(last) => after = last,
            None => break,
        }
    }
    let mut after = 0;
    loop {
        let page = store.ask(move |conn| Box::pin(names_in_pushes(conn, after))).await?;
        in_use.extend(page.named);
        match page.last.filter(|_| page.is_full) {
            Some(last) => after = last,
            None => break,
        }
    }
    let old: Vec<String> = old.into_iter().filter(|sha256| !in_use.contains(sha256)).collect();
    for names in old.chunks(MEDIA) {
        store.write(Delete { statement: DELETE_MEDIA, keys: names.to_vec(), before }).await?;
    }
    Ok(())
}

async fn media_used_before(conn: &mut PgConnection, before: UtcMs) -> Result<Vec<String>> {
    let ask = sqlx::query("SELECT sha256 FROM blobs WHERE used_at < $1").bind(At::from(before));
    all(conn, ask).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A page of definitions or messages: the last one's key, and the media they name.
struct Named<K> {
    last: Option<K>,
    is_full: bool,
    named: Vec<String>,
}

impl<K: for<'r> Decode<'r, Postgres> + Type<Postgres>> Named<K> {
    fn of(rows: &[PgRow]) -> Result<Named<K>> {
        let last = rows.last().map(|row| row.try_get(0)).transpose()?;
        let mut named = Vec::new();
        for row in rows {
            named.extend(media_in(maybe_text(row, 1)?));
        }
        Ok(Named { last, is_full: rows.len() as i64 == PAGE, named })
    }
}

async fn names_in_jobs(conn: &mut PgConnection, after: String) -> Result<Named<String>> {
    let ask = sqlx::query(
        "SELECT name, CASE WHEN strpos(definition::text, 'blob:') > 0 THEN definition::text END FROM jobs
          WHERE removed_at IS NULL AND name > $1 ORDER BY name LIMIT $2",
    );
    Named::of(&all(conn, ask.bind(after).bind(PAGE)).await?)
}

async fn names_in_pushes(conn: &mut PgConnection, after: i64) -> Result<Named<i64>> {
    let ask = sqlx::query(
        "SELECT id, CASE WHEN strpos(message::text, 'blob:') > 0 THEN message::text END FROM pushes
          WHERE finished_at IS NULL AND id > $1 ORDER BY id LIMIT $2",
    );
    Named::of(&all(conn, ask.bind(after).bind(PAGE)).await?)
}

fn media_in(text: Option<&str>) -> impl Iterator<Item = String> {
    let after_each = text.unwrap_or_default().split("blob:").skip(1);
    after_each.filter_map(|rest| rest.get(..64)).map(str::to_owned)
}
