//! A sender on the bench: a manual clock, a memory that outlives it, and pushes made at the clock's start.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::{Clock, ManualClock, SharedClock};
use pushcron::domain::account::SettingValue;
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, Delivery, MediaFile, Moment, Report, RetryPolicy, Target, UtcMs};
use pushcron::senders::{self, Environment, Sender};
use tempfile::TempDir;

use super::deliveries::{self, DUE_AT, TestMemory};

/// A manual clock that jumps over short pauses, so that they cost nothing and can still be measured. Longer sleeps wait
/// until the test moves the clock.
struct LeapingClock {
    clock: Arc<ManualClock>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

#[async_trait]
impl Clock for LeapingClock {
    fn now(&self) -> UtcMs {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn boottime(&self) -> Moment {
        self.clock.boottime()
    }

    async fn sleep(&self, wait: Duration) {
        if wait > SHORT_PAUSE {
            return self.clock.sleep(wait).await;
        }
        self.slept.lock().unwrap().push(wait);
        self.clock.advance(wait);
        tokio::task::yield_now().await;
    }
}

const SHORT_PAUSE: Duration = Duration::from_secs(30);

/// What senders are built with, and a folder for their files.
pub struct Bench {
    pub clock: Arc<ManualClock>,
    seen: SharedClock,
    /// The short pauses that were jumped over.
    pub slept: Arc<Mutex<Vec<Duration>>>,
    pub memory: Arc<TestMemory>,
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let clock = ManualClock::new(DUE_AT);
        let dir = tempfile::tempdir().unwrap();
        Bench { seen: clock.clone(), clock, slept: Arc::default(), memory: Arc::default(), dir }
    }

    /// The sender's short pauses pass at once (`LeapingClock`).
    pub fn leaping(mut self) -> Bench {
        self.seen = Arc::new(LeapingClock { clock: self.clock.clone(), slept: self.slept.clone() });
        self
    }

    pub fn environment(&self) -> Environment {
        let environment = deliveries::environment(self.seen.clone(), self.dir.path());
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
    Delivery { target, expires_at, made_at: DUE_AT, ..deliveries::push(body, media) }
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
