//! A store under test, the bystander in it, and short ways to say what tests say all the time.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pushcron::domain::{
    Body, Decision, Delivery, Job, Message, Misfire, Next, Outcome, Overlap, PushSpec, PushState, Report, RetryPolicy,
    Rule, Schedule, Target, UtcMs,
};
use pushcron::store::{
    Applied, Begin, Cursor, Filter, Finish, JobChange, NewFire, OpenPush, Recorded, SharedStore, StoredJob, View,
};

/// One database, to be opened as often as processes would.
pub(super) trait Backend: Send + Sync {
    fn open(&self) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>>;
    /// Opens what [`pushcron::store::Store::backup`] wrote.
    fn open_backup(&self, path: PathBuf, now: UtcMs) -> Pin<Box<dyn Future<Output = SharedStore> + Send + '_>>;
    /// A directory for files of the test.
    fn scratch(&self) -> PathBuf;
}

pub(super) struct World {
    pub store: SharedStore,
    pub backend: Box<dyn Backend>,
}

/// An instant that every test can count from: 2026-01-01T09:00:00.000Z.
pub(super) const NINE: UtcMs = UtcMs(1_767_258_000_000);

/// So many seconds after nine.
pub(super) fn at(seconds: i64) -> UtcMs {
    UtcMs(NINE.0 + seconds * 1000)
}

pub(crate) fn push(target: &str, text: &str) -> PushSpec {
    PushSpec {
        im: "qq".to_owned(),
        target: target.parse::<Target>().unwrap(),
        account: None,
        message: Message { title: None, body: Body::Text { text: text.to_owned() } },
        timeout: Duration::from_secs(15),
        retry: RetryPolicy::default().into(),
        render: None,
        list: None,
        fallback: Vec::new(),
    }
}

pub(crate) fn job(name: &str) -> Job {
    Job {
        name: name.to_owned(),
        schedule: Schedule::Every(1000),
        timezone: "Asia/Shanghai".into(),
        enabled: true,
        push: vec![push("group:123456", "hello")],
        content_from: None,
        misfire: Misfire::default(),
        overlap: Overlap::Allow,
        dst_gap: Default::default(),
        days: None,
        life: None,
    }
}

pub(crate) fn change(job: Job, next: UtcMs) -> JobChange {
    JobChange {
        definition_hash: hash(&job),
        job,
        next_due_at: Some(next),
        keeps_place: false,
        keeps_count: false,
        since: None,
        source: Default::default(),
    }
}

fn hash(job: &Job) -> i64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(job).unwrap().hash(&mut hasher);
    hasher.finish() as i64
}

pub(super) fn fire(job: &Job, due_at: UtcMs) -> NewFire {
    NewFire {
        job: Arc::from(job.name.as_str()),
        due_at,
        decision: Decision::Fired,
        reason: None,
        count: 1,
        until_at: None,
        overlap: job.overlap,
        zone: Some(Arc::from("Asia/Shanghai 2026a")),
        calendar: None,
        is_held: false,
    }
}

pub(super) fn cursor(job: &Job, from: UtcMs, next: UtcMs) -> Cursor {
    Cursor { job: Arc::from(job.name.as_str()), from: Some(from), next_due_at: Some(next) }
}

pub(super) fn begin(push_id: i64) -> Begin {
    Begin { push_id, account: Arc::from("bot_a"), sender: "console", rule: Rule::ImDefault }
}

pub(super) fn finish(delivery: &Delivery, report: Report, next: Next, finished_at: UtcMs) -> Finish {
    Finish {
        push_id: delivery.push_id,
        number: delivery.attempt,
        report,
        next,
        started_at: delivery.due_at,
        finished_at,
        health: None,
    }
}

pub(super) fn sent(delivery: &Delivery, finished_at: UtcMs) -> Finish {
    finish(delivery, Report::sent(Some(format!("m{}", delivery.push_id))), Next::Sent, finished_at)
}

pub(super) fn failed(delivery: &Delivery, outcome: Outcome, next: Next, finished_at: UtcMs) -> Finish {
    finish(delivery, Report::failed(outcome, "the platform said no"), next, finished_at)
}

impl World {
    pub(super) async fn check<F: Future<Output = ()>>(backend: Box<dyn Backend>, test: impl FnOnce(Arc<World>) -> F) {
        let world = Arc::new(World { store: backend.open().await, backend });
        let bystander = job("bystander");
        world.load(&bystander, at(-5)).await;
        let pushes = world.fire(&bystander, at(-5)).await.pushes;
        let delivery = world.begin(pushes[0].id, at(-5)).await;
        world.store.finish_attempts(vec![sent(&delivery, at(-4))]).await.unwrap();
        let before = world.bystander().await;
        test(world.clone()).await;
        assert_eq!(world.bystander().await, before, "the bystander was touched");
    }

    /// Everything that the tables say of the bystander.
    async fn bystander(&self) -> String {
        // Some tests close the store; the bystander is looked at from outside then too.
        let store = self.backend.open().await;
        let filter = Filter { job: Some("bystander".to_owned()), ..Filter::default() };
        let history = store.view(View::PushHistory, &filter).await.unwrap();
        let job = store.jobs().await.unwrap().into_iter().find(|job| &*job.name == "bystander");
        store.close().await;
        format!("{history:?} {job:?}")
    }

    pub(super) async fn load(&self, job: &Job, next: UtcMs) -> Applied {
        self.store.apply_jobs(vec![change(job.clone(), next)], vec![], at(-10)).await.unwrap()
    }

    pub(super) async fn stored(&self, name: &str) -> StoredJob {
        let jobs = self.store.jobs().await.unwrap();
        jobs.into_iter().find(|job| &*job.name == name).unwrap_or_else(|| panic!("no job {name}"))
    }

    /// Fires a job at its instant, wherever its place is, and moves it one second on.
    pub(super) async fn fire(&self, job: &Job, due_at: UtcMs) -> Recorded {
        self.fire_seen(job, due_at, due_at).await
    }

    /// As [`World::fire`], recorded at another time than it is due.
    pub(super) async fn fire_seen(&self, job: &Job, due_at: UtcMs, now: UtcMs) -> Recorded {
        let from = self.stored(&job.name).await.next_due_at;
        let cursor = Cursor { job: Arc::from(job.name.as_str()), from, next_due_at: Some(UtcMs(due_at.0 + 1000)) };
        self.store.record_fires(vec![fire(job, due_at)], vec![cursor], now).await.unwrap()
    }

    /// A push that is open and not being sent, as the dispatcher would take it in.
    pub(super) async fn open(&self, id: i64) -> OpenPush {
        self.store.open_pushes().await.unwrap().into_iter().find(|push| push.id == id).unwrap()
    }

    /// A job that has fired once at nine: its waiting push.
    pub(super) async fn waiting(&self, name: &str) -> OpenPush {
        let job = job(name);
        self.load(&job, at(0)).await;
        self.fire(&job, at(0)).await.pushes.remove(0)
    }

    pub(super) async fn begin(&self, push_id: i64, now: UtcMs) -> Delivery {
        let mut deliveries = self.store.begin_attempts(vec![begin(push_id)], now).await.unwrap();
        assert_eq!(deliveries.len(), 1, "push {push_id} could not be begun");
        deliveries.remove(0)
    }

    /// A push that has come to this end.
    pub(super) async fn ended(&self, name: &str, next: Next) -> i64 {
        let push = self.waiting(name).await;
        let delivery = self.begin(push.id, at(0)).await;
        let finish = match next {
            Next::Sent => sent(&delivery, at(1)),
            next => failed(&delivery, Outcome::Unknown, next, at(1)),
        };
        self.store.finish_attempts(vec![finish]).await.unwrap();
        push.id
    }

    pub(super) async fn state(&self, push_id: i64) -> PushState {
        self.store.push_state(push_id).await.unwrap().unwrap_or_else(|| panic!("no push {push_id}"))
    }

    /// One line of a view as text, by its columns.
    pub(super) async fn row(&self, view: View, push_id: i64) -> serde_json::Map<String, serde_json::Value> {
        let filter = Filter { push_id: Some(push_id), ..Filter::default() };
        let table = self.store.view(view, &filter).await.unwrap();
        assert_eq!(table.rows.len(), 1, "push {push_id} in {view:?}");
        table.columns.iter().cloned().zip(table.rows[0].iter().cloned()).collect()
    }

    pub(super) async fn history(&self, push_id: i64) -> serde_json::Map<String, serde_json::Value> {
        self.row(View::PushHistory, push_id).await
    }

    pub(super) async fn open_ids(&self) -> Vec<i64> {
        self.store.open_pushes().await.unwrap().into_iter().map(|push| push.id).collect()
    }
}
