//! What accounts know of single contacts.

use serde::Serialize;

use crate::domain::{Account, UtcMs};
use crate::senders::{Environment, find};

/// What a sender knows of a contact: when it may be written to, and how often.
#[derive(Debug, Serialize)]
pub(crate) struct Known {
    pub account: String,
    pub contact: String,
    pub words: String,
}

/// What the senders of these accounts know of single contacts. One that cannot be built knows nothing.
pub(crate) async fn contacts<'a>(
    accounts: impl Iterator<Item = &'a Account>,
    environment: &Environment,
    now: UtcMs,
) -> Vec<Known> {
    let mut known = Vec::new();
    for account in accounts {
        let built = find(&account.sender).map(|sender| (sender.build)(account, environment));
        let Some(Ok(sender)) = built else { continue };
        let contacts = sender.contacts(now).await;
        let of_account = |(contact, words)| Known { account: account.id.clone(), contact, words };
        known.extend(contacts.into_iter().map(of_account));
    }
    known
}
