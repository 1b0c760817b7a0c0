//! Small values as people write them: sizes, variables.

use std::borrow::Cow;

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
