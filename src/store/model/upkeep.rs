//! What the database says of itself.

use crate::domain::UtcMs;

/// The database was restored from a backup: what happened in between is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was taken.
    pub taken_at: UtcMs,
    /// When it was first opened to be written.
    pub restored_at: UtcMs,
}

/// What the database says of itself; cheap to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Pushes that ended `unknown` and were not resolved.
    pub unknown_pushes: u64,
    /// What the rows take in the file, in bytes.
    pub used_bytes: u64,
    /// Room that rows took once, to be used again or given back; None where the database does not tell.
    pub free_bytes: Option<u64>,
}

/// What one step of pruning deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub fires: u64,
    pub pushes: u64,
}
