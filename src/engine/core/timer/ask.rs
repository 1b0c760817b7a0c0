//! What the timer asks of the store, and what it is answered.

use std::sync::Arc;

use crate::domain::{LedgerRow, UtcMs};
use crate::store::{Applied, Cursor, JobChange, NewFire, Recorded, Restored, Settle, StoredJob, Unwatched};

/// One call of the store, by the verb that takes it.
#[derive(Clone)]
pub enum Ask {
    /// `Store::last_recorded_at`; answered by [`Answer::Instant`].
    LastRecorded,
    /// Until when a daemon surely watched; answered by [`Answer::Instant`].
    WatchedUntil,
    /// Somebody watched until now; answered by [`Answer::Done`].
    NoteWatch { now: UtcMs },
    /// `Store::restored`; answered by [`Answer::Restored`].
    Restored,
    /// `Store::jobs`; answered by [`Answer::Jobs`].
    Jobs,
    /// `Store::unwatched`; answered by [`Answer::Unwatched`].
    Unwatched { after: Option<UtcMs>, until: UtcMs },
    /// `Store::end_untouched`; answered by [`Answer::Ended`].
    EndUntouched { settles: Vec<Settle>, now: UtcMs },
    /// `Store::withdraw_ahead`, which notes the watch too; answered by [`Answer::Done`].
    WithdrawAhead { now: UtcMs },
    /// `Store::ledger_rows`; answered by [`Answer::LedgerRows`].
    LedgerRows { job: Arc<str>, from: UtcMs, until: UtcMs, limit: u64 },
    /// `Store::record_fires`; answered by [`Answer::Recorded`].
    Record { fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs },
    /// `Store::apply_jobs`; answered by [`Answer::Applied`].
    Apply { changes: Vec<JobChange>, removed: Vec<Arc<str>>, now: UtcMs },
}

/// What the store says.
pub enum Answer {
    Done,
    Instant(Option<UtcMs>),
    Restored(Option<Restored>),
    Jobs(Vec<StoredJob>),
    Unwatched(Vec<Unwatched>),
    /// These pushes.
    Ended(Vec<i64>),
    LedgerRows(Vec<LedgerRow>),
    Recorded(Recorded),
    Applied(Applied),
}
