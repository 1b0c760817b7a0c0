//! All SQL, behind narrow interfaces of life-cycle verbs.
//!
//! Each caller asks for the part that it needs: what the engine and verbs change is [`Store`], what people ask is
//! [`History`], the care of the database is [`Upkeep`], small values and media are [`AccountState`] and [`Blobs`]. A
//! backend has them all ([`Backend`]). A simulation writes to a [`SimulatedStore`].
//!
//! `now` is always an argument: the database's clock is never asked. Verbs speak in domain types; no row or driver
//! type leaves this module, so that another database can stand behind the same traits and pass the same suite
//! (`tests/it/store_contract/`).

mod access;
mod account_state;
mod backend;
mod blobs;
mod error;
mod files;
mod history;
mod model;
mod open;
mod simulated;
pub mod sqlite;
mod upkeep;
mod verbs;

pub use access::Access;
pub use account_state::AccountState;
pub use backend::{Backend, SharedStore};
pub use blobs::Blobs;
pub use error::StoreError;
pub use files::{exists, files, log, place, real_name, size};
pub use history::History;
pub use model::*;
pub use open::{create_simulated, open};
pub use simulated::SimulatedStore;
pub use upkeep::{Breakdown, Upkeep};
pub use verbs::Store;
