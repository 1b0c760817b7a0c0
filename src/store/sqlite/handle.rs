//! An open database: who writes it, who reads it, and how each is asked.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::fault::{self, closed};
use super::place::real_path;
use super::poll::DataVersion;
use super::readers::Readers;
use super::writer::{Request, Write, Writer};
use super::{connect, poll, upgrade};
use crate::domain::{Locked, UtcMs};
use crate::store::access::Access;
use crate::store::backend::{Backend, SharedStore};
use crate::store::error::{StoreError, StoreResult};
use crate::store::model::By;
use crate::store::pause::Pause;
use crate::store::renderer::Renderer;

/// A database file, open.
pub(crate) struct SqliteStore {
    pub(super) path: PathBuf,
    /// None where the store was opened for reading only.
    writer: Option<mpsc::UnboundedSender<Request>>,
    /// Told when the writing thread broke down.
    broken: Mutex<Option<oneshot::Receiver<()>>>,
    pub(super) readers: Arc<Readers>,
    /// With what templates are rendered.
    pub(super) renderer: Renderer,
    /// In whose hands it is.
    pub(super) by: Option<By>,
    /// So long each question may take.
    pause: Option<Arc<Pause>>,
    /// `PRAGMA data_version` when [`Changes::changed`] was last asked.
    pub(super) seen_version: AtomicI64,
    /// Where nobody writes: the one connection whose `PRAGMA data_version` is looked at, since each counts for itself.
    poller: Arc<Mutex<Option<Connection>>>,
}

impl SqliteStore {
    /// Opens a database, or creates it where `access` says so. Needs a tokio runtime for as long as it lives.
    pub(crate) async fn open(path: impl AsRef<Path>, access: Access, now: UtcMs) -> StoreResult<SqliteStore> {
        let path = real_path(path.as_ref())?;
        let runtime = Handle::current();
        let opened = spawn_blocking(move || {
            connect::prepare(&path, access)?;
            match access {
                Access::Read => Self::open_reading(&path).map_err(|fault| fault::of_reading(fault, &path)),
                Access::Daemon | Access::Write => {
                    let opened = Self::open_writing(&path, access, now, runtime);
                    opened.map_err(|fault| fault.into_store_error(&path))
                }
            }
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
        let version = poll::data_version(&conn)?;
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
        Ok(SqliteStore {
            path: path.to_owned(),
            writer: Some(sender),
            broken,
            readers,
            renderer: Renderer::none(),
            by: None,
            pause: None,
            seen_version,
            poller: Arc::default(),
        })
    }

    fn open_reading(path: &Path) -> fault::Result<SqliteStore> {
        let conn = connect::reader(path)?;
        connect::must_be_current(&conn, path)?;
        let readers = Arc::new(Readers::new(path.to_owned()));
        let (broken, seen_version) = (Mutex::default(), AtomicI64::new(poll::data_version(&conn)?));
        Ok(SqliteStore {
            path: path.to_owned(),
            writer: None,
            broken,
            readers,
            renderer: Renderer::none(),
            by: None,
            pause: None,
            seen_version,
            poller: Arc::new(Mutex::new(Some(conn))),
        })
    }

    /// What ends when the writing thread breaks down, and at no other time: from then on nothing can be recorded. Given
    /// once.
    pub(super) fn until_broken(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let broken = self.broken.locked().take();
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

    pub(super) fn enqueue(&self, unit: Request) -> StoreResult<()> {
        match &self.writer {
            Some(writer) => writer.send(unit).map_err(|_| closed()),
            None => Err(StoreError::Unavailable("it was opened for reading only".to_owned())),
        }
    }

    pub(super) async fn write<W: Write>(&self, write: W) -> StoreResult<W::Answer> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Request::write(write, reply))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// What changes when another connection commits.
    pub(super) async fn version(&self) -> StoreResult<i64> {
        if self.writer.is_some() {
            return self.write(DataVersion).await;
        }
        let (poller, path) = (self.poller.clone(), self.path.clone());
        let asked = spawn_blocking(move || {
            let conn = poller.locked();
            let conn = conn.as_ref().ok_or_else(closed)?;
            poll::data_version(conn).map_err(|fault| fault::of_reading(fault, &path))
        });
        asked.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Lets go of the connection that is looked at.
    pub(super) fn look_away(&self) {
        self.poller.locked().take();
    }

    pub(super) async fn read<T, F>(&self, question: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> fault::Result<T> + Send + 'static,
    {
        let answer = match &self.pause {
            Some(pause) => self.readers.ask_until(question, pause()).await,
            None => self.readers.ask_at_once(question).await,
        };
        answer.map_err(|fault| fault::of_reading(fault, &self.path))
    }
}

impl SqliteStore {
    /// Another handle on the same connections.
    fn again(&self) -> SqliteStore {
        SqliteStore {
            path: self.path.clone(),
            writer: self.writer.clone(),
            broken: Mutex::default(),
            readers: self.readers.clone(),
            renderer: self.renderer.clone(),
            by: self.by.clone(),
            pause: self.pause.clone(),
            seen_version: AtomicI64::new(self.seen_version.load(Ordering::Relaxed)),
            poller: self.poller.clone(),
        }
    }
}

impl Backend for SqliteStore {
    fn by(&self, by: By) -> SharedStore {
        Arc::new(SqliteStore { by: Some(by), ..self.again() })
    }

    fn hasty(&self, pause: Arc<Pause>) -> SharedStore {
        Arc::new(SqliteStore { pause: Some(pause), ..self.again() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::account_state::AccountState;
    use crate::store::changes::Changes;
    use crate::store::upkeep::Upkeep;

    struct Panics;

    impl Write for Panics {
        type Answer = ();

        fn run(&mut self, _: &Connection) -> fault::Result<()> {
            panic!("a bug");
        }
    }

    #[tokio::test]
    async fn a_writer_that_breaks_down_says_so_and_whoever_asks_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("pushcron.db"), Access::Daemon, UtcMs(0)).await.unwrap();
        let broken = store.until_broken();
        assert!(store.write(Panics).await.is_err());
        broken.await;
        assert!(store.save_state("", "key", "value", UtcMs(0)).await.is_err());
    }

    #[tokio::test]
    async fn who_only_reads_sees_that_another_wrote_and_lets_go_when_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pushcron.db");
        let store = Arc::new(SqliteStore::open(&path, Access::Daemon, UtcMs(0)).await.unwrap());
        let reader = SqliteStore::open(&path, Access::Read, UtcMs(0)).await.unwrap();
        let wrote = Arc::new(AtomicI64::new(0));
        let counted = wrote.clone();
        // It waits, and while it does somebody writes.
        let pause: Arc<Pause> = Arc::new(move || {
            let (store, counted) = (store.clone(), counted.clone());
            Box::pin(async move {
                store.save_state("", "key", "value", UtcMs(0)).await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            })
        });
        reader.changed(&*pause).await.unwrap();
        assert_eq!(wrote.load(Ordering::Relaxed), 1);
        reader.close().await;
        assert!(reader.changed(&*pause).await.is_err());
    }

    #[tokio::test]
    async fn a_writer_that_is_closed_in_peace_is_not_broken() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("pushcron.db"), Access::Daemon, UtcMs(0)).await.unwrap();
        let mut broken = std::pin::pin!(store.until_broken());
        store.close().await;
        drop(store);
        tokio::select! {
            biased;
            () = &mut broken => panic!("it is not broken"),
            () = tokio::task::yield_now() => {}
        }
    }
}
