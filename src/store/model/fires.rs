//! Instants and what was decided about them.

use std::sync::Arc;

use super::jobs::StoredJob;
use super::pushes::OpenPush;
use crate::domain::{Decision, Overlap, PushSpec, Reason, Trigger, UtcMs};

/// One instant of a job's schedule and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFire {
    pub job: Arc<str>,
    pub due_at: UtcMs,
    pub decision: Decision,
    pub reason: Option<Reason>,
    /// How many instants this row stands for: 1, or more for a long gap (then `until_at` is the last of them).
    pub count: u64,
    pub until_at: Option<UtcMs>,
    pub overlap: Overlap,
    /// The zone in which the schedule was evaluated and the version of its rules.
    pub zone: Option<Arc<str>>,
    /// What a list of days has to say of the day.
    pub calendar: Option<String>,
}

/// A job's place in its schedule after some fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub job: Arc<str>,
    /// The place that the caller goes on from, as [`StoredJob::next_due_at`] or the last cursor told it. Another
    /// process may have moved it meanwhile (a pause withdraws what was recorded ahead); see [`Recorded::stale`].
    pub from: Option<UtcMs>,
    pub next_due_at: Option<UtcMs>,
}

/// What [`Store::record_fires`](crate::store::Store::record_fires) did.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The pushes that now wait for their instant.
    pub pushes: Vec<OpenPush>,
    /// Older open pushes that a newer fire retired (`overlap: replace`).
    pub cancelled: Vec<i64>,
    /// Fires that became `skipped` because pushes of an older fire are open (`overlap: skip`).
    pub skipped: u64,
    /// Jobs of which nothing was recorded, since their place is no longer the cursor's `from`, or they are gone:
    /// read [`Store::jobs`](crate::store::Store::jobs) again and decide anew. Else the instants that were withdrawn would have no row.
    pub stale: Vec<Arc<str>>,
    /// Jobs that have fired as often as they may with one of these, and its instant: of what comes after it nothing was
    /// recorded.
    pub spent: Vec<(Arc<str>, UtcMs)>,
}

impl Recorded {
    /// What came of another part of the same.
    pub fn add(&mut self, part: Recorded) {
        let Recorded { pushes, cancelled, skipped, stale, spent } = part;
        self.pushes.extend(pushes);
        self.cancelled.extend(cancelled);
        self.skipped += skipped;
        self.stale.extend(stale);
        self.spent.extend(spent);
    }
}

/// A push that was recorded ahead of its instant, which then passed.
#[derive(Clone, Debug)]
pub struct Unwatched {
    pub push_id: i64,
    pub due_at: UtcMs,
    pub job: StoredJob,
}

/// A push asked for outside any job.
#[derive(Clone, Debug)]
pub struct AdHoc {
    pub spec: PushSpec,
    pub triggered_by: Trigger,
    pub chat: Option<(String, String)>,
}
