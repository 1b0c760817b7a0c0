//! What fired and has no row any more, in stretches: it must not fire again where the clock is put back to before its instant.
//!
//! Rows go in the order of their instants, so that what fired of a job lies in stretches, one as a rule. What did not fire
//! ends a stretch: under a clock that stood ahead much is missed that is still to come when the clock is set. So does a day
//! of which there was no row, where the job left days out: by other lists it may be called for.

use jiff::tz::TimeZone;

use super::cells::zone;
use crate::domain::UtcMs;

/// So many stretches of a job are kept, the latest: the others lie further back than clocks are put.
pub(super) const STRETCHES: i64 = 8;

/// A fire of a schedule that is about to be pruned.
pub(super) struct Leaving {
    pub job: String,
    pub revision: u32,
    pub fired: bool,
    pub at: UtcMs,
}

/// Rows in a row of one job, one revision and one fate.
pub(super) struct Stretch {
    pub job: String,
    pub revision: u32,
    pub fired: bool,
    pub from: UtcMs,
    pub until: UtcMs,
    /// None where nobody knows any more, or nothing fired.
    pub said: Option<Said>,
}

/// What a job said when it fired.
#[derive(Clone)]
pub(super) struct Said {
    pub schedule: String,
    /// Its zone, where it left days out or had an end: of a day between two that fired nothing is known then.
    by_days: Option<TimeZone>,
}

impl Said {
    /// `zone_by_days` names its zone where it left days out or had an end.
    pub(super) fn new(schedule: String, zone_by_days: Option<&str>) -> Said {
        Said { schedule, by_days: zone_by_days.map(zone) }
    }

    /// Whether all that the schedule calls for between two instants that fired has fired, as far as the days go.
    pub(super) fn leaves_no_day_out(&self, from: UtcMs, until: UtcMs) -> bool {
        let Some(zone) = &self.by_days else { return true };
        let day = |at: UtcMs| at.to_jiff().to_zoned(zone.clone()).date();
        day(from).tomorrow().is_ok_and(|next| day(until) <= next)
    }
}

/// The stretches of these fires, which stand in the order of their jobs and instants. `said` tells what a job said by a revision.
pub(super) fn stretches<E>(
    fires: impl IntoIterator<Item = Leaving>,
    mut said: impl FnMut(&str, u32) -> Result<Option<Said>, E>,
) -> Result<Vec<Stretch>, E> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for Leaving { job, revision, fired, at } in fires {
        match stretches.last_mut() {
            Some(open)
                if open.job == job
                    && open.revision == revision
                    && open.fired == fired
                    && open.said.as_ref().is_none_or(|said| said.leaves_no_day_out(open.until, at)) =>
            {
                open.until = at;
            }
            _ => {
                let said = if fired { said(&job, revision)? } else { None };
                stretches.push(Stretch { job, revision, fired, from: at, until: at, said });
            }
        }
    }
    Ok(stretches)
}
