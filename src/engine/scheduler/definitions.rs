//! Puts definitions in force: what changed against those from before, made durable, and what the old ones called for
//! until now.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tracing::{error, info, warn};

use super::{ApplyError, Scheduler, must_wait};
use crate::domain::{Job, UtcMs};
use crate::engine::dispatcher::Event;
use crate::engine::timeline::Timeline;
use crate::policy::schedule::CompiledSchedule;
use crate::store::{Applied, JobChange, StoreError, StoredJob};

/// So many changed jobs hold up nobody's push noticeably.
const CHANGES_AT_ONCE: usize = 1000;
/// Of more jobs that vanished only the number is told.
const MOST_NAMED: usize = 20;

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

/// Definitions that are not in force yet, each with its hash, and jobs that are to go.
#[derive(Default)]
pub(super) struct Changes {
    changed: VecDeque<(Job, i64)>,
    removed: Vec<Arc<str>>,
}

impl Changes {
    fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn first(&self, most: usize) -> Changes {
        let changed: VecDeque<_> = self.changed.iter().take(most).cloned().collect();
        let removed = self.removed.iter().take(most - changed.len()).cloned().collect();
        Changes { changed, removed }
    }

    fn forget(&mut self, changed: usize, removed: usize) {
        self.changed.drain(..changed);
        self.removed.drain(..removed);
    }
}

impl Scheduler {
    /// Puts new definitions in force. A job whose schedule is unchanged keeps its place; a changed schedule counts
    /// from now, and what the old one called for until now is settled first.
    ///
    /// Under a clock that cannot be believed nothing is put in force yet: a job would be known since 1970, and all
    /// instants since then would be missed when the clock is set. The definitions wait until it is.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing has changed then, unless it says that some are in force: of very many changes those after
    /// the first thousand are tried again until the database can be written.
    pub async fn apply(&mut self, jobs: Vec<(Job, i64)>) -> Result<Applied, ApplyError> {
        if must_wait(self.clock.now(), self.last_known) {
            warn!(jobs = jobs.len(), "definitions wait until the clock is set");
            self.postponed = Some(jobs);
            return Ok(Applied::default());
        }
        self.postponed = None;
        self.unfinished = Changes::default();
        // What is settled below was not still to come, whatever the clock shows next.
        self.last_known = Some(self.clock.now());
        self.put_in_force(jobs).await
    }

    pub(super) async fn apply_postponed(&mut self) -> Result<(), StoreError> {
        let Some(jobs) = self.postponed.clone() else { return Ok(()) };
        match self.put_in_force(jobs).await {
            Ok(Applied { added, changed, removed, .. }) => {
                info!(added, changed, removed, "the definitions that waited for the clock are in force");
            }
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => error!(%error, "the definitions that waited for the clock are refused"),
        }
        self.postponed = None;
        Ok(())
    }

    pub(super) async fn apply_unfinished(&mut self) -> Result<(), StoreError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        match self.finish().await {
            Ok(Applied { added, changed, removed, .. }) => {
                info!(added, changed, removed, "the rest of the new definitions is in force");
            }
            Err(ApplyError::Store(error)) => return Err(error),
            Err(error) => {
                error!(%error, "the rest of the new definitions is refused");
                self.unfinished = Changes::default();
            }
        }
        Ok(())
    }

    async fn put_in_force(&mut self, jobs: Vec<(Job, i64)>) -> Result<Applied, ApplyError> {
        let mut kept: HashSet<Arc<str>> = HashSet::with_capacity(jobs.len());
        let mut changed = VecDeque::new();
        for (job, definition_hash) in jobs {
            if let Some(known) = self.timeline.get(&job.name) {
                kept.insert(known.name.clone());
                if known.definition_hash == definition_hash {
                    continue;
                }
            }
            // All of them before any of them: the first refusal changes nothing.
            self.timeline
                .compile(&job.schedule, &job.timezone, job.dst_gap)
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
            changed.push_back((job, definition_hash));
        }
        let removed = self.timeline.names().filter(|name| !kept.contains(*name)).cloned().collect();
        self.unfinished = Changes { changed, removed };
        let all = self.unfinished.len();
        self.finish().await.map_err(|error| match error {
            ApplyError::Store(error) if self.unfinished.len() < all => {
                let done = all - self.unfinished.len();
                ApplyError::Store(StoreError::Unavailable(format!(
                    "{error}; {done} of {all} changed jobs are in force already, and the others follow once it can be written"
                )))
            }
            error => {
                self.unfinished = Changes::default();
                error
            }
        })
    }

    /// Makes changes durable: so many that the pushes of a moment can wait for them in one transaction, all or none, and
    /// more of them one part after the other, each whole for its jobs. Nothing is decided in between, so that all of them
    /// hold from the same instant on. Who is killed between two parts reads the files again; where the database fails
    /// there, the rest is tried again with each round.
    async fn finish(&mut self) -> Result<Applied, ApplyError> {
        let now = self.clock.now();
        let mut all = Applied::default();
        while !self.unfinished.is_empty() {
            let part = self.unfinished.first(CHANGES_AT_ONCE);
            let (changed, removed) = (part.changed.len(), part.removed.len());
            let Applied { added, changed: renewed, removed: gone, cancelled, cancelled_of, withdrawn } =
                self.put_part(part, now).await?;
            self.unfinished.forget(changed, removed);
            (all.added, all.changed, all.removed) = (all.added + added, all.changed + renewed, all.removed + gone);
            all.cancelled.extend(cancelled);
            all.cancelled_of.extend(cancelled_of);
            all.withdrawn.extend(withdrawn);
        }
        Ok(all)
    }

    async fn put_part(&mut self, part: Changes, now: UtcMs) -> Result<Applied, ApplyError> {
        let Changes { changed, removed } = part;
        let mut outgoing = removed.clone();
        let mut changes = Vec::with_capacity(changed.len());
        for (job, definition_hash) in changed {
            let schedule = self
                .timeline
                .compile(&job.schedule, &job.timezone, job.dst_gap)
                .map_err(|error| ApplyError::Schedule { job: job.name.clone(), error })?;
            let known = self.timeline.get(&job.name);
            let keeps_place = known.is_some_and(|known| Arc::ptr_eq(&known.schedule, &schedule));
            let next_due_at = match known {
                Some(known) if keeps_place => known.place_at(now),
                _ => first_after(&schedule, now),
            };
            outgoing.extend(known.filter(|_| !keeps_place).map(|known| known.name.clone()));
            changes.push(JobChange { job, definition_hash, next_due_at, keeps_place });
        }
        self.close_definitions(outgoing, now).await?;
        let scheduled: Vec<StoredJob> = changes.iter().map(|change| scheduled(change, &self.timeline, now)).collect();
        let applied = self.store.apply_jobs(changes, removed.clone(), now).await?;
        tell_vanished(&applied.cancelled_of);
        for name in &removed {
            self.timeline.remove(name);
        }
        for job in scheduled {
            self.timeline.put(job, now).map_err(|(job, error)| ApplyError::Schedule { job, error })?;
        }
        // The dispatcher ends only after the scheduler.
        if !removed.is_empty() {
            let _ = self.dispatcher.send(Event::JobsRemoved(removed));
        }
        let gone: Vec<i64> = applied.cancelled.iter().chain(&applied.withdrawn).copied().collect();
        if !gone.is_empty() {
            let _ = self.dispatcher.send(Event::Dropped(gone));
        }
        Ok(applied)
    }

    /// Settles what these jobs' definitions called for until now: nobody watched those instants, and the definition that
    /// would have fired is gone. Each transaction is whole for its jobs: who is killed between two of them goes on with
    /// the others where they stood.
    async fn close_definitions(&mut self, mut names: Vec<Arc<str>>, now: UtcMs) -> Result<(), ApplyError> {
        while !names.is_empty() {
            let (closing, taken) = self.timeline.plan_closing(&names, now, "definition_changed");
            // Another process paused or resumed the stale ones, and withdrew what was recorded ahead.
            let stale = self.record(closing, now).await?;
            names.drain(..taken);
            names.extend(stale);
        }
        Ok(())
    }
}

/// The job that [`Timeline::put`] is given for a change that was made durable.
fn scheduled(change: &JobChange, timeline: &Timeline, now: UtcMs) -> StoredJob {
    let JobChange { job, definition_hash, next_due_at, .. } = change;
    StoredJob {
        name: job.name.as_str().into(),
        schedule: job.schedule.clone(),
        timezone: job.timezone.clone(),
        dst_gap: job.dst_gap,
        enabled: job.enabled,
        paused: timeline.get(&job.name).is_some_and(|known| known.is_paused()),
        misfire: job.misfire.clone(),
        overlap: job.overlap,
        next_due_at: *next_due_at,
        definition_hash: *definition_hash,
        revision: 0,
        loaded_at: now,
    }
}

/// Where the ledger of a schedule begins that is in force from `now` on.
fn first_after(schedule: &CompiledSchedule, now: UtcMs) -> Option<UtcMs> {
    schedule.next_called_after(now).map(|called| called.at)
}
