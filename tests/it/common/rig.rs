//! A bench for senders whose accounts are written as in the YAML: keys and texts.

use std::time::Duration;

use pushcron::clock::{ManualClock, SystemClock};
use pushcron::domain::account::SettingValue;
use pushcron::domain::message::Item;
use pushcron::domain::sender::SettingKind;
use pushcron::domain::{Account, Body, Delivery, Media, MediaFile, Report, Secret, UtcMs};
use pushcron::senders::{self, BuildError, Environment, Sender};

use super::bench::{self, Bench};
use super::deliveries::DUE_AT;

/// When the clock starts.
pub const NOW: UtcMs = DUE_AT;

pub struct Rig {
    bench: Bench,
}

impl Rig {
    pub fn new() -> Rig {
        Rig { bench: Bench::new() }
    }

    pub fn clock(&self) -> &ManualClock {
        &self.bench.clock
    }

    /// A new sender of that name, as after a restart: it knows only what the memory kept.
    pub fn sender(&self, name: &str, settings: &[(&'static str, &str)]) -> Box<dyn Sender> {
        self.try_sender(name, settings).unwrap()
    }

    pub fn try_sender(&self, name: &str, settings: &[(&'static str, &str)]) -> Result<Box<dyn Sender>, BuildError> {
        build(name, settings, &self.bench.environment())
    }

    /// The same on the machine's own clock, for real servers.
    pub fn live_sender(&self, name: &str, settings: &[(&'static str, &str)]) -> Box<dyn Sender> {
        let environment = Environment { clock: SystemClock::shared(), ..self.bench.environment() };
        build(name, settings, &environment).unwrap()
    }

    /// A file on disk, as the media resolver hands it over.
    pub fn file(&self, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
        self.bench.file(filename, mime_type, content)
    }

    /// A file of `len` zeros, which takes no room.
    pub fn large_file(&self, filename: &str, mime_type: &str, len: u64) -> MediaFile {
        let file = self.bench.file(filename, mime_type, b"");
        std::fs::File::options().write(true).open(&file.path).unwrap().set_len(len).unwrap();
        MediaFile { len, ..file }
    }
}

fn build(
    name: &str,
    settings: &[(&'static str, &str)],
    environment: &Environment,
) -> Result<Box<dyn Sender>, BuildError> {
    (senders::find(name).unwrap().build)(&account(name, settings), environment)
}

/// An account with the settings typed as the sender's spec says.
fn account(sender: &str, settings: &[(&'static str, &str)]) -> Account {
    let spec = senders::find(sender).unwrap().spec;
    let typed = |(key, text): &(&'static str, &str)| {
        let text = (*text).to_owned();
        let value = match spec.setting(key).unwrap_or_else(|| panic!("{sender} has no setting {key}")).kind {
            SettingKind::Text | SettingKind::Choice(_) => SettingValue::Text(text),
            SettingKind::Secret | SettingKind::Url => SettingValue::Secret(Secret::new(text)),
            SettingKind::Bool => SettingValue::Bool(text == "true"),
            SettingKind::Int => SettingValue::Int(text.parse().unwrap()),
            SettingKind::Duration => SettingValue::Duration(Duration::from_secs(text.parse().unwrap())),
            SettingKind::List => SettingValue::List(text.split(',').map(str::to_owned).collect()),
            SettingKind::Path => SettingValue::Path(text.into()),
        };
        (*key, value)
    };
    bench::account(sender, &settings.iter().map(typed).collect::<Vec<_>>())
}

/// The next attempt at the same push, as the store hands it out after `report`.
pub fn retry(delivery: Delivery, report: &Report) -> Delivery {
    bench::next_attempt(&delivery, report)
}

pub fn text(text: &str) -> Body {
    Body::Text { text: text.to_owned() }
}

pub fn media(caption: Option<&str>) -> Media {
    Media { source: "resolved.bin".to_owned(), caption: caption.map(str::to_owned), ..Media::default() }
}

pub fn text_item(text: &str) -> Item {
    Item::Text { text: text.to_owned() }
}

/// The first and last page of an Ogg Opus file, which are one here.
pub fn opus_of_1001_ms() -> Vec<u8> {
    let pre_skip: u16 = 312;
    let end = u64::from(pre_skip) + 1001 * 48;
    let head = [b"OpusHead\x01\x01".as_slice(), &pre_skip.to_le_bytes(), b"\x80\xbb\0\0\0\0\0"].concat();
    [b"OggS\0\x04".as_slice(), &end.to_le_bytes(), &[0; 12], &[1, head.len() as u8], &head].concat()
}
