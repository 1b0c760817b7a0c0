//! All SQL, behind one narrow interface of life-cycle verbs.
//!
//! `now` is always an argument: the database's clock is never asked. Verbs speak in domain types; no row or driver
//! type leaves this module, so that another database can stand behind the same trait and pass the same suite
//! (`tests/it/store_contract/`).

mod model;
pub mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Delivery, LedgerIds, LedgerJob, LedgerRow, PushState, Target, UtcMs};

pub use model::*;

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
