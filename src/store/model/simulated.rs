//! What a simulated daemon writes.

use super::fires::{Cursor, NewFire};
use super::jobs::JobChange;
use super::pushes::{AccountRow, Begin, Finish, Settle, TakeBack};
use crate::domain::UtcMs;

/// One verb of the store that a simulated daemon has called, and what came of it in its rows, which the database must come
/// to as well.
#[derive(Clone, Debug)]
pub enum SimulatedWrite {
    Apply {
        changes: Vec<JobChange>,
        now: UtcMs,
    },
    /// `made`: the ids of the pushes that now wait.
    Record {
        fires: Vec<NewFire>,
        cursors: Vec<Cursor>,
        now: UtcMs,
        made: Vec<i64>,
    },
    NoteWatch {
        now: UtcMs,
    },
    WithdrawAhead {
        now: UtcMs,
    },
    /// `made`: the ids of fallbacks.
    Settle {
        settles: Vec<Settle>,
        now: UtcMs,
        made: Vec<i64>,
    },
    /// `ended`: the ids of the pushes that this ended.
    EndUntouched {
        settles: Vec<Settle>,
        now: UtcMs,
        ended: Vec<i64>,
    },
    /// `begun`: the ids of the pushes that are to be sent.
    Begin {
        begins: Vec<Begin>,
        now: UtcMs,
        begun: Vec<i64>,
    },
    /// `stale`: the ids of pushes that ended otherwise, or before; `made`: those of fallbacks.
    Finish {
        finishes: Vec<Finish>,
        stale: Vec<i64>,
        made: Vec<i64>,
    },
    /// `ended`: the ids of pushes that are not open any more.
    TakeBack {
        attempts: Vec<TakeBack>,
        now: UtcMs,
        ended: Vec<i64>,
    },
    RecordAccounts {
        accounts: Vec<AccountRow>,
        all: bool,
    },
    TellNextAttempts(Vec<(i64, UtcMs)>),
}
