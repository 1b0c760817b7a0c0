//! Jobs of which the store takes nothing, though all is read again each time.
//!
//! A refusal means that another process moved the place of the job, and one reading mends it. One that is repeated for the
//! same place can only be a fault, of pushcron or of the row. Then the job waits for pauses that grow, and the timer goes
//! on with the others: without this it would decide, be refused and read again in one endless round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::domain::{Moment, UtcMs};
use crate::store::Cursor;

/// So many refusals in a row for one place are more than other processes can explain.
const PATIENCE: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Refusals(BTreeMap<Arc<str>, Refusal>);

struct Refusal {
    place: Option<UtcMs>,
    times: u32,
    rests_until: Option<Moment>,
}

impl Refusals {
    /// Counts what came of a plan.
    pub(super) fn note(&mut self, cursors: &[Cursor], stale: &[Arc<str>], now: Moment) {
        if self.0.is_empty() && stale.is_empty() {
            return;
        }
        for Cursor { job, from, next_due_at } in cursors {
            if stale.contains(job) {
                self.refused(job, *from, now);
            } else if self.0.get(job).is_some_and(|refusal| refusal.place != *next_due_at) {
                // What is taken of a job that stays where it was refused, since it owes a gap there, says nothing.
                self.0.remove(job);
            }
        }
    }

    fn refused(&mut self, job: &Arc<str>, place: Option<UtcMs>, now: Moment) {
        let refusal = self.0.entry(job.clone()).or_insert(Refusal { place, times: 0, rests_until: None });
        refusal.times = if refusal.place == place { refusal.times + 1 } else { 1 };
        (refusal.place, refusal.rests_until) = (place, None);
        let Some(beyond) = refusal.times.checked_sub(PATIENCE) else { return };
        let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(16)).min(LONGEST_PAUSE);
        refusal.rests_until = Some(now + pause);
        warn!(
            job = &**job,
            times = refusal.times,
            pause_s = pause.as_secs(),
            "what is due of a job is refused by the database again and again (a bug of pushcron); the job waits"
        );
    }

    /// Whether more was refused of the job than other processes explain.
    pub(super) fn is_hopeless(&self, job: &str) -> bool {
        self.0.get(job).is_some_and(|refusal| refusal.times >= PATIENCE)
    }

    /// Jobs that wait for the end of a pause.
    pub(super) fn resting(&self, now: Moment) -> impl Iterator<Item = &Arc<str>> {
        self.0
            .iter()
            .filter(move |(_, refusal)| refusal.rests_until.is_some_and(|until| until > now))
            .map(|(job, _)| job)
    }

    /// Jobs whose pause is over.
    pub(super) fn take_rested(&mut self, now: Moment) -> Vec<Arc<str>> {
        let rested = self.0.iter_mut().filter(|(_, refusal)| refusal.rests_until.is_some_and(|until| until <= now));
        let take = |(job, refusal): (&Arc<str>, &mut Refusal)| {
            refusal.rests_until = None;
            job.clone()
        };
        rested.map(take).collect()
    }

    /// When the first pause is over.
    pub(super) fn next_end(&self) -> Option<Moment> {
        self.0.values().filter_map(|refusal| refusal.rests_until).min()
    }
}
