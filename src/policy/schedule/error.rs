//! Why a schedule cannot be read.

use crate::domain::near;

/// Why a schedule was refused, for people. Columns count characters from 1 within the schedule's own text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("the schedule is empty; expected five fields (minute hour day month weekday) or a macro such as @daily")]
    Empty,
    #[error(
        "expected 5 fields (minute hour day month weekday), or 6 with seconds first, found {found}{}",
        if *found == 7 { "; a year is not supported" } else { "" }
    )]
    FieldCount { found: usize },
    #[error("{field}: expected {expected}, found '{found}'")]
    Field { field: &'static str, column: usize, found: String, expected: &'static str },
    /// What was written means nothing, and what it was meant to mean is plain.
    #[error("{field}: {problem}: write '{meant}', found '{found}'")]
    Meant { field: &'static str, column: usize, found: String, problem: &'static str, meant: String },
    #[error("a zone does not stand in the cron text; write 'timezone: {zone}' beside it")]
    ZoneInside { zone: String },
    #[error("@every does not stand in a cron text; write 'every: {period}' instead of cron")]
    EveryInside { period: String },
    #[error("a comment belongs outside of the quotes")]
    CommentInside,
    #[error("unknown macro '{found}'{}", did_you_mean(near))]
    UnknownMacro { found: String, near: Option<String> },
    #[error("@reboot is not a time: a restart of the daemon must not send messages; use a cron text, `every` or `at`")]
    Reboot,
    #[error("'{text}' never fires: no such day exists, or the clock always skips that time")]
    NeverFires { text: String },
    #[error("the period must be at least 1s, found {ms}ms")]
    TooOften { ms: u64 },
    #[error("the calendar '{name}' is not there in the version that this job was loaded with")]
    UnknownCalendar { name: String },
    #[error(
        "workdays take the place of the day fields: expected '*' or 1-5 in them, found '{found}'; \
         to keep the days and leave out those off, write 'only: {calendar}.workdays' instead"
    )]
    DaysBesideWorkdays { found: String, calendar: String },
    #[error("unknown time zone '{name}'; {}", match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => "expected the name of a place such as Asia/Shanghai, or UTC".to_owned(),
    })]
    UnknownZone { name: String, near: Option<String> },
}

impl ScheduleError {
    /// Where in the schedule's text the error is, if it is in one place.
    pub fn column(&self) -> Option<usize> {
        match self {
            ScheduleError::Field { column, .. } | ScheduleError::Meant { column, .. } => Some(*column),
            _ => None,
        }
    }
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

/// The most similar of the known names, unless none is similar.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    near::nearest(name, known, 0.85).map(str::to_owned)
}
