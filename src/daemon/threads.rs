//! The threads that everything runs on.

use super::{DaemonError, memory};

/// A runtime for the daemon and for verbs that send.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, DaemonError> {
    memory::share_arenas();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| DaemonError::System(format!("cannot start threads: {error}")))
}
