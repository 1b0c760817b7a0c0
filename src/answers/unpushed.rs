//! What no push can tell: instants that came to nothing, fires whose pushes are still to be made, and instants that nobody
//! has decided about yet.

use std::collections::HashMap;
use std::time::Duration;

use super::accounts::{self, AccountLine};
use super::explain::compiled;
use super::jobs::{self, JobLine};
use crate::domain::{Decision, Job, PushSpec, UtcMs};
pub(crate) use crate::store::Unfired;
use crate::store::{Filter, History, Revision, StoreError};

/// Rows that are read.
const MOST_READ: u64 = 10_000;

/// Those of them that are told.
const MOST_TOLD: usize = 100;

/// Instants of one job that are counted.
const MOST_COUNTED: usize = 10_000;

/// A daemon that runs has decided about an instant by then.
const DECIDED_WITHIN: Duration = Duration::from_secs(5);

/// Oldest first.
pub(crate) struct Unpushed {
    pub unfired: Vec<Unfired>,
    pub undecided: Vec<Undecided>,
}

/// Instants of a job that are due, and of which there is no row.
pub(crate) struct Undecided {
    pub job: String,
    pub timezone: String,
    pub first: UtcMs,
    pub last: UtcMs,
    pub count: usize,
}

impl Undecided {
    /// Whether there may be more of them than were counted.
    pub(crate) fn is_cut(&self) -> bool {
        self.count >= MOST_COUNTED
    }
}

impl Unpushed {
    /// Those of the jobs of which some push fits the filter, in its time and before `now`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn read(
        store: &dyn History,
        filter: &Filter,
        now: UtcMs,
        daemon_runs: bool,
    ) -> Result<Unpushed, StoreError> {
        let mut fitting = Fitting::new(store, filter).await?;
        let until = filter.until.map_or(now, |until| until.min(now));
        let mut unfired = Vec::new();
        for instants in store.unfired(filter.job.as_deref(), filter.since, Some(until), MOST_READ).await? {
            if unfired.len() < MOST_TOLD && fitting.has(&instants.job, instants.due_at).await? {
                unfired.push(instants);
            }
        }
        unfired.sort_by_key(|instants| instants.due_at);
        let decided_by = if daemon_runs { now - DECIDED_WITHIN } else { now };
        let undecided = undecided(store, filter, until.min(UtcMs(decided_by.0 - 1)), &mut fitting).await?;
        Ok(Unpushed { unfired, undecided })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unfired.is_empty() && self.undecided.is_empty()
    }

    /// Whether somebody may wait for any of it: what was skipped was meant to be.
    pub(crate) fn is_missing(&self) -> bool {
        !self.undecided.is_empty() || self.unfired.iter().any(|instants| instants.decision != Decision::Skipped)
    }
}

/// Instants up to `until`, included, from the place on to which each job has come. What a job skips by its own rules, and
/// what it would not fire at since it is paused or disabled, is none of them.
async fn undecided(
    store: &dyn History,
    filter: &Filter,
    until: UtcMs,
    fitting: &mut Fitting<'_>,
) -> Result<Vec<Undecided>, StoreError> {
    let (paused, counted) = (store.paused_jobs().await?, store.counted_fires().await?);
    let mut found = Vec::new();
    for JobLine { job, next_due_at, .. } in JobLine::all(&jobs::jobs(store).await?) {
        let is_asked = filter.job.as_ref().is_none_or(|asked| *asked == job) && !paused.iter().any(|name| *name == job);
        let Some(place) = next_due_at.filter(|place| is_asked && *place <= until) else { continue };
        let Some(revision) = store.revisions(&job).await?.pop().filter(|revision| revision.enabled) else { continue };
        if !fitting.has(&job, place).await? {
            continue;
        }
        let max = revision.definition.as_ref().and_then(|job| job.life.as_ref()?.max_fires);
        let fired = counted.iter().find(|(name, _)| *name == job).map_or(0, |(_, fired)| *fired);
        let left = max.map_or(usize::MAX, |max| usize::try_from(max.saturating_sub(fired)).unwrap_or(usize::MAX));
        let since = filter.since.unwrap_or(UtcMs::MIN);
        // Those before the time that is asked about count where only so many are left.
        let from = if max.is_some() { place } else { place.max(since) };
        let instants: Vec<UtcMs> = match compiled(&revision) {
            Some(schedule) => {
                let called = schedule.called(from, UtcMs(until.0 + 1)).filter(|called| called.skipped.is_none());
                called.take(left).map(|called| called.at).filter(|at| *at >= since).take(MOST_COUNTED).collect()
            }
            // Whatever else it calls for, this it did.
            None => Some(place).filter(|at| *at >= since).into_iter().collect(),
        };
        if let (Some(first), Some(last)) = (instants.first(), instants.last()) {
            let (job, timezone) = (job.into_owned(), revision.timezone);
            found.push(Undecided { job, timezone, first: *first, last: *last, count: instants.len() });
        }
    }
    found.sort_by_key(|undecided| undecided.first);
    Ok(found)
}

/// Which jobs have pushes that fit a filter.
struct Fitting<'a> {
    store: &'a dyn History,
    filter: &'a Filter,
    /// That of the account that is asked about, where it is known.
    im: Option<String>,
    known: HashMap<String, Vec<Revision>>,
}

impl<'a> Fitting<'a> {
    async fn new(store: &'a dyn History, filter: &'a Filter) -> Result<Fitting<'a>, StoreError> {
        let im = match &filter.account {
            Some(asked) => {
                let accounts = accounts::known(store).await?;
                AccountLine::all(&accounts).find(|line| line.account == *asked).map(|line| line.im.into_owned())
            }
            None => None,
        };
        Ok(Fitting { store, filter, im, known: HashMap::new() })
    }

    /// Whether a job had such a push at an instant. Of one whose definition is not kept or cannot be read nobody can say
    /// that it had none.
    async fn has(&mut self, job: &str, at: UtcMs) -> Result<bool, StoreError> {
        let Filter { im, account, targets, .. } = self.filter;
        if im.is_none() && account.is_none() && targets.is_empty() {
            return Ok(true);
        }
        if !self.known.contains_key(job) {
            self.known.insert(job.to_owned(), self.store.revisions(job).await?);
        }
        let revisions = self.known.get(job).map_or(&[][..], |revisions| revisions);
        let then = revisions.iter().find(|known| known.from_at < at && known.until_at.is_none_or(|until| at <= until));
        let definition: Option<&Job> = then.or(revisions.last()).and_then(|revision| revision.definition.as_ref());
        Ok(definition.is_none_or(|job| job.push.iter().any(|push| self.fits(push))))
    }

    fn fits(&self, push: &PushSpec) -> bool {
        let Filter { im, account, targets, .. } = self.filter;
        let is_account = |asked: &String| match &push.account {
            Some(named) => named == asked,
            None => self.im.as_ref() == Some(&push.im),
        };
        let target = push.target.to_string();
        let kind = |target: &str| target.split_once(':').map(|(kind, _)| kind.to_owned());
        // Who is on a list is not known before it is read.
        let is_target = |asked: &String| *asked == target || push.list.is_some() && kind(asked) == kind(&target);
        im.as_ref().is_none_or(|im| *im == push.im)
            && account.as_ref().is_none_or(is_account)
            && (targets.is_empty() || targets.iter().any(is_target))
    }
}
