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
use self::plan::{Format, MediaForm, Step, Styled, Upload, plan};
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::deliver::{Otherwise, Post, Turn, deliver};
use super::shared::failure::{Failure, Sent};
use super::shared::parts::{add_note, kind_as};
use super::shared::setting::{CA_FILE, choice, flag, secret, url};
use super::shared::wire::Wire;
use super::shared::{ogg, settings, upload};
use crate::domain::{Account, Delivery, Report, Secret, SenderSpec, Support};
use crate::texts;

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) static SPEC: SenderSpec = SenderSpec {
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

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let token = account.settings.secret("token").ok_or_else(|| settings::missing(account, "token"))?;
    if token.expose().chars().any(|c| c.is_whitespace() || c.is_control() || "/?#%".contains(c)) {
        return Err(settings::problem(account, texts::token_of_telegram()));
    }
    let base_url = settings::url(account, "base_url")?;
    let base_url = base_url.as_ref().map_or("https://api.telegram.org", |url| url.as_str().trim_end_matches('/'));
    let wire = Wire::new(account, environment)?;
    Ok(Box::new(Telegram {
        api: Secret::new(format!("{base_url}/bot{}", token.expose())),
        format: account.settings.text("parse_mode").map(|mode| match mode {
            "HTML" => Format::Html,
            _ => Format::MarkdownV2,
        }),
        silent: account.settings.bool("silent").unwrap_or(false),
        link_preview: account.settings.bool("link_preview").unwrap_or(true),
        moves: Moves::new(&wire),
        wire,
    }))
}

struct Telegram {
    /// The address with the token in it.
    api: Secret,
    /// The account's `parse_mode`.
    format: Option<Format>,
    silent: bool,
    link_preview: bool,
    wire: Wire,
    moves: Moves,
}

#[async_trait]
impl Sender for Telegram {
    async fn send(&self, delivery: &Delivery) -> Report {
        let place = match place(delivery.target.id()) {
            Ok(place) => place,
            Err(wrong) => return Failure::rejected(wrong.told(&format!("'{}'", delivery.target.id()))).into(),
        };
        let sending = Sending { bot: self, place };
        deliver(delivery, &self.wire.clock, plan(delivery, self.format), &sending).await
    }

    async fn probe(&self) -> Probe {
        let request = self.wire.http.get(self.method("getMe"));
        match self.wire.http.call(request, PROBE_TIMEOUT).await {
            Err(error) => Probe::down(error.message()),
            Ok(reply) => match judge(&reply, self.wire.now()) {
                Ok(_) => Probe::up(),
                Err(refusal) => Probe::down(refusal.failure.error),
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

/// An attempt on its way to a chat.
struct Sending<'a> {
    bot: &'a Telegram,
    place: Place<'a>,
}

impl Post<Step<'_>> for Sending<'_> {
    async fn post(&self, step: &Step<'_>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        turn.budget.extend_for_bytes(step.upload_bytes());
        self.bot.send_step(step, &self.place, turn).await
    }
}

impl Telegram {
    async fn send_step(&self, step: &Step<'_>, place: &Place<'_>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let asked = place.chat;
        let mut chat = self.moves.of(asked).await.unwrap_or_else(|| asked.to_owned());
        // The saved id, and the refusal, where Telegram says that there is no such chat.
        let mut denied: Option<(String, Failure)> = None;
        let mut cures = Cures::default();
        loop {
            let request = self.request(step, &chat, place.topic, cures).await?;
            let reply = self.wire.http.call(request, turn.left()?).await?;
            let judged = judge(&reply, self.wire.now());
            // An id is saved only where Telegram accepts it.
            if cures.moved && !matches!(&judged, Err(refusal) if refusal.denies_chat) {
                self.moves.save(asked, &chat).await;
            }
            let refusal = match judged {
                Ok(result) => return sent(step, cures, &result, reply.status),
                Err(refusal) => refusal,
            };
            let Refusal { failure, cure, denies_chat } = *refusal;
            let (is_album, is_media) = match step {
                Step::Text { .. } => (false, false),
                Step::Media { media, .. } => (media.len() > 1, true),
            };
            match cure {
                Some(Cure::Chat(new_chat)) if !cures.moved && new_chat != chat => match denied {
                    Some((id, failure)) if id == new_chat => return Err(failure),
                    _ => {
                        chat = new_chat;
                        cures.moved = true;
                    }
                },
                _ if denies_chat && chat != asked && !cures.moved && denied.is_none() => {
                    self.moves.forget(asked).await;
                    denied = Some((std::mem::replace(&mut chat, asked.to_owned()), failure));
                }
                Some(Cure::NoMarkup) if !cures.without_markup => cures.without_markup = true,
                Some(Cure::Document) if is_album => {
                    turn.may_go(Otherwise::OneByOne);
                    return Err(failure);
                }
                Some(Cure::Document) if is_media && !cures.as_document => cures.as_document = true,
                Some(Cure::Document | Cure::TextAlone) if is_media => {
                    turn.may_go(Otherwise::TextsFirst);
                    return Err(failure);
                }
                _ => return Err(failure),
            }
        }
    }

    async fn request(
        &self,
        step: &Step<'_>,
        chat: &str,
        topic: Option<i64>,
        cures: Cures,
    ) -> Result<RequestBuilder, Failure> {
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
                return Ok(self.wire.http.post(self.method("sendMessage")).json(&fields));
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
        Ok(self.wire.http.post(self.method(method)).multipart(form))
    }

    fn method(&self, name: &str) -> String {
        format!("{}/{name}", self.api.expose())
    }
}

/// The report of a call that Telegram took.
fn sent(step: &Step<'_>, cures: Cures, result: &Value, status: u16) -> Result<Sent, Failure> {
    if let (Step::Media { media, .. }, Some(messages)) = (step, result.as_array())
        && messages.len() < media.len()
    {
        let error = format!("Telegram took {} of the album's {} media", messages.len(), media.len());
        return Err(Failure::unknown(error).with_status(status));
    }
    Ok(Sent::new(message_id(result)).with_status(status).noting(note(step, cures)))
}

/// One media by the method of its form.
async fn single(
    upload: &Upload<'_>,
    fields: &mut Map<String, Value>,
    cures: Cures,
) -> Result<(&'static str, Form), Failure> {
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
) -> Result<(&'static str, Form), Failure> {
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
            for upload in media.iter().filter(as_file) {
                add_note(&mut note, kind_as(upload.asked, "file").as_deref());
            }
        }
    }
    add_note(&mut note, cures.without_markup.then_some("markup as text"));
    note
}
