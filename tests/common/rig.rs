//! A sender and what it needs around it: a clock that stands still, a memory, files, deliveries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pushcron::clock::{ManualClock, SystemClock};
use pushcron::domain::account::{SettingValue, Settings};
use pushcron::domain::sender::SettingKind;
use pushcron::domain::{
    Account, Body, Delivery, Item, Media, MediaFile, Message, Report, RetryPolicy, Secret, Target, Trigger, UtcMs,
};
use pushcron::senders::{self, Environment, Memory, MemoryError, Sender};

use super::fake_im::Request;

/// 2026-01-01T01:00:00.000Z
pub const NOW: UtcMs = UtcMs(1_767_229_200_000);

/// What accounts remember, in a map.
#[derive(Default)]
pub struct Notebook(Mutex<BTreeMap<(String, String), String>>);

#[async_trait]
impl Memory for Notebook {
    async fn recall(&self, account: &str) -> Result<Vec<(String, String)>, MemoryError> {
        let notes = self.0.lock().unwrap();
        Ok(notes.iter().filter(|((id, _), _)| id == account).map(|((_, k), v)| (k.clone(), v.clone())).collect())
    }

    async fn remember(&self, account: &str, key: &str, value: &str) -> Result<(), MemoryError> {
        self.0.lock().unwrap().insert((account.to_owned(), key.to_owned()), value.to_owned());
        Ok(())
    }
}

pub struct Rig {
    pub clock: Arc<ManualClock>,
    pub memory: Arc<Notebook>,
    pub dir: tempfile::TempDir,
}

impl Rig {
    pub fn new() -> Rig {
        Rig { clock: ManualClock::new(NOW), memory: Arc::new(Notebook::default()), dir: tempfile::tempdir().unwrap() }
    }

    fn environment(&self) -> Environment {
        Environment {
            clock: self.clock.clone(),
            http: super::deliveries::http(),
            memory: self.memory.clone(),
            state_dir: self.dir.path().to_owned(),
        }
    }

    /// A new sender of that name, as after a restart: it knows only what the memory kept.
    pub fn sender(&self, name: &str, settings: &[(&str, &str)]) -> Box<dyn Sender> {
        self.try_sender(name, settings).unwrap()
    }

    pub fn try_sender(&self, name: &str, settings: &[(&str, &str)]) -> Result<Box<dyn Sender>, senders::BuildError> {
        (senders::find(name).unwrap().build)(&account(name, settings), &self.environment())
    }

    /// The same on the machine's own clock, for real servers.
    pub fn live_sender(&self, name: &str, settings: &[(&str, &str)]) -> Box<dyn Sender> {
        let environment = Environment { clock: SystemClock::shared(), ..self.environment() };
        (senders::find(name).unwrap().build)(&account(name, settings), &environment).unwrap()
    }

    /// A file on disk, as the media resolver hands it over.
    pub fn file(&self, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
        // Two media of one name are two files.
        let path = self.dir.path().join(format!("{:x}-{filename}", fastrand::u64(..)));
        std::fs::write(&path, content).unwrap();
        media_file(path, filename, mime_type, content.len() as u64)
    }

    /// A file of `len` zeros, which takes no room.
    pub fn large_file(&self, filename: &str, mime_type: &str, len: u64) -> MediaFile {
        let path = self.dir.path().join(filename);
        std::fs::File::create(&path).unwrap().set_len(len).unwrap();
        media_file(path, filename, mime_type, len)
    }
}

fn media_file(path: PathBuf, filename: &str, mime_type: &str, len: u64) -> MediaFile {
    MediaFile {
        sha256: format!("{:064x}", len + filename.len() as u64),
        path,
        len,
        filename: filename.into(),
        mime_type: mime_type.into(),
        url: None,
        cover: None,
    }
}

/// An account with the settings typed as the sender's spec says.
fn account(sender: &str, settings: &[(&str, &str)]) -> Account {
    let spec = senders::find(sender).unwrap().spec;
    let typed = |(key, text): &(&str, &str)| {
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
        ((*key).to_owned(), value)
    };
    Account {
        id: format!("my_{sender}"),
        im: spec.default_im.to_owned(),
        sender: sender.to_owned(),
        is_default: true,
        concurrency: None,
        min_interval: None,
        settings: Settings { values: settings.iter().map(typed).collect() },
    }
}

/// The first attempt at a message; `media` are the files of `body.media()`.
pub fn delivery(target: Target, body: Body, media: Vec<MediaFile>) -> Delivery {
    assert_eq!(body.media().len(), media.len());
    Delivery {
        push_id: 1,
        attempt: 1,
        key: "a1B2c3D4e5F6g7H8i9J0".to_owned(),
        job: Some("daily-report".to_owned()),
        triggered_by: Trigger::Cron,
        due_at: NOW,
        im: "im".to_owned(),
        target,
        message: Message { title: None, body },
        media,
        timeout: Duration::from_secs(8),
        retry: RetryPolicy::default(),
        max_attempts: 5,
        expires_at: NOW + RetryPolicy::default().give_up_after,
        parts: Vec::new(),
    }
}

/// The next attempt at the same push, as the store hands it out after `report`.
pub fn retry(mut delivery: Delivery, report: &Report) -> Delivery {
    delivery.attempt += 1;
    delivery.parts = report.parts.clone();
    delivery
}

pub fn group(id: &str) -> Target {
    Target::Group(id.to_owned())
}

pub fn user(id: &str) -> Target {
    Target::User(id.to_owned())
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

/// One field of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub filename: Option<String>,
    pub mime_type: Option<String>,
    pub content: Vec<u8>,
}

impl Field {
    pub fn text(&self) -> String {
        String::from_utf8(self.content.clone()).unwrap()
    }
}

/// The fields of a multipart form, in order; panics where the body is none.
pub fn form(request: &Request) -> Vec<Field> {
    let boundary = request.header("content-type").unwrap().split_once("boundary=").unwrap().1;
    let mut fields = Vec::new();
    let mut rest = request.body.as_slice();
    let delimiter = format!("--{boundary}\r\n").into_bytes();
    let closing = format!("\r\n--{boundary}").into_bytes();
    while let Some(after) = rest.strip_prefix(delimiter.as_slice()) {
        let (head, after) = cut(after, b"\r\n\r\n");
        let (content, _) = cut(after, &closing);
        rest = &after[content.len() + 2..];
        let head = String::from_utf8(head.to_vec()).unwrap();
        let between = |start: &str, end: &str| Some(head.split_once(start)?.1.split(end).next()?.to_owned());
        fields.push(Field {
            name: between(" name=\"", "\"").unwrap(),
            filename: between("filename=\"", "\""),
            mime_type: between("Content-Type: ", "\r\n"),
            content: content.to_vec(),
        });
    }
    assert_eq!(rest, format!("--{boundary}--\r\n").as_bytes(), "the form is closed");
    fields
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at).expect("a complete form");
    (&bytes[..found], &bytes[found + at.len()..])
}
