//! Instants whose definition goes: what was due by it is decided, and nothing of the rest.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Plan, Timeline};
use crate::domain::{Reason, UtcMs};
use crate::policy::misfire;

impl Timeline {
    /// Decisions about what the schedules of these jobs called for until `now`, none of which may fire any more, with
    /// the reason why, and how many of the jobs found room in it. Jobs of which nothing is due have their cursor too, so
    /// that the store can tell whether their places are still these.
    ///
    /// Of those in `by_policy` what is due is decided by the job's misfire policy, and may fire.
    pub fn plan_closing(
        &self,
        names: &[Arc<str>],
        by_policy: &HashSet<Arc<str>>,
        now: UtcMs,
        reason: Reason,
    ) -> (Plan, usize) {
        let mut plan = Plan::default();
        for (taken, name) in names.iter().enumerate() {
            if plan.is_full() {
                return (plan, taken);
            }
            let Some(index) = self.by_name.get(name).copied() else { continue };
            let job = &self.jobs[index];
            plan.record_gap(job, job.owed.as_deref());
            let closing = match by_policy.contains(name) {
                true => job.next_due_at.map(|place| misfire::plan(&job.view(), place, now, now, usize::MAX)),
                false => job.closing(now, reason),
            };
            let next_due_at = closing.as_ref().map_or(job.next_due_at, |closing| closing.next_due_at);
            let (gap, fires) = closing.map(|closing| (closing.gap, closing.fires)).unwrap_or_default();
            plan.record_gap(job, gap.as_ref());
            plan.record(job, fires);
            plan.go_on(index, job, next_due_at, None);
            plan.whole_gap(gap.xor(job.owed.as_deref().copied()));
        }
        (plan, names.len())
    }

    /// Nothing fires any more of what was called for until an instant: it is owed with this reason.
    pub fn close(&mut self, until: UtcMs, reason: Reason) {
        for index in 0..self.jobs.len() {
            let job = &mut self.jobs[index];
            let Some(misfire::Plan { gap: Some(gap), next_due_at, .. }) = job.closing(until, reason) else { continue };
            (job.next_due_at, job.owed) = (next_due_at, Some(Box::new(gap)));
            job.generation += 1;
            self.enqueue(index);
        }
    }
}
