//! Which instants of a job did not come about, so that they may be made up for by hand.

use std::collections::HashSet;
use std::sync::Arc;

use super::refusal::{Kind, Refusal};
use crate::domain::{Decision, PushState, Reason, Trigger, UtcMs};
use crate::policy::schedule::{CompiledSchedule, ScheduleCache};
use crate::store::{FireRecord, History, Revision};

/// More instants than this are made up for by nobody.
const MOST: usize = 10_000;

/// Which instants are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub from: UtcMs,
    /// Exclusive.
    pub until: UtcMs,
    pub skipped: bool,
    pub missed: bool,
    /// Also those that fired without one push of theirs being sent or still open.
    pub again: bool,
}

/// The instants of a job that its rows say did not come about and that were not made up for yet, oldest first.
///
/// # Errors
///
/// When there is no such job, its schedule of then cannot be read, or there are far too many.
pub(crate) async fn owed(store: &dyn History, job: &str, wanted: &Wanted) -> Result<Vec<UtcMs>, Refusal> {
    let rows = store.fires(job, wanted.from, UtcMs(wanted.until.0 - 1)).await?;
    let revisions = store.revisions(job).await?;
    let mut cache = ScheduleCache::default();
    let mut owed = Vec::new();
    for row in rows.iter().filter(|row| row.triggered_by == Trigger::Cron && is_owed(row, wanted)) {
        let Some(last) = row.until_at else {
            owed.push(row.due_at);
            continue;
        };
        let schedule = schedule_of(row, &revisions, &mut cache)?;
        let (first, end) = (row.due_at.max(wanted.from), wanted.until.min(UtcMs(last.0 + 1)));
        owed.extend(schedule.occurrences(first, end).take(MOST + 1));
        if owed.len() > MOST {
            let text = format!("more than {MOST} instants of job '{job}' lie in that time: name a shorter one");
            return Err(Refusal::new(Kind::Senseless, text));
        }
    }
    let by_hand = rows.iter().filter(|row| row.triggered_by == Trigger::Manual);
    let made_up: HashSet<UtcMs> = by_hand.map(|row| row.due_at).collect();
    owed.retain(|at| *at >= wanted.from && !made_up.contains(at));
    Ok(owed)
}

fn is_owed(row: &FireRecord, wanted: &Wanted) -> bool {
    // That hour was not on the clock at all.
    let is_no_hour = row.reason.as_deref() == Some(Reason::DstGap.as_str());
    match row.decision {
        Decision::Skipped => wanted.skipped && !is_no_hour,
        Decision::Missed => wanted.missed && !is_no_hour,
        Decision::Fired => {
            let is_done = |state: PushState| state == PushState::Sent || !state.is_final();
            wanted.again && !row.pushes.iter().any(|push| is_done(push.state))
        }
    }
}

/// The schedule that called for a row.
fn schedule_of(
    row: &FireRecord,
    revisions: &[Revision],
    cache: &mut ScheduleCache,
) -> Result<Arc<CompiledSchedule>, Refusal> {
    let revision = revisions.iter().find(|revision| Some(revision.revision) == row.revision);
    let Some(job) = revision.and_then(|revision| revision.definition.as_ref()) else {
        let text = format!("what called for the {} instants from {} on is not known any more", row.count, row.due_at);
        return Err(Refusal::new(Kind::NotAllowed, text));
    };
    cache.get_or_compile(job.timing()).map_err(|error| Refusal::of(Kind::Broken, &error))
}
