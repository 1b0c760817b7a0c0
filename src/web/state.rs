//! What the page and the API know: of the daemon, of its configuration, of who asked how often.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::page::PageMemory;
use super::rates::Rates;
use super::waits::Waits;
use crate::config::{Judge, WebSettings};
use crate::daemon::Inside;
use crate::domain::Moment;
use crate::store::SharedStore;
use crate::texts::Language;

/// The configuration in force.
pub(super) struct Accepted {
    pub settings: WebSettings,
    pub judge: Option<Arc<Judge>>,
    /// The zone of what belongs to no job.
    pub timezone: String,
    pub language: Option<Language>,
    /// Users of the socket who need no token.
    pub socket_uids: Vec<u32>,
}

/// One page and one API.
pub(super) struct Api {
    pub inside: Inside,
    /// A database connection of its own, each question under a deadline.
    pub reader: SharedStore,
    pub accepted: watch::Receiver<Arc<Accepted>>,
    pub rates: Rates,
    /// Who waits for the ends of pushes.
    pub waits: Waits,
    /// Of the pages: who is signed in.
    pub page_memory: Arc<PageMemory>,
    /// When the accounts were last asked.
    pub probed_at: Mutex<Option<Moment>>,
}

impl Api {
    pub(super) fn accepted(&self) -> Arc<Accepted> {
        self.accepted.borrow().clone()
    }
}
