//! The store over PostgreSQL: all that the store's traits ask for, behind the same contract as SQLite. No daemon runs on it yet.
//!
//! One session writes, at a time one of all processes (`session`), and two read beside it. What became of a COMMIT without an
//! answer is found out before anybody is told. Hosts, seats and their fences have a session of their own.
//!
//! The library's pool is not used for writes, and no future of its that writes is ever dropped: see `line`.

mod account_state;
mod accounts;
mod acts;
mod address;
mod ask;
mod asked;
mod attempts;
mod begin;
mod blobs;
mod by_hand;
mod calendars;
mod cells;
mod changes;
mod connect;
mod contents;
mod definitions;
mod delivery;
mod ends;
mod expand;
mod fallbacks;
mod fault;
mod fence;
mod fetched;
mod figures;
mod fired;
mod fleet;
mod fold;
mod gone;
mod history;
mod ids;
mod instants;
mod job_questions;
mod job_rows;
mod jobs;
mod json;
mod last_good;
mod ledger;
mod line;
mod made_ahead;
mod member;
mod meta;
mod migrate;
mod news;
mod note;
mod noticed;
mod numbers;
mod of_fire;
mod opened;
mod pruned;
mod pushes;
mod question;
mod readers;
mod record;
mod records;
mod release;
mod session;
mod store;
mod upkeep;
mod verbs;
mod views;
mod watch;
mod withdraw;

pub use address::{Address, AddressError, Server, Tls};
pub use fence::Fence;
pub use fleet::{Fleet, Host, HostRow, SeatRow};
pub use member::{Member, Turn};
pub use store::PostgresStore;
