//! What people ask.

use async_trait::async_trait;

use super::error::StoreError;
use super::model::{
    BadEnds, Definition, FetchedCalendar, Filter, FireRecord, Hours, JobDay, Once, OpenWay, PushStory, RequestKey,
    Revision, Situation, Standing, Table, Unfired, UnfiredDay, View, WaitingFire,
};
use crate::domain::{Job, LedgerIds, LedgerJob, LedgerRow, PushState, Target, UtcMs};

/// Questions about what is and what was. They change nothing.
#[async_trait]
pub trait History: Send + Sync {
    async fn view(&self, view: View, filter: &Filter) -> Result<Table, StoreError>;

    /// Where pushes with a higher id stand, in the order of their ids; or only those of them that are open.
    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> Result<Vec<Standing>, StoreError>;

    /// The lists of days that were fetched, by name.
    async fn fetched_calendars(&self) -> Result<Vec<FetchedCalendar>, StoreError>;

    /// The state of one push.
    async fn push_state(&self, push_id: i64) -> Result<Option<PushState>, StoreError>;

    /// The pushes that went out in the place of one that ended badly.
    async fn fallbacks(&self, push_id: i64) -> Result<Vec<i64>, StoreError>;

    /// What the key of a request stands for, where it came before and is still known ([`Store::push_once`](super::Store::push_once)).
    async fn request(&self, request: &RequestKey, now: UtcMs) -> Result<Option<Once>, StoreError>;

    /// The ways that open pushes are to go, and those of their fallbacks.
    async fn open_ways(&self) -> Result<Vec<OpenWay>, StoreError>;

    /// A push with all that hangs on it; None where there is none of that id.
    async fn push_story(&self, push_id: i64) -> Result<Option<PushStory>, StoreError>;

    /// Instants of schedules, between two, both included, that did not fire, and fires that have no pushes yet: the newest
    /// `limit`, newest first, what was skipped after all others; a row that stands for a gap is among them when the gap
    /// reaches into the time.
    async fn unfired(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> Result<Vec<Unfired>, StoreError>;

    /// Fires whose pushes are still to be made, due between two instants, both included, oldest first, `limit` of them.
    async fn waiting_fires(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> Result<Vec<WaitingFire>, StoreError>;

    /// What was due in each hour that begins between two instants, both included, up to now. The running hour is counted as
    /// it stands, and so is the one before it where it is not made yet.
    async fn hours(&self, from: UtcMs, until: UtcMs, now: UtcMs) -> Result<Hours, StoreError>;

    /// A job's days since the one of that date, as far as it had instants, oldest first; today is counted as it stands.
    async fn job_days(&self, job: &str, from: &str, now: UtcMs) -> Result<Vec<JobDay>, StoreError>;

    /// How many instants did not fire, by date, since the one of that date, oldest first: of all jobs, each by the days of
    /// its own zone.
    async fn unfired_days(&self, from: &str, now: UtcMs) -> Result<Vec<UnfiredDay>, StoreError>;

    /// How things stand at `now`; what failed counts `since` then.
    async fn situation(&self, now: UtcMs, since: UtcMs) -> Result<Situation, StoreError>;

    /// The targets of what jobs push, and of the newest pushes.
    async fn known_targets(&self) -> Result<Vec<String>, StoreError>;

    /// What the daemon's clock showed in the last moment, where a simulation wrote this: its present.
    async fn simulated_until(&self) -> Result<Option<UtcMs>, StoreError>;

    /// Names of the jobs that are paused.
    async fn paused_jobs(&self) -> Result<Vec<String>, StoreError>;

    /// How often jobs with a `max_fires` have fired of that, by name.
    async fn counted_fires(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// What verbs change of jobs while a daemon runs, in words that differ whenever one of them did.
    async fn changed_by_verbs(&self) -> Result<Vec<String>, StoreError>;

    /// A job that is not removed, with all that it says.
    async fn definition(&self, job: &str) -> Result<Definition, StoreError>;

    /// The jobs that verbs made and that still have instants to come, by name.
    async fn verb_jobs(&self) -> Result<Vec<Job>, StoreError>;

    /// The jobs that fire by themselves and whose next instant comes first, at most `limit`, and those of which a fire to come is
    /// recorded already; paused ones among them.
    async fn soonest_jobs(&self, limit: u64, now: UtcMs) -> Result<Vec<Job>, StoreError>;

    /// A job's fires between two instants, both included, oldest first; a row that stands for a gap is among them
    /// when the gap reaches into the time.
    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> Result<Vec<FireRecord>, StoreError>;

    /// Every definition that a job has had, oldest first, those of removed jobs too.
    async fn revisions(&self, job: &str) -> Result<Vec<Revision>, StoreError>;

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

    // --- the ledger ---------------------------------------------------------------------------------------------

    /// Jobs present and removed, by name, at most `limit` after the name `after`; or only the one of a name.
    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> Result<Vec<LedgerJob>, StoreError>;

    /// A job's rows that its schedule made, due between two instants, both included: the oldest ones, at most
    /// `limit`, and before them those that stand for many instants and reach into the time.
    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64)
    -> Result<Vec<LedgerRow>, StoreError>;

    /// How many ids of fires and of pushes were ever given, and what became of them.
    async fn ledger_ids(&self) -> Result<Vec<LedgerIds>, StoreError>;
}
