//! One instant type for the whole crate: UTC milliseconds, written as the text that the tables hold.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in milliseconds since the Unix epoch.
///
/// Its text form, `2026-01-01T01:00:00.000Z`, has one fixed width, so that it sorts as it reads; the database
/// stores exactly this. Milliseconds are the unit because lateness is reported in them and due instants are whole
/// seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// The last millisecond that jiff takes, a day before the year 10000: arithmetic saturates here, so that a
    /// nonsensical wait ("ten million years") never turns into a text that sorts wrongly.
    pub const MAX: UtcMs = UtcMs(253_402_207_200_000);
    /// The first instant with four year digits (year 0).
    pub const MIN: UtcMs = UtcMs(-62_167_219_200_000);

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub fn ms_since(self, earlier: UtcMs) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to `self`, zero when `self` is not later.
    pub fn since(self, earlier: UtcMs) -> Duration {
        Duration::from_millis(u64::try_from(self.ms_since(earlier)).unwrap_or(0))
    }

    /// The same instant as jiff knows it, for calendar work.
    pub fn to_jiff(self) -> jiff::Timestamp {
        // MIN..=MAX lies inside jiff's range, and constructors clamp to it.
        jiff::Timestamp::from_millisecond(self.0.clamp(Self::MIN.0, Self::MAX.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl From<jiff::Timestamp> for UtcMs {
    fn from(at: jiff::Timestamp) -> Self {
        UtcMs(at.as_millisecond().clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl Add<Duration> for UtcMs {
    type Output = UtcMs;
    fn add(self, wait: Duration) -> UtcMs {
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        UtcMs(self.0.saturating_add(ms).clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl Sub<Duration> for UtcMs {
    type Output = UtcMs;
    fn sub(self, wait: Duration) -> UtcMs {
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        UtcMs(self.0.saturating_sub(ms).clamp(Self::MIN.0, Self::MAX.0))
    }
}

/// A moment by the clock that nobody sets, as the time since the machine was booted. Ends of lengths are kept as this:
/// the end of a rest or of a wait before a retry. It means nothing after the next boot, and is never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

impl Moment {
    /// The time from `earlier` to `self`, zero when `self` is not later.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, wait: Duration) -> Moment {
        Moment(self.0.saturating_add(wait))
    }
}

/// What both clocks show now: the wall clock, by which hours come, and the one by which lengths pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub wall: UtcMs,
    pub moment: Moment,
}

impl Reading {
    /// The instant that the wall clock will show at a moment to come, unless it is set.
    pub fn wall_at(self, moment: Moment) -> UtcMs {
        self.wall + moment.since(self.moment)
    }

    /// The moment at which a length ends that was written down as an instant.
    pub fn moment_at(self, at: UtcMs) -> Moment {
        self.moment + at.since(self.wall)
    }
}

impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

/// The text was not an instant such as `2026-01-01T01:00:00.000Z`.
#[derive(Debug, thiserror::Error)]
#[error("expected an instant such as 2026-01-01T01:00:00.000Z, got '{0}'")]
pub struct NotAnInstant(String);

impl FromStr for UtcMs {
    type Err = NotAnInstant;
    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        text.parse::<jiff::Timestamp>().map(UtcMs::from).map_err(|_| NotAnInstant(text.to_owned()))
    }
}

impl Serialize for UtcMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Serde form of durations inside stored JSON: whole milliseconds.
pub mod duration_ms {
    use super::*;

    pub fn serialize<S: Serializer>(wait: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_has_one_width_and_reads_back() {
        for ms in [0, 1, 999, 1_767_225_600_000, -1, UtcMs::MAX.0, UtcMs::MIN.0] {
            let text = UtcMs(ms).to_string();
            assert_eq!(text.len(), 24, "{text}");
            assert!(text.ends_with('Z'), "{text}");
            assert_eq!(text.parse::<UtcMs>().unwrap(), UtcMs(ms), "{text}");
        }
        assert_eq!(UtcMs(1_767_229_200_000).to_string(), "2026-01-01T01:00:00.000Z");
    }

    #[test]
    fn arithmetic_stops_at_the_last_year_with_four_digits() {
        assert_eq!(UtcMs(0) + Duration::MAX, UtcMs::MAX);
        assert_eq!(UtcMs(0) - Duration::MAX, UtcMs::MIN);
        assert_eq!(UtcMs(5).since(UtcMs(9)), Duration::ZERO);
    }
}
