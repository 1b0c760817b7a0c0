//! `calendars:` and files with lists of days: to calendars, each problem with its place.
//!
//! A list stands in the files' own `calendars:` block, or lies as `calendars/NAME.yaml` beside one of the files; those that
//! pushcron brings along are read where a job or a list may ask for them. One with a `url` is fetched by the daemon, and
//! its last good version is looked up in the database.

mod draft;
mod fetched;
mod ics;
mod import;
mod imported;
mod join;
mod read;
mod resolve;
mod rule;
mod write;

pub use draft::FetchedSource;
pub(super) use draft::{CalendarDraft, DaysDraft, ListToCome, add_calendar};
pub use fetched::{TakenList, take_fetched};
pub use import::{ForeignList, ImportError, calendar, import_calendar};
pub use imported::ImportedList;
pub(super) use resolve::{CalendarSet, built_in, candidates};
pub(super) use rule::Beside;
