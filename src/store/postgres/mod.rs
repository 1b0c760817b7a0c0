//! The store over PostgreSQL, as far as it is done: the server and its address, the schema, one connection that writes, what
//! became of a COMMIT without an answer, hosts, seats and their fences, what senders keep, and media. No daemon runs on it yet.
//!
//! The library's pool is not used for writes, and no future of its that writes is ever dropped: see `line`.

mod account_state;
mod address;
mod blobs;
mod connect;
mod fault;
mod fence;
mod fleet;
mod instants;
mod line;
mod member;
mod migrate;
mod session;
mod store;
mod watch;

pub use address::{Address, AddressError, Server, Tls};
pub use fence::Fence;
pub use fleet::{Fleet, Host, HostRow, SeatRow};
pub use member::{Member, Turn};
pub use store::PostgresStore;
