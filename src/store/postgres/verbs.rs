//! What the engine and verbs change: each verb a write of its table.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::account_state::SaveState;
use super::store::PostgresStore;
use super::{
    accounts, acts, attempts, begin, by_hand, expand, fetched, job_rows, jobs, last_good, noticed, opened, pushes,
    record, release, withdraw,
};
use crate::domain::{Delivery, Render, UtcMs};
use crate::store::error::StoreResult;
use crate::store::model::{
    AccountRow, AdHoc, Applied, Begin, Closed, Cursor, Expand, Expected, Finish, Interrupted, JobChange, LastGood,
    LastList, NewFire, NoteFetch, Once, OpenPush, OwnMessage, Recorded, Release, Released, RequestKey, Restored,
    Settle, StoredJob, TakeBack, Unexpanded, Unreleased, Unwatched,
};
use crate::store::verbs::Store;

#[async_trait]
impl Store for PostgresStore {
    async fn jobs(&self) -> StoreResult<Vec<StoredJob>> {
        self.ask(|conn| Box::pin(job_rows::jobs(conn))).await
    }

    async fn apply_jobs(&self, changes: Vec<JobChange>, removed: Vec<Arc<str>>, now: UtcMs) -> StoreResult<Applied> {
        self.write(jobs::ApplyJobs { changes, removed, expected: Vec::new(), by: None, now }).await
    }

    async fn apply_by_verb(
        &self,
        changes: Vec<JobChange>,
        removed: Vec<Arc<str>>,
        expected: Vec<Expected>,
        now: UtcMs,
    ) -> StoreResult<Applied> {
        self.write(jobs::ApplyJobs { changes, removed, expected, by: self.by.clone(), now }).await
    }

    async fn set_paused(&self, job: &str, paused: bool, now: UtcMs) -> StoreResult<bool> {
        self.write(jobs::SetPaused { job: job.to_owned(), paused, by: self.by.clone(), now }).await
    }

    async fn record_fires(&self, fires: Vec<NewFire>, cursors: Vec<Cursor>, now: UtcMs) -> StoreResult<Recorded> {
        self.write(record::RecordFires { fires, cursors, now }).await
    }

    async fn note_fetch(&self, fetch: NoteFetch, now: UtcMs) -> StoreResult<()> {
        self.write(fetched::KeepFetch { fetch, now }).await
    }

    async fn unexpanded(&self, after: i64, limit: u64) -> StoreResult<Vec<Unexpanded>> {
        self.ask(move |conn| Box::pin(expand::unexpanded(conn, after, limit))).await
    }

    async fn last_good(&self, fire_id: i64, since: UtcMs) -> StoreResult<Option<LastGood>> {
        self.ask(move |conn| Box::pin(last_good::last_good(conn, fire_id, since))).await
    }

    async fn last_list(&self, fire_id: i64, name: &str, key: &str, since: UtcMs) -> StoreResult<Option<LastList>> {
        let (name, key) = (name.to_owned(), key.to_owned());
        self.ask(move |conn| Box::pin(async move { last_good::last_list(conn, fire_id, &name, &key, since).await }))
            .await
    }

    async fn expand(&self, expand: Expand, now: UtcMs) -> StoreResult<Vec<OpenPush>> {
        self.write(expand::ExpandFire { expand, now }).await
    }

    async fn unreleased(&self, push_ids: Vec<i64>) -> StoreResult<Vec<Unreleased>> {
        self.ask(move |conn| Box::pin(async move { release::unreleased(conn, &push_ids).await })).await
    }

    async fn release(&self, release: Release, now: UtcMs) -> StoreResult<Released> {
        self.write(release::ReleaseFire { release, now }).await
    }

    async fn withdraw_ahead(&self, now: UtcMs) -> StoreResult<u64> {
        self.write(withdraw::WithdrawAhead { now }).await
    }

    async fn watched_until(&self) -> StoreResult<Option<UtcMs>> {
        self.ask(|conn| Box::pin(noticed::watched_until(conn))).await
    }

    async fn note_watch(&self, now: UtcMs) -> StoreResult<()> {
        self.write(noticed::NoteWatch { now }).await
    }

    async fn unwatched(&self, after: Option<UtcMs>, until: UtcMs) -> StoreResult<Vec<Unwatched>> {
        self.ask(move |conn| Box::pin(withdraw::unwatched(conn, after, until))).await
    }

    async fn last_recorded_at(&self) -> StoreResult<Option<UtcMs>> {
        self.ask(|conn| Box::pin(noticed::last_recorded_at(conn))).await
    }

    async fn restored(&self) -> StoreResult<Option<Restored>> {
        self.ask(|conn| Box::pin(noticed::restored(conn))).await
    }

    async fn fire_by_hand(&self, job: &str, now: UtcMs) -> StoreResult<Vec<i64>> {
        self.write(by_hand::FireByHand { job: job.to_owned(), own: None, by: self.by.clone(), now }).await
    }

    async fn fire_saying(&self, job: &str, own: OwnMessage, now: UtcMs) -> StoreResult<Vec<i64>> {
        self.write(by_hand::FireByHand { job: job.to_owned(), own: Some(own), by: self.by.clone(), now }).await
    }

    async fn backfill(&self, job: &str, instants: Vec<UtcMs>, gap: Duration, now: UtcMs) -> StoreResult<Vec<Vec<i64>>> {
        self.write(by_hand::Backfill { job: job.to_owned(), instants, gap, by: self.by.clone(), now }).await
    }

    async fn push_ad_hoc(&self, push: AdHoc, now: UtcMs) -> StoreResult<i64> {
        self.write(by_hand::PushAdHoc { push, now }).await
    }

    async fn push_several(&self, pushes: Vec<AdHoc>, now: UtcMs) -> StoreResult<Vec<i64>> {
        self.write(by_hand::PushSeveral { pushes, by: self.by.clone(), now }).await
    }

    async fn push_once(&self, pushes: Vec<AdHoc>, request: RequestKey, now: UtcMs) -> StoreResult<Once> {
        let push = by_hand::PushSeveral { pushes, by: self.by.clone(), now };
        self.write(acts::PushOnce { push, request }).await
    }

    async fn note_act(&self, verb: &'static str, now: UtcMs) -> StoreResult<()> {
        self.write(acts::NoteAct { verb, by: self.by.clone(), now }).await
    }

    async fn push_and_save_state(&self, push: AdHoc, key: &str, value: &str, now: UtcMs) -> StoreResult<i64> {
        let save = SaveState { account: String::new(), key: key.to_owned(), value: value.to_owned(), now };
        self.write(by_hand::PushAndSave { push: by_hand::PushAdHoc { push, now }, save }).await
    }

    async fn open_pushes(&self) -> StoreResult<Vec<OpenPush>> {
        self.ask(|conn| Box::pin(opened::open_pushes(conn))).await
    }

    async fn end_unreadable(&self, now: UtcMs) -> StoreResult<()> {
        self.write(pushes::EndUnreadable { now }).await
    }

    async fn settle(&self, settles: Vec<Settle>, now: UtcMs) -> StoreResult<Vec<OpenPush>> {
        self.write(pushes::SettlePushes { settles, now }).await
    }

    async fn end_untouched(&self, settles: Vec<Settle>, now: UtcMs) -> StoreResult<Vec<i64>> {
        self.write(pushes::EndUntouched { settles, now }).await
    }

    async fn tell_next_attempts(&self, next_attempts: Vec<(i64, UtcMs)>) -> StoreResult<()> {
        self.write(attempts::TellNextAttempts { next_attempts }).await
    }

    async fn cancel(&self, push_id: i64, now: UtcMs) -> StoreResult<()> {
        self.write(pushes::Cancel { push_id, by: self.by.clone(), now }).await
    }

    async fn cancel_fire(&self, fire_id: i64, now: UtcMs) -> StoreResult<()> {
        self.write(expand::CancelFire { fire_id, by: self.by.clone(), now }).await
    }

    async fn retry(&self, push_id: i64, now: UtcMs) -> StoreResult<()> {
        self.write(pushes::Retry { push_id, by: self.by.clone(), now }).await
    }

    async fn resolve(&self, push_id: i64, sent: bool, now: UtcMs) -> StoreResult<()> {
        self.write(pushes::Resolve { push_id, sent, by: self.by.clone(), now }).await
    }

    async fn confirm(&self, account: &str, message_id: &str, now: UtcMs) -> StoreResult<bool> {
        let (account, message_id) = (account.to_owned(), message_id.to_owned());
        let find =
            self.ask(move |conn| Box::pin(async move { pushes::with_message(conn, &account, &message_id, now).await }));
        match find.await? {
            Some(push_id) => self.write(pushes::Confirm { push_id, now }).await,
            None => Ok(false),
        }
    }

    fn render_with(&self, renderer: Arc<dyn Render>) {
        self.renderer.set(renderer);
    }

    async fn begin_attempts(&self, begins: Vec<Begin>, now: UtcMs) -> StoreResult<Vec<Delivery>> {
        self.write(begin::BeginAttempts { begins, now, renderer: self.renderer.get() }).await
    }

    async fn finish_attempts(&self, finishes: Vec<Finish>) -> StoreResult<Closed> {
        self.write(attempts::FinishAttempts { finishes }).await
    }

    async fn take_back_attempts(&self, attempts: Vec<TakeBack>, now: UtcMs) -> StoreResult<Vec<i64>> {
        self.write(attempts::TakeBackAttempts { attempts, now }).await
    }

    async fn interrupted(&self) -> StoreResult<Vec<Interrupted>> {
        self.ask(|conn| Box::pin(attempts::interrupted(conn))).await
    }

    async fn record_accounts(&self, accounts: Vec<AccountRow>, all: bool) -> StoreResult<()> {
        self.write(accounts::RecordAccounts { accounts, all }).await
    }

    async fn accounts(&self) -> StoreResult<Vec<AccountRow>> {
        self.ask(|conn| Box::pin(accounts::accounts(conn))).await
    }
}
