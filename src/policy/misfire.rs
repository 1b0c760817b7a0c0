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
//! | skipped | `holiday`, `not_in_calendar`, `no_calendar` | the job does not want that day |
//!
//! The missed instants of one look are always older than those that fire: they are its [`Gap`]. If they are more than
//! [`MAX_ROWS`], one row stands for all of them, with the reason of the oldest.

use std::time::Duration;

use super::schedule::{CompiledSchedule, Occurrence};
use crate::domain::{Decision, LedgerRow, Misfire, MisfirePolicy, Reason, UtcMs};

/// More missed or skipped instants than this become one row with a count.
pub const MAX_ROWS: u64 = 1_000;

/// A timer wakes some milliseconds late; that alone must never make a misfire.
const LEAST_GRACE: Duration = Duration::from_secs(1);

/// A job, as far as its instants depend on it.
#[derive(Clone, Copy, Debug)]
pub struct JobView<'a> {
    pub schedule: &'a CompiledSchedule,
    pub misfire: &'a Misfire,
    pub enabled: bool,
    pub paused: bool,
}

/// The decision about one instant, or about `count` of them from `due_at` to `until_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstantDecision {
    pub due_at: UtcMs,
    pub decision: Decision,
    pub reason: Option<Reason>,
    pub count: u64,
    pub until_at: Option<UtcMs>,
}

/// What to record, oldest first, and where the ledger then goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Older than all that fires.
    pub gap: Option<Gap>,
    pub fires: Vec<InstantDecision>,
    pub next_due_at: Option<UtcMs>,
}

/// Instants in a row of which none fires, decided about and not yet written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first of them.
    pub from: UtcMs,
    /// All are earlier.
    to: UtcMs,
    decision: Decision,
    reason: Reason,
    /// What is older was missed because of its age.
    window_from: UtcMs,
}

/// Decides about every instant from the job's place `next_due_at` up to and with `until`, which is `now`, or a little
/// later for a caller that records ahead. Of those that fire at most `most` are decided, and the rest stays due.
pub fn plan(job: &JobView, next_due_at: UtcMs, now: UtcMs, until: UtcMs, most: usize) -> Plan {
    if next_due_at > until {
        return Plan { gap: None, fires: Vec::new(), next_due_at: Some(next_due_at) };
    }
    let end = UtcMs(until.0 + 1);
    if !job.enabled || job.paused {
        let reason = if job.enabled { Reason::Paused } else { Reason::Disabled };
        let gap = job.gap(next_due_at, end, Decision::Skipped, reason);
        return Plan { gap, fires: Vec::new(), next_due_at: job.first_after(until) };
    }
    let in_time_from = now - job.misfire.grace.max(LEAST_GRACE);
    let fires_from = job.fires_from(next_due_at, now, in_time_from);
    let fired = |called: Occurrence| {
        InstantDecision::new(called, Decision::Fired, (called.at < in_time_from).then_some(Reason::CaughtUp))
    };
    let mut called = called(job.schedule, fires_from, end);
    Plan {
        gap: job.gap_missed(next_due_at, fires_from, now),
        fires: called.by_ref().take(most).map(fired).collect(),
        next_due_at: called.next().map(|rest| rest.at).or_else(|| job.first_after(until)),
    }
}

/// Why a push recorded ahead of its instant `due_at` comes too late, where nobody watched from `first` on, the first such
/// instant of its job: what would have been said of the instant had it not been decided before.
pub fn too_late(
    schedule: &CompiledSchedule,
    misfire: &Misfire,
    first: UtcMs,
    due_at: UtcMs,
    now: UtcMs,
) -> Option<Reason> {
    let job = JobView { schedule, misfire, enabled: true, paused: false };
    let fires_from = job.fires_from(first, now, now - misfire.grace.max(LEAST_GRACE));
    (due_at < fires_from).then(|| match misfire.policy {
        MisfirePolicy::Skip => Reason::MisfireSkip,
        _ if due_at < now - misfire.within => Reason::MisfireWindow,
        MisfirePolicy::Latest => Reason::MisfireLatest,
        MisfirePolicy::All => Reason::MisfireCap,
    })
}

/// Has nothing fire of what was called for from the job's place up to and with `until`: if the job was not off, it was
/// missed for this reason.
pub fn plan_closing(job: &JobView, next_due_at: UtcMs, until: UtcMs, reason: Reason) -> Plan {
    let end = UtcMs(until.0 + 1);
    let gap = match (job.enabled, job.paused) {
        (false, _) => job.gap(next_due_at, end, Decision::Skipped, Reason::Disabled),
        (true, true) => job.gap(next_due_at, end, Decision::Skipped, Reason::Paused),
        (true, false) => job.gap(next_due_at, end, Decision::Missed, reason),
    };
    Plan { gap, fires: Vec::new(), next_due_at: job.first_after(until) }
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
pub type RowSpan = (UtcMs, u64, Option<UtcMs>);

/// What a schedule calls for between two instants, both included.
pub fn row_span(schedule: &CompiledSchedule, from: UtcMs, until: UtcMs) -> Option<RowSpan> {
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
    let is_ours = row_span(schedule, row.due_at, last) == Some((row.due_at, row.count, row.until_at));
    if is_ours { last } else { row.due_at }
}

impl JobView<'_> {
    /// The instant from which on all fire, none earlier than `from`; the older ones are missed.
    fn fires_from(&self, from: UtcMs, now: UtcMs, in_time_from: UtcMs) -> UtcMs {
        let in_time_from = in_time_from.max(from);
        let window_from = (now - self.misfire.within).max(from);
        match self.misfire.policy {
            MisfirePolicy::Skip => in_time_from,
            MisfirePolicy::Latest => {
                // One that fires in time is the latest; one still to come is not.
                let fires_in_time = self.schedule.occurrences(in_time_from, UtcMs(now.0 + 1)).next().is_some();
                let overdue =
                    if fires_in_time { None } else { self.schedule.previous_within(window_from, in_time_from) };
                overdue.unwrap_or(in_time_from)
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

    fn gap_missed(&self, from: UtcMs, to: UtcMs, now: UtcMs) -> Option<Gap> {
        let reason = match self.misfire.policy {
            MisfirePolicy::Skip => return self.gap(from, to, Decision::Missed, Reason::MisfireSkip),
            MisfirePolicy::Latest => Reason::MisfireLatest,
            MisfirePolicy::All => Reason::MisfireCap,
        };
        let gap = self.gap(from, to, Decision::Missed, reason)?;
        Some(Gap { window_from: now - self.misfire.within, ..gap })
    }

    /// What is called for in `from..to`, if anything.
    fn gap(&self, from: UtcMs, to: UtcMs, decision: Decision, reason: Reason) -> Option<Gap> {
        let first = called(self.schedule, from, to).next()?;
        Some(Gap { from: first.at, to, decision, reason, window_from: UtcMs::MIN })
    }

    fn first_after(&self, until: UtcMs) -> Option<UtcMs> {
        self.schedule.next_called_after(until).map(|called| called.at)
    }
}

impl Gap {
    /// The rows of these instants, at most [`MAX_ROWS`].
    pub fn rows(&self, schedule: &CompiledSchedule) -> Vec<InstantDecision> {
        match row_span(schedule, self.from, UtcMs(self.to.0 - 1)) {
            Some((at, count, until_at)) if count > MAX_ROWS => {
                vec![InstantDecision { count, until_at, ..self.row(Occurrence { at, skipped: None }) }]
            }
            _ => called(schedule, self.from, self.to).map(|called| self.row(called)).collect(),
        }
    }

    /// The same from a later instant on, if that is anything.
    pub fn rest(self, from: UtcMs, schedule: &CompiledSchedule) -> Option<Gap> {
        let first = called(schedule, from.max(self.from), self.to).next()?;
        Some(Gap { from: first.at, ..self })
    }

    pub fn has_more_than(&self, few: usize, schedule: &CompiledSchedule) -> bool {
        called(schedule, self.from, self.to).nth(few).is_some()
    }

    fn row(&self, called: Occurrence) -> InstantDecision {
        let reason = if called.at < self.window_from { Reason::MisfireWindow } else { self.reason };
        InstantDecision::new(called, self.decision, Some(reason))
    }
}

fn called(schedule: &CompiledSchedule, from: UtcMs, to: UtcMs) -> impl Iterator<Item = Occurrence> + '_ {
    let first = schedule.next_called_after(UtcMs(from.0 - 1));
    std::iter::successors(first, |called| schedule.next_called_after(called.at))
        .take_while(move |called| called.at < to)
}

impl InstantDecision {
    fn new(called: Occurrence, decision: Decision, reason: Option<Reason>) -> InstantDecision {
        let (decision, reason) = match called.skipped {
            Some(skip) => (Decision::Skipped, Some(skip.into())),
            None => (decision, reason),
        };
        InstantDecision { due_at: called.at, decision, reason, count: 1, until_at: None }
    }
}

#[cfg(test)]
mod tests;
