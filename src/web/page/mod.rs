//! The page: what people see of a running daemon in a browser, and the forms by which they act (docs/web.md).
//!
//! ```text
//! admission (session or socket, scope, own form) ─ table ─┬─ now, pushes, jobs … ── answers ── the reader, under its deadline
//!                                                         └─ doing ──────────────── acts ───── the daemon's store, and its bell
//! ```
//!
//! Everything is made here and read without a script. What others wrote is escaped twice: by the templates, for HTML, and as a
//! whole, for what turns the reading direction.

mod accounts;
mod acts;
mod admission;
mod answer;
mod assets;
mod chart;
mod cookies;
mod doing;
mod explained;
mod figures;
mod filters;
mod frame;
mod headers;
mod jobs;
mod live;
mod look;
mod memory;
mod now;
mod password;
mod push;
mod pushes;
mod session;
mod sign_in;
mod stamp;
mod streams;
mod strip;
mod table;
mod tell;
mod timeline;
mod trying;

pub(super) use self::live::watch;
pub(super) use self::memory::PageMemory;
pub(crate) use self::memory::{OPEN_LINK, OpenLink, random};
pub(crate) use self::password::hash_of_password;
pub(super) use self::session::Person;
#[cfg(test)]
pub(super) use self::table::{Leaf, SHEETS};
