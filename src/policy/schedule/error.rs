//! Why a schedule cannot be read.

use std::fmt;

use crate::domain::near;
use crate::texts::{self, Text};

/// Why a schedule was refused, for people. Columns count characters from 1 within the schedule's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    Empty,
    FieldCount {
        found: usize,
    },
    Field {
        field: &'static str,
        column: usize,
        found: String,
        expected: &'static str,
    },
    /// What was written means nothing, and what it was meant to mean is plain.
    Meant {
        field: &'static str,
        column: usize,
        found: String,
        problem: &'static str,
        meant: String,
    },
    ZoneInside {
        zone: String,
    },
    EveryInside {
        period: String,
    },
    CommentInside,
    UnknownMacro {
        found: String,
        near: Option<String>,
    },
    Reboot,
    NeverFires {
        text: String,
    },
    TooOften {
        ms: u64,
    },
    UnknownCalendar {
        name: String,
    },
    DaysBesideWorkdays {
        found: String,
        calendar: String,
    },
    UnknownZone {
        name: String,
        near: Option<String>,
    },
}

impl ScheduleError {
    /// Why, for people.
    pub(crate) fn text(&self) -> Text {
        match self {
            ScheduleError::Empty => texts::cron_empty(),
            ScheduleError::FieldCount { found } => {
                let year = if *found == 7 { texts::cron_no_year() } else { Text::none() };
                texts::cron_field_count(found, year)
            }
            ScheduleError::Field { field, found, expected, .. } => {
                texts::cron_field(texts::phrase(field), texts::phrase(expected), found)
            }
            ScheduleError::Meant { field, found, problem, meant, .. } => {
                texts::cron_meant(texts::phrase(field), texts::phrase(problem), meant, found)
            }
            ScheduleError::ZoneInside { zone } => texts::cron_zone_inside(zone),
            ScheduleError::EveryInside { period } => texts::cron_every_inside(period),
            ScheduleError::CommentInside => texts::cron_comment_inside(),
            ScheduleError::UnknownMacro { found, near } => texts::cron_unknown_macro(found, and_did_you_mean(near)),
            ScheduleError::Reboot => texts::cron_reboot(),
            ScheduleError::NeverFires { text } => texts::never_fires(text),
            ScheduleError::TooOften { ms } => texts::period_too_short(ms),
            ScheduleError::UnknownCalendar { name } => texts::calendar_of_another_load(name),
            ScheduleError::DaysBesideWorkdays { found, calendar } => texts::days_beside_workdays(found, calendar),
            ScheduleError::UnknownZone { name, near } => {
                let near = near.as_ref().map_or_else(texts::and_expected_a_zone, texts::and_did_you_mean);
                texts::unknown_zone(name, near)
            }
        }
    }

    /// Where in the schedule's text the error is, if it is in one place.
    pub fn column(&self) -> Option<usize> {
        match self {
            ScheduleError::Field { column, .. } | ScheduleError::Meant { column, .. } => Some(*column),
            _ => None,
        }
    }
}

/// In English: logs have it.
impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

impl std::error::Error for ScheduleError {}

fn and_did_you_mean(near: &Option<String>) -> Text {
    near.as_ref().map_or_else(Text::none, texts::and_did_you_mean)
}

/// The most similar of the known names, unless none is similar.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    near::nearest(name, known, 0.85).map(str::to_owned)
}
