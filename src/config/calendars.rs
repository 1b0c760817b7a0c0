//! `calendars:` and files with lists of days: to calendars, each problem with its place.
//!
//! A list is looked for in the files' own `calendars:` block, then as `calendars/NAME.yaml` or `NAME.ics` beside one of the
//! files, then among those that pushcron brings along. Only lists that somebody names are read.

mod draft;
mod ics;
mod import;
mod read;
mod resolve;
mod rule;
mod write;

pub(super) use draft::{CalendarDraft, DaysDraft};
pub use import::read_calendar;
pub(super) use resolve::{CalendarSet, built_in, candidates};
pub(super) use rule::Beside;
pub use write::calendar_file;
