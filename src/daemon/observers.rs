//! Whoever watches the running daemon: the numbers, the heartbeat, the alarm.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::alarm::{Alarm, Ear, Settings};
use super::heartbeat::{self, Pulse};
use super::keep_up::{Ended, keep_up};
use super::metrics::Metrics;
use super::numbers::Numbers;
use super::rounds::Rounds;
use super::{DaemonError, systemd};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::{Database, UtcMs};
use crate::engine::dispatcher::{Event, Vitals};
use crate::engine::observer::Observer;
use crate::engine::scheduler::Beat;
use crate::senders::http::Http;
use crate::store::{AccountState, SharedStore};

/// The watching tasks, and what they are told through.
pub struct Observers {
    numbers: Arc<Numbers>,
    /// Where the heartbeat sees that the database can be written.
    state: Arc<dyn AccountState>,
    http: Http,
    ear: Ear,
    alarm: JoinHandle<()>,
    rounds: Arc<Rounds>,
    /// Those that a reload starts anew.
    tasks: Vec<JoinHandle<()>>,
}

/// What the observers look at.
pub struct Observed {
    pub store: SharedStore,
    pub clock: SharedClock,
    pub http: Http,
    pub vitals: Arc<Vitals>,
    pub database: Database,
    pub started_at: UtcMs,
}

impl Observers {
    pub async fn start(
        config: &Config,
        observed: Observed,
        dispatcher: mpsc::UnboundedSender<Event>,
    ) -> Result<Observers, DaemonError> {
        let Observed { store, clock, http, vitals, database, started_at } = observed;
        may_run_command(config)?;
        let rounds = Arc::new(Rounds::new(vitals.clone(), dispatcher.clone()));
        let alarm = Alarm::new(Settings::of(config), store.clone(), clock.clone(), dispatcher, started_at).await?;
        let ear = alarm.ear();
        let numbers = Numbers {
            metrics: Arc::new(Metrics::default()),
            pulse: Arc::new(Pulse::default()),
            vitals,
            store: store.clone(),
            clock,
            database,
            started_at,
            file_failed: AtomicBool::new(false),
        };
        let alarm = tokio::spawn(alarm.run());
        let (numbers, tasks) = (Arc::new(numbers), Vec::new());
        let mut observers = Observers { numbers, state: store, http, ear, alarm, rounds, tasks };
        observers.start_tasks(config);
        Ok(observers)
    }

    /// What the engine is to tell its events to.
    pub fn observer(&self) -> Observer {
        let (metrics, ear) = (self.numbers.metrics.clone(), self.ear.clone());
        Arc::new(move |event| {
            metrics.count(event);
            ear.hear(event);
        })
    }

    /// Ends only when the alarm broke down, since it runs for as long as somebody may tell it events.
    pub async fn alarm_ended(&mut self) {
        let _ = (&mut self.alarm).await;
    }

    /// What the timer is to call at every round.
    pub fn on_beat(&self) -> Arc<dyn Fn(Beat) + Send + Sync> {
        let (pulse, clock) = (self.numbers.pulse.clone(), self.numbers.clock.clone());
        let tell_systemd = systemd::beat(self.numbers.vitals.clone());
        let rounds = self.rounds.clone();
        Arc::new(move |beat| {
            let alive = rounds.go_on();
            if alive {
                pulse.note(beat, &clock);
            }
            tell_systemd(beat, alive);
        })
    }

    pub fn numbers(&self) -> &Arc<Numbers> {
        &self.numbers
    }

    /// After a reload.
    pub async fn replace(&mut self, config: &Config) {
        self.ear.set(Settings::of(config));
        self.numbers.metrics.keep_accounts(|id| config.accounts.iter().any(|account| account.id == id));
        for task in self.tasks.drain(..) {
            task.abort();
            // The address must be free before it is taken again.
            let _ = task.await;
        }
        self.start_tasks(config);
    }

    fn start_tasks(&mut self, config: &Config) {
        if let Some(address) = config.daemon.metrics_listen {
            let (numbers, clock) = (self.numbers.clone(), self.numbers.clock.clone());
            let serve = move || numbers.clone().serve(address).map(|()| Ended::Done);
            self.tasks.push(tokio::spawn(keep_up("the page of metrics", clock, serve)));
        }
        if let Some(heartbeat) = config.daemon.heartbeat.clone() {
            let (pulse, clock) = (self.numbers.pulse.clone(), self.numbers.clock.clone());
            let (store, http) = (self.state.clone(), self.http.clone());
            let caller = heartbeat::Caller { heartbeat, pulse, store, clock: clock.clone(), http };
            let call = move || caller.clone().run().map(|()| Ended::Done);
            self.tasks.push(tokio::spawn(keep_up("the heartbeat", clock, call)));
        }
    }

    pub fn stop(self) {
        self.alarm.abort();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A daemon that runs as root must not lend root to whoever may write its configuration.
pub fn may_run_command(config: &Config) -> Result<(), DaemonError> {
    let on_failure = config.daemon.on_failure.as_ref();
    match on_failure.is_some_and(|on_failure| on_failure.command.is_some() && !on_failure.as_root) {
        true if rustix::process::geteuid().is_root() => Err(DaemonError::CommandAsRoot),
        _ => Ok(()),
    }
}
