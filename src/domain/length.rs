//! A length of time as people write it: one grammar for files, verbs, the API and its tools.

use std::time::Duration;

/// Units, largest first, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What is longer than a hundred years is a mistake.
const LONGEST_MS: u64 = 36_525 * 86_400_000;

/// `30s`, `1h30m`, `500ms`, `90d`: whole numbers with units, larger units first, none twice.
pub fn length(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let (mut total, mut smallest) = (0u64, u64::MAX);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.into_iter().find(|(unit, _)| *unit == &rest[..unit_end])?;
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        rest = &rest[unit_end..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (total <= LONGEST_MS).then_some(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units_that_fall() {
        for (text, ms) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("90d", 7_776_000_000),
            ("500ms", 500),
            ("1m500ms", 60_500),
            ("2w", 1_209_600_000),
            ("0s", 0),
            (" 5s ", 5_000),
        ] {
            assert_eq!(length(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1x",
            "1m1m",
            "30s1m",
            "-1s",
            "1.5h",
            "1 h",
            "PT1H30M",
            "99999999999999999999s",
            "40000d",
            "１s",
        ] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
