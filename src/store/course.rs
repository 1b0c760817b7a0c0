//! What recording fires makes of the lives of their jobs: how often they have fired, how often they may yet, and where they end.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::{Cursor, NewFire};
use crate::domain::{Decision, Overlap, Reason, UtcMs};

/// What the fires of one call make of the lives of their jobs.
#[derive(Default)]
pub(super) struct Course(HashMap<Arc<str>, JobLife>);

/// How often a job has fired in this call, and may yet.
#[derive(Clone)]
pub(super) struct JobLife {
    pub fired: u64,
    /// None: for ever.
    pub left: Option<u64>,
    /// Its last instant, once none is left.
    pub spent_at: Option<UtcMs>,
}

/// Where a job goes on after its fires, and its end if it has come to that.
pub(super) enum Place {
    Known {
        next_due_at: Option<UtcMs>,
        ended_at: Option<UtcMs>,
    },
    /// Its schedule calls for nothing more, so that its last instant that has a row is its end.
    AtItsLast,
}

impl Course {
    /// Of a job that may fire so often yet, and came to its end before.
    pub(super) fn of(&mut self, name: &Arc<str>, left: Option<u64>, ended_at: Option<UtcMs>) -> &mut JobLife {
        self.0.entry(name.clone()).or_insert_with(|| JobLife::of(left, ended_at))
    }

    /// The same, where nothing of it is in this call any more.
    pub(super) fn after(&self, name: &str, left: Option<u64>, ended_at: Option<UtcMs>) -> JobLife {
        self.0.get(name).cloned().unwrap_or_else(|| JobLife::of(left, ended_at))
    }

    /// The jobs that have fired as often as they may with one of these fires.
    pub(super) fn spent(&self) -> Vec<(Arc<str>, UtcMs)> {
        let by_these = self.0.iter().filter(|(_, life)| life.fired > 0);
        by_these.filter_map(|(job, life)| Some((job.clone(), life.spent_at?))).collect()
    }
}

impl JobLife {
    fn of(left: Option<u64>, ended_at: Option<UtcMs>) -> JobLife {
        JobLife { fired: 0, left, spent_at: ended_at.filter(|_| left == Some(0)) }
    }

    /// Whether the instant comes after the end of the job, and is nobody's.
    pub(super) fn is_over_by(&self, due_at: UtcMs) -> bool {
        self.spent_at.is_some_and(|at| due_at > at)
    }

    /// Why a fire that was to go out does not, if it does not; its row says so. `overlaps` is asked only where that matters.
    pub(super) fn instead<E>(
        &self,
        fire: &NewFire,
        paused_at: Option<UtcMs>,
        overlaps: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Option<Reason>, E> {
        Ok(match fire.decision {
            Decision::Fired if self.left == Some(0) => Some(Reason::MaxFires),
            Decision::Fired if paused_at.is_some_and(|at| at <= fire.due_at) => Some(Reason::Paused),
            Decision::Fired if fire.overlap == Overlap::Skip => overlaps()?.then_some(Reason::Overlap),
            _ => None,
        })
    }

    pub(super) fn count(&mut self, due_at: UtcMs) {
        self.fired += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) {
            self.spent_at = Some(due_at);
        }
    }

    /// A schedule that calls for nothing more ends the job with its last instant.
    pub(super) fn place(&self, next_due_at: Option<UtcMs>) -> Place {
        match (self.spent_at, next_due_at) {
            // A gap from before may still be owed: then its place stays there.
            (Some(spent_at), place) => {
                Place::Known { next_due_at: place.filter(|place| *place <= spent_at), ended_at: Some(spent_at) }
            }
            (None, Some(place)) => Place::Known { next_due_at: Some(place), ended_at: None },
            // A gap is recorded after what fires behind it.
            (None, None) => Place::AtItsLast,
        }
    }
}

/// Whether a place goes back, by which the clock shows an hour again.
pub(super) fn goes_back(cursor: &Cursor, next_due_at: Option<UtcMs>) -> bool {
    let end = |place: Option<UtcMs>| place.unwrap_or(UtcMs::MAX);
    end(next_due_at) < end(cursor.from)
}
