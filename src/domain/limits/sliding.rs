//! Counting sends against limits, over any stretch of time of some length. One mechanism for every sender that counts.
//! Pure: the time is an argument, and it goes by the senders' own line (`steady`), which nobody sets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;

/// At most `count` sends in any `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub count: u32,
    pub length: Duration,
    grain: Grain,
}

/// How finely sends are remembered. A send counts until its grain has passed, so that coarse ones wait longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grain {
    /// As many as the limit allows, to the millisecond.
    Fine,
    /// Sixty, whatever the limit: for limits of thousands.
    Sixtieths,
}

impl Window {
    const SIXTY: i64 = 60;

    pub const fn fine(count: u32, length: Duration) -> Window {
        Window { count, length, grain: Grain::Fine }
    }

    pub const fn coarse(count: u32, length: Duration) -> Window {
        Window { count, length, grain: Grain::Sixtieths }
    }

    fn length_ms(&self) -> i64 {
        i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX)
    }

    fn grain_ms(&self) -> i64 {
        match self.grain {
            Grain::Fine => 1,
            Grain::Sixtieths => (self.length_ms() / Window::SIXTY).max(1),
        }
    }

    /// For how many grains a send counts.
    fn span(&self) -> i64 {
        match self.grain {
            Grain::Fine => self.length_ms(),
            // It may lie at the end of its grain.
            Grain::Sixtieths => Window::SIXTY + 1,
        }
    }

    fn current(&self, now: UtcMs) -> i64 {
        now.0.div_euclid(self.grain_ms())
    }

    fn is_recent(&self, grain: i64, now: UtcMs) -> bool {
        let current = self.current(now);
        grain <= current && current - grain < self.span()
    }
}

/// The sends of the recent past: for each window its grains and their counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(Vec<BTreeMap<i64, u32>>);

impl Tally {
    pub fn add(&mut self, windows: &[Window], now: UtcMs) {
        self.0.resize_with(windows.len(), BTreeMap::new);
        for (grains, window) in self.0.iter_mut().zip(windows) {
            grains.retain(|grain, _| window.is_recent(*grain, now));
            *grains.entry(window.current(now)).or_default() += 1;
        }
    }

    /// What seems to lie ahead was counted by an earlier run, before the clock was put back: it counts as sent just now,
    /// or it would never leave, and forgetting it would send more than the platform grants.
    pub fn bring_back(&mut self, windows: &[Window], now: UtcMs) {
        for (grains, window) in self.0.iter_mut().zip(windows) {
            let current = window.current(now);
            let ahead = grains.split_off(&(current + 1));
            if !ahead.is_empty() {
                *grains.entry(current).or_default() += ahead.values().sum::<u32>();
            }
        }
    }

    /// Takes back what was added at `at`.
    pub fn take_back(&mut self, windows: &[Window], at: UtcMs) {
        for (grains, window) in self.0.iter_mut().zip(windows) {
            if let Some(count) = grains.get_mut(&window.current(at)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Takes back the newest, which never left.
    pub fn take_back_newest(&mut self) {
        for grains in &mut self.0 {
            if let Some(mut newest) = grains.last_entry() {
                *newest.get_mut() = newest.get().saturating_sub(1);
                if *newest.get() == 0 {
                    newest.remove();
                }
            }
        }
    }

    /// Whether nothing of it counts any more.
    pub fn is_idle(&self, windows: &[Window], now: UtcMs) -> bool {
        let mut grains = self.0.iter().zip(windows);
        grains.all(|(grains, window)| grains.iter().all(|(grain, count)| *count == 0 || !window.is_recent(*grain, now)))
    }

    /// When each send of a fine window was, the oldest first.
    pub fn instants(&self) -> impl Iterator<Item = UtcMs> {
        let grains = self.0.first().into_iter().flatten();
        grains.flat_map(|(grain, count)| (0..*count).map(|_| UtcMs(*grain)))
    }
}

/// When the sum of the tallies leaves room for one more send; None: now.
pub fn free_at(tallies: &[&Tally], windows: &[Window], now: UtcMs) -> Option<UtcMs> {
    let free = windows.iter().enumerate().filter_map(|(index, window)| {
        let mut sum = BTreeMap::<i64, u32>::new();
        for (grain, count) in tallies.iter().filter_map(|tally| tally.0.get(index)).flatten() {
            if window.is_recent(*grain, now) {
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
            last = Some(UtcMs((grain + window.span()).saturating_mul(window.grain_ms())));
        }
        last
    });
    free.max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOWS: &[Window] =
        &[Window::coarse(5, Duration::from_secs(60)), Window::coarse(20, Duration::from_secs(3600))];
    const FINE: &[Window] = &[Window::fine(5, Duration::from_secs(60)), Window::fine(20, Duration::from_secs(3600))];
    const START: UtcMs = UtcMs(1_767_229_200_000);

    proptest! {
        /// Whatever the pauses, no window of any length holds more than it may, and a wait that is told ends.
        #[test]
        fn no_window_ever_overflows(pauses in prop::collection::vec(0_u64..90_000, 1..120), is_fine: bool) {
            let windows = if is_fine { FINE } else { WINDOWS };
            let mut tally = Tally::default();
            let mut now = START;
            let mut sent: Vec<UtcMs> = Vec::new();
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                if let Some(free) = free_at(&[&tally], windows, now) {
                    prop_assert!(free > now);
                    prop_assert_eq!(free_at(&[&tally], windows, free), None);
                    continue;
                }
                tally.add(windows, now);
                sent.push(now);
                for window in windows {
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

    #[test]
    fn a_fine_window_waits_not_a_moment_too_long_and_remembers_no_more_than_it_counts() {
        let mut tally = Tally::default();
        for send in 0..5 {
            assert_eq!(free_at(&[&tally], FINE, START), None);
            tally.add(FINE, START + Duration::from_millis(send));
        }
        let minute = Duration::from_secs(60);
        let now = START + Duration::from_secs(30);
        assert_eq!(free_at(&[&tally], FINE, now), Some(START + minute));
        assert_eq!(tally.instants().count(), 5);
        tally.take_back_newest();
        assert_eq!(free_at(&[&tally], FINE, now), None);
        assert!(!tally.is_idle(FINE, START + 59 * minute) && tally.is_idle(FINE, START + 61 * minute));
    }
}
