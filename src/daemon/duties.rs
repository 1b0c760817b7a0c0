//! The daemon's own recurring duties: probing accounts, deleting old history, folding the write-ahead log.
//!
//! tokio-cron-scheduler runs these few tasks, and no user's job: one that is late or lost here is simply done the
//! next time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, info, warn};

use super::DaemonError;
use crate::clock::SharedClock;
use crate::config::DaemonSettings;
use crate::engine::dispatcher::Event;
use crate::store::SharedStore;

/// Fires deleted in one transaction: short enough that no push notices.
const PRUNE_STEP: u64 = 200;
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

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
    pub async fn start(
        settings: &DaemonSettings,
        store: &SharedStore,
        clock: &SharedClock,
        dispatcher: &mpsc::UnboundedSender<Event>,
    ) -> Result<Duties, DaemonError> {
        let scheduler = JobScheduler::new().await?;
        let dispatcher = dispatcher.clone();
        let probe = move || {
            // A dispatcher that is gone has no accounts to ask.
            let _ = dispatcher.send(Event::ProbeAll);
            std::future::ready(())
        };
        scheduler.add(every(settings.probe_every, probe)?).await?;
        let (old, now) = (store.clone(), clock.clone());
        let keep = settings.keep_history;
        scheduler.add(every(PRUNE_EVERY, move || prune(old.clone(), now.clone(), keep))?).await?;
        let log = store.clone();
        scheduler.add(every(CHECKPOINT_EVERY, move || checkpoint(log.clone()))?).await?;
        scheduler.start().await?;
        Ok(Duties { scheduler })
    }

    pub async fn restart(
        &mut self,
        settings: &DaemonSettings,
        store: &SharedStore,
        clock: &SharedClock,
        dispatcher: &mpsc::UnboundedSender<Event>,
    ) -> Result<(), DaemonError> {
        let fresh = Duties::start(settings, store, clock, dispatcher).await?;
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
        Box::pin(async move { duty().await })
    })
}

async fn prune(store: SharedStore, clock: SharedClock, keep: Duration) {
    let before = clock.now() - keep;
    let mut gone = 0;
    loop {
        match store.prune(before, PRUNE_STEP).await {
            Ok(0) => break,
            Ok(deleted) => gone += deleted,
            Err(error) => {
                warn!(%error, "old history cannot be deleted now; the next try comes in an hour");
                return;
            }
        }
        // Room for the pushes that are due meanwhile.
        clock.sleep(Duration::from_millis(50)).await;
    }
    if gone > 0 {
        info!(fires = gone, %before, "old history deleted");
    }
}

async fn checkpoint(store: SharedStore) {
    if let Err(error) = store.checkpoint().await {
        debug!(%error, "the write-ahead log cannot be folded now");
    }
}
