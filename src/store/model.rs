//! What the verbs of the store are asked with, and what they answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::job::DstGap;
use crate::domain::{
    Decision, Delivery, Health, Job, Kind, Misfire, Next, Overlap, PushSpec, PushState, Report, Rule, Schedule, Target,
    Trigger, UtcMs,
};

/// A job as the scheduler needs it: without its messages.
#[derive(Clone, Debug)]
pub struct StoredJob {
    pub name: Arc<str>,
    pub schedule: Schedule,
    pub timezone: String,
    pub dst_gap: DstGap,
    pub enabled: bool,
    pub paused: bool,
    pub misfire: Misfire,
    pub overlap: Overlap,
    /// The first instant that has no row in `fires` yet; None when the schedule has no more.
    pub next_due_at: Option<UtcMs>,
    /// Equal hashes mean equal definitions.
    pub definition_hash: i64,
    pub revision: u32,
    /// When this revision was loaded.
    pub loaded_at: UtcMs,
}

impl StoredJob {
    /// A definition that is in force from `now` on, as the first revision of its job, which is not paused.
    pub fn new(job: &Job, definition_hash: i64, next_due_at: Option<UtcMs>, now: UtcMs) -> StoredJob {
        StoredJob {
            name: job.name.as_str().into(),
            schedule: job.schedule.clone(),
            timezone: job.timezone.clone(),
            dst_gap: job.dst_gap,
            enabled: job.enabled,
            paused: false,
            misfire: job.misfire.clone(),
            overlap: job.overlap,
            next_due_at,
            definition_hash,
            revision: 1,
            loaded_at: now,
        }
    }
}

/// A new or changed definition to be made durable.
#[derive(Clone, Debug)]
pub struct JobChange {
    pub job: Job,
    pub definition_hash: i64,
    /// Where its ledger goes on: the first instant of the new schedule.
    pub next_due_at: Option<UtcMs>,
    /// The schedule is as before, so that an earlier place holds: another process may have withdrawn what was
    /// recorded ahead since the caller looked.
    pub keeps_place: bool,
}

/// What [`Store::apply_jobs`](super::Store::apply_jobs) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    /// Open pushes of removed jobs, now cancelled.
    pub cancelled: Vec<i64>,
    /// Of which jobs these are, and how many of each, by name.
    pub cancelled_of: Vec<(String, usize)>,
    /// Pushes of instants still to come that were recorded ahead and are withdrawn, for the new definition to
    /// decide about.
    pub withdrawn: Vec<i64>,
}

/// One instant of a job's schedule and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFire {
    pub job: Arc<str>,
    pub due_at: UtcMs,
    pub decision: Decision,
    pub reason: Option<String>,
    /// How many instants this row stands for: 1, or more for a long gap (then `until_at` is the last of them).
    pub count: u64,
    pub until_at: Option<UtcMs>,
    pub overlap: Overlap,
    /// The zone in which the schedule was evaluated and the version of its rules.
    pub zone: Option<Arc<str>>,
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

/// What [`Store::record_fires`](super::Store::record_fires) did.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The pushes that now wait for their instant.
    pub pushes: Vec<OpenPush>,
    /// Older open pushes that a newer fire retired (`overlap: replace`).
    pub cancelled: Vec<i64>,
    /// Fires that became `skipped` because pushes of an older fire are open (`overlap: skip`).
    pub skipped: u64,
    /// Jobs of which nothing was recorded, since their place is no longer the cursor's `from`, or they are gone:
    /// read [`Store::jobs`](super::Store::jobs) again and decide anew. Else the instants that were withdrawn would have no row.
    pub stale: Vec<Arc<str>>,
}

/// An open push without its message: what the dispatcher keeps in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPush {
    pub id: i64,
    pub job: Option<Arc<str>>,
    pub triggered_by: Trigger,
    /// The chat that asked for it, for trigger `message`: its im and account.
    pub chat: Option<(String, String)>,
    pub im: String,
    pub target: Target,
    pub kind: Kind,
    /// The account that the push names.
    pub account: Option<String>,
    pub due_at: UtcMs,
    pub next_attempt_at: UtcMs,
    pub expires_at: UtcMs,
    /// `next_attempt_at` is the end of a length, such as the wait before a retry, and not the hour of its fire.
    pub is_resting: bool,
    /// An earlier attempt ended `unknown`: whatever follows, it must not be said that nothing was sent.
    pub perhaps_sent: bool,
    /// How many attempts it has had; the newest one's number.
    pub attempts: u32,
}

/// A push that was recorded ahead of its instant, which then passed.
#[derive(Clone, Debug)]
pub struct Unwatched {
    pub push_id: i64,
    pub due_at: UtcMs,
    pub job: StoredJob,
}

/// Under this key, and the empty name, stands until when a daemon surely watched: [`Store::recall`](super::Store::recall).
pub const WATCHED_UNTIL: &str = "watched_until";

/// An attempt about to be made.
#[derive(Clone, Debug)]
pub struct Begin {
    pub push_id: i64,
    pub account: Arc<str>,
    pub sender: &'static str,
    pub rule: Rule,
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Finish {
    pub push_id: i64,
    pub number: u32,
    pub report: Report,
    pub next: Next,
    /// When the sender was really called; replaces the instant noted when the attempt was opened, which may be some
    /// milliseconds ahead of the due instant.
    pub started_at: UtcMs,
    pub finished_at: UtcMs,
    /// What the attempt says of its account, written in the same transaction.
    pub health: Option<(Arc<str>, Health)>,
}

/// An attempt that was opened and never made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    pub push_id: i64,
    pub number: u32,
    /// When the push is due again.
    pub next_attempt_at: UtcMs,
    /// Why it waits, where that is not its hour.
    pub reason: Option<String>,
}

/// A push put back, or ended, without an attempt.
#[derive(Clone, Debug)]
pub struct Settle {
    pub push_id: i64,
    pub next: Next,
}

/// An attempt that a dead process left open.
#[derive(Clone, Debug)]
pub struct Interrupted {
    pub push_id: i64,
    pub number: u32,
    pub account: String,
    pub sender: String,
    pub started_at: UtcMs,
    /// What was to be sent, or why its row cannot be read.
    pub delivery: Result<Delivery, String>,
}

/// An account as the tables show it.
#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: String,
    pub im: String,
    pub sender: String,
    pub is_default: bool,
    pub health: Health,
}

/// A push asked for outside any job.
#[derive(Clone, Debug)]
pub struct AdHoc {
    pub spec: PushSpec,
    pub triggered_by: Trigger,
    pub chat: Option<(String, String)>,
}

/// The database was restored from a backup: what happened in between is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was taken.
    pub taken_at: UtcMs,
    /// When it was first opened to be written.
    pub restored_at: UtcMs,
}

/// A definition of a job and the time during which it held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revision {
    pub revision: u32,
    /// The schedule in words.
    pub schedule: String,
    pub timezone: String,
    pub enabled: bool,
    /// None where it cannot be read.
    pub definition: Option<Job>,
    pub from_at: UtcMs,
    /// None: it holds.
    pub until_at: Option<UtcMs>,
}

/// A row of `fires` with all that hangs on it, for `explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FireRecord {
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    pub until_at: Option<UtcMs>,
    pub count: u64,
    pub decision: Decision,
    pub reason: Option<String>,
    pub recorded_at: UtcMs,
    pub zone: Option<String>,
    pub revision: Option<u32>,
    pub pushes: Vec<PushRecord>,
}

/// A row of `pushes` without its message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushRecord {
    pub id: i64,
    pub im: String,
    pub target: Target,
    pub kind: Kind,
    pub state: PushState,
    pub reason: Option<String>,
    pub max_attempts: u32,
    pub next_attempt_at: Option<UtcMs>,
    pub expires_at: UtcMs,
    pub finished_at: Option<UtcMs>,
    pub confirmed_at: Option<UtcMs>,
    pub attempts: Vec<AttemptRecord>,
}

/// A row of `attempts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub number: u32,
    pub account: String,
    pub rule: Rule,
    pub sender: String,
    pub started_at: UtcMs,
    pub finished_at: Option<UtcMs>,
    /// An outcome's word; None: the attempt is open.
    pub outcome: Option<String>,
    pub error: Option<String>,
    pub http_status: Option<u16>,
    pub message_id: Option<String>,
    pub note: Option<String>,
}

/// Pushes that ended `failed`, `unknown` or `expired` in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadEnds {
    /// How many ended in which of the three states.
    pub counts: Vec<(PushState, u64)>,
    /// The last end of all that is recorded, told here or left out: the next question begins after it.
    pub last: i64,
    /// The first few, in the order of their ends.
    pub first: Vec<BadEnd>,
}

/// A push that ended badly, for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEnd {
    pub id: i64,
    pub job: Option<String>,
    pub im: String,
    pub target: String,
    pub state: PushState,
    pub reason: String,
    /// What the last attempt was told.
    pub error: Option<String>,
    pub account: Option<String>,
    pub finished_at: UtcMs,
}

/// What the database says of itself; cheap to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Pushes that ended `unknown` and were not resolved.
    pub unknown_pushes: u64,
    /// What the rows take in the file, in bytes.
    pub used_bytes: u64,
    /// Room in the file that rows took once, to be used again or given back.
    pub free_bytes: u64,
}

/// What one step of pruning deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub fires: u64,
    pub pushes: u64,
}

/// A view to be read by people, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    PushHistory,
    DuePushes,
    UnknownPushes,
    JobOverview,
    AccountOverview,
    FailuresToday,
}

impl View {
    /// The name of the view in the database.
    pub fn name(self) -> &'static str {
        match self {
            View::PushHistory => "push_history",
            View::DuePushes => "due_pushes",
            View::UnknownPushes => "unknown_pushes",
            View::JobOverview => "job_overview",
            View::AccountOverview => "account_overview",
            View::FailuresToday => "failures_today",
        }
    }
}

/// Which rows of a view to read. An absent field filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub job: Option<String>,
    pub im: Option<String>,
    pub account: Option<String>,
    pub state: Option<PushState>,
    pub since: Option<UtcMs>,
    pub until: Option<UtcMs>,
    pub push_id: Option<i64>,
    /// Only pushes with a higher id.
    pub after_id: Option<i64>,
    /// Only these pushes.
    pub ids: Option<Vec<i64>>,
    /// Newest first; None: all.
    pub limit: Option<u64>,
    /// Leaves out so many of the first.
    pub skip: u64,
    /// The lines of `push_history` in the opposite order, to be read in pages: each begins after the mark of the last.
    pub oldest_first: bool,
    pub after: Option<Mark>,
}

/// A line of `push_history` as the place to read on from, whichever column the lines are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub id: i64,
    pub due_at: UtcMs,
    pub finished_at: Option<UtcMs>,
}

/// Rows of a view under the view's own column names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<serde_json::Value>>,
}

impl Table {
    /// The last line of a page of `push_history`.
    pub fn mark(&self) -> Option<Mark> {
        let row = self.rows.last()?;
        let value = |name: &str| row.get(self.columns.iter().position(|column| column == name)?);
        let instant = |name: &str| value(name)?.as_str()?.parse().ok();
        Some(Mark { id: value("id")?.as_i64()?, due_at: instant("due_at")?, finished_at: instant("finished_at") })
    }
}

/// A push as far as it changes: what `--follow` compares from look to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: i64,
    pub state: PushState,
    pub attempts: u32,
}
