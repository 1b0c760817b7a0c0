//! Instants and what was decided about them.

use std::sync::Arc;

use super::jobs::StoredJob;
use super::pushes::OpenPush;
use crate::domain::{ContentOutcome, Decision, Job, ListEntries, Message, Overlap, PushSpec, Reason, Trigger, UtcMs};

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
    /// Its pushes wait for a list of days: [`Store::unexpanded`](crate::store::Store::unexpanded).
    pub is_held: bool,
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
    /// Fires without pushes, whose content is still to be made: [`Store::unexpanded`](crate::store::Store::unexpanded).
    pub unexpanded: u64,
}

impl Recorded {
    /// What came of another part of the same.
    pub fn add(&mut self, part: Recorded) {
        let Recorded { pushes, cancelled, skipped, stale, spent, unexpanded } = part;
        self.pushes.extend(pushes);
        self.cancelled.extend(cancelled);
        self.skipped += skipped;
        self.stale.extend(stale);
        self.spent.extend(spent);
        self.unexpanded += unexpanded;
    }
}

/// A push that was recorded ahead of its instant, which then passed.
#[derive(Clone, Debug)]
pub struct Unwatched {
    pub push_id: i64,
    pub due_at: UtcMs,
    pub job: StoredJob,
}

/// A fire whose content is still to be made, or that waits for a list of days, and its pushes with it.
#[derive(Clone, Debug)]
pub struct Unexpanded {
    pub fire_id: i64,
    pub job: Arc<str>,
    pub due_at: UtcMs,
    pub triggered_by: Trigger,
    /// An instant of the past that is made up for.
    pub is_backfill: bool,
    /// The definition by which it fired, or why it cannot be read.
    pub definition: Result<Job, String>,
    /// The one that holds now, if it can be read.
    pub present: Option<Job>,
    /// The job has left the files since.
    pub is_removed: bool,
}

/// A fire whose pushes wait for their content, and those that were asked for.
#[derive(Clone, Debug)]
pub struct Unreleased {
    pub fire: Unexpanded,
    pub push_ids: Vec<i64>,
    /// When the first of these can go out.
    pub goes_at: UtcMs,
}

/// The content of a fire whose pushes are there, and what becomes of them.
#[derive(Clone, Debug)]
pub struct Release {
    pub fire_id: i64,
    pub content: Option<MadeContent>,
    pub then: Expansion,
}

/// What became of pushes that waited for their content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// They go out.
    pub open: Vec<i64>,
    /// They came to their end.
    pub ended: Vec<i64>,
}

/// What a source made for a fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeContent {
    /// In words.
    pub source: String,
    pub outcome: ContentOutcome,
    pub attempts: u32,
    pub began_at: UtcMs,
    pub made_at: UtcMs,
    pub exit_code: Option<i32>,
    pub text: Option<String>,
    pub error: Option<String>,
    /// It is not what the source said now.
    pub stale: Option<StaleOf>,
}

/// What stands in for an answer that a source owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleOf {
    /// When the source said it.
    pub from: UtcMs,
    /// Why it says nothing now.
    pub why: String,
}

/// What the source of a job said the last time that it did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// None where it had nothing to say.
    pub text: Option<String>,
    pub made_at: UtcMs,
}

/// A list as it was read the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastList {
    pub entries: ListEntries,
    pub read_at: UtcMs,
}

/// A list of recipients that was read for a fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeList {
    /// Under `targets`.
    pub name: String,
    /// In words.
    pub source: String,
    pub attempts: u32,
    pub began_at: UtcMs,
    pub read_at: UtcMs,
    /// Who is on it and how often somebody stood there once more, or why that is not known.
    pub entries: Result<ListEntries, String>,
    /// They are not what the list says now.
    pub stale: Option<StaleOf>,
    /// Where it may stand in for itself later: what it has to be then.
    pub key: Option<String>,
}

/// What becomes of the pushes of a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expansion {
    /// They are sent. With `unless_unchanged`, those are cancelled whose target was sent the same content the last time.
    Send {
        unless_unchanged: bool,
    },
    Cancel(Reason),
    Fail(Reason),
    Expire(Reason),
}

/// The content of a fire, and what becomes of its pushes.
#[derive(Clone, Debug)]
pub struct Expand {
    pub fire_id: i64,
    pub content: Option<MadeContent>,
    /// Each list that was read, or could not be.
    pub lists: Vec<MadeList>,
    /// For each push that has a list, which of these it is. Fewer where nothing is sent.
    pub lists_of: Vec<usize>,
    pub then: Expansion,
}

/// What is said once instead of what a job says.
#[derive(Clone, Debug)]
pub struct OwnMessage {
    pub message: Message,
    /// The revision of the job by whose pushes it was judged.
    pub revision: u32,
}

/// A push asked for outside any job.
#[derive(Clone, Debug)]
pub struct AdHoc {
    pub spec: PushSpec,
    pub triggered_by: Trigger,
    pub chat: Option<(String, String)>,
}
