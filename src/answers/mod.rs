//! Questions about jobs, pushes and accounts, and their answers as types: for the command line, and for whatever else
//! shows them. Nothing here knows a terminal or HTML.

pub(crate) mod accounts;
pub(crate) mod acts;
pub(crate) mod backfill;
pub(crate) mod calendar;
pub(crate) mod check;
pub(crate) mod contacts;
pub(crate) mod explain;
pub(crate) mod figures;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod jobs;
pub(crate) mod ledger;
pub(crate) mod names;
pub(crate) mod next;
pub(crate) mod preview;
pub(crate) mod refusal;
pub(crate) mod rows;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod unpushed;
pub(crate) mod when;
pub(crate) mod which;
pub(crate) mod words;

/// What can be asked.
pub(crate) use crate::store::History as Asked;
