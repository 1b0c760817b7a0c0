//! What an account speaks and remembers with.

use std::sync::Arc;

use super::http::Http;
use super::settings;
use super::steady::Steady;
use crate::clock::SharedClock;
use crate::domain::{Account, UtcMs};
use crate::senders::sender::{BuildError, Environment, Memory, MemoryError};

/// Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Wire {
    pub account: String,
    pub http: Http,
    pub clock: SharedClock,
    /// What lengths go by: paces, rests, the life of tokens and uploads.
    pub steady: Steady,
    memory: Arc<dyn Memory>,
}

impl Wire {
    pub(crate) fn new(account: &Account, environment: &Environment) -> Result<Wire, BuildError> {
        Ok(Wire {
            account: account.id.clone(),
            http: settings::http(account, environment)?,
            clock: environment.clock.clone(),
            steady: Steady::new(&environment.clock),
            memory: environment.memory.clone(),
        })
    }

    pub(crate) fn now(&self) -> UtcMs {
        self.clock.now()
    }

    /// All that the account remembers, as (key, value).
    pub(crate) async fn load(&self) -> Result<Vec<(String, String)>, MemoryError> {
        self.memory.load(&self.account).await
    }

    pub(crate) async fn save(&self, key: &str, value: &str) -> Result<(), MemoryError> {
        self.memory.save(&self.account, key, value).await
    }
}
