//! What becomes of the instants that a schedule called for: fired, skipped or missed, each with one row.
//!
//! The reasons that rows get:
//!
//! | decision | reason | because |
//! |---|---|---|
//! | fired | (none) | noticed within the grace |
//! | fired | `caught_up` | noticed later, and the policy catches up on it |
//! | missed | `misfire_skip` | noticed too late, policy `skip` |
//! | missed | `misfire_latest` | policy `latest`, and a newer instant fires |
//! | missed | `misfire_window` | older than `within` |
//! | missed | `misfire_cap` | policy `all`, and `max` newer instants are caught up |
//! | skipped | `paused`, `disabled` | the job was |
//! | skipped | `dst_gap` | its hour does not exist on that day, with `dst_gap: skip` |
//!
//! The missed instants of one look are always older than those that fire. If they are more than [`MAX_ROWS`], one row
//! stands for all of them, with the reason of the oldest.

use std::time::Duration;

use super::schedule::{Called, CompiledSchedule};
use crate::domain::{Decision, LedgerRow, Misfire, MisfirePolicy, UtcMs};

/// More missed or skipped instants than this become one row with a count.
pub const MAX_ROWS: u64 = 10_000;

/// A timer wakes some milliseconds late; that alone must never make a misfire.
const LEAST_GRACE: Duration = Duration::from_secs(1);

/// A job, as far as its instants depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    pub schedule: &'a CompiledSchedule,
    pub misfire: &'a Misfire,
    pub enabled: bool,
    pub paused: bool,
}

/// The decision about one instant, or about `count` of them from `due_at` to `until_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    pub due_at: UtcMs,
    pub decision: Decision,
    pub reason: Option<&'static str>,
    pub count: u64,
    pub until_at: Option<UtcMs>,
}

/// What to record, oldest first, and where the ledger then goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub fires: Vec<Decided>,
    pub next_due_at: Option<UtcMs>,
}

/// Decides about every instant from the job's place `next_due_at` up to and with `until`, which is `now`, or a little
/// later for a caller that records ahead.
pub fn plan(job: &Watched, next_due_at: UtcMs, now: UtcMs, until: UtcMs) -> Plan {
    if next_due_at > until {
        return Plan { fires: Vec::new(), next_due_at: Some(next_due_at) };
    }
    let end = UtcMs(until.0 + 1);
    let fires = if job.enabled && !job.paused {
        let in_time_from = now - job.misfire.grace.max(LEAST_GRACE);
        let fires_from = job.fires_from(next_due_at, now, in_time_from);
        let mut fires = job.without_firing(next_due_at, fires_from, Decision::Missed, |at| job.reason_missed(at, now));
        fires
            .extend(job.called(fires_from, end).map(|called| {
                Decided::new(called, Decision::Fired, (called.at < in_time_from).then_some("caught_up"))
            }));
        fires
    } else {
        let reason = if job.enabled { "paused" } else { "disabled" };
        job.without_firing(next_due_at, end, Decision::Skipped, |_| reason)
    };
    Plan { fires, next_due_at: job.schedule.next_called_after(until).map(|called| called.at) }
}

/// Where the ledger goes on when a daemon starts, or when the wall clock was put back: never later than the first
/// instant after `now`.
///
/// A place further ahead means that instants still to come were decided before: in an hour that the clock now shows
/// again, or under a clock that was wrong. Those that fired keep their row, since the database refuses a second one,
/// so that going back repeats nothing; but waiting for the old place could silence the job for years.
pub fn place_at(schedule: &CompiledSchedule, next_due_at: Option<UtcMs>, now: UtcMs) -> Option<UtcMs> {
    let coming = schedule.next_called_after(now).map(|called| called.at);
    match (next_due_at, coming) {
        (Some(place), Some(coming)) => Some(place.min(coming)),
        (place, coming) => place.or(coming),
    }
}

/// Instants that one row can stand for: the first, how many, and the last of several.
pub type Stretch = (UtcMs, u64, Option<UtcMs>);

/// What a schedule calls for between two instants, both included.
pub fn stretch(schedule: &CompiledSchedule, from: UtcMs, until: UtcMs) -> Option<Stretch> {
    let end = UtcMs(until.0 + 1);
    let count = schedule.count_called(from, end);
    let first = schedule.next_called_after(UtcMs(from.0 - 1)).filter(|_| count > 0)?;
    let last = if count > 1 { schedule.previous_called_before(end) } else { None };
    Some((first.at, count, last))
}

/// The last instant of a schedule that a recorded row has settled. One that stands for many settles those of its own
/// schedule, and only its first one of any other.
pub fn settled_until(schedule: &CompiledSchedule, row: &LedgerRow) -> UtcMs {
    let last = row.until_at.unwrap_or(row.due_at);
    let is_ours = stretch(schedule, row.due_at, last) == Some((row.due_at, row.count, row.until_at));
    if is_ours { last } else { row.due_at }
}

impl Watched<'_> {
    /// The instant from which on all fire, none earlier than `from`; the older ones are missed.
    fn fires_from(&self, from: UtcMs, now: UtcMs, in_time_from: UtcMs) -> UtcMs {
        let in_time_from = in_time_from.max(from);
        let window_from = (now - self.misfire.within).max(from);
        match self.misfire.policy {
            MisfirePolicy::Skip => in_time_from,
            MisfirePolicy::Latest => {
                // One that fires in time is the latest; one still to come is not.
                let fires_in_time = self.schedule.occurrences(in_time_from, UtcMs(now.0 + 1)).next().is_some();
                let overdue = if fires_in_time { None } else { self.schedule.previous_before(in_time_from) };
                overdue.filter(|latest| *latest >= window_from).unwrap_or(in_time_from)
            }
            MisfirePolicy::All if window_from >= in_time_from => in_time_from,
            MisfirePolicy::All => self.newest(self.misfire.max.into(), window_from, in_time_from),
        }
    }

    /// The earliest instant in `from..to` from which at most `max` are called for before `to`.
    fn newest(&self, max: u64, from: UtcMs, to: UtcMs) -> UtcMs {
        let fit = |from: i64| self.schedule.count_called(UtcMs(from), to) <= max;
        if fit(from.0) {
            return from;
        }
        let (mut too_many, mut fitting) = (from.0, to.0);
        while too_many + 1 < fitting {
            let middle = too_many + (fitting - too_many) / 2;
            if fit(middle) {
                fitting = middle;
            } else {
                too_many = middle;
            }
        }
        UtcMs(fitting)
    }

    fn reason_missed(&self, due_at: UtcMs, now: UtcMs) -> &'static str {
        match self.misfire.policy {
            MisfirePolicy::Skip => "misfire_skip",
            _ if due_at < now - self.misfire.within => "misfire_window",
            MisfirePolicy::Latest => "misfire_latest",
            MisfirePolicy::All => "misfire_cap",
        }
    }

    /// The rows of instants in `from..to` that do not fire.
    fn without_firing(
        &self,
        from: UtcMs,
        to: UtcMs,
        decision: Decision,
        reason: impl Fn(UtcMs) -> &'static str,
    ) -> Vec<Decided> {
        let rows = |called: Called| Decided::new(called, decision, Some(reason(called.at)));
        match stretch(self.schedule, from, UtcMs(to.0 - 1)) {
            Some((first, count, until_at)) if count > MAX_ROWS => {
                vec![Decided { count, until_at, ..rows(Called { at: first, skipped: false }) }]
            }
            _ => self.called(from, to).map(rows).collect(),
        }
    }

    fn called(&self, from: UtcMs, to: UtcMs) -> impl Iterator<Item = Called> + '_ {
        let first = self.schedule.next_called_after(UtcMs(from.0 - 1));
        std::iter::successors(first, |called| self.schedule.next_called_after(called.at))
            .take_while(move |called| called.at < to)
    }
}

impl Decided {
    fn new(called: Called, decision: Decision, reason: Option<&'static str>) -> Decided {
        let (decision, reason) = if called.skipped { (Decision::Skipped, Some("dst_gap")) } else { (decision, reason) };
        Decided { due_at: called.at, decision, reason, count: 1, until_at: None }
    }
}

#[cfg(test)]
mod tests;
