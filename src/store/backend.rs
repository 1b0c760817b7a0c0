//! All parts of a store together.

use std::sync::Arc;

use super::account_state::AccountState;
use super::blobs::Blobs;
use super::changes::Changes;
use super::history::History;
use super::upkeep::Upkeep;
use super::verbs::Store;

/// A database, whole. Whoever needs one part of it takes that part.
pub trait Backend: Store + History + AccountState + Blobs + Upkeep + Changes {}

impl<T: Store + History + AccountState + Blobs + Upkeep + Changes> Backend for T {}

/// A store that many share.
pub type SharedStore = Arc<dyn Backend>;
