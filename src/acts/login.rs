//! An account logged in by a person with a phone.

use tracing::debug;

use super::actor::Actor;
use super::done::Done;
use crate::answers::refusal::{Kind, Refusal};
use crate::domain::Account;
use crate::senders::login::{LoginDialog, LoginError};
use crate::senders::{self, Environment};

/// Logs an account of the files in; there need be no database yet. A daemon that runs notices by itself.
///
/// # Errors
///
/// When there is no such account, or its platform does not let it in; a login that was there stays as it is.
pub(crate) async fn log_in(
    accounts: &[Account],
    id: &str,
    environment: &Environment,
    dialog: &mut dyn LoginDialog,
    actor: &Actor,
) -> Result<Done, Refusal> {
    let account = accounts.iter().find(|account| account.id == id).ok_or_else(|| {
        let known: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
        Refusal::new(Kind::NotFound, format!("there is no account '{id}'; known are: {}", known.join(", ")))
    })?;
    let login = senders::log_in(account, environment, dialog).await?;
    let done = Done::LoggedIn {
        account: id.to_owned(),
        platform_id: login.platform_id,
        contact: login.contact,
        kept_in: login.kept_in,
    };
    debug!(%actor, ?done, "done by hand");
    Ok(done)
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Refusal {
        let kind = match error {
            LoginError::Unreachable(_) => Kind::OutOfReach,
            LoginError::NotNeeded(_)
            | LoginError::Refused(_)
            | LoginError::TimedOut
            | LoginError::Cancelled
            | LoginError::NotKept(_) => Kind::NotAllowed,
        };
        Refusal::of(kind, &error)
    }
}
