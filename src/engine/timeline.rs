//! When each job is due next: the scheduler's memory. Pure: no clock, no I/O.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::DstGap;
use crate::domain::{Decision, Misfire, MisfirePolicy, Overlap, Schedule, UtcMs};
use crate::policy::misfire::{self, Watched};
use crate::policy::schedule::{CompiledSchedule, ScheduleCache, ScheduleError};
use crate::store::{Cursor, NewFire, StoredJob};

/// How long before its instant a fire is recorded, so that nothing is left to write when many are due at once.
///
/// A fire recorded ahead is withdrawn when its job changes or is paused before the instant. Jobs whose fires depend
/// on what is open at the instant (`overlap: skip` and `replace`) are never recorded ahead.
pub const AHEAD: Duration = Duration::from_secs(5);

/// A job as the timer sees it.
pub struct Scheduled {
    pub name: Arc<str>,
    pub schedule: Arc<CompiledSchedule>,
    pub definition_hash: i64,
    next_due_at: Option<UtcMs>,
    /// The place that the store holds, which differs from `next_due_at` only after the clock was set back.
    stored_at: Option<UtcMs>,
    zone: Arc<str>,
    misfire: Arc<Misfire>,
    overlap: Overlap,
    enabled: bool,
    paused: bool,
    /// Entries of the heap with another generation are stale.
    generation: u32,
}

impl Scheduled {
    fn ahead(&self) -> Duration {
        if self.overlap == Overlap::Allow && self.is_active() { AHEAD } else { Duration::ZERO }
    }

    /// Where the job's ledger goes on at `now` when all that was recorded ahead is taken back.
    pub fn place_at(&self, now: UtcMs) -> Option<UtcMs> {
        misfire::place_at(&self.schedule, self.next_due_at, now)
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    fn is_active(&self) -> bool {
        self.enabled && !self.paused
    }

    /// Decisions about what is due by `now` (or soon, where it may be recorded ahead), under a misfire policy.
    fn settle(&self, now: UtcMs, ahead: Duration, misfire: &Misfire) -> Option<misfire::Plan> {
        let watched = Watched { schedule: &self.schedule, misfire, enabled: self.enabled, paused: self.paused };
        Some(misfire::plan(&watched, self.next_due_at?, now, now + ahead))
    }

    fn look_at(&self) -> Option<UtcMs> {
        self.next_due_at.map(|at| at - self.ahead())
    }
}

/// Decisions about due instants, not durable yet.
#[derive(Default)]
pub struct Plan {
    pub fires: Vec<NewFire>,
    pub cursors: Vec<Cursor>,
    moves: Vec<(usize, Option<UtcMs>)>,
}

impl Plan {
    fn record(&mut self, job: &Scheduled, settled: misfire::Plan) {
        self.fires.extend(settled.fires.into_iter().map(|decided| NewFire {
            job: job.name.clone(),
            due_at: decided.due_at,
            decision: decided.decision,
            reason: decided.reason.map(str::to_owned),
            count: decided.count,
            until_at: decided.until_at,
            overlap: job.overlap,
            zone: Some(job.zone.clone()),
        }));
        self.cursors.push(Cursor { job: job.name.clone(), from: job.stored_at, next_due_at: settled.next_due_at });
    }
}

/// Every job with a coming instant, in the order of those instants.
#[derive(Default)]
pub struct Timeline {
    jobs: Vec<Scheduled>,
    by_name: HashMap<Arc<str>, usize>,
    coming: BinaryHeap<Reverse<(UtcMs, usize, u32)>>,
    cache: ScheduleCache,
    misfires: Vec<Arc<Misfire>>,
    zone_version: Arc<str>,
}

impl Timeline {
    /// A timeline of the stored jobs. `zone_version` names the zone data that schedules are evaluated with; it is
    /// kept with each fire.
    ///
    /// # Errors
    /// A stored schedule that no longer compiles (its zone vanished from the system, say), with the job's name.
    pub fn new(stored: Vec<StoredJob>, zone_version: &str, now: UtcMs) -> Result<Timeline, (String, ScheduleError)> {
        let mut timeline = Timeline { zone_version: zone_version.into(), ..Timeline::default() };
        timeline.jobs.reserve_exact(stored.len());
        timeline.by_name.reserve(stored.len());
        for job in stored {
            timeline.put(job, now)?;
        }
        Ok(timeline)
    }

    /// Adds a job, or replaces the one of that name.
    pub fn put(&mut self, job: StoredJob, now: UtcMs) -> Result<(), (String, ScheduleError)> {
        let schedule = self
            .cache
            .get_or_compile(&job.schedule, &job.timezone, job.dst_gap)
            .map_err(|error| (job.name.to_string(), error))?;
        let misfire = self.intern_misfire(job.misfire);
        let zone = self.intern_zone(&job.timezone);
        let index = self.by_name.get(&job.name).copied();
        let scheduled = Scheduled {
            name: job.name,
            definition_hash: job.definition_hash,
            next_due_at: misfire::place_at(&schedule, job.next_due_at, now),
            stored_at: job.next_due_at,
            schedule,
            zone,
            misfire,
            overlap: job.overlap,
            enabled: job.enabled,
            paused: job.paused,
            generation: index.map_or(0, |index| self.jobs[index].generation + 1),
        };
        let index = match index {
            Some(index) => {
                self.jobs[index] = scheduled;
                index
            }
            None => {
                self.by_name.insert(scheduled.name.clone(), self.jobs.len());
                self.jobs.push(scheduled);
                self.jobs.len() - 1
            }
        };
        self.enqueue(index);
        Ok(())
    }

    /// Forgets jobs. Their places stay as empty slots until the next start, which a reload can afford.
    pub fn remove(&mut self, name: &str) {
        if let Some(index) = self.by_name.remove(name) {
            let job = &mut self.jobs[index];
            job.next_due_at = None;
            job.generation += 1;
        }
    }

    pub fn get(&self, name: &str) -> Option<&Scheduled> {
        self.by_name.get(name).map(|index| &self.jobs[*index])
    }

    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The instant of the next fire of any job that is neither paused nor disabled.
    pub fn next_fire_at(&self) -> Option<UtcMs> {
        self.by_name
            .values()
            .map(|index| &self.jobs[*index])
            .filter(|job| job.is_active())
            .filter_map(|job| job.next_due_at)
            .min()
    }

    /// When something will have to be decided, if ever.
    pub fn next_look_at(&mut self) -> Option<UtcMs> {
        while let Some(Reverse((at, index, generation))) = self.coming.peek() {
            if self.jobs[*index].generation == *generation {
                return Some(*at);
            }
            self.coming.pop();
        }
        None
    }

    /// Decides about the instants due by now (or soon, where they may be recorded ahead) of at most `limit` jobs.
    /// Nothing moves on until [`Timeline::advance`] is told that the decisions are durable.
    pub fn plan(&mut self, now: UtcMs, limit: usize) -> Plan {
        let mut plan = Plan::default();
        let mut looked_at = Vec::new();
        while plan.moves.len() < limit && self.next_look_at().is_some_and(|at| at <= now) {
            let Some(Reverse((at, index, generation))) = self.coming.pop() else { break };
            looked_at.push(Reverse((at, index, generation)));
            self.decide(index, now, &mut plan);
        }
        // The heap keeps what is not durable yet, so that a failed write leaves all as it was.
        self.coming.extend(looked_at);
        plan
    }

    fn decide(&self, index: usize, now: UtcMs, plan: &mut Plan) {
        let job = &self.jobs[index];
        let Some(settled) = job.settle(now, job.ahead(), &job.misfire) else { return };
        let next_due_at = settled.next_due_at;
        plan.record(job, settled);
        plan.moves.push((index, next_due_at));
    }

    /// Decisions about what the schedules of these jobs called for until `now`, none of which may fire any more, with
    /// the reason why. Jobs of which nothing is due have their cursor too, so that the store can tell whether their
    /// places are still these.
    pub fn plan_closing(&self, names: &[Arc<str>], now: UtcMs, reason: &str) -> Plan {
        let all_missed = Misfire { policy: MisfirePolicy::Skip, grace: Duration::ZERO, ..Misfire::default() };
        let mut plan = Plan::default();
        for name in names {
            let Some(job) = self.get(name) else { continue };
            let undecided = job.next_due_at.filter(|at| *at <= now);
            let settled = undecided.and_then(|_| job.settle(now, Duration::ZERO, &all_missed));
            let nothing = || misfire::Plan { fires: Vec::new(), next_due_at: job.stored_at };
            let settled = settled.unwrap_or_else(nothing);
            plan.record(job, settled);
            for fire in plan.fires.iter_mut().filter(|fire| fire.job == *name && fire.decision == Decision::Missed) {
                fire.reason = Some(reason.to_owned());
            }
        }
        plan
    }

    /// The places that lie earlier than the store has them, since the clock was put back. They are to be made durable:
    /// else a stop before a job's next fire, and what is missed after it, would leave no rows.
    pub fn put_back(&self) -> Plan {
        let mut plan = Plan::default();
        for index in self.by_name.values() {
            let job = &self.jobs[*index];
            if job.next_due_at != job.stored_at {
                let (name, place) = (job.name.clone(), job.next_due_at);
                plan.cursors.push(Cursor { job: name, from: job.stored_at, next_due_at: place });
                plan.moves.push((*index, place));
            }
        }
        plan
    }

    /// A schedule with its meaning, shared with every job that has the same.
    pub fn compile(
        &mut self,
        schedule: &Schedule,
        timezone: &str,
        dst_gap: DstGap,
    ) -> Result<Arc<CompiledSchedule>, ScheduleError> {
        self.cache.get_or_compile(schedule, timezone, dst_gap)
    }

    /// The decisions of this plan are durable: the jobs move on to their next instants.
    pub fn advance(&mut self, plan: &Plan) {
        for (index, next_due_at) in &plan.moves {
            let job = &mut self.jobs[*index];
            job.next_due_at = *next_due_at;
            job.stored_at = *next_due_at;
            job.generation += 1;
            self.enqueue(*index);
        }
        // Stale entries are dropped lazily; a reload that touches everything again and again must not let them grow.
        if self.coming.len() > 2 * self.jobs.len() + 64 {
            let jobs = &self.jobs;
            self.coming.retain(|Reverse((_, index, generation))| jobs[*index].generation == *generation);
        }
    }

    fn enqueue(&mut self, index: usize) {
        if let Some(at) = self.jobs[index].look_at() {
            self.coming.push(Reverse((at, index, self.jobs[index].generation)));
        }
    }

    /// Jobs share few policies; one value each keeps 100,000 jobs small.
    fn intern_misfire(&mut self, misfire: Misfire) -> Arc<Misfire> {
        if let Some(known) = self.misfires.iter().find(|known| ***known == misfire) {
            return known.clone();
        }
        let misfire = Arc::new(misfire);
        if self.misfires.len() < 64 {
            self.misfires.push(misfire.clone());
        }
        misfire
    }

    /// The zone's name with the version of its rules, one text for all jobs of the zone.
    fn intern_zone(&self, timezone: &str) -> Arc<str> {
        let text = format!("{timezone} {}", self.zone_version);
        // The last job's zone is nearly always this one's too.
        match self.jobs.last() {
            Some(job) if *job.zone == *text => job.zone.clone(),
            _ => text.into(),
        }
    }
}
