//! Whether the wall clock can be believed before anything is decided by it.

use std::fmt;
use std::time::Duration;

use crate::domain::UtcMs;

/// The beginning of 2026: no earlier now is possible, since this program was written later.
const EARLIEST: UtcMs = UtcMs(1_767_225_600_000);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// How far beyond [`EARLIEST`] a first start is believed.
const FIRST_START_WITHIN: u32 = 50;
/// No daemon was away for so many years: a clock that says so is wrong.
const LONGEST_ABSENCE: u32 = 10;
/// Clocks are corrected by less than this all the time.
const CORRECTION: Duration = Duration::from_secs(60);

/// Why the wall clock is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDoubt {
    /// It shows a time before this program existed, such as 1970.
    TooEarly { now: UtcMs },
    /// It shows a time that nobody can have waited for, such as 2099.
    TooLate { now: UtcMs },
    /// It lies behind what the ledger already holds.
    Behind { now: UtcMs, last_known: UtcMs },
}

impl ClockDoubt {
    /// Whether nothing may be decided until the clock is set: instants of such a time would fill the ledger with
    /// rows that never were, and the correction would call them missed. A clock that is merely behind is followed
    /// from where it stands ([`super::misfire::place_at`]).
    pub fn must_wait(self) -> bool {
        !matches!(self, ClockDoubt::Behind { .. })
    }
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockDoubt::TooEarly { now } | ClockDoubt::TooLate { now } => {
                write!(f, "the clock says {now}, which cannot be; nothing is sent until it is set")
            }
            ClockDoubt::Behind { now, last_known } => {
                write!(f, "the clock says {now}, behind the last recorded instant {last_known}; jobs go on from now")
            }
        }
    }
}

/// Whether to doubt `now`, given the last instant that is known to have passed: the newest in the ledger, or the last
/// look at the clock.
pub fn doubt(now: UtcMs, last_known: Option<UtcMs>) -> Option<ClockDoubt> {
    let latest = match last_known {
        Some(known) if known >= EARLIEST => known + YEAR * LONGEST_ABSENCE,
        _ => EARLIEST + YEAR * FIRST_START_WITHIN,
    };
    if now < EARLIEST {
        return Some(ClockDoubt::TooEarly { now });
    }
    if now > latest {
        return Some(ClockDoubt::TooLate { now });
    }
    last_known.filter(|known| *known > now + CORRECTION).map(|last_known| ClockDoubt::Behind { now, last_known })
}

/// The hour to go by where something must be written down at once: `now`, or what is known where the clock shows an
/// impossible time. A push that waits until 2099 waits for ever.
pub fn believable(now: UtcMs, last_known: Option<UtcMs>) -> UtcMs {
    let must_wait = doubt(now, last_known).is_some_and(ClockDoubt::must_wait);
    last_known.filter(|_| must_wait).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_clocks_are_doubted_and_corrections_are_not() {
        let utc = |text: &str| text.parse::<UtcMs>().unwrap();
        let (early, late, behind) = (Some("early"), Some("late"), Some("behind"));
        let table = [
            ("1970-01-01T00:00:05Z", None, early),
            ("1970-01-01T00:00:05Z", Some("2026-06-01T00:00:00Z"), early),
            ("2025-12-31T23:59:59.999Z", None, early),
            ("2026-01-01T00:00:00Z", None, None),
            ("2060-01-01T00:00:00Z", None, None),
            ("2099-01-01T00:00:00Z", None, late),
            ("2099-01-01T00:00:00Z", Some("2026-06-01T00:00:00Z"), late),
            ("2036-05-29T00:00:00Z", Some("2026-06-01T00:00:00Z"), None),
            ("2036-05-29T00:00:00.001Z", Some("2026-06-01T00:00:00Z"), late),
            // A ledger written under a wrong clock says nothing about what is late.
            ("2026-06-01T00:00:00Z", Some("1970-01-01T00:00:00Z"), None),
            ("2026-06-01T00:00:00Z", Some("2099-01-01T00:00:00Z"), behind),
            ("2026-06-01T00:00:00Z", Some("2026-06-01T00:01:00Z"), None),
            ("2026-06-01T00:00:00Z", Some("2026-06-01T00:01:00.001Z"), behind),
        ];
        for (now, last_known, expected) in table {
            let doubt = doubt(utc(now), last_known.map(utc));
            let word = doubt.map(|doubt| match doubt {
                ClockDoubt::TooEarly { .. } => "early",
                ClockDoubt::TooLate { .. } => "late",
                ClockDoubt::Behind { .. } => "behind",
            });
            assert_eq!(word, expected, "{now} after {last_known:?}");
            assert!(doubt.is_none_or(|doubt| doubt.to_string().starts_with("the clock says ")), "{now}");
            let must_wait = expected.map(|word| word != "behind");
            assert_eq!(doubt.map(ClockDoubt::must_wait), must_wait, "{now}");
            let gone_by = last_known.filter(|_| must_wait == Some(true)).unwrap_or(now);
            assert_eq!(believable(utc(now), last_known.map(utc)), utc(gone_by), "{now} after {last_known:?}");
        }
    }
}
