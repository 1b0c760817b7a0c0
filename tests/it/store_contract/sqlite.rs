//! SQLite behind the contract, and what only SQLite promises.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use pushcron::domain::{Database, UtcMs};
use pushcron::store::{self, Access, SharedStore};

use crate::store_contract::world::{Backend, NINE};

/// A database in a directory of its own.
pub(super) struct Sqlite {
    directory: tempfile::TempDir,
}

impl Sqlite {
    pub(super) fn new() -> Sqlite {
        Sqlite { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("pushcron.db")
    }

    pub(super) async fn store(&self) -> SharedStore {
        store::open(&Database::at(self.path()), Access::Daemon, NINE).await.unwrap()
    }
}

impl Backend for Sqlite {
    fn open(&self) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>> {
        Box::pin(self.store())
    }

    fn open_backup(&self, path: PathBuf, now: UtcMs) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>> {
        Box::pin(async move { store::open(&Database::at(path), Access::Write, now).await.unwrap() })
    }

    fn scratch(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}
