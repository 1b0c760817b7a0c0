//! Rows that stand for many instants must not count those that have rows of their own.
//!
//! Where the clock was put back, a part of the time that such a row is to stand for was lived before. It becomes
//! several rows then, between and beside those that are there: the store would refuse it whole if its first instant
//! had a row, and count the others twice if not. Where they are very many, what comes after the first of them is left to a
//! later transaction, so that no push waits for all of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::vec;

use super::ask::Ask;
use super::timeline::Timeline;
use crate::domain::{LedgerRow, UtcMs};
use crate::policy::misfire::{row_span, settled_until};
use crate::policy::schedule::CompiledSchedule;
use crate::store::NewFire;

/// Rows of a job that are read in one piece.
const PAGE: u64 = 10_000;

/// So many rows around others, and so many pages of these, are enough for one transaction.
const MOST_ROWS: usize = 2048;
const MOST_PAGES: usize = 8;

/// Fires that are put around what is recorded already.
pub(super) struct Backfill {
    rest: vec::IntoIter<NewFire>,
    done: Vec<NewFire>,
    gap: Option<OpenGap>,
    /// Jobs that may go on owing a part of their gap.
    may_owe: HashSet<Arc<str>>,
    /// Those that do, and from which instant on.
    left: Vec<(Arc<str>, UtcMs)>,
    put: usize,
    pages: usize,
}

/// A row that stands for many instants, and how far it is known what lies in it.
struct OpenGap {
    fire: NewFire,
    schedule: Arc<CompiledSchedule>,
    from: UtcMs,
    until: UtcMs,
}

impl OpenGap {
    fn put(&self, until: UtcMs, done: &mut Vec<NewFire>) -> usize {
        let (free, before) = (row_span(&self.schedule, self.from, until), done.len());
        done.extend(free.map(|(due_at, count, until_at)| NewFire { due_at, count, until_at, ..self.fire.clone() }));
        done.len() - before
    }
}

impl Backfill {
    pub(super) fn new(fires: Vec<NewFire>, may_owe: HashSet<Arc<str>>) -> Backfill {
        let done = Vec::with_capacity(fires.len());
        Backfill { done, rest: fires.into_iter(), gap: None, may_owe, left: Vec::new(), put: 0, pages: 0 }
    }

    /// What is to be known next, or None once all rows can be written.
    pub(super) fn next(&mut self, timeline: &Timeline) -> Option<Ask> {
        while self.gap.is_none() {
            let fire = self.rest.next()?;
            match (fire.until_at, timeline.get(&fire.job)) {
                (Some(_), _) if self.is_full() && self.may_owe.contains(&fire.job) => {
                    self.left.push((fire.job, fire.due_at));
                }
                (Some(until), Some(job)) => {
                    self.gap = Some(OpenGap { from: fire.due_at, schedule: job.schedule.clone(), until, fire });
                }
                _ => self.done.push(fire),
            }
        }
        let gap = self.gap.as_ref()?;
        Some(Ask::LedgerRows { job: gap.fire.job.clone(), from: gap.from, until: gap.until, limit: PAGE })
    }

    /// The oldest rows of the gap from where it was last asked about.
    pub(super) fn take(&mut self, rows: &[LedgerRow]) {
        let Some(mut gap) = self.gap.take() else { return };
        let may_owe = self.may_owe.contains(&gap.fire.job);
        self.pages += 1;
        for row in rows {
            if may_owe && self.put >= MOST_ROWS {
                break;
            }
            self.put += gap.put(UtcMs(row.due_at.0 - 1), &mut self.done);
            gap.from = gap.from.max(UtcMs(settled_until(&gap.schedule, row).0 + 1));
        }
        if may_owe && self.is_full() {
            self.left.push((gap.fire.job, gap.from));
        } else if (rows.len() as u64) < PAGE {
            self.put += gap.put(gap.until, &mut self.done);
        } else {
            self.gap = Some(gap);
        }
    }

    fn is_full(&self) -> bool {
        self.put >= MOST_ROWS || self.pages >= MOST_PAGES
    }

    /// What is to be recorded, and from where on jobs go on owing the rest.
    pub(super) fn into_parts(self) -> (Vec<NewFire>, Vec<(Arc<str>, UtcMs)>) {
        (self.done, self.left)
    }
}
