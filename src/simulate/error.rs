//! Why a simulation is refused, or comes to nothing.

use crate::domain::UtcMs;
use crate::engine::core::timer::ApplyError;
use crate::policy::schedule::ScheduleError;
use crate::store::StoreError;

/// More instants than this are refused: they would take minutes and gigabytes.
pub const MOST_INSTANTS: u64 = 10_000_000;

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("expected an end after the beginning, got {from} to {until}")]
    NoTime { from: UtcMs, until: UtcMs },
    #[error("a simulation cannot begin at {from}: {problem}")]
    Unbelievable { from: UtcMs, problem: String },
    #[error("about {instants} instants are too many: at most {MOST_INSTANTS} are simulated; take a shorter time")]
    TooMany { instants: u64 },
    #[error("job {job}: {error}")]
    Schedule { job: String, error: ScheduleError },
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nothing moves on at {at} (a bug of pushcron)")]
    Stuck { at: UtcMs },
}
