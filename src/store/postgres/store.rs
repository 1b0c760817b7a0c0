//! The handle: a line that writes, one that reads, and one for how the hosts stand.

use super::address::Address;
use super::connect::{begin, connect};
use super::fence::Fence;
use super::line::Line;
use super::migrate::migrate;
use super::session::{Session, Write};
use crate::domain::UtcMs;
use crate::store::error::StoreResult;

/// A database on a PostgreSQL server, as far as it is done: what senders keep, and media. Exactly one connection of it
/// writes: two that overlap would keep a host that takes a seat waiting for ever.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    writer: Line,
    reader: Line,
    /// A connection of its own, so that a host that has much to write is not taken for lost.
    fleet: Line,
    /// Under which it writes; None where nobody else does.
    fence: Option<Fence>,
}

impl PostgresStore {
    /// Opens a database and brings its schema up to date. Needs a tokio runtime for as long as it lives.
    ///
    /// # Errors
    ///
    /// Where the server is not fit, the database not ours, or of a later release.
    pub async fn open(address: &Address, now: UtcMs) -> StoreResult<PostgresStore> {
        let conn = migrate(begin(address).await?, address, now).await?;
        let another = || async {
            let conn = connect(address).await.map_err(|fault| fault.into_store_error(address))?;
            Ok(Line::new(Session::new(address.clone(), conn)))
        };
        let (reader, fleet) = (another().await?, another().await?);
        Ok(PostgresStore { writer: Line::new(Session::new(address.clone(), conn)), reader, fleet, fence: None })
    }

    /// The same database for the holder of a seat: whatever it writes is written only while it holds that.
    pub fn under(&self, fence: Fence) -> PostgresStore {
        PostgresStore { fence: Some(fence), ..self.clone() }
    }

    /// Finishes what is queued and closes the database.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
        self.fleet.close().await;
    }

    pub(super) async fn write<W: Write>(&self, write: W) -> StoreResult<W::Answer> {
        self.writer.write(write, self.fence.clone()).await
    }

    pub(super) async fn read<W: Write>(&self, read: W) -> StoreResult<W::Answer> {
        self.reader.read(read).await
    }

    /// About hosts and seats.
    pub(super) async fn write_fleet<W: Write>(&self, write: W) -> StoreResult<W::Answer> {
        self.fleet.write(write, None).await
    }

    pub(super) async fn read_fleet<W: Write>(&self, read: W) -> StoreResult<W::Answer> {
        self.fleet.read(read).await
    }
}
