//! Feishu and Lark app bots: every kind, to groups and users (`protocols/others.md` §2.2).
//!
//! Each message carries a `uuid` made from the push's key; Feishu sends one value at most once within an hour, so a
//! repeat within that hour is safe. What a repeat answers is unconfirmed: where it is a refusal that no table names,
//! the push stays `unknown` instead of failing.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::feishu::{
    App, Ask, Content, Element, FEISHU, FILE_MAX_BYTES, Place, Placed, Planned, Refusal, Rules, is_image, plan,
};
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::deliver::{Attempt, Post, Turn};
use super::shared::failure::{Class, Failure, Sent};
use super::shared::key_ages::KeyAges;
use super::shared::parts::kind_as;
use super::shared::setting::{CA_FILE, choice, secret, text, url};
use super::shared::wire::Wire;
use super::shared::{ogg, settings};
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, MediaFile, Report, SenderSpec, Support, Target, UtcMs};

const KEY_WINDOW: Duration = Duration::from_secs(3600);
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
const BAD_PARAMETER: i64 = 230001;

/// Content is JSON inside a JSON text: escaped twice.
const RULES: Rules = Rules {
    post_max: 28_000,
    text_max: 120_000,
    measure: |value| Value::String(value.to_string()).to_string().len(),
    escape_factor: 4,
    markdown: true,
};

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "feishu_app",
    about: "Feishu or Lark, through an app's bot",
    default_im: "feishu",
    settings: &[
        text("app_id", "the app's id, cli_…").required(),
        secret("app_secret", "the app's secret").required(),
        url("base_url", "https://open.larksuite.com for Lark").or(FEISHU),
        choice("user_id_type", &["open_id", "user_id", "union_id", "email"], "what the ids of users are")
            .or("told by the id: ou_… open_id, on_… union_id, with an @ email, else user_id"),
        CA_FILE,
    ],
    support: |_, _| Support::Native,
    target: any_target,
    idempotent: |_| true,
    concurrency: 4,
    // 1000 a minute.
    min_interval_ms: 60,
    max_media_bytes: FILE_MAX_BYTES,
};

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let app_id = account.settings.text("app_id").ok_or_else(|| settings::missing(account, "app_id"))?;
    let app_secret = account.settings.secret("app_secret").ok_or_else(|| settings::missing(account, "app_secret"))?;
    let base_url = settings::url(account, "base_url")?;
    let base_url = base_url.as_ref().map_or(FEISHU, |url| url.as_str().trim_end_matches('/')).to_owned();
    let wire = Wire::new(account, environment)?;
    Ok(Box::new(FeishuApp {
        app: App::new(wire.clone(), base_url, app_id.to_owned(), app_secret.clone()),
        user_id_type: account.settings.text("user_id_type").map(str::to_owned),
        key_ages: KeyAges::new(&environment.clock),
        wire,
    }))
}

struct FeishuApp {
    wire: Wire,
    app: App,
    user_id_type: Option<String>,
    key_ages: KeyAges,
}

#[async_trait]
impl Sender for FeishuApp {
    async fn send(&self, delivery: &Delivery) -> Report {
        let voices = voice_durations(delivery).await;
        let planned = plan(delivery, &RULES, |kind, file, index| place(file, kind, voices[index]));
        self.key_ages.begin(delivery);
        let key_holds = self.key_ages.holds(delivery, KEY_WINDOW, self.wire.now());
        Attempt::new(delivery, &self.wire.clock).guarded(key_holds).run(planned, self).await
    }

    /// The token proves the app; that its bot is on is asked too, but an answer that we do not know counts for it.
    async fn probe(&self) -> Probe {
        let budget = Budget::new(&self.wire.clock, PROBE_TIMEOUT);
        match self.app.call(&Ask::Get("bot/v3/info"), &budget).await {
            Ok(_) => Probe::up(),
            Err(refusal) if refusal.failure.class == Class::Rejected => Probe::assumed_up(),
            Err(refusal) => Probe::down(refusal.failure.error),
        }
    }

    fn is_idempotent(&self, delivery: &Delivery, now: UtcMs) -> bool {
        self.key_ages.holds(delivery, KEY_WINDOW, now)
    }
}

/// How long each media plays, where it is a voice that Feishu takes.
async fn voice_durations(delivery: &Delivery) -> Vec<Option<u64>> {
    let mut durations = Vec::new();
    for file in &delivery.media {
        durations.push(ogg::opus_duration_ms(&file.path).await);
    }
    durations
}

fn place(file: &MediaFile, kind: Kind, opus_ms: Option<u64>) -> Result<Placed<'_>, Failure> {
    let name = &file.filename;
    if file.len == 0 {
        return Err(Failure::rejected(format!("'{name}' is empty, which Feishu does not take")));
    }
    if file.len > FILE_MAX_BYTES {
        let error = format!("'{name}' has {} bytes, Feishu takes {FILE_MAX_BYTES}", file.len);
        return Err(Failure::rejected(error));
    }
    Ok(match (kind, opus_ms) {
        (Kind::Image, _) if is_image(file) => (Place::InPost(Element::Image(file)), None),
        (Kind::Voice, Some(duration_ms)) => (Place::Alone(Content::Audio { file, duration_ms }), None),
        (Kind::Video, _) if file.mime_type == "video/mp4" => (Place::Alone(Content::Video(file)), None),
        (kind, _) => (Place::Alone(Content::File(file)), kind_as(kind, "file")),
    })
}

impl Post<Planned<'_>> for FeishuApp {
    async fn post(&self, planned: &Planned<'_>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let (msg_type, content) = self.content(&planned.content, turn.budget).await?;
        let refusal = match self.send_message(msg_type, &content, turn).await {
            Ok(sent) => return Ok(sent.noting(planned.note.clone())),
            Err(refusal) => refusal,
        };
        match &planned.content {
            // Whether a film may come without a cover is unconfirmed. The refusal proves that nothing went out.
            Content::Video(file) if refusal.code == Some(BAD_PARAMETER) && !turn.is_repeat => {
                let content = json!({"file_key": self.app.file_key(file, "stream", None, turn.budget).await?});
                let sent = self.send_message("file", &content, turn).await.map_err(|refusal| refusal.failure)?;
                Ok(sent.noting(kind_as(Kind::Video, "file")))
            }
            _ => Err(refusal.failure),
        }
    }
}

impl FeishuApp {
    async fn send_message(&self, msg_type: &str, content: &Value, turn: &Turn<'_>) -> Result<Sent, Box<Refusal>> {
        let target = &turn.delivery.target;
        let content = content.to_string();
        // Feishu sends a message of one uuid at most once.
        let body = json!({"receive_id": target.id(), "msg_type": msg_type, "content": content, "uuid": turn.key()});
        let ask = Ask::Message { receive_id_type: self.receive_id_type(target), body: &body };
        match self.app.call(&ask, turn.budget).await {
            Ok(answer) => Ok(Sent::new(answer.shown("/data/message_id")).with_status(200)),
            Err(mut refusal) => {
                // This may be how Feishu answers that it sent the first one.
                if turn.is_repeat && refusal.failure.class == Class::Rejected && !refusal.is_known {
                    refusal.failure.class = Class::Unknown;
                }
                Err(refusal)
            }
        }
    }

    /// `msg_type` and content, with every media uploaded.
    async fn content(&self, content: &Content<'_>, budget: &mut Budget) -> Result<(&'static str, Value), Failure> {
        Ok(match content {
            Content::Text(text) => ("text", json!({"text": text})),
            Content::Post { title, lines } => {
                let mut tags = Vec::new();
                for line in lines {
                    let mut line_tags = Vec::new();
                    for element in line {
                        line_tags.push(self.tag(element, budget).await?);
                    }
                    tags.push(line_tags);
                }
                ("post", json!({"zh_cn": {"title": title, "content": tags}}))
            }
            Content::Image(file) => ("image", json!({"image_key": self.app.image_key(file, budget).await?})),
            Content::Audio { file, duration_ms } => {
                ("audio", json!({"file_key": self.app.file_key(file, "opus", Some(*duration_ms), budget).await?}))
            }
            Content::Video(file) => {
                let mut content = json!({"file_key": self.app.file_key(file, "mp4", None, budget).await?});
                if let Some(cover) = &file.cover {
                    content["image_key"] = json!(self.app.image_key(cover, budget).await?);
                }
                ("media", content)
            }
            Content::File(file) => {
                ("file", json!({"file_key": self.app.file_key(file, file_type(file), None, budget).await?}))
            }
        })
    }

    async fn tag(&self, element: &Element<'_>, budget: &mut Budget) -> Result<Value, Failure> {
        Ok(match element {
            Element::Tag(tag) => tag.clone(),
            Element::Image(file) => json!({"tag": "img", "image_key": self.app.image_key(file, budget).await?}),
        })
    }

    fn receive_id_type<'a>(&'a self, target: &'a Target) -> &'a str {
        match (target, &self.user_id_type) {
            (Target::Group(_), _) => "chat_id",
            (Target::User(_), Some(chosen)) => chosen,
            (Target::User(id), None) if id.starts_with("ou_") => "open_id",
            (Target::User(id), None) if id.starts_with("on_") => "union_id",
            (Target::User(id), None) if id.contains('@') => "email",
            (Target::User(_), None) => "user_id",
        }
    }
}

/// The type under which a file is uploaded. `opus` and `mp4` are missing: files of those types can only be sent as
/// voice and video.
fn file_type(file: &MediaFile) -> &'static str {
    let extension = file.filename.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    match extension.as_deref() {
        Some("pdf") => "pdf",
        Some("doc" | "docx") => "doc",
        Some("xls" | "xlsx") => "xls",
        Some("ppt" | "pptx") => "ppt",
        _ => "stream",
    }
}
