//! From a configuration to the parts that the daemon and the sending verbs are made of.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::warn;

use super::{DaemonError, Options};
use crate::acts::surroundings;
use crate::clock::SharedClock;
use crate::config::{self, Config};
use crate::domain::{Database, Job, Reading, Render, StateDir};
use crate::engine::accounts::{Accounts, LiveAccount};
use crate::engine::recovery::{Recovered, last_seen, past_accounts, recover};
use crate::engine::send_journal::{self, SendJournal};
use crate::media;
use crate::render::Templates;
use crate::senders::http::Http;
use crate::senders::{BuildError, Environment, Memory, MemoryError, find, specs};
use crate::store::{self, Access, AccountState, Breakdown, Lease, LeaseError, Purpose, SharedStore, StoreError};
use crate::texts;

/// The time that all media of one push together may take to fetch.
const MEDIA_DEADLINE: Duration = Duration::from_secs(120);

/// The database, held alone.
pub(super) struct Opened {
    pub database: Database,
    pub state_dir: StateDir,
    pub store: SharedStore,
    /// Ends when the store's writing thread breaks down.
    pub breakdown: Breakdown,
    /// Held for as long as the store is used; a second daemon is refused meanwhile.
    lease: Box<dyn Lease>,
}

/// How long a daemon waits for a push by hand that holds the database; longer than one takes by default.
const WAIT_FOR_PUSH: Duration = Duration::from_secs(90);
const LOOK_FOR_LEASE: Duration = Duration::from_millis(50);

impl Opened {
    /// For a daemon: a push by hand keeps none from starting, it is waited for.
    pub(super) async fn new(database: &Database, clock: &SharedClock) -> Result<Opened, DaemonError> {
        Opened::within(database, Purpose::Daemon, WAIT_FOR_PUSH, clock).await
    }

    /// Waits at most so long for whoever holds the database for one push.
    pub(super) async fn within(
        database: &Database,
        purpose: Purpose,
        wait: Duration,
        clock: &SharedClock,
    ) -> Result<Opened, DaemonError> {
        let until = clock.monotonic() + wait;
        let mut told = purpose == Purpose::Push;
        let lease = loop {
            match store::take_lease(database, purpose, clock.now()).await {
                Err(LeaseError::Held { holder, .. }) if !holder.is_daemon && clock.monotonic() < until => {
                    if !told {
                        super::systemd::starting_takes(wait);
                        tracing::info!(holder = holder.words, "waiting for a push by hand that holds the database");
                        told = true;
                    }
                    clock.sleep(LOOK_FOR_LEASE).await;
                }
                taken => break taken?,
            }
        };
        let store = store::open(database, Access::Daemon, clock.now()).await?;
        let breakdown = store.breakdown();
        Ok(Opened { database: database.clone(), state_dir: StateDir::of(database), store, breakdown, lease })
    }

    pub(super) fn lease(&self) -> &dyn Lease {
        &*self.lease
    }

    /// Closes what a process that is gone left open, and opens an empty journal of sends for this one. Whoever holds the
    /// database must do this before it sends anything: the old page goes with it.
    pub(super) async fn recover(
        &self,
        accounts: &Accounts,
        clock: &SharedClock,
    ) -> Result<(Recovered, SendJournal), DaemonError> {
        let path = self.state_dir.send_journal();
        let past = send_journal::read(path);
        let recovered = recover(&*self.store, &**clock, &past, |account, delivery| {
            accounts.get(account).is_some_and(|live| live.sender.is_idempotent(delivery, clock.now()))
        })
        .await?;
        let journal =
            SendJournal::create(path).map_err(|error| DaemonError::System(format!("{}: {error}", path.display())))?;
        Ok((recovered, journal))
    }
}

impl Opened {
    /// As [`Opened::recover`], for whoever is about to send: rests and paces of `accounts` go on as the process before left
    /// them. One that began with none would flood a platform that told the last one to wait.
    pub(super) async fn recover_to_send(
        &self,
        accounts: &mut Accounts,
        clock: &SharedClock,
    ) -> Result<Resumed, DaemonError> {
        let (recovered, journal) = self.recover(accounts, clock).await?;
        let seen = last_seen(&*self.store, clock.reading()).await?;
        accounts.resume(&past_accounts(&*self.store).await?, seen);
        Ok(Resumed { recovered, journal, seen })
    }
}

/// What whoever is about to send finds.
pub(super) struct Resumed {
    pub recovered: Recovered,
    pub journal: SendJournal,
    /// The present, or a later hour that was seen before.
    pub seen: Reading,
}

/// How often files that are being written are read, and how long between.
pub(super) const LOOKS: usize = 10;
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Reads the configuration on a thread of its own. A file that is being written is given some time to be finished.
pub(super) async fn load(options: &Options, clock: &SharedClock) -> Result<Config, DaemonError> {
    let mut looks = 1;
    loop {
        let (Options { config: paths, database }, now) = (options.clone(), clock.now());
        let read = move || config::load(&paths, &specs(), &surroundings(&paths, database.as_ref(), now));
        let loaded = tokio::task::spawn_blocking(read).await;
        let loaded = loaded.map_err(|_| DaemonError::BrokeDown("configuration reader"))?;
        match loaded {
            Err(errors) if errors.under_way && looks < LOOKS => clock.sleep(LOOK_AGAIN).await,
            loaded => return Ok(loaded?),
        }
        looks += 1;
    }
}

/// Logs the warnings of a configuration as `check` tells them, each line a line of the log.
pub(super) fn tell_warnings(config: &Config) {
    for warning in &config.warnings {
        warning.to_string().lines().for_each(|line| warn!("{line}"));
    }
}

/// The configuration, where a daemon of this user may run with it.
pub(super) fn met(config: Config) -> Result<Config, DaemonError> {
    let unmet = config::unmet(&config, rustix::process::geteuid().is_root()).into_iter().next();
    unmet.map_or(Ok(config), |unmet| Err(unmet.into()))
}

/// The database by its one name, whatever links lead to it.
pub(super) fn database(options: &Options, config: &Config) -> Result<Database, StoreError> {
    store::real_name(&Database::at(options.database.as_ref().unwrap_or(&config.daemon.database)))
}

/// What senders are built with. Their private files live in the state directory.
pub(super) fn environment(
    clock: &SharedClock,
    store: &SharedStore,
    state_dir: &StateDir,
) -> Result<Environment, DaemonError> {
    let http = Http::new().map_err(|error| DaemonError::System(error.to_string()))?;
    let memory = Arc::new(StoreMemory { store: store.clone(), clock: clock.clone() });
    Ok(Environment { clock: clock.clone(), http, memory, state_dir: state_dir.path().to_owned() })
}

/// The accounts with their senders.
pub(super) fn accounts(config: &Config, environment: &Environment) -> Result<Accounts, DaemonError> {
    let report = config.daemon.on_failure.iter().filter_map(|on_failure| on_failure.push.as_ref());
    let pushes = config.jobs.iter().flat_map(|job| &job.push).chain(report);
    let used_ims: HashSet<&str> = pushes.map(|push| push.im.as_str()).collect();
    let mut accounts = Vec::with_capacity(config.accounts.len());
    for account in &config.accounts {
        let registered = find(&account.sender).ok_or_else(|| BuildError {
            account: account.id.clone(),
            problem: texts::no_sender_of_that_name(&account.sender),
        })?;
        let sender = (registered.build)(account, environment)?;
        let used = used_ims.contains(account.im.as_str());
        accounts.push(LiveAccount::new(account.clone(), registered.spec, sender.into(), used));
    }
    Ok(Accounts::new(accounts, config.daemon.accounts_fallback))
}

/// What templates are rendered with.
pub(super) fn templates(config: &Config) -> Arc<dyn Render> {
    Arc::new(Templates::new(config.daemon.template_env.clone()))
}

/// Has the store render with them from now on.
pub(super) fn render_with(store: &SharedStore, config: &Config) -> Arc<dyn Render> {
    let templates = templates(config);
    store.render_with(templates.clone());
    templates
}

/// What media may be read from where. Our own files are never sent, wherever they lie.
pub(super) fn media(config: &Config, database: &Database) -> media::Settings {
    let state_dir = StateDir::of(database);
    let mut forbidden = config.files.clone();
    forbidden.extend(config.secret_files.iter().cloned());
    forbidden.extend(store::files(database));
    forbidden.push(state_dir.send_journal().to_owned());
    forbidden.push(state_dir.credentials());
    forbidden.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
    media::Settings {
        roots: config.daemon.media_roots.clone(),
        max_bytes: config.daemon.media_max_bytes,
        allow_private: config.daemon.media_allow_private,
        forbidden,
        temp_dir: state_dir.media(),
        deadline: MEDIA_DEADLINE,
    }
}

/// The version of the zone rules that schedules are evaluated with.
pub(super) fn zone_version() -> String {
    crate::zone::data_version()
}

/// The files as one text for the log.
pub(super) fn shown(files: &[PathBuf]) -> String {
    match files {
        [] => "the embedded example".to_owned(),
        [one] => one.display().to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
    }
}

/// Definitions with the hashes by which a change is noticed, worked out on a thread of its own: a reload of 100,000
/// jobs must not hold up the pushes under way.
pub(super) async fn hashed(jobs: Vec<Job>) -> Result<Vec<(Job, i64)>, DaemonError> {
    let hashed = tokio::task::spawn_blocking(move || Job::with_hashes(jobs)).await;
    hashed.map_err(|_| DaemonError::BrokeDown("comparison of definitions"))
}

/// The senders' memory, kept in the store.
struct StoreMemory {
    store: Arc<dyn AccountState>,
    clock: SharedClock,
}

#[async_trait]
impl Memory for StoreMemory {
    async fn load(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError> {
        self.store.load_state(account).await.map_err(|error| MemoryError(error.to_string()))
    }

    async fn save(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError> {
        let now = self.clock.now();
        self.store.save_state(account, key, value, now).await.map_err(|error| MemoryError(error.to_string()))
    }
}
