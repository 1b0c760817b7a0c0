//! How long a person or a script waits for a push by hand: for a length, or until told to end.

use std::time::Duration;

use futures_util::StreamExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::watch;

use super::DaemonError;
use crate::clock::SharedClock;
use crate::domain::Moment;

/// The name of a signal.
pub(super) type Signal = &'static str;

pub(super) struct Patience {
    clock: SharedClock,
    until: Moment,
    told: watch::Receiver<Option<Signal>>,
}

impl Patience {
    /// From now on SIGTERM and SIGINT end the wait, and not the process.
    pub(super) fn new(wait: Duration, clock: SharedClock) -> Result<Patience, DaemonError> {
        let mut signals = Signals::new([SIGTERM, SIGINT])
            .map_err(|error| DaemonError::System(format!("cannot listen for signals: {error}")))?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            while let Some(signal) = signals.next().await {
                let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                tell.send_replace(Some(name));
            }
        });
        let until = clock.boottime() + wait;
        Ok(Patience { clock, until, told })
    }

    pub(super) fn left(&self) -> Duration {
        self.until.since(self.clock.boottime())
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero() || self.signal().is_some()
    }

    /// By what it was told to end.
    pub(super) fn signal(&self) -> Option<Signal> {
        *self.told.borrow()
    }

    /// Waits so long, unless it is told to end.
    pub(super) async fn rest(&self, wait: Duration) {
        let _ = self.unless_told(self.clock.sleep(wait)).await;
    }

    /// Does this, unless it is told to end; then it is dropped half done.
    ///
    /// # Errors
    ///
    /// The signal.
    pub(super) async fn unless_told<T>(&self, work: impl Future<Output = T>) -> Result<T, Signal> {
        tokio::select! {
            done = work => Ok(done),
            signal = self.next_signal() => Err(signal),
        }
    }

    async fn next_signal(&self) -> Signal {
        let mut told = self.told.clone();
        loop {
            if let Some(signal) = *told.borrow_and_update() {
                return signal;
            }
            if told.changed().await.is_err() {
                // Nobody listens any more: none will come.
                std::future::pending::<()>().await;
            }
        }
    }
}
