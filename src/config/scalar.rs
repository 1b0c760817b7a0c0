//! Small values as people write them: durations, sizes, variables.

use std::borrow::Cow;
use std::time::Duration;

/// Units of durations, largest first, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longer durations than a hundred years are mistakes.
const LONGEST_MS: u64 = 36_525 * 86_400_000;

/// `30s`, `1h30m`, `500ms`, `90d`: numbers with units, larger units first, none twice.
pub(super) fn duration(text: &str) -> Option<Duration> {
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

/// `20MB`, `512MiB`, `4096`: bytes with a unit or without.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "tb" | "t" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Why a text with `${…}` has no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadVariable {
    /// `${` without `}`, or something in between that is no name.
    NotAName,
    /// No such variable in the environment.
    Missing(String),
}

/// The first variable of a text that is not set, if it is sound otherwise.
pub(super) fn unknown_variable(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    // Whatever else is wrong with it is told all the same.
    interpolate(text, &|_| Some(String::new())).ok()?;
    match interpolate(text, variable) {
        Err(BadVariable::Missing(name)) => Some(name),
        _ => None,
    }
}

/// The names between `${` and `}`.
pub(super) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Replaces each `${NAME}` by the variable's value and each `$${` by `${`. What comes in is not looked at again.
pub(super) fn interpolate<'t>(
    text: &'t str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, BadVariable> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').ok_or(BadVariable::NotAName)?;
        let name = &rest[at + 2..at + end];
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| !c.is_ascii_digit());
        if !is_name {
            return Err(BadVariable::NotAName);
        }
        out.push_str(&variable(name).ok_or_else(|| BadVariable::Missing(name.to_owned()))?);
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_that_fall() {
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
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "30", "s", "1x", "1m1m", "30s1m", "-1s", "1.5h", "1 h", "99999999999999999999s", "40000d", "１s"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_know_both_thousands() {
        for (text, bytes) in
            [("20MB", 20_000_000), ("512MiB", 536_870_912), ("4096", 4096), ("1 GiB", 1 << 30), ("0", 0)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "20XB", "1.5GB", "99999999999TB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn variables_are_replaced_once_and_only_whole() {
        let variable = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "NESTED" => Some("${A}".to_owned()),
            _ => None,
        };
        let missing = |name: &str| Err(BadVariable::Missing(name.to_owned()));
        for (text, expected) in [
            ("plain $ {} $A", Ok("plain $ {} $A")),
            ("${A}", Ok("1")),
            ("a${A}b${A}c", Ok("a1b1c")),
            ("${NESTED}", Ok("${A}")),
            ("$${A} is ${A}", Ok("${A} is 1")),
            ("${B}", missing("B")),
            ("${A", Err(BadVariable::NotAName)),
            ("${}", Err(BadVariable::NotAName)),
            ("${1A}", Err(BadVariable::NotAName)),
            ("${A B}", Err(BadVariable::NotAName)),
        ] {
            assert_eq!(interpolate(text, &variable), expected.map(Cow::Borrowed), "{text}");
        }
    }
}
