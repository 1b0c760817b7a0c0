//! The store as the timer sees it: jobs, their revisions and their fires, without a database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{
    Decision, LedgerJob, LedgerRevision, LedgerRow, Overlap, PushState, RetryPolicy, Target, UtcMs,
};
use pushcron::engine::core::timer::{Answer, Ask};
use pushcron::policy::ledger::Ledger as Held;
use pushcron::policy::schedule::ScheduleCache;
use pushcron::store::{Applied, Cursor, JobChange, NewFire, Recorded, StoredJob, Unwatched};

use super::rows::{Row, Rows};

pub const ZONE_VERSION: &str = "2026a";

struct Kept {
    stored: StoredJob,
    paused_at: Option<UtcMs>,
    removed: bool,
    ended: Vec<LedgerRevision>,
}

struct Fire {
    row: LedgerRow,
    fire: NewFire,
    pushes: Vec<i64>,
}

#[derive(Default)]
pub struct Ledger {
    jobs: BTreeMap<Arc<str>, Kept>,
    fires: BTreeMap<(Arc<str>, UtcMs), Fire>,
    watched_until: Option<UtcMs>,
    last_recorded: Option<UtcMs>,
}

impl Ledger {
    pub fn answer(&mut self, ask: Ask, rows: &mut Rows) -> Answer {
        match ask {
            Ask::LastRecorded => Answer::Instant(self.last_recorded),
            Ask::WatchedUntil => Answer::Instant(self.watched_until),
            Ask::NoteWatch { now } => {
                self.watched_until = Some(now);
                Answer::Done
            }
            Ask::Restored => Answer::Restored(None),
            Ask::Jobs => {
                let kept = self.jobs.values().filter(|job| !job.removed);
                Answer::Jobs(kept.map(|job| job.stored.clone()).collect())
            }
            Ask::Unwatched { after, until } => Answer::Unwatched(self.unwatched(after, until, rows)),
            Ask::EndUntouched { mut settles, .. } => {
                settles.retain(|settle| rows.are_untouched(&[settle.push_id]));
                rows.settle(&settles);
                Answer::Ended(settles.iter().map(|settle| settle.push_id).collect())
            }
            Ask::WithdrawAhead { now } => {
                self.watched_until = Some(now);
                self.withdraw(now, rows, |_| true, true);
                Answer::Done
            }
            Ask::LedgerRows { job, from, until, .. } => {
                let within = |row: &LedgerRow| row.due_at <= until && row.until_at.unwrap_or(row.due_at) >= from;
                Answer::LedgerRows(self.rows_of(&job).filter(|row| within(row)).cloned().collect())
            }
            Ask::Record { fires, cursors, now } => Answer::Recorded(self.record(fires, &cursors, now, rows)),
            Ask::Apply { changes, removed, now } => Answer::Applied(self.apply(changes, &removed, now, rows)),
        }
    }

    pub fn pause(&mut self, name: &str, paused: bool, now: UtcMs, rows: &mut Rows) {
        let Some(job) = self.jobs.get_mut(name).filter(|job| !job.removed && job.stored.paused != paused) else {
            return;
        };
        job.stored.paused = paused;
        job.paused_at = paused.then_some(now);
        self.withdraw(now, rows, |job| job == name, false);
    }

    fn rows_of(&self, job: &str) -> impl Iterator<Item = &LedgerRow> {
        self.fires.iter().filter(move |((name, _), _)| **name == *job).map(|(_, fire)| &fire.row)
    }

    fn record(&mut self, mut fires: Vec<NewFire>, cursors: &[Cursor], now: UtcMs, rows: &mut Rows) -> Recorded {
        let mut recorded = Recorded::default();
        fires.sort_by_key(|fire| fire.due_at);
        for Cursor { job, from, .. } in cursors {
            let known = self.jobs.get(job).is_some_and(|kept| !kept.removed && kept.stored.next_due_at == *from);
            if !known {
                recorded.stale.push(job.clone());
            }
        }
        for fire in fires {
            let key = (fire.job.clone(), fire.due_at);
            if recorded.stale.contains(&fire.job) || self.fires.contains_key(&key) {
                continue;
            }
            let kept = &self.jobs[&fire.job];
            let goes_out = fire.decision == Decision::Fired && kept.paused_at.is_none_or(|at| at > fire.due_at);
            let is_open = || rows.0.values().any(|row| row.job.as_ref() == Some(&fire.job) && !row.state.is_final());
            let overlaps = goes_out && fire.overlap == Overlap::Skip && is_open();
            recorded.skipped += u64::from(overlaps);
            let row = LedgerRow {
                due_at: fire.due_at,
                until_at: fire.until_at,
                count: fire.count,
                revision: kept.stored.revision,
                recorded_at: now,
                zone: fire.zone.as_ref().map(|zone| zone.to_string()),
            };
            let mut pushes = Vec::new();
            if goes_out && !overlaps {
                if fire.overlap == Overlap::Replace {
                    let gone = rows.retire(&fire.job);
                    recorded.pushes.retain(|push| !gone.contains(&push.id));
                    recorded.cancelled.extend(gone);
                }
                let id = rows.insert(push(&fire, now));
                pushes.push(id);
                recorded.pushes.push(rows.open(id));
            }
            self.fires.insert(key, Fire { row, fire, pushes });
            self.last_recorded = Some(now);
        }
        for Cursor { job, from, next_due_at } in cursors.iter().filter(|cursor| !recorded.stale.contains(&cursor.job)) {
            let kept = self.jobs.get_mut(job).unwrap();
            kept.stored.next_due_at = *next_due_at;
            let end = |place: Option<UtcMs>| place.unwrap_or(UtcMs::MAX);
            if end(*next_due_at) < end(*from) {
                kept.answer_after(now);
            }
        }
        self.watched_until = Some(now);
        recorded
    }

    fn apply(&mut self, changes: Vec<JobChange>, removed: &[Arc<str>], now: UtcMs, rows: &mut Rows) -> Applied {
        let mut applied = Applied::default();
        let names = changes.iter().map(|change| Arc::from(&*change.job.name)).chain(removed.iter().cloned());
        for name in names.collect::<Vec<Arc<str>>>() {
            applied.withdrawn.extend(self.withdraw(now, rows, |job| *job == *name, false));
            if let Some(kept) = self.jobs.get_mut(&name).filter(|kept| !kept.removed) {
                kept.ended.push(LedgerRevision { until_at: Some(now), ..kept.revision() });
            }
            if let Some(kept) = self.jobs.get_mut(&name) {
                kept.end_before(now);
            }
        }
        for JobChange { job, definition_hash, next_due_at, keeps_place, .. } in changes {
            let name: Arc<str> = Arc::from(&*job.name);
            let old = self.jobs.remove(&name);
            let is_back = old.as_ref().is_some_and(|old| old.removed);
            let (revision, paused, paused_at, ended) = match old {
                Some(old) => {
                    (old.stored.revision + 1, old.stored.paused, old.paused_at, (old.stored.next_due_at, old.ended))
                }
                None => (1, false, None, (None, Vec::new())),
            };
            let (place, ended) = ended;
            let earlier = place.filter(|place| keeps_place && *place < next_due_at.unwrap_or(UtcMs::MAX));
            let place = earlier.or(next_due_at);
            let stored = StoredJob { paused, revision, ..StoredJob::new(&job, definition_hash, place, now) };
            self.jobs.insert(name.clone(), Kept { stored, paused_at, removed: false, ended });
            if is_back {
                applied.withdrawn.extend(self.withdraw(now, rows, |job| *job == *name, true));
                let place = self.jobs[&name].stored.next_due_at;
                applied.reopened.extend(place.filter(|place| *place <= now).map(|place| (name, place)));
            }
        }
        for name in removed {
            let kept = self.jobs.get_mut(name).unwrap();
            (kept.removed, kept.stored.next_due_at, kept.stored.paused, kept.paused_at) = (true, None, false, None);
            applied.cancelled.extend(rows.retire(name));
        }
        applied
    }

    fn unwatched(&self, after: Option<UtcMs>, until: UtcMs, rows: &Rows) -> Vec<Unwatched> {
        let fires = self.fires.iter().filter(|((job, due_at), fire)| {
            let ahead = fire.row.recorded_at < *due_at && *due_at <= until && after.is_none_or(|after| *due_at > after);
            ahead && !self.jobs[job].removed && rows.are_untouched(&fire.pushes)
        });
        let told = fires.flat_map(|((name, due_at), fire)| {
            let job = &self.jobs[name].stored;
            fire.pushes.iter().map(|id| Unwatched { push_id: *id, due_at: *due_at, job: job.clone() })
        });
        told.collect()
    }

    /// Takes back what is still to come of these jobs; `all`: what was skipped or missed, and gaps that have begun, too.
    fn withdraw(&mut self, now: UtcMs, rows: &mut Rows, of: impl Fn(&str) -> bool, all: bool) -> Vec<i64> {
        let is_to_come = |(job, due_at): &(Arc<str>, UtcMs), fire: &Fire| {
            let kept = &self.jobs[job];
            if kept.removed || !of(job) {
                return false;
            }
            if *due_at > now {
                let ahead = fire.row.recorded_at < *due_at || all && fire.fire.decision != Decision::Fired;
                return ahead && rows.are_untouched(&fire.pushes);
            }
            let schedule = &kept.stored.schedule;
            let same =
                |held: &LedgerRevision| held.revision < fire.row.revision || held.schedule.as_ref() == Ok(schedule);
            all && fire.row.until_at.is_some_and(|until| until > now) && kept.ended.iter().all(same)
        };
        let gone: Vec<_> =
            self.fires.iter().filter(|(key, fire)| is_to_come(key, fire)).map(|(key, _)| key.clone()).collect();
        let mut pushes = Vec::new();
        for key in gone {
            let fire = self.fires.remove(&key).unwrap();
            fire.pushes.iter().for_each(|id| drop(rows.0.remove(id)));
            pushes.extend(fire.pushes);
            let (job, place) = key;
            let kept = self.jobs.get_mut(&job).unwrap();
            if kept.stored.next_due_at.is_none_or(|at| at > place) {
                kept.stored.next_due_at = Some(place);
            }
            kept.answer_after(UtcMs(place.0 - 1));
        }
        pushes
    }

    /// Every instant that the schedules called for has its one row.
    pub fn check(&self, now: UtcMs) {
        for (name, kept) in &self.jobs {
            let mut revisions = kept.ended.clone();
            revisions.extend((!kept.removed).then(|| kept.revision()));
            let job =
                LedgerJob { name: name.clone(), next_due_at: kept.stored.next_due_at, pruned_until: None, revisions };
            let mut held = Held::open(&job, None, now, ZONE_VERSION, &mut ScheduleCache::default()).unwrap();
            self.rows_of(name).for_each(|row| held.enter(row));
            let balance = held.close();
            assert!(balance.is_even(), "the ledger of {name}: {balance:?}\n{:?}", job.revisions);
        }
    }

    pub fn count(&self, decision: Decision) -> usize {
        self.fires.values().filter(|fire| fire.fire.decision == decision).count()
    }
}

impl Kept {
    fn revision(&self) -> LedgerRevision {
        let StoredJob { revision, schedule, timezone, dst_gap, loaded_at, .. } = self.stored.clone();
        let (schedule, dst_gap) = (Ok(schedule), Some(dst_gap));
        LedgerRevision { revision, schedule, timezone, dst_gap, days: None, from_at: loaded_at, until_at: None }
    }

    fn answer_after(&mut self, instant: UtcMs) {
        self.stored.loaded_at = self.stored.loaded_at.min(instant);
        self.end_before(instant);
    }

    /// No definition that has ended answers for what comes after an instant.
    fn end_before(&mut self, instant: UtcMs) {
        for ended in &mut self.ended {
            ended.until_at = ended.until_at.map(|until| until.min(instant));
        }
    }
}

fn push(fire: &NewFire, now: UtcMs) -> Row {
    Row {
        target: Target::Group("9".to_owned()),
        job: Some(fire.job.clone()),
        account: None,
        has_media: false,
        retry: RetryPolicy { max_attempts: 3, backoff: Duration::from_secs(2), ..RetryPolicy::default() },
        due_at: fire.due_at,
        expires_at: fire.due_at.max(now) + Duration::from_secs(60),
        state: PushState::Pending,
        next_attempt_at: fire.due_at,
        is_resting: false,
        has_reason: false,
        is_retired: false,
        attempts: Vec::new(),
        through: None,
        arrived: 0,
        by_hand: false,
    }
}
