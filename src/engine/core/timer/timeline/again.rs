//! Jobs read again by a timer that runs.

use super::Timeline;
use crate::domain::UtcMs;
use crate::policy::schedule::ScheduleError;
use crate::store::StoredJob;

impl Timeline {
    /// A timeline of the jobs as they are stored now, which goes on with each schedule as this one has it: whatever was
    /// done to the system's zone data since, they were compiled once. Also returns the jobs that are left out, since
    /// their schedules do not compile and are not known here either.
    pub fn again(
        &self,
        stored: Vec<StoredJob>,
        zone_version: &str,
        now: UtcMs,
    ) -> (Timeline, Vec<(String, ScheduleError)>) {
        let mut timeline = Timeline { zone_version: zone_version.into(), ..Timeline::default() };
        timeline.jobs.reserve_exact(stored.len());
        timeline.by_name.reserve(stored.len());
        let mut left_out = Vec::new();
        for job in stored {
            if let Some(known) = self.get(&job.name).filter(|known| known.definition_hash == job.definition_hash) {
                timeline.cache.keep(job.timing(), &known.defined);
            }
            left_out.extend(timeline.put(job, now).err());
        }
        (timeline, left_out)
    }
}
