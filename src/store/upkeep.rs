//! What keeps the database small, copied and closed.

use std::path::Path;
use std::pin::Pin;

use async_trait::async_trait;

use super::error::StoreError;
use super::model::{DatabaseStats, Pruned};
use crate::domain::UtcMs;

/// What ends when a store breaks down, and at no other time.
pub type Breakdown = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The care of the database itself.
#[async_trait]
pub trait Upkeep: Send + Sync {
    async fn database_stats(&self) -> Result<DatabaseStats, StoreError>;

    /// How many pushes are final; counted in steps, which take a while where there are millions.
    async fn finished_pushes(&self) -> Result<u64, StoreError>;

    /// Deletes the oldest fires, at most `limit`, that are older than `before` and whose pushes are all final, with
    /// all that hangs on them, and notes how far ([`crate::domain::LedgerJob::pruned_until`]).
    async fn prune(&self, before: UtcMs, limit: u64) -> Result<Pruned, StoreError>;

    /// Makes the figures ([`History::hours`](super::History::hours), [`History::job_days`](super::History::job_days)) of the next
    /// hour whose time has come: five minutes after it, and again a day later, since retries and what a person says of a push
    /// change what became of it. The days of jobs that ended in it are made with it. Each question and each write is of one
    /// hour or less, so that a long history holds up nobody. Returns false where no hour's time has come.
    ///
    /// An hour that pruning has reached is not made a second time.
    async fn fold_hours(&self, now: UtcMs) -> Result<bool, StoreError>;

    /// Folds the log into the database, where it has one that grows until somebody does.
    async fn checkpoint(&self) -> Result<(), StoreError>;

    /// A consistent copy, mode 0600, at a path where no file is.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAllowed`] where a copy is made by the database's own tools.
    async fn backup(&self, to: &Path, now: UtcMs) -> Result<(), StoreError>;

    /// Ends when nothing can be recorded any more, for a reason that only a restart mends. Given once.
    fn breakdown(&self) -> Breakdown;

    /// Finishes what is queued and closes the database.
    async fn close(&self);
}
