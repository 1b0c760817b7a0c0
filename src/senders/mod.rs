//! All speaking with IM services: one file or folder per wire protocol, behind one small trait; `shared` holds what
//! several of them need.
//!
//! A sender reports facts: what the platform answered and whose fault a failure is. It never decides about retries,
//! never touches the database, and never follows a redirect. Adding one touches its own file, one line in
//! [`SENDERS`], and one sample account in `jobs.example.yaml`.

mod console;
mod dingtalk_robot;
mod feishu;
mod feishu_app;
mod feishu_robot;
mod ilink;
pub mod login;
mod matrix;
mod onebot11;
mod qianxun;
mod sender;
mod shared;
mod telegram;
mod webhook;
mod wecom;
mod wecom_app;
mod wecom_robot;

use self::login::{LoggedIn, LoginDialog, LoginError, LoginFn};
pub use self::sender::{BuildError, Environment, EventSink, Memory, MemoryError, Probe, Sender, SenderEvent};
pub use self::shared::http;
#[cfg(test)]
pub(crate) use self::shared::samples;
use crate::domain::account::Settings;
pub use crate::domain::limits::Gate;
use crate::domain::limits::Limits;
use crate::domain::{Account, SenderSpec};

/// A sender in the registry: what it states about itself and how it is made.
pub struct Registered {
    pub spec: &'static SenderSpec,
    pub build: fn(&Account, &Environment) -> Result<Box<dyn Sender>, BuildError>,
    /// None: its accounts need no login.
    login: Option<LoginFn>,
    /// None: its platforms grant whatever is asked for, or do not tell.
    limits: Option<fn(&Settings) -> Limits>,
}

impl Registered {
    const fn new(
        spec: &'static SenderSpec,
        build: fn(&Account, &Environment) -> Result<Box<dyn Sender>, BuildError>,
    ) -> Registered {
        Registered { spec, build, login: None, limits: None }
    }

    const fn with_login(self, login: LoginFn) -> Registered {
        Registered { login: Some(login), ..self }
    }

    const fn with_limits(self, limits: fn(&Settings) -> Limits) -> Registered {
        Registered { limits: Some(limits), ..self }
    }

    /// What the platform grants an account with these settings, as [`Sender::limits`] of its sender says.
    pub fn limits(&self, settings: &Settings) -> Option<Limits> {
        self.limits.map(|limits| limits(settings))
    }
}

/// Every sender there is, in the order in which docs list them.
pub static SENDERS: &[Registered] = &[
    Registered::new(&onebot11::SPEC, onebot11::build),
    Registered::new(&ilink::SPEC, ilink::build).with_login(ilink::login).with_limits(ilink::limits),
    Registered::new(&wecom_robot::SPEC, wecom_robot::build).with_limits(|_| wecom_robot::GRANTED),
    Registered::new(&wecom_app::SPEC, wecom_app::build).with_limits(|_| wecom_app::GRANTED),
    Registered::new(&qianxun::SPEC, qianxun::build),
    Registered::new(&telegram::SPEC, telegram::build),
    Registered::new(&matrix::SPEC, matrix::build),
    Registered::new(&feishu_app::SPEC, feishu_app::build),
    Registered::new(&feishu_robot::SPEC, feishu_robot::build),
    Registered::new(&dingtalk_robot::SPEC, dingtalk_robot::build).with_limits(|_| dingtalk_robot::GRANTED),
    Registered::new(&webhook::SPEC, webhook::build),
    Registered::new(&console::SPEC, console::build),
];

/// The registered sender of that name.
pub fn find(name: &str) -> Option<&'static Registered> {
    SENDERS.iter().find(|registered| registered.spec.name == name)
}

/// What every sender states about itself, for the configuration to check accounts against.
pub fn specs() -> Vec<&'static SenderSpec> {
    SENDERS.iter().map(|registered| registered.spec).collect()
}

/// Logs an account in. A running daemon notices by itself.
///
/// # Errors
/// [`LoginError`]; a login that was there stays as it is.
pub async fn log_in(
    account: &Account,
    environment: &Environment,
    dialog: &mut dyn LoginDialog,
) -> Result<LoggedIn, LoginError> {
    match find(&account.sender).and_then(|registered| registered.login) {
        Some(login) => login(account, environment, dialog).await,
        None => Err(LoginError::NotNeeded(account.sender.clone())),
    }
}
