//! The store as the engine sees it, in memory: what a simulated daemon records, without a database.

mod attempts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::calendar::LONGEST_HOLD;
use crate::domain::{
    Decision, FallbackSpec, Job, LedgerRow, Next, Outcome, Overlap, PushSpec, PushState, Reason, Rule, Trigger, UtcMs,
};
use crate::engine::accounts::PastAccount;
use crate::engine::core::timer::{Answer, Ask};
use crate::store::{Applied, Cursor, JobChange, NewFire, OpenPush, Recorded, StoredJob, Unwatched};

/// A job's row, and where its fires are.
pub(super) struct JobRow {
    pub name: Arc<str>,
    pub definition: Job,
    stored: StoredJob,
    /// Its fires by their instants: indices into [`Rows::fires`].
    by_instant: BTreeMap<UtcMs, usize>,
    /// Its open pushes, where its overlap asks for them.
    open: BTreeSet<i64>,
    /// So many fires it may have yet; None: for ever.
    left: Option<u64>,
}

pub(super) struct FireRow {
    pub job: usize,
    pub due_at: UtcMs,
    pub until_at: Option<UtcMs>,
    pub count: u64,
    pub decision: Decision,
    pub reason: Option<Box<str>>,
    recorded_at: UtcMs,
    /// The first of its pushes, and how many.
    pushes: (i64, u32),
    /// How many went out in the place of some of them.
    fallbacks: u32,
    pub withdrawn: bool,
}

pub(super) struct PushRow {
    pub fire: usize,
    pub ordinal: u32,
    /// Of a fallback: what its job's definition does not say as it is.
    own: Option<Box<PushSpec>>,
    pub state: PushState,
    pub reason: Option<Box<str>>,
    pub attempts: Vec<AttemptRow>,
    max_attempts: u32,
    next_attempt_at: UtcMs,
    pub expires_at: UtcMs,
    pub finished_at: Option<UtcMs>,
    /// What its platform grants kept it for a while.
    pub is_limited: bool,
    pub withdrawn: bool,
}

pub(super) struct AttemptRow {
    pub account: Arc<str>,
    pub rule: Rule,
    pub sender: &'static str,
    pub started_at: UtcMs,
    /// None: it is open.
    pub outcome: Option<&'static str>,
}

/// Every row of a simulation. Ids begin at 1, as in an empty database.
#[derive(Default)]
pub(super) struct Rows {
    pub jobs: Vec<JobRow>,
    by_name: HashMap<Arc<str>, usize>,
    pub fires: Vec<FireRow>,
    pub pushes: Vec<PushRow>,
    open: BTreeSet<i64>,
    accounts: BTreeMap<String, PastAccount>,
    last_recorded: Option<UtcMs>,
    watched_until: Option<UtcMs>,
}

impl PushRow {
    fn is_waiting(&self) -> bool {
        matches!(self.state, PushState::Pending | PushState::Retrying)
    }

    /// Whether nothing has happened to it since it was made.
    fn is_untouched(&self) -> bool {
        self.state == PushState::Pending && self.reason.is_none()
    }

    fn was_unknown(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.outcome == Some(Outcome::Unknown.as_str()))
    }

    fn waits_for(&mut self, reason: Option<Reason>) {
        self.is_limited |= matches!(reason, Some(Reason::RateLimit | Reason::WindowClosed));
    }

    fn end(&mut self, state: PushState, reason: Option<&str>, now: UtcMs) {
        (self.state, self.reason, self.finished_at) = (state, reason.map(Into::into), Some(now));
    }

    fn end_unwanted(&mut self, reason: &str, now: UtcMs) {
        let state = if self.was_unknown() { PushState::Unknown } else { PushState::Cancelled };
        self.end(state, Some(reason), now);
    }
}

fn place(id: i64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

impl JobRow {
    /// Whether it had fired as often as it may before this instant.
    fn is_over(&self, at: UtcMs) -> bool {
        self.stored.spent_at.is_some_and(|spent_at| at > spent_at)
    }

    fn count(&mut self, due_at: UtcMs) -> Option<(Arc<str>, UtcMs)> {
        let left = self.left.as_mut()?;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return None;
        }
        self.stored.spent_at = Some(due_at);
        self.stored.next_due_at = self.stored.next_due_at.filter(|place| *place <= due_at);
        Some((self.name.clone(), due_at))
    }

    /// One of its fires is taken back.
    fn give_back(&mut self) {
        if let Some(left) = &mut self.left {
            *left += 1;
            self.stored.spent_at = None;
        }
    }
}

impl Rows {
    pub(super) fn push(&self, id: i64) -> &PushRow {
        &self.pushes[place(id)]
    }

    pub(super) fn spec<'r>(&'r self, push: &'r PushRow) -> &'r PushSpec {
        let defined = || &self.jobs[self.fires[push.fire].job].definition.push[push.ordinal as usize];
        push.own.as_deref().unwrap_or_else(defined)
    }

    /// What the timer asks of the store.
    pub(super) fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::LastRecorded => Answer::Instant(self.last_recorded),
            Ask::WatchedUntil => Answer::Instant(self.watched_until),
            Ask::NoteWatch { now } => {
                self.watched_until = Some(now);
                Answer::Done
            }
            Ask::Restored => Answer::Restored(None),
            Ask::Jobs => Answer::Jobs(self.stored_jobs()),
            Ask::Unwatched { after, until } => Answer::Unwatched(self.unwatched(after, until)),
            Ask::EndUntouched { mut settles, now } => {
                settles.retain(|settle| self.pushes[place(settle.push_id)].is_untouched());
                self.settle(&settles, now);
                Answer::Ended(settles.iter().map(|settle| settle.push_id).collect())
            }
            Ask::WithdrawAhead { now } => {
                self.watched_until = Some(now);
                self.withdraw_ahead(now);
                Answer::Done
            }
            Ask::LedgerRows { job, from, until, limit } => Answer::LedgerRows(self.ledger(&job, from, until, limit)),
            Ask::Record { fires, cursors, now } => Answer::Recorded(self.record(fires, &cursors, now)),
            Ask::Apply { changes, now, .. } => Answer::Applied(self.apply(changes, now)),
        }
    }

    fn stored_jobs(&self) -> Vec<StoredJob> {
        let mut jobs: Vec<StoredJob> = self.jobs.iter().map(|job| job.stored.clone()).collect();
        jobs.sort_by(|a, b| a.name.cmp(&b.name));
        jobs
    }

    /// The files of a simulation never change, so that jobs only come.
    fn apply(&mut self, changes: Vec<JobChange>, now: UtcMs) -> Applied {
        let added = changes.len() as u64;
        for JobChange { job, definition_hash, next_due_at, .. } in changes {
            let stored = StoredJob::new(&job, definition_hash, next_due_at, now);
            let name = stored.name.clone();
            self.by_name.insert(name.clone(), self.jobs.len());
            let (by_instant, open) = (BTreeMap::new(), BTreeSet::new());
            let left = job.life.as_ref().and_then(|life| life.max_fires);
            self.jobs.push(JobRow { name, definition: job, stored, by_instant, open, left });
        }
        Applied { added, ..Applied::default() }
    }

    /// As the store does it: an instant that has its row keeps it, and what overlaps is skipped or replaced.
    fn record(&mut self, mut fires: Vec<NewFire>, cursors: &[Cursor], now: UtcMs) -> Recorded {
        let mut recorded = Recorded::default();
        for cursor in cursors {
            match self.by_name.get(&cursor.job) {
                Some(&job) if self.jobs[job].stored.next_due_at == cursor.from => {
                    self.jobs[job].stored.next_due_at = cursor.next_due_at;
                }
                _ => recorded.stale.push(cursor.job.clone()),
            }
        }
        self.watched_until = Some(now);
        fires.sort_by_key(|fire| fire.due_at);
        let mut fired = HashSet::new();
        let mut replacing: BTreeMap<usize, usize> = BTreeMap::new();
        for fire in fires {
            let Some(&job) = self.by_name.get(&fire.job).filter(|_| !recorded.stale.contains(&fire.job)) else {
                continue;
            };
            if self.jobs[job].by_instant.contains_key(&fire.due_at) || self.jobs[job].is_over(fire.due_at) {
                continue;
            }
            let overlaps = fire.decision == Decision::Fired
                && fire.overlap == Overlap::Skip
                && (fired.contains(&job) || !self.jobs[job].open.is_empty());
            recorded.skipped += u64::from(overlaps);
            let is_spent = fire.decision == Decision::Fired && self.jobs[job].left == Some(0);
            let instead = is_spent.then_some(Reason::MaxFires).or(overlaps.then_some(Reason::Overlap));
            let index = self.insert_fire(job, &fire, instead, now);
            if self.fires[index].decision == Decision::Fired {
                fired.insert(job);
                recorded.spent.extend(self.jobs[job].count(fire.due_at));
                if fire.is_held {
                    self.make_held(index, now);
                } else {
                    self.make_pushes(index, now, &mut recorded.pushes);
                }
                if fire.overlap == Overlap::Replace {
                    replacing.insert(job, index);
                }
            }
        }
        let first_made = recorded.pushes.first().map_or(i64::MAX, |push| push.id);
        for (job, newest) in replacing {
            let replaced = self.replace_older(job, newest, now);
            let (made, known): (Vec<i64>, Vec<i64>) = replaced.into_iter().partition(|id| *id >= first_made);
            recorded.pushes.retain(|push| !made.contains(&push.id));
            recorded.cancelled.extend(known);
        }
        recorded
    }

    fn insert_fire(&mut self, job: usize, fire: &NewFire, instead: Option<Reason>, now: UtcMs) -> usize {
        let (decision, reason) = match instead {
            Some(instead) => (Decision::Skipped, Some(instead.as_str())),
            None => (fire.decision, fire.reason.map(Reason::as_str)),
        };
        let index = self.fires.len();
        self.jobs[job].by_instant.insert(fire.due_at, index);
        self.last_recorded = Some(now);
        let (due_at, until_at, count) = (fire.due_at, fire.until_at, fire.count);
        let pushes = (self.pushes.len() as i64 + 1, 0);
        let reason = reason.map(Into::into);
        let (recorded_at, withdrawn) = (now, false);
        let fallbacks = 0;
        self.fires.push(FireRow {
            job,
            due_at,
            until_at,
            count,
            decision,
            reason,
            recorded_at,
            pushes,
            fallbacks,
            withdrawn,
        });
        index
    }

    fn make_pushes(&mut self, fire: usize, now: UtcMs, made: &mut Vec<OpenPush>) {
        let (job, due_at) = (self.fires[fire].job, self.fires[fire].due_at);
        let row = &mut self.jobs[job];
        for (ordinal, spec) in row.definition.push.iter().enumerate() {
            let id = self.pushes.len() as i64 + 1;
            self.pushes.push(PushRow {
                fire,
                ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                own: None,
                state: PushState::Pending,
                reason: None,
                attempts: Vec::new(),
                max_attempts: spec.retry.max_attempts,
                next_attempt_at: due_at,
                expires_at: due_at.max(now) + spec.retry.give_up_after,
                finished_at: None,
                is_limited: false,
                withdrawn: false,
            });
            self.open.insert(id);
            if row.definition.overlap != Overlap::Allow {
                row.open.insert(id);
            }
        }
        let count = row.definition.push.len();
        let first = self.fires[fire].pushes.0;
        self.fires[fire].pushes.1 = u32::try_from(count).unwrap_or(u32::MAX);
        made.extend((first..first + count as i64).map(|id| self.open_push(id)));
    }

    /// They wait for a list of days, and here none comes.
    fn make_held(&mut self, fire: usize, now: UtcMs) {
        let mut held = Vec::new();
        self.make_pushes(fire, now, &mut held);
        for push in held {
            self.open.remove(&push.id);
            self.jobs[self.fires[fire].job].open.remove(&push.id);
            let row = &mut self.pushes[place(push.id)];
            row.state = PushState::Expired;
            row.reason = Some(Reason::NoCalendar.as_str().into());
            row.finished_at = Some(push.due_at + LONGEST_HOLD);
        }
    }

    /// What goes out in the place of a push that has ended so.
    fn make_fallbacks(&mut self, id: i64, next: &Next, now: UtcMs, made: &mut Vec<OpenPush>) {
        let Some(state) = next.calls_for_fallback() else { return };
        let fire = self.push(id).fire;
        let spec = self.spec(self.push(id));
        let due = spec.fallback.iter().filter(|fallback| fallback.after.contains(&state));
        let specs: Vec<PushSpec> = due
            .map(|FallbackSpec { im, target, account, .. }| PushSpec {
                im: im.clone(),
                target: target.clone(),
                account: account.clone(),
                fallback: Vec::new(),
                ..spec.clone()
            })
            .collect();
        for spec in specs {
            let (id, row) = (self.pushes.len() as i64 + 1, &mut self.fires[fire]);
            let ordinal = row.pushes.1 + row.fallbacks;
            row.fallbacks += 1;
            let job = &mut self.jobs[row.job];
            self.pushes.push(PushRow {
                fire,
                ordinal,
                state: PushState::Pending,
                reason: None,
                attempts: Vec::new(),
                max_attempts: spec.retry.max_attempts,
                next_attempt_at: now,
                expires_at: now + spec.retry.give_up_after,
                finished_at: None,
                is_limited: false,
                withdrawn: false,
                own: Some(Box::new(spec)),
            });
            self.open.insert(id);
            if job.definition.overlap != Overlap::Allow {
                job.open.insert(id);
            }
            made.push(self.open_push(id));
        }
    }

    fn open_push(&self, id: i64) -> OpenPush {
        let push = self.push(id);
        let (fire, spec) = (&self.fires[push.fire], self.spec(push));
        OpenPush {
            id,
            job: Some(self.jobs[fire.job].name.clone()),
            triggered_by: Trigger::Cron,
            chat: None,
            im: spec.im.clone(),
            target: spec.target.clone(),
            kind: spec.message.body.kind(),
            account: spec.account.clone(),
            due_at: fire.due_at,
            next_attempt_at: push.next_attempt_at,
            expires_at: push.expires_at,
            is_resting: push.state == PushState::Retrying || push.reason.is_some(),
            awaits_content: false,
            is_exclusive: self.jobs[fire.job].definition.overlap != Overlap::Allow,
            perhaps_sent: push.was_unknown(),
            attempts: u32::try_from(push.attempts.len()).unwrap_or(u32::MAX),
            last_account: push.attempts.last().map(|attempt| attempt.account.clone()),
        }
    }

    pub(super) fn open_pushes(&self) -> Vec<OpenPush> {
        let waiting = self.open.iter().filter(|id| self.push(**id).is_waiting());
        let mut open: Vec<OpenPush> = waiting.map(|id| self.open_push(*id)).collect();
        open.sort_by_key(|push| (push.due_at, push.id));
        open
    }

    fn replace_older(&mut self, job: usize, newest: usize, now: UtcMs) -> Vec<i64> {
        let mut replaced = Vec::new();
        for id in self.jobs[job].open.clone() {
            let push = &mut self.pushes[place(id)];
            if push.fire >= newest {
                continue;
            }
            if push.is_waiting() {
                push.end_unwanted("replaced", now);
                replaced.push(id);
                self.closed(id);
            } else {
                push.reason = Some("replaced".into());
            }
        }
        replaced
    }

    /// This push is not open any more.
    fn closed(&mut self, id: i64) {
        self.open.remove(&id);
        let job = self.fires[self.push(id).fire].job;
        self.jobs[job].open.remove(&id);
    }

    fn is_untouched(&self, fire: &FireRow) -> bool {
        (fire.pushes.0..fire.pushes.0 + i64::from(fire.pushes.1)).all(|id| self.push(id).is_untouched())
    }

    fn unwatched(&self, after: Option<UtcMs>, until: UtcMs) -> Vec<Unwatched> {
        let is_unwatched = |id: &&i64| {
            let fire = &self.fires[self.push(**id).fire];
            let in_time = fire.due_at <= until && after.is_none_or(|after| fire.due_at > after);
            in_time && fire.recorded_at < fire.due_at && self.is_untouched(fire)
        };
        let unwatched = |id: &i64| {
            let fire = &self.fires[self.push(*id).fire];
            Unwatched { push_id: *id, due_at: fire.due_at, job: self.jobs[fire.job].stored.clone() }
        };
        self.open.iter().filter(is_unwatched).map(unwatched).collect()
    }

    fn withdraw_ahead(&mut self, now: UtcMs) {
        for job in 0..self.jobs.len() {
            // What is taken back may give the job a fire back, and then all that is to come of it is to be decided anew.
            while self.withdraw_ahead_of(job, now) && self.jobs[job].left.is_some() {}
        }
    }

    fn withdraw_ahead_of(&mut self, job: usize, now: UtcMs) -> bool {
        let is_over = self.jobs[job].left == Some(0);
        let is_ahead = |index: &usize| {
            let fire = &self.fires[*index];
            let has_fired = fire.decision == Decision::Fired;
            let to_come = fire.due_at > now && (fire.recorded_at < fire.due_at || !has_fired);
            let reaches = fire.until_at.is_some_and(|until| until > now);
            (to_come || reaches) && (!is_over || has_fired) && self.is_untouched(fire)
        };
        // What was recorded by a clock that was put back since may have been shown; behind what is taken back it goes too.
        let stays = |index: &usize| {
            let fire = &self.fires[*index];
            fire.decision == Decision::Fired && fire.recorded_at > now && fire.pushes.1 > 0
        };
        let ahead = self.jobs[job].by_instant.values().copied().filter(is_ahead);
        let gone: Vec<usize> = ahead.skip_while(stays).collect();
        for index in &gone {
            if self.fires[*index].decision == Decision::Fired {
                self.jobs[job].give_back();
            }
            self.withdraw(*index);
        }
        let Some(first) = gone.iter().map(|index| self.fires[*index].due_at).min() else { return false };
        let stored = &mut self.jobs[job].stored;
        stored.next_due_at = Some(stored.next_due_at.map_or(first, |place| place.min(first)));
        true
    }

    fn withdraw(&mut self, index: usize) {
        let fire = &mut self.fires[index];
        fire.withdrawn = true;
        let (job, due_at, (first, count)) = (fire.job, fire.due_at, fire.pushes);
        self.jobs[job].by_instant.remove(&due_at);
        for id in first..first + i64::from(count) {
            self.pushes[place(id)].withdrawn = true;
            self.closed(id);
        }
    }

    fn ledger(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> Vec<LedgerRow> {
        let Some(job) = self.by_name.get(job).map(|job| &self.jobs[*job]) else { return Vec::new() };
        let row = |index: &usize| {
            let FireRow { due_at, until_at, count, recorded_at, .. } = self.fires[*index];
            LedgerRow { due_at, until_at, count, revision: 1, recorded_at, zone: None }
        };
        let reaches_in = job.by_instant.range(..from).map(|(_, index)| index);
        let reaches_in = reaches_in.filter(|index| self.fires[**index].until_at.is_some_and(|until| until >= from));
        let within = job.by_instant.range(from..=until).map(|(_, index)| index);
        let within = within.take(usize::try_from(limit).unwrap_or(usize::MAX));
        reaches_in.chain(within).map(row).collect()
    }
}
