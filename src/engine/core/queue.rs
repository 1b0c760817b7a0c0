//! Every open push in memory, and which of them may start now. Pure: no clock, no I/O.
//!
//! A push waits for its hour, which the wall clock shows, or for a length to pass, which no one's setting of a clock
//! shortens or stretches (`Due`). Then it stands in the queue of the account that was chosen for it, which starts at most
//! so many attempts at once, and takes its targets in turn, so that one target that never answers holds up what goes to
//! itself and nothing else.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::account_queue::{AccountLimits, AccountQueue, Trust, Turn};
use super::one_at_a_time::OneAtATime;
use super::stable::{StableMap, stable_hash};
use crate::domain::{Moment, Reading, Reason, Rule, UtcMs};
use crate::store::{Begin, OpenPush};

/// Attempts that may be open at once over all accounts: bounds memory whatever the accounts ask for. No account may have more
/// of them than are still free, so that however many hang, the next one finds room.
const MAX_OPEN: usize = 32_768;
/// Attempts opened in one transaction: few enough that nothing else waits for it noticeably.
const BATCH: usize = 1024;
/// Pushes that come so close to the first one are opened in the same rush.
const DUE_TOGETHER_WITHIN: Duration = Duration::from_secs(1);

/// Where an open push stands.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Until it is due.
    Waiting,
    /// Until an account or a gate changes, or [`Queue::unpark`] is called.
    Parked(Reason),
    /// In the queue of this account.
    Ready(Arc<str>),
    /// An attempt is open (or being opened) in the queue of this account.
    Open(Arc<str>),
    /// The attempt has ended at this moment and is being recorded; its slot is free again.
    Closing(Moment),
}

/// What a push waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The wall clock shows this.
    At(UtcMs),
    /// A length has passed: the wait before a retry, say.
    After(Moment),
}

struct Entry {
    push: OpenPush,
    due: Due,
    place: Place,
    target_key: u64,
    /// Names its turn in the queue that it stands in.
    ticket: u64,
    /// Its job left the definitions: what is under way ends, and is not retried.
    is_orphan: bool,
}

impl Entry {
    /// Whether it still stands in a queue by the turn of this ticket.
    fn has_turn(&self, ticket: u64) -> bool {
        self.ticket == ticket && matches!(self.place, Place::Ready(_))
    }

    /// Whether it waits for a length that has passed by `moment`.
    fn is_due_by(&self, moment: Moment) -> bool {
        matches!(self.due, Due::After(due) if due <= moment)
    }
}

/// What a look at the queues found.
#[derive(Debug, Default)]
pub(super) struct Startable {
    pub begins: Vec<Begin>,
    /// Pushes whose turn came after their `expires_at`. They are to be settled.
    pub expired: Vec<i64>,
    /// Pushes whose turn came before their content was made. They wait for it.
    pub unmade: Vec<i64>,
    /// Pushes whose turn came while another of their job was under way to the same target. They wait for its end.
    pub overlapping: Vec<i64>,
}

/// The dispatcher's memory.
#[derive(Default)]
pub(super) struct Queue {
    entries: StableMap<i64, Entry>,
    hours: BTreeSet<(UtcMs, i64)>,
    lengths: BTreeSet<(Moment, i64)>,
    parked: BTreeSet<i64>,
    by_account: StableMap<Arc<str>, AccountQueue>,
    one_at_a_time: OneAtATime,
    open: usize,
    /// The answer of [`Queue::due_together`] for an instant; forgotten when more come to wait.
    due_together: Option<(UtcMs, usize)>,
    tickets: u64,
}

impl Queue {
    /// Takes a push in, or learns its new instant. A push whose attempt is open is left alone, and so is one of which
    /// more is known than this row says: the row was read before its last attempt was recorded.
    pub(super) fn add(&mut self, mut push: OpenPush, now: Reading) {
        let id = push.id;
        let mut is_orphan = false;
        if let Some(known) = self.entries.get(&id) {
            match known.place {
                Place::Open(_) | Place::Closing(_) | Place::Ready(_) => return,
                Place::Waiting | Place::Parked(_) if push.attempts < known.push.attempts => return,
                Place::Waiting | Place::Parked(_) if known.push == push => return,
                // Its row tells another hour since the clock was set; only a person can want it sooner.
                Place::Waiting | Place::Parked(_)
                    if push.is_resting && known.is_due_by(now.moment_at(push.next_attempt_at)) =>
                {
                    return;
                }
                Place::Waiting | Place::Parked(_) => {}
            }
            push.perhaps_sent |= known.push.perhaps_sent;
            is_orphan = known.is_orphan;
            self.leave_place(id);
        }
        let due = match push.is_resting {
            true => Due::After(now.moment_at(push.next_attempt_at)),
            false => Due::At(push.next_attempt_at),
        };
        let target_key = stable_hash(&push.target);
        self.entries.insert(id, Entry { push, due, place: Place::Waiting, target_key, ticket: 0, is_orphan });
        self.enqueue_waiting(due, id);
    }

    /// Every push that comes to wait for its hour is one more that is due together.
    fn enqueue_waiting(&mut self, due: Due, id: i64) {
        match due {
            Due::At(at) => {
                self.hours.insert((at, id));
                self.due_together = None;
            }
            Due::After(moment) => {
                self.lengths.insert((moment, id));
            }
        }
    }

    /// The wall clock was set after it had shown `before`. Hours that had come by then stay come: whatever waits in a line
    /// or for an account since then does not wait for its hour to be shown again.
    pub(super) fn keep_hours(&mut self, before: UtcMs, now: Reading) {
        for (id, entry) in &mut self.entries {
            if let Due::At(at) = entry.due
                && at <= before
            {
                entry.due = Due::After(now.moment);
                if entry.place == Place::Waiting {
                    self.hours.remove(&(at, *id));
                    self.lengths.insert((now.moment, *id));
                }
            }
        }
        self.due_together = None;
    }

    /// The hour that a push still waits for, if its fire has one to come.
    pub(super) fn hour_of(&self, id: i64) -> Option<UtcMs> {
        match self.entries.get(&id)?.due {
            Due::At(at) => Some(at),
            Due::After(_) => None,
        }
    }

    /// These jobs left the definitions.
    pub(super) fn orphan(&mut self, jobs: &HashSet<Arc<str>>) {
        // Most reloads remove none.
        if jobs.is_empty() {
            return;
        }
        for entry in self.entries.values_mut() {
            entry.is_orphan |= entry.push.job.as_ref().is_some_and(|job| jobs.contains(job));
        }
    }

    /// Whether the job of this push left the definitions after it had fired.
    pub(super) fn is_orphan(&self, id: i64) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.is_orphan)
    }

    /// Pushes that wait for a length to pass, and the hour that the wall clock will show then.
    pub(super) fn resting(&self, now: Reading) -> impl Iterator<Item = (i64, UtcMs)> + '_ {
        self.lengths.iter().map(move |(moment, id)| (*id, now.wall_at(*moment)))
    }

    /// The row of a push that waits for a length tells this hour from here on.
    pub(super) fn set_next_attempt_at(&mut self, id: i64, at: UtcMs) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.push.next_attempt_at = at;
        }
    }

    /// Forgets a push, wherever it stands.
    pub(super) fn remove(&mut self, id: i64) -> Option<OpenPush> {
        self.leave_place(id);
        self.let_next_go(id);
        self.entries.remove(&id).map(|entry| entry.push)
    }

    pub(super) fn get(&self, id: i64) -> Option<&OpenPush> {
        self.entries.get(&id).map(|entry| &entry.push)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pushes that are due, oldest first, at most `limit`: those whose hour comes within `lead`, and those that
    /// have waited long enough. Each must be assigned, parked or removed; until then it stays due.
    pub(super) fn due(&self, now: Reading, lead: Duration, limit: usize) -> Vec<i64> {
        let by_hour = self.hours.range(..=(now.wall + lead, i64::MAX)).map(|(_, id)| *id);
        let by_length = self.lengths.range(..=(now.moment, i64::MAX)).map(|(_, id)| *id);
        by_hour.chain(by_length).take(limit).collect()
    }

    /// The hour of the first push that waits for one.
    pub(super) fn next_due_at(&self) -> Option<UtcMs> {
        self.hours.first().map(|(at, _)| *at)
    }

    /// When the first push has waited long enough that waits for a length.
    pub(super) fn next_due_after(&self) -> Option<Moment> {
        self.lengths.first().map(|(moment, _)| *moment)
    }

    /// Pushes that stand in the queue of an account after their `expires_at`.
    pub(super) fn overdue(&self, now: UtcMs) -> Vec<i64> {
        let is_overdue = |entry: &Entry| matches!(entry.place, Place::Ready(_)) && entry.push.expires_at <= now;
        self.entries.iter().filter(|(_, entry)| is_overdue(entry)).map(|(id, _)| *id).collect()
    }

    /// How many pushes wait for that instant or the second after it, as far as they may be open at once.
    pub(super) fn due_together(&mut self) -> usize {
        let Some(first) = self.next_due_at() else { return 0 };
        match self.due_together {
            Some((at, count)) if at == first => count,
            _ => {
                let second = first + DUE_TOGETHER_WITHIN;
                let count = self.hours.iter().take_while(|(at, _)| *at <= second).take(MAX_OPEN).count();
                self.due_together = Some((first, count));
                count
            }
        }
    }

    /// Puts a push into the queue of an account.
    pub(super) fn assign(&mut self, id: i64, account: &Arc<str>, rule: Rule, limits: AccountLimits) {
        self.leave_place(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.tickets += 1;
        entry.ticket = self.tickets;
        entry.place = Place::Ready(account.clone());
        let of_account = self.by_account.entry(account.clone()).or_insert_with(|| AccountQueue::new(limits));
        of_account.set_limits(limits);
        of_account.push(entry.target_key, Turn { id, rule, ticket: entry.ticket });
    }

    /// How far an account is trusted from now on.
    pub(super) fn set_trust(&mut self, account: &Arc<str>, trust: Trust) {
        if let Some(of_account) = self.by_account.get_mut(account) {
            of_account.set_trust(trust);
        }
    }

    /// An earlier process made an attempt through this account, so that it starts none before this moment.
    pub(super) fn start_after(&mut self, account: &Arc<str>, limits: AccountLimits, moment: Moment) {
        self.by_account.entry(account.clone()).or_insert_with(|| AccountQueue::new(limits)).start_after(moment);
    }

    /// The sender of an attempt is called at this moment.
    pub(super) fn started(&mut self, account: &str, moment: Moment) {
        if let Some(of_account) = self.by_account.get_mut(account) {
            of_account.started(moment);
        }
    }

    /// Sets a push aside until something changes.
    pub(super) fn park(&mut self, id: i64, reason: Reason) {
        self.leave_place(id);
        self.due_together = None;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Parked(reason);
            self.parked.insert(id);
        }
    }

    /// The content of a push is there: it is due as it was.
    pub(super) fn made(&mut self, id: i64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.push.awaits_content = false;
        if matches!(entry.place, Place::Parked(_)) {
            self.reopen(id);
        }
    }

    /// Makes every parked push due as it was again. Returns how many there were.
    pub(super) fn unpark(&mut self) -> usize {
        let parked = std::mem::take(&mut self.parked);
        parked.iter().for_each(|id| self.wait(*id));
        parked.len()
    }

    /// Takes every push that stands in a queue without an attempt back, to be chosen for anew: its account changed.
    pub(super) fn leave_account_queues(&mut self, account: Option<&str>) {
        let mut leaving = Vec::new();
        for (id, of_account) in &mut self.by_account {
            if account.is_none_or(|account| account == &**id) {
                leaving.extend(of_account.drain());
            }
        }
        for Turn { id, ticket, .. } in leaving {
            if self.entries.get(&id).is_some_and(|entry| entry.has_turn(ticket)) {
                self.wait(id);
            }
        }
    }

    /// The attempts to open now, at most one transaction of them. Every push of which one is to be opened counts as open
    /// from here on.
    pub(super) fn take_startable(&mut self, now: Reading) -> Startable {
        let Startable { mut begins, mut expired, mut unmade, mut overlapping } = Startable::default();
        let share = BATCH.div_ceil(self.by_account.len().max(1));
        for (account, of_account) in &mut self.by_account {
            of_account.learn_pace(now.moment);
            for _ in 0..share {
                if of_account.open() as usize >= MAX_OPEN - self.open {
                    break;
                }
                let taken = of_account.take(now.moment, |turn| match self.entries.get(&turn.id) {
                    Some(entry) if !entry.has_turn(turn.ticket) => false,
                    Some(entry) if entry.push.expires_at <= now.wall => {
                        expired.push(turn.id);
                        false
                    }
                    Some(entry) if entry.push.awaits_content => {
                        unmade.push(turn.id);
                        false
                    }
                    Some(entry) if !self.one_at_a_time.may_begin(&entry.push) => {
                        overlapping.push(turn.id);
                        false
                    }
                    known => known.is_some(),
                });
                let Some(Turn { id, rule, .. }) = taken else { break };
                self.open += 1;
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.place = Place::Open(account.clone());
                    self.one_at_a_time.begin(&entry.push);
                }
                begins.push(Begin { push_id: id, account: account.clone(), sender: of_account.sender(), rule });
            }
        }
        Startable { begins, expired, unmade, overlapping }
    }

    /// Sets pushes aside whose turn came while another of their job was under way to the same target.
    pub(super) fn wait_for_overlapped(&mut self, ids: Vec<i64>) {
        for id in ids {
            self.park(id, Reason::Overlap);
            if let Some(entry) = self.entries.get(&id) {
                self.one_at_a_time.wait(&entry.push);
            }
        }
    }

    /// This push is under way no more: those that waited for its end are due as they were.
    fn let_next_go(&mut self, id: i64) {
        let Some(entry) = self.entries.get(&id) else { return };
        for next in self.one_at_a_time.end(&entry.push) {
            if self.parked.remove(&next) {
                self.wait(next);
            }
        }
    }

    /// Accounts that turned out far slower than what was opened for them.
    pub(super) fn overfull(&self) -> Vec<Arc<str>> {
        self.by_account
            .iter()
            .filter(|(_, of_account)| of_account.is_overfull())
            .map(|(account, _)| account.clone())
            .collect()
    }

    /// What pushes to one target have in common.
    pub(super) fn target_key_of(&self, id: i64) -> u64 {
        self.entries.get(&id).map_or(0, |entry| entry.target_key)
    }

    /// When an account that paces itself may start its next attempt, if one waits.
    pub(super) fn next_paced_at(&self) -> Option<Moment> {
        self.by_account.values().filter_map(AccountQueue::next_paced_at).min()
    }

    /// The attempt of a push has ended: its slot is free, and the push stays until its record is durable.
    pub(super) fn close(&mut self, id: i64, now: Moment) {
        self.leave_place(id);
        if let Some(entry) = self.entries.get_mut(&id)
            && let Place::Open(account) = std::mem::replace(&mut entry.place, Place::Closing(now))
        {
            entry.push.last_account = Some(account);
        }
    }

    /// The attempt of a push is taken back: it was never made. The push stays until that is durable.
    pub(super) fn take_back(&mut self, id: i64, now: Moment) {
        if let Some(Entry { place: Place::Open(account), target_key, .. }) = self.entries.get(&id)
            && let Some(of_account) = self.by_account.get_mut(account)
        {
            of_account.take_back(*target_key);
            self.open -= 1;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.place = Place::Closing(now);
            }
        }
    }

    /// The push waits for what it waited for before its attempt was opened.
    pub(super) fn reopen(&mut self, id: i64) {
        self.leave_place(id);
        self.wait(id);
    }

    /// Lets a push that stands nowhere else wait for what it is due by.
    fn wait(&mut self, id: i64) {
        self.let_next_go(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Waiting;
            let due = entry.due;
            self.enqueue_waiting(due, id);
        }
    }

    /// The push is due again `wait` after its attempt ended, which its row tells as `at`; `perhaps_sent` says that the
    /// attempt may have reached the target.
    pub(super) fn retry(&mut self, id: i64, wait: Duration, at: UtcMs, attempts: u32, perhaps_sent: bool) {
        if let Some(entry) = self.entries.get_mut(&id) {
            let Place::Closing(ended) = entry.place else { return };
            entry.push.attempts = attempts;
            entry.push.perhaps_sent |= perhaps_sent;
            entry.push.next_attempt_at = at;
            entry.push.is_resting = true;
            entry.due = Due::After(ended + wait);
        }
        self.reopen(id);
    }

    /// Takes the entry out of the structure that its place names; the entry itself stays.
    fn leave_place(&mut self, id: i64) {
        let Some(entry) = self.entries.get(&id) else { return };
        match &entry.place {
            Place::Waiting => match entry.due {
                Due::At(at) => {
                    self.hours.remove(&(at, id));
                }
                Due::After(moment) => {
                    self.lengths.remove(&(moment, id));
                }
            },
            Place::Parked(_) => {
                self.parked.remove(&id);
            }
            // Its turn in the queue is dropped when it comes: the ticket no longer fits.
            Place::Ready(_) | Place::Closing(_) => {}
            Place::Open(account) => {
                self.open -= 1;
                if let Some(of_account) = self.by_account.get_mut(account) {
                    of_account.close(entry.target_key);
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
