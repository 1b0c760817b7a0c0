//! Pushes that were recorded ahead of an instant which then passed while nobody watched.
//!
//! They were shown, so they stay: the misfire policy of their job says whether they are still sent, or end with the
//! reason for which their instant would have been missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use crate::domain::{Next, Reason, UtcMs};
use crate::policy::misfire;
use crate::policy::schedule::ScheduleCache;
use crate::store::{Settle, Unwatched};

/// How those end that come too late.
pub(super) fn too_late(unwatched: Vec<Unwatched>, now: UtcMs) -> Vec<Settle> {
    let mut by_job: BTreeMap<Arc<str>, Vec<Unwatched>> = BTreeMap::new();
    for push in unwatched {
        by_job.entry(push.job.name.clone()).or_default().push(push);
    }
    let (mut settles, mut cache) = (Vec::new(), ScheduleCache::default());
    for (name, pushes) in by_job {
        let Some(first) = pushes.iter().map(|push| push.due_at).min() else { continue };
        let job = &pushes[0].job;
        // A schedule that no longer compiles keeps the daemon from starting, and is told there.
        let Ok(schedule) = cache.get_or_compile(job.timing()) else { continue };
        let late = pushes.iter().filter_map(|push| {
            let reason = misfire::too_late(&schedule, &job.misfire, first, push.due_at, now)?;
            Some(Settle { push_id: push.push_id, next: Next::Expired { reason } })
        });
        let late: Vec<Settle> = late.collect();
        if let Some(reason) = late.first().and_then(|settle| settle.next.reason()).map(Reason::as_str) {
            warn!(job = &*name, pushes = late.len(), reason, "pushes end as expired: nobody watched their instant");
        }
        settles.extend(late);
    }
    settles
}
