//! What a schedule calls for.

use crate::domain::{Reason, UtcMs};

/// An instant that a schedule calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub at: UtcMs,
    /// The instant belongs into the ledger, as skipped.
    pub skipped: Option<Skip>,
}

/// Why a schedule has a row for an instant and does not fire at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The wall-clock time of a fixed-time job does not exist on that day, and the job says `dst_gap: skip`.
    DstGap,
    Holiday,
    NotInCalendar,
    /// No list covers the day, and the job says `on_missing_calendar: skip`.
    NoList,
}

impl From<Skip> for Reason {
    fn from(skip: Skip) -> Reason {
        match skip {
            Skip::DstGap => Reason::DstGap,
            Skip::Holiday => Reason::Holiday,
            Skip::NotInCalendar => Reason::NotInCalendar,
            Skip::NoList => Reason::NoCalendar,
        }
    }
}
