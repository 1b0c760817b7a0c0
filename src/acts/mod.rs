//! What people do to jobs, pushes, accounts and the database: each act of a verb, whoever asks for it. Nothing here knows a
//! terminal or HTML.

mod actor;
mod by_hand;
mod calendars;
mod copies;
mod done;
mod each;
mod files;
mod follow;
mod inline;
mod jobs;
mod login;
mod progress;
mod push;

pub use self::actor::Actor;
pub use self::by_hand::Acts;
pub use self::done::{Defined, Done, Removed};
pub use self::each::{Each, ToPush};
pub use self::files::{Files, Proposal, literal};
pub use self::follow::follow;
pub use self::inline::{keep_inline_of_jobs, whole_inline};
pub use self::login::log_in;
pub use self::progress::{News, Progress, is_hopeless};
pub use crate::store::{AdHoc, OwnMessage};

#[cfg(test)]
mod tests;
