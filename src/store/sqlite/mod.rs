//! The store over SQLite: one file, one writer, two readers.
//!
//! SQLite's own ways (pragmas, `json_each`, the partial indexes, one writer at a time) stay in here. Each file holds
//! the statements of one table or two; a write is a small type with its arguments, run by `writer` inside whatever
//! transaction it finds itself in. What happens to every push goes row by row through statements that stay prepared,
//! without `RETURNING`, which would build a temporary table for each row.

mod accounts;
mod attempts;
mod cells;
mod connect;
mod definitions;
mod fault;
mod fires;
mod gone;
mod history;
mod identity;
mod jobs;
mod ledger;
mod lock;
mod place;
mod pushes;
mod readers;
mod record;
mod sign;
mod upgrade;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::{
    AccountRow, AdHoc, Applied, BadEnds, Begin, Cursor, Figures, Filter, Finish, FireRecord, Interrupted, JobChange,
    NewFire, OpenPush, Pruned, Recorded, Restored, Revision, Settle, Standing, Store, StoreError, StoredJob, Table,
    TakeBack, Unwatched, View,
};
use crate::domain::{Delivery, LedgerIds, LedgerJob, LedgerRow, PushState, Target, UtcMs};
use readers::Readers;
use writer::{Unit, Write, Writer, closed};

pub use connect::{Access, beside};
pub use identity::{Identity, Lost};
pub use lock::{DaemonLock, LockError, Purpose, is_daemon};
pub use place::real_path;

type Result<T> = std::result::Result<T, StoreError>;

/// A database file, open.
pub struct SqliteStore {
    path: PathBuf,
    /// None where the store was opened for reading only.
    writer: Option<mpsc::UnboundedSender<Unit>>,
    /// Told when the writing thread broke down.
    broken: Mutex<Option<oneshot::Receiver<()>>>,
    readers: Arc<Readers>,
    /// `PRAGMA data_version` when [`Store::changed_outside`] was last asked.
    seen_version: AtomicI64,
}

impl SqliteStore {
    /// Opens a database, or creates it where `access` says so. Needs a tokio runtime for as long as it lives.
    pub async fn open(path: impl AsRef<Path>, access: Access, now: UtcMs) -> Result<SqliteStore> {
        let path = real_path(path.as_ref())?;
        let runtime = Handle::current();
        let opened = spawn_blocking(move || {
            connect::prepare(&path, access)?;
            let opened = match access {
                Access::Read => Self::open_reading(&path),
                Access::Daemon | Access::Write => Self::open_writing(&path, access, now, runtime),
            };
            opened.map_err(|fault| fault.told(&path))
        });
        // Only a runtime that ends drops what it was given to do.
        opened.await.unwrap_or_else(|_| Err(closed()))
    }

    fn open_writing(path: &Path, access: Access, now: UtcMs, runtime: Handle) -> fault::Result<SqliteStore> {
        let conn = connect::writer(path)?;
        match access {
            // Whoever opens it so holds it.
            Access::Daemon => connect::migrate(&conn, path, now)?,
            Access::Write | Access::Read => upgrade::where_nobody_holds_it(&conn, path, now)?,
        }
        let failed = |problem: String| StoreError::Open { path: path.display().to_string(), problem };
        connect::tighten(path).map_err(|error| failed(format!("it cannot be closed to other users: {error}")))?;
        let version = upkeep::data_version(&conn)?;
        let (sender, queue) = mpsc::unbounded_channel();
        let readers = Arc::new(Readers::new(path.to_owned()));
        let writer = Writer::new(path.to_owned(), conn, queue, readers.clone(), runtime);
        let (tell_broken, broken) = oneshot::channel();
        std::thread::Builder::new()
            .name("store-write".to_owned())
            .spawn(move || writer.run_or_tell(tell_broken))
            .map_err(|error| failed(format!("no thread to write it: {error}")))?;
        let broken = Mutex::new(Some(broken));
        let seen_version = AtomicI64::new(version);
        Ok(SqliteStore { path: path.to_owned(), writer: Some(sender), broken, readers, seen_version })
    }

    fn open_reading(path: &Path) -> fault::Result<SqliteStore> {
        connect::must_be_current(&connect::reader(path)?, path)?;
        let readers = Arc::new(Readers::new(path.to_owned()));
        let (broken, seen_version) = (Mutex::default(), AtomicI64::new(0));
        Ok(SqliteStore { path: path.to_owned(), writer: None, broken, readers, seen_version })
    }

    /// What ends when the writing thread breaks down, and at no other time: from then on nothing can be recorded. Given
    /// once.
    pub fn breakdown(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            // A writer that was closed in peace tells nothing.
            let is_broken = match broken {
                Some(broken) => broken.await.is_ok(),
                None => false,
            };
            if !is_broken {
                std::future::pending::<()>().await;
            }
        }
    }

    fn enqueue(&self, unit: Unit) -> Result<()> {
        match &self.writer {
            Some(writer) => writer.send(unit).map_err(|_| closed()),
            None => Err(StoreError::Unavailable("it was opened for reading only".to_owned())),
        }
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Unit::write(write, reply))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn read<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> fault::Result<T> + Send + 'static,
    {
        self.readers.ask_at_once(question).await.map_err(|fault| fault.told(&self.path))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn jobs(&self) -> Result<Vec<StoredJob>> {
        self.read(jobs::jobs).await
    }

    async fn paused_jobs(&self) -> Result<Vec<String>> {
        self.read(jobs::paused_jobs).await
    }

    async fn apply_jobs(&self, changes: Vec<JobChange>, removed: Vec<Arc<str>>, now: UtcMs) -> Result<Applied> {
        self.write(jobs::ApplyJobs { changes, removed, now }).await
    }

    async fn set_paused(&self, job: &str, paused: bool, now: UtcMs) -> Result<bool> {
        self.write(jobs::SetPaused { job: job.to_owned(), paused, now }).await
    }

    async fn record_fires(&self, fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs) -> Result<Recorded> {
        self.write(record::RecordFires { fires, cursors, now }).await
    }

    async fn withdraw_ahead(&self, now: UtcMs) -> Result<u64> {
        self.write(fires::WithdrawAhead { now }).await
    }

    async fn unwatched(&self, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>> {
        self.read(move |conn| fires::unwatched(conn, after, until)).await
    }

    async fn last_recorded_at(&self) -> Result<Option<UtcMs>> {
        self.read(fires::last_recorded_at).await
    }

    async fn fire_by_hand(&self, job: &str, now: UtcMs) -> Result<Vec<i64>> {
        self.write(fires::FireByHand { job: job.to_owned(), now }).await
    }

    async fn push_ad_hoc(&self, push: AdHoc, now: UtcMs) -> Result<i64> {
        self.write(fires::PushAdHoc { push, now }).await
    }

    async fn open_pushes(&self) -> Result<Vec<OpenPush>> {
        self.read(pushes::open_pushes).await
    }

    async fn begin_attempts(&self, begins: Vec<Begin>, now: UtcMs) -> Result<Vec<Delivery>> {
        self.write(attempts::BeginAttempts { begins, now }).await
    }

    async fn finish_attempts(&self, finishes: Vec<Finish>) -> Result<Vec<i64>> {
        self.write(attempts::FinishAttempts { finishes }).await
    }

    async fn take_back_attempts(&self, attempts: Vec<TakeBack>, now: UtcMs) -> Result<Vec<i64>> {
        self.write(attempts::TakeBackAttempts { attempts, now }).await
    }

    async fn tell_next_attempts(&self, next_attempts: Vec<(i64, UtcMs)>) -> Result<()> {
        self.write(attempts::TellNextAttempts { next_attempts }).await
    }

    async fn end_unreadable(&self, now: UtcMs) -> Result<()> {
        self.write(pushes::EndUnreadable { now }).await
    }

    async fn settle(&self, settles: Vec<Settle>, now: UtcMs) -> Result<()> {
        self.write(pushes::SettlePushes { settles, now }).await
    }

    async fn interrupted(&self) -> Result<Vec<Interrupted>> {
        self.read(attempts::interrupted).await
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
        let (account, message_id) = (account.to_owned(), message_id.to_owned());
        let found = self.read(move |conn| pushes::with_message(conn, &account, &message_id, now)).await?;
        match found {
            Some(push_id) => self.write(pushes::Confirm { push_id, now }).await,
            None => Ok(false),
        }
    }

    async fn record_accounts(&self, accounts: Vec<AccountRow>, all: bool) -> Result<()> {
        self.write(accounts::RecordAccounts { accounts, all }).await
    }

    async fn accounts(&self) -> Result<Vec<AccountRow>> {
        self.read(accounts::accounts).await
    }

    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>> {
        let account = account.to_owned();
        self.read(move |conn| accounts::recall(conn, &account)).await
    }

    async fn remember(&self, account: &str, key: &str, value: &str, now: UtcMs) -> Result<()> {
        let (account, key, value) = (account.to_owned(), key.to_owned(), value.to_owned());
        self.write(accounts::Remember { account, key, value, now }).await
    }

    async fn push_and_remember(&self, push: AdHoc, key: &str, value: &str, now: UtcMs) -> Result<i64> {
        let remember = accounts::Remember { account: String::new(), key: key.to_owned(), value: value.to_owned(), now };
        self.write(accounts::PushAndRemember { push: fires::PushAdHoc { push, now }, remember }).await
    }

    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> Result<String> {
        self.write(accounts::PutBlob { bytes, now }).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>> {
        let sha256 = sha256.to_owned();
        self.read(move |conn| accounts::blob(conn, &sha256)).await
    }

    async fn view(&self, view: View, filter: &Filter) -> Result<Table> {
        let filter = filter.clone();
        self.read(move |conn| history::view(conn, view, &filter)).await
    }

    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>> {
        self.read(move |conn| history::standings(conn, after_id, only_open, limit)).await
    }

    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>> {
        let job = job.to_owned();
        self.read(move |conn| history::fires(conn, &job, from, until)).await
    }

    async fn revisions(&self, job: &str) -> Result<Vec<Revision>> {
        let job = job.to_owned();
        self.read(move |conn| history::revisions(conn, &job)).await
    }

    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> Result<Vec<LedgerJob>> {
        let (only, after) = (only.map(str::to_owned), after.to_owned());
        self.read(move |conn| ledger::jobs(conn, only.as_deref(), &after, limit)).await
    }

    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> Result<Vec<LedgerRow>> {
        let job = job.to_owned();
        self.read(move |conn| ledger::rows(conn, &job, from, until, limit)).await
    }

    async fn ledger_ids(&self) -> Result<Vec<LedgerIds>> {
        self.read(ledger::ids).await
    }

    async fn bad_ends(
        &self,
        after: i64,
        since: Option<UtcMs>,
        except: Option<(&str, &Target)>,
        first: u64,
    ) -> Result<BadEnds> {
        let except = except.map(|(im, target)| (im.to_owned(), target.to_string()));
        self.read(move |conn| history::bad_ends(conn, after, since, except, first)).await
    }

    async fn figures(&self) -> Result<Figures> {
        self.read(upkeep::figures).await
    }

    async fn finished_pushes(&self) -> Result<u64> {
        upkeep::finished_pushes(self).await
    }

    async fn restored(&self) -> Result<Option<Restored>> {
        self.read(upkeep::restored).await
    }

    async fn push_state(&self, push_id: i64) -> Result<Option<PushState>> {
        self.read(move |conn| pushes::push_state(conn, push_id)).await
    }

    async fn changed_outside(&self) -> Result<bool> {
        let version = self.write(upkeep::DataVersion).await?;
        Ok(self.seen_version.swap(version, Ordering::Relaxed) != version)
    }

    async fn prune(&self, before: UtcMs, limit: u64) -> Result<Pruned> {
        let fires = self.read(move |conn| upkeep::old_fires(conn, before, limit)).await?;
        let was_last = (fires.len() as u64) < limit;
        let pruned = self.write(upkeep::Prune { fires }).await?;
        if was_last {
            definitions::prune(self, before).await?;
        }
        Ok(pruned)
    }

    async fn checkpoint(&self) -> Result<()> {
        self.write(upkeep::Checkpoint).await
    }

    async fn backup(&self, to: &Path, now: UtcMs) -> Result<()> {
        let (from, to) = (self.path.clone(), to.to_owned());
        let copied = spawn_blocking(move || upkeep::backup(&from, &to, now).map_err(|fault| fault.told(&from)));
        copied.await.unwrap_or_else(|_| Err(closed()))
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
