//! Wall-clock time of one zone against the UTC line, through gaps and folds of any size.
//!
//! Seconds since the epoch on both sides; wall-clock seconds are counted as if the zone were UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// No two offsets of a zone lie further apart than this: zones that crossed the date line moved by one day.
pub(super) const FURTHEST: i64 = 2 * 86_400;

#[derive(Debug, PartialEq)]
pub(super) struct Wall(TimeZone);

/// How a wall-clock time is placed on the UTC line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Once(i64),
    /// The clock went back over it and showed it again later.
    Twice(i64),
    /// The clock was put forward over it, at this instant.
    Never(i64),
}

impl Place {
    /// The first instant at which the clock shows this time, or a later one if it never shows it.
    pub(super) fn first(self) -> i64 {
        match self {
            Place::Once(at) | Place::Twice(at) | Place::Never(at) => at,
        }
    }
}

impl Wall {
    pub(super) fn new(zone: TimeZone) -> Wall {
        Wall(zone)
    }

    /// What the clock shows at `at`.
    pub(super) fn show(&self, at: i64) -> i64 {
        at + self.offset(at)
    }

    pub(super) fn offset(&self, at: i64) -> i64 {
        self.0.to_offset(timestamp(at)).seconds().into()
    }

    /// The first change of the offset after `at`.
    pub(super) fn change_after(&self, at: i64) -> Option<i64> {
        // Zone data also lists changes of the abbreviation alone.
        let offset = self.0.to_offset(timestamp(at));
        self.0
            .following(timestamp(at))
            .find(|change| change.offset() != offset)
            .map(|change| change.timestamp().as_second())
    }

    /// The latest time that the clock has shown up to `at`: more than what it shows now if it was put back since.
    pub(super) fn latest_shown(&self, at: i64) -> i64 {
        let recent = self.0.preceding(timestamp(at + 1)).map(|change| change.timestamp().as_second());
        recent
            .take_while(|change| at - change <= FURTHEST)
            .map(|change| change - 1 + self.offset(change - 1))
            .fold(self.show(at), i64::max)
    }

    /// Where on the UTC line the clock shows `local`.
    pub(super) fn place(&self, local: i64) -> Option<Place> {
        let seconds = |offset: Offset| i64::from(offset.seconds());
        Some(match self.0.to_ambiguous_timestamp(civil(local)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => Place::Once(local - seconds(offset)),
            AmbiguousOffset::Fold { before, .. } => Place::Twice(local - seconds(before)),
            AmbiguousOffset::Gap { after, .. } => Place::Never(self.change_after(local - seconds(after))?),
        })
    }
}

/// Instants past the end of jiff's time count as its end, where nothing changes any more.
fn timestamp(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
}

/// Wall-clock seconds as date and time.
pub(super) fn civil(local: i64) -> Option<DateTime> {
    Timestamp::from_second(local).ok().map(|at| Offset::UTC.to_datetime(at))
}

/// The inverse of [`civil`].
pub(super) fn seconds_of(at: DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(at).ok().map(Timestamp::as_second)
}
