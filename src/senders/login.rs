//! Logging an account in with the help of a person, for platforms that want one.

use std::path::PathBuf;
use std::pin::Pin;

use async_trait::async_trait;

use super::sender::Environment;
use crate::domain::Account;

/// The person's side of a login: a terminal, or a test.
#[async_trait]
pub trait LoginDialog: Send {
    /// Something happened that the person should see.
    fn tell(&mut self, event: LoginEvent);

    /// Asks for the number that the phone shows; `again` after a wrong one. None: the person gives up.
    async fn number_on_phone(&mut self, again: bool) -> Option<String>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginEvent {
    /// A code to scan: drawn for a dark terminal, and the link that it holds.
    Scan { drawing: String, link: String },
    /// The phone has seen the code; the person has to confirm there.
    Scanned,
    /// The code is too old; a new one follows.
    Expired,
}

/// A login that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The platform's own id of the account.
    pub platform_id: String,
    /// The contact to whom the account can write, where there is just one.
    pub contact: Option<String>,
    /// The file that keeps it.
    pub kept_in: PathBuf,
}

/// Why there is no login. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The account's sender needs none.
    #[error("accounts of sender '{0}' need no login")]
    NotNeeded(String),
    #[error("cannot reach the platform: {0}")]
    Unreachable(String),
    #[error("{0}")]
    Refused(String),
    #[error("nobody confirmed the login in time")]
    TimedOut,
    #[error("given up")]
    Cancelled,
    /// The platform confirmed, and the credentials could not be written.
    #[error("cannot keep the login: {0}")]
    NotKept(String),
}

/// How a sender logs an account in; the future of an async function with these arguments.
pub type LoginFn = for<'a> fn(
    &'a Account,
    &'a Environment,
    &'a mut dyn LoginDialog,
) -> Pin<Box<dyn Future<Output = Result<LoggedIn, LoginError>> + 'a>>;
