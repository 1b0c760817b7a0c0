//! Puts definitions in force: what changed against those from before, made durable, and what the old ones called for
//! until now.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tracing::{info, warn};

use super::ask::Ask;
use super::changes::Changes;
use super::state::{ApplyError, Mark, Step, Task, Timer};
use super::timeline::{Scheduled, Timeline};
use crate::domain::job::JobSource;
use crate::domain::{Job, Reason, Schedule, UtcMs};
use crate::engine::core::Event;
use crate::policy::schedule::CompiledSchedule;
use crate::store::{Applied, JobChange, StoredJob};

/// So many changed jobs are put in force at once: no push is delayed noticeably by them.
const CHANGES_AT_ONCE: usize = 1000;
/// Of more jobs that vanished only the number is told.
const MOST_NAMED: usize = 20;

impl Timer {
    /// Puts new definitions in force. A job whose schedule is unchanged keeps its place; a changed schedule counts
    /// from now, and what the old one called for until now is settled first.
    ///
    /// Under a clock that cannot be believed nothing is put in force yet: a job would be known since 1970, and all
    /// instants since then would be missed when the clock is set. The definitions wait until it is.
    ///
    /// Where it fails nothing has changed, unless the error says that some are in force: of very many changes those after
    /// the first thousand are tried again until the database can be written.
    pub(super) fn apply(
        &mut self,
        jobs: Vec<(Job, i64)>,
        read_at: Option<UtcMs>,
        step: &Step<'_>,
    ) -> Result<(), ApplyError> {
        let now = step.now.wall;
        if self.must_wait(now) {
            warn!(jobs = jobs.len(), "definitions wait until the clock is set");
            self.postponed = Some(jobs);
            return Ok(());
        }
        self.postponed = None;
        self.unfinished = Changes::default();
        let read_at = self.believed(read_at);
        // What is settled below was not still to come, whatever the clock shows next.
        self.last_known = Some(now);
        self.put_in_force(jobs, read_at, now)
    }

    pub(super) fn apply_postponed(&mut self, step: &Step<'_>) -> Result<(), ApplyError> {
        let Some(jobs) = self.postponed.clone() else { return Ok(()) };
        self.tasks.push(Task::Until(Mark::PostponedInForce));
        // They were read under a clock that could not be right, and so they hold from now on.
        self.put_in_force(jobs, None, step.now.wall)
    }

    pub(super) fn apply_unfinished(&mut self, step: &Step<'_>) {
        if !self.unfinished.is_empty() {
            self.tasks.extend([Task::Until(Mark::UnfinishedInForce), Task::NextPart { now: step.now.wall }]);
        }
    }

    pub(super) fn tell_in_force(&mut self, what: &str) {
        let Applied { added, changed, removed, .. } = std::mem::take(&mut self.done.applied);
        info!(added, changed, removed, "{what}");
    }

    fn put_in_force(
        &mut self,
        mut jobs: Vec<(Job, i64)>,
        said_at: Option<UtcMs>,
        now: UtcMs,
    ) -> Result<(), ApplyError> {
        let mut kept: HashSet<Arc<str>> = HashSet::with_capacity(jobs.len());
        let mut taken_over = Vec::new();
        for (job, definition_hash) in &jobs {
            if let Some(known) = self.timeline.get(&job.name) {
                kept.insert(known.name.clone());
                if is_in_force(known, *definition_hash) {
                    continue;
                }
                if known.source.is_verb() {
                    taken_over.push(job.name.clone());
                }
            }
            // All of them before any of them: the first refusal changes nothing.
            self.timeline
                .compile(job.timing())
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
        }
        let mut removed: Vec<Arc<str>> =
            self.timeline.file_jobs().filter(|name| !kept.contains(*name)).cloned().collect();
        // The memory of jobs has no order; what is done has one.
        removed.sort_unstable();
        tell_taken_over(&taken_over);
        // Where they lie: a second list of 100,000 would be the largest thing of all that a start needs.
        jobs.retain(|(job, hash)| self.timeline.get(&job.name).is_none_or(|known| !is_in_force(known, *hash)));
        jobs.shrink_to_fit();
        self.unfinished = Changes { changed: VecDeque::from(jobs), removed, source: JobSource::File, said_at };
        let all = self.unfinished.len();
        self.tasks.extend([Task::Until(Mark::InForce { all }), Task::NextPart { now }]);
        Ok(())
    }

    /// Puts in force what a verb says of some jobs, and leaves all others alone.
    pub(super) fn apply_by_verb(
        &mut self,
        changed: Vec<(Job, i64)>,
        removed: Vec<Arc<str>>,
        said_at: Option<UtcMs>,
        step: &Step<'_>,
    ) -> Result<(), ApplyError> {
        let now = step.now.wall;
        if self.must_wait(now) {
            return Err(ApplyError::Clock { now });
        }
        let said_at = self.believed(said_at);
        self.unfinished = Changes { changed: changed.into(), removed, source: JobSource::Verb, said_at };
        self.tasks.push(Task::NextPart { now });
        Ok(())
    }

    /// Under a clock that cannot be believed nobody knows when something was said.
    fn believed(&self, said_at: Option<UtcMs>) -> Option<UtcMs> {
        said_at.filter(|at| !self.must_wait(*at))
    }

    /// What is told of definitions that could not be put in force, or not all of them.
    pub(super) fn not_in_force(&mut self, all: usize, error: ApplyError) -> ApplyError {
        match error {
            ApplyError::Store(error) if self.unfinished.len() < all => {
                ApplyError::Partly { done: all - self.unfinished.len(), all, error }
            }
            error => {
                self.unfinished = Changes::default();
                error
            }
        }
    }

    /// Makes changes durable: so many that the pushes of a moment can wait for them in one transaction, all or none, and
    /// more of them one part after the other, each whole for its jobs. Nothing is decided in between, so that all of them
    /// hold from the same instant on. Who is killed between two parts reads the files again; where the database fails
    /// there, the rest is tried again with each round.
    pub(super) fn next_part(&mut self, now: UtcMs) -> Result<(), ApplyError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        let Changes { changed, removed, source, said_at } = self.unfinished.first(CHANGES_AT_ONCE);
        let mut outgoing = removed.clone();
        let mut changes = Vec::with_capacity(changed.len());
        for (job, definition_hash) in changed {
            let schedule = self
                .timeline
                .compile(job.timing())
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
            let known = self.timeline.get(&job.name);
            let keeps_place = known.is_some_and(|known| Arc::ptr_eq(&known.defined, &schedule));
            let keeps_count = known.is_some_and(|known| keeps_place || known.defined.goes_on_as(&schedule));
            let since = said_at.filter(|at| *at < now && !keeps_count && waits_for_nobody(&job, source));
            let max_fires = job.max_fires();
            let keeps_end = known.is_some_and(|known| known.max_fires == max_fires);
            let next_due_at = match known {
                Some(known) if keeps_place && keeps_end => known.place_at(now),
                _ => first_after(&schedule, since.unwrap_or(now)),
            };
            let outgoing_job = known.filter(|_| !keeps_place || !keeps_end);
            // What was due is for the list that held then, and no instant is missed because a list was published; nor
            // because the job is to end sooner or later.
            let goes_on = outgoing_job.filter(|known| keeps_place || known.defined.differs_by_lists_alone(&schedule));
            self.relisted.extend(goes_on.map(|known| known.name.clone()));
            outgoing.extend(outgoing_job.map(|known| known.name.clone()));
            changes.push(JobChange { job, definition_hash, next_due_at, keeps_place, keeps_count, since, source });
        }
        self.tasks.extend([Task::ApplyPart { changes, removed, now }, Task::Close { names: outgoing, now }]);
        Ok(())
    }

    pub(super) fn apply_part(
        &mut self,
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
        step: &mut Step<'_>,
    ) {
        let scheduled = changes.iter().map(|change| scheduled(change, &self.timeline, now)).collect();
        self.relisted.clear();
        let task = Task::PartApplied { scheduled, removed: removed.clone(), now };
        self.ask(Ask::Apply { changes, removed, now }, task, step);
    }

    pub(super) fn part_applied(
        &mut self,
        applied: Applied,
        scheduled: Vec<StoredJob>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
        step: &mut Step<'_>,
    ) -> Result<(), ApplyError> {
        tell_vanished(&applied.cancelled_of);
        for name in &removed {
            self.timeline.remove(name);
        }
        let (changed, gone) = (scheduled.len(), removed.len());
        for mut job in scheduled {
            let reopened = applied.reopened.iter().find(|(name, _)| *name == job.name);
            job.next_due_at = reopened.map_or(job.next_due_at, |(_, place)| Some(*place));
            if let Some((_, spent_at)) = applied.spent.iter().find(|(name, _)| *name == job.name) {
                (job.next_due_at, job.spent_at) = (None, Some(*spent_at));
            }
            self.timeline.put(job, now).map_err(|(job, error)| ApplyError::Schedule { job, error })?;
        }
        if !removed.is_empty() {
            step.tell(Event::JobsRemoved(removed));
        }
        let dropped: Vec<i64> = applied.cancelled.iter().chain(&applied.withdrawn).copied().collect();
        if !dropped.is_empty() {
            step.tell(Event::Dropped(dropped));
        }
        self.unfinished.forget(changed, gone);
        let all = &mut self.done.applied;
        (all.added, all.changed) = (all.added + applied.added, all.changed + applied.changed);
        all.removed += applied.removed;
        all.cancelled.extend(applied.cancelled);
        all.cancelled_of.extend(applied.cancelled_of);
        all.withdrawn.extend(applied.withdrawn);
        let names = applied.reopened.into_iter().map(|(name, _)| name).collect();
        self.tasks.extend([Task::NextPart { now }, Task::Close { names, now }]);
        Ok(())
    }

    /// Settles what these jobs' definitions called for until now: nobody watched those instants, and the definition that
    /// would have fired is gone. Each transaction is whole for its jobs: who is killed between two of them goes on with
    /// the others where they stood.
    pub(super) fn close(&mut self, names: Vec<Arc<str>>, now: UtcMs) {
        if names.is_empty() {
            return;
        }
        let (plan, taken) = self.timeline.plan_closing(&names, &self.relisted, now, Reason::DefinitionChanged);
        self.tasks.extend([Task::Closed { names, taken, now }, Task::Record { plan, now }]);
    }

    /// Those that were taken are settled, but for the stale ones: another process paused or resumed them, and withdrew
    /// what was recorded ahead.
    pub(super) fn close_rest(&mut self, mut names: Vec<Arc<str>>, taken: usize, now: UtcMs) -> Result<(), ApplyError> {
        if let Some(job) = self.stale.iter().find(|job| self.refusals.is_hopeless(job)) {
            return Err(ApplyError::Refused { job: job.to_string() });
        }
        names.drain(..taken);
        names.append(&mut self.stale);
        names.append(&mut self.left);
        self.tasks.push(Task::Close { names, now });
        Ok(())
    }
}

/// Whether the files brought a job with this very definition.
fn is_in_force(known: &Scheduled, definition_hash: i64) -> bool {
    !known.source.is_verb() && known.definition_hash == definition_hash
}

/// Jobs that are gone while pushes of theirs were waiting: perhaps nobody meant that.
fn tell_vanished(jobs: &[(String, usize)]) {
    if jobs.is_empty() {
        return;
    }
    let names: Vec<&str> = jobs.iter().take(MOST_NAMED).map(|(name, _)| &**name).collect();
    let more = match jobs.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let pushes: usize = jobs.iter().map(|(_, pushes)| pushes).sum();
    warn!(
        jobs = format!("{}{more}", names.join(", ")),
        cancelled_pushes = pushes,
        "jobs are gone from the configuration while pushes of theirs were waiting: these are cancelled"
    );
}

/// Jobs that verbs made, and that files bring now: perhaps two people chose one name.
fn tell_taken_over(jobs: &[String]) {
    if jobs.is_empty() {
        return;
    }
    let names: Vec<&str> = jobs.iter().take(MOST_NAMED).map(String::as_str).collect();
    warn!(
        jobs = names.join(", "),
        count = jobs.len(),
        "the files bring jobs that verbs had made: the definitions of the files hold from now on"
    );
}

/// The job that [`Timeline::put`] is given for a change that was made durable.
fn scheduled(change: &JobChange, timeline: &Timeline, now: UtcMs) -> StoredJob {
    let JobChange { job, definition_hash, next_due_at, since, source, .. } = change;
    let paused = timeline.get(&job.name).is_some_and(|known| known.is_paused());
    // Its revision is the store's to count, and the timeline does not ask for it.
    StoredJob {
        paused,
        revision: 0,
        source: *source,
        ..StoredJob::new(job, *definition_hash, *next_due_at, since.unwrap_or(now))
    }
}

/// Whether the instants of a new schedule count from when it was said, though it comes into force later. What somebody says
/// by a verb does. Files say what holds from their loading on, but for a single instant: that has no next one, and who wrote
/// it while it was still to come was not told that it is past.
fn waits_for_nobody(job: &Job, source: JobSource) -> bool {
    source.is_verb() || matches!(job.schedule, Schedule::At(_))
}

/// Where the ledger of a schedule begins that is in force from `now` on.
fn first_after(schedule: &CompiledSchedule, now: UtcMs) -> Option<UtcMs> {
    schedule.next_called_after(now).map(|called| called.at)
}
