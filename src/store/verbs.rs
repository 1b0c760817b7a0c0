//! What the engine and verbs change, and what they must know for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::StoreError;
use super::model::{
    AccountRow, AdHoc, Applied, Begin, Closed, Cursor, Expand, Expected, Finish, Interrupted, JobChange, LastGood,
    LastList, NewFire, NoteFetch, Once, OpenPush, OwnMessage, Recorded, Release, Released, RequestKey, Restored,
    Settle, StoredJob, TakeBack, Unexpanded, Unreleased, Unwatched,
};
use crate::domain::{Delivery, Render, UtcMs};

/// The life cycle of jobs, fires, pushes and attempts. Each verb is one transaction: all of it, or nothing.
#[async_trait]
pub trait Store: Send + Sync {
    // --- definitions --------------------------------------------------------------------------------------------

    /// Every job that is not removed, by name.
    async fn jobs(&self) -> Result<Vec<StoredJob>, StoreError>;

    /// Makes definitions durable, all or none: new and changed jobs get a new revision, `removed` ones are marked
    /// removed with their open pushes cancelled (those being sent end as they end, and are not tried again). Fires recorded ahead of `now`
    /// for any of them are withdrawn whole. Of jobs that come back after they were removed, what did not fire after `now`,
    /// by a clock that was put back since, is taken back as by [`Store::withdraw_ahead`].
    async fn apply_jobs(
        &self,
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        now: UtcMs,
    ) -> Result<Applied, StoreError>;

    /// [`Store::apply_jobs`] for a verb, if the jobs are still as it found them.
    async fn apply_by_verb(
        &self,
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        expected: Vec<Expected>,
        now: UtcMs,
    ) -> Result<Applied, StoreError>;

    /// Sets or lifts a pause; fires recorded ahead of `now` are withdrawn. Returns whether anything changed.
    async fn set_paused(&self, job: &str, paused: bool, now: UtcMs) -> Result<bool, StoreError>;

    // --- fires --------------------------------------------------------------------------------------------------

    /// Records decisions, the pushes of those that fired, and the jobs' new places, in one transaction. An instant
    /// that already has its row keeps it and makes no push, nor has one that fired and lost its row to pruning. A job whose
    /// rows the database refuses is stale, and the others are recorded. Every job of `fires` needs its cursor; one that goes back
    /// (the clock was put back) takes the beginning of the revision along to `now`. A fire due while
    /// its job is paused becomes `skipped`, whatever the caller knew. Fires of jobs with an overlap other than
    /// `allow` must be recorded at their instant, not ahead, since the question is what is open then. That a daemon watches
    /// is noted with it: [`Store::watched_until`].
    async fn record_fires(&self, fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs)
    -> Result<Recorded, StoreError>;

    /// Keeps what a fetch of a list of days came to. One that failed takes nothing away.
    async fn note_fetch(&self, fetch: NoteFetch, now: UtcMs) -> Result<(), StoreError>;

    /// Fires whose content is still to be made, with ids above this one: the first `limit` of them, in the order of their ids.
    async fn unexpanded(&self, after: i64, limit: u64) -> Result<Vec<Unexpanded>, StoreError>;

    /// What the source of the job of this fire said the last time that it did not fail, unless that was before `since`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn last_good(&self, fire_id: i64, since: UtcMs) -> Result<Option<LastGood>, StoreError>;

    /// A list of recipients of the job of this fire as it was read last, unless that was before `since` or it was defined
    /// otherwise ([`crate::domain::RecipientList::key`]).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn last_list(
        &self,
        fire_id: i64,
        name: &str,
        key: &str,
        since: UtcMs,
    ) -> Result<Option<LastList>, StoreError>;

    /// Writes what a source made for a fire and all pushes of that fire, once: a fire that has its pushes already, or was
    /// withdrawn meanwhile, stays as it is. Returns the pushes that now wait for their instant.
    async fn expand(&self, expand: Expand, now: UtcMs) -> Result<Vec<OpenPush>, StoreError>;

    /// The fires among those of these pushes whose content is made once one of them can go out, and was not made yet.
    async fn unreleased(&self, push_ids: Vec<i64>) -> Result<Vec<Unreleased>, StoreError>;

    /// Writes the content of such a fire and gives it to its pushes, once: of a fire that has its content nothing changes.
    async fn release(&self, release: Release, now: UtcMs) -> Result<Released, StoreError>;

    /// Takes back every fire due after `now` that was recorded ahead of its instant and of which no push was begun or has a
    /// reason to wait, which people have seen; what is due by then has fired, and stays. Sets the jobs' places back, so
    /// that the instants are decided anew, and notes that a daemon watched until now. Returns how many.
    ///
    /// A fire whose content was made by `now`, by the definition that holds, stays with its pushes, unless an earlier one of
    /// its job is taken back. So does one without such a content that was recorded after `now`, by a clock that was put back
    /// since: its instant may have been there, and its pushes shown.
    ///
    /// Where the clock was put back, what was skipped or missed after `now` is still to come, and is taken back too:
    /// nothing of it was sent. So is a fire that was recorded ahead and whose content is still to be made, whether or not
    /// its instant has come: nobody has seen anything of it. So is a row that stands for many instants on both sides of `now`, unless the
    /// schedule changed since. From the places that are set back on, the definitions that hold now answer, whatever
    /// held when the clock showed that time before. What was missed because of a restore stays: it may have been sent.
    async fn withdraw_ahead(&self, now: UtcMs) -> Result<u64, StoreError>;

    /// Until when a daemon surely watched, as its verbs noted it.
    async fn watched_until(&self) -> Result<Option<UtcMs>, StoreError>;

    /// Notes that a daemon watches, where nothing is recorded that would tell.
    async fn note_watch(&self, now: UtcMs) -> Result<(), StoreError>;

    /// Pushes of jobs that were recorded ahead of an instant after `after` and up to `until`, and that nothing has happened
    /// to since: neither was an attempt begun of any push of their fire, nor has one a reason to wait.
    async fn unwatched(&self, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>, StoreError>;

    /// When the newest fire was recorded or the newest attempt begun: an instant that has surely passed.
    async fn last_recorded_at(&self) -> Result<Option<UtcMs>, StoreError>;

    /// Whether this database was once a backup. What its jobs called for between the two instants may have been
    /// sent already, so it must be recorded as missed; pushes that were open in the backup are `unknown`.
    async fn restored(&self) -> Result<Option<Restored>, StoreError>;

    /// A fire by hand, at once, on enabled, disabled and paused jobs alike. Returns the new push ids.
    async fn fire_by_hand(&self, job: &str, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// The same with this message in all of its pushes, whatever the job says, as it stands: the fire has the reason
    /// `own_message`. Refused where the job is another than the one that the message was judged by.
    async fn fire_saying(&self, job: &str, own: OwnMessage, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// Fires by hand of instants that did not come about, so far apart from now on, the first at once, whatever is open. Each
    /// carries its instant, and has the reason `backfill`. Returns the push ids of each new one; an instant that was fired
    /// by hand before is left out.
    async fn backfill(
        &self,
        job: &str,
        instants: Vec<UtcMs>,
        gap: Duration,
        now: UtcMs,
    ) -> Result<Vec<Vec<i64>>, StoreError>;

    /// A push outside any job. Returns its id.
    async fn push_ad_hoc(&self, push: AdHoc, now: UtcMs) -> Result<i64, StoreError>;

    /// Several pushes outside any job, of one fire: all of them, or none. Returns their ids.
    async fn push_several(&self, pushes: Vec<AdHoc>, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// [`Store::push_several`] for a request that is carried out once: the same key again finds the pushes that it made,
    /// for a day and for as long as one of them is open, and records nothing.
    async fn push_once(&self, pushes: Vec<AdHoc>, request: RequestKey, now: UtcMs) -> Result<Once, StoreError>;

    /// Notes an act that changes nothing else in the database, where somebody does it by hand
    /// ([`Backend::by`](super::Backend::by)).
    async fn note_act(&self, verb: &'static str, now: UtcMs) -> Result<(), StoreError>;

    /// [`Store::push_ad_hoc`], and with it what the daemon itself keeps under this key
    /// ([`AccountState::save_state`](super::AccountState::save_state)): both, or neither.
    async fn push_and_save_state(&self, push: AdHoc, key: &str, value: &str, now: UtcMs) -> Result<i64, StoreError>;

    // --- pushes -------------------------------------------------------------------------------------------------

    /// Every open push that is not being sent and whose row can be read, oldest instant first.
    async fn open_pushes(&self) -> Result<Vec<OpenPush>, StoreError>;

    /// Ends every waiting push whose row cannot be read as `failed`, with the reason `unreadable`.
    async fn end_unreadable(&self, now: UtcMs) -> Result<(), StoreError>;

    /// Snoozes or ends pushes without an attempt. Pushes no longer pending or retrying are left alone; a snoozed
    /// push that never had an attempt stays `pending`, with its reason. Returns the pushes that now go out in the place of
    /// some that ended badly, as their `fallback` asks.
    async fn settle(&self, settles: Vec<Settle>, now: UtcMs) -> Result<Vec<OpenPush>, StoreError>;

    /// Ends those of these pushes to which nothing happened since they were recorded: what an attempt was opened of,
    /// or what was put off, since somebody read that it was to end is left alone. Returns the pushes that this ended.
    async fn end_untouched(&self, settles: Vec<Settle>, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// Rows of pushes that wait for a length tell these instants from here on; nothing else about them changes.
    async fn tell_next_attempts(&self, next_attempts: Vec<(i64, UtcMs)>) -> Result<(), StoreError>;

    /// Ends a fire whose pushes are still to be made: they are recorded as cancelled, and nobody makes their content.
    async fn cancel_fire(&self, fire_id: i64, now: UtcMs) -> Result<(), StoreError>;

    /// Ends an open push by hand. Refused while it is being sent, or once it is final.
    async fn cancel(&self, push_id: i64, now: UtcMs) -> Result<(), StoreError>;

    /// Makes a failed, unknown, expired or cancelled push due again at once, with one more attempt allowed.
    async fn retry(&self, push_id: i64, now: UtcMs) -> Result<(), StoreError>;

    /// Says by hand what became of an unknown push. One that failed has its fallbacks go out.
    async fn resolve(&self, push_id: i64, sent: bool, now: UtcMs) -> Result<(), StoreError>;

    /// The platform proved that a message sent by this account arrived. Returns whether a push was found.
    async fn confirm(&self, account: &str, message_id: &str, now: UtcMs) -> Result<bool, StoreError>;

    /// Renders with this from here on. Until somebody says with what, nothing that is to be rendered can be sent.
    fn render_with(&self, renderer: Arc<dyn Render>);

    // --- attempts -----------------------------------------------------------------------------------------------

    /// Opens an attempt for each push that is still pending or retrying, and returns what is to be sent. A push
    /// missing from the answer was cancelled, withdrawn or resolved meanwhile. The dispatcher calls this a few
    /// milliseconds ahead of the instant, so `started_at` is the later of `now` and the push's `next_attempt_at`.
    /// A push whose row cannot be read ends as `failed`, with the reason `unreadable`, and holds up no other.
    ///
    /// Texts that are templates are rendered here, in the same transaction, and their row holds the result from then on.
    /// Where that fails, the delivery says why it is [`unmade`](Delivery::unmade).
    async fn begin_attempts(&self, begins: Vec<Begin>, now: UtcMs) -> Result<Vec<Delivery>, StoreError>;

    /// Closes attempts: outcome, next state of the push and account health, in one transaction. A push that would be
    /// tried again ends instead where a newer fire replaced it or its job was removed while it was being sent: as
    /// `cancelled`, or `unknown` where it may have arrived. Tells those, and pushes whose attempt was no longer open, which
    /// are left as they were; and the fallbacks of pushes that ended badly, made in the same transaction.
    async fn finish_attempts(&self, finishes: Vec<Finish>) -> Result<Closed, StoreError>;

    /// Takes back attempts whose sender was not called: their rows go, and their pushes stand as before, but for the
    /// instant of the next attempt. A push that was replaced, or whose job was removed, ends as in
    /// [`Store::finish_attempts`]; one whose attempt is no longer open is left as it is. Returns the ids of pushes that
    /// are not open any more.
    async fn take_back_attempts(&self, attempts: Vec<TakeBack>, now: UtcMs) -> Result<Vec<i64>, StoreError>;

    /// Attempts left open by a process that is gone. Only the holder of the lease may ask.
    async fn interrupted(&self) -> Result<Vec<Interrupted>, StoreError>;

    // --- accounts -----------------------------------------------------------------------------------------------

    /// Writes the health of accounts, and forgets rows of accounts that are not among them where `all` is set.
    async fn record_accounts(&self, accounts: Vec<AccountRow>, all: bool) -> Result<(), StoreError>;

    async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError>;
}
