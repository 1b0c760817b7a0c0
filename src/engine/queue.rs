//! Every open push in memory, and which of them may start now. Pure: no clock, no I/O.
//!
//! A push waits for its instant, then stands in the lane of the account that was chosen for it. A lane starts at most
//! so many attempts at once, and within it every target has its own line, so that one target that never answers
//! holds up its own line and no other.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::lane::{Lane, LaneLimits};
use crate::domain::{Rule, UtcMs};
use crate::store::{Begin, OpenPush};

/// Attempts that may be open at once over all lanes: bounds memory whatever the accounts ask for.
const MAX_OPEN: usize = 16_384;
/// Attempts opened in one transaction: few enough that nothing else waits for it noticeably.
const BATCH: usize = 1024;
/// Pushes that come so close to the first one are opened in the same rush.
const CROWD_WITHIN: Duration = Duration::from_secs(1);

/// Where an open push stands.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Until this instant.
    Waiting(UtcMs),
    /// Until an account or a gate changes, or [`Queue::unpark`] is called.
    Parked(&'static str),
    /// In the lane of this account.
    Ready(Arc<str>),
    /// An attempt is open (or being opened) in the lane of this account.
    Open(Arc<str>),
    /// The attempt has ended and is being recorded; its slot is free again.
    Closing,
}

struct Entry {
    push: OpenPush,
    place: Place,
    line: u64,
}

/// The dispatcher's memory.
#[derive(Default)]
pub struct Queue {
    entries: HashMap<i64, Entry>,
    waiting: BTreeSet<(UtcMs, i64)>,
    parked: BTreeSet<i64>,
    lanes: HashMap<Arc<str>, Lane>,
    open: usize,
    /// The answer of [`Queue::crowd`] for an instant; forgotten when more come to wait.
    crowd: Option<(UtcMs, usize)>,
    hasher: RandomState,
}

impl Queue {
    /// Takes a push in, or learns its new instant. A push whose attempt is open is left alone.
    pub fn add(&mut self, push: OpenPush) {
        let (id, at) = (push.id, push.next_attempt_at);
        match self.entries.get(&id).map(|entry| &entry.place) {
            Some(Place::Open(_) | Place::Closing | Place::Ready(_)) => return,
            Some(Place::Parked(_)) if self.entries[&id].push == push => return,
            _ => self.leave_place(id),
        }
        let line = self.hasher.hash_one(&push.target);
        self.entries.insert(id, Entry { push, place: Place::Waiting(at), line });
        self.line_up(at, id);
    }

    /// Every push that comes to wait is one more in the crowd.
    fn line_up(&mut self, at: UtcMs, id: i64) {
        self.waiting.insert((at, id));
        self.crowd = None;
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
            .filter(|(_, entry)| !matches!(entry.place, Place::Open(_) | Place::Closing))
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

    /// The pushes whose instant has come, oldest first, at most `limit`. Each must be assigned, parked or removed;
    /// until then it stays due.
    pub fn due(&self, now: UtcMs, limit: usize) -> Vec<i64> {
        self.waiting.range(..=(now, i64::MAX)).take(limit).map(|(_, id)| *id).collect()
    }

    /// The instant of the first push that waits.
    pub fn next_due_at(&self) -> Option<UtcMs> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// How many pushes wait for that instant or the second after it, as far as they may be open at once.
    pub fn crowd(&mut self) -> usize {
        let Some(first) = self.next_due_at() else { return 0 };
        match self.crowd {
            Some((at, count)) if at == first => count,
            _ => {
                let second = first + CROWD_WITHIN;
                let count = self.waiting.iter().take_while(|(at, _)| *at <= second).take(MAX_OPEN).count();
                self.crowd = Some((first, count));
                count
            }
        }
    }

    /// Puts a push into the lane of an account.
    pub fn assign(&mut self, id: i64, account: &Arc<str>, rule: Rule, limits: LaneLimits) {
        self.leave_place(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.place = Place::Ready(account.clone());
        let lane = self.lanes.entry(account.clone()).or_insert_with(|| Lane::new(limits));
        lane.set_limits(limits);
        lane.push(entry.line, id, rule);
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

    /// Makes every parked push due at its own instant again. Returns how many there were.
    pub fn unpark(&mut self) -> usize {
        let parked = std::mem::take(&mut self.parked);
        for id in &parked {
            if let Some(entry) = self.entries.get_mut(id) {
                let at = entry.push.next_attempt_at;
                entry.place = Place::Waiting(at);
                self.line_up(at, *id);
            }
        }
        parked.len()
    }

    /// Takes every push that stands in a lane without an attempt back, to be chosen for anew: its account changed.
    pub fn leave_lanes(&mut self, account: Option<&str>) {
        let ready: Vec<i64> = self
            .entries
            .iter()
            .filter(|(_, entry)| match &entry.place {
                Place::Ready(of) => account.is_none_or(|account| account == &**of),
                _ => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in ready {
            self.wait_until(id, None);
        }
    }

    /// Lets a push wait, until `at` or, with None, its own instant.
    fn wait_until(&mut self, id: i64, at: Option<UtcMs>) {
        self.leave_place(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            let at = at.unwrap_or(entry.push.next_attempt_at);
            entry.push.next_attempt_at = at;
            entry.place = Place::Waiting(at);
            self.line_up(at, id);
        }
    }

    /// The attempts to open now, at most one transaction of them. Every push returned counts as open from here on.
    pub fn take_startable(&mut self, now: UtcMs) -> Vec<Begin> {
        let mut begins = Vec::new();
        let share = BATCH.div_ceil(self.lanes.len().max(1));
        for (account, lane) in &mut self.lanes {
            lane.learn_pace(now);
            for _ in 0..share.min(MAX_OPEN - self.open) {
                let Some((id, rule)) = lane.take(now) else { break };
                self.open += 1;
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.place = Place::Open(account.clone());
                }
                begins.push(Begin { push_id: id, account: account.clone(), sender: lane.sender(), rule });
            }
        }
        begins
    }

    /// The line that a push stands in: pushes to one target share it.
    pub fn line_of(&self, id: i64) -> u64 {
        self.entries.get(&id).map_or(0, |entry| entry.line)
    }

    /// When a lane that paces itself may start its next attempt, if one waits.
    pub fn next_paced_at(&self) -> Option<UtcMs> {
        self.lanes.values().filter_map(Lane::next_paced_at).min()
    }

    /// The attempt of a push has ended: its slot is free, and the push stays until its record is durable.
    pub fn close(&mut self, id: i64) {
        self.leave_place(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Closing;
        }
    }

    /// The push is due again at `at`; `perhaps_sent` says that its last attempt may have reached the target.
    pub fn retry_at(&mut self, id: i64, at: UtcMs, attempts: u32, perhaps_sent: bool) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.push.attempts = attempts;
            entry.push.perhaps_sent |= perhaps_sent;
        }
        self.wait_until(id, Some(at));
    }

    /// Takes the entry out of the structure that its place names; the entry itself stays.
    fn leave_place(&mut self, id: i64) {
        let Some(entry) = self.entries.get(&id) else { return };
        match &entry.place {
            Place::Waiting(at) => {
                self.waiting.remove(&(*at, id));
            }
            Place::Parked(_) => {
                self.parked.remove(&id);
            }
            Place::Ready(account) => {
                if let Some(lane) = self.lanes.get_mut(account) {
                    lane.remove(entry.line, id);
                }
            }
            Place::Closing => {}
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
            attempts: 0,
            perhaps_sent: false,
        }
    }

    fn ids(begins: Vec<Begin>) -> Vec<i64> {
        begins.into_iter().map(|begin| begin.push_id).collect()
    }

    fn all_in_one_lane(targets: &[&str], limits: LaneLimits) -> Queue {
        let mut queue = Queue::default();
        let account: Arc<str> = "a".into();
        for (id, target) in (1..).zip(targets) {
            queue.add(push(id, target, 0));
            queue.assign(id, &account, Rule::ImDefault, limits);
        }
        queue
    }

    #[test]
    fn the_crowd_is_all_that_waits_for_the_first_instant_and_a_second_more() {
        let mut queue = Queue::default();
        assert_eq!(queue.crowd(), 0);
        for (id, at) in [(1, 5000), (2, 5000), (3, 6000), (4, 6001)] {
            queue.add(push(id, "g", at));
        }
        assert_eq!(queue.crowd(), 3);
        queue.add(push(5, "g", 5500));
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
        queue.add(push(1, "g", 100));
        queue.add(push(2, "g", 50));
        assert_eq!(queue.due(UtcMs(49), 9), Vec::<i64>::new());
        assert_eq!(queue.due(UtcMs(50), 9), [2]);
        assert_eq!(queue.due(UtcMs(100), 9), [2, 1]);
        assert_eq!(queue.due(UtcMs(100), 1), [2]);
        assert_eq!(queue.next_due_at(), Some(UtcMs(50)));
    }

    #[test]
    fn a_target_that_never_answers_leaves_the_lane_to_the_others() {
        let targets = [vec!["dead"; 100], vec!["b", "c", "d"]].concat();
        let mut queue = all_in_one_lane(&targets, FREE);
        let begun = ids(queue.take_startable(UtcMs(0)));
        // A quarter of the 64 that the lane opens, and everything of the others.
        assert_eq!(begun.len(), 16 + 3);
        assert!(begun.contains(&101) && begun.contains(&102) && begun.contains(&103));
        queue.remove(101);
        assert_eq!(ids(queue.take_startable(UtcMs(0))), Vec::<i64>::new());
        queue.remove(1);
        assert_eq!(ids(queue.take_startable(UtcMs(0))), [17]);
    }

    #[test]
    fn a_paced_lane_opens_one_attempt_an_interval() {
        let paced = LaneLimits { min_interval: Duration::from_millis(1000), ..FREE };
        let mut queue = all_in_one_lane(&["a", "b"], paced);
        assert_eq!(ids(queue.take_startable(UtcMs(0))), [1]);
        queue.remove(1);
        assert_eq!(queue.take_startable(UtcMs(999)).len(), 0);
        assert_eq!(queue.next_paced_at(), Some(UtcMs(1000)));
        assert_eq!(ids(queue.take_startable(UtcMs(1000))), [2]);
    }

    #[test]
    fn a_retried_push_waits_for_its_new_instant_and_frees_its_slot() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(UtcMs(0));
        queue.retry_at(1, UtcMs(500), 1, false);
        assert_eq!(queue.open_attempts(), 0);
        assert_eq!(queue.due(UtcMs(499), 9), Vec::<i64>::new());
        assert_eq!(queue.due(UtcMs(500), 9), [1]);
        assert_eq!(queue.get(1).unwrap().attempts, 1);
    }

    #[test]
    fn a_parked_push_is_due_again_once_something_changed() {
        let mut queue = Queue::default();
        queue.add(push(1, "g", 10));
        queue.park(1, "no_sender");
        assert_eq!(queue.due(UtcMs(10), 9), Vec::<i64>::new());
        assert_eq!(queue.parked_reason(1), Some("no_sender"));
        assert_eq!(queue.unpark(), 1);
        assert_eq!(queue.due(UtcMs(10), 9), [1]);
    }

    #[test]
    fn a_push_with_an_open_attempt_is_not_taken_in_again() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(UtcMs(0));
        queue.add(push(1, "a", 0));
        assert_eq!(queue.due(UtcMs(99), 9), Vec::<i64>::new());
        assert_eq!(queue.open_attempts(), 1);
    }

    #[test]
    fn a_cancelled_push_leaves_its_lane() {
        let mut queue = all_in_one_lane(&["a", "a"], FREE);
        queue.remove(1);
        assert_eq!(ids(queue.take_startable(UtcMs(0))), [2]);
        queue.remove(2);
        assert!(queue.is_empty());
        assert_eq!(queue.open_attempts(), 0);
    }

    #[test]
    fn pushes_leave_the_lane_of_an_account_that_went_down() {
        let mut queue = all_in_one_lane(&["a", "b"], FREE);
        queue.leave_lanes(Some("other"));
        assert_eq!(queue.due(UtcMs(0), 9).len(), 0);
        queue.leave_lanes(Some("a"));
        assert_eq!(queue.due(UtcMs(0), 9), [1, 2]);
        assert_eq!(queue.take_startable(UtcMs(0)).len(), 0);
    }

    #[test]
    fn every_place_is_told_from_the_others() {
        let mut queue = all_in_one_lane(&["a", "b", "c"], FREE);
        queue.take_startable(UtcMs(0));
        queue.close(3);
        queue.add(push(4, "a", 7));
        queue.add(push(5, "a", 0));
        queue.park(5, "no_sender");
        queue.add(push(6, "a", 0));
        queue.assign(6, &"b".into(), Rule::Explicit, FREE);
        let mut not_begun: Vec<i64> = queue.not_begun().collect();
        not_begun.sort_unstable();
        assert_eq!(not_begun, [4, 5, 6]);
        assert_eq!((queue.len(), queue.open_attempts(), queue.is_empty()), (6, 2, false));
        assert_eq!((queue.parked_reason(4), queue.parked_reason(5)), (None, Some("no_sender")));
        assert_eq!(queue.line_of(1), queue.line_of(4), "one target, one line");
        assert_ne!(queue.line_of(1), queue.line_of(2));
        let begins = queue.take_startable(UtcMs(0));
        let begun = Begin { push_id: 6, account: "b".into(), sender: "console", rule: Rule::Explicit };
        assert_eq!(format!("{begins:?}"), format!("{:?}", [begun]));
        // Leaving the lanes is for those whose attempt is not open.
        queue.leave_lanes(None);
        assert_eq!((queue.open_attempts(), queue.due(UtcMs(6), 9).len()), (3, 0));
    }

    #[test]
    fn a_parked_push_that_comes_again_stays_parked_unless_it_changed() {
        let mut queue = Queue::default();
        queue.add(push(1, "g", 10));
        queue.park(1, "no_sender");
        queue.add(push(1, "g", 10));
        assert_eq!((queue.parked_reason(1), queue.next_due_at()), (Some("no_sender"), None));
        queue.add(push(1, "g", 20));
        assert_eq!((queue.parked_reason(1), queue.next_due_at()), (None, Some(UtcMs(20))));
        assert_eq!(queue.unpark(), 0);
    }

    #[test]
    fn a_push_that_closes_is_not_taken_in_again_and_one_that_waits_learns_its_new_instant() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.add(push(1, "a", 5));
        assert_eq!(queue.next_due_at(), None, "it stands in a lane");
        queue.take_startable(UtcMs(0));
        queue.close(1);
        queue.add(push(1, "a", 5));
        assert_eq!(queue.next_due_at(), None, "its attempt is being recorded");
        queue.add(push(2, "a", 10));
        queue.add(push(2, "a", 30));
        assert_eq!(queue.due(UtcMs(29), 9), Vec::<i64>::new());
        assert_eq!(queue.due(UtcMs(30), 9), [2]);
    }

    #[test]
    fn what_perhaps_arrived_once_is_not_forgotten_by_a_later_refusal() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        queue.take_startable(UtcMs(0));
        queue.retry_at(1, UtcMs(1), 1, true);
        queue.retry_at(1, UtcMs(2), 2, false);
        let push = queue.get(1).unwrap();
        assert_eq!((push.perhaps_sent, push.attempts, push.next_attempt_at), (true, 2, UtcMs(2)));
    }

    #[test]
    fn lanes_share_a_transaction() {
        let mut queue = Queue::default();
        let wide = LaneLimits { concurrency: 4096, ..FREE };
        for id in 1..=3000 {
            queue.add(push(id, &id.to_string(), 0));
            queue.assign(id, &if id % 2 == 0 { "even" } else { "odd" }.into(), Rule::ImDefault, wide);
        }
        let begun = ids(queue.take_startable(UtcMs(0)));
        let even = begun.iter().filter(|id| *id % 2 == 0).count();
        assert_eq!((begun.len(), even), (BATCH, BATCH / 2));
        assert_eq!(queue.open_attempts(), BATCH);
    }

    #[test]
    fn attempts_open_at_once_are_bounded_whatever_the_accounts_ask_for() {
        let mut queue = Queue::default();
        let wide = LaneLimits { concurrency: 1024, ..FREE };
        for id in 1..=20_000 {
            queue.add(push(id, &id.to_string(), 0));
            queue.assign(id, &"a".into(), Rule::ImDefault, wide);
        }
        while !queue.take_startable(UtcMs(0)).is_empty() {}
        assert_eq!(queue.open_attempts(), MAX_OPEN);
        queue.remove(1);
        assert_eq!(queue.open_attempts(), MAX_OPEN - 1);
    }

    #[test]
    fn only_a_lane_that_paces_itself_and_waits_has_an_hour() {
        let mut queue = all_in_one_lane(&["a"], FREE);
        assert_eq!(queue.next_paced_at(), None);
        let paced = LaneLimits { min_interval: Duration::from_millis(1000), ..FREE };
        for (id, account, from) in [(10, "late", 500), (20, "soon", 200)] {
            for id in [id, id + 1] {
                queue.add(push(id, "g", 0));
                queue.assign(id, &account.into(), Rule::ImDefault, paced);
            }
            queue.take_startable(UtcMs(from));
        }
        queue.remove(10);
        queue.remove(20);
        assert_eq!(queue.next_paced_at(), Some(UtcMs(1200)));
    }
}
