//! All SQL, behind one narrow interface of life-cycle verbs.
//!
//! `now` is always an argument: the database's clock is never asked. Verbs speak in domain types; no row or driver
//! type leaves this module, so that another database can stand behind the same trait and pass the same suite
//! (`tests/store_contract.rs`).

pub mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::job::DstGap;
use crate::domain::{
    Decision, Delivery, Health, Job, Kind, LedgerIds, LedgerJob, LedgerRow, Misfire, Next, Overlap, PushSpec,
    PushState, Report, Rule, Schedule, Target, Trigger, UtcMs,
};

/// A shared store.
pub type SharedStore = Arc<dyn Store>;

/// Why the store could not do as told. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("database {path}: {problem}")]
    Open { path: String, problem: String },
    /// The file is damaged. It is left as it is.
    #[error("database {path} is damaged ({problem}); restore a backup, the file was left untouched")]
    Corrupt { path: String, problem: String },
    /// No space, an I/O error, a lock held too long: the same call may work later.
    #[error("the database cannot be written now: {0}")]
    Unavailable(String),
    /// The database refused a row, which is a bug of ours.
    #[error("the database refused a write: {0}")]
    Refused(String),
    /// There is no such job, push or account.
    #[error("{0}")]
    NotFound(String),
    /// It exists, but not in a state that allows this.
    #[error("{0}")]
    NotAllowed(String),
}

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

/// What [`Store::apply_jobs`] did.
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

/// What [`Store::record_fires`] did.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The pushes that now wait for their instant.
    pub pushes: Vec<OpenPush>,
    /// Older open pushes that a newer fire retired (`overlap: replace`).
    pub cancelled: Vec<i64>,
    /// Fires that became `skipped` because pushes of an older fire are open (`overlap: skip`).
    pub skipped: u64,
    /// Jobs of which nothing was recorded, since their place is no longer the cursor's `from`, or they are gone:
    /// read [`Store::jobs`] again and decide anew. Else the instants that were withdrawn would have no row.
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

/// Under this key, and the empty name, stands until when a daemon surely watched: [`Store::recall`].
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

/// The durable state of pushcron.
#[async_trait]
pub trait Store: Send + Sync {
    // --- definitions -------------------------------------------------------------------------------------------

    /// Every job that is not removed, by name.
    async fn jobs(&self) -> Result<Vec<StoredJob>, StoreError>;

    /// Names of the jobs that are paused.
    async fn paused_jobs(&self) -> Result<Vec<String>, StoreError>;

    /// Makes definitions durable, all or none: new and changed jobs get a new revision, `removed` ones are marked
    /// removed with their open pushes cancelled (those being sent end as they end, and are not tried again). Fires recorded ahead of `now`
    /// for any of them are withdrawn whole.
    async fn apply_jobs(
        &self,
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
    ) -> Result<Applied, StoreError>;

    /// Sets or lifts a pause; fires recorded ahead of `now` are withdrawn. Returns whether anything changed.
    async fn set_paused(&self, job: &str, paused: bool, now: UtcMs) -> Result<bool, StoreError>;

    // --- fires -------------------------------------------------------------------------------------------------

    /// Records decisions, the pushes of those that fired, and the jobs' new places, in one transaction. An instant
    /// that already has its row keeps it and makes no push. Every job of `fires` needs its cursor; one that goes back
    /// (the clock was put back) takes the beginning of the revision along to `now`. A fire due while
    /// its job is paused becomes `skipped`, whatever the caller knew. Fires of jobs with an overlap other than
    /// `allow` must be recorded at their instant, not ahead, since the question is what is open then. That a daemon watches
    /// is noted with it ([`WATCHED_UNTIL`]).
    async fn record_fires(&self, fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs)
    -> Result<Recorded, StoreError>;

    /// Takes back every fire due after `now` that was recorded ahead of its instant and of which no push was begun or has a
    /// reason to wait, which people have seen; what is due by then has fired, and stays. Sets the jobs' places back, so
    /// that the instants are decided anew. Returns how many.
    ///
    /// Where the clock was put back, what was skipped or missed after `now` is still to come, and is taken back too:
    /// nothing of it was sent. So is a row that stands for many instants on both sides of `now`, unless the
    /// schedule changed since. From the places that are set back on, the definitions that hold now answer, whatever
    /// held when the clock showed that time before. What was missed because of a restore stays: it may have been sent.
    async fn withdraw_ahead(&self, now: UtcMs) -> Result<u64, StoreError>;

    /// Pushes of jobs that were recorded ahead of an instant after `after` and up to `until`, and that nothing has happened
    /// to since: neither was an attempt begun of any push of their fire, nor has one a reason to wait.
    async fn unwatched(&self, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>, StoreError>;

    /// When the newest fire was recorded or the newest attempt begun: an instant that has surely passed.
    async fn last_recorded_at(&self) -> Result<Option<UtcMs>, StoreError>;

    /// A fire by hand, at once, on enabled, disabled and paused jobs alike. Returns the new push ids.
    async fn fire_by_hand(&self, job: &str, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// A push outside any job. Returns its id.
    async fn push_ad_hoc(&self, push: AdHoc, now: UtcMs) -> Result<i64, StoreError>;

    // --- pushes ------------------------------------------------------------------------------------------------

    /// Every open push that is not being sent and whose row can be read, oldest instant first.
    async fn open_pushes(&self) -> Result<Vec<OpenPush>, StoreError>;

    /// Opens an attempt for each push that is still pending or retrying, and returns what is to be sent. A push
    /// missing from the answer was cancelled, withdrawn or resolved meanwhile. The dispatcher calls this a few
    /// milliseconds ahead of the instant, so `started_at` is the later of `now` and the push's `next_attempt_at`.
    /// A push whose row cannot be read ends as `failed`, with the reason `unreadable`, and holds up no other.
    async fn begin_attempts(&self, begins: Vec<Begin>, now: UtcMs) -> Result<Vec<Delivery>, StoreError>;

    /// Closes attempts: outcome, next state of the push and account health, in one transaction. A push that would be
    /// tried again ends instead where a newer fire replaced it or its job was removed while it was being sent: as
    /// `cancelled`, or `unknown` where it may have arrived. Returns the ids of those, and of pushes whose attempt was no
    /// longer open, which are left as they were.
    async fn finish_attempts(&self, finishes: Vec<Finish>) -> Result<Vec<i64>, StoreError>;

    /// Ends every waiting push whose row cannot be read as `failed`, with the reason `unreadable`.
    async fn end_unreadable(&self, now: UtcMs) -> Result<(), StoreError>;

    /// Takes back attempts whose sender was not called: their rows go, and their pushes stand as before, but for the
    /// instant of the next attempt. A push that was replaced, or whose job was removed, ends as in
    /// [`Store::finish_attempts`]; one whose attempt is no longer open is left as it is. Returns the ids of pushes that
    /// are not open any more.
    async fn take_back_attempts(&self, attempts: Vec<TakeBack>, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// Rows of pushes that wait for a length tell these instants from here on; nothing else about them changes.
    async fn tell_next_attempts(&self, next_attempts: Vec<(i64, UtcMs)>) -> Result<(), StoreError>;

    /// Snoozes or ends pushes without an attempt. Pushes no longer pending or retrying are left alone; a snoozed
    /// push that never had an attempt stays `pending`, with its reason.
    async fn settle(&self, settles: Vec<Settle>, now: UtcMs) -> Result<(), StoreError>;

    /// Attempts left open by a process that is gone. Only the holder of the lock may ask.
    async fn interrupted(&self) -> Result<Vec<Interrupted>, StoreError>;

    /// Ends an open push by hand. Refused while it is being sent, or once it is final.
    async fn cancel(&self, push_id: i64, now: UtcMs) -> Result<(), StoreError>;

    /// Makes a failed, unknown, expired or cancelled push due again at once, with one more attempt allowed.
    async fn retry(&self, push_id: i64, now: UtcMs) -> Result<(), StoreError>;

    /// Says by hand what became of an unknown push.
    async fn resolve(&self, push_id: i64, sent: bool, now: UtcMs) -> Result<(), StoreError>;

    /// The platform proved that a message sent by this account arrived. Returns whether a push was found.
    async fn confirm(&self, account: &str, message_id: &str, now: UtcMs) -> Result<bool, StoreError>;

    // --- accounts ----------------------------------------------------------------------------------------------

    /// Writes the health of accounts, and forgets rows of accounts that are not among them where `all` is set.
    async fn record_accounts(&self, accounts: Vec<AccountRow>, all: bool) -> Result<(), StoreError>;

    async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError>;

    /// What a sender keeps over restarts; under the empty name, what the daemon itself keeps.
    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>, StoreError>;
    async fn remember(&self, account: &str, key: &str, value: &str, now: UtcMs) -> Result<(), StoreError>;

    /// [`Store::push_ad_hoc`], and with it what the daemon itself keeps under this key: both, or neither.
    async fn push_and_remember(&self, push: AdHoc, key: &str, value: &str, now: UtcMs) -> Result<i64, StoreError>;

    /// Inline media, stored once by content. Returns its lower-case SHA-256.
    async fn put_blob(&self, bytes: Vec<u8>, now: UtcMs) -> Result<String, StoreError>;
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError>;

    // --- reading -----------------------------------------------------------------------------------------------

    async fn view(&self, view: View, filter: &Filter) -> Result<Table, StoreError>;

    /// Where pushes with a higher id stand, in the order of their ids; or only those of them that are open.
    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>, StoreError>;

    /// A job's fires between two instants, both included, oldest first; a row that stands for a gap is among them
    /// when the gap reaches into the time.
    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>, StoreError>;

    /// Every definition that a job has had, oldest first, those of removed jobs too.
    async fn revisions(&self, job: &str) -> Result<Vec<Revision>, StoreError>;

    /// Jobs present and removed, by name, at most `limit` after the name `after`; or only the one of a name.
    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> Result<Vec<LedgerJob>, StoreError>;

    /// A job's rows that its schedule made, due between two instants, both included: the oldest ones, at most
    /// `limit`, and before them those that stand for many instants and reach into the time.
    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64)
    -> Result<Vec<LedgerRow>, StoreError>;

    /// How many ids of fires and of pushes were ever given, and what became of them.
    async fn ledger_ids(&self) -> Result<Vec<LedgerIds>, StoreError>;

    /// Pushes whose bad end was recorded after that of the number `after` and, where `since` is set, carries a later
    /// instant; but for those that a person resolved or put back and, where `except` names an im and a target, pushes
    /// outside any job to that place. `first` says how many are told one by one.
    async fn bad_ends(
        &self,
        after: i64,
        since: Option<UtcMs>,
        except: Option<(&str, &Target)>,
        first: u64,
    ) -> Result<BadEnds, StoreError>;

    async fn figures(&self) -> Result<Figures, StoreError>;

    /// How many pushes are final; counted in steps, which take a while where there are millions.
    async fn finished_pushes(&self) -> Result<u64, StoreError>;

    /// Whether this database was once a backup. What its jobs called for between the two instants may have been
    /// sent already, so it must be recorded as missed; pushes that were open in the backup are `unknown`.
    async fn restored(&self) -> Result<Option<Restored>, StoreError>;

    /// The state of one push.
    async fn push_state(&self, push_id: i64) -> Result<Option<PushState>, StoreError>;

    /// Whether another process wrote since the last time this was asked.
    async fn changed_outside(&self) -> Result<bool, StoreError>;

    // --- upkeep ------------------------------------------------------------------------------------------------

    /// Deletes the oldest fires, at most `limit`, that are older than `before` and whose pushes are all final, with
    /// all that hangs on them, and notes how far ([`LedgerJob::pruned_until`]).
    async fn prune(&self, before: UtcMs, limit: u64) -> Result<Pruned, StoreError>;

    /// Folds the write-ahead log into the database file.
    async fn checkpoint(&self) -> Result<(), StoreError>;

    /// A consistent copy, mode 0600, at a path where no file is.
    async fn backup(&self, to: &Path, now: UtcMs) -> Result<(), StoreError>;

    /// Finishes what is queued and closes the database.
    async fn close(&self);
}
