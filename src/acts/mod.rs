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
mod probe;
mod progress;
mod proposal;
mod push;
mod running;
mod said;
mod surroundings;

pub(crate) use self::actor::Actor;
pub(crate) use self::by_hand::{Acts, Bell};
pub(crate) use self::done::{Defined, Done, Removed};
pub(crate) use self::each::{Each, ToPush};
pub(crate) use self::files::{Files, literal};
pub(crate) use self::follow::follow;
pub(crate) use self::inline::{keep_inline_of_jobs, whole_inline};
pub(crate) use self::login::log_in;
pub(crate) use self::progress::{Progress, PushUpdate, is_hopeless};
pub(crate) use self::proposal::Proposal;
pub(crate) use self::running::{Running, is_schedule};
pub(crate) use self::said::{SCHEDULE, after, put_once};
pub(crate) use self::surroundings::surroundings;
pub(crate) use crate::store::{AdHoc, Once, OwnMessage, RequestKey, WaitingFire};

#[cfg(test)]
mod tests;
