//! Jobs made, changed and removed at run time: by the timer that puts definitions in force, so that what the old ones called
//! for until now is settled as by a reload. A daemon that runs takes notice.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::by_hand::Acts;
use super::done::{Defined, Done, Removed};
use super::inline::{keep_inline_of_jobs, whole_inline};
use super::proposal::{Proposal, Rules};
use crate::answers::next;
use crate::answers::refusal::{Kind, Refusal};
use crate::config::written;
use crate::domain::{Job, UtcMs};
use crate::engine::scheduler::{ApplyError, apply_by_verb};
use crate::store::{Applied, Definition, Expected};
use crate::zone;

impl Acts {
    /// A job that a verb made, changed by `change` in what is said of it in the keys of the files, and judged by `rules`.
    /// `reschedules` is whether that says anew when it fires.
    ///
    /// # Errors
    ///
    /// Those of `change`; with what is wrong with the job as it would be, or with the files.
    pub(crate) async fn edited<E: From<Refusal>>(
        &self,
        found: Definition,
        rules: &impl Rules,
        reschedules: bool,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), E>,
    ) -> Result<Proposal, E> {
        let Definition { mut job, revision, .. } = found;
        for push in &mut job.push {
            whole_inline(&*self.store, &mut push.message).await.map_err(Refusal::from)?;
        }
        let mut mapping = match written(&job) {
            Value::Object(mapping) => mapping,
            _ => Map::new(),
        };
        change(&mut mapping)?;
        let mut proposal = rules.judged(mapping).await?;
        if reschedules {
            proposal.refuse_past(rules.now())?;
            proposal.said_at = Some(rules.now());
        }
        proposal.expected = vec![Expected { job: job.name.into(), revision: Some(revision) }];
        Ok(proposal)
    }

    /// Puts jobs in force, all or none.
    ///
    /// # Errors
    ///
    /// Somebody else was first at one of them; those of the store.
    pub(crate) async fn define(&self, proposal: Proposal) -> Result<Done, Refusal> {
        let Proposal { mut jobs, expected, said_at, .. } = proposal;
        let mut defined = jobs.clone();
        keep_inline_of_jobs(&*self.store, &mut jobs, self.clock.now()).await?;
        let hashed = spawn_blocking(move || Job::with_hashes(jobs)).await;
        let changed = hashed.map_err(|_| Refusal::new(Kind::Broken, "the comparison of definitions broke down"))?;
        self.apply(changed, Vec::new(), expected, said_at).await?;
        let fired = self.store.counted_fires().await?.into_iter().collect();
        let now = self.clock.now();
        next::bring_to_their_ends(&mut defined, &fired, now)?;
        let jobs = defined
            .iter()
            .map(|job| self.defined(job, said_at.unwrap_or(now).min(now)))
            .collect::<Result<_, Refusal>>()?;
        Ok(self.done(Done::Defined { jobs }))
    }

    /// Removes jobs that verbs made, all or none.
    ///
    /// # Errors
    ///
    /// As [`Acts::define`].
    pub(crate) async fn remove(&self, found: Vec<Definition>) -> Result<Done, Refusal> {
        let names: Vec<String> = found.iter().map(|found| found.job.name.clone()).collect();
        let seen = |found: Definition| Expected { job: found.job.name.into(), revision: Some(found.revision) };
        let expected = found.into_iter().map(seen).collect();
        let applied =
            self.apply(Vec::new(), names.iter().map(|name| name.as_str().into()).collect(), expected, None).await?;
        let removed = |job: String| {
            let cancelled = applied.cancelled_of.iter().find(|(of, _)| *of == job).map_or(0, |(_, pushes)| *pushes);
            Removed { job, cancelled }
        };
        Ok(self.done(Done::Removed { jobs: names.into_iter().map(removed).collect() }))
    }

    async fn apply(
        &self,
        changed: Vec<(Job, i64)>,
        removed: Vec<Arc<str>>,
        expected: Vec<Expected>,
        said_at: Option<UtcMs>,
    ) -> Result<Applied, Refusal> {
        let zone_version = zone::data_version();
        Ok(apply_by_verb(&*self.store, &*self.clock, zone_version, changed, removed, expected, said_at).await?)
    }

    /// What it calls for after `since`, though that may have passed.
    fn defined(&self, job: &Job, since: UtcMs) -> Result<Defined, Refusal> {
        let of_one = std::slice::from_ref(job);
        let coming = next::coming(of_one, Some(&job.name), Some(1), since)?;
        let next_due_at = coming.first().map(|fire| fire.at);
        let (schedule, timezone) = (job.schedule.clone(), job.timezone.to_string());
        let is_due = next_due_at.is_some_and(|at| at <= self.clock.now());
        Ok(Defined { job: job.name.clone(), schedule, timezone, next_due_at, is_due })
    }
}

impl From<ApplyError> for Refusal {
    fn from(error: ApplyError) -> Refusal {
        let kind = match error {
            ApplyError::Store(error) => return Refusal::from(error),
            ApplyError::Schedule { .. } => Kind::BadConfig,
            ApplyError::Clock { .. } | ApplyError::Refused { .. } => Kind::Broken,
            ApplyError::Partly { .. } => Kind::OutOfReach,
        };
        Refusal::of(kind, &error)
    }
}
