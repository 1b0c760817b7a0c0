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

use crate::domain::job::DstGap;
use crate::domain::{Misfire, Overlap, Schedule, UtcMs};
use crate::policy::misfire::{self, Decided, Gap, Watched};
use crate::policy::schedule::{CompiledSchedule, ScheduleCache, ScheduleError};
use crate::store::{Cursor, NewFire, StoredJob};

/// How long before its instant a fire is recorded, so that nothing is left to write when many are due at once.
///
/// A fire recorded ahead is withdrawn when its job changes or is paused before the instant. Jobs whose fires depend
/// on what is open at the instant (`overlap: skip` and `replace`) are never recorded ahead.
///
/// Nearly all instants are whole seconds, so this is none: else the fires to come would be recorded in the very moment
/// in which those of now are sent.
pub const AHEAD: Duration = Duration::from_millis(5_500);

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
    pub definition_hash: i64,
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
        if may_be { AHEAD } else { Duration::ZERO }
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

    fn watched(&self) -> Watched<'_> {
        let Scheduled { schedule, misfire, enabled, paused, .. } = self;
        Watched { schedule, misfire, enabled: *enabled, paused: *paused }
    }

    /// None where nothing is due by then.
    fn closing(&self, until: UtcMs, reason: &'static str) -> Option<misfire::Plan> {
        let place = self.next_due_at.filter(|at| *at <= until)?;
        Some(misfire::plan_closing(&self.watched(), place, until, reason))
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
    owed: Option<Box<Gap>>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    fn record(&mut self, job: &Scheduled, rows: impl IntoIterator<Item = Decided>) {
        self.fires.extend(rows.into_iter().map(|decided| NewFire {
            job: job.name.clone(),
            due_at: decided.due_at,
            decision: decided.decision,
            reason: decided.reason.map(str::to_owned),
            count: decided.count,
            until_at: decided.until_at,
            overlap: job.overlap,
            zone: Some(job.zone.clone()),
        }));
    }

    /// The job goes on at `next_due_at`; in the store it does not before what it owes is recorded.
    fn go_on(&mut self, index: usize, job: &Scheduled, next_due_at: Option<UtcMs>, owed: Option<Box<Gap>>) {
        let place = owed.as_ref().map_or(next_due_at, |gap| Some(gap.from));
        self.cursors.push(Cursor { job: job.name.clone(), from: job.stored_at, next_due_at: place });
        self.moves.push(Move { index, next_due_at, owed });
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
        let mut next_due_at = misfire::place_at(&schedule, job.next_due_at, now);
        let (mut stored_at, mut owed) = (job.next_due_at, None);
        if let Some(known) = index.map(|index| &mut self.jobs[index]).filter(|known| known.owed.is_some()) {
            // A changed schedule was settled until now; one that goes on owes what it owed.
            if Arc::ptr_eq(&known.schedule, &schedule) {
                (next_due_at, stored_at, owed) = (known.next_due_at, known.stored_at, known.owed.take());
            }
        }
        let scheduled = Scheduled {
            name: job.name,
            definition_hash: job.definition_hash,
            next_due_at,
            stored_at,
            owed,
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
        if self.jobs[index].owed.is_none() {
            self.owing.remove(&index);
        }
        self.enqueue(index);
        Ok(())
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
            plan.record(job, job.owed.iter().flat_map(|gap| gap.rows(&job.schedule)));
            plan.go_on(index, job, job.next_due_at, None);
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
        let misfire::Plan { gap, fires, next_due_at } = misfire::plan(&job.watched(), place, now, now + ahead, room);
        let (owed, gap) = match gap {
            Some(gap) if has_waited && job.owed.is_none() && gap.has_more_than(FEW, &job.schedule) => {
                (Some(Box::new(gap)), None)
            }
            gap => (job.owed.clone(), gap),
        };
        if gap.is_none() && fires.is_empty() && owed.is_some() {
            // Nothing changes in the store yet.
            plan.moves.push(Move { index, next_due_at, owed });
            return;
        }
        plan.record(job, gap.iter().flat_map(|gap| gap.rows(&job.schedule)));
        plan.record(job, fires);
        plan.go_on(index, job, next_due_at, owed);
    }

    /// Decisions about what the schedules of these jobs called for until `now`, none of which may fire any more, with
    /// the reason why, and how many of the jobs found room in it. Jobs of which nothing is due have their cursor too, so
    /// that the store can tell whether their places are still these.
    pub fn plan_closing(&self, names: &[Arc<str>], now: UtcMs, reason: &'static str) -> (Plan, usize) {
        let mut plan = Plan::default();
        for (taken, name) in names.iter().enumerate() {
            if plan.is_full() {
                return (plan, taken);
            }
            let Some(index) = self.by_name.get(name).copied() else { continue };
            let job = &self.jobs[index];
            plan.record(job, job.owed.iter().flat_map(|gap| gap.rows(&job.schedule)));
            let closing = job.closing(now, reason);
            let next_due_at = closing.as_ref().map_or(job.next_due_at, |closing| closing.next_due_at);
            let gap = closing.and_then(|closing| closing.gap);
            plan.record(job, gap.iter().flat_map(|gap| gap.rows(&job.schedule)));
            plan.go_on(index, job, next_due_at, None);
        }
        (plan, names.len())
    }

    /// Nothing fires any more of what was called for until an instant: it is owed with this reason.
    pub fn close(&mut self, until: UtcMs, reason: &'static str) {
        for index in 0..self.jobs.len() {
            let job = &mut self.jobs[index];
            let Some(misfire::Plan { gap: Some(gap), next_due_at, .. }) = job.closing(until, reason) else { continue };
            (job.next_due_at, job.owed) = (next_due_at, Some(Box::new(gap)));
            job.generation += 1;
            self.enqueue(index);
        }
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
    pub fn compile(
        &mut self,
        schedule: &Schedule,
        timezone: &str,
        dst_gap: DstGap,
    ) -> Result<Arc<CompiledSchedule>, ScheduleError> {
        self.cache.get_or_compile(schedule, timezone, dst_gap)
    }

    /// The decisions of this plan are durable: the jobs move on to their next instants.
    pub fn advance(&mut self, plan: Plan) {
        for Move { index, next_due_at, owed } in plan.moves {
            let job = &mut self.jobs[index];
            job.stored_at = owed.as_ref().map_or(next_due_at, |gap| Some(gap.from));
            (job.next_due_at, job.owed) = (next_due_at, owed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Decision, MisfirePolicy};

    /// 2026-01-01T01:00:00.000Z
    const START: UtcMs = UtcMs(1_767_229_200_000);

    fn after(seconds: i64) -> UtcMs {
        UtcMs(START.0 + seconds * 1000)
    }

    /// Every minute, with the first instant a minute after the start.
    fn every_minute(name: &str) -> StoredJob {
        StoredJob {
            name: name.into(),
            schedule: Schedule::Cron("* * * * *".to_owned()),
            timezone: "UTC".to_owned(),
            dst_gap: DstGap::Fire,
            enabled: true,
            paused: false,
            misfire: Misfire::default(),
            overlap: Overlap::Allow,
            next_due_at: Some(after(60)),
            definition_hash: 7,
            revision: 1,
            loaded_at: START,
        }
    }

    fn timeline(jobs: Vec<StoredJob>) -> Timeline {
        Timeline::new(jobs, "2026a", START).unwrap()
    }

    fn timeline_after_an_absence(jobs: Vec<StoredJob>) -> Timeline {
        Timeline::new(jobs, "2026a", after(AWAY)).unwrap()
    }

    /// What a plan records: name, seconds after the start, decision.
    fn fires(plan: &Plan) -> Vec<(&str, i64, Decision)> {
        let fire = |fire: &NewFire| (fire.due_at.0 - START.0) / 1000;
        plan.fires.iter().map(|new| (&*new.job, fire(new), new.decision)).collect()
    }

    #[test]
    fn only_what_depends_on_nothing_else_is_looked_at_ahead() {
        let job = || every_minute("a");
        for (job, look_at) in [
            (job(), after(60) - AHEAD),
            (StoredJob { overlap: Overlap::Skip, ..job() }, after(60)),
            (StoredJob { overlap: Overlap::Replace, ..job() }, after(60)),
            (StoredJob { paused: true, ..job() }, after(60)),
            (StoredJob { enabled: false, ..job() }, after(60)),
        ] {
            let mut timeline = timeline(vec![job]);
            assert_eq!(timeline.next_look_at(), Some(look_at));
            assert_eq!(fires(&timeline.plan(UtcMs(look_at.0 - 1), 9)), []);
            assert_eq!(timeline.plan(look_at, 9).fires.len(), 1, "at {look_at}");
        }
    }

    #[test]
    fn nothing_moves_on_until_the_plan_is_durable() {
        let mut timeline = timeline(vec![every_minute("a")]);
        let planned = [("a", 60, Decision::Fired)];
        assert_eq!(fires(&timeline.plan(after(60), 9)), planned);
        let again = timeline.plan(after(60), 9);
        assert_eq!(fires(&again), planned);
        let cursor = &again.cursors[0];
        assert_eq!((&*cursor.job, cursor.from, cursor.next_due_at), ("a", Some(after(60)), Some(after(120))));
        assert_eq!(again.fires[0].zone.as_deref(), Some("UTC 2026a"));
        timeline.advance(again);
        assert_eq!(timeline.next_look_at(), Some(after(120) - AHEAD));
        assert_eq!(timeline.plan(after(115), 9).cursors[0].from, Some(after(120)));
    }

    #[test]
    fn a_plan_holds_no_more_jobs_than_it_may() {
        let mut timeline = timeline(["a", "b", "c"].map(every_minute).to_vec());
        let plan = timeline.plan(after(60), 2);
        assert_eq!(fires(&plan).len(), 2);
        timeline.advance(plan);
        let rest = timeline.plan(after(60), 2);
        assert_eq!(fires(&rest).len(), 1);
        timeline.advance(rest);
        assert_eq!(fires(&timeline.plan(after(60), 2)), []);
    }

    /// Away for 900 minutes and a half: 840 instants older than an hour, 59 missed for a newer one, one in time.
    const AWAY: i64 = 900 * 60 + 30;
    const NEWEST: i64 = 900 * 60;

    /// Plans one after the other until nothing is due, as (job, seconds, decision) of each transaction.
    fn transactions(timeline: &mut Timeline, now: UtcMs) -> Vec<Vec<(String, i64, Decision)>> {
        let mut all = Vec::new();
        loop {
            let plan = timeline.plan(now, 500);
            if plan.is_empty() {
                return all;
            }
            all.push(fires(&plan).into_iter().map(|(job, at, decision)| (job.to_owned(), at, decision)).collect());
            timeline.advance(plan);
        }
    }

    #[test]
    fn after_a_long_absence_what_is_due_now_goes_first_and_what_was_missed_last() {
        let mut jobs: Vec<_> = (0..40).map(|n| every_minute(&format!("late{n:02}"))).collect();
        jobs.push(StoredJob { next_due_at: Some(after(NEWEST)), ..every_minute("punctual") });
        let mut timeline = timeline_after_an_absence(jobs);
        let plans = transactions(&mut timeline, after(AWAY));
        let first = &plans[0][..41];
        assert_eq!(first[0], ("punctual".to_owned(), NEWEST, Decision::Fired));
        assert!(first.iter().all(|row| row.1 == NEWEST && row.2 == Decision::Fired), "{first:?}");
        assert!(plans.iter().all(|rows| rows.len() <= 4096), "{:?}", plans.iter().map(Vec::len).collect::<Vec<_>>());
        assert!(plans.len() >= 18, "{} transactions", plans.len());
        let mut rows = plans.concat();
        rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let minutes = |_| (1..=900).map(|minute| minute * 60);
        let due: Vec<i64> = (0..40).flat_map(minutes).chain([NEWEST]).collect();
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), due, "each instant has its one row");
        assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 60) - AHEAD));
    }

    #[test]
    fn a_job_that_owes_a_gap_keeps_its_place_in_the_store_until_the_rows_are_there() {
        let mut timeline = timeline(vec![every_minute("a")]);
        let plan = timeline.plan(after(NEWEST + 57), 9);
        // The last instant lies 57 s back, in time; the next one is not recorded ahead.
        assert_eq!(fires(&plan), [("a", NEWEST, Decision::Fired)]);
        let cursor = |plan: &Plan| (plan.cursors[0].from, plan.cursors[0].next_due_at, plan.cursors.len());
        assert_eq!(cursor(&plan), (Some(after(60)), Some(after(60)), 1));
        timeline.advance(plan);
        assert_eq!(timeline.next_look_at(), Some(after(60)), "at once");
        // It fires on meanwhile, at its instants and not ahead of them.
        assert_eq!(timeline.plan(after(NEWEST + 59), 9).fires.len(), 899);
        let instant = timeline.plan(after(NEWEST + 60), 9);
        assert_eq!(fires(&instant), [("a", NEWEST + 60, Decision::Fired)]);
        assert_eq!(cursor(&instant), (Some(after(60)), Some(after(60)), 1));
        timeline.advance(instant);
        let gap = timeline.plan(after(NEWEST + 60), 9);
        assert_eq!((gap.fires.len(), fires(&gap)[0]), (899, ("a", 60, Decision::Missed)));
        assert_eq!(gap.fires[898].reason.as_deref(), Some("misfire_latest"), "as it was decided");
        assert_eq!(cursor(&gap), (Some(after(60)), Some(after(NEWEST + 120)), 1));
        timeline.advance(gap);
        assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 120) - AHEAD));
        assert!(timeline.plan(after(NEWEST + 60), 9).is_empty());
    }

    #[test]
    fn the_catch_up_of_one_job_is_divided_and_stays_in_order() {
        let misfire = Misfire { policy: MisfirePolicy::All, max: 10_000, within: Duration::MAX, ..Misfire::default() };
        let many = |name: &str| StoredJob { misfire: misfire.clone(), ..every_minute(name) };
        let mut timeline = timeline(vec![many("a"), many("b")]);
        let away = 12_000 * 60 + 30;
        let plans = transactions(&mut timeline, after(away));
        assert!(plans.iter().all(|rows| rows.len() <= 4096), "{:?}", plans.iter().map(Vec::len).collect::<Vec<_>>());
        for job in ["a", "b"] {
            let fired: Vec<i64> =
                plans.concat().iter().filter(|row| row.0 == job && row.2 == Decision::Fired).map(|row| row.1).collect();
            assert_eq!(fired, (2000..=12_000).map(|minute| minute * 60).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_busy_day_does_not_put_off_what_waited_for_ever() {
        let mut jobs: Vec<_> = (0..3000)
            .map(|n| StoredJob { next_due_at: Some(after(NEWEST)), ..every_minute(&format!("busy{n}")) })
            .collect();
        jobs.push(every_minute("late"));
        let mut timeline = timeline_after_an_absence(jobs);
        let plan = timeline.plan(after(AWAY), 500);
        assert_eq!(plan.fires.len(), 501);
        assert_eq!(fires(&plan)[500], ("late", NEWEST, Decision::Fired));
        timeline.advance(plan);
        let plan = timeline.plan(after(AWAY), 500);
        assert_eq!(fires(&plan)[500], ("late", 60, Decision::Missed));
    }

    #[test]
    fn a_job_that_is_off_owes_its_rows_and_writes_nothing_for_it() {
        let paused = StoredJob { paused: true, ..every_minute("a") };
        let mut timeline = timeline(vec![paused]);
        let plan = timeline.plan(after(AWAY), 9);
        assert_eq!((plan.is_empty(), plan.cursors.len()), (false, 0));
        timeline.advance(plan);
        let plan = timeline.plan(after(AWAY), 9);
        assert_eq!((plan.fires.len(), fires(&plan)[899]), (900, ("a", NEWEST, Decision::Skipped)));
    }

    #[test]
    fn a_changed_definition_owes_what_the_old_one_did_while_its_schedule_holds() {
        let owing = || {
            let mut timeline = timeline(vec![every_minute("a")]);
            let plan = timeline.plan(after(AWAY), 9);
            timeline.advance(plan);
            timeline
        };
        let mut timeline = owing();
        let place = timeline.get("a").unwrap().place_at(after(AWAY));
        let changed = StoredJob { definition_hash: 8, next_due_at: place, ..every_minute("a") };
        timeline.put(changed, after(AWAY)).unwrap();
        let plan = timeline.plan(after(AWAY), 9);
        assert_eq!((plan.fires.len(), plan.cursors[0].from), (899, Some(after(60))));
        // Another schedule was settled before.
        let mut timeline = owing();
        let hourly = Schedule::Cron("0 * * * *".to_owned());
        let place = Some(after(57_600));
        timeline.put(StoredJob { schedule: hourly, next_due_at: place, ..every_minute("a") }, after(AWAY)).unwrap();
        assert!(timeline.plan(after(AWAY), 9).is_empty());
        let mut timeline = owing();
        timeline.remove("a");
        assert_eq!((timeline.next_look_at(), timeline.plan(after(AWAY), 9).is_empty()), (None, true));
    }

    #[test]
    fn a_replaced_job_goes_by_its_new_definition_alone() {
        let mut timeline = timeline(vec![every_minute("a")]);
        let hourly = Schedule::Cron("0 * * * *".to_owned());
        let place = Some(after(3600));
        let new = StoredJob { schedule: hourly, next_due_at: place, definition_hash: 8, ..every_minute("a") };
        timeline.put(new, START).unwrap();
        assert_eq!((timeline.len(), timeline.get("a").unwrap().definition_hash), (1, 8));
        assert_eq!(timeline.next_look_at(), Some(after(3600) - AHEAD));
        assert_eq!(fires(&timeline.plan(after(60), 9)), []);
        // Again and again, without the stale entries of the heap piling up.
        for _ in 0..1000 {
            timeline.put(every_minute("a"), START).unwrap();
            timeline.advance(Plan::default());
        }
        assert!(timeline.coming.len() <= 66, "{}", timeline.coming.len());
        assert_eq!(fires(&timeline.plan(after(60), 9)), [("a", 60, Decision::Fired)]);
    }

    #[test]
    fn a_removed_job_is_forgotten() {
        let mut timeline = timeline(["a", "b"].map(every_minute).to_vec());
        assert_eq!(timeline.len(), 2);
        timeline.remove("a");
        assert_eq!((timeline.len(), timeline.is_empty()), (1, false));
        assert_eq!(timeline.names().map(|name| &**name).collect::<Vec<_>>(), ["b"]);
        assert!(timeline.get("a").is_none());
        assert_eq!(fires(&timeline.plan(after(60), 9)), [("b", 60, Decision::Fired)]);
        timeline.remove("b");
        assert_eq!((timeline.is_empty(), timeline.next_look_at(), timeline.next_fire_at()), (true, None, None));
    }

    #[test]
    fn the_next_fire_is_that_of_a_job_that_may_fire() {
        let mut timeline = timeline(vec![
            StoredJob { paused: true, ..every_minute("paused") },
            StoredJob { enabled: false, ..every_minute("disabled") },
        ]);
        assert_eq!(timeline.next_fire_at(), None);
        assert!(timeline.get("paused").unwrap().is_paused() && !timeline.get("disabled").unwrap().is_paused());
        let hourly = Schedule::Cron("0 * * * *".to_owned());
        let later = StoredJob { schedule: hourly, next_due_at: Some(after(3600)), ..every_minute("later") };
        timeline.put(later, START).unwrap();
        assert_eq!(timeline.next_fire_at(), Some(after(3600)));
    }

    #[test]
    fn what_may_not_fire_any_more_is_closed_with_its_reason() {
        let timeline = timeline(vec![every_minute("a"), every_minute("b")]);
        let names = ["a", "nobody"].map(Arc::from);
        let (plan, taken) = timeline.plan_closing(&names, after(60), "removed");
        assert_eq!((fires(&plan), taken), (vec![("a", 60, Decision::Missed)], 2));
        assert_eq!(plan.fires[0].reason.as_deref(), Some("removed"));
        let cursor = |plan: &Plan| (plan.cursors[0].from, plan.cursors[0].next_due_at, plan.cursors.len());
        assert_eq!(cursor(&plan), (Some(after(60)), Some(after(120)), 1));
        // What would not have fired anyway keeps its own reason.
        let paused = Timeline::new(vec![StoredJob { paused: true, ..every_minute("a") }], "2026a", START).unwrap();
        let skipped = &paused.plan_closing(&names, after(62), "removed").0.fires[0];
        assert_eq!((skipped.decision, skipped.reason.as_deref()), (Decision::Skipped, Some("paused")));
        // Nothing is due: no fire, and the place as the store has it.
        let (plan, _) = timeline.plan_closing(&names, after(59), "removed");
        assert_eq!(fires(&plan), []);
        assert_eq!(cursor(&plan), (Some(after(60)), Some(after(60)), 1));
    }

    #[test]
    fn many_jobs_are_closed_in_parts_with_what_they_owe() {
        let mut timeline = timeline((0..10).map(|n| every_minute(&format!("job{n}"))).collect());
        let plan = timeline.plan(after(AWAY), 500);
        assert_eq!(plan.fires.len(), 10);
        timeline.advance(plan);
        let mut names: Vec<Arc<str>> = (0..10).map(|n| format!("job{n}").into()).collect();
        let mut rows = Vec::new();
        while !names.is_empty() {
            let (plan, taken) = timeline.plan_closing(&names, after(NEWEST + 60), "removed");
            assert!(plan.fires.len() <= 4096 && taken > 0, "{taken} jobs in {} rows", plan.fires.len());
            rows.extend(plan.fires.iter().map(|fire| (fire.job.clone(), fire.due_at, fire.reason.clone())));
            names.drain(..taken);
            timeline.advance(plan);
        }
        assert_eq!(rows.len(), 10 * 900, "899 that were owed, and one more minute");
        let reasons = |reason: &str| rows.iter().filter(|row| row.2.as_deref() == Some(reason)).count();
        assert_eq!((reasons("misfire_window"), reasons("removed")), (10 * 840, 10));
        assert_eq!(timeline.next_look_at(), Some(after(NEWEST + 120) - AHEAD));
    }

    #[test]
    fn what_a_restored_database_does_not_know_is_owed_and_never_fires() {
        let mut timeline = timeline(vec![every_minute("a"), every_minute("b")]);
        timeline.close(after(120), "restored");
        let plan = timeline.plan(after(121), 9);
        let missed = |job| [60, 120].map(|at| (job, at, Decision::Missed));
        assert_eq!(fires(&plan), [missed("a"), missed("b")].concat());
        assert!(plan.fires.iter().all(|fire| fire.reason.as_deref() == Some("restored")));
        timeline.advance(plan);
        assert!(timeline.plan(after(121), 9).is_empty());
        assert_eq!(fires(&timeline.plan(after(180), 1)), [("a", 180, Decision::Fired)]);
    }

    #[test]
    fn a_place_beyond_the_clock_is_put_back_and_then_as_the_store_has_it() {
        // Recorded until in an hour, and then the clock was put back.
        let ahead = StoredJob { next_due_at: Some(after(3600)), ..every_minute("a") };
        let mut timeline = timeline(vec![ahead, every_minute("b")]);
        assert_eq!(timeline.get("a").unwrap().place_at(after(70)), Some(after(60)));
        let plan = timeline.put_back();
        assert_eq!(plan.cursors.len(), 1);
        let cursor = &plan.cursors[0];
        assert_eq!((&*cursor.job, cursor.from, cursor.next_due_at), ("a", Some(after(3600)), Some(after(60))));
        timeline.advance(plan);
        assert!(timeline.put_back().is_empty());
        assert_eq!(timeline.plan(after(60), 9).cursors[0].from, Some(after(60)));
    }

    #[test]
    fn very_many_places_are_put_back_in_parts() {
        let ahead = |n: i64| StoredJob { next_due_at: Some(after(3600)), ..every_minute(&format!("job{n}")) };
        let mut timeline = timeline((0..10_000).map(ahead).collect());
        let (mut put_back, mut parts) = (0, 0);
        loop {
            let plan = timeline.put_back();
            if plan.is_empty() {
                break;
            }
            assert!(plan.cursors.len() <= 4096);
            (put_back, parts) = (put_back + plan.cursors.len(), parts + 1);
            timeline.advance(plan);
        }
        assert_eq!((put_back, parts), (10_000, 5));
    }

    #[test]
    fn jobs_share_zones_and_policies_and_each_keeps_its_own() {
        let misfire = |max| Misfire { max, ..Misfire::default() };
        let mut jobs: Vec<_> =
            (1..200).map(|max| StoredJob { misfire: misfire(max), ..every_minute(&format!("job{max}")) }).collect();
        jobs.push(StoredJob { timezone: "Asia/Shanghai".to_owned(), ..every_minute("shanghai") });
        jobs.push(StoredJob { misfire: misfire(1), ..every_minute("again") });
        let timeline = timeline(jobs);
        for max in 1..200 {
            assert_eq!(timeline.get(&format!("job{max}")).unwrap().misfire.max, max);
        }
        let job = |name| timeline.get(name).unwrap();
        assert_eq!((&*job("job1").zone, &*job("shanghai").zone), ("UTC 2026a", "Asia/Shanghai 2026a"));
        assert!(Arc::ptr_eq(&job("job1").zone, &job("job199").zone));
        assert!(Arc::ptr_eq(&job("job1").misfire, &job("again").misfire));
        assert_eq!(timeline.misfires.len(), 64);
    }
}
