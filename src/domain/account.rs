//! An account: a login used through a sender, and what is known of its health.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::time::{Moment, Reading, UtcMs};

/// One account from the YAML. It never goes to the database: secrets stay in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Ours, stable.
    pub id: String,
    pub im: String,
    /// The name of a sender in the registry.
    pub sender: String,
    pub is_default: bool,
    /// Attempts under way at once; the sender's own default when absent.
    pub concurrency: Option<u32>,
    /// Least time between two sends; the sender's own default when absent.
    pub min_interval: Option<Duration>,
    /// The sender's own keys, checked against its [`super::SenderSpec`].
    pub settings: Settings,
}

/// Checked values of a sender's own keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub values: BTreeMap<String, SettingValue>,
}

/// A setting after its type was checked and `${ENV}`, `*_file` and `*_credential` were resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    Text(String),
    Secret(Secret),
    Bool(bool),
    Int(i64),
    Duration(Duration),
    List(Vec<String>),
    Path(PathBuf),
}

impl Settings {
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(SettingValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn secret(&self, key: &str) -> Option<&Secret> {
        match self.values.get(key) {
            Some(SettingValue::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.values.get(key) {
            Some(SettingValue::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        match self.values.get(key) {
            Some(SettingValue::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.values.get(key) {
            Some(SettingValue::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> &[String] {
        match self.values.get(key) {
            Some(SettingValue::List(values)) => values,
            _ => &[],
        }
    }

    pub fn path(&self, key: &str) -> Option<&std::path::Path> {
        match self.values.get(key) {
            Some(SettingValue::Path(path)) => Some(path),
            _ => None,
        }
    }
}

/// What is known of an account. *Online* (logged in) and *sendable* (may send now) are two facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// None: never probed, or the platform cannot tell.
    pub online: Option<bool>,
    /// False while muted, cooling down after failures, without licence … None: never probed.
    pub sendable: Option<bool>,
    pub checked_at: Option<UtcMs>,
    pub last_error: Option<String>,
    /// No sends before this moment.
    pub rest_until: Option<Moment>,
    /// The same for people, as the wall clock told it when this was written down last. Nothing is decided by it.
    pub cooldown_until: Option<UtcMs>,
    /// So many attempts have failed in a row by the account's own fault.
    pub failures: u32,
}

impl Health {
    /// Known to be logged in and allowed to send at `now`.
    pub fn can_send(&self, now: Moment) -> bool {
        self.online == Some(true) && self.sendable != Some(false) && !self.is_cooling_down(now)
    }

    /// Known to be logged out, muted, without licence: a person may have to do something. A rest is not meant, which
    /// passes by itself.
    pub fn is_down(&self) -> bool {
        self.online == Some(false) || self.sendable == Some(false)
    }

    pub fn is_cooling_down(&self, now: Moment) -> bool {
        self.rest_until.is_some_and(|until| until > now)
    }

    /// With the end of its rest as the wall clock tells it now; a rest that is over is forgotten.
    pub fn as_told(mut self, now: Reading) -> Health {
        self.rest_until = self.rest_until.filter(|until| *until > now.moment);
        self.cooldown_until = self.rest_until.map(|until| now.wall_at(until));
        self
    }

    /// No probe and no attempt has told anything yet.
    pub fn never_probed(&self) -> bool {
        self.checked_at.is_none()
    }
}
