//! Jobs that verbs make, change and remove, in a process of their own: by the timer that puts definitions in force, so that
//! what the old ones called for until now is settled as by a reload. A daemon that runs takes notice.

use super::DaemonError;
use super::setup::{hashed, keep_inline_of_jobs, zone_version};
use crate::clock::SharedClock;
use crate::domain::Job;
use crate::engine::scheduler::apply_by_verb;
use crate::store::{Applied, Backend, Expected};

/// What a verb wants of some jobs.
#[derive(Debug, Default)]
pub struct JobsByVerb {
    pub changed: Vec<Job>,
    pub removed: Vec<String>,
    /// For each of them the revision that the verb saw; None where there must be no such job yet.
    pub expected: Vec<(String, Option<u32>)>,
}

/// Makes all of it durable, or nothing.
///
/// # Errors
/// Somebody else was first at one of these jobs, or the database cannot be written.
pub(crate) async fn change_jobs(
    store: &dyn Backend,
    clock: &SharedClock,
    wanted: JobsByVerb,
) -> Result<Applied, DaemonError> {
    let JobsByVerb { mut changed, removed, expected } = wanted;
    keep_inline_of_jobs(store, &mut changed, clock.now()).await?;
    let changed = hashed(changed).await?;
    let removed = removed.into_iter().map(Into::into).collect();
    let expected = expected.into_iter().map(|(job, revision)| Expected { job: job.into(), revision }).collect();
    Ok(apply_by_verb(store, &**clock, zone_version(), changed, removed, expected).await?)
}
