//! The store over PostgreSQL, on a server that the tests start.

mod beside;
pub(crate) mod cluster;
mod commits;
mod kept;
mod members;
mod proxy;
mod schema;
mod seats;
mod starting;

use pushcron::domain::UtcMs;
use pushcron::store::Access;
use pushcron::store::postgres::{Address, PostgresStore};

/// 2026-01-01T09:00:00.000Z.
const NINE: UtcMs = UtcMs(1_767_258_000_000);

async fn open(address: &Address) -> PostgresStore {
    PostgresStore::open(address, Access::Daemon, NINE).await.unwrap_or_else(|problem| panic!("{problem}"))
}
