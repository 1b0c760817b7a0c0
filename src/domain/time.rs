//! One instant type for the whole crate: UTC milliseconds, written as the text that the tables hold.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
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

/// Where the text form has its numbers: from which byte, and how many digits.
const NUMBERS: [(usize, usize); 7] = [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2), (20, 3)];

/// The text form is written and read for every row, several times; digit by digit that takes a fifth of the time that
/// a general formatter needs.
impl UtcMs {
    fn text(self) -> [u8; 24] {
        let at = Offset::UTC.to_datetime(self.to_jiff());
        let [month, day, hour, minute, second] =
            [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(i16::from);
        let numbers = [at.year(), month, day, hour, minute, second, at.millisecond()];
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for ((from, digits), mut number) in NUMBERS.into_iter().zip(numbers) {
            for digit in text[from..from + digits].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        text
    }

    /// Reads only what [`UtcMs::text`] writes.
    fn from_text(text: &[u8]) -> Option<UtcMs> {
        let text: &[u8; 24] = text.try_into().ok()?;
        let mut separators = *text;
        let mut numbers = [0; 7];
        for ((from, digits), number) in NUMBERS.into_iter().zip(&mut numbers) {
            for digit in &mut separators[from..from + digits] {
                *number = *number * 10 + i16::from(digit.checked_sub(b'0').filter(|value| *value < 10)?);
                *digit = b'0';
            }
        }
        if separators != *b"0000-00-00T00:00:00.000Z" {
            return None;
        }
        let [year, month, day, hour, minute, second, ms] = numbers;
        // Two digits fit in a byte.
        let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|number| number as i8);
        let at = DateTime::new(year, month, day, hour, minute, second, i32::from(ms) * 1_000_000).ok()?;
        Offset::UTC.to_timestamp(at).ok().map(UtcMs::from)
    }
}

impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// The text was not an instant such as `2026-01-01T01:00:00.000Z`.
#[derive(Debug, thiserror::Error)]
#[error("expected an instant such as 2026-01-01T01:00:00.000Z, got '{0}'")]
pub struct NotAnInstant(String);

impl FromStr for UtcMs {
    type Err = NotAnInstant;
    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let known = UtcMs::from_text(text.as_bytes());
        let other = || text.parse::<jiff::Timestamp>().ok().map(UtcMs::from);
        known.or_else(other).ok_or_else(|| NotAnInstant(text.to_owned()))
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
    fn the_text_form_is_the_one_that_everybody_writes() {
        let step = (UtcMs::MAX.0 - UtcMs::MIN.0) / 9_973;
        for ms in (UtcMs::MIN.0..=UtcMs::MAX.0).step_by(step as usize) {
            let text = UtcMs(ms).to_string();
            assert_eq!(text, format!("{:.3}", UtcMs(ms).to_jiff()));
            assert_eq!(UtcMs::from_text(text.as_bytes()), Some(UtcMs(ms)), "{text}");
        }
    }

    #[test]
    fn other_ways_to_write_an_instant_are_read_too_and_nonsense_is_refused() {
        for text in ["2026-01-01T01:00:00Z", "2026-01-01T09:00:00.000+08:00", "2026-01-01 01:00:00.0000000Z"] {
            assert_eq!(text.parse::<UtcMs>().unwrap(), UtcMs(1_767_229_200_000), "{text}");
        }
        let nonsense = [
            "2026-02-30T01:00:00.000Z",
            "2026-13-01T01:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T01:00:00.000",
            "2026-01-01T01:00:00.000X",
            "2026-01-01T01:00:0:.000Z",
            "+026-01-01T01:00:00.000Z",
        ];
        for text in nonsense {
            assert!(text.parse::<UtcMs>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_last_year_with_four_digits() {
        assert_eq!(UtcMs(0) + Duration::MAX, UtcMs::MAX);
        assert_eq!(UtcMs(0) - Duration::MAX, UtcMs::MIN);
        assert_eq!(UtcMs(5).since(UtcMs(9)), Duration::ZERO);
    }
}
