//! Figures: what was due, and what became of it, counted.

use serde::Serialize;

use crate::domain::{Lateness, UtcMs};

/// Pushes by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ends {
    pub sent: u64,
    pub failed: u64,
    pub unknown: u64,
    pub expired: u64,
    pub cancelled: u64,
    /// Not at their end when they were counted.
    pub open: u64,
}

impl Ends {
    /// Those that ended first, in the order of the columns.
    pub fn each(self) -> [u64; 6] {
        [self.sent, self.failed, self.unknown, self.expired, self.cancelled, self.open]
    }

    pub fn all(self) -> u64 {
        self.each().iter().sum()
    }

    pub fn merge(&mut self, other: Ends) {
        self.sent += other.sent;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
        self.open += other.open;
    }
}

/// What was due in one hour through one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourFigures {
    /// When the hour begins, by UTC.
    pub hour: UtcMs,
    pub im: String,
    /// That of the newest attempt; empty where there was none.
    pub account: String,
    pub ends: Ends,
    /// Of first attempts.
    pub lateness: Lateness,
}

/// Hours, and how far they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// In the order of their hours.
    pub rows: Vec<HourFigures>,
    /// Since when hours are missing, the last one and the running one excepted, where a long history is still being worked
    /// through.
    pub missing_from: Option<UtcMs>,
}

/// What became of a job's instants on one of its days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobDay {
    /// The date, as `2026-11-28`.
    pub day: String,
    pub fired: u64,
    pub skipped: u64,
    pub missed: u64,
    #[serde(flatten)]
    pub ends: Ends,
}

/// Instants of one date that did not fire, of all jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnfiredDay {
    /// The date, as `2026-11-28`.
    pub day: String,
    pub skipped: u64,
    pub missed: u64,
}
