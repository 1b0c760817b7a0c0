//! Where a simulation writes.

use super::error::StoreResult;
use super::model::SimulatedWrite;
use crate::domain::UtcMs;

/// A database in the making, in which everything stands as a daemon would have written it. It is there once it is whole,
/// and no daemon runs on it.
pub trait SimulatedStore {
    /// # Errors
    ///
    /// Where it cannot be written, or comes to other rows than the simulation.
    fn write(&mut self, write: SimulatedWrite) -> StoreResult<()>;

    /// Puts it in its place; `until` is what the daemon's clock showed in the last moment.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn finish(self: Box<Self>, until: UtcMs) -> StoreResult<()>;
}
