//! What the core remembers, and whose it is.

use std::time::Duration;

use super::queue::Queue;
use super::recorder::Recorder;
use super::starter::Starter;
use crate::domain::{Moment, Reading, UtcMs};
use crate::engine::accounts::Accounts;
use crate::engine::observer::Observer;

/// Parked pushes are looked at again at least this often (their accounts' events wake them earlier).
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The memory of everything that is open, and all decisions about it.
pub struct Core {
    pub(super) accounts: Accounts,
    pub(super) queue: Queue,
    pub(super) starter: Starter,
    pub(super) recorder: Recorder,
    pub(super) observer: Observer,
    pub(super) look_again_at: Moment,
    /// The last instant that surely has passed, against which the clock is judged.
    pub(super) last_known: Option<UtcMs>,
    /// What both clocks showed when they were last compared.
    pub(super) compared: Reading,
    /// Stopping, and until when attempts under way are waited for.
    pub(super) stopping_until: Option<Moment>,
}
