//! Records what is due, hands on the pushes of it, and tells what was missed.

use std::sync::Arc;

use tracing::warn;

use super::ask::Ask;
use super::backfill::Backfill;
use super::state::{Action, Mark, Step, Task, Timer};
use super::timeline::Plan;
use crate::domain::{Decision, Moment, Reason, UtcMs};
use crate::engine::core::Event;
use crate::store::{NewFire, Recorded};

/// Jobs decided about in one transaction: small enough that no push under way waits for it noticeably.
const BATCH: usize = 500;

impl Timer {
    /// One transaction's worth of what is due.
    pub(super) fn record_batch(&mut self, step: &Step<'_>) {
        let now = step.now.wall;
        for job in self.refusals.take_rested(step.now.moment) {
            self.timeline.take_up(&job);
        }
        let plan = self.timeline.plan(now, BATCH);
        if !plan.is_empty() {
            self.tasks.extend([Task::Until(Mark::BatchRecorded), Task::Record { plan, now }]);
        }
    }

    /// Makes a plan durable in one transaction.
    pub(super) fn record(&mut self, plan: Plan, now: UtcMs) {
        self.stale.clear();
        self.left.clear();
        if plan.cursors.is_empty() {
            return self.timeline.advance(plan);
        }
        let backfill = Box::new(Backfill::new(plan.fires.clone(), self.timeline.may_owe(&plan).collect()));
        self.tasks.push(Task::Backfill { plan, backfill, now });
    }

    pub(super) fn backfill(&mut self, mut plan: Plan, mut backfill: Box<Backfill>, now: UtcMs, step: &mut Step<'_>) {
        if let Some(ask) = backfill.next(&self.timeline) {
            return self.ask(ask, Task::Backfill { plan, backfill, now }, step);
        }
        let (fires, left) = backfill.into_parts();
        if !left.is_empty() {
            plan.fires.clone_from(&fires);
        }
        for (job, from) in left {
            if self.timeline.owe_from(&mut plan, &job, from) {
                self.left.push(job);
            }
        }
        let cursors = plan.cursors.clone();
        self.ask(Ask::Record { fires, cursors, now }, Task::Recorded { plan, now }, step);
    }

    /// Hands on what came of a plan. Where another process paused or resumed jobs between its write and our looking,
    /// nothing was recorded of them, and all is read again.
    pub(super) fn recorded(&mut self, plan: Plan, recorded: Recorded, now: UtcMs, step: &mut Step<'_>) {
        // Not before: while the database cannot be written, the same would be told every second.
        tell_missed(plan.fires.iter().filter(|fire| is_durable(fire, &recorded)));
        count(&plan.fires, &recorded, step);
        self.refusals.note(&plan.cursors, &recorded.stale, step.now.moment);
        self.timeline.advance(plan);
        self.timeline.end(&recorded.spent);
        self.put_off_refused(step.now.moment);
        if !recorded.cancelled.is_empty() {
            step.tell(Event::Dropped(recorded.cancelled));
        }
        let last_ahead = recorded.pushes.iter().map(|push| push.due_at).max().filter(|at| *at > now);
        self.ahead_until = last_ahead.or(self.ahead_until);
        if !recorded.pushes.is_empty() {
            step.tell(Event::Opened(recorded.pushes));
        }
        if recorded.unexpanded > 0 {
            step.actions.push(Action::Prepare);
        }
        if !recorded.stale.is_empty() {
            self.tasks.push(Task::ReadJobs { now });
        }
        self.stale = recorded.stale;
    }

    /// Jobs of which nothing is taken are not looked at while they rest.
    pub(super) fn put_off_refused(&mut self, now: Moment) {
        for job in self.refusals.resting(now) {
            self.timeline.put_off(job);
        }
    }
}

/// Whether it was recorded, or has its row already.
fn is_durable(fire: &NewFire, recorded: &Recorded) -> bool {
    let comes_after = |(job, spent_at): &(Arc<str>, UtcMs)| *job == fire.job && fire.due_at > *spent_at;
    !recorded.stale.contains(&fire.job) && !recorded.spent.iter().any(comes_after)
}

fn count(fires: &[NewFire], recorded: &Recorded, step: &mut Step<'_>) {
    for decision in [Decision::Fired, Decision::Skipped, Decision::Missed] {
        let of_it = fires.iter().filter(|fire| is_durable(fire, recorded)).filter(|fire| fire.decision == decision);
        let decided: u64 = of_it.map(|fire| fire.count).sum();
        let count = match decision {
            Decision::Fired => decided.saturating_sub(recorded.skipped),
            Decision::Skipped => decided + recorded.skipped,
            Decision::Missed => decided,
        };
        if count > 0 {
            step.actions.push(Action::Fires { decision, count });
        }
    }
}

/// One line per job, however many instants it missed.
fn tell_missed<'a>(fires: impl Iterator<Item = &'a NewFire>) {
    let mut missed = fires.filter(|fire| fire.decision == Decision::Missed).peekable();
    while let Some(first) = missed.next() {
        let mut count = first.count;
        let mut last = first.until_at.unwrap_or(first.due_at);
        while let Some(next) = missed.next_if(|next| next.job == first.job) {
            count += next.count;
            last = next.until_at.unwrap_or(next.due_at);
        }
        warn!(job = &*first.job, count, from = %first.due_at, until = %last, reason = first.reason.map(Reason::as_str), "instants missed");
    }
}
