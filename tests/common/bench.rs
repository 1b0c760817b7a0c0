//! A sender on the bench: a manual clock, a memory that outlives it, and pushes made at the clock's start.

use std::sync::Arc;

use pushcron::clock::{Clock, ManualClock};
use pushcron::domain::account::SettingValue;
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, Delivery, MediaFile, Report, RetryPolicy, Target, UtcMs};
use pushcron::senders::{self, Environment, Sender};
use tempfile::TempDir;

use super::deliveries::{self, DUE_AT, TestMemory};

/// What senders are built with, and a folder for their files.
pub struct Bench {
    pub clock: Arc<ManualClock>,
    pub memory: Arc<TestMemory>,
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        Bench { clock: ManualClock::new(DUE_AT), memory: Arc::default(), dir }
    }

    pub fn environment(&self) -> Environment {
        let environment = deliveries::environment(self.clock.clone(), self.dir.path());
        Environment { memory: self.memory.clone(), ..environment }
    }

    /// The sender of an account. A second call is a restart: it shares clock and memory with the first.
    pub fn build(&self, account: &Account) -> Box<dyn Sender> {
        self.try_build(account).unwrap_or_else(|problem| panic!("{problem}"))
    }

    pub fn try_build(&self, account: &Account) -> Result<Box<dyn Sender>, String> {
        let registered = senders::find(&account.sender).expect("a registered sender");
        (registered.build)(account, &self.environment()).map_err(|error| error.to_string())
    }

    pub fn file(&self, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
        deliveries::file(&self.dir, filename, mime_type, content)
    }

    pub fn now(&self) -> UtcMs {
        self.clock.now()
    }
}

/// The account `bot` of that sender.
pub fn account(sender: &str, settings: &[(&'static str, SettingValue)]) -> Account {
    deliveries::account(sender, settings.to_vec())
}

pub fn user(id: &str) -> Target {
    Target::User(id.to_owned())
}

pub fn group(id: &str) -> Target {
    Target::Group(id.to_owned())
}

/// The first attempt of a push made when the clock started.
pub fn delivery(target: Target, body: Body, media: Vec<MediaFile>) -> Delivery {
    let expires_at = DUE_AT + RetryPolicy::default().give_up_after;
    Delivery { target, expires_at, ..deliveries::push(body, media) }
}

/// The next attempt after one that ended in `report`.
pub fn next_attempt(delivery: &Delivery, report: &Report) -> Delivery {
    Delivery { attempt: delivery.attempt + 1, parts: report.parts.clone(), ..delivery.clone() }
}

pub fn text(target: Target, text: &str) -> Delivery {
    delivery(target, Body::Text { text: text.to_owned() }, Vec::new())
}

pub fn mixed(target: Target, items: Vec<Item>, media: Vec<MediaFile>) -> Delivery {
    delivery(target, Body::Mixed { items }, media)
}

/// The outcome words of a report's parts.
pub fn outcomes(report: &Report) -> Vec<&str> {
    report.parts.iter().map(|part| part.outcome.as_str()).collect()
}
