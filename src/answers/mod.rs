//! Questions about jobs, pushes and accounts, and their answers as types: for the command line, and for whatever else
//! shows them. Nothing here knows a terminal or HTML.

pub mod accounts;
pub mod backfill;
pub mod calendar;
pub mod check;
pub mod contacts;
pub mod explain;
pub mod follow;
pub mod history;
pub mod jobs;
pub mod ledger;
pub mod names;
pub mod next;
pub mod refusal;
pub mod rows;
pub mod show;
pub mod status;
pub mod when;
pub mod which;
pub mod words;

/// What can be asked.
pub use crate::store::History as Asked;
