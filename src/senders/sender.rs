//! What a sender is: the trait behind which every wire protocol lies, what it is built with, and what it tells.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::shared::http::Http;
use crate::clock::SharedClock;
use crate::domain::limits::{Limits, Usage};
use crate::domain::{Delivery, Report, UtcMs};
use crate::texts::{self, Text};

/// One value per account; all methods may run at once.
#[async_trait]
pub trait Sender: Send + Sync {
    /// One attempt at delivery, within `delivery.timeout`. Parts that `delivery.parts` calls sent are not sent
    /// again, and the report holds the results of all parts known.
    ///
    /// No retry happens in here, except where the platform's definite refusal is cured at once (an expired access
    /// token is renewed and the call repeated).
    async fn send(&self, delivery: &Delivery) -> Report;

    /// Asks the platform whether the account is online and may send, without sending anything.
    async fn probe(&self) -> Probe;

    /// What the platform grants the account; None: sends at any time, as many as are asked for. Who decides what is sent
    /// asks once, and keeps to it: what exceeds it waits and spends no attempt.
    fn limits(&self) -> Option<Limits> {
        None
    }

    /// What the account has used of its limits, by all that is known now. It counts what leaves, part by part, and over
    /// restarts; who decides is handed this with each probe, each result and each event.
    fn usage(&self) -> Option<Usage> {
        None
    }

    /// Whether a repeat of this delivery at `now`, after an attempt whose outcome is unknown, cannot be seen twice,
    /// because the protocol carries an idempotency key that still holds. Senders whose spec says `idempotent`
    /// answer here; a crash asks too, so the answer may rest only on the delivery, the settings and the time.
    fn is_idempotent(&self, _delivery: &Delivery, _now: UtcMs) -> bool {
        false
    }

    /// Background work for as long as the daemon runs and jobs use the account (a long poll, a callback listener).
    /// The daemon drops the future to stop it. Returning means that there is nothing to listen to.
    async fn listen(&self, _events: EventSink) {}

    /// The definitions were read anew and this sender goes on: what it looked up and the user may just have changed is
    /// looked up again.
    fn reloaded(&self) {}

    /// Facts about single contacts that `accounts` and `explain` show, as `(contact, what is known)`: from memory and
    /// files alone, without a word to the platform.
    async fn contacts(&self, _now: UtcMs) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What a probe found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// None: the platform has no way to tell.
    pub online: Option<bool>,
    pub sendable: Option<bool>,
    /// Why not, in one line for people, without secrets.
    pub error: Option<String>,
}

impl Probe {
    pub fn up() -> Probe {
        Probe { online: Some(true), sendable: Some(true), error: None }
    }

    pub fn down(error: impl Into<String>) -> Probe {
        Probe { online: Some(false), sendable: Some(false), error: Some(error.into()) }
    }

    /// For protocols without any way to ask: the account counts as able to send until an attempt shows otherwise.
    pub fn assumed_up() -> Probe {
        Probe { online: Some(true), sendable: None, error: None }
    }
}

/// What a sender's background work tells the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// The account's health changed.
    Health(Probe),
    /// The platform proved that this message arrived.
    Confirmed { message_id: String },
    /// Somebody wrote, or a rest is over: parked pushes may pass now.
    GateOpened,
}

/// Where a sender reports its events.
pub type EventSink = mpsc::Sender<SenderEvent>;

/// Small values that a sender keeps over restarts, per account: cursors, windows, counters. Never a login token:
/// those live in files of mode 0600 under [`Environment::state_dir`].
#[async_trait]
pub trait Memory: Send + Sync {
    async fn load(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError>;
    async fn save(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError>;
}

/// The memory could not be read or written; the text is the store's own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MemoryError(pub String);

/// What senders are built with.
#[derive(Clone)]
pub struct Environment {
    pub clock: SharedClock,
    pub http: Http,
    pub memory: Arc<dyn Memory>,
    /// A private directory for files that must outlive the process, such as login tokens.
    pub state_dir: PathBuf,
}

/// Why an account's sender could not be made: its settings contradict each other or name something absent.
#[derive(Debug)]
pub struct BuildError {
    pub account: String,
    pub problem: Text,
}

impl BuildError {
    /// Why, for people.
    pub(crate) fn text(&self) -> Text {
        texts::of_account(&self.account, &self.problem)
    }
}

/// In English: logs have it.
impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().english())
    }
}

impl std::error::Error for BuildError {}
