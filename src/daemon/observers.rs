//! Whoever watches the running daemon: the metrics, the heartbeat, the alarm.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::alarm::{Alarm, Handle, Settings};
use super::heartbeat::{self, LastTick};
use super::keep_up::{Ended, keep_up};
use super::metrics::Metrics;
use super::metrics_endpoint::{LastReload, MetricsEndpoint};
use super::rounds::Rounds;
use super::{DaemonError, systemd};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::{Database, UtcMs};
use crate::engine::dispatcher::{EngineGauges, Event};
use crate::engine::observer::{EngineEvent, Observer};
use crate::engine::scheduler::Tick;
use crate::senders::http::Http;
use crate::store::{AccountState, SharedStore};

/// The watching tasks, and what they are told through.
pub(super) struct Observers {
    endpoint: Arc<MetricsEndpoint>,
    /// Where the heartbeat sees that the database can be written.
    state: Arc<dyn AccountState>,
    http: Http,
    alarm_handle: Handle,
    alarm: JoinHandle<()>,
    rounds: Arc<Rounds>,
    /// Moves with the end of each push.
    ended: Arc<watch::Sender<u64>>,
    /// Those that a reload starts anew.
    tasks: Vec<JoinHandle<()>>,
}

/// What the observers look at.
pub(super) struct Observed {
    pub store: SharedStore,
    pub clock: SharedClock,
    pub http: Http,
    pub engine_gauges: Arc<EngineGauges>,
    pub database: Database,
    pub started_at: UtcMs,
}

impl Observers {
    pub(super) async fn start(
        config: &Config,
        observed: Observed,
        dispatcher: mpsc::UnboundedSender<Event>,
    ) -> Result<Observers, DaemonError> {
        let Observed { store, clock, http, engine_gauges, database, started_at } = observed;
        let rounds = Arc::new(Rounds::new(engine_gauges.clone(), dispatcher.clone()));
        let alarm = Alarm::new(Settings::of(config), store.clone(), clock.clone(), dispatcher, started_at).await?;
        let alarm_handle = alarm.handle();
        let endpoint = MetricsEndpoint {
            metrics: Arc::new(Metrics::default()),
            last_tick: Arc::new(LastTick::default()),
            engine_gauges,
            store: store.clone(),
            clock,
            database,
            started_at,
            reloads: LastReload::default(),
            file_failed: AtomicBool::new(false),
        };
        endpoint.metrics.set_jobs(config.jobs.iter().map(|job| job.name.as_str()));
        let alarm = tokio::spawn(alarm.run());
        let (endpoint, tasks) = (Arc::new(endpoint), Vec::new());
        let ended = Arc::new(watch::Sender::new(0));
        let mut observers = Observers { endpoint, state: store, http, alarm_handle, alarm, rounds, ended, tasks };
        observers.start_tasks(config);
        Ok(observers)
    }

    /// What the engine is to tell its events to.
    pub(super) fn observer(&self) -> Observer {
        let (metrics, alarm_handle) = (self.endpoint.metrics.clone(), self.alarm_handle.clone());
        let ended = self.ended.clone();
        Arc::new(move |event| {
            metrics.count(event);
            alarm_handle.observe(event);
            if matches!(event, EngineEvent::Ended { .. }) {
                ended.send_modify(|number| *number = number.wrapping_add(1));
            }
        })
    }

    /// Tells of the end of each push.
    pub(super) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// Ends only when the alarm broke down, since it runs for as long as somebody may tell it events.
    pub(super) async fn alarm_ended(&mut self) {
        let _ = (&mut self.alarm).await;
    }

    /// What the timer is to call at every round.
    pub(super) fn on_tick(&self) -> Arc<dyn Fn(Tick) + Send + Sync> {
        let (last_tick, clock) = (self.endpoint.last_tick.clone(), self.endpoint.clock.clone());
        let tell_systemd = systemd::on_tick(self.endpoint.engine_gauges.clone());
        let rounds = self.rounds.clone();
        Arc::new(move |tick| {
            let alive = rounds.go_on();
            if alive {
                last_tick.note(tick, &clock);
            }
            tell_systemd(tick, alive);
        })
    }

    pub(super) fn endpoint(&self) -> &Arc<MetricsEndpoint> {
        &self.endpoint
    }

    /// After a reload, whose jobs have these names.
    pub(super) async fn replace(&mut self, config: &Config, jobs: &[String]) {
        self.alarm_handle.set(Settings::of(config));
        self.endpoint.metrics.set_jobs(jobs.iter().map(String::as_str));
        self.endpoint.metrics.keep_accounts(|id| config.accounts.iter().any(|account| account.id == id));
        for task in self.tasks.drain(..) {
            task.abort();
            // The address must be free before it is taken again.
            let _ = task.await;
        }
        self.start_tasks(config);
    }

    /// What a reload was refused for, if it was.
    pub(super) fn reloaded(&self, refused: Option<&DaemonError>) {
        self.alarm_handle.reloaded(refused.map(DaemonError::in_short));
    }

    fn start_tasks(&mut self, config: &Config) {
        if let Some(to) = config.daemon.metrics_listen.clone() {
            let (endpoint, clock) = (self.endpoint.clone(), self.endpoint.clock.clone());
            let serve = move || endpoint.clone().serve(to.clone()).map(|()| Ended::Done);
            self.tasks.push(tokio::spawn(keep_up("the page of metrics", clock, serve)));
        }
        if let Some(heartbeat) = config.daemon.heartbeat.clone() {
            let (last_tick, clock) = (self.endpoint.last_tick.clone(), self.endpoint.clock.clone());
            let (store, http) = (self.state.clone(), self.http.clone());
            let caller = heartbeat::Caller { heartbeat, last_tick, store, clock: clock.clone(), http };
            let call = move || caller.clone().run().map(|()| Ended::Done);
            self.tasks.push(tokio::spawn(keep_up("the heartbeat", clock, call)));
        }
    }

    pub(super) fn stop(self) {
        self.alarm.abort();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
