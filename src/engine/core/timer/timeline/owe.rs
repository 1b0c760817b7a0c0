//! What is left for a later transaction of a gap that is being recorded.

use std::sync::Arc;

use super::{Plan, Timeline};
use crate::domain::UtcMs;

impl Timeline {
    /// Jobs whose one gap in this plan may be recorded in parts.
    pub fn may_owe(&self, plan: &Plan) -> impl Iterator<Item = Arc<str>> {
        plan.moves.iter().filter(|to| to.gap.is_some() && to.owed.is_none()).map(|to| self.jobs[to.index].name.clone())
    }

    /// The job goes on owing what its gap calls for from this instant on: its place in the store stays there. Returns
    /// whether that is anything.
    pub fn owe_from(&self, plan: &mut Plan, job: &str, from: UtcMs) -> bool {
        let Some(index) = self.by_name.get(job).copied() else { return false };
        let Some(to) = plan.moves.iter_mut().find(|to| to.index == index) else { return false };
        let Some(rest) = to.gap.and_then(|gap| gap.rest(from, &self.jobs[index].schedule)) else { return false };
        let Some(cursor) = plan.cursors.iter_mut().find(|cursor| *cursor.job == *job) else { return false };
        cursor.next_due_at = Some(rest.from);
        (to.stored_at, to.owed) = (Some(rest.from), Some(Box::new(rest)));
        true
    }
}
