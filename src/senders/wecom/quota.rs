//! Counting sends against limits that the platform enforces without a word. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;

/// At most `count` sends in any `length`.
pub struct Window {
    pub count: u32,
    pub length: Duration,
}

impl Window {
    /// Sends are counted in sixtieths of the window.
    const GRAINS: i64 = 60;

    fn grain_ms(&self) -> i64 {
        i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX) / Window::GRAINS
    }
}

/// What a send counts for, and how often that may be.
pub struct Quota<'a> {
    pub windows: &'static [Window],
    /// Members, or one of the words below.
    pub subjects: Vec<&'a str>,
}

/// The subject of sends that count for every member: `@all`, departments, tags.
pub const EVERYONE: &str = "@all";
/// The subject of sends to chats, whose members are not known: they count together and apart from all others.
pub const CHATS: &str = "chats";

/// The sends of the recent past: for each window its grains and their counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally(Vec<BTreeMap<i64, u32>>);

impl Tally {
    pub fn add(&mut self, windows: &[Window], now: UtcMs) {
        self.0.resize_with(windows.len(), BTreeMap::new);
        for (grains, window) in self.0.iter_mut().zip(windows) {
            let current = now.0.div_euclid(window.grain_ms());
            grains.retain(|grain, _| (current - Window::GRAINS..=current).contains(grain));
            *grains.entry(current).or_default() += 1;
        }
    }

    /// What seems to lie ahead was counted by an earlier run, before the clock was put back: it counts as sent just now,
    /// or it would never leave, and forgetting it would send more than the platform grants.
    pub fn bring_back(&mut self, windows: &[Window], now: UtcMs) {
        for (grains, window) in self.0.iter_mut().zip(windows) {
            let current = now.0.div_euclid(window.grain_ms());
            let ahead = grains.split_off(&(current + 1));
            if !ahead.is_empty() {
                *grains.entry(current).or_default() += ahead.values().sum::<u32>();
            }
        }
    }

    /// Takes back what was added at `at`.
    pub fn take_back(&mut self, windows: &[Window], at: UtcMs) {
        for (grains, window) in self.0.iter_mut().zip(windows) {
            if let Some(count) = grains.get_mut(&at.0.div_euclid(window.grain_ms())) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

/// When the sum of the tallies leaves room for one more send; None: now.
pub fn free_at(tallies: &[&Tally], windows: &[Window], now: UtcMs) -> Option<UtcMs> {
    let free = windows.iter().enumerate().filter_map(|(index, window)| {
        let current = now.0.div_euclid(window.grain_ms());
        let mut sum = BTreeMap::<i64, u32>::new();
        for (grain, count) in tallies.iter().filter_map(|tally| tally.0.get(index)).flatten() {
            if (current - Window::GRAINS..=current).contains(grain) {
                *sum.entry(*grain).or_default() += count;
            }
        }
        let mut total: u32 = sum.values().sum();
        let mut last = None;
        for (grain, count) in sum {
            if total < window.count {
                break;
            }
            total -= count;
            last = Some(UtcMs((grain + Window::GRAINS + 1).saturating_mul(window.grain_ms())));
        }
        last
    });
    free.max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOWS: &[Window] = &[
        Window { count: 5, length: Duration::from_secs(60) },
        Window { count: 20, length: Duration::from_secs(3600) },
    ];
    const START: UtcMs = UtcMs(1_767_229_200_000);

    proptest! {
        /// Whatever the pauses, no window of any length holds more than it may, and a wait that is told ends.
        #[test]
        fn no_window_ever_overflows(pauses in prop::collection::vec(0_u64..90_000, 1..120)) {
            let mut tally = Tally::default();
            let mut now = START;
            let mut sent: Vec<UtcMs> = Vec::new();
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                if let Some(free) = free_at(&[&tally], WINDOWS, now) {
                    prop_assert!(free > now);
                    prop_assert_eq!(free_at(&[&tally], WINDOWS, free), None);
                    continue;
                }
                tally.add(WINDOWS, now);
                sent.push(now);
                for window in WINDOWS {
                    let recent = sent.iter().filter(|at| now.since(**at) < window.length).count();
                    prop_assert!(recent <= window.count as usize);
                }
            }
        }
    }

    #[test]
    fn what_is_taken_back_does_not_count_and_what_lies_ahead_counts_as_now() {
        let mut tally = Tally::default();
        for _ in 0..5 {
            tally.add(WINDOWS, START);
        }
        assert!(free_at(&[&tally], WINDOWS, START).is_some());
        let mut ahead = tally.clone();
        let earlier = START - Duration::from_secs(3600);
        ahead.bring_back(WINDOWS, earlier);
        let free = free_at(&[&ahead], WINDOWS, earlier).unwrap();
        assert!(free > earlier && free <= earlier + Duration::from_secs(61), "put back between two runs: {free}");
        tally.take_back(WINDOWS, START);
        assert_eq!(free_at(&[&tally], WINDOWS, START), None);
    }

    #[test]
    fn tallies_are_counted_together() {
        let (mut own, mut everyone) = (Tally::default(), Tally::default());
        for _ in 0..3 {
            own.add(WINDOWS, START);
        }
        for _ in 0..2 {
            everyone.add(WINDOWS, START);
        }
        assert_eq!(free_at(&[&own], WINDOWS, START), None);
        assert!(free_at(&[&own, &everyone], WINDOWS, START).is_some());
    }
}
