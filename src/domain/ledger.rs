//! What a job's schedules called for and what was recorded of it, without pushes and messages: enough to hold one
//! against the other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::DayRule;
use super::job::{DstGap, Life, Schedule, Timing};
use super::time::UtcMs;

/// A job, present or removed, with all that tells which instants must have a row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LedgerJob {
    pub name: Arc<str>,
    /// The first instant that has no row yet; The one after the last of a job that
    /// has ended; else None where there is no more, and for removed jobs.
    pub next_due_at: Option<UtcMs>,
    /// Pruning has taken rows up to here, of this job or others: what is older cannot be held against anything.
    pub pruned_until: Option<UtcMs>,
    /// Oldest first.
    pub revisions: Vec<LedgerRevision>,
}

/// A schedule of a job and the time during which it held.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct LedgerRevision {
    pub revision: u32,
    /// Or why it cannot be read.
    pub schedule: Result<Schedule, String>,
    pub timezone: String,
    pub dst_gap: Option<DstGap>,
    pub days: Option<Box<DayRule>>,
    pub life: Option<Box<Life>>,
    pub from_at: UtcMs,
    /// None: it holds.
    pub until_at: Option<UtcMs>,
}

/// A revision as it was written, by whatever release or hand.
#[derive(Deserialize)]
struct Written {
    revision: u32,
    #[serde(default)]
    schedule: Value,
    timezone: String,
    #[serde(default)]
    dst_gap: Value,
    #[serde(default)]
    days: Value,
    #[serde(default)]
    life: Value,
    from_at: UtcMs,
    until_at: Option<UtcMs>,
}

impl From<Written> for LedgerRevision {
    fn from(written: Written) -> LedgerRevision {
        let Written { revision, schedule, timezone, dst_gap, days, life, from_at, until_at } = written;
        let dst_gap = serde_json::from_value::<Option<DstGap>>(dst_gap);
        let days = serde_json::from_value::<Option<Box<DayRule>>>(days);
        let life = serde_json::from_value::<Option<Box<Life>>>(life);
        let schedule = match (&dst_gap, &days, &life) {
            (Ok(_), Ok(_), Ok(_)) => serde_json::from_value(schedule).map_err(|error| error.to_string()),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error.to_string()),
        };
        let (dst_gap, days, life) = (dst_gap.unwrap_or_default(), days.unwrap_or_default(), life.unwrap_or_default());
        LedgerRevision { revision, schedule, timezone, dst_gap, days, life, from_at, until_at }
    }
}

impl LedgerRevision {
    /// All that its instants depend on, unless it cannot be read.
    pub fn timing(&self) -> Result<Timing<'_>, &String> {
        self.schedule.as_ref().map(|schedule| Timing {
            schedule,
            timezone: &self.timezone,
            dst_gap: self.dst_gap.unwrap_or_default(),
            days: self.days.as_deref(),
            life: self.life.as_deref(),
        })
    }
}

/// A row of `fires` that the schedule made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LedgerRow {
    pub due_at: UtcMs,
    /// The last instant that the row stands for, where it stands for many.
    pub until_at: Option<UtcMs>,
    pub count: u64,
    pub revision: u32,
    pub recorded_at: UtcMs,
    /// The zone and the version of its rules that gave `due_at`.
    pub zone: Option<String>,
}

/// What became of all ids of one kind that were ever given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerIds {
    /// `fires` or `pushes`.
    pub kind: String,
    /// The highest one: they are given in a row, and never twice.
    pub given: i64,
    /// Have their row.
    pub kept: i64,
    /// Had none when the counting began.
    pub before: i64,
    /// Were recorded ahead of their instant, and taken back.
    pub withdrawn: i64,
    /// Were too old.
    pub pruned: i64,
    /// Never had a row.
    pub unused: i64,
}

impl LedgerIds {
    /// Those whose row went for a known reason, or never was.
    pub fn gone(&self) -> i64 {
        self.before + self.withdrawn + self.pruned + self.unused
    }

    /// Those of which nobody knows what became; below 0 where there are more rows than ids were given for.
    pub fn missing(&self) -> i64 {
        self.given - self.kept - self.gone()
    }
}
