//! All speaking with IM services: one file per wire protocol, behind one small trait.
//!
//! A sender reports facts: what the platform answered and whose fault a failure is. It never decides about retries,
//! never touches the database, and never follows a redirect. Adding one touches its own file, one line in
//! [`SENDERS`], and one sample account in `jobs.example.yaml`.

mod console;
mod dingtalk_robot;
mod feishu;
mod feishu_app;
mod feishu_robot;
pub mod http;
mod ilink;
pub mod json_body;
mod key_ages;
pub mod login;
pub mod markdown;
mod matrix;
pub mod ogg;
mod onebot11;
pub mod parts;
mod pinned;
mod qianxun;
#[cfg(test)]
mod samples;
mod secrets;
pub mod segments;
pub mod settings;
mod sliding;
mod spelling;
mod steady;
pub mod steps;
mod telegram;
pub mod text;
pub mod upload;
mod verdict;
mod webhook;
mod wecom;
mod wecom_app;
mod wecom_robot;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::clock::SharedClock;
use crate::domain::{Account, Delivery, Report, SenderSpec, Target, UtcMs};

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

    /// Whether a push to `target` may be tried now. A closed gate parks the push and spends no attempt.
    ///
    /// It is asked twice: before an attempt is opened, when the message is not read yet (None: at least one send),
    /// and once more just before the send with the delivery, whose message and parts tell how many sends are still
    /// needed, since a platform may grant only so many.
    fn gate(&self, _target: &Target, _delivery: Option<&Delivery>, _now: UtcMs) -> Gate {
        Gate::Open
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

/// Whether a target may be written to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// `reason` is one word such as `window_closed`; `until` is when to look again, if that is known. A
    /// [`SenderEvent::GateOpened`] makes the daemon look at once.
    Closed {
        reason: &'static str,
        until: Option<UtcMs>,
    },
}

/// What a sender's background work tells the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// The account's health changed.
    Health(Probe),
    /// The platform proved that this message arrived.
    Confirmed { message_id: String },
    /// Parked pushes may pass now.
    GateOpened,
}

/// Where a sender reports its events.
pub type EventSink = mpsc::Sender<SenderEvent>;

/// Small values that a sender keeps over restarts, per account: cursors, windows, counters. Never a login token:
/// those live in files of mode 0600 under [`Environment::state_dir`].
#[async_trait]
pub trait Memory: Send + Sync {
    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError>;
    async fn remember(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError>;
}

/// The memory could not be read or written; the text is the store's own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MemoryError(pub String);

/// What senders are built with.
#[derive(Clone)]
pub struct Environment {
    pub clock: SharedClock,
    pub http: http::Http,
    pub memory: Arc<dyn Memory>,
    /// A private directory for files that must outlive the process, such as login tokens.
    pub state_dir: PathBuf,
}

/// Why an account's sender could not be made: its settings contradict each other or name something absent.
#[derive(Debug, thiserror::Error)]
#[error("account {account}: {problem}")]
pub struct BuildError {
    pub account: String,
    pub problem: String,
}

/// A sender in the registry: what it states about itself and how it is made.
pub struct Registered {
    pub spec: &'static SenderSpec,
    pub build: fn(&Account, &Environment) -> Result<Box<dyn Sender>, BuildError>,
}

/// Every sender there is, in the order in which docs list them.
pub static SENDERS: &[Registered] = &[
    Registered { spec: &onebot11::SPEC, build: onebot11::build },
    Registered { spec: &ilink::SPEC, build: ilink::build },
    Registered { spec: &wecom_robot::SPEC, build: wecom_robot::build },
    Registered { spec: &wecom_app::SPEC, build: wecom_app::build },
    Registered { spec: &qianxun::SPEC, build: qianxun::build },
    Registered { spec: &telegram::SPEC, build: telegram::build },
    Registered { spec: &matrix::SPEC, build: matrix::build },
    Registered { spec: &feishu_app::SPEC, build: feishu_app::build },
    Registered { spec: &feishu_robot::SPEC, build: feishu_robot::build },
    Registered { spec: &dingtalk_robot::SPEC, build: dingtalk_robot::build },
    Registered { spec: &webhook::SPEC, build: webhook::build },
    Registered { spec: &console::SPEC, build: console::build },
];

/// The registered sender of that name.
pub fn find(name: &str) -> Option<&'static Registered> {
    SENDERS.iter().find(|registered| registered.spec.name == name)
}

/// What every sender states about itself, for the configuration to check accounts against.
pub fn specs() -> Vec<&'static SenderSpec> {
    SENDERS.iter().map(|registered| registered.spec).collect()
}

/// Lower-case hexadecimal digits, as most platforms want digests and keys.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xF])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
