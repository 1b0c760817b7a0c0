//! All SQL, behind narrow interfaces of life-cycle verbs.
//!
//! Each caller asks for the part that it needs: what the engine and verbs change is [`Store`], what people ask is
//! [`History`], the care of the database is [`Upkeep`], small values and media are [`AccountState`] and [`Blobs`], and
//! what other processes write is told by [`Changes`]. A backend has them all ([`Backend`]). Who may drive a database at
//! all holds a [`Lease`] on it, taken before it is opened. A simulation writes to a [`SimulatedStore`].
//!
//! `now` is always an argument: the database's clock is never asked. Verbs speak in domain types; no row or driver
//! type leaves this module, so that another database can stand behind the same traits and pass the same suite
//! (`tests/it/store_contract/`): a folder beside `sqlite`, and its lines in `open` and `files`.

mod access;
mod account_state;
mod allowed;
mod backend;
mod blobs;
mod bounds;
mod cells;
mod changes;
mod course;
mod error;
mod files;
mod gone;
mod history;
mod lease;
mod making;
mod model;
mod note;
mod open;
mod pause;
mod plan;
#[cfg(feature = "postgres")]
pub mod postgres;
mod renderer;
mod simulated;
mod source;
mod sqlite;
mod stored;
mod stretches;
mod upkeep;
mod verbs;
mod waiting;
mod walk;

pub use access::Access;
pub use account_state::AccountState;
pub use backend::{Backend, SharedStore};
pub use blobs::Blobs;
pub use changes::Changes;
pub use error::StoreError;
pub use files::{exists, files, log, look, place, real_name, size};
pub use history::History;
pub use lease::{Holder, Lease, LeaseError, Lost, Purpose, UntilLost};
pub use model::*;
pub use open::{create_simulated, driven, holder, open, take_lease};
pub use pause::Pause;
pub use simulated::SimulatedStore;
pub use upkeep::{Breakdown, Upkeep};
pub use verbs::Store;
