//! How old things surely are: for what cannot be undone, such as deleting what is old.
//!
//! A wall clock can be set, the time since the boot cannot. So time is counted, and beside it is kept what the clock showed
//! from which count on. What is older than some time is so by both: by what the clock shows now, and by what it showed when
//! so much time was left to pass. A clock that leaps ahead, by whatever and for however long, makes nothing old.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;

/// Clocks are corrected by less than this all the time.
const CORRECTION_MS: i64 = 60_000;
/// So long a machine may be off without a doubt of its clock. What it was off for longer is not counted.
const OFF: Duration = Duration::from_secs(86_400);
/// So many runs are known, the latest. Of leaps further back the clock is believed.
const RUNS: usize = 64;

/// How the clock has run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockCourse {
    /// So many milliseconds have surely passed since the first look.
    counted_ms: i64,
    /// What the clock showed when it was last looked at.
    shown: UtcMs,
    /// Runs without a leap, the latest last; there is one at least.
    runs: Vec<Run>,
}

/// From this count on the clock went as time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    counted_ms: i64,
    shown: UtcMs,
}

impl Run {
    /// What the clock showed, or would have shown, at a count.
    fn shown_at(self, counted_ms: i64) -> UtcMs {
        UtcMs(self.shown.0.saturating_add(counted_ms.saturating_sub(self.counted_ms)))
    }
}

impl ClockCourse {
    /// Of a clock that nobody has looked at yet, from the last instant that is known to have passed.
    pub fn since(last_known: UtcMs) -> ClockCourse {
        ClockCourse { counted_ms: 0, shown: last_known, runs: vec![Run { counted_ms: 0, shown: last_known }] }
    }

    /// Looked at by somebody who was not there, for nobody knows how long.
    #[must_use]
    pub fn resumed(self, now: UtcMs) -> ClockCourse {
        let off = u64::try_from(now.ms_since(self.shown)).map(Duration::from_millis);
        let off = off.ok().filter(|off| *off <= OFF).unwrap_or_default();
        self.looked(now, off)
    }

    /// Looked at again after so long.
    #[must_use]
    pub fn looked(mut self, now: UtcMs, passed: Duration) -> ClockCourse {
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        self.counted_ms = self.counted_ms.saturating_add(passed_ms);
        self.shown = now;
        let expected = self.runs.last().map(|run| run.shown_at(self.counted_ms));
        if expected.is_none_or(|expected| now.ms_since(expected).abs() > CORRECTION_MS) {
            self.runs.push(Run { counted_ms: self.counted_ms, shown: now });
            self.runs.drain(..self.runs.len().saturating_sub(RUNS));
        }
        self
    }

    /// What was due before this and recorded by this clock is older than `age`.
    pub fn before(&self, age: Duration) -> UtcMs {
        let by_clock = self.shown - age;
        let count = self.counted_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        // Of the time before the first run it is not known how the clock ran; it is taken to have gone on as in it.
        let since = self.runs.iter().rposition(|run| run.counted_ms <= count).unwrap_or_default();
        let (held, later) =
            self.runs[since..].split_first().map_or((None, &[][..]), |(held, later)| (Some(held), later));
        // A later run may have stood back, and what was recorded in it is no older than it.
        let shown = held.map(|run| run.shown_at(count)).into_iter().chain(later.iter().map(|run| run.shown));
        shown.fold(by_clock, UtcMs::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24;

    /// What happens to a clock.
    enum Step {
        Runs(i64),
        /// Somebody sets it by so much.
        Set(i64),
        /// The machine, or pushcron, is off for so long, and the clock is set by so much meanwhile.
        Off(i64, i64),
    }
    use Step::{Off, Runs, Set};

    /// How the clock ran, and what it shows, where it has run for a year already.
    fn after(steps: &[Step]) -> (ClockCourse, UtcMs) {
        let mut wall = UtcMs(1_767_229_200_000);
        let mut course = ClockCourse::since(wall);
        for step in std::iter::once(&Runs(365 * DAY)).chain(steps) {
            match step {
                Runs(hours) => {
                    for _ in 0..*hours {
                        wall = UtcMs(wall.0 + HOUR);
                        course = course.looked(wall, Duration::from_millis(HOUR as u64));
                    }
                }
                Set(hours) => wall = UtcMs(wall.0 + hours * HOUR),
                Off(hours, set) => {
                    wall = UtcMs(wall.0 + (hours + set) * HOUR);
                    course = course.resumed(wall);
                }
            }
        }
        (course, wall)
    }

    /// By how many hours more than ninety days something must be old by the wall clock.
    #[test]
    fn what_is_old_is_so_by_the_clock_and_by_the_time_that_has_passed() {
        let keep = 90 * DAY;
        let rows: [(&[Step], i64); 17] = [
            (&[Runs(1)], 0),
            // A clock that stands ahead makes nothing old, for however long it does.
            (&[Set(2400), Runs(1)], 2400),
            (&[Set(2400), Runs(25)], 2400),
            (&[Set(2400), Runs(keep - 1)], 2400),
            // What is older than the leap is ninety days old by now.
            (&[Set(2400), Runs(keep + 1)], 0),
            (&[Set(2400), Runs(20), Set(1), Runs(20)], 2401),
            (&[Set(2400), Runs(5), Set(-2400), Runs(1)], 0),
            (&[Set(2400), Runs(keep + 5), Set(-2400), Runs(1)], 0),
            // One that stands back: what has not been for so long by what it shows is not old.
            (&[Set(-2400), Runs(1)], 0),
            // Put back, and later forward again.
            (&[Set(-2400), Runs(1), Set(2400), Runs(1)], 2400 + 1 - keep),
            (&[Set(-2400), Runs(1), Set(2400), Runs(keep + 1)], 0),
            (&[Off(16, 0), Runs(1)], 0),
            (&[Off(1, 2400), Runs(10)], 2401),
            // A machine that was off for long keeps what it had until it has run as long as others do.
            (&[Off(2400, 0), Runs(10)], 2400),
            (&[Off(2400, 0), Runs(keep - 1)], 2400),
            (&[Off(2400, 0), Runs(keep)], 0),
            (&[Off(20, 0), Runs(4), Off(20, 0), Runs(4), Off(20, 0), Runs(4)], 0),
        ];
        for (nth, (steps, more)) in rows.into_iter().enumerate() {
            let (course, wall) = after(steps);
            let before = course.before(Duration::from_millis((keep * HOUR) as u64));
            assert_eq!(wall.ms_since(before), (keep + more) * HOUR, "row {nth}");
        }
    }

    #[test]
    fn nothing_is_old_before_its_time_has_passed_whatever_is_done_to_the_clock() {
        const KEEP: usize = 100;
        let mut dice = 88_172_645_463_325_252_u64;
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice % sides) as i64
        };
        let mut wall = UtcMs(1_767_229_200_000);
        let mut course = ClockCourse::since(wall);
        let mut due: Vec<UtcMs> = Vec::new();
        for hour in 0..20_000 {
            let leap = match roll(30) {
                0 => roll(5000) - 2500,
                1 => -roll(5),
                _ => 0,
            };
            wall = UtcMs(wall.0 + (1 + leap) * HOUR);
            course = course.looked(wall, Duration::from_millis(HOUR as u64));
            let before = course.before(Duration::from_millis(KEEP as u64 * HOUR as u64));
            due.push(wall);
            let young = &due[due.len().saturating_sub(KEEP)..];
            assert!(young.iter().all(|due_at| *due_at >= before), "hour {hour}");
        }
    }

    #[test]
    fn corrections_and_late_looks_are_no_leaps() {
        let mut wall = UtcMs(1_767_229_200_000);
        let mut course = ClockCourse::since(wall);
        for correction in [29_000, -59_000, 30_000, 0] {
            wall = UtcMs(wall.0 + HOUR + correction);
            course = course.looked(wall, Duration::from_millis(HOUR as u64));
            assert_eq!(course.runs.len(), 1, "{correction}");
        }
    }

    #[test]
    fn of_a_clock_that_leaps_all_the_time_the_latest_runs_are_known() {
        let steps: Vec<Step> = (0..1000).flat_map(|_| [Runs(1), Set(2)]).collect();
        let (course, wall) = after(&steps);
        assert_eq!(course.runs.len(), RUNS);
        let age = |hours: i64| wall.ms_since(course.before(Duration::from_millis((hours * HOUR) as u64))) / HOUR;
        assert!(age(10) > 10 && age(500) > 500);
    }
}
