//! Accounts, deliveries and media for the tests of senders.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pushcron::clock::{Clock, SharedClock, SystemClock};
use pushcron::domain::account::{Account, SettingValue, Settings};
use pushcron::domain::message::{Item, Media};
use pushcron::domain::{Body, Delivery, MediaFile, Message, RetryPolicy, Secret, Target, Trigger, UtcMs};
use pushcron::senders::http::Http;
use pushcron::senders::{self, Environment, Memory, MemoryError, Sender};
use tempfile::TempDir;

/// 2026-01-01T01:00:00.000Z
pub const DUE_AT: UtcMs = UtcMs(1_767_229_200_000);

/// A memory that forgets at the end of the test.
#[derive(Default)]
pub struct TestMemory(std::sync::Mutex<Vec<(String, String, String)>>);

impl TestMemory {
    /// Everything that is kept, as one text, to look for what must or must not be there.
    pub fn all(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }

    pub fn keep(&self, account: &str, key: &str, value: &str) {
        let mut values = self.0.lock().unwrap();
        values.retain(|(of, known, _)| (of.as_str(), known.as_str()) != (account, key));
        values.push((account.to_owned(), key.to_owned(), value.to_owned()));
    }
}

#[async_trait::async_trait]
impl Memory for TestMemory {
    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError> {
        let values = self.0.lock().unwrap();
        Ok(values.iter().filter(|(of, ..)| of == account).map(|(_, key, value)| (key.clone(), value.clone())).collect())
    }

    async fn remember(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError> {
        self.keep(account, key, value);
        Ok(())
    }
}

/// A client that need not read the system's hundred root certificates for each of a thousand senders.
pub fn http() -> Http {
    Http::trusting(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/ca.pem").as_ref()).unwrap()
}

/// What a sender is built with, on this clock.
pub fn environment(clock: SharedClock, state_dir: &Path) -> Environment {
    Environment { clock, http: http(), memory: Arc::new(TestMemory::default()), state_dir: state_dir.to_owned() }
}

/// An account of `sender` with these settings.
pub fn account(sender: &str, settings: impl IntoIterator<Item = (&'static str, SettingValue)>) -> Account {
    Account {
        id: "bot".to_owned(),
        im: "im".to_owned(),
        sender: sender.to_owned(),
        is_default: true,
        concurrency: None,
        min_interval: None,
        settings: Settings { values: settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() },
    }
}

/// The sender of an account on the machine's own clock.
pub fn build(account: &Account) -> Box<dyn Sender> {
    build_on(account, SystemClock::shared())
}

pub fn build_on(account: &Account, clock: SharedClock) -> Box<dyn Sender> {
    let registered = senders::find(&account.sender).expect("a registered sender");
    let environment = environment(clock, &std::env::temp_dir());
    (registered.build)(account, &environment).unwrap_or_else(|error| panic!("{error}"))
}

pub fn text(value: &str) -> SettingValue {
    SettingValue::Text(value.to_owned())
}

pub fn secret(value: impl Into<String>) -> SettingValue {
    SettingValue::Secret(Secret::new(value.into()))
}

/// A push to `group:123456` with a timeout of 8 s.
pub fn push(body: Body, media: Vec<MediaFile>) -> Delivery {
    let now = SystemClock::new().now();
    Delivery {
        push_id: 1,
        attempt: 1,
        key: "key-1".to_owned(),
        job: Some("daily-report".to_owned()),
        triggered_by: Trigger::Cron,
        due_at: DUE_AT,
        im: "im".to_owned(),
        target: Target::Group("123456".to_owned()),
        message: Message { title: None, body },
        media,
        timeout: Duration::from_secs(8),
        retry: RetryPolicy::default(),
        max_attempts: 5,
        expires_at: now + RetryPolicy::default().give_up_after,
        made_at: now,
        parts: Vec::new(),
    }
}

pub fn text_push(text: &str) -> Delivery {
    push(Body::Text { text: text.to_owned() }, Vec::new())
}

/// A mixed push; `files` belong to its media in order.
pub fn mixed_push(items: Vec<Item>, files: Vec<MediaFile>) -> Delivery {
    push(Body::Mixed { items }, files)
}

/// A media as the YAML gives it, for messages whose resolved files are given apart.
pub fn media(source: &str) -> Media {
    Media { source: source.to_owned(), ..Media::default() }
}

/// A resolved file with this content in `dir`.
pub fn file(dir: &TempDir, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
    use sha2::Digest as _;
    let path = dir.path().join(filename);
    std::fs::write(&path, content).unwrap();
    MediaFile {
        path,
        len: content.len() as u64,
        filename: filename.to_owned(),
        mime_type: mime_type.to_owned(),
        sha256: sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        url: None,
        cover: None,
    }
}
