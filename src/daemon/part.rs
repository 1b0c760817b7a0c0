//! What runs beside the daemon in its process, above it: the daemon tells it what there is, and knows nothing else of it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::acts::Bell;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::Database;
use crate::store::SharedStore;

/// Begun once the daemon is up, and ended before it.
#[async_trait]
pub(crate) trait Part: Send {
    fn start(&mut self, inside: Inside, config: &Config);

    /// After a reload.
    fn replace(&mut self, config: &Config);

    /// Takes no longer than a second.
    async fn stop(&mut self);
}

/// What a part sees of the daemon.
#[derive(Clone)]
pub(crate) struct Inside {
    /// For acts; for questions a part opens the database itself, so that the daemon's own never wait for them.
    pub store: SharedStore,
    pub database: Database,
    pub clock: SharedClock,
    /// To be rung after each act.
    pub bell: Bell,
    /// Moves with the end of each push.
    pub ended: watch::Receiver<u64>,
    /// Has every account asked how it is.
    pub probe: Arc<dyn Fn() + Send + Sync>,
}
