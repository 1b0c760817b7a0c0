//! `wecom_robot`: a robot in one WeCom group, spoken to through its webhook (sheet weixin.md, part B).
//!
//! - One account is one robot, and a robot speaks only in the group that made it: the address holds its key. The
//!   `group:` of a push is a name for people; where the account states its own, another name is refused.
//! - The platform grants 20 messages a minute and refuses more; they are counted here, over restarts, so that it
//!   need not. There is no message id, no status call and no idempotency key: what broke off stays `unknown`.
//! - Images go out inside the request (JPG or PNG up to 2 MiB), voices as voice only when they are AMR of at most
//!   60 s; everything else is uploaded as a file. A media over 20 MiB becomes a link where it has an address. A
//!   message of several contents is a sequence, each counted.
//! - An upload may take longer than the push's timeout: a second more for each 128 kB.
//!
//! Unconfirmed by the sheet, and handled either way: whether an uploaded `media_id` serves another key (each account
//! keeps its own, and one that is refused is uploaded again once).

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use url::Url;

use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::deliver::{Post, Turn, deliver};
use super::shared::failure::{Failure, Sent};
use super::shared::setting::{CA_FILE, choice, text, url};
use super::shared::settings;
use super::shared::steps::{Step, Style, plan};
use super::shared::text::Limit;
use super::shared::wire::Wire;
use super::wecom::{self, Answer, Form, Limits, Wecom};
use crate::domain::hex::hex;
use crate::domain::limits::{self, Quota, Usage, Window};
use crate::domain::push::MediaFile;
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, Report, Secret, SenderSpec, Support, Target, is_blank};
use crate::texts;

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "wecom_robot",
    about: "a robot in a WeCom group, through its webhook",
    default_im: "weixin",
    settings: &[
        url("url", "the robot's webhook address as WeCom shows it, with its key").required(),
        text("group", "the name by which pushes call this robot's group; a push to another one is then refused")
            .or("any"),
        choice(
            "markdown",
            &["markdown", "markdown_v2"],
            "the dialect of markdown items: markdown_v2 knows tables, but clients before 4.1.36 show it as plain text",
        )
        .or("markdown"),
        CA_FILE,
    ],
    support,
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    min_interval_ms: 0,
    max_media_bytes: wecom::LARGEST_FILE,
};

fn support(kind: Kind, group: bool) -> Support {
    match kind {
        _ if !group => Support::Refused("a group robot reaches only its group"),
        Kind::Text | Kind::Image | Kind::File => Support::Native,
        Kind::Voice => Support::Fallback("as file, unless AMR of at most 60 s"),
        Kind::Video => Support::Fallback("as file"),
        Kind::Mixed => Support::Fallback("as a sequence"),
    }
}

const STYLE: Style = Style {
    mention: |user| format!("<@{user}>"),
    at_all: None,
    plain: None,
    text_limit: Limit::Bytes(2048),
    markdown_limit: Limit::Bytes(4096),
};

const LIMITS: Limits = Limits { image: 2 * 1024 * 1024, video: 0 };

/// 20 messages a minute for each robot.
const WINDOWS: &[Window] = &[Window::coarse(20, Duration::from_secs(60))];

/// A robot is one subject of counting.
fn quota() -> Quota<'static> {
    Quota { windows: WINDOWS, subjects: vec!["robot"] }
}

pub(super) const GRANTED: limits::Limits = limits::Limits { quota: |_| quota(), replies: None, sends: |_| 1 };

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    let key = url.query_pairs().find(|(name, value)| name == "key" && !value.is_empty());
    let key = key.map(|(_, value)| Secret::new(value.into_owned()));
    let (Some(key), true) = (key, url.path().ends_with("/send")) else {
        let problem = texts::webhook_of_wecom();
        return Err(settings::problem(account, problem));
    };
    Ok(Box::new(WecomRobot {
        wecom: Wecom::new(Wire::new(account, environment)?, |_| WINDOWS),
        url,
        key,
        group: account.settings.text("group").map(str::to_owned),
        markdown: if account.settings.text("markdown") == Some("markdown_v2") { "markdown_v2" } else { "markdown" },
    }))
}

struct WecomRobot {
    wecom: Wecom,
    url: Url,
    key: Secret,
    group: Option<String>,
    markdown: &'static str,
}

#[async_trait]
impl Sender for WecomRobot {
    async fn send(&self, delivery: &Delivery) -> Report {
        if let Some(problem) = self.misdirected(&delivery.target) {
            return Failure::rejected(problem).into();
        }
        self.wecom.load().await;
        deliver(delivery, &self.wecom.wire.clock, Ok(plan(&delivery.message, &STYLE)), self).await
    }

    async fn probe(&self) -> Probe {
        self.wecom.load().await;
        Probe::assumed_up()
    }

    fn limits(&self) -> Option<limits::Limits> {
        Some(GRANTED)
    }

    fn usage(&self) -> Option<Usage> {
        Some(self.wecom.usage())
    }
}

impl Post<Step> for WecomRobot {
    async fn post(&self, step: &Step, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        match step {
            Step::Text { text, at_all } => {
                // A text may not be empty, even where only the mention counts.
                let content = if *at_all && is_blank(text) { "@all" } else { text };
                let mentioned: &[&str] = if *at_all { &["@all"] } else { &[] };
                let text = json!({"content": content, "mentioned_list": mentioned});
                self.judge(&self.post_message("text", text, turn.budget).await?)
            }
            Step::Markdown { text } => {
                let text = json!({"content": text});
                self.judge(&self.post_message(self.markdown, text, turn.budget).await?)
            }
            Step::Media { kind, index } => self.send_media(*kind, turn.file(*index)?, turn).await,
        }
    }
}

impl WecomRobot {
    fn misdirected(&self, target: &Target) -> Option<String> {
        match (&self.group, target) {
            (_, Target::User(_)) => Some("a group robot reaches only its group, not a user".to_owned()),
            (Some(own), Target::Group(group)) if own != group => {
                Some(format!("this robot speaks in the group '{own}', not in '{group}': name another account"))
            }
            _ => None,
        }
    }

    async fn send_media(&self, kind: Kind, file: &MediaFile, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let budget = &mut *turn.budget;
        let mut form = wecom::choose_form(kind, file, &LIMITS).await?;
        let answer = loop {
            let answer = match form {
                Form::Image => self.post_image(file, budget).await?,
                Form::Link => self.post_link(file, budget).await?,
                Form::Voice | Form::Video | Form::File => self.post_upload(form, file, budget).await?,
            };
            match wecom::next_form(form, file, &answer) {
                Some(next) => form = next,
                None => break answer,
            }
        };
        turn.note = form.note(kind);
        self.judge(&answer)
    }

    async fn post_image(&self, file: &MediaFile, budget: &Budget) -> Result<Answer, Failure> {
        let content = wecom::read(file).await?;
        let md5 = hex(&Md5::digest(&content));
        self.post_message("image", json!({"base64": STANDARD.encode(&content), "md5": md5}), budget).await
    }

    async fn post_link(&self, file: &MediaFile, budget: &Budget) -> Result<Answer, Failure> {
        let url = file.url.as_deref().unwrap_or_default();
        let content = format!("{}\n{url}", file.filename);
        self.post_message("text", json!({"content": content}), budget).await
    }

    /// Uploads where that was not done within three days, and once more where the platform forgot it.
    async fn post_upload(&self, form: Form, file: &MediaFile, budget: &mut Budget) -> Result<Answer, Failure> {
        if let Some(media_id) = self.wecom.uploaded(form, file) {
            let answer = self.post_message(form.as_str(), json!({"media_id": media_id}), budget).await?;
            if !wecom::is_media_gone(answer.code) {
                return Ok(answer);
            }
            self.wecom.forget_upload(&media_id);
        }
        let mut url = self.url.clone();
        url.set_path(&format!("{}upload_media", self.url.path().trim_end_matches("send")));
        url.query_pairs_mut().append_pair("type", form.as_str());
        budget.extend_for_bytes(file.len);
        let answer = self.wecom.upload(url, form, file, budget.left()?).await?;
        match answer.text("media_id") {
            Some(media_id) => self.post_message(form.as_str(), json!({"media_id": media_id}), budget).await,
            None if answer.code != 0 => Ok(answer),
            None => Err(Failure::unreachable("the answer to the upload holds no media_id")),
        }
    }

    async fn post_message(&self, msgtype: &str, content: Value, budget: &Budget) -> Result<Answer, Failure> {
        let request = self.wecom.post(self.url.clone()).json(&json!({"msgtype": msgtype, msgtype: content}));
        self.wecom.send(&quota(), request, budget.left()?).await
    }

    fn judge(&self, answer: &Answer) -> Result<Sent, Failure> {
        self.wecom.judge(answer, &[&self.key])
    }
}
