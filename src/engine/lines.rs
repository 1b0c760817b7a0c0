//! Things that wait in lines, one line per target, taken in turn: a line with a backlog holds up no other.

use std::collections::{HashMap, VecDeque};

/// Lines with a limit on how many of one line may be out at once.
pub struct Lines<T> {
    per_line: u32,
    lines: HashMap<u64, Line<T>>,
    /// Lines with something waiting and room for it.
    rotation: VecDeque<u64>,
}

struct Line<T> {
    waiting: VecDeque<T>,
    out: u32,
    in_rotation: bool,
}

impl<T> Lines<T> {
    pub fn new(per_line: u32) -> Lines<T> {
        Lines { per_line: per_line.max(1), lines: HashMap::new(), rotation: VecDeque::new() }
    }

    /// A new limit counts from the next thing taken.
    pub fn set_per_line(&mut self, per_line: u32) {
        self.per_line = per_line.max(1);
    }

    /// Puts a thing at the end of its line.
    pub fn push(&mut self, key: u64, thing: T) {
        let line =
            self.lines.entry(key).or_insert_with(|| Line { waiting: VecDeque::new(), out: 0, in_rotation: false });
        line.waiting.push_back(thing);
        self.rotate(key);
    }

    /// The next thing in turn; its line has one more out until [`Lines::back`]. What `is_wanted` says no to loses its
    /// turn and is dropped: whoever leaves a long line is not searched for in it.
    pub fn take(&mut self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<(u64, T)> {
        while let Some(key) = self.rotation.pop_front() {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            line.in_rotation = false;
            let next = loop {
                match line.waiting.pop_front() {
                    Some(thing) if !is_wanted(&thing) => {}
                    next => break next,
                }
            };
            let Some(thing) = next else {
                self.drop_if_idle(key);
                continue;
            };
            line.out += 1;
            self.rotate(key);
            return Some((key, thing));
        }
        None
    }

    /// One of this line is no longer out.
    pub fn back(&mut self, key: u64) {
        if let Some(line) = self.lines.get_mut(&key) {
            line.out = line.out.saturating_sub(1);
            self.rotate(key);
            self.drop_if_idle(key);
        }
    }

    /// Empties all lines.
    pub fn drain(&mut self) -> Vec<(u64, T)> {
        let taken = self.lines.iter_mut().flat_map(|(key, line)| line.waiting.drain(..).map(|thing| (*key, thing)));
        taken.collect()
    }

    /// Whether anything could be taken now.
    pub fn has_next(&self) -> bool {
        !self.rotation.is_empty()
    }

    fn rotate(&mut self, key: u64) {
        let per_line = self.per_line;
        if let Some(line) = self.lines.get_mut(&key)
            && !line.in_rotation
            && !line.waiting.is_empty()
            && line.out < per_line
        {
            line.in_rotation = true;
            self.rotation.push_back(key);
        }
    }

    /// Targets come and go; an idle line is not kept. A stale turn in the rotation is skipped when it comes.
    fn drop_if_idle(&mut self, key: u64) {
        if self.lines.get(&key).is_some_and(|line| line.out == 0 && line.waiting.is_empty()) {
            self.lines.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_turns_and_none_has_more_out_than_its_share() {
        let mut lines = Lines::new(2);
        for thing in 0..5 {
            lines.push(1, thing);
        }
        lines.push(2, 9);
        let taken: Vec<(u64, i32)> = std::iter::from_fn(|| lines.take(|_| true)).collect();
        assert_eq!(taken, [(1, 0), (2, 9), (1, 1)]);
        lines.back(1);
        assert_eq!(lines.take(|_| true), Some((1, 2)));
        assert_eq!(lines.take(|_| true), None);
    }

    #[test]
    fn what_is_not_wanted_any_more_loses_its_turn() {
        let mut lines = Lines::new(1);
        for thing in ['a', 'b', 'c'] {
            lines.push(1, thing);
        }
        lines.push(2, 'd');
        assert_eq!(lines.take(|thing| *thing == 'c'), Some((1, 'c')));
        assert_eq!(lines.take(|_| false), None);
        assert_eq!(Vec::from_iter(lines.lines.keys()), [&1], "one is out, and the empty line is forgotten");
        lines.back(1);
        assert!(lines.lines.is_empty());
    }

    #[test]
    fn drained_lines_are_empty_and_go_on_working() {
        let mut lines = Lines::new(1);
        lines.push(1, 'a');
        lines.push(2, 'b');
        let mut drained = lines.drain();
        drained.sort_unstable();
        assert_eq!(drained, [(1, 'a'), (2, 'b')]);
        assert_eq!(lines.take(|_| true), None);
        lines.push(1, 'c');
        assert_eq!(lines.take(|_| true), Some((1, 'c')));
    }

    #[test]
    fn a_new_limit_holds_from_the_next_turn_on() {
        let mut lines = Lines::new(1);
        for thing in 0..4 {
            lines.push(1, thing);
        }
        assert_eq!(lines.take(|_| true), Some((1, 0)));
        assert_eq!(lines.take(|_| true), None);
        lines.set_per_line(3);
        lines.back(1);
        let taken: Vec<(u64, i32)> = std::iter::from_fn(|| lines.take(|_| true)).collect();
        assert_eq!(taken, [(1, 1), (1, 2), (1, 3)]);
        // None at all would stop the line for good.
        lines.set_per_line(0);
        lines.push(2, 9);
        assert_eq!(lines.take(|_| true), Some((2, 9)));
    }

    #[test]
    fn what_can_be_taken_is_told() {
        let mut lines = Lines::new(1);
        assert!(!lines.has_next());
        lines.push(1, 'a');
        lines.push(1, 'b');
        assert!(lines.has_next());
        lines.take(|_| true);
        assert!(!lines.has_next(), "its line has as many out as it may");
        lines.back(1);
        assert!(lines.has_next());
    }

    #[test]
    fn idle_lines_are_forgotten_and_busy_ones_are_not() {
        let mut lines = Lines::new(1);
        lines.push(1, 'a');
        lines.take(|_| true);
        assert_eq!(Vec::from_iter(lines.lines.keys()), [&1], "one is out");
        lines.push(1, 'c');
        lines.back(1);
        assert_eq!(lines.lines.len(), 1, "one waits");
        assert_eq!(lines.take(|_| true), Some((1, 'c')));
        lines.back(1);
        assert!(lines.lines.is_empty());
    }
}
