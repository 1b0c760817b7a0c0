//! Any HTTP receiver: one JSON POST per push, signed as Standard Webhooks ask (others.md §8).
//!
//! ```json
//! {"type": "message.push", "timestamp": "2026-01-01T01:00:00.000Z",
//!  "data": {"job": "daily-report", "triggered_by": "cron", "due_at": "2026-01-01T01:00:00.000Z", "im": "hook",
//!           "target": {"group": "ops"}, "title": null, "kind": "text", "text": "hi"}}
//! ```
//!
//! A media stands under `media`: `{filename, mime_type, size, sha256, caption, base64}`, with `url` in the place of
//! `base64` where it is longer than `embed_limit`, and `cover` of the same shape. A mixed message has `items`, each
//! with a `type` and `text`, `user` or `media`. The body is the same in every attempt, and `webhook-id` too.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, TryStreamExt};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use url::Url;

use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::failure::{self, Failure, Sent};
use super::shared::http::{CallError, Reply};
use super::shared::json_body::{JsonBody, Slots};
use super::shared::setting::{CA_FILE, flag, int, secret, url};
use super::shared::settings;
use super::shared::verdict::{Fields, Verdict};
use super::shared::wire::Wire;
use crate::domain::account::Account;
use crate::domain::message::{Item, Media};
use crate::domain::sender::any_target;
use crate::domain::{Body, Delivery, Kind, MediaFile, Report, Secret, SenderSpec, Support, Target, Trigger, UtcMs};
use crate::texts;

const EMBED_LIMIT: u64 = 20 * 1024 * 1024;

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "webhook",
    about: "one signed JSON POST per push to a receiver of yours (Standard Webhooks)",
    default_im: "webhook",
    settings: &[
        url("url", "where to POST; redirects are not followed").required(),
        secret("secret", "whsec_ and base64: signs every request (webhook-id, webhook-timestamp, webhook-signature)")
            .or("no signature"),
        secret("old_secret", "while a secret is being changed: signs beside the new one"),
        secret("token", "sent as Authorization: Bearer"),
        secret("header", "one more header as 'Name: value', kept as a secret"),
        flag(
            "dedupes",
            "the receiver drops a webhook-id that it has seen, so that an unknown outcome may be tried again",
        ),
        int("embed_limit", "media up to so many bytes stand in the body as base64, longer ones as their address")
            .or("20971520"),
        CA_FILE,
    ],
    support: |_, _| Support::Native,
    target: any_target,
    idempotent: |settings| settings.bool("dedupes") == Some(true),
    concurrency: 64,
    min_interval_ms: 0,
    max_media_bytes: u64::MAX,
};

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let settings = &account.settings;
    let keys = ["secret", "old_secret"].into_iter().filter_map(|key| Some((key, settings.secret(key)?)));
    let embed_limit = match settings.int("embed_limit").map(u64::try_from) {
        None => EMBED_LIMIT,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => return Err(settings::problem(account, texts::a_number_of_bytes("embed_limit"))),
    };
    let authorization = settings::bearer(account, "token")?.map(|token| (AUTHORIZATION, token));
    Ok(Box::new(Webhook {
        url: settings::required_url(account, "url")?,
        keys: keys.map(|(key, secret)| signing_key(account, key, secret)).collect::<Result<_, _>>()?,
        headers: [authorization, extra_header(account)?].into_iter().flatten().collect(),
        is_deduped: (SPEC.idempotent)(settings),
        embed_limit,
        wire: Wire::new(account, environment)?,
    }))
}

struct Webhook {
    url: Url,
    keys: Vec<Hmac<Sha256>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    is_deduped: bool,
    embed_limit: u64,
    wire: Wire,
}

/// The key that a secret stands for: `whsec_` and its base64.
fn signing_key(account: &Account, key: &str, secret: &Secret) -> Result<Hmac<Sha256>, BuildError> {
    let text = secret.expose();
    let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok().filter(|bytes| !bytes.is_empty());
    bytes
        .and_then(|bytes| Hmac::new_from_slice(&bytes).ok())
        .ok_or_else(|| settings::problem(account, texts::whsec(key)))
}

fn extra_header(account: &Account) -> Result<Option<(HeaderName, HeaderValue)>, BuildError> {
    let Some(header) = account.settings.secret("header") else { return Ok(None) };
    let parsed = header.expose().split_once(':').and_then(|(name, value)| {
        Some((HeaderName::try_from(name.trim()).ok()?, settings::header_value(value.trim())?))
    });
    parsed.map(Some).ok_or_else(|| settings::problem(account, texts::form_of_a_header()))
}

#[async_trait]
impl Sender for Webhook {
    async fn send(&self, delivery: &Delivery) -> Report {
        let mut budget = Budget::new(&self.wire.clock, delivery.timeout);
        budget.extend_for_bytes(delivery.media.iter().map(|file| file.len).sum());
        match event(delivery, self.embed_limit) {
            Ok(body) => failure::report(self.post(delivery, &body, &budget).await),
            Err(error) => Failure::rejected(error).into(),
        }
    }

    async fn probe(&self) -> Probe {
        Probe::assumed_up()
    }

    fn is_idempotent(&self, _: &Delivery, _: UtcMs) -> bool {
        self.is_deduped
    }
}

impl Webhook {
    async fn post(&self, delivery: &Delivery, body: &JsonBody, budget: &Budget) -> Result<Sent, Failure> {
        let request = self
            .sign(self.wire.http.post(self.url.clone()), &delivery.key, body)
            .await
            .map_err(|error| Failure::unreachable(format!("cannot read the media from disk: {error}")))?;
        let headers = self.headers.iter().cloned();
        let request = body.attach(headers.fold(request, |request, (name, value)| request.header(name, value)));
        let sent = |status| Ok(Sent::new(Some(delivery.key.clone())).with_status(status));
        match self.wire.http.call(request, budget.left()?).await {
            Ok(reply) => {
                let failed = reply.status_failure(self.wire.now()).or_else(|| doubt(&reply));
                failed.map_or_else(|| sent(reply.status), Err)
            }
            // The status is a receiver's yes by Standard Webhooks; of the body only a no counts, and none was read.
            Err(CallError::Ambiguous { status: Some(status @ 200..300), .. }) => sent(status),
            Err(error) => Err(error.into()),
        }
    }

    async fn sign(&self, request: RequestBuilder, id: &str, body: &JsonBody) -> std::io::Result<RequestBuilder> {
        // The time of this attempt; all else is the same in every attempt.
        let timestamp = self.wire.now().0.div_euclid(1000);
        let request = request.header("webhook-id", id).header("webhook-timestamp", timestamp);
        if self.keys.is_empty() {
            return Ok(request);
        }
        let mut macs = self.keys.clone();
        macs.iter_mut().for_each(|mac| mac.update(format!("{id}.{timestamp}.").as_bytes()));
        let mut chunks = body.stream().boxed();
        while let Some(chunk) = chunks.try_next().await? {
            macs.iter_mut().for_each(|mac| mac.update(&chunk));
        }
        let signatures: Vec<String> =
            macs.into_iter().map(|mac| format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))).collect();
        Ok(request.header("webhook-signature", signatures.join(" ")))
    }
}

/// A receiver need not say anything beside its 2xx, but where it says no, that is its word: a robot of some chat, whose
/// verdict stands in the body, or a gateway.
const VERDICT: Fields = Fields { codes: &[], yes: 0 };

/// Why a good status is no yes.
fn doubt(reply: &Reply) -> Option<Failure> {
    if reply.status == 207 {
        let error = "HTTP 207: a verdict for each of several things, which are not read";
        return Some(Failure::unknown(error).with_status(207));
    }
    match VERDICT.read(&reply.json()?) {
        Verdict::No(no) => Some(Failure::rejected(no.told("")).with_status(reply.status)),
        Verdict::Yes | Verdict::Nothing => None,
    }
}

/// The body of a push, as the head of this file shows it.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: UtcMs,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    job: Option<&'a str>,
    triggered_by: Trigger,
    due_at: UtcMs,
    im: &'a str,
    target: Place<'a>,
    title: Option<&'a str>,
    kind: Kind,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Place<'a> {
    Group(&'a str),
    User(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Content<'a> {
    Text(&'a str),
    Media(Map<String, Value>),
    Items(Vec<Value>),
}

/// The body of a push; or why it cannot be made, naming the media.
fn event(delivery: &Delivery, embed_limit: u64) -> Result<JsonBody, String> {
    let message = &delivery.message;
    let mut media = Embedding { slots: Slots::new(), limit: embed_limit, files: delivery.media.iter() };
    let content = match &message.body {
        Body::Text { text } => Content::Text(text),
        Body::Image(m) | Body::Voice(m) | Body::Video(m) | Body::File(m) => Content::Media(media.next(m)?),
        Body::Mixed { items } => Content::Items(items.iter().map(|item| media.item(item)).collect::<Result<_, _>>()?),
    };
    let data = Data {
        job: delivery.job.as_deref(),
        triggered_by: delivery.triggered_by,
        due_at: delivery.due_at,
        im: &delivery.im,
        target: match &delivery.target {
            Target::Group(id) => Place::Group(id),
            Target::User(id) => Place::User(id),
        },
        title: message.title.as_deref(),
        kind: message.body.kind(),
        content,
    };
    Ok(media.slots.fill(&Event { r#type: "message.push", timestamp: delivery.due_at, data }))
}

/// Puts the resolved files, one after the other, into the body.
struct Embedding<'a> {
    slots: Slots,
    limit: u64,
    files: std::slice::Iter<'a, MediaFile>,
}

impl Embedding<'_> {
    fn item(&mut self, item: &Item) -> Result<Value, String> {
        let mut value = match item {
            Item::Text { text } | Item::Markdown { text } => json!({"text": text}),
            Item::At { user } => json!({"user": user}),
            Item::AtAll => json!({}),
            Item::Image(m) | Item::Voice(m) | Item::Video(m) | Item::File(m) => json!({"media": self.next(m)?}),
        };
        value["type"] = json!(item.type_name());
        Ok(value)
    }

    fn next(&mut self, media: &Media) -> Result<Map<String, Value>, String> {
        let file = self.files.next().ok_or("the message has a media without a file")?;
        let mut value = self.file(file)?;
        if let Some(caption) = &media.caption {
            value.insert("caption".to_owned(), json!(caption));
        }
        if let Some(cover) = &file.cover {
            value.insert("cover".to_owned(), Value::Object(self.file(cover)?));
        }
        Ok(value)
    }

    fn file(&mut self, file: &MediaFile) -> Result<Map<String, Value>, String> {
        let mut value = Map::new();
        value.insert("filename".to_owned(), json!(file.filename));
        value.insert("mime_type".to_owned(), json!(file.mime_type));
        value.insert("size".to_owned(), json!(file.len));
        value.insert("sha256".to_owned(), json!(file.sha256));
        if file.len <= self.limit {
            value.insert("base64".to_owned(), json!(self.slots.base64(file)));
        } else if let Some(url) = &file.url {
            value.insert("url".to_owned(), json!(url));
        } else {
            let (name, len, limit) = (&file.filename, file.len, self.limit);
            return Err(format!("'{name}' has {len} bytes, embed_limit is {limit}, and it has no address to link to"));
        }
        Ok(value)
    }
}
