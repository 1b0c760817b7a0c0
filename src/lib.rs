//! pushcron: cron for instant messages.
//!
//! The modules, lowest first; each knows only those above it in this list, and `tests/it/layers.rs` keeps it so:
//!
//! - [`domain`]: the nouns (job, fire, push, attempt, account, outcome) and their legal moves.
//! - [`texts`]: what people are told, in English and in Chinese.
//! - [`clock`]: the one clock, real or manual.
//! - `whole_file`: files written whole or not at all.
//! - [`zone`]: which time zone data the process goes by.
//! - [`policy`]: pure decisions: what is due, which account, what follows from an outcome.
//! - [`render`]: texts with `{{ … }}` that become what is sent, within bounds.
//! - [`config`]: YAML files to definitions, or every problem with its place.
//! - [`store`]: all SQL, behind narrow traits.
//! - [`net`]: the one HTTP server, and whose names a request may be addressed to.
//! - [`senders`]: one file per wire protocol, behind one trait.
//! - [`media`]: from the source of an image, voice, video or file to a checked local file.
//! - `program`: programs of others, run with bounds.
//! - [`engine`]: where decisions meet I/O: the durable timer, the dispatcher, recovery.
//! - [`simulate`]: the same decisions over virtual time: a month in a second, and nothing is sent.
//! - `answers`: questions about jobs, pushes and accounts, and their answers as types.
//! - `acts`: what people do to jobs and pushes, and who did it.
//! - [`logging`]: one event, one line: for people, for the journal, for programs.
//! - [`daemon`]: setting up, reloading, stopping.
//! - `web`: the page and the HTTP API, two faces over `answers` and `acts`.
//! - `mcp`: tools for an assistant, each of them a request to the API.
//! - [`cli`]: one file per verb, and the tables that people read.
//!
//! The way of one push: a YAML file becomes definitions (`config`), which become rows (`store`); the timer (`engine`)
//! asks `policy` what is due and records fire and pushes; the dispatcher picks an account (`policy`), opens an attempt
//! (`store`), sends (`senders`), and records outcome and next state (`policy`, `store`).

pub(crate) mod acts;
pub(crate) mod answers;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod logging;
pub(crate) mod mcp;
pub mod media;
pub mod net;
pub mod policy;
pub(crate) mod program;
pub mod render;
pub mod senders;
pub mod simulate;
pub mod store;
pub mod texts;
pub(crate) mod web;
pub(crate) mod whole_file;
pub mod zone;
