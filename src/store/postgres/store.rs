//! The handle: a line that writes, one that reads, and one for how the hosts stand.

use std::fmt;
use std::sync::Arc;

use sqlx::postgres::PgConnection;

use super::address::Address;
use super::connect::{begin, connect, drop_hard};
use super::fence::Fence;
use super::line::Line;
use super::migrate::migrate;
use super::numbers::{Changed, settled};
use super::question::{Answer, Question};
use super::readers::Readers;
use super::session::{Session, Write};
use crate::domain::UtcMs;
use crate::store::access::Access;
use crate::store::backend::{Backend, SharedStore};
use crate::store::error::{StoreError, StoreResult};
use crate::store::model::By;
use crate::store::pause::Pause;
use crate::store::renderer::Renderer;

/// A database on a PostgreSQL server. Exactly one connection of it writes: two that overlap would keep a host that takes a
/// seat waiting for ever.
#[derive(Clone)]
pub struct PostgresStore {
    /// None where it was opened for reading only.
    writer: Option<Line>,
    readers: Arc<Readers>,
    /// Looks for what others wrote.
    pub(super) watcher: Line,
    pub(super) changed: Changed,
    /// A connection of its own, so that a host that has much to write is not taken for lost.
    fleet: Line,
    /// Under which it writes; None where nobody else does.
    fence: Option<Fence>,
    /// With what templates are rendered.
    pub(super) renderer: Renderer,
    /// In whose hands it is.
    pub(super) by: Option<By>,
    /// So long each question may take.
    pub(super) pause: Option<Arc<Pause>>,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("fence", &self.fence).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens a database and brings its schema up to date, where `access` says so. Needs a tokio runtime for as long as it lives.
    ///
    /// # Errors
    ///
    /// Where the server is not fit, the database not ours, or of another release.
    pub async fn open(address: &Address, access: Access, now: UtcMs) -> StoreResult<PostgresStore> {
        let mut conn = migrate(begin(address).await?, address, access, now).await?;
        let settled = settled(&mut conn).await.map_err(|fault| fault.into_store_error(address))?;
        drop_hard(conn).await;
        let changed = Changed::since(settled);
        let writer = || Line::new(Session::writing(address.clone(), changed.clone()));
        let fleet = connect(address).await.map_err(|fault| fault.into_store_error(address))?;
        Ok(PostgresStore {
            writer: (access != Access::Read).then(writer),
            readers: Arc::new(Readers::new(address.clone())),
            watcher: Line::new(Session::reading(address.clone())),
            changed,
            fleet: Line::new(Session::new(address.clone(), fleet)),
            fence: None,
            renderer: Renderer::none(),
            by: None,
            pause: None,
        })
    }

    /// The same database for the holder of a seat: whatever it writes is written only while it holds that.
    pub fn under(&self, fence: Fence) -> PostgresStore {
        PostgresStore { fence: Some(fence), ..self.clone() }
    }

    /// Finishes what is queued and closes the database.
    pub async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        self.readers.close().await;
        self.watcher.close().await;
        self.fleet.close().await;
    }

    pub(super) async fn write<W: Write>(&self, write: W) -> StoreResult<W::Answer> {
        match &self.writer {
            Some(writer) => writer.write(write, self.fence.clone()).await,
            None => Err(StoreError::Unavailable("it was opened for reading only".to_owned())),
        }
    }

    /// What ends when the writer breaks down, and at no other time: from then on nothing can be recorded.
    pub(super) fn until_broken(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let broken = self.writer.as_ref().map(Line::until_broken);
        async move {
            match broken {
                Some(broken) => broken.await,
                None => std::future::pending().await,
            }
        }
    }

    pub(super) async fn read<W: Write>(&self, read: W) -> StoreResult<W::Answer> {
        match &self.pause {
            Some(pause) => self.readers.ask_until(read, pause()).await,
            None => self.readers.ask(read).await,
        }
    }

    pub(super) async fn ask<T, F>(&self, question: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> Answer<'c, T> + Send + 'static,
    {
        self.read(Question::new(question)).await
    }

    /// About hosts and seats.
    pub(super) async fn write_fleet<W: Write>(&self, write: W) -> StoreResult<W::Answer> {
        self.fleet.write(write, None).await
    }

    pub(super) async fn read_fleet<W: Write>(&self, read: W) -> StoreResult<W::Answer> {
        self.fleet.read(read).await
    }
}

impl Backend for PostgresStore {
    fn by(&self, by: By) -> SharedStore {
        Arc::new(PostgresStore { by: Some(by), ..self.clone() })
    }

    fn hasty(&self, pause: Arc<Pause>) -> SharedStore {
        Arc::new(PostgresStore { pause: Some(pause), ..self.clone() })
    }
}
