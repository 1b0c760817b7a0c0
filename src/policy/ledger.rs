//! What the schedules called for, held against what was recorded: every instant must have exactly one row.
//!
//! The expectation is built anew from the revisions of a job, each within the time in which it held: from its loading
//! (excluded) to its end (included). It knows nothing of how the rows came about. Instants from the job's place on
//! have no rows yet, and what pruning took cannot be counted: neither is looked at.
//!
//! The clock may have been put back meanwhile, so that the times of revisions overlap and an hour was lived twice.
//! Then an instant is called for by each revision that held when the clock showed it, and has its one row all the same.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::schedule::{CompiledSchedule, ScheduleCache, ScheduleError};
use crate::domain::{LedgerJob, LedgerRow, UtcMs};

/// Findings that are kept one by one; of the others the number is enough.
const FEW: usize = 5;
/// Missing instants in a row that are walked one by one before the rest of them is counted.
const WALKED: u64 = 10_000;
/// No fire is recorded longer than this before its instant.
const LONGEST_AHEAD: Duration = Duration::from_secs(60);

/// The ledger of one job, open for its rows.
pub struct Ledger {
    /// By the beginnings of their times.
    spans: Vec<RevisionSpan>,
    /// Those before this index have ended.
    first_open: usize,
    /// The lowest revision that is known: pruning took the earlier ones.
    known_from: u32,
    /// All instants up to here are settled.
    settled: UtcMs,
    until: UtcMs,
    zone_version: String,
    /// Findings that other rules of the zone would explain.
    perhaps_by_rules: u64,
    balance: Balance,
}

/// A schedule and the time in which it held. Revisions that did not change it are one.
struct RevisionSpan {
    revisions: RangeInclusive<u32>,
    schedule: Arc<CompiledSchedule>,
    /// Exclusive.
    after: UtcMs,
    /// Inclusive.
    until: UtcMs,
    /// What it called for up to here has been counted by a row that stands for many.
    counted_until: UtcMs,
}

/// How a job's ledger came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Instants that the schedules called for.
    pub expected: u64,
    /// Instants that the rows stand for.
    pub recorded: u64,
    /// Expected, not recorded.
    pub missing: u64,
    /// Recorded, not expected.
    pub surplus: u64,
    /// The first few of both.
    pub first: Vec<Finding>,
    /// The zone and the version of its rules that rows beside a finding were decided with, where the system has
    /// another version now: then a change of rules may be all there is to it.
    pub other_rules: Option<String>,
}

impl Balance {
    pub fn is_even(&self) -> bool {
        self.missing == 0 && self.surplus == 0
    }
}

/// One thing that does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// An instant was called for and has no row.
    Missing {
        #[serde(rename = "due_at")]
        at: UtcMs,
    },
    /// A row stands for an instant that nothing called for.
    Surplus {
        #[serde(rename = "due_at")]
        at: UtcMs,
        because: Surplus,
    },
    /// A row stands for another number of instants than its schedule called for in its time.
    Miscounted {
        #[serde(rename = "due_at")]
        at: UtcMs,
        #[serde(rename = "until_at")]
        until: UtcMs,
        count: u64,
        called: u64,
    },
}

/// Why a row should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surplus {
    /// Its revision's schedule has no such instant.
    NotInSchedule,
    /// Its revision did not hold then.
    NotInForce,
    /// The job never had its revision.
    NoSuchRevision,
    /// A row that stands for many instants counted it already.
    CountedTwice,
}

impl fmt::Display for Surplus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Surplus::NotInSchedule => "not an instant of its schedule",
            Surplus::NotInForce => "its revision did not hold then",
            Surplus::NoSuchRevision => "the job never had its revision",
            Surplus::CountedTwice => "an earlier row counts it already",
        })
    }
}

impl Serialize for Surplus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why it cannot be told what a job's schedules called for.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    #[error("{0}")]
    Schedule(#[from] ScheduleError),
    #[error("the definition of its revision {revision} cannot be read: {problem}")]
    Unreadable { revision: u32, problem: String },
}

impl Ledger {
    /// The ledger of a job from an instant (all that is known where there is none) until another, both included.
    /// `zone_version` names the zone data that the schedules are evaluated with.
    ///
    /// # Errors
    /// A schedule cannot be read, or does not compile any more: its zone vanished from the system.
    pub fn open(
        job: &LedgerJob,
        from: Option<UtcMs>,
        until: UtcMs,
        zone_version: &str,
        cache: &mut ScheduleCache,
    ) -> Result<Ledger, Unclear> {
        let before = |at: UtcMs| UtcMs(at.0 - 1);
        let settled = from.map(before).max(job.pruned_until).unwrap_or(UtcMs::MIN);
        let mut spans: Vec<RevisionSpan> = Vec::with_capacity(job.revisions.len());
        for revision in &job.revisions {
            let schedule = match revision.timing() {
                Ok(timing) => cache.get_or_compile(timing)?,
                // All that it called for lies before the span.
                Err(_) if revision.until_at.is_some_and(|until| until <= settled) => continue,
                Err(problem) => {
                    return Err(Unclear::Unreadable { revision: revision.revision, problem: problem.clone() });
                }
            };
            let (after, until) = (revision.from_at, revision.until_at.unwrap_or(UtcMs::MAX));
            match spans.last_mut() {
                Some(last) if Arc::ptr_eq(&last.schedule, &schedule) && last.until == after => {
                    last.revisions = *last.revisions.start()..=revision.revision;
                    // One that was loaded after the clock was put back to its end never held.
                    (last.after, last.until) = (last.after.min(after), until);
                }
                _ => spans.push(RevisionSpan {
                    revisions: revision.revision..=revision.revision,
                    schedule,
                    after,
                    until,
                    counted_until: UtcMs::MIN,
                }),
            }
        }
        spans.sort_by_key(|spans| spans.after);
        Ok(Ledger {
            spans,
            first_open: 0,
            known_from: job.revisions.first().map_or(u32::MAX, |first| first.revision),
            settled,
            until: job.next_due_at.map_or(until, |place| before(place).min(until)),
            zone_version: zone_version.to_owned(),
            perhaps_by_rules: 0,
            balance: Balance::default(),
        })
    }

    /// The instants whose rows are wanted, both included.
    pub fn span(&self) -> (UtcMs, UtcMs) {
        (UtcMs(self.settled.0 + 1), self.until)
    }

    /// Enters the next row, in the order of their instants. Rows that stand for many may begin before the span.
    pub fn enter(&mut self, row: &LedgerRow) {
        let perhaps_by_rules = self.perhaps_by_rules;
        match row.until_at {
            _ if row.due_at > self.until => {}
            Some(until_at) => self.enter_many(row, until_at),
            None => self.enter_one(row),
        }
        if perhaps_by_rules != self.perhaps_by_rules && self.balance.other_rules.is_none() {
            let named = row.zone.as_deref().and_then(|zone| zone.split_once(' '));
            let differ = named.is_some_and(|(zone, version)| zone != "UTC" && version != self.zone_version);
            self.balance.other_rules = row.zone.clone().filter(|_| differ);
        }
    }

    /// What came of it, once all rows are entered.
    pub fn close(mut self) -> Balance {
        self.settle_before(UtcMs(self.until.0 + 1));
        self.balance
    }

    fn enter_one(&mut self, row: &LedgerRow) {
        self.settle_before(row.due_at);
        self.settled = row.due_at;
        self.balance.recorded += 1;
        let surplus = if self.is_expected(row.due_at) { None } else { self.surplus(row) };
        match surplus {
            None => self.balance.expected += 1,
            Some(because) => self.find(0, 1, Finding::Surplus { at: row.due_at, because }),
        }
    }

    /// A row that reaches over the edges of the span is believed to count right beyond them.
    fn enter_many(&mut self, row: &LedgerRow, until_at: UtcMs) {
        let (first, last) = (row.due_at.max(UtcMs(self.settled.0 + 1)), until_at.min(self.until));
        let is_whole = first == row.due_at && last == until_at;
        self.settle_before(first);
        let Some(spans) = self.spans.iter_mut().find(|spans| spans.revisions.contains(&row.revision)) else {
            self.balance.recorded += row.count;
            match row.revision < self.known_from {
                true => self.balance.expected += row.count,
                false => {
                    let finding = Finding::Surplus { at: row.due_at, because: Surplus::NoSuchRevision };
                    self.find(0, row.count, finding);
                }
            }
            return;
        };
        if first == row.due_at {
            // No other definition can have a row at this instant.
            self.settled = first;
        }
        let called = spans.schedule.count_called(first, UtcMs(last.0 + 1));
        spans.counted_until = spans.counted_until.max(last);
        let count = if is_whole { row.count } else { called };
        self.balance.expected += called;
        self.balance.recorded += count;
        if called != count {
            let finding = Finding::Miscounted { at: first, until: last, count, called };
            self.find(called.saturating_sub(count), count.saturating_sub(called), finding);
        }
    }

    /// Whether some schedule that held called for an instant that no row has counted yet.
    fn is_expected(&self, at: UtcMs) -> bool {
        let open = self.spans[self.first_open..].iter().take_while(|spans| spans.after < at);
        open.filter(|spans| spans.counted_until < at && at <= spans.until).any(|spans| spans.calls(at))
    }

    /// Why a row that nothing called for is there all the same; None where that is in order.
    fn surplus(&self, row: &LedgerRow) -> Option<Surplus> {
        let Some(spans) = self.spans.iter().find(|spans| spans.revisions.contains(&row.revision)) else {
            return (row.revision >= self.known_from).then_some(Surplus::NoSuchRevision);
        };
        // Recorded after its revision had ended: the clock was put back in between.
        let before_the_clock_went_back = row.recorded_at > spans.until;
        // Recorded ahead, and already being sent when the definition changed.
        let was_begun = row.recorded_at < row.due_at && row.due_at <= row.recorded_at + LONGEST_AHEAD;
        match () {
            () if !spans.calls(row.due_at) => Some(Surplus::NotInSchedule),
            () if row.due_at <= spans.counted_until => Some(Surplus::CountedTwice),
            () if before_the_clock_went_back || was_begun => None,
            () => Some(Surplus::NotInForce),
        }
    }

    /// Whatever was called for before `end` and is not settled yet is missing.
    fn settle_before(&mut self, end: UtcMs) {
        let mut walked = 0;
        while let Some(at) = self.next_expected().filter(|at| *at < end) {
            if walked == WALKED {
                let rest = self.spans.iter().map(|spans| spans.count(self.settled, end)).sum();
                self.balance.expected += rest;
                self.find(rest, 0, Finding::Missing { at });
                break;
            }
            self.balance.expected += 1;
            self.find(1, 0, Finding::Missing { at });
            self.settled = at;
            walked += 1;
        }
        self.settled = self.settled.max(UtcMs(end.0 - 1));
    }

    fn find(&mut self, missing: u64, surplus: u64, finding: Finding) {
        self.balance.missing += missing;
        self.balance.surplus += surplus;
        let beside_rules = matches!(finding, Finding::Surplus { because, .. } if because != Surplus::NotInSchedule);
        self.perhaps_by_rules += u64::from(!beside_rules);
        if self.balance.first.len() < FEW {
            self.balance.first.push(finding);
        }
    }

    /// The first instant after what is settled that some schedule called for while it held.
    fn next_expected(&mut self) -> Option<UtcMs> {
        while self.spans.get(self.first_open).is_some_and(|spans| spans.until <= self.settled) {
            self.first_open += 1;
        }
        let mut next: Option<UtcMs> = None;
        for spans in &self.spans[self.first_open..] {
            if next.is_some_and(|next| next <= spans.after) {
                break;
            }
            let after = self.settled.max(spans.after).max(spans.counted_until);
            let called = spans.schedule.next_called_after(after).map(|called| called.at);
            next = called.filter(|at| *at <= spans.until).into_iter().chain(next).min();
        }
        next
    }
}

impl RevisionSpan {
    fn calls(&self, at: UtcMs) -> bool {
        self.schedule.next_called_after(UtcMs(at.0 - 1)).is_some_and(|called| called.at == at)
    }

    /// How many instants between two, both excluded, it called for while it held.
    fn count(&self, after: UtcMs, end: UtcMs) -> u64 {
        let first = UtcMs(after.max(self.after).max(self.counted_until).0 + 1);
        self.schedule.count_called(first, end.min(UtcMs(self.until.0 + 1)))
    }
}

#[cfg(test)]
mod tests;
