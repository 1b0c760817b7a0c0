//! What happened, as it is told to people: rows with all that hangs on them.

use serde::{Deserialize, Serialize};

use crate::domain::{Decision, Job, Kind, PushState, Rule, Target, Trigger, UtcMs};

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
    /// The last instant that it had, where the job has fired as often as it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_at: Option<UtcMs>,
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
    /// What a list of days had to say of the day.
    #[serde(default)]
    pub calendar: Option<String>,
    pub revision: Option<u32>,
    pub pushes: Vec<PushRecord>,
    /// Its content, where its job has it made.
    #[serde(default)]
    pub content: Option<ContentRecord>,
    /// The lists of recipients that were read for it.
    #[serde(default)]
    pub lists: Vec<ListRecord>,
    /// Its content is still to be made.
    #[serde(default)]
    pub is_unexpanded: bool,
    /// Its pushes are there, and their content is made once the first of them can go out.
    #[serde(default)]
    pub awaits_content: bool,
}

/// A row of `recipient_lists`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRecord {
    pub name: String,
    pub source: String,
    pub attempts: u32,
    pub began_at: UtcMs,
    pub read_at: UtcMs,
    /// How many recipients it has.
    pub count: Option<u64>,
    pub doubles: u64,
    pub error: Option<String>,
    /// When the source said it, where that was for another fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_from: Option<UtcMs>,
    /// What was the matter with it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_why: Option<String>,
}

/// A row of `contents` without the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentRecord {
    pub source: String,
    /// `made`, `empty` or `failed`.
    pub outcome: String,
    pub attempts: u32,
    pub began_at: UtcMs,
    pub made_at: UtcMs,
    pub exit_code: Option<i32>,
    /// In bytes.
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub error: Option<String>,
    /// When the source said it, where that was for another fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_from: Option<UtcMs>,
    /// What was the matter with it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_why: Option<String>,
}

/// A row of `pushes` without its message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushRecord {
    pub id: i64,
    /// The push that ended badly and in whose place it went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<i64>,
    pub im: String,
    pub target: Target,
    pub kind: Kind,
    pub state: PushState,
    pub reason: Option<String>,
    /// How each account stood when none could send it, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
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
    /// When a person said that it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_at: Option<UtcMs>,
}

/// A push as far as it changes: what `--follow` compares from look to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: i64,
    pub state: PushState,
    pub attempts: u32,
}

/// How many open pushes are to go one way, or have a fallback that would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWay {
    pub pushes: u64,
    pub is_fallback: bool,
    pub job: Option<String>,
    pub im: String,
    /// The account that was named.
    pub account: Option<String>,
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
    /// An attempt ended without a word on whether it arrived.
    pub perhaps_sent: bool,
    /// There is nothing, or nobody, to try it with.
    pub is_unmade: bool,
}

/// A push with all that hangs on it, and the fire that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushStory {
    /// None outside any job.
    pub job: Option<String>,
    pub ordinal: u32,
    /// The account that the push names; no other may carry it.
    pub named_account: Option<String>,
    /// What was, or is to be, sent, as the row has it: templates are rendered with the first attempt.
    pub message: serde_json::Value,
    /// How texts that are templates until then are to be rendered.
    pub render: Option<serde_json::Value>,
    /// The deadline of one attempt.
    pub timeout_ms: u64,
    /// None: the built-in policy.
    pub retry: Option<serde_json::Value>,
    /// Results of a split or mixed message, part by part.
    pub parts: Option<serde_json::Value>,
    /// The zone of its job, where that is known.
    pub timezone: Option<String>,
    /// The chat that asked for it: its im and account.
    pub chat_im: Option<String>,
    pub chat_account: Option<String>,
    /// Pushes that went out in its place, since it ended badly.
    pub fallbacks: Vec<i64>,
    /// Its recipients were never read, or its content was never made: nothing can be sent by it.
    #[serde(default, skip_serializing)]
    pub is_unmade: bool,
    /// With this push alone.
    pub fire: FireRecord,
}

/// Instants of a job that did not fire, or a fire that has no pushes yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfired {
    pub job: String,
    pub due_at: UtcMs,
    /// The last instant that it stands for, where it stands for many.
    pub until_at: Option<UtcMs>,
    pub count: u64,
    pub decision: Decision,
    /// Of a fire that waits for a list of days: which; empty where it waits for its content or its recipients.
    pub reason: String,
    pub timezone: Option<String>,
}

/// A fire whose pushes are still to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingFire {
    pub fire_id: i64,
    pub job: String,
    pub due_at: UtcMs,
    pub timezone: Option<String>,
}

/// How things stand, in a few numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// Jobs that fire by themselves.
    pub active_jobs: u64,
    pub paused_jobs: u64,
    /// The next instant of any of the active ones.
    pub next_fire: Option<NextFire>,
    pub open: u64,
    /// Fires that are due and have no pushes yet.
    pub waiting_fires: u64,
    /// Ended `unknown`, and nobody said yet what became of them.
    pub unknown: u64,
    /// Ended `failed` or `expired` lately.
    pub failed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextFire {
    pub job: String,
    pub due_at: UtcMs,
    pub timezone: String,
}
