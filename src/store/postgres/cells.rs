//! What columns hold, to and from domain types; how they go in is bound in the statements.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::fault::{Fault, Result};
use super::instants::At;
use crate::domain::UtcMs;
pub(super) use crate::store::cells::{number, parsed, word, zone};

/// What stands for the one character that PostgreSQL has in no text.
const NO_NUL: char = '\u{fffd}';

pub(super) fn text(row: &PgRow, column: usize) -> Result<&str> {
    Ok(row.try_get(column)?)
}

pub(super) fn maybe_text(row: &PgRow, column: usize) -> Result<Option<&str>> {
    Ok(row.try_get(column)?)
}

pub(super) fn instant(row: &PgRow, column: usize) -> Result<UtcMs> {
    Ok(row.try_get::<At, _>(column)?.0)
}

pub(super) fn maybe_instant(row: &PgRow, column: usize) -> Result<Option<UtcMs>> {
    Ok(row.try_get::<Option<At>, _>(column)?.map(|at| at.0))
}

/// A `bigint` as one of our smaller or unsigned numbers.
pub(super) fn whole<T: TryFrom<i64>>(row: &PgRow, column: usize) -> Result<T> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| Fault::Row(format!("{number} is out of range")))
}

/// A column of JSON, selected as text.
pub(super) fn json<T: DeserializeOwned>(row: &PgRow, column: usize) -> Result<T> {
    Ok(serde_json::from_str(text(row, column)?)?)
}

/// A text that people or platforms wrote, as a column can hold it.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', NO_NUL.encode_utf8(&mut [0; 4])).into(),
        false => text.into(),
    }
}

pub(super) fn maybe_plain<T: AsRef<str>>(text: Option<&T>) -> Option<Cow<'_, str>> {
    text.map(|text| plain(text.as_ref()))
}

/// A value as JSON that a column can hold and `->` can read.
pub(super) fn to_json(value: &(impl Serialize + ?Sized)) -> Result<String> {
    Ok(plain_json(&serde_json::to_string(value)?).into_owned())
}

/// JSON without that character, which it writes as an escape.
pub(super) fn plain_json(json: &str) -> Cow<'_, str> {
    const ESCAPE: &str = "\\u0000";
    if !json.contains(ESCAPE) {
        return json.into();
    }
    let mut plain = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        rest = match escape.strip_prefix(ESCAPE) {
            Some(rest) => {
                plain.push(NO_NUL);
                rest
            }
            // A backslash and what it stands before, which may be a backslash.
            None => {
                let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
                plain.push_str(&escape[..end]);
                &escape[end..]
            }
        };
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_that_no_text_can_hold_is_replaced_and_nothing_else() {
        assert_eq!(plain("a\0b"), "a\u{fffd}b");
        let value = "a\0b\\u0000c\\\0\"\u{1}";
        let there_and_back: String = serde_json::from_str(&to_json(value).unwrap()).unwrap();
        assert_eq!(there_and_back, value.replace('\0', "\u{fffd}"));
        let harmless = r#"{"a":"\\u0000","b":"\n\\"}"#;
        assert_eq!(plain_json(harmless), harmless);
    }
}
