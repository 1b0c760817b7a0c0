//! A fire that is to get its pushes, and what of it goes out, whatever the database.

use std::sync::Arc;

use super::cells::Read;
use super::model::{Expansion, MadeList};
use super::plan::Plan;
use crate::domain::{ListEntry, Overlap, Reason, Trigger, UtcMs};

/// The fire that is to get its pushes.
pub(super) struct Waiting {
    pub job: Arc<str>,
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    pub goes_at: UtcMs,
    /// It makes up for an instant, whatever else its job sends.
    pub is_backfill: bool,
    pub definition: String,
    /// A newer one of the job has fired.
    pub is_outdone: bool,
}

impl Waiting {
    pub(super) fn plan(&self) -> Read<Plan<'_>> {
        let mut plan = Plan::read(&self.definition)?;
        if self.is_backfill {
            plan.overlap = Overlap::Allow;
        }
        Ok(plan)
    }

    /// What becomes of its pushes, where this was meant to.
    pub(super) fn fate(&self, plan: &Plan<'_>, meant: Expansion) -> Expansion {
        match plan.overlap {
            Overlap::Replace if self.is_outdone => Expansion::Cancel(Reason::Replaced),
            _ => meant,
        }
    }
}

/// The recipients of each push that has a list, as far as they were read; nobody where nothing is sent.
pub(super) fn recipients<'l>(lists: &'l [MadeList], lists_of: &[usize], then: &Expansion) -> Vec<&'l [ListEntry]> {
    if !matches!(then, Expansion::Send { .. }) {
        return Vec::new();
    }
    let entries = |of: &usize| lists.get(*of).and_then(|list| list.entries.as_ref().ok());
    lists_of.iter().map_while(entries).map(|entries| &*entries.entries).collect()
}
