//! The pages that listen for changes.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, watch};

const STREAMS: usize = 16;

/// The streams, and what they wait for.
pub(in crate::web) struct Live {
    pub changes: watch::Sender<u64>,
    pub places: Arc<Semaphore>,
    /// Somebody listens.
    pub wanted: Notify,
}

impl Default for Live {
    fn default() -> Live {
        Live { changes: watch::Sender::new(0), places: Arc::new(Semaphore::new(STREAMS)), wanted: Notify::new() }
    }
}
