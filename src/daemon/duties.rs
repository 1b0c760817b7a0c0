//! The daemon's own recurring duties: probing accounts, tending history and disk, making figures, folding the
//! write-ahead log, writing the numbers.
//!
//! tokio-cron-scheduler runs these few tasks, and no user's job: one that is late or lost here is simply done the
//! next time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, error};

use super::DaemonError;
use super::figures::Figures;
use super::metrics_endpoint::MetricsEndpoint;
use super::presence::Notes;
use super::retention::Retention;
use crate::clock::{Clock, SharedClock};
use crate::config::DaemonSettings;
use crate::domain::Database;
use crate::engine::dispatcher::Event;
use crate::store::{SharedStore, Upkeep};

const TEND_EVERY: Duration = Duration::from_secs(3600);
const WATCH_DISK_EVERY: Duration = Duration::from_secs(60);
const WRITE_METRICS_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether the time of an hour has come.
const MAKE_FIGURES_EVERY: Duration = Duration::from_secs(60);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);
const SHOW_LIFE_EVERY: Duration = Duration::from_secs(30);

/// How often it is looked at whether the clock was set, and by how much it must have been.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LEAP: Duration = Duration::from_secs(5);

/// What the duties tend; it outlives a reload.
#[derive(Clone)]
pub(super) struct Parts {
    pub store: Arc<dyn Upkeep>,
    pub clock: SharedClock,
    pub dispatcher: mpsc::UnboundedSender<Event>,
    pub retention: Arc<Retention>,
    pub figures: Arc<Figures>,
    pub endpoint: Arc<MetricsEndpoint>,
    pub notes: Arc<Notes>,
}

impl Parts {
    pub(super) fn new(
        store: &SharedStore,
        clock: &SharedClock,
        dispatcher: &mpsc::UnboundedSender<Event>,
        endpoint: &Arc<MetricsEndpoint>,
        database: &Database,
    ) -> Parts {
        Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            retention: Arc::new(Retention::new(store.clone(), clock.clone(), database.clone())),
            figures: Arc::new(Figures::new(store.clone(), clock.clone())),
            endpoint: endpoint.clone(),
            notes: Arc::new(Notes::new(endpoint.clone(), store.clone())),
        }
    }
}

/// The running duties.
pub(super) struct Duties {
    running: JoinHandle<()>,
    /// Dropped when they are to stop.
    until: oneshot::Sender<()>,
}

impl From<JobSchedulerError> for DaemonError {
    fn from(error: JobSchedulerError) -> Self {
        DaemonError::System(format!("cannot set up recurring duties: {error}"))
    }
}

impl Duties {
    pub(super) async fn start(settings: &DaemonSettings, parts: &Parts) -> Result<Duties, DaemonError> {
        let scheduler = set_up(settings, parts).await?;
        let (until, stopped) = oneshot::channel();
        let running = tokio::spawn(keep(scheduler, settings.clone(), parts.clone(), stopped));
        Ok(Duties { running, until })
    }

    pub(super) async fn restart(&mut self, settings: &DaemonSettings, parts: &Parts) -> Result<(), DaemonError> {
        let fresh = Duties::start(settings, parts).await?;
        std::mem::replace(self, fresh).stop().await;
        Ok(())
    }

    pub(super) async fn stop(self) {
        drop(self.until);
        // Duties that broke down have stopped too.
        let _ = self.running.await;
    }
}

/// Has the duties begin anew whenever the clock was set, since tokio-cron-scheduler goes by it: put back, none would be
/// done until the old hour has come again, and put on, each would be done twice a second until it has made up for the
/// time that was left out.
async fn keep(mut scheduler: JobScheduler, settings: DaemonSettings, parts: Parts, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = clock_was_set(&*parts.clock) => {}
        }
        match set_up(&settings, &parts).await {
            Ok(fresh) => shut_down(std::mem::replace(&mut scheduler, fresh)).await,
            Err(error) => debug!(%error, "the duties go on by a clock that was set"),
        }
    }
    shut_down(scheduler).await;
}

async fn shut_down(mut scheduler: JobScheduler) {
    if let Err(error) = scheduler.shutdown().await {
        debug!(%error, "recurring duties did not stop cleanly");
    }
}

/// Ends once the wall clock and the time awake have gone on by different lengths.
async fn clock_was_set(clock: &dyn Clock) {
    let look = || (clock.now(), clock.monotonic());
    let mut before = look();
    loop {
        clock.sleep(LOOK_EVERY).await;
        let now = look();
        let awake_ms = i64::try_from(now.1.saturating_sub(before.1).as_millis()).unwrap_or(i64::MAX);
        if now.0.ms_since(before.0).saturating_sub(awake_ms).unsigned_abs() > LEAP.as_millis() as u64 {
            return;
        }
        before = now;
    }
}

async fn set_up(settings: &DaemonSettings, parts: &Parts) -> Result<JobScheduler, DaemonError> {
    let scheduler = JobScheduler::new().await?;
    let dispatcher = parts.dispatcher.clone();
    let probe = move || {
        // A dispatcher that is gone has no accounts to ask.
        let _ = dispatcher.send(Event::ProbeAll);
        std::future::ready(())
    };
    scheduler.add(every(settings.probe_every, probe)?).await?;
    let (retention, bounds) = (parts.retention.clone(), Arc::new(settings.clone()));
    let tend = move || {
        let (retention, bounds) = (retention.clone(), bounds.clone());
        async move { retention.tend(&bounds).await }
    };
    scheduler.add(every(TEND_EVERY, tend)?).await?;
    let retention = parts.retention.clone();
    let watch_disk = move || {
        retention.watch_disk();
        retention.watch_log();
        std::future::ready(())
    };
    scheduler.add(every(WATCH_DISK_EVERY, watch_disk)?).await?;
    let figures = parts.figures.clone();
    let make_figures = move || {
        let figures = figures.clone();
        async move { figures.make().await }
    };
    scheduler.add(every(MAKE_FIGURES_EVERY, make_figures)?).await?;
    let notes = parts.notes.clone();
    let show_life = move || {
        let notes = notes.clone();
        async move { notes.alive().await }
    };
    scheduler.add(every(SHOW_LIFE_EVERY, show_life)?).await?;
    let log = parts.store.clone();
    scheduler.add(every(CHECKPOINT_EVERY, move || checkpoint(log.clone()))?).await?;
    if let Some(file) = settings.metrics_file.clone() {
        let endpoint = parts.endpoint.clone();
        let write = move || {
            let (endpoint, file) = (endpoint.clone(), file.clone());
            async move { endpoint.write_to(&file).await }
        };
        scheduler.add(every(WRITE_METRICS_EVERY, write)?).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

fn every<F>(period: Duration, duty: impl Fn() -> F + Send + Sync + 'static) -> Result<Job, JobSchedulerError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let duty = Arc::new(duty);
    Job::new_repeated_async(period, move |_, _| {
        let duty = duty.clone();
        Box::pin(async move {
            if AssertUnwindSafe(async { duty().await }).catch_unwind().await.is_err() {
                error!("a duty of the daemon broke down (a bug of pushcron): it comes again at its time");
            }
        })
    })
}

async fn checkpoint(store: Arc<dyn Upkeep>) {
    if let Err(error) = store.checkpoint().await {
        debug!(%error, "the write-ahead log cannot be folded now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::UtcMs;

    #[tokio::test]
    async fn a_clock_that_is_set_or_a_machine_that_sleeps_is_noticed_and_time_that_passes_is_not() {
        type Leap = fn(&ManualClock);
        let leaps: [Leap; 3] = [
            |clock| clock.step_wall_to(UtcMs(clock.now().0 - 3_600_000)),
            |clock| clock.step_wall_to(UtcMs(clock.now().0 + 3_600_000)),
            |clock| clock.suspend(Duration::from_secs(3600)),
        ];
        for leap in leaps {
            let clock = ManualClock::new(UtcMs(1_767_229_200_000));
            let mut seen = std::pin::pin!(clock_was_set(&*clock));
            for _ in 0..10 {
                assert!((&mut seen).now_or_never().is_none());
                clock.step_wall_to(UtcMs(clock.now().0 + 100));
                clock.advance(LOOK_EVERY);
            }
            assert!((&mut seen).now_or_never().is_none(), "a clock is corrected all the time");
            leap(&clock);
            clock.advance(LOOK_EVERY);
            assert!(seen.now_or_never().is_some());
        }
    }
}
