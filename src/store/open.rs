//! From the place of a database to the backend that it takes: the one file that knows which there are.

use std::path::PathBuf;
use std::sync::Arc;

use super::access::Access;
use super::backend::SharedStore;
use super::error::StoreResult;
use super::lease::{Holder, Lease, LeaseError, Purpose};
use super::simulated::SimulatedStore;
use super::sqlite::{FileLease, Simulated, SqliteStore};
use crate::domain::{Database, UtcMs};

/// Opens a database, or creates it where `access` says so. Needs a tokio runtime for as long as it lives.
///
/// # Errors
///
/// Where it is not there, not ours, damaged, or of a later release.
pub async fn open(database: &Database, access: Access, now: UtcMs) -> StoreResult<SharedStore> {
    match database {
        Database::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, access, now).await?)),
    }
}

/// Begins the database of a simulation that begins at `from`.
///
/// # Errors
///
/// Where something is there that no simulation wrote, or nothing can be.
pub fn create_simulated(database: &Database, from: UtcMs) -> StoreResult<Box<dyn SimulatedStore>> {
    match database {
        Database::Sqlite(path) => Ok(Box::new(Simulated::create(path, from)?)),
    }
}

/// Takes the right to drive a database, or tells who has it. To be held for as long as the database is used.
///
/// # Errors
///
/// Where another process holds it, or it cannot be held.
pub async fn take_lease(database: &Database, purpose: Purpose, now: UtcMs) -> Result<Box<dyn Lease>, LeaseError> {
    match database {
        Database::Sqlite(path) => Ok(Box::new(FileLease::take(path, purpose, now)?)),
    }
}

/// The databases that daemons drive which this user may look at, on this machine.
pub fn driven() -> Vec<Database> {
    let found = FileLease::open_anywhere().into_iter();
    let is_driven = |path: &PathBuf| FileLease::holder(path).is_some_and(|holder| holder.is_daemon);
    found.filter(is_driven).map(Database::Sqlite).collect()
}

/// Who drives a database, if anybody does; waits for the answer. Takes nothing, so that nobody who starts meanwhile is
/// kept from it.
pub fn holder(database: &Database) -> Option<Holder> {
    match database {
        Database::Sqlite(path) => FileLease::holder(path),
    }
}
