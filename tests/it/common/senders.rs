//! The harness of every sender's tests: an account with settings as in the YAML, the platform that it speaks to, a manual
//! clock, and a memory that outlives the sender.
//!
//! ```ignore
//! let stage = Stage::of("telegram").await;
//! stage.im.on("/sendMessage", Answer::status(500));         // where the platform does not say yes
//! let report = stage.with(&[("silent", "true")]).send(&text(group("-5"), "hi")).await;
//! assert_eq!(stage.sent()[0]["text"], "hi");
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::{Clock, ManualClock, SharedClock, SystemClock};
use pushcron::domain::account::{SettingValue, Settings};
use pushcron::domain::sender::SettingKind;
use pushcron::domain::{Account, MediaFile, Moment, Reading, Secret, UtcMs};
use pushcron::senders::http::Http;
use pushcron::senders::{self, BuildError, Environment, Memory, MemoryError, Sender};
use serde_json::Value;
use tempfile::TempDir;

use super::deliveries::{self, NOW};
use super::fake_im::FakeIm;
use super::platforms::Platform;

/// A sender's account, and a platform on which all is well.
pub(crate) struct Stage {
    pub im: FakeIm,
    pub bench: Bench,
    /// What it must have to reach the platform.
    pub account: Account,
    decisive: &'static str,
}

impl Stage {
    pub(crate) async fn of(sender: &str) -> Stage {
        let platform = Platform::of(sender).expect("a sender that speaks HTTP");
        let im = platform.start().await;
        let (bench, account) = (platform.bench(&im.url("")), platform.account(&im.url("")));
        Stage { im, bench, account, decisive: platform.decisive }
    }

    /// The sender's short pauses pass at once (`LeapingClock`).
    pub(crate) fn leaping(self) -> Stage {
        Stage { bench: self.bench.leaping(), ..self }
    }

    /// Without pauses between the parts of a message, which would wait for the manual clock.
    pub(crate) fn unpaced(mut self) -> Stage {
        self.account.min_interval = Some(Duration::ZERO);
        self
    }

    /// A new sender of the account, as after a restart: it knows only what the memory kept.
    pub(crate) fn sender(&self) -> Box<dyn Sender> {
        self.with(&[])
    }

    /// The same with more settings.
    pub(crate) fn with(&self, more: &[(&'static str, &str)]) -> Box<dyn Sender> {
        self.try_with(more).unwrap()
    }

    pub(crate) fn try_with(&self, more: &[(&'static str, &str)]) -> Result<Box<dyn Sender>, BuildError> {
        self.bench.try_build(&extended(self.account.clone(), more))
    }

    /// The bodies of the calls that sent a message, in order.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.im.requests_to(self.decisive).iter().map(|request| request.json()).collect()
    }
}

/// What senders are built with, and a folder for their files.
pub(crate) struct Bench {
    pub clock: Arc<ManualClock>,
    seen: SharedClock,
    /// The short pauses that were jumped over.
    pub slept: Arc<Mutex<Vec<Duration>>>,
    pub memory: Arc<TestMemory>,
    pub dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let clock = ManualClock::new(NOW);
        let dir = tempfile::tempdir().unwrap();
        Bench { seen: clock.clone(), clock, slept: Arc::default(), memory: Arc::default(), dir }
    }

    /// The sender's short pauses pass at once (`LeapingClock`).
    pub(crate) fn leaping(mut self) -> Bench {
        self.seen = Arc::new(LeapingClock { clock: self.clock.clone(), slept: self.slept.clone() });
        self
    }

    /// On the machine's own clock, for programs of others.
    pub(crate) fn live(mut self) -> Bench {
        self.seen = SystemClock::shared();
        self
    }

    pub(crate) fn environment(&self) -> Environment {
        let (clock, state_dir) = (self.seen.clone(), self.dir.path().to_owned());
        Environment { clock, http: http(), memory: self.memory.clone(), state_dir }
    }

    /// The sender of an account. A second call is a restart: it shares clock and memory with the first.
    pub(crate) fn build(&self, account: &Account) -> Box<dyn Sender> {
        self.try_build(account).unwrap()
    }

    pub(crate) fn try_build(&self, account: &Account) -> Result<Box<dyn Sender>, BuildError> {
        let registered = senders::find(&account.sender).expect("a registered sender");
        (registered.build)(account, &self.environment())
    }

    /// The same of an account with these settings.
    pub(crate) fn sender(&self, name: &str, settings: &[(&'static str, &str)]) -> Box<dyn Sender> {
        self.build(&account(name, settings))
    }

    /// A file on disk, as the media resolver hands it over.
    pub(crate) fn file(&self, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
        deliveries::file(&self.dir, filename, mime_type, content)
    }

    /// A file of `len` zeros, which takes no room.
    pub(crate) fn large_file(&self, filename: &str, mime_type: &str, len: u64) -> MediaFile {
        let file = self.file(filename, mime_type, b"");
        std::fs::File::options().write(true).open(&file.path).unwrap().set_len(len).unwrap();
        MediaFile { len, ..file }
    }

    pub(crate) fn now(&self) -> UtcMs {
        self.clock.now()
    }
}

/// The account `bot` of that sender, its settings typed as the sender's spec says.
pub(crate) fn account(sender: &str, settings: &[(&'static str, &str)]) -> Account {
    Account {
        id: "bot".to_owned(),
        im: "im".to_owned(),
        sender: sender.to_owned(),
        is_default: true,
        concurrency: None,
        min_interval: None,
        settings: Settings { values: typed(sender, settings).collect() },
    }
}

/// The account with more settings.
pub(crate) fn extended(mut account: Account, more: &[(&'static str, &str)]) -> Account {
    account.settings.values.extend(typed(&account.sender, more));
    account
}

fn typed(sender: &str, settings: &[(&'static str, &str)]) -> impl Iterator<Item = (String, SettingValue)> {
    let spec = senders::find(sender).expect("a registered sender").spec;
    settings.iter().map(move |(key, text)| {
        let setting = spec.setting(key).unwrap_or_else(|| panic!("{} has no setting {key}", spec.name));
        ((*key).to_owned(), value(setting.kind, text))
    })
}

fn value(kind: SettingKind, text: &str) -> SettingValue {
    match kind {
        SettingKind::Text | SettingKind::Choice(_) => SettingValue::Text(text.to_owned()),
        SettingKind::Secret | SettingKind::Url => SettingValue::Secret(Secret::new(text.to_owned())),
        SettingKind::Bool => SettingValue::Bool(text == "true"),
        SettingKind::Int => SettingValue::Int(text.parse().unwrap()),
        SettingKind::Duration => SettingValue::Duration(Duration::from_secs(text.parse().unwrap())),
        SettingKind::List => SettingValue::List(text.split(',').map(str::to_owned).collect()),
        SettingKind::Path => SettingValue::Path(text.into()),
    }
}

/// A client that need not read the system's hundred root certificates for each of a thousand senders.
fn http() -> Http {
    Http::trusting(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/ca.pem").as_ref()).unwrap()
}

/// A memory that forgets at the end of the test.
#[derive(Default)]
pub(crate) struct TestMemory(Mutex<Vec<(String, String, String)>>);

impl TestMemory {
    /// Everything that is kept, as one text, to look for what must or must not be there.
    pub(crate) fn all(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }

    pub(crate) fn keep(&self, account: &str, key: &str, value: &str) {
        let mut values = self.0.lock().unwrap();
        values.retain(|(of, known, _)| (of.as_str(), known.as_str()) != (account, key));
        values.push((account.to_owned(), key.to_owned(), value.to_owned()));
    }
}

#[async_trait]
impl Memory for TestMemory {
    async fn load(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError> {
        let values = self.0.lock().unwrap();
        Ok(values.iter().filter(|(of, ..)| of == account).map(|(_, key, value)| (key.clone(), value.clone())).collect())
    }

    async fn save(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError> {
        self.keep(account, key, value);
        Ok(())
    }
}

/// A manual clock that jumps over short pauses, so that they cost nothing and can still be measured. Longer sleeps wait
/// until the test moves the clock.
struct LeapingClock {
    clock: Arc<ManualClock>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

const SHORT_PAUSE: Duration = Duration::from_secs(30);

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

    fn reading(&self) -> Reading {
        self.clock.reading()
    }

    async fn sleep_until(&self, until: Moment) {
        let wait = until.since(self.clock.boottime());
        if wait > SHORT_PAUSE {
            return self.clock.sleep_until(until).await;
        }
        self.slept.lock().unwrap().push(wait);
        self.clock.advance(wait);
        tokio::task::yield_now().await;
    }
}
