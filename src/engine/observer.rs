//! What the engine tells whoever counts or raises an alarm.
//!
//! It calls a function and goes on: an observer takes microseconds, and what takes longer it does elsewhere.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Decision, Health, Outcome, PushState};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum EngineEvent<'a> {
    /// So many instants that schedules called for were decided about.
    Fires { decision: Decision, count: u64 },
    /// An attempt ended. `lateness` is that of a push's first attempt.
    Attempt { im: &'a str, account: &'a str, outcome: &'a Outcome, lateness: Option<Duration> },
    /// A push has come to its end; without an account where it ended without an attempt, and without
    /// a job where it was made by hand.
    Ended { job: Option<&'a str>, im: &'a str, account: Option<&'a str>, state: PushState },
    /// A probe or an attempt told how an account is, which need not have changed.
    Account { im: &'a str, account: &'a str, health: &'a Health },
}

/// A function that is called with each event.
pub type Observer = Arc<dyn Fn(EngineEvent<'_>) + Send + Sync>;

/// An observer that does nothing.
pub(super) fn nobody() -> Observer {
    Arc::new(|_| {})
}
