//! Places, shares, bounds and waits of the queue.

use super::*;
use crate::domain::{Kind, Reason, Target, Trigger};

/// What only these tests ask.
impl Queue {
    /// The ids of pushes that wait for nothing but their turn; those with an open attempt are not among them.
    fn not_begun(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| !matches!(entry.place, Place::Open(_) | Place::Closing(_)))
            .map(|(id, _)| *id)
    }

    /// Attempts open now.
    fn open_attempts(&self) -> usize {
        self.open
    }

    /// Why a push is parked, if it is.
    fn parked_reason(&self, id: i64) -> Option<Reason> {
        match self.entries.get(&id)?.place {
            Place::Parked(reason) => Some(reason),
            _ => None,
        }
    }
}

const FREE: AccountLimits = AccountLimits { sender: "console", concurrency: 4, min_interval: Duration::ZERO };

pub(in super::super) fn push(id: i64, target: &str, at: i64) -> OpenPush {
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
        awaits_content: false,
        is_exclusive: false,
        attempts: 0,
        perhaps_sent: false,
        last_account: None,
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

fn all_of_one_account(targets: &[&str], limits: AccountLimits) -> Queue {
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
    assert_eq!(queue.due_together(), 0);
    for (id, hour) in [(1, 5000), (2, 5000), (3, 6000), (4, 6001)] {
        queue.add(push(id, "g", hour), at(0));
    }
    assert_eq!(queue.due_together(), 3);
    queue.add(push(5, "g", 5500), at(0));
    assert_eq!(queue.due_together(), 4);
    queue.remove(1);
    queue.remove(2);
    assert_eq!(queue.due_together(), 3, "5, 3 and 4");
    queue.park(3, Reason::NoSender);
    assert_eq!(queue.due_together(), 2, "what is parked waits for no instant");
    queue.unpark();
    assert_eq!(queue.due_together(), 3);
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
fn a_target_that_never_answers_leaves_the_queue_to_the_others() {
    let targets = [vec!["dead"; 100], vec!["b", "c", "d"]].concat();
    let mut queue = all_of_one_account(&targets, FREE);
    let first = begun(&mut queue, 0);
    // A quarter of the 64 that the account opens, and everything of the others.
    assert_eq!(first.len(), 16 + 3);
    assert!(first.contains(&101) && first.contains(&102) && first.contains(&103));
    queue.remove(101);
    assert_eq!(begun(&mut queue, 0), Vec::<i64>::new());
    queue.remove(1);
    assert_eq!(begun(&mut queue, 0), [17]);
}

#[test]
fn a_paced_queue_opens_one_attempt_an_interval() {
    let paced = AccountLimits { min_interval: Duration::from_millis(1000), ..FREE };
    let mut queue = all_of_one_account(&["a", "b"], paced);
    assert_eq!(begun(&mut queue, 0), [1]);
    queue.remove(1);
    assert_eq!(begun(&mut queue, 999).len(), 0);
    assert_eq!(queue.next_paced_at(), Some(at(1000).moment));
    assert_eq!(begun(&mut queue, 1000), [2]);
}

#[test]
fn the_pace_of_an_attempt_that_was_opened_ahead_counts_from_its_start() {
    let paced = AccountLimits { min_interval: Duration::from_millis(1000), ..FREE };
    let mut queue = all_of_one_account(&["a", "b"], paced);
    assert_eq!(begun(&mut queue, 0), [1]);
    queue.started("a", at(120).moment);
    queue.remove(1);
    assert_eq!(begun(&mut queue, 1119).len(), 0);
    assert_eq!(queue.next_paced_at(), Some(at(1120).moment));
    assert_eq!(begun(&mut queue, 1120), [2]);
}

#[test]
fn a_retried_push_waits_for_its_new_instant_and_frees_its_slot() {
    let mut queue = all_of_one_account(&["a"], FREE);
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
    queue.park(1, Reason::NoSender);
    assert_eq!(due(&queue, 10), Vec::<i64>::new());
    assert_eq!(queue.parked_reason(1), Some(Reason::NoSender));
    assert_eq!(queue.unpark(), 1);
    assert_eq!(due(&queue, 10), [1]);
}

#[test]
fn a_push_with_an_open_attempt_is_not_taken_in_again() {
    let mut queue = all_of_one_account(&["a"], FREE);
    queue.take_startable(at(0));
    queue.add(push(1, "a", 0), at(0));
    assert_eq!(due(&queue, 99), Vec::<i64>::new());
    assert_eq!(queue.open_attempts(), 1);
}

#[test]
fn a_cancelled_push_leaves_the_queue_of_its_account() {
    let mut queue = all_of_one_account(&["a", "a"], FREE);
    queue.remove(1);
    assert_eq!(begun(&mut queue, 0), [2]);
    queue.remove(2);
    assert!(queue.is_empty());
    assert_eq!(queue.open_attempts(), 0);
}

#[test]
fn pushes_leave_the_queue_of_an_account_that_went_down() {
    let mut queue = all_of_one_account(&["a", "b"], FREE);
    queue.leave_account_queues(Some("other"));
    assert_eq!(due(&queue, 0).len(), 0);
    queue.leave_account_queues(Some("a"));
    assert_eq!(due(&queue, 0), [1, 2]);
    assert_eq!(begun(&mut queue, 0).len(), 0);
}

#[test]
fn every_place_is_told_from_the_others() {
    let mut queue = all_of_one_account(&["a", "b", "c"], FREE);
    queue.take_startable(at(0));
    queue.close(3, at(0).moment);
    queue.add(push(4, "a", 7), at(0));
    queue.add(push(5, "a", 0), at(0));
    queue.park(5, Reason::NoSender);
    queue.add(push(6, "a", 0), at(0));
    queue.assign(6, &"b".into(), Rule::Explicit, FREE);
    let mut not_begun: Vec<i64> = queue.not_begun().collect();
    not_begun.sort_unstable();
    assert_eq!(not_begun, [4, 5, 6]);
    assert_eq!((queue.len(), queue.open_attempts(), queue.is_empty()), (6, 2, false));
    assert_eq!((queue.parked_reason(4), queue.parked_reason(5)), (None, Some(Reason::NoSender)));
    assert_eq!(queue.target_key_of(1), queue.target_key_of(4), "one target, one line");
    assert_ne!(queue.target_key_of(1), queue.target_key_of(2));
    let begins = queue.take_startable(at(0)).begins;
    let begun = Begin { push_id: 6, account: "b".into(), sender: "console", rule: Rule::Explicit };
    assert_eq!(format!("{begins:?}"), format!("{:?}", [begun]));
    // Leaving the queues is for those whose attempt is not open.
    queue.leave_account_queues(None);
    assert_eq!((queue.open_attempts(), due(&queue, 6).len()), (3, 0));
}

#[test]
fn a_parked_push_that_comes_again_stays_parked_unless_it_changed() {
    let mut queue = Queue::default();
    queue.add(push(1, "g", 10), at(0));
    queue.park(1, Reason::NoSender);
    queue.add(push(1, "g", 10), at(0));
    assert_eq!((queue.parked_reason(1), queue.next_due_at()), (Some(Reason::NoSender), None));
    queue.add(push(1, "g", 20), at(0));
    assert_eq!((queue.parked_reason(1), queue.next_due_at()), (None, Some(UtcMs(20))));
    assert_eq!(queue.unpark(), 0);
}

#[test]
fn a_push_that_closes_is_not_taken_in_again_and_one_that_waits_learns_its_new_instant() {
    let mut queue = all_of_one_account(&["a"], FREE);
    queue.add(push(1, "a", 5), at(0));
    assert_eq!(queue.next_due_at(), None, "it stands in the queue of its account");
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
    let mut queue = all_of_one_account(&["a"], FREE);
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
    let wide = AccountLimits { concurrency: 4096, ..FREE };
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
fn attempts_open_at_once_are_bounded_and_no_queue_takes_all_of_them() {
    let mut queue = Queue::default();
    let wide = AccountLimits { concurrency: 1024, ..FREE };
    let accounts = ["a", "b", "c", "d"].map(Arc::from);
    for (nth, account) in (1..).zip(&accounts) {
        for id in nth * 100_000..nth * 100_000 + 40_000 {
            queue.add(push(id, &id.to_string(), 0), at(0));
            queue.assign(id, account, Rule::ImDefault, wide);
        }
        while !begun(&mut queue, 0).is_empty() {}
        let free = MAX_OPEN - queue.open_attempts();
        assert!(free > 0, "{account} left nothing for the next");
        assert!(queue.by_account[account].open() as usize >= free, "{account} has its share");
    }
    let before = queue.open_attempts();
    queue.remove(100_000);
    assert_eq!(queue.open_attempts(), before - 1);
}

#[test]
fn a_wait_of_a_length_passes_whatever_is_done_to_the_wall_clock() {
    for wall in [-7_200_000, 0, 7_200_000] {
        let mut queue = all_of_one_account(&["a"], FREE);
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
    let mut queue = all_of_one_account(&["a"], FREE);
    queue.take_startable(at(0));
    queue.close(1, at(0).moment);
    queue.retry(1, Duration::from_millis(500), UtcMs(500), 1, true);
    queue.add(push(1, "a", 0), at(100));
    assert_eq!(due(&queue, 499), Vec::<i64>::new());
    let known = queue.get(1).unwrap();
    assert_eq!((known.attempts, known.perhaps_sent), (1, true));
}

#[test]
fn a_push_whose_time_is_over_in_its_queue_is_not_begun() {
    let mut queue = Queue::default();
    for (id, expires_at) in [(1, 100), (2, 101)] {
        queue.add(OpenPush { expires_at: UtcMs(expires_at), ..push(id, "g", 0) }, at(0));
        queue.assign(id, &"a".into(), Rule::ImDefault, FREE);
    }
    assert_eq!((queue.overdue(UtcMs(99)), queue.overdue(UtcMs(100))), (vec![], vec![1]));
    let Startable { begins, expired, .. } = queue.take_startable(at(100));
    assert_eq!((ids(begins), expired), (vec![2], vec![1]));
    assert_eq!(queue.open_attempts(), 1);
}

#[test]
fn a_push_whose_content_is_not_made_yet_takes_nobodys_place_and_has_its_turn_once_it_is() {
    let mut queue = Queue::default();
    for (id, awaits_content) in [(1, true), (2, false)] {
        queue.add(OpenPush { awaits_content, ..push(id, "g", 0) }, at(0));
        queue.assign(id, &"a".into(), Rule::ImDefault, AccountLimits { concurrency: 1, ..FREE });
    }
    let Startable { begins, unmade, .. } = queue.take_startable(at(0));
    assert_eq!((ids(begins), unmade), (vec![2], vec![1]));
    queue.park(1, Reason::Content);
    queue.made(1);
    assert_eq!(due(&queue, 0), [1]);
    queue.assign(1, &"a".into(), Rule::ImDefault, FREE);
    assert_eq!(begun(&mut queue, 0), [1]);
}

#[test]
fn an_attempt_taken_back_leaves_the_push_waiting_as_before() {
    let mut queue = all_of_one_account(&["a"], FREE);
    queue.take_startable(at(0));
    queue.take_back(1, at(1).moment);
    assert_eq!((queue.open_attempts(), due(&queue, 9)), (0, vec![]));
    queue.reopen(1);
    assert_eq!(due(&queue, 9), [1]);
    assert_eq!(queue.get(1).unwrap().attempts, 0);
}

#[test]
fn an_hour_that_came_stays_come_when_the_clock_is_put_back_and_one_to_come_does_not() {
    let mut queue = all_of_one_account(&["a"], FREE);
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
fn only_a_queue_that_paces_itself_and_waits_has_an_hour() {
    let mut queue = all_of_one_account(&["a"], FREE);
    assert_eq!(queue.next_paced_at(), None);
    let paced = AccountLimits { min_interval: Duration::from_millis(1000), ..FREE };
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
