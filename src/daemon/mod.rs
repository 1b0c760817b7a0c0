//! The daemon's life: what is set up in which order, what a reload replaces, how a stop ends.

mod alarm;
mod announce;
mod duties;
mod error;
mod fetching;
mod figures;
mod heartbeat;
mod in_force;
mod job_counts;
mod keep_up;
mod listeners;
mod memory;
mod metrics;
mod metrics_endpoint;
mod observers;
mod once;
mod options;
mod outside;
mod part;
mod patience;
mod presence;
mod retention;
mod rounds;
mod setup;
mod systemd;
mod threads;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::acts::keep_inline_of_jobs;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Job, UtcMs};
use crate::engine::dispatcher::{Dispatcher, Event, STOP_GRACE};
use crate::engine::preparer::{Preparer, Preparing};
use crate::engine::push_media::PushMedia;
use crate::engine::recovery::resume_waits;
use crate::engine::scheduler::{Command, Scheduler, begin_watch, end_watch};
use crate::senders::Environment;
use crate::store::{Applied, Lost, SharedStore};

pub use self::error::DaemonError;
pub(crate) use self::once::{Judged, push};
pub use self::once::{PushError, PushResult};
pub use self::options::Options;
pub(crate) use self::part::{Inside, Part};
use self::setup::{Opened, Resumed};

/// Runs the daemon in the foreground until SIGTERM or SIGINT.
///
/// # Errors
/// [`DaemonError`] where it cannot start. A bad file at a reload is told and changes nothing.
pub(crate) fn run(options: &Options, part: Box<dyn Part>) -> Result<(), DaemonError> {
    let runtime = threads::runtime()?;
    let ended = runtime.block_on(async {
        // Taken before anything else: a SIGHUP that comes during the start is answered after it, and kills nobody.
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
            .map_err(|error| DaemonError::System(format!("cannot listen for signals: {error}")))?;
        match start_unless_stopped(options, SystemClock::shared(), part, &mut signals).await? {
            Some((daemon, reload)) => daemon.serve(signals, reload).await,
            None => Ok(()),
        }
    });
    // A look-up of a name that nobody answers holds its thread for as long as it likes.
    runtime.shutdown_timeout(THREADS_END_WITHIN);
    ended
}

/// How long the end waits for threads that are in the middle of something.
const THREADS_END_WITHIN: Duration = Duration::from_secs(1);
/// A stop takes no longer, whatever holds the database: attempts have their grace, and what they came to is recorded.
const LONGEST_STOP: Duration = STOP_GRACE.saturating_add(Duration::from_secs(5));

/// Starts the daemon, and tells whether a reload was asked for meanwhile. None: it was told to stop before it was up.
/// A start may take long, by a push by hand that holds the database or by what a killed daemon left.
async fn start_unless_stopped(
    options: &Options,
    clock: SharedClock,
    part: Box<dyn Part>,
    signals: &mut Signals,
) -> Result<Option<(Daemon, bool)>, DaemonError> {
    let mut starting = tokio::spawn(Daemon::start(options.clone(), clock.clone(), part));
    let mut reload = false;
    loop {
        tokio::select! {
            started = &mut starting => {
                let daemon = started.map_err(|_| DaemonError::BrokeDown("start"))??;
                return Ok(Some((daemon, reload)));
            }
            signal = signals.next() => match signal {
                Some(SIGHUP) => reload = true,
                _ => break,
            },
        }
    }
    systemd::stopping();
    info!("stopping before the start was complete");
    starting.abort();
    tokio::select! {
        started = starting => match started {
            // It had started before it heard of the stop.
            Ok(daemon) => daemon?.stop().await,
            Err(_) => info!("stopped"),
        },
        // In the middle of something that the next start takes up where it lies.
        () = clock.sleep(STOP_GRACE) => info!("stopped"),
    }
    Ok(None)
}

struct Daemon {
    options: Options,
    clock: SharedClock,
    opened: Opened,
    in_force: in_force::InForce,
    environment: Environment,
    media: Arc<PushMedia>,
    dispatcher: mpsc::UnboundedSender<Event>,
    commands: mpsc::Sender<Command>,
    dispatching: JoinHandle<()>,
    scheduling: JoinHandle<()>,
    preparing: Preparing,
    fetching: fetching::Fetching,
    listeners: listeners::Listeners,
    observers: observers::Observers,
    parts: duties::Parts,
    duties: duties::Duties,
    outside: JoinHandle<Lost>,
    part: Box<dyn Part>,
}

impl Daemon {
    async fn start(options: Options, clock: SharedClock, mut part: Box<dyn Part>) -> Result<Daemon, DaemonError> {
        let mut config = setup::load(&options, &clock).await.inspect(setup::tell_warnings).and_then(setup::met)?;
        let opened = Opened::new(&setup::database(&options, &config)?, &clock).await?;
        let store = opened.store.clone();
        let in_force = in_force::InForce::at_start(&config, &*store, &clock).await?;
        let environment = setup::environment(&clock, &store, &opened.state_dir)?;
        let templates = setup::render_with(&store, &config);
        let mut accounts = setup::accounts(&config, &environment)?;
        let started_at = clock.now();
        // Before attempts are taken back: a push with an open one was shown, and its fire is not withdrawn.
        begin_watch(&*store, clock.now()).await?;
        let Resumed { recovered, journal, seen } = opened.recover_to_send(&mut accounts, &clock).await?;
        let media = Arc::new(PushMedia::new(setup::media(&config, &opened.database), clock.clone(), store.clone()));
        let (mut dispatcher, inbox) = Dispatcher::new(store.clone(), clock.clone(), media.clone(), journal);
        let (events, releases) = (dispatcher.handle(), dispatcher.releases());
        let observed = observers::Observed {
            store: store.clone(),
            clock: clock.clone(),
            http: environment.http.clone(),
            engine_gauges: dispatcher.gauges(),
            database: opened.database.clone(),
            started_at,
        };
        let observers = observers::Observers::start(&config, observed, events.clone()).await?;
        dispatcher.set_observer(observers.observer());
        let (jobs, fetched) = (std::mem::take(&mut config.jobs), std::mem::take(&mut config.fetched));
        let standing = store.changed_by_verbs().await?;
        let (scheduler, applied) = set_up_jobs((jobs, config.read_at), &store, &clock, events.clone()).await?;
        store.end_unreadable(clock.now()).await?;
        let (mut open, by) = (store.open_pushes().await?, clock.reading());
        resume_waits(&mut open, seen, by);

        let said = announce::Start {
            files: &config.files,
            database: &opened.database,
            accounts: config.accounts.len(),
            open_pushes: open.len(),
        };
        said.tell(scheduler.timeline(), &applied, &recovered);
        let parts = duties::Parts::new(&store, &clock, &events, observers.endpoint(), &opened.database);
        parts.retention.look_at_clock().await;
        let duties = duties::Duties::start(&config.daemon, &parts).await?;
        parts.notes.started(&options.config, &config.daemon.timezone).await;
        // From here on nothing waits: a start that is told to stop has begun no send, or is complete and can be stopped.
        let listeners = listeners::Listeners::start(&accounts, &events, &clock);
        // The dispatcher task is not running yet, so that these are the first things it hears.
        let _ = events.send(Event::Accounts(accounts));
        let _ = events.send(Event::Resumed { pushes: open, by });
        let dispatching = tokio::spawn(dispatcher.run(inbox));
        let preparer =
            Preparer::new(store.clone(), clock.clone(), media.clone(), (events.clone(), releases), templates);
        let preparing = preparer.start(config.daemon.content_at_once);
        let (commands, scheduling) = begin_scheduling(scheduler, &observers, &preparing);
        let fetching = fetching::Fetching::start(&options, fetched, &store, &clock, &media);
        let (subscribers, bell) = outside::Subscribers::new(events.clone(), commands.clone(), preparing.changed());
        let outside = outside::watch(store.clone(), opened.lease(), &clock, subscribers, standing);
        part.start(inside(&opened, &clock, &events, bell, observers.ended()), &config);
        Ok(Daemon {
            options,
            clock,
            opened,
            in_force,
            environment,
            media,
            dispatcher: events,
            commands,
            dispatching,
            scheduling,
            preparing,
            fetching,
            listeners,
            observers,
            parts,
            duties,
            outside,
            part,
        })
    }

    async fn serve(mut self, mut signals: Signals, reload: bool) -> Result<(), DaemonError> {
        memory::give_back();
        systemd::ready();
        let mut is_told_to_stop = reload && self.reload_unless_stopped(&mut signals).await;
        while !is_told_to_stop {
            tokio::select! {
                signal = signals.next() => {
                    is_told_to_stop = signal != Some(SIGHUP) || self.reload_unless_stopped(&mut signals).await;
                }
                () = self.in_force.changed() => is_told_to_stop = self.reload_unless_stopped(&mut signals).await,
                () = self.fetching.changed() => is_told_to_stop = self.reload_unless_stopped(&mut signals).await,
                _ = &mut self.dispatching => return Err(DaemonError::BrokeDown("dispatcher")),
                seen = &mut self.outside => match seen {
                    Ok(Lost::Database) => return Err(DaemonError::DatabaseLost(self.opened.database)),
                    // The close copies the log, which is still open here.
                    Ok(Lost::Log(path)) => {
                        self.stop().await;
                        return Err(DaemonError::LogLost(path));
                    }
                    Err(_) => return Err(DaemonError::BrokeDown("watch of the database")),
                },
                _ = &mut self.scheduling => return Err(DaemonError::BrokeDown("scheduler")),
                _ = self.preparing.ended() => return Err(DaemonError::BrokeDown("preparer")),
                () = &mut self.opened.breakdown => return Err(DaemonError::BrokeDown("store")),
                () = self.observers.alarm_ended() => return Err(DaemonError::BrokeDown("alarm")),
            }
        }
        self.stop().await;
        Ok(())
    }

    /// Reloads until told to stop: what is not in force then is the next start's. Another request to reload that comes
    /// meanwhile is followed afterwards. Returns whether to stop.
    async fn reload_unless_stopped(&mut self, signals: &mut Signals) -> bool {
        loop {
            let mut again = false;
            let stop = async {
                while let Some(SIGHUP) = signals.next().await {
                    again = true;
                }
            };
            tokio::select! {
                () = stop => return true,
                () = self.reload() => {}
            }
            if !again {
                return false;
            }
        }
    }

    /// All or nothing, but for a database that fails in the midst of very many changes: a bad file is told, and what runs
    /// goes on running.
    async fn reload(&mut self) {
        systemd::reloading();
        let result = self.try_reload().await;
        memory::give_back();
        self.parts.notes.reload(&result).await;
        self.observers.reloaded(result.as_ref().err());
        match result {
            Ok(applied) => {
                announce::tell_applied(&applied);
                info!("reloaded");
                systemd::reloaded("reloaded");
            }
            Err(error @ DaemonError::Partly { .. }) => {
                error!("reloaded in part, accounts and settings stay as before: {error}");
                systemd::reloaded("the last reload was made in part, see the log; reload again");
            }
            Err(error) => {
                announce::tell_refused(&error);
                systemd::reloaded("the last reload was refused, see the log; the old definitions are in force");
            }
        }
    }

    async fn read_files(&self) -> Result<Config, DaemonError> {
        let loaded = setup::load(&self.options, &self.clock).await;
        self.in_force.read(&loaded);
        loaded
    }

    async fn try_reload(&mut self) -> Result<Applied, DaemonError> {
        let mut config = self.read_files().await?;
        // Some editors and copies move a file away before they put the new one there.
        for look in 1..setup::LOOKS {
            let Some(file) = self.in_force.lost_file(&config) else { break };
            if look == 1 {
                info!(file, "a file is gone that jobs or accounts came from: looking again for a moment");
            }
            self.clock.sleep(setup::LOOK_AGAIN).await;
            config = self.read_files().await?;
        }
        setup::tell_warnings(&config);
        let in_force = self.in_force.at_reload(&config)?;
        let database = setup::database(&self.options, &config)?;
        if database != self.opened.database {
            warn!(now = %self.opened.database, wanted = %database, "another database takes a restart");
        }
        let accounts = setup::accounts(&config, &self.environment)?;
        let media = setup::media(&config, &self.opened.database);
        let templates = setup::templates(&config);
        let mut config = setup::met(config)?;
        let (done, applied) = oneshot::channel();
        let mut jobs = std::mem::take(&mut config.jobs);
        let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
        keep_inline_of_jobs(&*self.opened.store, &mut jobs, self.clock.now()).await?;
        let jobs = setup::hashed(jobs).await?;
        self.commands
            .send(Command::Apply { jobs, read_at: config.read_at, done })
            .await
            .map_err(|_| DaemonError::BrokeDown("scheduler"))?;
        let applied = applied.await.map_err(|_| DaemonError::BrokeDown("scheduler"))??;
        self.in_force.replace(in_force);
        self.media.set(media);
        self.opened.store.render_with(templates.clone());
        self.preparing.set_renderer(templates);
        self.preparing.set_at_once(config.daemon.content_at_once);
        self.fetching.set(std::mem::take(&mut config.fetched));
        self.listeners.replace(&accounts, &self.dispatcher);
        let _ = self.dispatcher.send(Event::Accounts(accounts));
        self.observers.replace(&config, &names).await;
        self.part.replace(&config);
        self.parts.notes.runs(&self.options.config, &config.daemon.timezone).await;
        self.duties.restart(&config.daemon, &self.parts).await?;
        Ok(applied)
    }

    /// No new fires, no new attempts; what is under way ends or is recorded as unknown.
    async fn stop(mut self) {
        systemd::stopping();
        info!("stopping");
        // First of all: while the timer ends its round nothing new is sent, and the grace of what is under way has begun.
        let _ = self.dispatcher.send(Event::Stop { grace: STOP_GRACE });
        self.part.stop().await;
        self.outside.abort();
        // A source that is asked now is asked again by the next start.
        self.preparing.stop();
        self.fetching.stop();
        self.observers.stop();
        self.listeners.stop();
        drop(self.commands);
        let (clock, store) = (self.clock.clone(), self.opened.store.clone());
        let (duties, scheduling, dispatching) = (self.duties, self.scheduling, self.dispatching);
        let notes = self.parts.notes;
        let end = async {
            duties.stop().await;
            // A scheduler that broke down has nothing more to record.
            let _ = scheduling.await;
            let _ = dispatching.await;
            // Instants still to come are decided by whoever runs then; until then they are nobody's open pushes.
            if let Err(error) = end_watch(&*store, clock.now()).await {
                warn!(%error, "fires recorded ahead stay for the next start to withdraw");
            }
            notes.stopped().await;
            store.close().await;
        };
        tokio::select! {
            () = end => {}
            () = clock.sleep(LONGEST_STOP) => {
                warn!("the database did not take in time what was under way: the next start sees to it");
            }
        }
        info!("stopped");
    }
}

/// What a part sees of the daemon.
fn inside(
    opened: &Opened,
    clock: &SharedClock,
    events: &mpsc::UnboundedSender<Event>,
    bell: Arc<Notify>,
    ended: tokio::sync::watch::Receiver<u64>,
) -> Inside {
    let events = events.clone();
    Inside {
        store: opened.store.clone(),
        database: opened.database.clone(),
        clock: clock.clone(),
        bell: Arc::new(move || bell.notify_one()),
        ended,
        probe: Arc::new(move || drop(events.send(Event::ProbeAll))),
    }
}

/// Has the timer run, and tell whoever has to know.
fn begin_scheduling(
    mut scheduler: Scheduler,
    observers: &observers::Observers,
    preparing: &Preparing,
) -> (mpsc::Sender<Command>, JoinHandle<()>) {
    scheduler.on_unexpanded(preparing.notify());
    scheduler.set_observer(observers.observer());
    scheduler.on_tick(observers.on_tick());
    scheduler.sleep_at_most(systemd::watchdog_period());
    let (commands, inbox) = mpsc::channel(8);
    (commands, tokio::spawn(scheduler.run(inbox)))
}

/// The timer with the jobs of the configuration, and what these changed.
async fn set_up_jobs(
    (mut jobs, read_at): (Vec<Job>, UtcMs),
    store: &SharedStore,
    clock: &SharedClock,
    events: mpsc::UnboundedSender<Event>,
) -> Result<(Scheduler, Applied), DaemonError> {
    keep_inline_of_jobs(&**store, &mut jobs, clock.now()).await?;
    // The one reads what the database knows of the jobs, the other works out what is to be compared with it.
    let (scheduler, jobs) =
        tokio::join!(Scheduler::new(store.clone(), clock.clone(), setup::zone_version(), events), setup::hashed(jobs));
    let mut scheduler = scheduler?;
    let applied = scheduler.apply_read(jobs?, read_at).await?;
    Ok((scheduler, applied))
}
