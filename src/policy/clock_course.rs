//! Which hour has surely come: for what cannot be undone, such as deleting what is old.
//!
//! A wall clock can be set, the time since the boot cannot. As long as both go on alike, the clock is believed. Once it
//! leaps ahead, the hour is counted on from where it was believed last, until the clock has run for a day without another
//! leap: then it is right, or nobody will notice any more that it is not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::UtcMs;

/// For so long a clock must run without a leap before it is believed again.
const STEADY: Duration = Duration::from_secs(86_400);
/// Clocks are corrected by less than this all the time.
const CORRECTION: Duration = Duration::from_secs(60);
/// So long a machine may be off without a doubt of its clock.
const OFF: Duration = Duration::from_secs(86_400);

/// How the clock has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockCourse {
    /// The hour that has surely come.
    believed: UtcMs,
    /// What the clock showed when it was last looked at.
    shown: UtcMs,
    /// For so many milliseconds there was somebody to look, and no leap.
    steady_ms: u64,
}

impl ClockCourse {
    /// Of a clock that nobody has looked at yet, from the last instant that is known to have passed.
    pub fn since(last_known: UtcMs) -> ClockCourse {
        ClockCourse { believed: last_known, shown: last_known, steady_ms: 0 }
    }

    /// Looked at by somebody who was not there, for nobody knows how long.
    #[must_use]
    pub fn resumed(self, now: UtcMs) -> ClockCourse {
        let off = now.ms_since(self.shown);
        let off = if (0..=OFF.as_millis() as i64).contains(&off) {
            Duration::from_millis(off as u64)
        } else {
            Duration::ZERO
        };
        let looked = self.looked(now, off);
        // What nobody saw was not steady.
        ClockCourse { steady_ms: looked.steady_ms.min(self.steady_ms), ..looked }
    }

    /// Looked at again after so long.
    #[must_use]
    pub fn looked(self, now: UtcMs, passed: Duration) -> ClockCourse {
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let leap_ms = now.ms_since(self.shown).saturating_sub(passed_ms);
        let steady_ms = match leap_ms.unsigned_abs() > CORRECTION.as_millis() as u64 {
            true => 0,
            false => self.steady_ms.saturating_add(passed_ms.unsigned_abs()),
        };
        let counted = self.believed + passed;
        let believed =
            if steady_ms >= STEADY.as_millis() as u64 || now <= counted + CORRECTION { now } else { counted };
        ClockCourse { believed, shown: now, steady_ms }
    }

    pub fn believed(self) -> UtcMs {
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// What happens to a clock, and by how many hours the believed one lags behind it afterwards.
    #[test]
    fn a_clock_is_believed_while_it_runs_as_time_does_and_a_day_after_a_leap() {
        enum Step {
            Runs(i64),
            /// Somebody sets it by so much.
            Set(i64),
            /// The machine, or pushcron, is off for so long, and the clock is set by so much meanwhile.
            Off(i64, i64),
        }
        use Step::{Off, Runs, Set};
        let rows: [(&[Step], i64); 13] = [
            (&[Runs(1)], 0),
            (&[Set(2400), Runs(1)], 2400),
            (&[Set(2400), Runs(23)], 2400),
            (&[Set(2400), Runs(25)], 0),
            (&[Set(2400), Runs(20), Set(1), Runs(20)], 2401),
            (&[Set(2400), Runs(5), Set(-2400), Runs(1)], 0),
            (&[Set(-2400), Runs(1)], 0),
            // Back and on again: the hour in between counted from where the clock stood.
            (&[Set(-2400), Runs(1), Set(2400), Runs(1)], 2400),
            (&[Off(16, 0), Runs(1)], 0),
            (&[Off(1, 2400), Runs(10)], 2401),
            (&[Runs(48), Off(2400, 0), Runs(10)], 2400),
            (&[Off(2400, 0), Runs(8), Off(16, 0), Runs(8), Off(16, 0), Runs(9)], 0),
            (&[Set(2400), Runs(2), Off(1, 0), Runs(2), Off(1, 0), Runs(2)], 2400),
        ];
        for (nth, (steps, lag)) in rows.into_iter().enumerate() {
            let mut wall = UtcMs(1_767_229_200_000);
            let mut course = ClockCourse::since(wall);
            for step in steps {
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
            assert_eq!(wall.ms_since(course.believed()), lag * HOUR, "row {nth}");
        }
    }

    #[test]
    fn corrections_and_late_looks_are_no_leaps() {
        let mut wall = UtcMs(1_767_229_200_000);
        let mut course = ClockCourse::since(wall);
        for correction in [59_000, -59_000, 30_000, 0] {
            wall = UtcMs(wall.0 + HOUR + correction);
            course = course.looked(wall, Duration::from_millis(HOUR as u64));
            assert_eq!(course.believed(), wall, "{correction}");
        }
    }
}
