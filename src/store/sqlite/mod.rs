//! The store over SQLite: one file, one writer, two readers.
//!
//! SQLite's own ways (pragmas, `json_each`, the partial indexes, one writer at a time) stay in here. Each file holds
//! the statements of one table or two; a write is a small type with its arguments, run by `writer` inside whatever
//! transaction it finds itself in. What happens to every push goes row by row through statements that stay prepared,
//! without `RETURNING`, which would build a temporary table for each row.

mod account_state;
mod accounts;
mod acts;
mod asked;
mod attempts;
mod blobs;
mod by_hand;
mod calendars;
mod cells;
mod changes;
mod connect;
mod contents;
mod definitions;
mod ends;
mod expand;
mod fallbacks;
mod fault;
mod fetched;
mod figures;
mod fires;
mod fold;
mod gone;
mod handle;
mod history;
mod identity;
mod job_rows;
mod jobs;
mod last_good;
mod lease;
mod ledger;
mod look;
mod made_ahead;
mod note;
mod of_fire;
mod opened;
mod place;
mod poll;
mod pruned;
mod pushes;
mod readers;
mod record;
mod records;
mod release;
mod sign;
mod simulated;
mod upgrade;
mod upkeep;
mod verbs;
mod views;
mod watch;
mod withdraw;
mod writer;

pub(super) use handle::SqliteStore;
pub(super) use lease::FileLease;
pub(super) use look::look;
pub(super) use place::real_path;
pub(super) use simulated::Simulated;
