//! Rows that stand for many instants must not count those that have rows of their own.
//!
//! Where the clock was put back, a part of the time that such a row is to stand for was lived before. It becomes
//! several rows then, between and beside those that are there: the store would refuse it whole if its first instant
//! had a row, and count the others twice if not.

use std::sync::Arc;
use std::vec;

use super::ask::Ask;
use super::timeline::Timeline;
use crate::domain::{LedgerRow, UtcMs};
use crate::policy::misfire::{settled_until, stretch};
use crate::policy::schedule::CompiledSchedule;
use crate::store::NewFire;

/// Rows of a job that are read in one piece.
const PAGE: u64 = 10_000;

/// Fires that are put around what is recorded already.
pub(super) struct Backfill {
    rest: vec::IntoIter<NewFire>,
    done: Vec<NewFire>,
    gap: Option<OpenGap>,
}

/// A row that stands for many instants, and how far it is known what lies in it.
struct OpenGap {
    fire: NewFire,
    schedule: Arc<CompiledSchedule>,
    from: UtcMs,
    until: UtcMs,
}

impl OpenGap {
    fn put(&self, until: UtcMs, done: &mut Vec<NewFire>) {
        let free = stretch(&self.schedule, self.from, until);
        done.extend(free.map(|(due_at, count, until_at)| NewFire { due_at, count, until_at, ..self.fire.clone() }));
    }
}

impl Backfill {
    pub fn new(fires: Vec<NewFire>) -> Backfill {
        Backfill { done: Vec::with_capacity(fires.len()), rest: fires.into_iter(), gap: None }
    }

    /// What is to be known next, or None once all rows can be written.
    pub fn next(&mut self, timeline: &Timeline) -> Option<Ask> {
        while self.gap.is_none() {
            let fire = self.rest.next()?;
            match (fire.until_at, timeline.get(&fire.job)) {
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
    pub fn take(&mut self, rows: &[LedgerRow]) {
        let Some(gap) = &mut self.gap else { return };
        for row in rows {
            gap.put(UtcMs(row.due_at.0 - 1), &mut self.done);
            gap.from = gap.from.max(UtcMs(settled_until(&gap.schedule, row).0 + 1));
        }
        if (rows.len() as u64) < PAGE {
            gap.put(gap.until, &mut self.done);
            self.gap = None;
        }
    }

    pub fn into_fires(self) -> Vec<NewFire> {
        self.done
    }
}
