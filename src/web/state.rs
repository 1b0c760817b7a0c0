//! What the API knows: of the daemon, of its configuration, of who asked how often.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::rates::Rates;
use crate::config::{Judge, WebSettings};
use crate::daemon::Inside;
use crate::domain::Moment;
use crate::store::SharedStore;

/// The configuration in force.
pub(super) struct Accepted {
    pub settings: WebSettings,
    pub judge: Option<Arc<Judge>>,
    /// Users of the socket who need no token.
    pub socket_uids: Vec<u32>,
}

/// One API.
pub(super) struct Api {
    pub inside: Inside,
    /// A database connection of its own, each question under a deadline.
    pub reader: SharedStore,
    pub accepted: watch::Receiver<Arc<Accepted>>,
    pub rates: Rates,
    /// When the accounts were last asked.
    pub probed_at: Mutex<Option<Moment>>,
}

impl Api {
    pub(super) fn accepted(&self) -> Arc<Accepted> {
        self.accepted.borrow().clone()
    }
}
