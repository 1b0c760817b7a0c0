//! Which fires wait for what is made or read for them, as the preparer knows them.
//!
//! Very many may wait for long, each for a list of days, while others come and go. So all of them are read only where that
//! may change something for them; otherwise those that came since, and each once more when its turn has come.

use std::collections::{BTreeSet, HashSet};

use crate::domain::{Trigger, UtcMs};
use crate::policy::hold::{Hold, hold};
use crate::policy::schedule::ScheduleCache;
use crate::store::Unexpanded;

/// Rows that are read at once.
const PAGE: u64 = 256;

/// How much is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Nothing,
    /// Fires that were recorded since the last look.
    New,
    /// All that waits.
    All,
}

/// The fires that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Those that nothing holds, by their instants and ids.
    ready: BTreeSet<(UtcMs, i64)>,
    /// The highest id of all that were seen: fires that are recorded later have higher ones.
    seen: i64,
    /// When the first of those that wait for a list of days waits no more.
    held_until: Option<UtcMs>,
}

impl Waiting {
    /// Reads on by `read`, which hands out so many rows with ids above that. Returns the ids of all that wait, where all were
    /// read.
    ///
    /// # Errors
    ///
    /// Those of `read`; then the same look is due again.
    pub(super) async fn look<E, F: Future<Output = Result<Vec<Unexpanded>, E>>>(
        &mut self,
        look: Look,
        mut read: impl FnMut(i64, u64) -> F,
        mut judge: impl FnMut(&Unexpanded) -> Hold,
    ) -> Result<Option<HashSet<i64>>, E> {
        match look {
            Look::Nothing => return Ok(None),
            Look::New => {}
            Look::All => *self = Waiting::default(),
        }
        let mut all = HashSet::new();
        loop {
            let page = read(self.seen, PAGE).await?;
            for fire in &page {
                self.take(fire, judge(fire));
            }
            all.extend(page.iter().map(|fire| fire.fire_id));
            if (page.len() as u64) < PAGE {
                return Ok((look == Look::All).then_some(all));
            }
        }
    }

    /// Takes a fire that waits.
    pub(super) fn take(&mut self, fire: &Unexpanded, hold: Hold) {
        self.seen = self.seen.max(fire.fire_id);
        match hold {
            Hold::Until(until) => {
                self.held_until = Some(self.held_until.map_or(until, |first| first.min(until)));
            }
            Hold::Free | Hold::Over | Hold::Unwanted(_) => self.put_back((fire.due_at, fire.fire_id)),
        }
    }

    /// One whose turn has not come after all.
    pub(super) fn put_back(&mut self, fire: (UtcMs, i64)) {
        self.ready.insert(fire);
    }

    /// The next one whose turn has come.
    pub(super) fn next(&mut self) -> Option<(UtcMs, i64)> {
        self.ready.pop_first()
    }

    pub(super) fn held_until(&self) -> Option<UtcMs> {
        self.held_until
    }
}

/// What holds a fire of the schedule. One by hand is not held, nor is one that cannot be sent any more.
pub(super) fn hold_of(fire: &Unexpanded, now: UtcMs, schedules: &mut ScheduleCache) -> Hold {
    match &fire.definition {
        Ok(definition) if fire.triggered_by == Trigger::Cron && !fire.is_removed => {
            hold(definition, fire.present.as_ref(), fire.due_at, now, schedules)
        }
        _ => Hold::Free,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Rows, and how many of them were read.
    #[derive(Default)]
    struct Rows {
        fires: Vec<(i64, &'static str)>,
        read: Cell<usize>,
        calls: Cell<usize>,
    }

    impl Rows {
        async fn read(&self, after: i64, limit: u64) -> Result<Vec<Unexpanded>, String> {
            let fires = self.fires.iter().filter(|(id, _)| *id > after).take(usize::try_from(limit).unwrap());
            let page: Vec<Unexpanded> = fires.map(|(id, job)| unexpanded(*id, job)).collect();
            self.calls.set(self.calls.get() + 1);
            self.read.set(self.read.get() + page.len());
            Ok(page)
        }
    }

    fn unexpanded(fire_id: i64, job: &str) -> Unexpanded {
        Unexpanded {
            fire_id,
            job: job.into(),
            due_at: UtcMs(1000 - fire_id % 7),
            is_removed: false,
            triggered_by: Trigger::Cron,
            is_backfill: false,
            definition: Err("is not asked".to_owned()),
            present: None,
        }
    }

    fn judge(fire: &Unexpanded) -> Hold {
        if &*fire.job == "held" { Hold::Until(UtcMs(fire.fire_id)) } else { Hold::Free }
    }

    async fn look(waiting: &mut Waiting, look: Look, rows: &Rows) -> Option<HashSet<i64>> {
        waiting.look(look, |after, limit| rows.read(after, limit), judge).await.unwrap()
    }

    #[tokio::test]
    async fn those_that_are_held_are_not_read_again_for_each_fire_that_comes_and_each_that_ends() {
        let (mut waiting, mut rows) = (Waiting::default(), Rows::default());
        rows.fires = (1..=10_000).map(|id| (id, "held")).collect();
        look(&mut waiting, Look::All, &rows).await;
        assert_eq!((rows.read.get(), waiting.held_until()), (10_000, Some(UtcMs(1))));
        for id in 10_001..=10_500 {
            rows.fires.push((id, "report"));
            look(&mut waiting, Look::New, &rows).await;
            assert_eq!(waiting.next().map(|(_, id)| id), Some(id));
            // Its content is made.
            look(&mut waiting, Look::Nothing, &rows).await;
            rows.fires.pop();
        }
        assert_eq!(rows.read.get(), 10_500, "each row was read once");
        assert_eq!(waiting.held_until(), Some(UtcMs(1)));
    }

    #[tokio::test]
    async fn all_that_waits_is_read_in_pages_and_goes_in_the_order_of_its_instants() {
        let (mut waiting, mut rows) = (Waiting::default(), Rows::default());
        rows.fires = (1..=1000).map(|id| (id, if id % 2 == 0 { "held" } else { "report" })).collect();
        let all = look(&mut waiting, Look::All, &rows).await;
        assert_eq!((all.unwrap().len(), rows.read.get(), rows.calls.get()), (1000, 1000, 4));
        let order: Vec<(UtcMs, i64)> = std::iter::from_fn(|| waiting.next()).collect();
        assert!(order.is_sorted() && order.len() == 500, "{order:?}");
        // Whatever was known is read anew, and nothing is there twice.
        look(&mut waiting, Look::All, &rows).await;
        look(&mut waiting, Look::All, &rows).await;
        assert_eq!(std::iter::from_fn(|| waiting.next()).count(), 500);
    }

    #[tokio::test]
    async fn what_could_not_be_read_is_read_at_the_next_look() {
        let (mut waiting, mut rows) = (Waiting::default(), Rows::default());
        rows.fires = (1..=600).map(|id| (id, "report")).collect();
        let broken = async |after, limit| match rows.calls.get() {
            1 => Err("database is locked".to_owned()),
            _ => rows.read(after, limit).await,
        };
        assert!(waiting.look(Look::New, broken, judge).await.is_err());
        look(&mut waiting, Look::New, &rows).await;
        assert_eq!(std::iter::from_fn(|| waiting.next()).count(), 600);
    }
}
