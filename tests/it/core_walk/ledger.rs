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

pub(super) const ZONE_VERSION: &str = "2026a";

struct Kept {
    stored: StoredJob,
    paused_at: Option<UtcMs>,
    removed: bool,
    /// So many fires it may have yet.
    left: Option<u64>,
    /// The revision since which fires count for that, and the most that it could have since.
    counts_from: u32,
    counted: u64,
    most: u64,
    ended: Vec<LedgerRevision>,
}

struct Fire {
    row: LedgerRow,
    fire: NewFire,
    pushes: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Ledger {
    jobs: BTreeMap<Arc<str>, Kept>,
    fires: BTreeMap<(Arc<str>, UtcMs), Fire>,
    watched_until: Option<UtcMs>,
    last_recorded: Option<UtcMs>,
}

impl Ledger {
    pub(super) fn answer(&mut self, ask: Ask, rows: &mut Rows) -> Answer {
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

    pub(super) fn pause(&mut self, name: &str, paused: bool, now: UtcMs, rows: &mut Rows) {
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
            if kept.stored.spent_at.is_some_and(|spent_at| fire.due_at > spent_at) {
                continue;
            }
            let goes_out = kept.left != Some(0)
                && fire.decision == Decision::Fired
                && kept.paused_at.is_none_or(|at| at > fire.due_at);
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
                recorded.spent.extend(self.jobs.get_mut(&fire.job).unwrap().count(fire.due_at));
            }
            self.fires.insert(key, Fire { row, fire, pushes });
            self.last_recorded = Some(now);
        }
        for Cursor { job, from, next_due_at } in cursors.iter().filter(|cursor| !recorded.stale.contains(&cursor.job)) {
            let kept = self.jobs.get_mut(job).unwrap();
            let next_due_at = match kept.stored.spent_at {
                Some(spent_at) => next_due_at.filter(|place| *place <= spent_at),
                None => *next_due_at,
            };
            kept.stored.next_due_at = next_due_at;
            let end = |place: Option<UtcMs>| place.unwrap_or(UtcMs::MAX);
            if end(next_due_at) < end(*from) {
                kept.answer_after(now);
            }
        }
        self.watched_until = Some(now);
        recorded
    }

    fn apply(&mut self, changes: Vec<JobChange>, removed: &[Arc<str>], now: UtcMs, rows: &mut Rows) -> Applied {
        let mut applied = Applied::default();
        let changed = changes.iter().map(|change| (Arc::from(&*change.job.name), !change.keeps_place));
        let names = changed.chain(removed.iter().map(|name| (name.clone(), true)));
        for (name, leaves) in names.collect::<Vec<(Arc<str>, bool)>>() {
            let end = self.jobs.get(&name).and_then(|kept| kept.end_by(now)).filter(|_| leaves);
            applied.withdrawn.extend(self.withdraw(now, rows, |job| *job == *name, false));
            if let Some(kept) = self.jobs.get_mut(&name).filter(|kept| !kept.removed) {
                let until = kept.stored.spent_at.map_or(now, |spent_at| now.min(spent_at));
                kept.ended.push(LedgerRevision { until_at: Some(until), ..kept.revision() });
            }
            if let Some(kept) = self.jobs.get_mut(&name) {
                let ends = [end, kept.stored.spent_at, Some(now)];
                ends.into_iter().flatten().for_each(|end| kept.end_before(end));
            }
        }
        for JobChange { job, definition_hash, next_due_at, keeps_place, keeps_count, .. } in changes {
            let name: Arc<str> = Arc::from(&*job.name);
            let old = self.jobs.remove(&name);
            let is_back = old.as_ref().is_some_and(|old| old.removed);
            let was_spent_at = old.as_ref().and_then(|old| old.stored.spent_at);
            // Put back as it was, it has fired as often as it had.
            let counting = old.as_ref().filter(|old| match old.removed {
                true => old.stored.schedule == job.schedule,
                false => keeps_count,
            });
            let counting = counting.and_then(|old| old.left.map(|_| (old.counted, old)));
            let max = job.max_fires();
            let left = max.map(|max| max.saturating_sub(counting.map_or(0, |(counted, _)| counted)));
            let most = counting.map_or(0, |(_, old)| old.most).max(max.unwrap_or(0));
            let since = counting.map(|(_, old)| old.counts_from);
            let counted = counting.map_or(0, |(counted, _)| counted);
            let (revision, paused, paused_at, ended) = match old {
                Some(old) => {
                    (old.stored.revision + 1, old.stored.paused, old.paused_at, (old.stored.next_due_at, old.ended))
                }
                None => (1, false, None, (None, Vec::new())),
            };
            let (place, ended) = ended;
            let earlier = place.filter(|place| keeps_place && *place < next_due_at.unwrap_or(UtcMs::MAX));
            let place = earlier.or(next_due_at);
            let last = self.rows_of(&name).map(|row| row.until_at.unwrap_or(row.due_at)).max();
            let spent_at = (left == Some(0)).then(|| was_spent_at.or(last).unwrap_or(now).min(now));
            let kept_place = |spent_at| place.filter(|place| keeps_place && *place <= spent_at);
            let place = spent_at.map_or(place, kept_place);
            applied.spent.extend(spent_at.map(|at| (name.clone(), at)));
            let stored = StoredJob { paused, revision, spent_at, ..StoredJob::new(&job, definition_hash, place, now) };
            let counts_from = since.unwrap_or(revision);
            let kept = Kept { stored, paused_at, removed: false, left, counts_from, counted, most, ended };
            self.jobs.insert(name.clone(), kept);
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
    ///
    /// What did not fire of a job that has fired as often as it may stays, unless it is given a fire back by this.
    fn withdraw(&mut self, now: UtcMs, rows: &mut Rows, of: impl Fn(&str) -> bool, all: bool) -> Vec<i64> {
        let (mut pushes, mut before) = (Vec::new(), usize::MAX);
        while before != self.fires.len() {
            before = self.fires.len();
            pushes.extend(self.withdraw_once(now, rows, &of, all));
        }
        pushes
    }

    fn withdraw_once(&mut self, now: UtcMs, rows: &mut Rows, of: impl Fn(&str) -> bool, all: bool) -> Vec<i64> {
        let is_to_come = |(job, due_at): &(Arc<str>, UtcMs), fire: &Fire| {
            let kept = &self.jobs[job];
            if kept.removed || !of(job) || kept.left == Some(0) && fire.pushes.is_empty() {
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
            let was_free = fire.pushes.is_empty();
            pushes.extend(fire.pushes);
            let (job, place) = key;
            let kept = self.jobs.get_mut(&job).unwrap();
            let place = kept.end_by(UtcMs(place.0 - 1)).map_or(place, |end| UtcMs(end.0 + 1));
            if !was_free && fire.row.revision >= kept.counts_from {
                kept.give_back();
            }
            let is_called_for = kept.stored.spent_at.is_none_or(|end| place <= end);
            if is_called_for && kept.stored.next_due_at.is_none_or(|at| at > place) {
                kept.stored.next_due_at = Some(place);
            }
            kept.answer_after(UtcMs(place.0 - 1));
        }
        pushes
    }

    /// Every instant that the schedules called for has its one row.
    pub(super) fn check(&self, now: UtcMs) {
        for (name, kept) in &self.jobs {
            let mut revisions = kept.ended.clone();
            revisions.extend((!kept.removed).then(|| kept.revision()));
            let end = kept.stored.spent_at.map(|at| UtcMs(at.0 + 1));
            let next_due_at = kept.stored.next_due_at.or(end);
            let job = LedgerJob { name: name.clone(), next_due_at, pruned_until: None, revisions };
            let fired = self.fires.iter().filter(|((job, _), fire)| job == name && !fire.pushes.is_empty());
            let counted = fired.filter(|(_, fire)| fire.row.revision >= kept.counts_from).count() as u64;
            if let Some(left) = kept.left {
                assert!(counted <= kept.most, "{name} fired {counted} times, which may at most {}", kept.most);
                assert!(
                    left > 0 || counted >= kept.stored.life.as_ref().unwrap().max_fires.unwrap(),
                    "{name} ended early"
                );
            }
            let mut held = Held::open(&job, None, now, ZONE_VERSION, &mut ScheduleCache::default()).unwrap();
            self.rows_of(name).for_each(|row| held.enter(row));
            let balance = held.close();
            assert!(balance.is_even(), "the ledger of {name}: {balance:?}\n{:?}", job.revisions);
        }
    }

    pub(super) fn count(&self, decision: Decision) -> usize {
        self.fires.values().filter(|fire| fire.fire.decision == decision).count()
    }
}

impl Kept {
    fn revision(&self) -> LedgerRevision {
        let StoredJob { revision, schedule, timezone, dst_gap, loaded_at, life, .. } = self.stored.clone();
        let (schedule, dst_gap, timezone) = (Ok(schedule), Some(dst_gap), timezone.to_string());
        LedgerRevision { revision, schedule, timezone, dst_gap, days: None, life, from_at: loaded_at, until_at: None }
    }

    /// It has fired by its schedule; the answer tells that it may not again.
    fn count(&mut self, due_at: UtcMs) -> Option<(Arc<str>, UtcMs)> {
        let left = self.left.as_mut()?;
        *left -= 1;
        self.counted += 1;
        if *left > 0 {
            return None;
        }
        self.stored.spent_at = Some(due_at);
        Some((self.stored.name.clone(), due_at))
    }

    /// Its end, if it owes nothing and came to it by an instant.
    fn end_by(&self, instant: UtcMs) -> Option<UtcMs> {
        self.stored.spent_at.filter(|end| *end <= instant && self.stored.next_due_at.is_none())
    }

    /// What fired is still to come.
    fn give_back(&mut self) {
        if let Some(left) = &mut self.left {
            self.counted -= 1;
            *left = self.stored.life.as_ref().unwrap().max_fires.unwrap().saturating_sub(self.counted);
            if *left > 0 {
                self.stored.spent_at = None;
            }
        }
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
        is_exclusive: fire.overlap != Overlap::Allow,
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
