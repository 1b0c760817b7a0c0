//! What columns hold, to and from domain types, whatever database they are in. The domain knows no database's library, so that a
//! library's traits stand on types of a backend's or not at all.

use std::fmt::Display;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as NotAWord, StrDeserializer};

use crate::domain::{Decision, PushState};

/// A row does not hold what the schema promises: why.
#[derive(Debug)]
pub(super) struct Unreadable(pub String);

pub(super) type Read<T> = Result<T, Unreadable>;

/// Only raised where rows are read: what we write ourselves always serializes.
impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Unreadable {
        Unreadable(error.to_string())
    }
}

/// A zone by its name; UTC where the system knows it no more.
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// Instants, targets and whatever else reads itself out of a text.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Read<T> {
    text.parse().map_err(|error: T::Err| Unreadable(error.to_string()))
}

/// One of the words of a domain type.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Read<T> {
    T::deserialize(StrDeserializer::<NotAWord>::new(text)).map_err(|error| Unreadable(error.to_string()))
}

/// The state of the push of this id.
pub(super) fn state_of(push_id: i64, word: &str) -> Read<PushState> {
    PushState::parse(word).ok_or_else(|| Unreadable(format!("push {push_id} has the unknown state '{word}'")))
}

pub(super) fn state(word: &str) -> Read<PushState> {
    PushState::parse(word).ok_or_else(|| Unreadable(format!("a push has the unknown state '{word}'")))
}

pub(super) fn decision(word: &str) -> Read<Decision> {
    match word {
        "fired" => Ok(Decision::Fired),
        "skipped" => Ok(Decision::Skipped),
        "missed" => Ok(Decision::Missed),
        other => Err(Unreadable(format!("a fire has the unknown decision '{other}'"))),
    }
}

/// A number for a column, or the largest there is.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
