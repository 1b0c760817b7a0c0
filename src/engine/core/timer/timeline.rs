//! When each job is due next: the scheduler's memory. Pure: no clock, no I/O.
//!
//! After an absence there is more to decide about than fits into one transaction, and it is taken in this order:
//!
//! 1. what is due now, of jobs that nobody has kept waiting;
//! 2. what still fires of the others, each in the order of its instants;
//! 3. the rows of long gaps, in which nothing fires: a job *owes* them, and its place in the store stays before the gap
//!    until they are there. Who is killed meanwhile finds the gap again, and the fires after it have their rows already.
//!
//! The second and the third have a share of each transaction of their own, so that a busy day does not put them off for
//! ever.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::job::{JobSource, Life, Timing};
use crate::domain::{Decision, Misfire, Overlap, Reason, UtcMs};
use crate::policy::misfire::{self, Gap, InstantDecision, JobView};
use crate::policy::schedule::{CompiledSchedule, ScheduleCache, ScheduleError};
use crate::store::{Cursor, NewFire, StoredJob};

/// How long before its instant a fire is recorded, so that nothing is left to write when many are due at once.
///
/// A fire recorded ahead is withdrawn when its job changes or is paused before the instant. Jobs whose fires depend
/// on what is open at the instant (`overlap: skip` and `replace`) are never recorded ahead.
///
/// Nearly all instants are whole seconds, so this is none: else the fires to come would be recorded in the very moment
/// in which those of now are sent.
pub(super) const AHEAD: Duration = Duration::from_millis(5_500);

/// A plan that holds so many decisions takes in no further job: after a long absence of many jobs, one transaction of them
/// all would take gigabytes, and nothing could be sent or stopped until it was written.
const ROWS_AT_ONCE: usize = 2048;

/// So many rows of a transaction, beside those, are for what waited longer than [`IN_TIME`]: some milliseconds more for
/// whoever waits for it.
const LATE_ROWS_AT_ONCE: usize = 1024;

/// Jobs that owe a gap are asked one by one for what lies in it already.
const GAPS_AT_ONCE: usize = 64;

/// A job that waits longer for a decision lets those go first whose instant is now.
const IN_TIME: Duration = Duration::from_secs(60);

/// So many rows without a fire are no gap worth to be owed.
const FEW: usize = 3;

/// A job as the timer sees it.
pub struct Scheduled {
    pub name: Arc<str>,
    pub schedule: Arc<CompiledSchedule>,
    /// As the definition has it: [`Scheduled::schedule`] of a job that has fired as often as it may ends then.
    pub defined: Arc<CompiledSchedule>,
    /// So often it fires and no more.
    pub max_fires: Option<u64>,
    pub definition_hash: i64,
    pub source: JobSource,
    /// The first instant that is not decided.
    next_due_at: Option<UtcMs>,
    /// The place that the store holds, which differs from `next_due_at` after the clock was set back and while a gap is
    /// owed.
    stored_at: Option<UtcMs>,
    /// Decided about, and not recorded yet.
    owed: Option<Box<Gap>>,
    zone: Arc<str>,
    misfire: Arc<Misfire>,
    overlap: Overlap,
    /// Of a job whose content takes time to be made, or whose pushes may be held: what waits is not taken back.
    lead: Option<Duration>,
    enabled: bool,
    paused: bool,
    /// Entries of the heap with another generation are stale.
    generation: u32,
}

impl Scheduled {
    /// Nothing is recorded ahead of a job that owes a gap: another process that withdraws it tells so by the place of the
    /// job, which would not change.
    fn ahead(&self) -> Duration {
        let may_be = self.overlap == Overlap::Allow && self.is_active() && self.owed.is_none();
        // What a content is made of is asked for at its time, and no sooner.
        if may_be { self.lead.unwrap_or(AHEAD) } else { Duration::ZERO }
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

    fn view(&self) -> JobView<'_> {
        let Scheduled { schedule, misfire, enabled, paused, .. } = self;
        JobView { schedule, misfire, enabled: *enabled, paused: *paused }
    }

    /// None where nothing is due by then.
    fn closing(&self, until: UtcMs, reason: Reason) -> Option<misfire::Plan> {
        let place = self.next_due_at.filter(|at| *at <= until)?;
        Some(misfire::plan_closing(&self.view(), place, until, reason))
    }

    fn look_at(&self) -> Option<UtcMs> {
        self.next_due_at.map(|at| at - self.ahead())
    }

    fn has_waited(&self, now: UtcMs) -> bool {
        self.next_due_at.is_some_and(|at| at < now - IN_TIME)
    }
}

/// Decisions about due instants, not durable yet.
#[derive(Default)]
pub struct Plan {
    pub fires: Vec<NewFire>,
    pub cursors: Vec<Cursor>,
    moves: Vec<Move>,
}

/// Where a job stands once a plan is durable.
struct Move {
    index: usize,
    next_due_at: Option<UtcMs>,
    stored_at: Option<UtcMs>,
    owed: Option<Box<Gap>>,
    /// The one gap of the job that is recorded.
    gap: Option<Gap>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    fn record(&mut self, job: &Scheduled, rows: impl IntoIterator<Item = InstantDecision>) {
        self.fires.extend(rows.into_iter().map(|decided| NewFire {
            job: job.name.clone(),
            due_at: decided.due_at,
            decision: decided.decision,
            reason: decided.reason,
            count: decided.count,
            until_at: decided.until_at,
            overlap: job.overlap,
            zone: Some(job.zone.clone()),
            calendar: job.schedule.day_note(decided.due_at).map(|note| note.to_string()),
            is_held: decided.decision == Decision::Fired && job.schedule.holds(decided.due_at),
        }));
    }

    /// The job goes on at `next_due_at`; in the store it does not before what it owes is recorded.
    fn go_on(&mut self, index: usize, job: &Scheduled, next_due_at: Option<UtcMs>, owed: Option<Box<Gap>>) {
        let place = owed.as_ref().map_or(next_due_at, |gap| Some(gap.from));
        self.cursors.push(Cursor { job: job.name.clone(), from: job.stored_at, next_due_at: place });
        self.moves.push(Move { index, next_due_at, stored_at: place, owed, gap: None });
    }

    fn record_gap(&mut self, job: &Scheduled, gap: Option<&Gap>) {
        self.record(job, gap.iter().flat_map(|gap| gap.rows(&job.schedule)));
    }

    /// The gap that the last job in this plan has recorded.
    fn whole_gap(&mut self, gap: Option<Gap>) {
        if let Some(to) = self.moves.last_mut() {
            to.gap = gap;
        }
    }

    fn is_full(&self) -> bool {
        self.fires.len() + self.cursors.len() >= ROWS_AT_ONCE
    }
}

/// When to look at which job, and the generation of it that this is about.
type Look = (UtcMs, usize, u32);

/// Every job with a coming instant, in the order of those instants.
#[derive(Default)]
pub struct Timeline {
    jobs: Vec<Scheduled>,
    by_name: HashMap<Arc<str>, usize>,
    coming: BinaryHeap<Reverse<Look>>,
    /// Of jobs that have waited, in the same order.
    late: BinaryHeap<Reverse<Look>>,
    /// Jobs that owe a gap.
    owing: BTreeSet<usize>,
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
        let (timeline, left_out) = Timeline::default().again(stored, zone_version, now);
        left_out.into_iter().next().map_or(Ok(timeline), Err)
    }

    /// Adds a job, or replaces the one of that name.
    pub fn put(&mut self, job: StoredJob, now: UtcMs) -> Result<(), (String, ScheduleError)> {
        let compiled = self.cache.get_or_compile(job.timing());
        let defined = compiled.map_err(|error| (job.name.to_string(), error))?;
        let schedule = match job.spent_at.filter(|spent_at| job.next_due_at.is_some_and(|place| place <= *spent_at)) {
            None => defined.clone(),
            Some(spent_at) => self.ending(&job, spent_at).map_err(|error| (job.name.to_string(), error))?,
        };
        let zone = self.intern_zone(&job.timezone);
        let index = self.by_name.get(&job.name).copied();
        let mut next_due_at = match job.spent_at {
            None => misfire::place_at(&schedule, job.next_due_at, job.decided_until(now)),
            // A gap from before may be owed.
            Some(spent_at) => job.next_due_at.filter(|place| *place <= spent_at),
        };
        let misfire = self.intern_misfire(job.misfire);
        let (mut stored_at, mut owed) = (job.next_due_at, None);
        if let Some(known) = index.map(|index| &mut self.jobs[index]).filter(|known| known.owed.is_some()) {
            // A changed schedule was settled until now; one that goes on owes what it owed.
            if Arc::ptr_eq(&known.defined, &defined) {
                (next_due_at, stored_at, owed) = (known.next_due_at, known.stored_at, known.owed.take());
            }
        }
        let scheduled = Scheduled {
            name: job.name,
            definition_hash: job.definition_hash,
            source: job.source,
            next_due_at,
            stored_at,
            owed,
            lead: if schedule.may_hold() { Some(Duration::ZERO) } else { job.lead },
            schedule,
            defined,
            max_fires: job.life.as_ref().and_then(|life| life.max_fires),
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
        if self.jobs[index].owed.is_none() {
            self.owing.remove(&index);
        }
        self.enqueue(index);
        Ok(())
    }

    /// The schedule of a job that has fired as often as it may.
    fn ending(&mut self, job: &StoredJob, spent_at: UtcMs) -> Result<Arc<CompiledSchedule>, ScheduleError> {
        let life = job.life.as_deref().copied().unwrap_or_default();
        let until = life.until.map_or(spent_at, |until| until.min(spent_at));
        let life = Life { until: Some(until), ..life };
        self.cache.get_or_compile(Timing { life: Some(&life), ..job.timing() })
    }

    /// These jobs have fired as often as they may: nothing comes any more, but for what they owe.
    pub fn end(&mut self, spent: &[(Arc<str>, UtcMs)]) {
        for index in spent.iter().filter_map(|(name, _)| self.by_name.get(name)) {
            let job = &mut self.jobs[*index];
            job.next_due_at = None;
            job.stored_at = job.owed.as_ref().map(|gap| gap.from);
            job.generation += 1;
        }
    }

    /// Forgets jobs. Their places stay as empty slots until the next start, which a reload can afford.
    pub fn remove(&mut self, name: &str) {
        if let Some(index) = self.by_name.remove(name) {
            let job = &mut self.jobs[index];
            (job.next_due_at, job.owed) = (None, None);
            job.generation += 1;
            self.owing.remove(&index);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Scheduled> {
        self.by_name.get(name).map(|index| &self.jobs[*index])
    }

    /// Jobs of the files.
    pub fn file_jobs(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.iter().filter(|(_, index)| !self.jobs[**index].source.is_verb()).map(|(name, _)| name)
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
        let owing = self.owing.first().and_then(|index| self.jobs[*index].owed.as_ref()).map(|gap| gap.from);
        [owing, first(&mut self.late, &self.jobs), first(&mut self.coming, &self.jobs)].into_iter().flatten().min()
    }

    /// Decides about the instants due by now (or soon, where they may be recorded ahead) of at most `limit` jobs, and as
    /// many that have waited. Nothing moves on until [`Timeline::advance`] is told that the decisions are durable.
    pub fn plan(&mut self, now: UtcMs, limit: usize) -> Plan {
        let mut plan = Plan::default();
        let mut looked_at = Vec::new();
        while plan.moves.len() < limit
            && plan.fires.len() < ROWS_AT_ONCE
            && first(&mut self.coming, &self.jobs).is_some_and(|at| at <= now)
        {
            let Some(look) = self.coming.pop() else { break };
            let index = look.0.1;
            if self.jobs[index].has_waited(now) {
                self.late.push(look);
                continue;
            }
            looked_at.push(look);
            self.decide(index, now, ROWS_AT_ONCE - plan.fires.len(), &mut plan);
        }
        let (most_rows, most_jobs) = (plan.fires.len() + LATE_ROWS_AT_ONCE, plan.moves.len() + limit);
        let mut late = Vec::new();
        while plan.moves.len() < most_jobs
            && plan.fires.len() < most_rows
            && first(&mut self.late, &self.jobs).is_some()
        {
            let Some(look) = self.late.pop() else { break };
            late.push(look);
            self.decide(look.0.1, now, most_rows - plan.fires.len(), &mut plan);
        }
        let most_jobs = most_jobs.min(plan.moves.len() + GAPS_AT_ONCE);
        let taken: HashSet<usize> = plan.moves.iter().map(|to| to.index).collect();
        for index in self.owing.iter().copied().filter(|index| !taken.contains(index)) {
            if plan.moves.len() >= most_jobs || plan.fires.len() >= most_rows {
                break;
            }
            let job = &self.jobs[index];
            plan.record_gap(job, job.owed.as_deref());
            plan.go_on(index, job, job.next_due_at, None);
            plan.whole_gap(job.owed.as_deref().copied());
        }
        // The heaps keep what is not durable yet, so that a failed write leaves all as it was.
        self.coming.extend(looked_at);
        self.late.extend(late);
        plan
    }

    fn decide(&self, index: usize, now: UtcMs, room: usize, plan: &mut Plan) {
        let job = &self.jobs[index];
        let Some(place) = job.next_due_at else { return };
        let has_waited = job.has_waited(now);
        let ahead = if has_waited { Duration::ZERO } else { job.ahead() };
        let misfire::Plan { gap, fires, next_due_at } = misfire::plan(&job.view(), place, now, now + ahead, room);
        let (owed, gap) = match gap {
            Some(gap) if has_waited && job.owed.is_none() && gap.has_more_than(FEW, &job.schedule) => {
                (Some(Box::new(gap)), None)
            }
            gap => (job.owed.clone(), gap),
        };
        if gap.is_none() && fires.is_empty() && owed.is_some() {
            // Nothing changes in the store yet, whose place may lie before the gap: an earlier schedule called for it.
            plan.moves.push(Move { index, next_due_at, stored_at: job.stored_at, owed, gap: None });
            return;
        }
        plan.record_gap(job, gap.as_ref());
        plan.record(job, fires);
        plan.go_on(index, job, next_due_at, owed);
        plan.whole_gap(gap);
    }

    /// The first places that lie earlier than the store has them, since the clock was put back. They are to be made
    /// durable: else a stop before a job's next fire, and what is missed after it, would leave no rows.
    pub fn put_back(&self) -> Plan {
        let mut plan = Plan::default();
        for (index, job) in self.jobs.iter().enumerate() {
            if plan.is_full() {
                break;
            }
            if job.owed.is_none() && job.next_due_at != job.stored_at {
                plan.go_on(index, job, job.next_due_at, None);
            }
        }
        plan
    }

    /// A schedule with its meaning, shared with every job that has the same.
    pub fn compile(&mut self, timing: Timing<'_>) -> Result<Arc<CompiledSchedule>, ScheduleError> {
        self.cache.get_or_compile(timing)
    }

    /// Nothing is decided about a job until it is taken up again.
    pub fn put_off(&mut self, name: &str) {
        if let Some(index) = self.by_name.get(name) {
            self.jobs[*index].generation += 1;
            self.owing.remove(index);
        }
    }

    pub fn take_up(&mut self, name: &str) {
        if let Some(index) = self.by_name.get(name).copied() {
            self.enqueue(index);
        }
    }

    /// The decisions of this plan are durable: the jobs move on to their next instants.
    pub fn advance(&mut self, plan: Plan) {
        for Move { index, next_due_at, stored_at, owed, .. } in plan.moves {
            let job = &mut self.jobs[index];
            (job.next_due_at, job.stored_at, job.owed) = (next_due_at, stored_at, owed);
            job.generation += 1;
            if job.owed.is_none() {
                self.owing.remove(&index);
            }
            self.enqueue(index);
        }
        // Stale entries are dropped lazily; a reload that touches everything again and again must not let them grow.
        let jobs = &self.jobs;
        for looks in [&mut self.coming, &mut self.late] {
            if looks.len() > 2 * jobs.len() + 64 {
                looks.retain(|Reverse((_, index, generation))| jobs[*index].generation == *generation);
            }
        }
    }

    fn enqueue(&mut self, index: usize) {
        let job = &self.jobs[index];
        if job.owed.is_some() {
            self.owing.insert(index);
        }
        if let Some(at) = job.look_at() {
            self.coming.push(Reverse((at, index, job.generation)));
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

/// When the first entry comes that is not stale.
fn first(looks: &mut BinaryHeap<Reverse<Look>>, jobs: &[Scheduled]) -> Option<UtcMs> {
    while let Some(Reverse((at, index, generation))) = looks.peek() {
        if jobs[*index].generation == *generation {
            return Some(*at);
        }
        looks.pop();
    }
    None
}

mod again;
mod closing;
mod owe;
#[cfg(test)]
mod tests;
