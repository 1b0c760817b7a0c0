//! What was done, as facts.

use std::path::PathBuf;
use std::slice;

use serde::Serialize;

use crate::domain::{Schedule, UtcMs};
use crate::texts::Text;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub(crate) enum Done {
    Fired {
        job: String,
        push_ids: Vec<i64>,
    },
    Backfilled {
        job: String,
        fires: usize,
        push_ids: Vec<i64>,
    },
    Pushed {
        push_ids: Vec<i64>,
    },
    Retried {
        push_id: i64,
    },
    Cancelled {
        push_id: i64,
    },
    Resolved {
        push_id: i64,
        sent: bool,
    },
    /// `changed` is whether it was not so before.
    Paused {
        job: String,
        changed: bool,
    },
    Resumed {
        job: String,
        changed: bool,
    },
    Defined {
        jobs: Vec<Defined>,
    },
    Removed {
        jobs: Vec<Removed>,
    },
    BackedUp {
        file: PathBuf,
    },
    /// A fire, before its pushes were made.
    FireCancelled {
        job: String,
        due_at: UtcMs,
        timezone: Option<String>,
    },
    /// A list of days, which is in force where the files are loaded next.
    Imported {
        calendar: String,
        file: PathBuf,
        /// What whoever brings it should know of it.
        told: Option<Text>,
    },
    /// `contact` is the one to whom the account can write, where there is just one.
    LoggedIn {
        account: String,
        platform_id: String,
        contact: Option<String>,
        kept_in: PathBuf,
    },
}

impl Done {
    /// The pushes that were made or changed.
    pub(crate) fn push_ids(&self) -> &[i64] {
        match self {
            Done::Fired { push_ids, .. } | Done::Backfilled { push_ids, .. } | Done::Pushed { push_ids } => push_ids,
            Done::Retried { push_id } | Done::Cancelled { push_id } | Done::Resolved { push_id, .. } => {
                slice::from_ref(push_id)
            }
            Done::Paused { .. }
            | Done::Resumed { .. }
            | Done::FireCancelled { .. }
            | Done::Defined { .. }
            | Done::Removed { .. }
            | Done::BackedUp { .. }
            | Done::Imported { .. }
            | Done::LoggedIn { .. } => &[],
        }
    }
}

/// A job that is in force now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Defined {
    pub job: String,
    pub schedule: Schedule,
    pub timezone: String,
    /// None where it never fires any more.
    pub next_due_at: Option<UtcMs>,
    /// That instant came before this could be written.
    pub is_due: bool,
}

/// A job that is in force no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Removed {
    pub job: String,
    /// Its pushes that waited, and are cancelled.
    pub cancelled: usize,
}
