//! In which order the lines of `push_history` are read, whatever database they are in: by the index that finds them, since sorting
//! would mean to read them all.

use super::model::{Filter, Mark};
use crate::domain::{PushState, UtcMs};

/// The index by which a page of `push_history` is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    Id,
    /// Final states other than `sent` are few.
    Trouble,
    /// So are open pushes.
    Open,
    Job,
    Due,
    Account,
    Im,
    /// Newest first until the page is full.
    Newest,
}

/// Where a page goes on.
pub(super) enum Beyond {
    /// After the mark's id.
    Id(i64),
    /// From an instant in this column on, and there after the mark's id.
    At { column: &'static str, at: UtcMs, id: i64 },
}

impl Walk {
    pub(super) fn of(filter: &Filter) -> Walk {
        let all = |is: fn(&PushState) -> bool| !filter.states.is_empty() && filter.states.iter().all(is);
        // Of several states there is no one order by their ends, and what a job or a span of time holds are fewer.
        let one = filter.states.len() == 1;
        match filter {
            _ if filter.push_id.is_some() || filter.after_id.is_some() || filter.ids.is_some() => Walk::Id,
            _ if all(|state| !state.is_final()) => Walk::Open,
            _ if one && all(|state| state.is_final() && *state != PushState::Sent) => Walk::Trouble,
            _ if filter.job.is_some() => Walk::Job,
            _ if filter.since.is_some() || filter.until.is_some() => Walk::Due,
            _ if all(|state| state.is_final() && *state != PushState::Sent) => Walk::Trouble,
            _ if filter.account.is_some() => Walk::Account,
            _ if filter.im.is_some() => Walk::Im,
            _ => Walk::Newest,
        }
    }

    pub(super) fn order(self, oldest_first: bool) -> &'static str {
        match (self, oldest_first) {
            (Walk::Trouble, false) => " ORDER BY finished_at DESC, id DESC",
            (Walk::Trouble, true) => " ORDER BY finished_at, id",
            (Walk::Job | Walk::Due, false) => " ORDER BY due_at DESC, id DESC",
            (Walk::Job | Walk::Due, true) => " ORDER BY due_at, id",
            (_, false) => " ORDER BY id DESC",
            (_, true) => " ORDER BY id",
        }
    }

    /// What follows a mark in this order.
    pub(super) fn beyond(self, after: Mark) -> Beyond {
        match self {
            Walk::Trouble => {
                Beyond::At { column: "finished_at", at: after.ordered_at.unwrap_or(after.due_at), id: after.id }
            }
            Walk::Job | Walk::Due => Beyond::At { column: "due_at", at: after.due_at, id: after.id },
            _ => Beyond::Id(after.id),
        }
    }
}

/// The filter's bounds in time that still matter: a page begins where the last one ended, not where the first one did.
pub(super) fn bounds(filter: &Filter, walk: Option<Walk>) -> (Option<UtcMs>, Option<UtcMs>) {
    let reached = filter.after.filter(|_| matches!(walk, Some(Walk::Job | Walk::Due))).map(|after| after.due_at);
    let (up, down) = if filter.oldest_first { (reached, None) } else { (None, reached) };
    let since = filter.since.filter(|since| up.is_none_or(|reached| reached < *since));
    let until = filter.until.filter(|until| down.is_none_or(|reached| reached > *until));
    (since, until)
}
