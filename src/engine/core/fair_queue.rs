//! A queue that is fair to its keys: they take turns, so that one with a backlog holds up no other.

use std::collections::VecDeque;

use super::stable::StableMap;

/// A queue of things by key, with a limit on how many of one key may be out at once.
pub(super) struct FairQueue<T> {
    per_key: u32,
    keys: StableMap<u64, PerKey<T>>,
    /// Keys with something waiting and room for it.
    rotation: VecDeque<u64>,
}

struct PerKey<T> {
    waiting: VecDeque<T>,
    out: u32,
    in_rotation: bool,
}

impl<T> FairQueue<T> {
    pub(super) fn new(per_key: u32) -> FairQueue<T> {
        FairQueue { per_key: per_key.max(1), keys: StableMap::default(), rotation: VecDeque::new() }
    }

    /// A new limit counts from the next thing taken.
    pub(super) fn set_per_key(&mut self, per_key: u32) {
        self.per_key = per_key.max(1);
    }

    /// Puts a thing at the end of those with its key.
    pub(super) fn push(&mut self, key: u64, thing: T) {
        let of_key =
            self.keys.entry(key).or_insert_with(|| PerKey { waiting: VecDeque::new(), out: 0, in_rotation: false });
        of_key.waiting.push_back(thing);
        self.rotate(key);
    }

    /// The next thing in turn; its key has one more out until [`FairQueue::release`]. What `is_wanted` says no to loses its
    /// turn and is dropped: whoever leaves a long queue is not searched for in it.
    pub(super) fn pop(&mut self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<(u64, T)> {
        while let Some(key) = self.rotation.pop_front() {
            let Some(of_key) = self.keys.get_mut(&key) else { continue };
            of_key.in_rotation = false;
            let next = loop {
                match of_key.waiting.pop_front() {
                    Some(thing) if !is_wanted(&thing) => {}
                    next => break next,
                }
            };
            let Some(thing) = next else {
                self.drop_if_idle(key);
                continue;
            };
            of_key.out += 1;
            self.rotate(key);
            return Some((key, thing));
        }
        None
    }

    /// One with this key is no longer out.
    pub(super) fn release(&mut self, key: u64) {
        if let Some(of_key) = self.keys.get_mut(&key) {
            of_key.out = of_key.out.saturating_sub(1);
            self.rotate(key);
            self.drop_if_idle(key);
        }
    }

    /// Takes out all that waits. No key keeps its turn: what comes in afterwards takes turns in the order in which it comes,
    /// however often somebody looked at the queue while it was empty.
    pub(super) fn drain(&mut self) -> Vec<(u64, T)> {
        self.rotation.clear();
        let mut taken = Vec::new();
        self.keys.retain(|key, of_key| {
            of_key.in_rotation = false;
            taken.extend(of_key.waiting.drain(..).map(|thing| (*key, thing)));
            of_key.out > 0
        });
        taken
    }

    /// Whether anything could be taken now.
    pub(super) fn has_next(&self) -> bool {
        !self.rotation.is_empty()
    }

    fn rotate(&mut self, key: u64) {
        let per_key = self.per_key;
        if let Some(of_key) = self.keys.get_mut(&key)
            && !of_key.in_rotation
            && !of_key.waiting.is_empty()
            && of_key.out < per_key
        {
            of_key.in_rotation = true;
            self.rotation.push_back(key);
        }
    }

    /// Targets come and go; an idle key is not kept. A stale turn in the rotation is skipped when it comes.
    fn drop_if_idle(&mut self, key: u64) {
        if self.keys.get(&key).is_some_and(|of_key| of_key.out == 0 && of_key.waiting.is_empty()) {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns_and_none_has_more_out_than_its_share() {
        let mut queue = FairQueue::new(2);
        for thing in 0..5 {
            queue.push(1, thing);
        }
        queue.push(2, 9);
        let taken: Vec<(u64, i32)> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        assert_eq!(taken, [(1, 0), (2, 9), (1, 1)]);
        queue.release(1);
        assert_eq!(queue.pop(|_| true), Some((1, 2)));
        assert_eq!(queue.pop(|_| true), None);
    }

    #[test]
    fn after_all_was_taken_out_keys_take_turns_in_the_order_in_which_they_come_again() {
        for is_looked_at in [false, true] {
            let mut queue = FairQueue::new(1);
            queue.push(1, 'a');
            queue.push(2, 'b');
            queue.drain();
            assert!(!queue.has_next());
            if is_looked_at {
                assert_eq!(queue.pop(|_| true), None);
            }
            queue.push(2, 'b');
            queue.push(1, 'a');
            assert_eq!(queue.pop(|_| true), Some((2, 'b')), "looked at: {is_looked_at}");
        }
    }

    #[test]
    fn what_is_not_wanted_any_more_loses_its_turn() {
        let mut queue = FairQueue::new(1);
        for thing in ['a', 'b', 'c'] {
            queue.push(1, thing);
        }
        queue.push(2, 'd');
        assert_eq!(queue.pop(|thing| *thing == 'c'), Some((1, 'c')));
        assert_eq!(queue.pop(|_| false), None);
        assert_eq!(Vec::from_iter(queue.keys.keys()), [&1], "one is out, and the idle key is forgotten");
        queue.release(1);
        assert!(queue.keys.is_empty());
    }

    #[test]
    fn a_drained_queue_is_empty_and_goes_on_working() {
        let mut queue = FairQueue::new(1);
        queue.push(1, 'a');
        queue.push(2, 'b');
        let mut drained = queue.drain();
        drained.sort_unstable();
        assert_eq!(drained, [(1, 'a'), (2, 'b')]);
        assert_eq!(queue.pop(|_| true), None);
        queue.push(1, 'c');
        assert_eq!(queue.pop(|_| true), Some((1, 'c')));
    }

    #[test]
    fn a_new_limit_holds_from_the_next_turn_on() {
        let mut queue = FairQueue::new(1);
        for thing in 0..4 {
            queue.push(1, thing);
        }
        assert_eq!(queue.pop(|_| true), Some((1, 0)));
        assert_eq!(queue.pop(|_| true), None);
        queue.set_per_key(3);
        queue.release(1);
        let taken: Vec<(u64, i32)> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        assert_eq!(taken, [(1, 1), (1, 2), (1, 3)]);
        // With none at all the key would never be served again.
        queue.set_per_key(0);
        queue.push(2, 9);
        assert_eq!(queue.pop(|_| true), Some((2, 9)));
    }

    #[test]
    fn what_can_be_taken_is_told() {
        let mut queue = FairQueue::new(1);
        assert!(!queue.has_next());
        queue.push(1, 'a');
        queue.push(1, 'b');
        assert!(queue.has_next());
        queue.pop(|_| true);
        assert!(!queue.has_next(), "its of_key has as many out as it may");
        queue.release(1);
        assert!(queue.has_next());
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        let mut queue = FairQueue::new(1);
        queue.push(1, 'a');
        queue.pop(|_| true);
        assert_eq!(Vec::from_iter(queue.keys.keys()), [&1], "one is out");
        queue.push(1, 'c');
        queue.release(1);
        assert_eq!(queue.keys.len(), 1, "one waits");
        assert_eq!(queue.pop(|_| true), Some((1, 'c')));
        queue.release(1);
        assert!(queue.keys.is_empty());
    }
}
