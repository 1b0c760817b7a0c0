//! All parts of a store together.

use std::sync::Arc;

use super::account_state::AccountState;
use super::blobs::Blobs;
use super::changes::Changes;
use super::history::History;
use super::model::By;
use super::pause::Pause;
use super::upkeep::Upkeep;
use super::verbs::Store;

/// A database, whole. Whoever needs one part of it takes that part.
pub trait Backend: Store + History + AccountState + Blobs + Upkeep + Changes {
    /// The same database in the hands of somebody: each act (a fire, a push, a retry, a cancel, what became of an unknown
    /// push, a pause, a job made, changed or removed) leaves a row in `acts`, in the transaction that does it. What is done
    /// without saying who leaves none.
    fn by(&self, by: By) -> SharedStore;

    /// The same database for who cannot wait: a question that is still open when `pause` is over is broken off, with
    /// [`StoreError::TooLong`](super::StoreError::TooLong).
    fn hasty(&self, pause: Arc<Pause>) -> SharedStore;
}

/// A store that many share.
pub type SharedStore = Arc<dyn Backend>;
