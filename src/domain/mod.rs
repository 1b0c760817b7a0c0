//! The nouns of pushcron and their legal moves: no async, no I/O, no clock.
//!
//! Everything else in the crate speaks in these types. A job (definition) fires; a fire has pushes; a push has
//! attempts, each through one account; an attempt ends in an outcome. The words are those of the schema and the
//! docs, and nothing here has a synonym.

pub mod account;
pub mod address;
pub mod calendar;
pub mod chars;
pub mod content;
pub mod database;
pub mod escape;
pub mod fallback;
pub mod hex;
pub mod job;
pub mod json;
pub mod lateness;
pub mod ledger;
pub mod length;
pub mod limits;
mod locked;
pub mod message;
pub mod near;
pub mod outcome;
pub mod presence;
pub mod push;
pub mod reason;
pub mod recipient_list;
pub mod rendering;
pub mod secret;
pub mod sender;
pub mod state_dir;
pub mod templating;
pub mod time;
pub mod version;

pub use account::{Account, Health};
pub use calendar::{Calendar, CalendarRef, DayRule};
pub use chars::char_start;
pub use content::{ContentFormat, ContentFrom, ContentMoment, ContentOutcome, ContentSource, WhenEmpty, WhenUnchanged};
pub use database::Database;
pub use escape::{escaped, escaped_json, escaped_lines, is_harmful};
pub use fallback::{BadState, FallbackSpec};
pub use job::{Job, Misfire, MisfirePolicy, Overlap, PushSpec, RetryPolicy, Schedule, Trigger};
pub use lateness::{AtMost, LATE, Lateness, late_bucket};
pub use ledger::{LedgerIds, LedgerJob, LedgerRevision, LedgerRow};
pub use length::length;
pub(crate) use locked::Locked;
pub use message::{Body, Item, Kind, Media, Message, Target, is_blank, is_invisible};
pub use outcome::{Outcome, PartReport, Report};
pub use push::{Decision, Delivery, MediaFile, Next, PushState, Rule};
pub use reason::Reason;
pub use recipient_list::{ListEntries, ListEntry, ListFormat, RecipientList};
pub use rendering::{Facts, FireContent, Render};
pub use secret::Secret;
pub use sender::{SenderSpec, Support, WrongTarget};
pub use state_dir::StateDir;
pub use templating::{KnownContent, Rendering};
pub use time::{Moment, Reading, UtcMs};
