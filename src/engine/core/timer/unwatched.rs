//! Pushes that were recorded ahead of an instant which then passed while nobody watched.
//!
//! They were shown, so they stay: the misfire policy of their job says whether they are still sent, or end with the
//! reason for which their instant would have been missed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tracing::warn;

use crate::domain::{Next, Reason, UtcMs};
use crate::policy::misfire;
use crate::policy::schedule::ScheduleCache;
use crate::store::{Settle, Unwatched};

/// A push that comes too late.
pub(super) struct Late {
    job: Arc<str>,
    push_id: i64,
    reason: Reason,
}

impl Late {
    /// How it ends.
    pub(super) fn settle(&self) -> Settle {
        Settle::of(self.push_id, Next::Expired { reason: self.reason })
    }
}

/// Those that come too late, job by job.
pub(super) fn too_late(unwatched: Vec<Unwatched>, now: UtcMs) -> Vec<Late> {
    let mut by_job: BTreeMap<Arc<str>, Vec<Unwatched>> = BTreeMap::new();
    for push in unwatched {
        by_job.entry(push.job.name.clone()).or_default().push(push);
    }
    let (mut all, mut cache) = (Vec::new(), ScheduleCache::default());
    for (name, pushes) in by_job {
        let Some(first) = pushes.iter().map(|push| push.due_at).min() else { continue };
        let job = &pushes[0].job;
        // A schedule that no longer compiles keeps the daemon from starting, and is told there.
        let Ok(schedule) = cache.get_or_compile(job.timing()) else { continue };
        all.extend(pushes.iter().filter_map(|push| {
            let reason = misfire::too_late(&schedule, &job.misfire, first, push.due_at, now)?;
            Some(Late { job: name.clone(), push_id: push.push_id, reason })
        }));
    }
    all
}

/// One line for each job; `ended` are those that did end.
pub(super) fn tell(late: &[Late], ended: &[i64]) {
    let ended: HashSet<i64> = ended.iter().copied().collect();
    for of_job in late.chunk_by(|a, b| a.job == b.job) {
        let mut of_job = of_job.iter().filter(|late| ended.contains(&late.push_id)).peekable();
        let Some(Late { job, reason, .. }) = of_job.peek() else { continue };
        let (job, reason) = (&**job, reason.as_str());
        warn!(job, pushes = of_job.count(), reason, "pushes end as expired: nobody watched their instant");
    }
}
