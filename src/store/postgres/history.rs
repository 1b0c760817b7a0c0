//! What people ask: each question read beside the writer, in one state of the database.

use async_trait::async_trait;

use super::store::PostgresStore;
use super::{acts, asked, figures, job_questions, ledger, meta, records, views};
use crate::domain::{Job, LedgerIds, LedgerJob, LedgerRow, PushState, Target, UtcMs};
use crate::store::error::StoreResult;
use crate::store::history::History;
use crate::store::model::{
    BadEnds, Definition, FetchedCalendar, Filter, FireRecord, Hours, JobDay, Once, OpenWay, PushStory, RequestKey,
    Revision, Situation, Standing, Table, Unfired, UnfiredDay, View, WaitingFire,
};

#[async_trait]
impl History for PostgresStore {
    async fn view(&self, view: View, filter: &Filter) -> StoreResult<Table> {
        let filter = filter.clone();
        self.ask(move |conn| Box::pin(async move { views::view(conn, view, &filter).await })).await
    }

    async fn standings(&self, after_id: i64, only_open: bool, limit: u64) -> StoreResult<Vec<Standing>> {
        self.ask(move |conn| Box::pin(records::standings(conn, after_id, only_open, limit))).await
    }

    async fn fetched_calendars(&self) -> StoreResult<Vec<FetchedCalendar>> {
        self.ask(|conn| Box::pin(asked::fetched_calendars(conn))).await
    }

    async fn push_state(&self, push_id: i64) -> StoreResult<Option<PushState>> {
        self.ask(move |conn| Box::pin(asked::push_state(conn, push_id))).await
    }

    async fn fallbacks(&self, push_id: i64) -> StoreResult<Vec<i64>> {
        self.ask(move |conn| Box::pin(asked::fallbacks(conn, push_id))).await
    }

    async fn request(&self, request: &RequestKey, now: UtcMs) -> StoreResult<Option<Once>> {
        let request = request.clone();
        self.ask(move |conn| Box::pin(async move { acts::request(conn, &request, now).await })).await
    }

    async fn open_ways(&self) -> StoreResult<Vec<OpenWay>> {
        self.ask(|conn| Box::pin(records::open_ways(conn))).await
    }

    async fn push_story(&self, push_id: i64) -> StoreResult<Option<PushStory>> {
        self.ask(move |conn| Box::pin(asked::push_story(conn, push_id))).await
    }

    async fn waiting_fires(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> StoreResult<Vec<WaitingFire>> {
        let job = job.map(str::to_owned);
        let ask = self.ask(move |conn| {
            Box::pin(async move { asked::waiting_fires(conn, job.as_deref(), from, until, limit).await })
        });
        ask.await
    }

    async fn unfired(
        &self,
        job: Option<&str>,
        from: Option<UtcMs>,
        until: Option<UtcMs>,
        limit: u64,
    ) -> StoreResult<Vec<Unfired>> {
        let job = job.map(str::to_owned);
        let ask = self
            .ask(move |conn| Box::pin(async move { asked::unfired(conn, job.as_deref(), from, until, limit).await }));
        ask.await
    }

    async fn hours(&self, from: UtcMs, until: UtcMs, now: UtcMs) -> StoreResult<Hours> {
        self.ask(move |conn| Box::pin(figures::hours(conn, from, until, now))).await
    }

    async fn job_days(&self, job: &str, from: &str, now: UtcMs) -> StoreResult<Vec<JobDay>> {
        let (job, from) = (job.to_owned(), from.to_owned());
        self.ask(move |conn| Box::pin(async move { figures::job_days(conn, &job, &from, now).await })).await
    }

    async fn unfired_days(&self, from: &str, now: UtcMs) -> StoreResult<Vec<UnfiredDay>> {
        let from = from.to_owned();
        self.ask(move |conn| Box::pin(async move { figures::unfired_days(conn, &from, now).await })).await
    }

    async fn situation(&self, now: UtcMs, since: UtcMs) -> StoreResult<Situation> {
        self.ask(move |conn| Box::pin(asked::situation(conn, now, since))).await
    }

    async fn known_targets(&self) -> StoreResult<Vec<String>> {
        self.ask(|conn| Box::pin(asked::known_targets(conn))).await
    }

    /// Simulations write into files of SQLite only, but such a file may have been moved.
    async fn simulated_until(&self) -> StoreResult<Option<UtcMs>> {
        self.ask(|conn| Box::pin(meta::instant_of(conn, "simulated_until"))).await
    }

    async fn counted_fires(&self) -> StoreResult<Vec<(String, u64)>> {
        self.ask(|conn| Box::pin(job_questions::counted_fires(conn))).await
    }

    async fn paused_jobs(&self) -> StoreResult<Vec<String>> {
        self.ask(|conn| Box::pin(job_questions::paused_jobs(conn))).await
    }

    async fn changed_by_verbs(&self) -> StoreResult<Vec<String>> {
        self.ask(|conn| Box::pin(job_questions::changed_by_verbs(conn))).await
    }

    async fn definition(&self, job: &str) -> StoreResult<Definition> {
        let job = job.to_owned();
        self.ask(move |conn| Box::pin(async move { job_questions::definition(conn, &job).await })).await
    }

    async fn verb_jobs(&self) -> StoreResult<Vec<Job>> {
        self.ask(|conn| Box::pin(job_questions::verb_jobs(conn))).await
    }

    async fn soonest_jobs(&self, limit: u64, now: UtcMs) -> StoreResult<Vec<Job>> {
        self.ask(move |conn| Box::pin(job_questions::soonest_jobs(conn, limit, now))).await
    }

    async fn fires(&self, job: &str, from: UtcMs, until: UtcMs) -> StoreResult<Vec<FireRecord>> {
        let job = job.to_owned();
        self.ask(move |conn| Box::pin(async move { records::fires(conn, &job, from, until).await })).await
    }

    async fn revisions(&self, job: &str) -> StoreResult<Vec<Revision>> {
        let job = job.to_owned();
        self.ask(move |conn| Box::pin(async move { records::revisions(conn, &job).await })).await
    }

    async fn bad_ends(
        &self,
        after: i64,
        since: Option<UtcMs>,
        except: Option<(&str, &Target)>,
        first: u64,
    ) -> StoreResult<BadEnds> {
        let except = except.map(|(im, target)| (im.to_owned(), target.to_string()));
        self.ask(move |conn| Box::pin(records::bad_ends(conn, after, since, except, first))).await
    }

    async fn ledger_jobs(&self, only: Option<&str>, after: &str, limit: u64) -> StoreResult<Vec<LedgerJob>> {
        let (only, after) = (only.map(str::to_owned), after.to_owned());
        self.ask(move |conn| Box::pin(async move { ledger::jobs(conn, only.as_deref(), &after, limit).await })).await
    }

    async fn ledger_rows(&self, job: &str, from: UtcMs, until: UtcMs, limit: u64) -> StoreResult<Vec<LedgerRow>> {
        let job = job.to_owned();
        self.ask(move |conn| Box::pin(async move { ledger::rows(conn, &job, from, until, limit).await })).await
    }

    async fn ledger_ids(&self) -> StoreResult<Vec<LedgerIds>> {
        self.ask(|conn| Box::pin(ledger::ids(conn))).await
    }
}
