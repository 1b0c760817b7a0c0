//! Telegram, through the Bot API (`protocols/others.md` §1).
//!
//! Every media is uploaded, never handed over by its address: Telegram fetches less than it takes, and answers late
//! when it cannot. There is no idempotency key and no way to read back, so a lost answer stays `unknown`.

mod answer;
mod moves;
mod place;
mod plan;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Map, Value, json};

use self::answer::{Cure, Refusal, judge, message_id};
use self::moves::Moves;
use self::place::{Place, place};
use self::plan::{Format, MediaForm, Step, Styled, Upload, as_tried, one_by_one, plan, texts_first};
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::http::Http;
use super::shared::parts::{Budget, Progress, add_note};
use super::shared::setting::{CA_FILE, choice, flag, secret, url};
use super::shared::{ogg, settings, upload};
use crate::clock::SharedClock;
use crate::domain::{Account, Delivery, Kind, Outcome, Report, Secret, SenderSpec, Support};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

pub static SPEC: SenderSpec = SenderSpec {
    name: "telegram",
    about: "Telegram, through a bot of the Bot API",
    default_im: "telegram",
    settings: &[
        secret("token", "the bot's token as @BotFather gave it").required(),
        url("base_url", "the address of a Bot API server of your own").or("https://api.telegram.org"),
        choice(
            "parse_mode",
            &["HTML", "MarkdownV2"],
            "how texts and captions are marked up; a text that Telegram cannot parse goes out as it is",
        )
        .or("none: texts are shown as they are"),
        flag("silent", "send without a sound"),
        flag("link_preview", "show a preview of the first link of a text").or("true"),
        CA_FILE,
    ],
    support: |_, _| Support::Native,
    target: place::target,
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
        api: Secret::new(format!("{base_url}/bot{}", token.expose())),
        format: account.settings.text("parse_mode").map(|mode| match mode {
            "HTML" => Format::Html,
            _ => Format::MarkdownV2,
        }),
        silent: account.settings.bool("silent").unwrap_or(false),
        link_preview: account.settings.bool("link_preview").unwrap_or(true),
        http: settings::http(account, environment)?,
        clock: environment.clock.clone(),
        moves: Moves::new(&account.id, environment.memory.clone()),
    }))
}

struct Telegram {
    /// The address with the token in it.
    api: Secret,
    /// The account's `parse_mode`.
    format: Option<Format>,
    silent: bool,
    link_preview: bool,
    http: Http,
    clock: SharedClock,
    moves: Moves,
}

#[async_trait]
impl Sender for Telegram {
    async fn send(&self, delivery: &Delivery) -> Report {
        let place = match place(delivery.target.id()) {
            Ok(place) => place,
            Err(wrong) => {
                let shown = format!("'{}'", delivery.target.id());
                return Report::failed(Outcome::Rejected, wrong.told(&shown));
            }
        };
        let mut steps = as_tried(plan(delivery, self.format), &delivery.parts);
        if steps.is_empty() {
            return Report::failed(Outcome::Rejected, "there is nothing to send: the text is empty");
        }
        let mut budget = Budget::new(&self.clock, delivery.timeout);
        let mut progress = Progress::resume(delivery, &steps);
        // A media that was refused, whose text goes first.
        let mut refused: Option<(usize, Report)> = None;
        let mut index = 0;
        while let Some(step) = steps.get(index) {
            if progress.is_sent(index) {
                index += 1;
                continue;
            }
            if let Some((_, report)) = refused.take_if(|(at, _)| *at == index) {
                let _ = progress.record(index, report);
                break;
            }
            budget.extend_for_bytes(step.upload_bytes());
            match self.send_step(step, &place, &budget).await {
                Ok(report) => {
                    let _ = progress.record(index, report);
                    index += 1;
                }
                Err(Stop { otherwise: Some(Otherwise::OneByOne), .. }) => {
                    let pieces = one_by_one(&mut steps, index);
                    progress.recut(index, pieces, &steps);
                    progress.note("album one by one");
                }
                Err(Stop { report, otherwise }) => {
                    let texts = match otherwise {
                        Some(Otherwise::TextAlone) => texts_first(&mut steps, index),
                        _ => 0,
                    };
                    if texts == 0 {
                        let _ = progress.record(index, report);
                        break;
                    }
                    progress.recut(index, texts + 1, &steps);
                    progress.note("text without media");
                    refused = Some((index + texts, report));
                }
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

/// Why a step did not go out, and in what other cut it may.
struct Stop {
    report: Report,
    otherwise: Option<Otherwise>,
}

enum Otherwise {
    /// The members of an album on their own.
    OneByOne,
    /// The text before a media that the chat does not take.
    TextAlone,
}

impl From<Report> for Stop {
    fn from(report: Report) -> Stop {
        Stop { report, otherwise: None }
    }
}

impl Telegram {
    async fn send_step(&self, step: &Step<'_>, place: &Place<'_>, budget: &Budget) -> Result<Report, Stop> {
        let asked = place.chat;
        let mut chat = self.moves.of(asked).await.unwrap_or_else(|| asked.to_owned());
        // The id remembered, where Telegram denies it.
        let mut denied: Option<(String, Report)> = None;
        let mut cures = Cures::default();
        loop {
            let request = self.request(step, &chat, place.topic, cures).await?;
            let reply = self.http.call(request, budget.left()?).await.map_err(|error| error.report())?;
            let judged = judge(&reply, self.clock.now());
            // What is denied is not worth remembering.
            if cures.moved && !matches!(&judged, Err(refusal) if refusal.denies_chat) {
                self.moves.remember(asked, &chat).await;
            }
            let refusal = match judged {
                Ok(result) => return Ok(sent(step, cures, &result, reply.status)?),
                Err(refusal) => refusal,
            };
            let Refusal { report, cure, denies_chat } = *refusal;
            let (is_album, is_media) = match step {
                Step::Text { .. } => (false, false),
                Step::Media { media, .. } => (media.len() > 1, true),
            };
            match cure {
                Some(Cure::Chat(new_chat)) if !cures.moved && new_chat != chat => match denied {
                    Some((id, report)) if id == new_chat => return Err(report.into()),
                    _ => {
                        chat = new_chat;
                        cures.moved = true;
                    }
                },
                _ if denies_chat && chat != asked && !cures.moved && denied.is_none() => {
                    self.moves.forget(asked).await;
                    denied = Some((std::mem::replace(&mut chat, asked.to_owned()), report));
                }
                Some(Cure::NoMarkup) if !cures.without_markup => cures.without_markup = true,
                Some(Cure::Document) if is_album => {
                    return Err(Stop { report, otherwise: Some(Otherwise::OneByOne) });
                }
                Some(Cure::Document) if is_media && !cures.as_document => cures.as_document = true,
                Some(Cure::Document | Cure::TextAlone) if is_media => {
                    return Err(Stop { report, otherwise: Some(Otherwise::TextAlone) });
                }
                _ => return Err(report.into()),
            }
        }
    }

    async fn request(
        &self,
        step: &Step<'_>,
        chat: &str,
        topic: Option<i64>,
        cures: Cures,
    ) -> Result<RequestBuilder, Report> {
        let mut fields = Map::new();
        fields.insert("chat_id".into(), number_or_text(chat));
        if let Some(topic) = topic {
            fields.insert("message_thread_id".into(), json!(topic));
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
                return Ok(self.http.post(self.method("sendMessage")).json(&fields));
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
        Ok(self.http.post(self.method(method)).multipart(form))
    }

    fn method(&self, name: &str) -> String {
        format!("{}/{name}", self.api.expose())
    }
}

/// The report of a call that Telegram took.
fn sent(step: &Step<'_>, cures: Cures, result: &Value, status: u16) -> Result<Report, Report> {
    if let (Step::Media { media, .. }, Some(messages)) = (step, result.as_array())
        && messages.len() < media.len()
    {
        let error = format!("Telegram took {} of the album's {} media", messages.len(), media.len());
        return Err(Report::failed(Outcome::Unknown, error).with_status(status));
    }
    let report = Report::sent(message_id(result)).with_status(status);
    Ok(Report { note: note(step, cures), ..report })
}

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
