//! The store over SQLite: one file, one writer, two readers.
//!
//! SQLite's own ways (pragmas, `json_each`, the partial indexes, one writer at a time) stay in here. Each file holds
//! the statements of one table or two; a write is a small type with its arguments, run by `writer` inside whatever
//! transaction it finds itself in.

mod accounts;
mod attempts;
mod bulk;
mod connect;
mod fault;
mod fires;
mod history;
mod jobs;
mod ledger;
mod lock;
mod pushes;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::{
    AccountRow, AdHoc, Applied, BadEnds, Begin, Cursor, Figures, Filter, Finish, FireRecord, Interrupted, JobChange,
    NewFire, OpenPush, Pruned, Recorded, Restored, Revision, Settle, Store, StoreError, StoredJob, Table, View,
};
use crate::domain::{Delivery, LedgerJob, LedgerRow, PushState, Target, UtcMs};
use bulk::Calls;
use fault::Fault;
use writer::{Unit, Write, Writer, closed};

pub use connect::Access;
pub use lock::{DaemonLock, LockError};

type Result<T> = std::result::Result<T, StoreError>;

/// Connections for reading: one for the daemon's own questions, one for whatever else is asked meanwhile.
const READERS: u32 = 2;

/// A database file, open.
pub struct SqliteStore {
    path: PathBuf,
    /// None where the store was opened for reading only.
    writer: Option<mpsc::UnboundedSender<Unit>>,
    readers: SqlitePool,
    /// `PRAGMA data_version` when [`Store::changed_outside`] was last asked.
    seen_version: AtomicI64,
}

impl SqliteStore {
    /// Opens a database, or creates it where `access` says so. Needs a tokio runtime for as long as it lives.
    pub async fn open(path: impl AsRef<Path>, access: Access, now: UtcMs) -> Result<SqliteStore> {
        let path = path.as_ref();
        connect::prepare(path, access).await?;
        let opened = match access {
            Access::Read => Self::open_reading(path).await,
            Access::Daemon | Access::Write => Self::open_writing(path, now).await,
        };
        opened.map_err(|fault| fault.told(path))
    }

    async fn open_writing(path: &Path, now: UtcMs) -> fault::Result<SqliteStore> {
        let mut conn = connect::writer(path).connect().await?;
        connect::migrate(&mut conn, path, now).await?;
        connect::tighten(path).map_err(|error| {
            let problem = format!("it cannot be closed to other users: {error}");
            StoreError::Open { path: path.display().to_string(), problem }
        })?;
        let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut conn).await?;
        let (sender, queue) = mpsc::unbounded_channel();
        let readers = readers(path);
        tokio::spawn(Writer::new(path.to_owned(), conn, queue, readers.clone()).run());
        Ok(SqliteStore { path: path.to_owned(), writer: Some(sender), readers, seen_version: AtomicI64::new(version) })
    }

    async fn open_reading(path: &Path) -> fault::Result<SqliteStore> {
        let readers = readers(path);
        connect::must_be_current(&mut *readers.acquire().await?, path).await?;
        Ok(SqliteStore { path: path.to_owned(), writer: None, readers, seen_version: AtomicI64::new(0) })
    }

    fn enqueue(&self, unit: Unit) -> Result<()> {
        match &self.writer {
            Some(writer) => writer.send(unit).map_err(|_| closed()),
            None => Err(StoreError::Unavailable("it was opened for reading only".to_owned())),
        }
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Unit::other(write, reply))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Runs a question on a reading connection, in a transaction, so that it sees one state of the database even
    /// where it reads in pieces.
    async fn read<T>(&self, question: impl AsyncFnOnce(&mut sqlx::SqliteConnection) -> fault::Result<T>) -> Result<T> {
        let answer: fault::Result<T> = async {
            let mut transaction = self.readers.begin().await?;
            let answer = question(&mut transaction).await?;
            transaction.rollback().await?;
            Ok(answer)
        }
        .await;
        answer.map_err(|fault: Fault| fault.told(&self.path))
    }
}

fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .test_before_acquire(false)
        .connect_lazy_with(connect::reader(path))
}

#[async_trait]
impl Store for SqliteStore {
    async fn jobs(&self) -> Result<Vec<StoredJob>> {
        self.read(async |conn| jobs::jobs(conn).await).await
    }

    async fn paused_jobs(&self) -> Result<Vec<String>> {
        self.read(async |conn| jobs::paused_jobs(conn).await).await
    }

    async fn apply_jobs(&self, changes: Vec<JobChange>, removed: Vec<Arc<str>>, now: UtcMs) -> Result<Applied> {
        self.write(jobs::ApplyJobs { changes, removed, now }).await
    }

    async fn set_paused(&self, job: &str, paused: bool, now: UtcMs) -> Result<bool> {
        self.write(jobs::SetPaused { job: job.to_owned(), paused, now }).await
    }

    async fn record_fires(&self, fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs) -> Result<Recorded> {
        self.write(fires::RecordFires { fires, cursors, now }).await
    }

    async fn withdraw_ahead(&self, awake_at: UtcMs) -> Result<u64> {
        self.write(fires::WithdrawAhead { awake_at }).await
    }

    async fn last_recorded_at(&self) -> Result<Option<UtcMs>> {
        self.read(async |conn| fires::last_recorded_at(conn).await).await
    }

    async fn fire_by_hand(&self, job: &str, now: UtcMs) -> Result<Vec<i64>> {
        self.write(fires::FireByHand { job: job.to_owned(), now }).await
    }

    async fn push_ad_hoc(&self, push: AdHoc, now: UtcMs) -> Result<i64> {
        self.write(fires::PushAdHoc { push, now }).await
    }

    async fn open_pushes(&self) -> Result<Vec<OpenPush>> {
        self.read(async |conn| pushes::open_pushes(conn).await).await
    }

    async fn begin_attempts(&self, begins: Vec<Begin>, now: UtcMs) -> Result<Vec<Delivery>> {
        let (reply, answer) = oneshot::channel();
        let items = begins.into_iter().map(|begin| (begin, now)).collect();
        self.enqueue(Unit::Begin(Calls::one(items, reply)))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn finish_attempts(&self, finishes: Vec<Finish>) -> Result<Vec<i64>> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Unit::Finish(Calls::one(finishes, reply)))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn settle(&self, settles: Vec<Settle>, now: UtcMs) -> Result<()> {
        self.write(pushes::SettlePushes { settles, now }).await
    }

    async fn interrupted(&self) -> Result<Vec<Interrupted>> {
        self.read(async |conn| attempts::interrupted(conn).await).await
    }

    async fn cancel(&self, push_id: i64, now: UtcMs) -> Result<()> {
        self.write(pushes::Cancel { push_id, now }).await
    }

    async fn retry(&self, push_id: i64, now: UtcMs) -> Result<()> {
        self.write(pushes::Retry { push_id, now }).await
    }

    async fn resolve(&self, push_id: i64, sent: bool, now: UtcMs) -> Result<()> {
        self.write(pushes::Resolve { push_id, sent, now }).await
    }

    async fn confirm(&self, account: &str, message_id: &str, now: UtcMs) -> Result<bool> {
        self.write(pushes::Confirm { account: account.to_owned(), message_id: message_id.to_owned(), now }).await
    }

    async fn record_accounts(&self, accounts: Vec<AccountRow>, all: bool) -> Result<()> {
        self.write(accounts::RecordAccounts { accounts, all }).await
    }

    async fn accounts(&self) -> Result<Vec<AccountRow>> {
        self.read(async |conn| accounts::accounts(conn).await).await
    }

    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>> {
        self.read(async |conn| accounts::recall(conn, account).await).await
    }

    async fn remember(&self, account: &str, key: &str, value: &str, now: UtcMs) -> Result<()> {
        let (account, key, value) = (account.to_owned(), key.to_owned(), value.to_owned());
        self.write(accounts::Remember { account, key, value, now }).await
    }

    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> Result<String> {
        self.write(accounts::PutBlob { bytes, now }).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>> {
        self.read(async |conn| accounts::blob(conn, sha256).await).await
    }

    async fn view(&self, view: View, filter: &Filter) -> Result<Table> {
        self.read(async |conn| history::view(conn, view, filter).await).await
    }

    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>> {
        self.read(async |conn| history::fires(conn, job, from, until).await).await
    }

    async fn revisions(&self, job: &str) -> Result<Vec<Revision>> {
        self.read(async |conn| history::revisions(conn, job).await).await
    }

    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> Result<Vec<LedgerJob>> {
        self.read(async |conn| ledger::jobs(conn, only, after, limit).await).await
    }

    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> Result<Vec<LedgerRow>> {
        self.read(async |conn| ledger::rows(conn, job, from, until, limit).await).await
    }

    async fn bad_ends(
        &self,
        after: UtcMs,
        until: UtcMs,
        except: Option<(&str, &Target)>,
        first: u64,
    ) -> Result<BadEnds> {
        self.read(async |conn| history::bad_ends(conn, after, until, except, first).await).await
    }

    async fn figures(&self) -> Result<Figures> {
        self.read(async |conn| upkeep::figures(conn).await).await
    }

    async fn finished_pushes(&self) -> Result<u64> {
        self.read(async |conn| upkeep::finished_pushes(conn).await).await
    }

    async fn restored(&self) -> Result<Option<Restored>> {
        self.read(async |conn| upkeep::restored(conn).await).await
    }

    async fn push_state(&self, push_id: i64) -> Result<Option<PushState>> {
        self.read(async |conn| pushes::push_state(conn, push_id).await).await
    }

    async fn changed_outside(&self) -> Result<bool> {
        let version = self.write(upkeep::DataVersion).await?;
        Ok(self.seen_version.swap(version, Ordering::Relaxed) != version)
    }

    async fn prune(&self, before: UtcMs, limit: u64) -> Result<Pruned> {
        self.write(upkeep::Prune { before, limit }).await
    }

    async fn checkpoint(&self) -> Result<()> {
        self.write(upkeep::Checkpoint).await
    }

    async fn backup(&self, to: &Path, now: UtcMs) -> Result<()> {
        upkeep::backup(&self.path, to, now).await.map_err(|fault| fault.told(&self.path))
    }

    async fn close(&self) {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        if self.enqueue(Unit::Close(done)).is_ok() {
            // Either way the writer is gone.
            let _ = closed.await;
        }
    }
}
