//! The daemon's own recurring duties: probing accounts, tending history and disk, folding the write-ahead log, writing
//! the numbers.
//!
//! tokio-cron-scheduler runs these few tasks, and no user's job: one that is late or lost here is simply done the
//! next time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, error};

use super::DaemonError;
use super::metrics_endpoint::MetricsEndpoint;
use super::retention::Retention;
use crate::config::DaemonSettings;
use crate::engine::dispatcher::Event;
use crate::store::Upkeep;

const TEND_EVERY: Duration = Duration::from_secs(3600);
const WATCH_DISK_EVERY: Duration = Duration::from_secs(60);
const WRITE_METRICS_EVERY: Duration = Duration::from_secs(15);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

/// What the duties tend; it outlives a reload.
pub struct Parts {
    pub store: Arc<dyn Upkeep>,
    pub dispatcher: mpsc::UnboundedSender<Event>,
    pub retention: Arc<Retention>,
    pub endpoint: Arc<MetricsEndpoint>,
}

/// The running duties.
pub struct Duties {
    scheduler: JobScheduler,
}

impl From<JobSchedulerError> for DaemonError {
    fn from(error: JobSchedulerError) -> Self {
        DaemonError::System(format!("cannot set up recurring duties: {error}"))
    }
}

impl Duties {
    pub async fn start(settings: &DaemonSettings, parts: &Parts) -> Result<Duties, DaemonError> {
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
        Ok(Duties { scheduler })
    }

    pub async fn restart(&mut self, settings: &DaemonSettings, parts: &Parts) -> Result<(), DaemonError> {
        let fresh = Duties::start(settings, parts).await?;
        std::mem::replace(self, fresh).stop().await;
        Ok(())
    }

    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            debug!(%error, "recurring duties did not stop cleanly");
        }
    }
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
