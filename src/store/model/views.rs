//! The views, which of their rows are wanted, and their lines.

use serde::{Deserialize, Serialize};

use crate::domain::{PushState, UtcMs};

/// A view to be read by people, by name; the table of acts is one by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    PushHistory,
    DuePushes,
    UnknownPushes,
    JobOverview,
    AccountOverview,
    FailuresToday,
    Acts,
}

impl View {
    /// The name of the view in the database.
    pub fn name(self) -> &'static str {
        match self {
            View::PushHistory => "push_history",
            View::DuePushes => "due_pushes",
            View::UnknownPushes => "unknown_pushes",
            View::JobOverview => "job_overview",
            View::AccountOverview => "account_overview",
            View::FailuresToday => "failures_today",
            View::Acts => "acts",
        }
    }
}

/// Which rows of a view to read. An absent field filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub job: Option<String>,
    pub im: Option<String>,
    pub account: Option<String>,
    /// In any of these states.
    pub states: Vec<PushState>,
    /// To any of these targets, as rows spell them.
    pub targets: Vec<String>,
    pub since: Option<UtcMs>,
    pub until: Option<UtcMs>,
    pub push_id: Option<i64>,
    /// Only pushes with a higher id.
    pub after_id: Option<i64>,
    /// Only jobs that come after this one by name, of `job_overview`.
    pub after_job: Option<String>,
    /// Only these pushes.
    pub ids: Option<Vec<i64>>,
    /// Newest first; None: all.
    pub limit: Option<u64>,
    /// Leaves out so many of the first.
    pub skip: u64,
    /// The lines of `push_history` in the opposite order.
    pub oldest_first: bool,
    /// The page that follows this line, in whichever order.
    pub after: Option<Mark>,
}

/// A line as the place to read on from, whichever column the lines are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub id: i64,
    pub due_at: UtcMs,
    /// The end, or of an open push the next attempt, by which the lines of some views are ordered.
    pub ordered_at: Option<UtcMs>,
}

/// Rows of a view under the view's own column names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<serde_json::Value>>,
}

impl Table {
    /// The last line of a page of pushes or of acts.
    pub fn mark(&self) -> Option<Mark> {
        let row = self.rows.last()?;
        let value = |name: &str| row.get(self.columns.iter().position(|column| column == name)?);
        let instant = |name: &str| value(name)?.as_str()?.parse().ok();
        let ordered_at = instant("finished_at").or_else(|| instant("next_attempt_at"));
        Some(Mark { id: value("id")?.as_i64()?, due_at: instant("due_at").or_else(|| instant("at"))?, ordered_at })
    }
}
