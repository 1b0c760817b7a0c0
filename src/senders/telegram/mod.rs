//! Telegram, through the Bot API (`protocols/others.md` §1).
//!
//! Every media is uploaded, never handed over by its address: Telegram fetches less than it takes, and answers late
//! when it cannot. There is no idempotency key and no way to read back, so a lost answer stays `unknown`.

mod answer;
mod plan;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use self::answer::{Cure, judge, message_id};
use self::plan::{Format, MediaForm, Step, Styled, Upload, plan};
use super::http::Http;
use super::parts::{Budget, Progress, add_note};
use super::{BuildError, Environment, Memory, Probe, Sender, ogg, settings, upload};
use crate::clock::SharedClock;
use crate::domain::sender::{SettingKind, SettingSpec};
use crate::domain::{Account, Delivery, Kind, Outcome, Report, Secret, SenderSpec, Support, Target};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

pub static SPEC: SenderSpec = SenderSpec {
    name: "telegram",
    about: "Telegram, through a bot of the Bot API",
    default_im: "telegram",
    settings: &[
        SettingSpec {
            key: "token",
            kind: SettingKind::Secret,
            required: true,
            default: "",
            doc: "the bot's token as @BotFather gave it",
        },
        SettingSpec {
            key: "base_url",
            kind: SettingKind::Url,
            required: false,
            default: "https://api.telegram.org",
            doc: "the address of a Bot API server of your own",
        },
        SettingSpec {
            key: "parse_mode",
            kind: SettingKind::Choice(&["HTML", "MarkdownV2"]),
            required: false,
            default: "none: texts are shown as they are",
            doc: "how texts and captions are marked up; a text that Telegram cannot parse goes out as it is",
        },
        SettingSpec {
            key: "silent",
            kind: SettingKind::Bool,
            required: false,
            default: "false",
            doc: "send without a sound",
        },
        SettingSpec {
            key: "link_preview",
            kind: SettingKind::Bool,
            required: false,
            default: "true",
            doc: "show a preview of the first link of a text",
        },
        settings::CA_FILE,
    ],
    support: |_, _| Support::Native,
    idempotent: |_| false,
    concurrency: 4,
    // 30 messages a second over all chats.
    min_interval_ms: 35,
    max_media_bytes: 50 * 1024 * 1024,
};

pub fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let token = account.settings.secret("token").ok_or_else(|| settings::missing(account, "token"))?;
    if token.expose().chars().any(|c| c.is_whitespace() || c.is_control() || "/?#%".contains(c)) {
        return Err(settings::problem(account, "token: expected one like 123456:ABC-DEF, without blanks or slashes"));
    }
    let base_url = settings::url(account, "base_url")?;
    let base_url = base_url.as_ref().map_or("https://api.telegram.org", |url| url.as_str().trim_end_matches('/'));
    Ok(Box::new(Telegram {
        account: account.id.clone(),
        api: Secret::new(format!("{base_url}/bot{}", token.expose())),
        format: account.settings.text("parse_mode").map(|mode| match mode {
            "HTML" => Format::Html,
            _ => Format::MarkdownV2,
        }),
        silent: account.settings.bool("silent").unwrap_or(false),
        link_preview: account.settings.bool("link_preview").unwrap_or(true),
        http: settings::http(account, environment)?,
        clock: environment.clock.clone(),
        memory: environment.memory.clone(),
        moved: OnceCell::new(),
    }))
}

struct Telegram {
    account: String,
    /// The address with the token in it.
    api: Secret,
    /// The account's `parse_mode`.
    format: Option<Format>,
    silent: bool,
    link_preview: bool,
    http: Http,
    clock: SharedClock,
    memory: Arc<dyn Memory>,
    /// Groups that became supergroups: old chat id to new one. Remembered, since jobs keep naming the old id.
    moved: OnceCell<Mutex<HashMap<String, String>>>,
}

#[async_trait]
impl Sender for Telegram {
    async fn send(&self, delivery: &Delivery) -> Report {
        let steps = plan(delivery, self.format);
        if steps.is_empty() {
            return Report::failed(Outcome::Rejected, "there is nothing to send: the text is empty");
        }
        let mut budget = Budget::new(&self.clock, delivery.timeout);
        let mut progress = Progress::resume(delivery, &steps);
        for (index, step) in steps.iter().enumerate() {
            if progress.is_sent(index) {
                continue;
            }
            budget.extend_for_bytes(step.upload_bytes());
            let report = self.send_step(step, &delivery.target, &budget).await.unwrap_or_else(|report| report);
            if !progress.record(index, report) {
                break;
            }
        }
        progress.finish()
    }

    async fn probe(&self) -> Probe {
        let request = self.http.get(self.method("getMe"));
        match self.http.call(request, PROBE_TIMEOUT).await {
            Err(error) => Probe::down(error.message()),
            Ok(reply) => match judge(&reply, self.clock.now()) {
                Ok(_) => Probe::up(),
                Err(refusal) => Probe::down(refusal.report.error.unwrap_or_default()),
            },
        }
    }
}

/// The chat, and the topic of a forum after a slash: `-1001234567890/17`.
fn chat_and_topic(target: &Target) -> (&str, Option<&str>) {
    match target.id().split_once('/') {
        Some((chat, topic)) => (chat, Some(topic)),
        None => (target.id(), None),
    }
}

/// Chats are numbers, channels also names.
fn number_or_text(id: &str) -> Value {
    id.parse::<i64>().map_or_else(|_| json!(id), |number| json!(number))
}

/// How a step is tried again at once after a definite refusal that we know to cure.
#[derive(Clone, Copy, Default)]
struct Cures {
    without_markup: bool,
    as_document: bool,
    moved: bool,
}

impl Telegram {
    async fn send_step(&self, step: &Step<'_>, target: &Target, budget: &Budget) -> Result<Report, Report> {
        let (asked, topic) = chat_and_topic(target);
        let mut chat = self.current_chat(asked).await;
        let mut cures = Cures::default();
        loop {
            let (method, request) = self.request(step, &chat, topic, cures).await?;
            let reply = self.http.call(request, budget.left()?).await.map_err(|error| error.report())?;
            let refusal = match judge(&reply, self.clock.now()) {
                Ok(result) => {
                    let mut report = Report::sent(message_id(&result)).with_status(reply.status);
                    report.note = note(step, cures);
                    return Ok(report);
                }
                Err(refusal) => refusal,
            };
            match refusal.cure {
                Some(Cure::Chat(new_chat)) if !cures.moved => {
                    self.remember_move(asked, &new_chat).await;
                    chat = new_chat;
                    cures.moved = true;
                }
                Some(Cure::NoMarkup) if !cures.without_markup => cures.without_markup = true,
                Some(Cure::Document) if !cures.as_document && method != "sendMediaGroup" => cures.as_document = true,
                _ => return Err(refusal.report),
            }
        }
    }

    async fn request(
        &self,
        step: &Step<'_>,
        chat: &str,
        topic: Option<&str>,
        cures: Cures,
    ) -> Result<(&'static str, RequestBuilder), Report> {
        let mut fields = Map::new();
        fields.insert("chat_id".into(), number_or_text(chat));
        if let Some(topic) = topic {
            fields.insert("message_thread_id".into(), number_or_text(topic));
        }
        if self.silent {
            fields.insert("disable_notification".into(), json!(true));
        }
        let (method, mut form) = match step {
            Step::Text { text, .. } => {
                put_text(&mut fields, "text", text, cures);
                if !self.link_preview {
                    fields.insert("link_preview_options".into(), json!({"is_disabled": true}));
                }
                return Ok(("sendMessage", self.http.post(self.method("sendMessage")).json(&fields)));
            }
            Step::Media { media, caption, caption_above } => {
                let mut about = Map::new();
                if let Some(caption) = caption {
                    put_text(&mut about, "caption", caption, cures);
                }
                if *caption_above {
                    about.insert("show_caption_above_media".into(), json!(true));
                }
                match media.as_slice() {
                    [upload] => {
                        fields.append(&mut about);
                        single(upload, &mut fields, cures).await?
                    }
                    uploads => album(uploads, about, &mut fields).await?,
                }
            }
        };
        for (key, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            form = form.text(key, text);
        }
        Ok((method, self.http.post(self.method(method)).multipart(form)))
    }

    fn method(&self, name: &str) -> String {
        format!("{}/{name}", self.api.expose())
    }

    /// The id that a chat has today.
    async fn current_chat(&self, chat: &str) -> String {
        let moved = self.moved().await.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get(chat).cloned().unwrap_or_else(|| chat.to_owned())
    }

    async fn remember_move(&self, old: &str, new: &str) {
        self.moved().await.lock().unwrap_or_else(PoisonError::into_inner).insert(old.to_owned(), new.to_owned());
        if let Err(error) = self.memory.remember(&self.account, &format!("{MOVED}{old}"), new).await {
            tracing::warn!(account = self.account, %error, "cannot remember the new id of a chat");
        }
    }

    async fn moved(&self) -> &Mutex<HashMap<String, String>> {
        let recall = || async {
            let known = self.memory.recall(&self.account).await.unwrap_or_else(|error| {
                tracing::warn!(account = self.account, %error, "cannot recall the new ids of chats");
                Vec::new()
            });
            let moves = known.into_iter().filter_map(|(key, new)| Some((key.strip_prefix(MOVED)?.to_owned(), new)));
            Mutex::new(moves.collect())
        };
        self.moved.get_or_init(recall).await
    }
}

/// What the memory's keys for moved chats begin with.
const MOVED: &str = "moved:";

/// One media by the method of its form.
async fn single(
    upload: &Upload<'_>,
    fields: &mut Map<String, Value>,
    cures: Cures,
) -> Result<(&'static str, Form), Report> {
    let media_form = if cures.as_document { MediaForm::Document } else { upload.form };
    let mut form = Form::new().part(media_form.field(), upload::part(upload.file).await?);
    match media_form {
        MediaForm::Voice => {
            if let Some(ms) = ogg::opus_duration_ms(&upload.file.path).await {
                fields.insert("duration".into(), json!(ms.div_ceil(1000)));
            }
        }
        MediaForm::Video => {
            fields.insert("supports_streaming".into(), json!(true));
            if let Some(cover) = &upload.file.cover {
                fields.insert("cover".into(), json!("attach://still"));
                form = form.part("still", upload::part(cover).await?);
            }
        }
        MediaForm::Photo | MediaForm::Document => {}
    }
    Ok((media_form.method(), form))
}

/// Several photos and videos as one message; `about` is the caption of all, which Telegram takes from the first.
async fn album(
    uploads: &[Upload<'_>],
    mut about: Map<String, Value>,
    fields: &mut Map<String, Value>,
) -> Result<(&'static str, Form), Report> {
    let mut form = Form::new();
    let mut entries = Vec::new();
    for (index, upload) in uploads.iter().enumerate() {
        let name = format!("f{index}");
        let mut entry = std::mem::take(&mut about);
        entry.insert("type".into(), json!(upload.form.field()));
        entry.insert("media".into(), json!(format!("attach://{name}")));
        entries.push(Value::Object(entry));
        form = form.part(name, upload::part(upload.file).await?);
    }
    fields.insert("media".into(), Value::Array(entries));
    Ok(("sendMediaGroup", form))
}

fn put_text(fields: &mut Map<String, Value>, key: &str, styled: &Styled, cures: Cures) {
    let mode = match styled.format {
        _ if cures.without_markup => None,
        Format::Plain => None,
        Format::Html => Some("HTML"),
        Format::MarkdownV2 => Some("MarkdownV2"),
    };
    fields.insert(key.into(), json!(if mode.is_some() { &styled.text } else { &styled.plain }));
    if let Some(mode) = mode {
        fields.insert("parse_mode".into(), json!(mode));
    }
}

/// In what other form than asked for a step went out.
fn note(step: &Step, cures: Cures) -> Option<String> {
    let mut note = None;
    match step {
        Step::Text { note: said, .. } => add_note(&mut note, *said),
        Step::Media { media, .. } => {
            let as_file = |upload: &&Upload| upload.form == MediaForm::Document || cures.as_document;
            for upload in media.iter().filter(as_file).filter(|upload| upload.asked != Kind::File) {
                add_note(&mut note, Some(&format!("{} as file", upload.asked)));
            }
        }
    }
    add_note(&mut note, cures.without_markup.then_some("markup as text"));
    note
}
