//! The wire: addresses, headers and envelope (sheet A1 and A2).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::credentials::Credentials;
use crate::domain::Account;
use crate::senders::sender::{BuildError, Environment};
use crate::senders::shared::failure::Failure;
use crate::senders::shared::http::excerpt;
use crate::senders::shared::secrets::Secrets;
use crate::senders::shared::settings;
use crate::senders::shared::verdict::{Fields, NO_CODE, Verdict, number};
use crate::senders::shared::wire::Wire;

/// The version of the protocol's own client that the requests follow (`2 << 16 | 4 << 8 | 9` in the header).
const CHANNEL_VERSION: &str = "2.4.9";
const CLIENT_VERSION: &str = "132105";
/// For the platform's statistics only.
const BOT_AGENT: &str = concat!("pushcron/", env!("CARGO_PKG_VERSION"));

pub(super) const API_BASE: &str = "https://ilinkai.weixin.qq.com";
pub(super) const CDN_BASE: &str = "https://novac2c.cdn.weixin.qq.com/c2c";
/// The time for calls that send nothing.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// A poll may bring many messages at once, each of up to 16 KiB.
const ANSWER_CAP: usize = 8 * 1024 * 1024;

/// `ret` or `errcode` of a login that no longer holds.
pub(super) const STALE: i64 = -14;
/// `ret` of a refusal for window, quota, rate or length.
pub(super) const REFUSED: i64 = -2;

/// How requests are made. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Api {
    pub wire: Wire,
    pub route_tag: Option<String>,
}

/// A JSON answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// `ret`, or `errcode` where only that is set; 0 where neither is; [`NO_CODE`] where it says no in another way.
    pub ret: i64,
    /// As it came.
    pub body: Value,
    pub status: u16,
    /// What the platform said, without secrets.
    message: String,
    secrets: Secrets,
}

const FIELDS: Fields = Fields { codes: &["ret", "errcode"], yes: 0 };

/// What the body of a request may hold that nobody else should see.
const SECRET_FIELDS: [&str; 4] = ["context_token", "aeskey", "aes_key", "encrypt_query_param"];

impl Answer {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// An id, which comes as a number of 64 bits or as a text.
    pub(super) fn id(&self, key: &str) -> Option<String> {
        match self.body.get(key)? {
            Value::String(text) if !matches!(text.trim(), "" | "0") => Some(text.clone()),
            Value::Number(number) if number.as_u64() != Some(0) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text of it as it may be shown.
    pub(super) fn show(&self, text: &str) -> String {
        self.secrets.hide_in_text(text).into_owned()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The refusal in one line for people.
    pub(super) fn refusal(&self) -> String {
        match self.message.as_str() {
            message if self.ret == NO_CODE => format!("the answer says no: {message}"),
            "" => format!("ret {}", self.ret),
            message => format!("ret {}: {message}", self.ret),
        }
    }
}

impl Api {
    pub(super) fn new(account: &Account, environment: &Environment) -> Result<Api, BuildError> {
        let route_tag = account.settings.text("route_tag").map(str::to_owned);
        Ok(Api { wire: Wire::new(account, environment)?, route_tag })
    }

    /// A call in the name of the bot.
    ///
    /// # Errors
    /// There is no JSON answer.
    pub(super) async fn call(
        &self,
        login: &Credentials,
        path: &str,
        mut body: Value,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        body["base_info"] = json!({"channel_version": CHANNEL_VERSION, "bot_agent": BOT_AGENT});
        let token = login.token.expose();
        let request = self.post(&login.base_url, path, &body).bearer_auth(token);
        let mut secrets = Vec::new();
        secret_texts(&body, &mut secrets);
        self.answer(request, deadline, secrets).await
    }

    /// A call before login.
    ///
    /// # Errors
    /// There is no JSON answer.
    pub(super) async fn call_unauthenticated(
        &self,
        base_url: &str,
        path: &str,
        body: &Value,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        self.answer(self.post(base_url, path, body), deadline, Vec::new()).await
    }

    /// The only call by GET: it carries no token.
    ///
    /// # Errors
    /// There is no JSON answer.
    pub(super) async fn get(&self, base_url: &str, path: &str, deadline: Duration) -> Result<Answer, Failure> {
        self.answer(self.client_headers(self.wire.http.get(address(base_url, path))), deadline, Vec::new()).await
    }

    fn post(&self, base_url: &str, path: &str, body: &Value) -> RequestBuilder {
        let number = fastrand::u32(..).to_string();
        self.client_headers(self.wire.http.post(address(base_url, path)))
            .header("AuthorizationType", "ilink_bot_token")
            .header("X-WECHAT-UIN", STANDARD.encode(number))
            .json(body)
    }

    fn client_headers(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("iLink-App-Id", "bot").header("iLink-App-ClientVersion", CLIENT_VERSION);
        match &self.route_tag {
            Some(tag) => request.header("SKRouteTag", tag),
            None => request,
        }
    }

    async fn answer(
        &self,
        request: RequestBuilder,
        deadline: Duration,
        secrets: Vec<String>,
    ) -> Result<Answer, Failure> {
        let reply = self.wire.http.call_for_much(request, deadline, ANSWER_CAP).await?;
        let reply = reply.hiding(secrets);
        if let Some(failure) = reply.status_failure(self.wire.now()) {
            // The page of some proxy may repeat what was sent to it.
            return Err(Failure { error: format!("HTTP {} instead of an answer", reply.status), ..failure });
        }
        let Some(body) = reply.json_as_it_came().filter(Value::is_object) else {
            return Err(Failure::unknown("the answer is no JSON object").with_status(reply.status));
        };
        // A login that no longer holds is told in either field, whatever the other says.
        let is_stale = ["ret", "errcode"].iter().any(|key| body.get(key).and_then(number) == Some(STALE));
        let said = body.get("errmsg").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (ret, said) = match FIELDS.read(&body) {
            _ if is_stale => (STALE, said),
            Verdict::No(no) => (no.own_code(), no.words),
            // Not every answer has a verdict.
            Verdict::Yes | Verdict::Nothing => (0, said),
        };
        let message = excerpt(&reply.secrets().hide_in_text(&said));
        Ok(Answer { ret, status: reply.status, message, body, secrets: reply.secrets().clone() })
    }
}

fn secret_texts(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Array(values) => values.iter().for_each(|value| secret_texts(value, found)),
        Value::Object(entries) => entries.iter().for_each(|(key, value)| match value {
            Value::String(text) if SECRET_FIELDS.contains(&key.as_str()) => found.push(text.clone()),
            value => secret_texts(value, found),
        }),
        _ => {}
    }
}

fn address(base_url: &str, path: &str) -> String {
    format!("{}/{path}", base_url.trim_end_matches('/'))
}

/// The address under `key`.
pub(super) fn base(account: &Account, key: &str, default: &str) -> Result<String, BuildError> {
    Ok(settings::url(account, key)?.map_or_else(|| default.to_owned(), String::from))
}
