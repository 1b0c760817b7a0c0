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
///
/// Nearly all instants are whole seconds, so this is none: else the fires to come would be recorded in the very moment
/// in which those of now are sent.
pub const AHEAD: Duration = Duration::from_millis(5_500);

/// A plan that holds so many decisions takes in no further job: after a long absence of many jobs, one transaction of them
/// all would take gigabytes, and nothing could be sent or stopped until it was written.
const FIRES_AT_ONCE: usize = 4096;

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
        while plan.moves.len() < limit
            && plan.fires.len() < FIRES_AT_ONCE
            && self.next_look_at().is_some_and(|at| at <= now)
        {
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
            let others = plan.fires.len();
            plan.record(job, settled);
            for fire in plan.fires[others..].iter_mut().filter(|fire| fire.decision == Decision::Missed) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        timeline.advance(&again);
        assert_eq!(timeline.next_look_at(), Some(after(120) - AHEAD));
        assert_eq!(timeline.plan(after(115), 9).cursors[0].from, Some(after(120)));
    }

    #[test]
    fn a_plan_holds_no_more_jobs_than_it_may() {
        let mut timeline = timeline(["a", "b", "c"].map(every_minute).to_vec());
        let plan = timeline.plan(after(60), 2);
        assert_eq!(fires(&plan).len(), 2);
        timeline.advance(&plan);
        let rest = timeline.plan(after(60), 2);
        assert_eq!(fires(&rest).len(), 1);
        timeline.advance(&rest);
        assert_eq!(fires(&timeline.plan(after(60), 2)), []);
    }

    #[test]
    fn a_plan_after_a_long_absence_holds_no_more_than_one_job_above_its_bound() {
        let away = after(60 * 3000);
        let mut timeline = timeline(["a", "b", "c", "d"].map(every_minute).to_vec());
        let mut rows = 0;
        for _ in 0..2 {
            let plan = timeline.plan(away, 500);
            assert_eq!((plan.fires.len(), plan.cursors.len()), (6000, 2));
            rows += plan.fires.len();
            timeline.advance(&plan);
        }
        assert_eq!((rows, timeline.plan(away, 500).fires.len()), (12_000, 0));
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
            timeline.advance(&Plan::default());
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
        let plan = timeline.plan_closing(&names, after(62), "removed");
        assert_eq!(fires(&plan), [("a", 60, Decision::Missed)]);
        assert_eq!(plan.fires[0].reason.as_deref(), Some("removed"));
        let cursor = |plan: &Plan| (plan.cursors[0].from, plan.cursors[0].next_due_at, plan.cursors.len());
        assert_eq!(cursor(&plan), (Some(after(60)), Some(after(120)), 1));
        // What would not have fired anyway keeps its own reason.
        let paused = Timeline::new(vec![StoredJob { paused: true, ..every_minute("a") }], "2026a", START).unwrap();
        let skipped = &paused.plan_closing(&names, after(62), "removed").fires[0];
        assert_eq!((skipped.decision, skipped.reason.as_deref()), (Decision::Skipped, Some("paused")));
        // Nothing is due: no fire, and the place as the store has it.
        let plan = timeline.plan_closing(&names, after(59), "removed");
        assert_eq!(fires(&plan), []);
        assert_eq!(cursor(&plan), (Some(after(60)), Some(after(60)), 1));
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
        timeline.advance(&plan);
        assert_eq!(timeline.put_back().cursors.len(), 0);
        assert_eq!(timeline.plan(after(60), 9).cursors[0].from, Some(after(60)));
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
