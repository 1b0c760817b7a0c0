//! Feishu and Lark custom bots: a webhook that writes to its one group (`protocols/others.md` §2.1).
//!
//! The answer holds no message id, and there is no idempotency key and nothing to read back: a lost answer stays
//! `unknown`. Pictures need the key of an app's upload; without an app they go out as links, like every other media.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::feishu::{App, Content, Element, FEISHU, Place, Placed, Planned, Rules, is_image, judge, plan};
use super::sender::{BuildError, Environment, Probe, Sender};
use super::shared::budget::Budget;
use super::shared::deliver::{Post, Turn, deliver};
use super::shared::failure::{Failure, Sent};
use super::shared::parts::kind_as;
use super::shared::setting::{CA_FILE, secret, text, url};
use super::shared::settings;
use super::shared::sign::hmac_sha256_base64;
use super::shared::wire::Wire;
use crate::domain::sender::any_target;
use crate::domain::{Account, Delivery, Kind, MediaFile, Report, Secret, SenderSpec, Support};
use crate::texts;

/// A request has at most 20 KB; some of it is around the text.
const RULES: Rules = Rules {
    post_max: 18_000,
    text_max: 18_000,
    measure: |value| value.to_string().len(),
    escape_factor: 2,
    markdown: false,
};

pub(super) static SPEC: SenderSpec = SenderSpec {
    name: "feishu_robot",
    about: "Feishu or Lark, through a group's custom bot (webhook)",
    default_im: "feishu",
    settings: &[
        url("url", "the whole webhook address, https://open.feishu.cn/open-apis/bot/v2/hook/…").required(),
        secret("secret", "the signing secret, where the bot's security settings ask for a signature"),
        text("app_id", "an app of the same tenant that uploads pictures; without one they go out as links"),
        secret("app_secret", "the secret of `app_id`"),
        CA_FILE,
    ],
    support: |kind, to_group| match kind {
        _ if !to_group => Support::Refused("a custom bot writes to its own group only; use feishu_app for users"),
        Kind::Text | Kind::Mixed => Support::Native,
        Kind::Image | Kind::Voice | Kind::Video | Kind::File => Support::Fallback("as link"),
    },
    target: any_target,
    idempotent: |_| false,
    concurrency: 1,
    // 100 a minute, 5 a second.
    min_interval_ms: 600,
    // A link carries any size, and a picture too large to show is one.
    max_media_bytes: u64::MAX,
};

pub(super) fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    let wire = Wire::new(account, environment)?;
    let app = match (account.settings.text("app_id"), account.settings.secret("app_secret")) {
        (Some(id), Some(secret)) => {
            // The app's gateway is the webhook's own: Feishu's, Lark's, or a test's.
            let base_url =
                if url.path().contains("/open-apis/") { url.origin().ascii_serialization() } else { FEISHU.into() };
            Some(App::new(wire.clone(), base_url, id.to_owned(), secret.clone()))
        }
        (None, None) => None,
        _ => return Err(settings::problem(account, texts::belong_together("app_id", "app_secret"))),
    };
    Ok(Box::new(FeishuRobot {
        url: Secret::new(url.into()),
        secret: account.settings.secret("secret").cloned(),
        app,
        wire,
    }))
}

struct FeishuRobot {
    /// Its path ends in the token.
    url: Secret,
    secret: Option<Secret>,
    app: Option<App>,
    wire: Wire,
}

#[async_trait]
impl Sender for FeishuRobot {
    async fn send(&self, delivery: &Delivery) -> Report {
        let planned = plan(delivery, &RULES, |kind, file, index| self.place(kind, file, index));
        deliver(delivery, &self.wire.clock, planned, self).await
    }

    /// There is no way to ask without sending.
    async fn probe(&self) -> Probe {
        Probe::assumed_up()
    }
}

impl Post<Planned<'_>> for FeishuRobot {
    async fn post(&self, planned: &Planned<'_>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        let budget = &mut *turn.budget;
        let mut body = match &planned.content {
            Content::Text(text) => json!({"msg_type": "text", "content": {"text": text}}),
            Content::Post { title, lines } => {
                let mut content = Vec::new();
                for line in lines {
                    let mut tags = Vec::new();
                    for element in line {
                        tags.push(self.tag(element, budget).await?);
                    }
                    content.push(tags);
                }
                json!({"msg_type": "post", "content": {"post": {"zh_cn": {"title": title, "content": content}}}})
            }
            Content::Image(file) => {
                json!({"msg_type": "image", "content": {"image_key": self.app()?.image_key(file, budget).await?}})
            }
            Content::Audio { .. } | Content::Video(_) | Content::File(_) => return Err(needs_an_app()),
        };
        if let Some(secret) = &self.secret {
            let seconds = self.wire.now().0.div_euclid(1000);
            body["timestamp"] = json!(seconds.to_string());
            body["sign"] = json!(sign(seconds, secret));
        }
        let request = self.wire.http.post(self.url.expose()).json(&body);
        let reply = self.wire.http.call(request, budget.left()?).await?;
        judge(&reply, self.wire.now()).map_err(|refusal| refusal.failure)?;
        Ok(Sent::new(None).with_status(reply.status).noting(planned.note.clone()))
    }
}

impl FeishuRobot {
    fn place<'a>(&self, kind: Kind, file: &'a MediaFile, index: usize) -> Result<Placed<'a>, Failure> {
        if kind == Kind::Image && self.app.is_some() && is_image(file) {
            return Ok((Place::InPost(Element::Image(file)), None));
        }
        let Some(address) = &file.url else {
            let hint = if kind == Kind::Image { ", or the account needs app_id and app_secret" } else { "" };
            let error = format!(
                "media {} ('{}'): a custom bot sends a {kind} only as a link, so its source must be an http(s) address{hint}",
                index + 1,
                file.filename
            );
            return Err(Failure::rejected(error));
        };
        let link = json!({"tag": "a", "text": file.filename, "href": address});
        Ok((Place::InPost(Element::Tag(link)), kind_as(kind, "link")))
    }

    async fn tag(&self, element: &Element<'_>, budget: &mut Budget) -> Result<Value, Failure> {
        match element {
            Element::Tag(tag) => Ok(tag.clone()),
            Element::Image(file) => Ok(json!({"tag": "img", "image_key": self.app()?.image_key(file, budget).await?})),
        }
    }

    fn app(&self) -> Result<&App, Failure> {
        self.app.as_ref().ok_or_else(needs_an_app)
    }
}

/// `place` lets nothing come to this.
fn needs_an_app() -> Failure {
    Failure::rejected("a custom bot cannot upload; use feishu_app")
}

/// The signature of a request made at `seconds`: the text to sign is the key, and the message is empty.
fn sign(seconds: i64, secret: &Secret) -> String {
    let key = Secret::new(format!("{seconds}\n{}", secret.expose()));
    hmac_sha256_base64(key.expose(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of others.md §13, made with OpenSSL.
    #[test]
    fn the_signature_is_that_of_the_sheet() {
        let secret = Secret::new("demo".into());
        assert_eq!(sign(1_599_360_473, &secret), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert_eq!(sign(100, &secret), "jquNHnVOwmDRfw+vqTIrY5dooJAgi5EcRtLsQE4wfXg=");
    }
}
