//! The HTTP API of a running daemon (`daemon.web`, docs/api.md): a face of the same answers and acts that verbs have.
//!
//! ```text
//! net::http1 ─ guard (host, page, path, token, scope, rate) ─ api ─┬─ reads ── answers ── a store of its own, to read
//!                                                                  ├─ doing ── acts ───── the daemon's store, and its bell
//!                                                                  └─ pushes ─ acts, then the end of the push
//! ```
//!
//! It runs on a thread of its own, so that no question holds up a push. `routes` is the one table of what can be asked; the
//! OpenAPI document is made from it.

mod api;
mod doing;
mod guard;
mod jobs;
mod openapi;
mod page;
mod pages;
mod preview;
mod problem;
mod pushes;
mod rates;
mod reads;
mod routes;
mod server;
mod socket;
mod state;
#[cfg(test)]
mod tests;
mod waits;
mod who;

pub(crate) use self::page::{OPEN_LINK, OpenLink, hash_of_password, random};
use crate::daemon::Part;

/// The API as a part of a daemon.
pub(crate) fn part() -> Box<dyn Part> {
    Box::new(server::Web::default())
}
