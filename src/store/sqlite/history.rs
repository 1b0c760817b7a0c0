//! What people ask: each question read beside the writer, in one state of the database.

use async_trait::async_trait;

use super::handle::SqliteStore;
use super::{acts, asked, fallbacks, fetched, figures, job_rows, ledger, pushes, records, simulated, views};
use crate::domain::{Job, LedgerIds, LedgerJob, LedgerRow, PushState, Target, UtcMs};
use crate::store::error::StoreResult;
use crate::store::history::History;
use crate::store::model::{
    BadEnds, Definition, FetchedCalendar, Filter, FireRecord, Hours, JobDay, Once, OpenWay, PushStory, RequestKey,
    Revision, Situation, Standing, Table, Unfired, UnfiredDay, View, WaitingFire,
};

#[async_trait]
impl History for SqliteStore {
    async fn view(&self, view: View, filter: &Filter) -> StoreResult<Table> {
        let filter = filter.clone();
        self.read(move |conn| views::view(conn, view, &filter)).await
    }

    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> StoreResult<Vec<Standing>> {
        self.read(move |conn| records::standings(conn, after_id, only_open, limit)).await
    }

    async fn fetched_calendars(&self) -> StoreResult<Vec<FetchedCalendar>> {
        self.read(fetched::fetched_calendars).await
    }

    async fn push_state(&self, push_id: i64) -> StoreResult<Option<PushState>> {
        self.read(move |conn| pushes::push_state(conn, push_id)).await
    }

    async fn fallbacks(&self, push_id: i64) -> StoreResult<Vec<i64>> {
        self.read(move |conn| fallbacks::of(conn, push_id)).await
    }

    async fn request(&self, request: &RequestKey, now: UtcMs) -> StoreResult<Option<Once>> {
        let request = request.clone();
        self.read(move |conn| acts::request(conn, &request, now)).await
    }

    async fn open_ways(&self) -> StoreResult<Vec<OpenWay>> {
        self.read(records::open_ways).await
    }

    async fn push_story(&self, push_id: i64) -> StoreResult<Option<PushStory>> {
        self.read(move |conn| asked::push_story(conn, push_id)).await
    }

    async fn waiting_fires(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> StoreResult<Vec<WaitingFire>> {
        let job = job.map(str::to_owned);
        self.read(move |conn| asked::waiting_fires(conn, job.as_deref(), from, until, limit)).await
    }

    async fn unfired(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> StoreResult<Vec<Unfired>> {
        let job = job.map(str::to_owned);
        self.read(move |conn| asked::unfired(conn, job.as_deref(), from, until, limit)).await
    }

    async fn hours(&self, from: UtcMs, until: UtcMs, now: UtcMs) -> StoreResult<Hours> {
        self.read(move |conn| figures::hours(conn, from, until, now)).await
    }

    async fn job_days(&self, job: &str, from: &str, now: UtcMs) -> StoreResult<Vec<JobDay>> {
        let (job, from) = (job.to_owned(), from.to_owned());
        self.read(move |conn| figures::job_days(conn, &job, &from, now)).await
    }

    async fn unfired_days(&self, from: &str, now: UtcMs) -> StoreResult<Vec<UnfiredDay>> {
        let from = from.to_owned();
        self.read(move |conn| figures::unfired_days(conn, &from, now)).await
    }

    async fn situation(&self, now: UtcMs, since: UtcMs) -> StoreResult<Situation> {
        self.read(move |conn| asked::situation(conn, now, since)).await
    }

    async fn known_targets(&self) -> StoreResult<Vec<String>> {
        self.read(asked::known_targets).await
    }

    async fn simulated_until(&self) -> StoreResult<Option<UtcMs>> {
        self.read(simulated::simulated_until).await
    }

    async fn counted_fires(&self) -> StoreResult<Vec<(String, u64)>> {
        self.read(job_rows::counted_fires).await
    }

    async fn paused_jobs(&self) -> StoreResult<Vec<String>> {
        self.read(job_rows::paused_jobs).await
    }

    async fn changed_by_verbs(&self) -> StoreResult<Vec<String>> {
        self.read(job_rows::changed_by_verbs).await
    }

    async fn definition(&self, job: &str) -> StoreResult<Definition> {
        let job = job.to_owned();
        self.read(move |conn| job_rows::definition(conn, &job)).await
    }

    async fn verb_jobs(&self) -> StoreResult<Vec<Job>> {
        self.read(job_rows::verb_jobs).await
    }

    async fn soonest_jobs(&self, limit: u64, now: UtcMs) -> StoreResult<Vec<Job>> {
        self.read(move |conn| job_rows::soonest_jobs(conn, limit, now)).await
    }

    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> StoreResult<Vec<FireRecord>> {
        let job = job.to_owned();
        self.read(move |conn| records::fires(conn, &job, from, until)).await
    }

    async fn revisions(&self, job: &str) -> StoreResult<Vec<Revision>> {
        let job = job.to_owned();
        self.read(move |conn| records::revisions(conn, &job)).await
    }

    async fn bad_ends(
        &self,
        after: i64,
        since: Option<UtcMs>,
        except: Option<(&str, &Target)>,
        first: u64,
    ) -> StoreResult<BadEnds> {
        let except = except.map(|(im, target)| (im.to_owned(), target.to_string()));
        self.read(move |conn| records::bad_ends(conn, after, since, except, first)).await
    }

    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> StoreResult<Vec<LedgerJob>> {
        let (only, after) = (only.map(str::to_owned), after.to_owned());
        self.read(move |conn| ledger::jobs(conn, only.as_deref(), &after, limit)).await
    }

    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> StoreResult<Vec<LedgerRow>> {
        let job = job.to_owned();
        self.read(move |conn| ledger::rows(conn, &job, from, until, limit)).await
    }

    async fn ledger_ids(&self) -> StoreResult<Vec<LedgerIds>> {
        self.read(ledger::ids).await
    }
}
