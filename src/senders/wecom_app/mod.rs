//! `wecom_app`: an application of a WeCom corporation (sheet weixin.md, part C).
//!
//! - A user is a member's id, several joined by `|`, or `@all`. A group is a chat that this application created
//!   (appchat), or a department `party:2`, or a tag `tag:7`. A chat that people made can only be reached by a robot
//!   (`wecom_robot`).
//! - The access token is fetched once for all calls, renewed five minutes early, and once more where the platform
//!   calls it void.
//! - `enable_duplicate_check` goes with every send that it cannot swallow (`repeats`), so that a push whose answer was
//!   lost may be repeated for half an hour. Chats know no such check: what broke off stays `unknown`.
//! - The platform drops what exceeds 30 messages a minute or 1,000 an hour for a member without a word, in chats 200
//!   a minute and 10,000 a day; they are counted here, over restarts. A send to a department, a tag or `@all` counts
//!   for every member. The members of chats are not known, so that all chats count together.
//! - Texts are cut at 2,048 bytes; JPG and PNG up to 10 MiB go as image, MP4 up to 10 MiB as video, AMR of at most 60 s
//!   as voice, everything else up to 20 MiB as a file, and what is larger as a card with its address. An upload may
//!   take longer than the push's timeout: a second more for each 128 kB.
//! - Members whom the platform names as invalid are told in the attempt's note; if none is left, the target is gone.
//!
//! Unconfirmed by the sheet, and handled either way: whether images over 2 MiB pass everywhere (one that is refused
//! goes as a file), and whether the WeChat plug-in shows markdown (`markdown: text` sends plain text).

mod destination;
mod repeats;
mod token;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use url::Url;

use self::destination::{Destination, members, windows_of};
use self::repeats::{Check, Repeats};
use self::token::Tokens;
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::deliver::{Post, Turn, deliver};
use super::shared::failure::{Failure, Sent};
use super::shared::key_ages::KeyAges;
use super::shared::setting::{CA_FILE, choice, int, secret, text, url};
use super::shared::steps::{Step, Style, plan};
use super::shared::text::{Limit, split};
use super::shared::verdict::number;
use super::shared::wire::Wire;
use super::shared::{markdown, settings};
use super::wecom::{self, Answer, Form, Limits, Wecom};
use crate::domain::hex::sha256;
use crate::domain::limits::{self, Quota, Usage};
use crate::domain::sender::any_target;
use crate::domain::{
    Account, Delivery, Kind, Locked, MediaFile, Outcome, Report, Secret, SenderSpec, Support, Target, UtcMs,
};
use crate::texts;

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "wecom_app",
    about: "an application of a WeCom corporation, to its members and its own chats",
    default_im: "weixin",
    settings: &[
        text("corp_id", "the corporation's id").required(),
        int("agent_id", "the application's AgentId").required(),
        secret("corp_secret", "the application's secret").required(),
        url("base_url", "the API's address, for a proxy with an address that WeCom trusts").or(API_BASE),
        choice(
            "markdown",
            &["markdown", "text"],
            "how markdown items go out; members who read in WeChat may see only text",
        )
        .or("markdown"),
        CA_FILE,
    ],
    support: |kind, _| match kind {
        Kind::Text | Kind::Image | Kind::Video | Kind::File => Support::Native,
        Kind::Voice => Support::Fallback("as file, unless AMR of at most 60 s"),
        Kind::Mixed => Support::Fallback("as a sequence"),
    },
    target: any_target,
    idempotent: |_| true,
    concurrency: 4,
    min_interval_ms: 0,
    max_media_bytes: wecom::LARGEST_FILE,
};

const API_BASE: &str = "https://qyapi.weixin.qq.com";

const STYLE: Style = Style {
    mention: |user| format!("@{user}"),
    at_all: Some("@all"),
    plain: None,
    text_limit: Limit::Bytes(2048),
    markdown_limit: Limit::Bytes(2048),
};
const PLAIN_STYLE: Style = Style { plain: Some(markdown::to_plain), ..STYLE };

const LIMITS: Limits = Limits { image: 10 * 1024 * 1024, video: 10 * 1024 * 1024 };
const TITLE_BYTES: usize = 128;

const MEMORY_REPEATS: &str = "repeats";
/// For calls that send nothing.
const SHORT: Duration = Duration::from_secs(10);

pub(super) const GRANTED: limits::Limits =
    limits::Limits { quota: |target| Destination::of(target).quota(), replies: None, sends: |_| 1 };

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let text = |key| account.settings.text(key).ok_or_else(|| settings::missing(account, key));
    let base = match settings::url(account, "base_url")? {
        Some(base) => base,
        None => Url::parse(API_BASE).map_err(|error| settings::problem(account, texts::of_key("base_url", error)))?,
    };
    let secret = account.settings.secret("corp_secret").ok_or_else(|| settings::missing(account, "corp_secret"))?;
    Ok(Box::new(WecomApp {
        wecom: Wecom::new(Wire::new(account, environment)?, windows_of),
        tokens: Tokens::new(&base, text("corp_id")?, secret.clone()),
        base,
        agent_id: account.settings.int("agent_id").ok_or_else(|| settings::missing(account, "agent_id"))?,
        style: if account.settings.text("markdown") == Some("text") { &PLAIN_STYLE } else { &STYLE },
        repeats: Mutex::default(),
        key_ages: KeyAges::new(&environment.clock),
    }))
}

struct WecomApp {
    wecom: Wecom,
    tokens: Tokens,
    base: Url,
    agent_id: i64,
    style: &'static Style,
    repeats: Mutex<Repeats>,
    key_ages: KeyAges,
}

/// Whom a field of an answer names: a text with one separator or another, a number, or a list of these.
fn named(field: &Value) -> Vec<String> {
    match field {
        Value::String(ids) => {
            let is_between = |c: char| c.is_whitespace() || matches!(c, '|' | ',' | ';' | '，' | '、' | '；');
            ids.split(is_between).filter(|id| !id.is_empty()).map(str::to_owned).collect()
        }
        Value::Number(id) => vec![id.to_string()],
        Value::Array(ids) => ids.iter().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

#[async_trait]
impl Sender for WecomApp {
    async fn send(&self, delivery: &Delivery) -> Report {
        self.load().await;
        self.key_ages.begin(delivery);
        deliver(delivery, &self.wecom.wire.clock, Ok(plan(&delivery.message, self.style)), self).await
    }

    /// A token, and the application's own entry: it tells whether the application is switched off.
    async fn probe(&self) -> Probe {
        self.load().await;
        let mut url = self.url("agent/get");
        url.query_pairs_mut().append_pair("agentid", &self.agent_id.to_string());
        match self.authorized(&Call::Get(url), SHORT).await {
            Ok(answer) if answer.code != 0 => Probe::down(self.refusal(&answer).error),
            Ok(answer) if answer.body.get("close").and_then(number) == Some(1) => {
                let error = Some("the application is switched off in WeCom's admin console".to_owned());
                Probe { online: Some(true), sendable: Some(false), error }
            }
            Ok(_) => Probe::up(),
            Err(failure) => Probe::down(failure.error),
        }
    }

    fn limits(&self) -> Option<limits::Limits> {
        Some(GRANTED)
    }

    fn usage(&self) -> Option<Usage> {
        Some(self.wecom.usage())
    }

    fn is_idempotent(&self, delivery: &Delivery, now: UtcMs) -> bool {
        // What went out unchecked is held back by `repeats` when its repeat comes.
        matches!(Destination::of(&delivery.target), Destination::Members { .. })
            && self.key_ages.holds(delivery, repeats::INTERVAL, now)
    }
}

/// A call that needs the token in its address.
enum Call<'a> {
    Get(Url),
    Send { url: Url, body: Map<String, Value>, quota: Quota<'a> },
    Upload { url: Url, form: Form, file: &'a MediaFile },
}

impl Post<Step> for WecomApp {
    async fn post(&self, step: &Step, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let (answer, note) = match step {
            Step::Text { text, .. } => (self.send_content("text", json!({"content": text}), turn).await?, None),
            Step::Markdown { text } => (self.send_content("markdown", json!({"content": text}), turn).await?, None),
            Step::Media { kind, index } => self.send_media(*kind, turn.file(*index)?, turn).await?,
        };
        turn.note = note;
        self.judge(&answer, &turn.delivery.target)
    }
}

impl WecomApp {
    async fn load(&self) {
        self.wecom.load().await;
        // Under the lock, so that no send looks at an empty list while another fills it.
        let mut repeats = self.repeats();
        if let Some(kept) = self.wecom.take_loaded(MEMORY_REPEATS) {
            *repeats = serde_json::from_str(&kept).unwrap_or_default();
            repeats.bring_back(self.wecom.wire.steady.now());
        }
    }

    /// The answer to a media, and in what other form than asked for it went out.
    async fn send_media(
        &self,
        kind: Kind,
        file: &MediaFile,
        turn: &mut Turn<'_>,
    ) -> Result<(Answer, Option<String>), Failure> {
        let title = turn.delivery.message.title.as_deref().unwrap_or(&file.filename);
        let mut form = wecom::choose_form(kind, file, &LIMITS).await?;
        loop {
            let answer = match form {
                Form::Link => self.send_card(title, file, turn).await?,
                _ => self.send_upload(form, title, file, turn).await?,
            };
            match wecom::next_form(form, file, &answer) {
                Some(next) => form = next,
                None => return Ok((answer, form.note(kind))),
            }
        }
    }

    async fn send_card(&self, title: &str, file: &MediaFile, turn: &Turn<'_>) -> Result<Answer, Failure> {
        let card = json!({"title": first(title), "description": first(&file.filename), "url": file.url});
        self.send_content("textcard", card, turn).await
    }

    /// Uploads where that was not done within three days, and once more where the platform forgot it.
    async fn send_upload(
        &self,
        form: Form,
        title: &str,
        file: &MediaFile,
        turn: &mut Turn<'_>,
    ) -> Result<Answer, Failure> {
        let content = |media_id: &str| match form {
            Form::Video => json!({"media_id": media_id, "title": first(title)}),
            _ => json!({"media_id": media_id}),
        };
        if let Some(media_id) = self.wecom.uploaded(form, file) {
            let answer = self.send_content(form.as_str(), content(&media_id), turn).await?;
            if !wecom::is_media_gone(answer.code) {
                return Ok(answer);
            }
            self.wecom.forget_upload(&media_id);
        }
        let mut url = self.url("media/upload");
        url.query_pairs_mut().append_pair("type", form.as_str());
        turn.budget.extend_for_bytes(file.len);
        let deadline = turn.budget.left()?;
        let answer = self.authorized(&Call::Upload { url, form, file }, deadline).await?;
        match answer.text("media_id") {
            Some(media_id) => self.send_content(form.as_str(), content(media_id), turn).await,
            None if answer.code != 0 => Ok(answer),
            None => Err(Failure::unreachable("the answer to the upload holds no media_id")),
        }
    }

    /// Sends one content to the destination, counted before it leaves.
    async fn send_content(&self, msgtype: &str, content: Value, turn: &Turn<'_>) -> Result<Answer, Failure> {
        let destination = Destination::of(&turn.delivery.target);
        let quota = destination.quota();
        // The duplicate check must not note what is not going to leave.
        self.wecom.check_quota(&quota)?;
        let deadline = turn.left()?;
        // Before anything is noted: without a token nothing can go out.
        self.tokens.get(&self.wecom, None, deadline).await?;
        let mut body = Map::new();
        let path = match destination {
            Destination::Chat(chat) => {
                body.insert("chatid".into(), chat.into());
                "appchat/send"
            }
            Destination::Members { field, ids } => {
                body.insert(field.into(), ids.into());
                body.insert("agentid".into(), self.agent_id.into());
                "message/send"
            }
        };
        body.insert("msgtype".into(), msgtype.into());
        body.insert(msgtype.into(), content);
        body.insert("safe".into(), 0.into());
        let part = format!("{}/{}", turn.delivery.key, turn.index);
        let is_checkable = matches!(destination, Destination::Members { .. });
        if is_checkable {
            self.begin(&part, &mut body, turn.delivery.retry.resend_unknown).await?;
        }
        let answer = self.authorized(&Call::Send { url: self.url(path), body, quota }, deadline).await;
        if is_checkable {
            let outcome = match &answer {
                Ok(answer) => answer.outcome(),
                Err(failure) => failure.class.clone().into(),
            };
            self.end(&part, &outcome).await;
        }
        answer
    }

    /// Lets the body go out with the duplicate check, without it, or not at all.
    async fn begin(&self, part: &str, body: &mut Map<String, Value>, anyway: bool) -> Result<(), Failure> {
        let hash = sha256(Value::Object(body.clone()).to_string().as_bytes());
        let check = self.repeats().begin(part, &hash, anyway, self.wecom.wire.steady.now());
        match check {
            Check::Checked => {
                body.insert("enable_duplicate_check".into(), 1.into());
                body.insert("duplicate_check_interval".into(), repeats::INTERVAL.as_secs().into());
            }
            Check::Unchecked => {
                body.insert("enable_duplicate_check".into(), 0.into());
            }
            Check::Unsafe => {
                let error = "it may have been sent before, and the platform would not recognise the repeat";
                return Err(Failure::unknown(error));
            }
        }
        self.wecom.keep(MEMORY_REPEATS, || self.repeats().clone()).await;
        Ok(())
    }

    async fn end(&self, part: &str, outcome: &Outcome) {
        self.repeats().end(part, outcome);
        self.wecom.keep(MEMORY_REPEATS, || self.repeats().clone()).await;
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.locked()
    }

    /// Makes a call with the token, and once more with a new one where the platform calls it void: that call was
    /// refused, so its repeat cannot double anything.
    async fn authorized(&self, call: &Call<'_>, deadline: Duration) -> Result<Answer, Failure> {
        let token = self.tokens.get(&self.wecom, None, deadline).await?;
        let answer = self.make(call, &token, deadline).await?;
        if !wecom::is_token_error(answer.code) {
            return Ok(answer);
        }
        let token = self.tokens.get(&self.wecom, Some(&token), deadline).await?;
        self.make(call, &token, deadline).await
    }

    async fn make(&self, call: &Call<'_>, token: &Secret, deadline: Duration) -> Result<Answer, Failure> {
        match call {
            Call::Get(url) => self.wecom.call(self.wecom.get(signed(url, token)), deadline).await,
            Call::Send { url, body, quota } => {
                self.wecom.send(quota, self.wecom.post(signed(url, token)).json(body), deadline).await
            }
            Call::Upload { url, form, file } => self.wecom.upload(signed(url, token), *form, file, deadline).await,
        }
    }

    /// The report of an answer to a send. Members who were left out are named; a send that reached nobody is none.
    fn judge(&self, answer: &Answer, target: &Target) -> Result<Sent, Failure> {
        let sent = self.wecom.judge(answer, &[self.tokens.secret()])?;
        let missed: Vec<String> = ["invaliduser", "invalidparty", "invalidtag", "unlicenseduser"]
            .into_iter()
            .flat_map(|field| named(&answer.body[field]))
            .collect();
        if missed.is_empty() {
            return Ok(sent);
        }
        let error = format!(
            "not delivered to {}: unknown to the application, out of its range, or without licence",
            answer.show(&missed.join(", "))
        );
        // The platform spells the ids that it returns in lower case.
        let known: HashSet<String> = missed.iter().map(|id| id.to_lowercase()).collect();
        match Destination::of(target) {
            Destination::Members { ids, .. } if members(ids).all(|id| known.contains(&id.to_lowercase())) => {
                Err(Failure { http_status: sent.http_status, ..Failure::target_gone(error) })
            }
            _ => Ok(sent.noting(Some(error))),
        }
    }

    fn refusal(&self, answer: &Answer) -> Failure {
        self.wecom.refusal(answer, &[self.tokens.secret()])
    }

    fn url(&self, path: &str) -> Url {
        path.split('/').fold(settings::under(&self.base, "cgi-bin"), |url, segment| settings::under(&url, segment))
    }
}

fn signed(url: &Url, token: &Secret) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("access_token", token.expose());
    url
}

/// As much of a title as fits.
fn first(title: &str) -> &str {
    split(title, Limit::Bytes(TITLE_BYTES)).first().copied().unwrap_or_default()
}
