//! Every open push in memory, and which of them may start now. Pure: no clock, no I/O.
//!
//! A push waits for its hour, which the wall clock shows, or for a length to pass, which no one's setting of a clock
//! shortens or stretches (`Due`). Then it stands in the lane of the account that was chosen for it. A lane starts at most
//! so many attempts at once, and within it every target has its own line, so that one target that never answers
//! holds up its own line and no other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::lane::{Lane, LaneLimits, Trust, Turn};
use crate::domain::{Moment, Reading, Rule, UtcMs};
use crate::store::{Begin, OpenPush};

/// Attempts that may be open at once over all lanes: bounds memory whatever the accounts ask for. No lane may have more
/// of them than are still free, so that however many hang, the next one finds room.
const MAX_OPEN: usize = 32_768;
/// Attempts opened in one transaction: few enough that nothing else waits for it noticeably.
const BATCH: usize = 1024;
/// Pushes that come so close to the first one are opened in the same rush.
const CROWD_WITHIN: Duration = Duration::from_secs(1);

/// Where an open push stands.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Until it is due.
    Waiting,
    /// Until an account or a gate changes, or [`Queue::unpark`] is called.
    Parked(&'static str),
    /// In the lane of this account.
    Ready(Arc<str>),
    /// An attempt is open (or being opened) in the lane of this account.
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
    line: u64,
    /// Names its turn in the lane that it stands in.
    ticket: u64,
    /// Its job left the definitions: what is under way ends, and is not retried.
    is_orphan: bool,
}

impl Entry {
    /// Whether it waits for a length that has passed by `moment`.
    fn is_due_by(&self, moment: Moment) -> bool {
        matches!(self.due, Due::After(due) if due <= moment)
    }
}

/// What a look at the lanes found.
#[derive(Debug, Default)]
pub struct Startable {
    pub begins: Vec<Begin>,
    /// Pushes whose turn came after their `expires_at`. They are to be settled.
    pub expired: Vec<i64>,
}

/// The dispatcher's memory.
#[derive(Default)]
pub struct Queue {
    entries: HashMap<i64, Entry>,
    hours: BTreeSet<(UtcMs, i64)>,
    lengths: BTreeSet<(Moment, i64)>,
    parked: BTreeSet<i64>,
    lanes: HashMap<Arc<str>, Lane>,
    open: usize,
    /// The answer of [`Queue::crowd`] for an instant; forgotten when more come to wait.
    crowd: Option<(UtcMs, usize)>,
    tickets: u64,
    hasher: RandomState,
}

impl Queue {
    /// Takes a push in, or learns its new instant. A push whose attempt is open is left alone, and so is one of which
    /// more is known than this row says: the row was read before its last attempt was recorded.
    pub fn add(&mut self, mut push: OpenPush, now: Reading) {
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
        let line = self.hasher.hash_one(&push.target);
        self.entries.insert(id, Entry { push, due, place: Place::Waiting, line, ticket: 0, is_orphan });
        self.line_up(due, id);
    }

    /// Every push that comes to wait for its hour is one more in the crowd.
    fn line_up(&mut self, due: Due, id: i64) {
        match due {
            Due::At(at) => {
                self.hours.insert((at, id));
                self.crowd = None;
            }
            Due::After(moment) => {
                self.lengths.insert((moment, id));
            }
        }
    }

    /// The wall clock was set after it had shown `before`. Hours that had come by then stay come: whatever waits in a line
    /// or for an account since then does not wait for its hour to be shown again.
    pub fn keep_hours(&mut self, before: UtcMs, now: Reading) {
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
        self.crowd = None;
    }

    /// The hour that a push still waits for, if its fire has one to come.
    pub fn hour_of(&self, id: i64) -> Option<UtcMs> {
        match self.entries.get(&id)?.due {
            Due::At(at) => Some(at),
            Due::After(_) => None,
        }
    }

    /// These jobs left the definitions.
    pub fn orphan(&mut self, jobs: &HashSet<Arc<str>>) {
        for entry in self.entries.values_mut() {
            entry.is_orphan |= entry.push.job.as_ref().is_some_and(|job| jobs.contains(job));
        }
    }

    /// Whether the job of this push left the definitions after it had fired.
    pub fn is_orphan(&self, id: i64) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.is_orphan)
    }

    /// Pushes that wait for a length to pass, and the hour that the wall clock will show then.
    pub fn resting(&self, now: Reading) -> impl Iterator<Item = (i64, UtcMs)> + '_ {
        self.lengths.iter().map(move |(moment, id)| (*id, now.wall_at(*moment)))
    }

    /// The row of a push that waits for a length tells this hour from here on.
    pub fn told(&mut self, id: i64, at: UtcMs) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.push.next_attempt_at = at;
        }
    }

    /// Forgets a push, wherever it stands.
    pub fn remove(&mut self, id: i64) -> Option<OpenPush> {
        self.leave_place(id);
        self.entries.remove(&id).map(|entry| entry.push)
    }

    /// The ids of pushes that wait for nothing but their turn; those with an open attempt are not among them.
    pub fn not_begun(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| !matches!(entry.place, Place::Open(_) | Place::Closing(_)))
            .map(|(id, _)| *id)
    }

    pub fn get(&self, id: i64) -> Option<&OpenPush> {
        self.entries.get(&id).map(|entry| &entry.push)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Attempts open now.
    pub fn open_attempts(&self) -> usize {
        self.open
    }

    /// Why a push is parked, if it is.
    pub fn parked_reason(&self, id: i64) -> Option<&'static str> {
        match self.entries.get(&id)?.place {
            Place::Parked(reason) => Some(reason),
            _ => None,
        }
    }

    /// The pushes that are due, oldest first, at most `limit`: those whose hour comes within `lead`, and those that
    /// have waited long enough. Each must be assigned, parked or removed; until then it stays due.
    pub fn due(&self, now: Reading, lead: Duration, limit: usize) -> Vec<i64> {
        let by_hour = self.hours.range(..=(now.wall + lead, i64::MAX)).map(|(_, id)| *id);
        let by_length = self.lengths.range(..=(now.moment, i64::MAX)).map(|(_, id)| *id);
        by_hour.chain(by_length).take(limit).collect()
    }

    /// The hour of the first push that waits for one.
    pub fn next_due_at(&self) -> Option<UtcMs> {
        self.hours.first().map(|(at, _)| *at)
    }

    /// When the first push has waited long enough that waits for a length.
    pub fn next_due_after(&self) -> Option<Moment> {
        self.lengths.first().map(|(moment, _)| *moment)
    }

    /// Pushes that stand in a lane after their `expires_at`.
    pub fn overdue(&self, now: UtcMs) -> Vec<i64> {
        let is_overdue = |entry: &Entry| matches!(entry.place, Place::Ready(_)) && entry.push.expires_at <= now;
        self.entries.iter().filter(|(_, entry)| is_overdue(entry)).map(|(id, _)| *id).collect()
    }

    /// How many pushes wait for that instant or the second after it, as far as they may be open at once.
    pub fn crowd(&mut self) -> usize {
        let Some(first) = self.next_due_at() else { return 0 };
        match self.crowd {
            Some((at, count)) if at == first => count,
            _ => {
                let second = first + CROWD_WITHIN;
                let count = self.hours.iter().take_while(|(at, _)| *at <= second).take(MAX_OPEN).count();
                self.crowd = Some((first, count));
                count
            }
        }
    }

    /// Puts a push into the lane of an account.
    pub fn assign(&mut self, id: i64, account: &Arc<str>, rule: Rule, limits: LaneLimits) {
        self.leave_place(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.tickets += 1;
        entry.ticket = self.tickets;
        entry.place = Place::Ready(account.clone());
        let lane = self.lanes.entry(account.clone()).or_insert_with(|| Lane::new(limits));
        lane.set_limits(limits);
        lane.push(entry.line, Turn { id, rule, ticket: entry.ticket });
    }

    /// How far the lane of an account is trusted from now on.
    pub fn set_trust(&mut self, account: &Arc<str>, trust: Trust) {
        if let Some(lane) = self.lanes.get_mut(account) {
            lane.set_trust(trust);
        }
    }

    /// An earlier process made an attempt through this account, so that its lane starts none before this moment.
    pub fn start_after(&mut self, account: &Arc<str>, limits: LaneLimits, moment: Moment) {
        self.lanes.entry(account.clone()).or_insert_with(|| Lane::new(limits)).start_after(moment);
    }

    /// Sets a push aside until something changes.
    pub fn park(&mut self, id: i64, reason: &'static str) {
        self.leave_place(id);
        self.crowd = None;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Parked(reason);
            self.parked.insert(id);
        }
    }

    /// Makes every parked push due as it was again. Returns how many there were.
    pub fn unpark(&mut self) -> usize {
        let parked = std::mem::take(&mut self.parked);
        for id in &parked {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.place = Place::Waiting;
                let due = entry.due;
                self.line_up(due, *id);
            }
        }
        parked.len()
    }

    /// Takes every push that stands in a lane without an attempt back, to be chosen for anew: its account changed.
    pub fn leave_lanes(&mut self, account: Option<&str>) {
        let mut leaving = Vec::new();
        for (id, lane) in &mut self.lanes {
            if account.is_none_or(|account| account == &**id) {
                leaving.extend(lane.drain());
            }
        }
        for Turn { id, ticket, .. } in leaving {
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.ticket == ticket
                && matches!(entry.place, Place::Ready(_))
            {
                entry.place = Place::Waiting;
                let due = entry.due;
                self.line_up(due, id);
            }
        }
    }

    /// The attempts to open now, at most one transaction of them. Every push of which one is to be opened counts as open
    /// from here on.
    pub fn take_startable(&mut self, now: Reading) -> Startable {
        let Startable { mut begins, mut expired } = Startable::default();
        let share = BATCH.div_ceil(self.lanes.len().max(1));
        for (account, lane) in &mut self.lanes {
            lane.learn_pace(now.moment);
            for _ in 0..share {
                if lane.open() as usize >= MAX_OPEN - self.open {
                    break;
                }
                let taken = lane.take(now.moment, |turn| match self.entries.get(&turn.id) {
                    Some(entry) if entry.ticket != turn.ticket || !matches!(entry.place, Place::Ready(_)) => false,
                    Some(entry) if entry.push.expires_at <= now.wall => {
                        expired.push(turn.id);
                        false
                    }
                    known => known.is_some(),
                });
                let Some(Turn { id, rule, .. }) = taken else { break };
                self.open += 1;
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.place = Place::Open(account.clone());
                }
                begins.push(Begin { push_id: id, account: account.clone(), sender: lane.sender(), rule });
            }
        }
        Startable { begins, expired }
    }

    /// Accounts that turned out far slower than what was opened for them.
    pub fn overfull(&self) -> Vec<Arc<str>> {
        self.lanes.iter().filter(|(_, lane)| lane.is_overfull()).map(|(account, _)| account.clone()).collect()
    }

    /// The line that a push stands in: pushes to one target share it.
    pub fn line_of(&self, id: i64) -> u64 {
        self.entries.get(&id).map_or(0, |entry| entry.line)
    }

    /// When a lane that paces itself may start its next attempt, if one waits.
    pub fn next_paced_at(&self) -> Option<Moment> {
        self.lanes.values().filter_map(Lane::next_paced_at).min()
    }

    /// The attempt of a push has ended: its slot is free, and the push stays until its record is durable.
    pub fn close(&mut self, id: i64, now: Moment) {
        self.leave_place(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Closing(now);
        }
    }

    /// The attempt of a push is taken back: it was never made. The push stays until that is durable.
    pub fn take_back(&mut self, id: i64, now: Moment) {
        if let Some(Entry { place: Place::Open(account), line, .. }) = self.entries.get(&id)
            && let Some(lane) = self.lanes.get_mut(account)
        {
            lane.take_back(*line);
            self.open -= 1;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.place = Place::Closing(now);
            }
        }
    }

    /// The push waits for what it waited for before its attempt was opened.
    pub fn reopen(&mut self, id: i64) {
        self.leave_place(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Waiting;
            let due = entry.due;
            self.line_up(due, id);
        }
    }

    /// The push is due again `wait` after its attempt ended, which its row tells as `at`; `perhaps_sent` says that the
    /// attempt may have reached the target.
    pub fn retry(&mut self, id: i64, wait: Duration, at: UtcMs, attempts: u32, perhaps_sent: bool) {
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
            // Its turn in the lane is dropped when it comes: the ticket no longer fits.
            Place::Ready(_) | Place::Closing(_) => {}
            Place::Open(account) => {
                self.open -= 1;
                if let Some(lane) = self.lanes.get_mut(account) {
                    lane.close(entry.line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Target, Trigger};

    const FREE: LaneLimits = LaneLimits { sender: "console", concurrency: 4, min_interval: Duration::ZERO };

    fn push(id: i64, target: &str, at: i64) -> OpenPush {
        OpenPush {
            id,
            job: None,
            triggered_by: Trigger::Cron,
            chat: None,
            im: "qq".into(),
            target: Target::Group(target.into()),
            kind: Kind::Text,
            account: None,
            due_at: UtcMs(at),
            next_attempt_at: UtcMs(at),
            expires_at: UtcMs::MAX,
            is_resting: false,
            attempts: 0,
            perhaps_sent: false,
        }
    }

    /// So many milliseconds after zero on both clocks.
    fn at(ms: i64) -> Reading {
        Reading { wall: UtcMs(ms), moment: Moment(Duration::from_millis(ms.unsigned_abs())) }
    }

    fn due(queue: &Queue, ms: i64) -> Vec<i64> {
        queue.due(at(ms), Duration::ZERO, 9)
    }

    fn begun(queue: &mut Queue, ms: i64) -> Vec<i64> {
        ids(queue.take_startable(at(ms)).begins)
    }

    fn ids(begins: Vec<Begin>) -> Vec<i64> {
        begins.into_iter().map(|begin| begin.push_id).collect()
    }

    fn all_in_one_lane(targets: &[&str], limits: LaneLimits) -> Queue {
        let mut queue = Queue::default();
        let account: Arc<str> = "a".into();
        for (id, target) in (1..).zip(targets) {
            queue.add(push(id, target, 0), at(0));
            queue.assign(id, &account, Rule::ImDefault, limits);
        }
        queue
    }

    #[test]
    fn the_crowd_is_all_that_waits_for_the_first_instant_and_a_second_more() {
        let mut queue = Queue::default();
        assert_eq!(queue.crowd(), 0);
        for (id, hour) in [(1, 5000), (2, 5000), (3, 6000), (4, 6001)] {
            queue.add(push(id, "g", hour), at(0));
        }
        assert_eq!(queue.crowd(), 3);
        queue.add(push(5, "g", 5500), at(0));
        assert_eq!(queue.crowd(), 4);
        queue.remove(1);
        queue.remove(2);
        assert_eq!(queue.crowd(), 3, "5, 3 and 4");
        queue.park(3, "no_sender");
        assert_eq!(queue.crowd(), 2, "what is parked waits for no instant");
        queue.unpark();
        assert_eq!(queue.crowd(), 3);
    }

    #[test]
    fn a_push_is_due_at_its_instant_and_not_before() {
        let mut queue = Queue::default();
        queue.add(push(1, "g", 100), at(0));
        queue.add(push(2, "g", 50), at(0));
        assert_eq!(due(&queue, 49), Vec::<i64>::new());
        assert_eq!(due(&queue, 50), [2]);
        assert_eq!(due(&queue, 100), [2, 1]);
        assert_eq!(queue.due(at(100), Duration::ZERO, 1), [2]);
        assert_eq!(queue.next_due_at(), Some(UtcMs(50)));
    }

    #[test]
    fn a_target_that_never_answers_leaves_the_lane_to_the_others() {
        let targets = [vec!["dead"; 100], vec!["b", "c", "d"]].concat();
        let mut queue = all_in_one_lane(&targets, FREE);
        let first = begun(&mut queue, 0);
        // A quarter of the 64 that the lane opens, and everything of the others.
        assert_eq!(first.len(), 16 + 3);
        assert!(first.contains(&101) && first.contains(&102) && first.contains(&103));
        queue.remove(101);
        assert_eq!(begun(&mut queue, 0), Vec::<i64>::new());
        queue.remove(1);
        assert_eq!(begun(&mut queue, 0), [17]);
    }

    #[test]
    fn a_paced_lane_opens_one_attempt_an_interval() {
        let paced = LaneLimits { min_interval: Duration::from_millis(1000), ..FREE };
        let mut queue = all_in_one_lane(&["a", "b"], paced);
        assert_eq!(begun(&mut queue, 0), [1]);
        queue.remove(1);
        assert_eq!(begun(&mut queue, 999).len(), 0);
        assert_eq!(queue.next_paced_at(), Some(at(1000).moment));
        assert_eq!(begun(&mut queue, 1000), [2]);
    }

    #[test]
    fn a_retried_push_waits_for_its_new_instant_and_frees_its_slot() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(at(0));
        queue.close(1, at(0).moment);
        queue.retry(1, Duration::from_millis(500), UtcMs(500), 1, false);
        assert_eq!(queue.open_attempts(), 0);
        assert_eq!(due(&queue, 499), Vec::<i64>::new());
        assert_eq!(due(&queue, 500), [1]);
        assert_eq!(queue.get(1).unwrap().attempts, 1);
    }

    #[test]
    fn a_parked_push_is_due_again_once_something_changed() {
        let mut queue = Queue::default();
        queue.add(push(1, "g", 10), at(0));
        queue.park(1, "no_sender");
        assert_eq!(due(&queue, 10), Vec::<i64>::new());
        assert_eq!(queue.parked_reason(1), Some("no_sender"));
        assert_eq!(queue.unpark(), 1);
        assert_eq!(due(&queue, 10), [1]);
    }

    #[test]
    fn a_push_with_an_open_attempt_is_not_taken_in_again() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(at(0));
        queue.add(push(1, "a", 0), at(0));
        assert_eq!(due(&queue, 99), Vec::<i64>::new());
        assert_eq!(queue.open_attempts(), 1);
    }

    #[test]
    fn a_cancelled_push_leaves_its_lane() {
        let mut queue = all_in_one_lane(&["a", "a"], FREE);
        queue.remove(1);
        assert_eq!(begun(&mut queue, 0), [2]);
        queue.remove(2);
        assert!(queue.is_empty());
        assert_eq!(queue.open_attempts(), 0);
    }

    #[test]
    fn pushes_leave_the_lane_of_an_account_that_went_down() {
        let mut queue = all_in_one_lane(&["a", "b"], FREE);
        queue.leave_lanes(Some("other"));
        assert_eq!(due(&queue, 0).len(), 0);
        queue.leave_lanes(Some("a"));
        assert_eq!(due(&queue, 0), [1, 2]);
        assert_eq!(begun(&mut queue, 0).len(), 0);
    }

    #[test]
    fn every_place_is_told_from_the_others() {
        let mut queue = all_in_one_lane(&["a", "b", "c"], FREE);
        queue.take_startable(at(0));
        queue.close(3, at(0).moment);
        queue.add(push(4, "a", 7), at(0));
        queue.add(push(5, "a", 0), at(0));
        queue.park(5, "no_sender");
        queue.add(push(6, "a", 0), at(0));
        queue.assign(6, &"b".into(), Rule::Explicit, FREE);
        let mut not_begun: Vec<i64> = queue.not_begun().collect();
        not_begun.sort_unstable();
        assert_eq!(not_begun, [4, 5, 6]);
        assert_eq!((queue.len(), queue.open_attempts(), queue.is_empty()), (6, 2, false));
        assert_eq!((queue.parked_reason(4), queue.parked_reason(5)), (None, Some("no_sender")));
        assert_eq!(queue.line_of(1), queue.line_of(4), "one target, one line");
        assert_ne!(queue.line_of(1), queue.line_of(2));
        let begins = queue.take_startable(at(0)).begins;
        let begun = Begin { push_id: 6, account: "b".into(), sender: "console", rule: Rule::Explicit };
        assert_eq!(format!("{begins:?}"), format!("{:?}", [begun]));
        // Leaving the lanes is for those whose attempt is not open.
        queue.leave_lanes(None);
        assert_eq!((queue.open_attempts(), due(&queue, 6).len()), (3, 0));
    }

    #[test]
    fn a_parked_push_that_comes_again_stays_parked_unless_it_changed() {
        let mut queue = Queue::default();
        queue.add(push(1, "g", 10), at(0));
        queue.park(1, "no_sender");
        queue.add(push(1, "g", 10), at(0));
        assert_eq!((queue.parked_reason(1), queue.next_due_at()), (Some("no_sender"), None));
        queue.add(push(1, "g", 20), at(0));
        assert_eq!((queue.parked_reason(1), queue.next_due_at()), (None, Some(UtcMs(20))));
        assert_eq!(queue.unpark(), 0);
    }

    #[test]
    fn a_push_that_closes_is_not_taken_in_again_and_one_that_waits_learns_its_new_instant() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.add(push(1, "a", 5), at(0));
        assert_eq!(queue.next_due_at(), None, "it stands in a lane");
        queue.take_startable(at(0));
        queue.close(1, at(0).moment);
        queue.add(push(1, "a", 5), at(0));
        assert_eq!(queue.next_due_at(), None, "its attempt is being recorded");
        queue.add(push(2, "a", 10), at(0));
        queue.add(push(2, "a", 30), at(0));
        assert_eq!(due(&queue, 29), Vec::<i64>::new());
        assert_eq!(due(&queue, 30), [2]);
    }

    #[test]
    fn what_perhaps_arrived_once_is_not_forgotten_by_a_later_refusal() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(at(0));
        queue.close(1, at(0).moment);
        queue.retry(1, Duration::from_millis(1), UtcMs(1), 1, true);
        queue.close(1, at(1).moment);
        queue.retry(1, Duration::from_millis(1), UtcMs(2), 2, false);
        let push = queue.get(1).unwrap();
        assert_eq!((push.perhaps_sent, push.attempts, push.next_attempt_at), (true, 2, UtcMs(2)));
    }

    #[test]
    fn lanes_share_a_transaction() {
        let mut queue = Queue::default();
        let wide = LaneLimits { concurrency: 4096, ..FREE };
        for id in 1..=3000 {
            queue.add(push(id, &id.to_string(), 0), at(0));
            queue.assign(id, &if id % 2 == 0 { "even" } else { "odd" }.into(), Rule::ImDefault, wide);
        }
        let first = begun(&mut queue, 0);
        let even = first.iter().filter(|id| *id % 2 == 0).count();
        assert_eq!((first.len(), even), (BATCH, BATCH / 2));
        assert_eq!(queue.open_attempts(), BATCH);
    }

    #[test]
    fn attempts_open_at_once_are_bounded_and_no_lane_takes_all_of_them() {
        let mut queue = Queue::default();
        let wide = LaneLimits { concurrency: 1024, ..FREE };
        let accounts = ["a", "b", "c", "d"].map(Arc::from);
        for (lane, account) in (1..).zip(&accounts) {
            for id in lane * 100_000..lane * 100_000 + 40_000 {
                queue.add(push(id, &id.to_string(), 0), at(0));
                queue.assign(id, account, Rule::ImDefault, wide);
            }
            while !begun(&mut queue, 0).is_empty() {}
            let free = MAX_OPEN - queue.open_attempts();
            assert!(free > 0, "{account} left nothing for the next");
            assert!(queue.lanes[account].open() as usize >= free, "{account} has its share");
        }
        let before = queue.open_attempts();
        queue.remove(100_000);
        assert_eq!(queue.open_attempts(), before - 1);
    }

    #[test]
    fn a_wait_of_a_length_passes_whatever_is_done_to_the_wall_clock() {
        for wall in [-7_200_000, 0, 7_200_000] {
            let mut queue = all_in_one_lane(&["a"], FREE);
            queue.take_startable(at(0));
            queue.close(1, at(0).moment);
            queue.retry(1, Duration::from_millis(500), UtcMs(500), 1, false);
            let seen = |ms| Reading { wall: UtcMs(wall), moment: at(ms).moment };
            assert_eq!(queue.due(seen(499), Duration::ZERO, 9), Vec::<i64>::new(), "{wall}");
            assert_eq!(queue.due(seen(500), Duration::ZERO, 9), [1], "{wall}");
            assert_eq!(queue.resting(seen(100)).collect::<Vec<_>>(), [(1, UtcMs(wall + 400))]);
        }
    }

    #[test]
    fn what_is_left_of_a_wait_goes_on_when_a_row_is_taken_in_and_an_hour_stays_an_hour() {
        let mut queue = Queue::default();
        queue.add(OpenPush { is_resting: true, attempts: 1, ..push(1, "a", 700) }, at(200));
        queue.add(push(2, "b", 700), at(200));
        let set_back = |ms| Reading { wall: UtcMs(0), moment: at(ms).moment };
        assert_eq!(queue.due(set_back(699), Duration::ZERO, 9), Vec::<i64>::new());
        assert_eq!(queue.due(set_back(700), Duration::ZERO, 9), [1]);
        assert_eq!(due(&queue, 700), [2, 1]);
    }

    #[test]
    fn a_row_read_before_the_last_attempt_was_recorded_changes_nothing() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(at(0));
        queue.close(1, at(0).moment);
        queue.retry(1, Duration::from_millis(500), UtcMs(500), 1, true);
        queue.add(push(1, "a", 0), at(100));
        assert_eq!(due(&queue, 499), Vec::<i64>::new());
        let known = queue.get(1).unwrap();
        assert_eq!((known.attempts, known.perhaps_sent), (1, true));
    }

    #[test]
    fn a_push_whose_time_is_over_in_its_lane_is_not_begun() {
        let mut queue = Queue::default();
        for (id, expires_at) in [(1, 100), (2, 101)] {
            queue.add(OpenPush { expires_at: UtcMs(expires_at), ..push(id, "g", 0) }, at(0));
            queue.assign(id, &"a".into(), Rule::ImDefault, FREE);
        }
        assert_eq!((queue.overdue(UtcMs(99)), queue.overdue(UtcMs(100))), (vec![], vec![1]));
        let Startable { begins, expired } = queue.take_startable(at(100));
        assert_eq!((ids(begins), expired), (vec![2], vec![1]));
        assert_eq!(queue.open_attempts(), 1);
    }

    #[test]
    fn an_attempt_taken_back_leaves_the_push_waiting_as_before() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(at(0));
        queue.take_back(1, at(1).moment);
        assert_eq!((queue.open_attempts(), due(&queue, 9)), (0, vec![]));
        queue.reopen(1);
        assert_eq!(due(&queue, 9), [1]);
        assert_eq!(queue.get(1).unwrap().attempts, 0);
    }

    #[test]
    fn an_hour_that_came_stays_come_when_the_clock_is_put_back_and_one_to_come_does_not() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.add(push(2, "b", 100), at(100));
        queue.add(push(3, "c", 101), at(100));
        let set_back = Reading { wall: UtcMs(-5000), moment: at(100).moment };
        queue.keep_hours(UtcMs(100), set_back);
        assert_eq!(queue.due(set_back, Duration::ZERO, 9), [2]);
        assert_eq!([1, 2, 3].map(|id| queue.hour_of(id)), [None, None, Some(UtcMs(101))]);
    }

    #[test]
    fn only_pushes_of_a_removed_job_that_were_there_are_orphans() {
        let of_job = |id| OpenPush { job: Some("j".into()), ..push(id, "a", 0) };
        let mut queue = Queue::default();
        queue.add(of_job(1), at(0));
        queue.add(push(2, "a", 0), at(0));
        queue.orphan(&HashSet::from(["j".into()]));
        queue.add(of_job(3), at(0));
        assert_eq!([1, 2, 3].map(|id| queue.is_orphan(id)), [true, false, false]);
    }

    #[test]
    fn only_a_lane_that_paces_itself_and_waits_has_an_hour() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        assert_eq!(queue.next_paced_at(), None);
        let paced = LaneLimits { min_interval: Duration::from_millis(1000), ..FREE };
        for (id, account, from) in [(10, "late", 500), (20, "soon", 200)] {
            for id in [id, id + 1] {
                queue.add(push(id, "g", 0), at(0));
                queue.assign(id, &account.into(), Rule::ImDefault, paced);
            }
            queue.take_startable(at(from));
        }
        queue.remove(10);
        queue.remove(20);
        assert_eq!(queue.next_paced_at(), Some(at(1200).moment));
    }
}
