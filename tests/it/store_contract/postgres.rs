//! PostgreSQL behind the contract, on a server that the tests start.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use pushcron::domain::UtcMs;
use pushcron::store::postgres::{Address, PostgresStore};
use pushcron::store::{Access, SharedStore};

use crate::postgres::cluster::cluster;
use crate::store_contract::world::{Backend, NINE};

/// A database of its own.
pub(super) struct Postgres {
    address: Address,
    directory: tempfile::TempDir,
}

impl Postgres {
    /// None, and said aloud, where PostgreSQL is not installed.
    pub(super) async fn new() -> Option<Postgres> {
        let address = cluster()?.database("").await;
        Some(Postgres { address, directory: tempfile::tempdir().unwrap() })
    }
}

impl Backend for Postgres {
    fn open(&self) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>> {
        Box::pin(async move {
            Arc::new(PostgresStore::open(&self.address, Access::Daemon, NINE).await.unwrap()) as SharedStore
        })
    }

    fn open_backup(&self, path: PathBuf, _: UtcMs) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>> {
        panic!("{}: a copy of a database on a server is made with pg_dump", path.display())
    }

    fn scratch(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}
