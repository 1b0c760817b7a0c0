//! Fires that lose their rows, whatever database they are in: why, and how many.

use crate::domain::UtcMs;

/// Why rows are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// As what is still to come after an instant.
    Withdrawn {
        after: UtcMs,
    },
    Pruned,
}

/// What was deleted.
pub(super) struct Gone {
    pub fires: u64,
    pub pushes: u64,
}
