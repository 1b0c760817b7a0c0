//! Scheduler, dispatcher and a real store on a clock that stands still, with a sender that answers by script.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::{Clock, ManualClock, SharedClock};
use pushcron::domain::job::DstGap;
use pushcron::domain::{
    Account, Body, Database, Delivery, Job, Message, Misfire, Moment, Outcome, Overlap, PushSpec, PushState, Report,
    RetryPolicy, Schedule, StateDir, Target, UtcMs,
};
use pushcron::engine::accounts::{Accounts, LiveAccount};
use pushcron::engine::dispatcher::{Dispatcher, EngineGauges, Event, STOP_GRACE};
use pushcron::engine::observer::EngineEvent;
use pushcron::engine::push_media::PushMedia;
use pushcron::engine::recovery::{Recovered, last_seen, past_accounts, recover, resume_waits};
use pushcron::engine::scheduler::{ApplyError, Scheduler, begin_watch, end_watch};
use pushcron::engine::send_journal::{self, SendJournal};
use pushcron::media;
use pushcron::policy::account::Fallback;
use pushcron::render::Templates;
use pushcron::senders::{Probe, Sender, find};
use pushcron::store::{self, Access, Applied, SharedStore};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::rows::query;

/// 2026-01-01T01:00:00.000Z, a Thursday.
pub(crate) const START: UtcMs = UtcMs(1_767_229_200_000);

/// What the scripted platform does with the next request of an account.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Report(Report),
    /// Takes the message and never answers.
    Silence,
}

/// What to answer to whom, by whatever the caller goes by.
type AnswerRule = Box<dyn Fn(&str, &Delivery) -> Option<Answer> + Send + Sync>;

/// The other end: what arrived, and what to answer.
#[derive(Default)]
pub(crate) struct Platform {
    rule: Mutex<Option<AnswerRule>>,
    script: Mutex<HashMap<String, VecDeque<Answer>>>,
    probes: Mutex<HashMap<String, Probe>>,
    arrived: Mutex<Vec<(String, Delivery)>>,
    perhaps_taken: Mutex<Vec<i64>>,
    /// How long it takes over an answer, by which clock.
    latency: Mutex<Option<(Arc<ManualClock>, Duration)>>,
}

impl Platform {
    /// Answers so long after a request has arrived, by this clock; and who waits for an answer that never comes gives up at
    /// the end of its time, as real senders do. Otherwise answers take no time, and nobody gives up.
    pub(crate) fn takes(&self, latency: Duration, clock: &Arc<ManualClock>) {
        *self.latency.lock().unwrap() = Some((clock.clone(), latency));
    }

    /// The next answers for an account; after them, every push is sent.
    pub(crate) fn answers(&self, account: &str, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().entry(account.to_owned()).or_default().extend(answers);
    }

    /// Answers by this rule whatever [`Platform::answers`] says nothing of; where it says nothing either, every push is sent.
    pub(crate) fn answers_by(&self, rule: impl Fn(&str, &Delivery) -> Option<Answer> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    pub(crate) fn set_probe(&self, account: &str, probe: Probe) {
        self.probes.lock().unwrap().insert(account.to_owned(), probe);
    }

    /// Every delivery that reached the platform, with its account, in order.
    pub(crate) fn arrived(&self) -> Vec<(String, Delivery)> {
        self.arrived.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }

    /// The pushes whose message people may have seen, once for every time that they may have.
    pub(crate) fn perhaps_taken(&self) -> Vec<i64> {
        self.perhaps_taken.lock().unwrap().clone()
    }
}

struct Scripted {
    account: String,
    platform: Arc<Platform>,
    idempotent: bool,
}

#[async_trait]
impl Sender for Scripted {
    async fn send(&self, delivery: &Delivery) -> Report {
        self.platform.arrived.lock().unwrap().push((self.account.clone(), delivery.clone()));
        let answer = self.platform.script.lock().unwrap().get_mut(&self.account).and_then(VecDeque::pop_front);
        let by_rule = || self.platform.rule.lock().unwrap().as_ref().and_then(|rule| rule(&self.account, delivery));
        let answer = answer.or_else(by_rule);
        let refused = |report: &Report| !matches!(report.outcome, Outcome::Sent | Outcome::Unknown);
        if !matches!(&answer, Some(Answer::Report(report)) if refused(report)) {
            self.platform.perhaps_taken.lock().unwrap().push(delivery.push_id);
        }
        let latency = self.platform.latency.lock().unwrap().clone();
        if let Some((clock, latency)) = latency {
            if let Some(Answer::Silence) = answer {
                clock.sleep(delivery.timeout).await;
                return Report::failed(Outcome::Unknown, "no answer in time");
            }
            clock.sleep(latency).await;
        }
        match answer {
            Some(Answer::Report(report)) => report,
            Some(Answer::Silence) => std::future::pending().await,
            None => Report::sent(Some(format!("m{}", delivery.push_id))),
        }
    }

    async fn probe(&self) -> Probe {
        self.platform.probes.lock().unwrap().get(&self.account).cloned().unwrap_or_else(Probe::up)
    }

    fn is_idempotent(&self, _: &Delivery, _: UtcMs) -> bool {
        self.idempotent
    }
}

type Ended = Arc<Mutex<Vec<(Option<String>, PushState)>>>;

/// A daemon in pieces.
pub(crate) struct World {
    pub dir: Arc<tempfile::TempDir>,
    pub clock: Arc<ManualClock>,
    pub platform: Arc<Platform>,
    pub store: SharedStore,
    pub scheduler: Scheduler,
    pub recovered: Recovered,
    pub events: mpsc::UnboundedSender<Event>,
    /// The ends of pushes that were told, each with the account that it counts for.
    pub ended: Ended,
    accounts: Vec<Account>,
    idempotent: bool,
    gauges: Arc<EngineGauges>,
    dispatching: JoinHandle<()>,
}

/// An account of the im `qq`, sent through by script.
pub(crate) fn account(id: &str, is_default: bool) -> Account {
    Account {
        id: id.to_owned(),
        im: "qq".to_owned(),
        sender: "console".to_owned(),
        is_default,
        concurrency: Some(4),
        min_interval: None,
        settings: Default::default(),
    }
}

pub(crate) fn text(target: &str) -> PushSpec {
    PushSpec {
        im: "qq".to_owned(),
        target: Target::Group(target.to_owned()),
        account: None,
        message: Message { title: None, body: Body::Text { text: "good morning".to_owned() } },
        timeout: Duration::from_secs(15),
        retry: RetryPolicy { jitter: 0.0, ..RetryPolicy::default() }.into(),
        render: None,
        list: None,
        fallback: Vec::new(),
    }
}

pub(crate) fn job(name: &str, schedule: Schedule) -> Job {
    Job {
        name: name.to_owned(),
        schedule,
        timezone: "UTC".into(),
        enabled: true,
        push: vec![text("1")],
        content_from: None,
        misfire: Misfire::default(),
        overlap: Overlap::Allow,
        dst_gap: DstGap::Fire,
        days: None,
        life: None,
    }
}

pub(crate) fn cron(text: &str) -> Schedule {
    Schedule::Cron(text.to_owned())
}

pub(crate) fn failed(outcome: Outcome) -> Answer {
    Answer::Report(Report::failed(outcome, "scripted"))
}

impl World {
    /// A new daemon over an empty database.
    pub(crate) async fn new(accounts: Vec<Account>) -> World {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        World::start(dir, ManualClock::new(START), Arc::default(), accounts, false).await
    }

    pub(crate) async fn with_idempotent_sender(accounts: Vec<Account>) -> World {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        World::start(dir, ManualClock::new(START), Arc::default(), accounts, true).await
    }

    /// A new daemon over an empty database in a folder of the caller's choice, at an instant of the caller's choice.
    pub(crate) async fn within(dir: tempfile::TempDir, start: UtcMs, accounts: Vec<Account>) -> World {
        World::start(Arc::new(dir), ManualClock::new(start), Arc::default(), accounts, false).await
    }

    /// A new daemon over an empty database, that sees `clock` through another one.
    pub(crate) async fn that_sees(seen: SharedClock, clock: Arc<ManualClock>, accounts: Vec<Account>) -> World {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        World::start_seeing(seen, dir, clock, Arc::default(), accounts, false).await
    }

    async fn start(
        dir: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
        platform: Arc<Platform>,
        accounts: Vec<Account>,
        idempotent: bool,
    ) -> World {
        World::start_seeing(clock.clone(), dir, clock, platform, accounts, idempotent).await
    }

    async fn start_seeing(
        seen_clock: SharedClock,
        dir: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
        platform: Arc<Platform>,
        accounts: Vec<Account>,
        idempotent: bool,
    ) -> World {
        let path = dir.path().join("pushcron.db");
        let database = Database::at(&path);
        let store = store::open(&database, Access::Daemon, clock.now()).await.unwrap();
        store.render_with(Arc::new(Templates::new(BTreeMap::new())));
        let journal_at = StateDir::of(&database).send_journal().to_owned();
        begin_watch(&*store, clock.now()).await.unwrap();
        let recovered = recover(&*store, &*clock, &send_journal::read(&journal_at), |_, _| idempotent).await.unwrap();
        let seen = last_seen(&*store, clock.reading()).await.unwrap();
        let journal = SendJournal::create(&journal_at).unwrap();
        let media = Arc::new(PushMedia::new(media_settings(dir.path().to_owned()), seen_clock.clone(), store.clone()));
        let (mut dispatcher, inbox) = Dispatcher::new(store.clone(), seen_clock.clone(), media, journal);
        let ended = Ended::default();
        let heard = ended.clone();
        dispatcher.set_observer(Arc::new(move |event| {
            if let EngineEvent::Ended { account, state, .. } = event {
                heard.lock().unwrap().push((account.map(str::to_owned), state));
            }
        }));
        let (events, gauges) = (dispatcher.handle(), dispatcher.gauges());
        let scheduler = Scheduler::new(store.clone(), seen_clock, "2026a".to_owned(), events.clone()).await.unwrap();
        let mut accounts_now = live_accounts(&accounts, &platform, idempotent);
        accounts_now.resume(&past_accounts(&*store).await.unwrap(), seen);
        store.end_unreadable(clock.now()).await.unwrap();
        let mut open = store.open_pushes().await.unwrap();
        let by = clock.reading();
        resume_waits(&mut open, seen, by);
        events.send(Event::Accounts(accounts_now)).ok().unwrap();
        events.send(Event::Resumed { pushes: open, by }).ok().unwrap();
        let dispatching = tokio::spawn(dispatcher.run(inbox));
        World {
            dir,
            clock,
            platform,
            store,
            scheduler,
            recovered,
            events,
            ended,
            accounts,
            idempotent,
            gauges,
            dispatching,
        }
    }

    /// A new process over a database that another one left.
    pub(crate) async fn again(dir: Arc<tempfile::TempDir>, clock: Arc<ManualClock>, accounts: Vec<Account>) -> World {
        World::start(dir, clock, Arc::default(), accounts, false).await
    }

    /// The process is gone between two instructions; a new one starts over the same database.
    pub(crate) async fn kill_and_restart(self) -> World {
        self.dispatching.abort();
        let _ = self.dispatching.await;
        self.store.close().await;
        drop((self.scheduler, self.store));
        World::start(self.dir, self.clock, self.platform, self.accounts, self.idempotent).await
    }

    /// Away until so long after the boot: killed between two instructions, or ended as on SIGTERM.
    pub(crate) async fn away_until(self, back: Moment, killed: bool) -> World {
        let (platform, accounts, idempotent) = (self.platform.clone(), self.accounts.clone(), self.idempotent);
        let (dir, clock, store) = if killed {
            self.dispatching.abort();
            let _ = self.dispatching.await;
            (self.dir, self.clock, self.store)
        } else {
            let (dir, clock, store) = self.stop().await;
            end_watch(&*store, clock.now()).await.unwrap();
            (dir, clock, store)
        };
        store.close().await;
        drop(store);
        clock.advance(back.since(clock.boottime()));
        World::start(dir, clock, platform, accounts, idempotent).await
    }

    /// Ends as on SIGTERM, and a new process starts over the same database `later`.
    pub(crate) async fn stop_and_restart(self, later: Duration) -> World {
        let (platform, accounts, idempotent) = (self.platform.clone(), self.accounts.clone(), self.idempotent);
        let (dir, clock, store) = self.stop().await;
        end_watch(&*store, clock.now()).await.unwrap();
        store.close().await;
        drop(store);
        clock.advance(later);
        World::start(dir, clock, platform, accounts, idempotent).await
    }

    /// The process is gone, a backup takes the place of the database, and a new process starts over it.
    pub(crate) async fn restore_and_restart(self, backup: &std::path::Path) -> World {
        let database = self.dir.path().join("pushcron.db");
        self.dispatching.abort();
        self.store.close().await;
        for suffix in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(database.with_extension(suffix));
        }
        std::fs::rename(backup, database).unwrap();
        self.kill_and_restart().await
    }

    /// Ends as on SIGTERM; what is still under way is given up after its grace.
    pub(crate) async fn stop(self) -> (Arc<tempfile::TempDir>, Arc<ManualClock>, SharedStore) {
        self.events.send(Event::Stop { grace: STOP_GRACE }).ok().unwrap();
        let mut dispatching = self.dispatching;
        while tokio::time::timeout(Duration::from_millis(50), &mut dispatching).await.is_err() {
            self.clock.advance(Duration::from_secs(11));
        }
        (self.dir, self.clock, self.store)
    }

    /// Ends without waiting for anything.
    pub(crate) async fn stop_at_once(self) -> (Arc<tempfile::TempDir>, SharedStore) {
        self.events.send(Event::Stop { grace: Duration::ZERO }).ok().unwrap();
        tokio::time::timeout(Duration::from_secs(60), self.dispatching).await.expect("it ends").unwrap();
        (self.dir, self.store)
    }

    /// Puts these definitions in force, as a start or a reload does.
    pub(crate) async fn load(&mut self, jobs: &[Job]) {
        self.try_load(jobs).await.unwrap();
    }

    /// Puts definitions in force that were read some time ago: the reload was slow.
    pub(crate) async fn load_read(&mut self, jobs: &[Job], read_at: UtcMs) {
        let hashed = jobs.iter().map(|job| (job.clone(), hash(job))).collect();
        self.scheduler.apply_read(hashed, read_at).await.unwrap();
    }

    /// The same, and what is said where it cannot be done.
    pub(crate) async fn try_load(&mut self, jobs: &[Job]) -> Result<Applied, ApplyError> {
        let hashed = jobs.iter().map(|job| (job.clone(), hash(job))).collect();
        self.scheduler.apply(hashed).await
    }

    /// Reads the same accounts again, as a reload does.
    pub(crate) fn reload_accounts(&self) {
        let accounts = live_accounts(&self.accounts, &self.platform, self.idempotent);
        self.events.send(Event::Accounts(accounts)).ok().unwrap();
    }

    /// Lets time pass, second by second, with the scheduler looking each time.
    pub(crate) async fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.clock.advance(Duration::from_secs(1));
            self.scheduler.run_once().await.unwrap();
        }
    }

    /// Waits until nothing is left to do at the present instant.
    pub(crate) async fn settled(&self) {
        let now = self.clock.now();
        // What is being sent has no next attempt.
        let busy = format!(
            "select count(*) from pushes where finished_at is null and (state = 'sending' or next_attempt_at <= '{now}')"
        );
        self.expect(&busy, &[&["0"]]).await;
    }

    /// Has the dispatcher look at the present instant, also where nothing comes of it.
    pub(crate) async fn round(&self) {
        let made = self.gauges.rounds.load(Ordering::Relaxed);
        self.events.send(Event::Tick).ok().unwrap();
        let look = async {
            while self.gauges.rounds.load(Ordering::Relaxed) == made {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("the dispatcher makes no rounds");
    }

    /// Gives the tasks a turn at the present instant. What must have happened is waited for with [`World::expect`].
    pub(crate) async fn turn(&self) {
        for _ in 0..20 {
            let _ = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
        }
    }

    /// Changes the database by hand, beside the daemon.
    pub(crate) fn execute(&self, sql: &str) {
        let conn = rusqlite::Connection::open(self.dir.path().join("pushcron.db")).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn.execute(sql, []).unwrap();
    }

    /// Rows of a view, oldest first, as `column=value` of the wanted columns.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        query(&self.dir.path().join("pushcron.db"), sql)
    }

    /// Waits until `sql` gives `expected`, which it does as soon as the tasks have caught up.
    pub(crate) async fn expect(&self, sql: &str, expected: &[&[&str]]) {
        let path = self.dir.path().join("pushcron.db");
        let mut seen = Vec::new();
        for _ in 0..6000 {
            seen = query(&path, sql);
            if seen.iter().map(|row| row.iter().map(String::as_str).collect::<Vec<_>>()).eq(expected.iter().copied()) {
                return;
            }
            tokio::task::yield_now().await;
            let _ = tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
        }
        panic!("{sql}\nexpected {expected:?}\n    seen {seen:?}");
    }

    /// What `pushcron ledger` says of the database; it must balance.
    #[track_caller]
    pub(crate) fn balanced_ledger(&self) -> String {
        self.said(&["ledger"])
    }

    /// What a verb says of the database.
    #[track_caller]
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pushcron"));
        let output = command.env_clear().arg("--db").arg(self.dir.path().join("pushcron.db")).args(words).output();
        let output = output.unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{words:?} ends with {}:\n{told}", output.status);
        told
    }

    /// Waits until so many requests have reached the platform: an attempt's row is there a little before that.
    pub(crate) async fn arrived(&self, count: usize) {
        let look = async {
            while self.platform.count() < count {
                let _ = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("the requests never arrived");
    }
}

/// Definitions differ when their JSON does.
fn hash(job: &Job) -> i64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(job).unwrap().hash(&mut hasher);
    hasher.finish() as i64
}

fn live_accounts(accounts: &[Account], platform: &Arc<Platform>, idempotent: bool) -> Accounts {
    let accounts = accounts.iter().map(|account| {
        let sender = Scripted { account: account.id.clone(), platform: platform.clone(), idempotent };
        LiveAccount::new(account.clone(), find("console").unwrap().spec, Arc::new(sender), true)
    });
    Accounts::new(accounts.collect(), Fallback::CannotSend)
}

fn media_settings(dir: PathBuf) -> media::Settings {
    media::Settings {
        roots: vec![dir.clone()],
        max_bytes: 1 << 20,
        allow_private: false,
        forbidden: Vec::new(),
        temp_dir: dir.join("media"),
        deadline: Duration::from_secs(10),
    }
}
