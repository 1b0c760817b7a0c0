//! What the two Feishu senders share: how a message becomes Feishu's (`plan`), what the answers mean, and the app that
//! uploads. Lark is the same under another address (`protocols/others.md` §2).

mod plan;

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use self::plan::{Content, Element, Place, Planned, Rules, is_image, plan};
use super::shared::http::{Http, Reply};
use super::shared::parts::Budget;
use super::shared::secrets::Secrets;
use super::shared::steady::Steady;
use super::shared::upload::{self, Uploads};
use super::shared::verdict::{Fields, Verdict, number};
use crate::clock::SharedClock;
use crate::domain::{MediaFile, Outcome, Report, Secret, UtcMs};

pub const FEISHU: &str = "https://open.feishu.cn";
pub const FILE_MAX_BYTES: u64 = 30 * 1024 * 1024;
/// Tokens live two hours; a push must not begin with one that ends under it.
const RENEW_BEFORE_END: Duration = Duration::from_secs(300);

pub struct Refusal {
    /// Feishu's own code, where it gave one.
    pub code: Option<i64>,
    /// Whether a table of the sheet names that code.
    pub is_known: bool,
    pub report: Report,
}

/// The oldest webhooks spell it the other way only.
const FIELDS: Fields = Fields { codes: &["code", "StatusCode"], yes: 0 };

/// A yes.
pub struct Answer {
    /// As it came.
    pub body: Value,
    secrets: Secrets,
}

impl Answer {
    /// A text in it, as it may be shown.
    pub fn shown(&self, pointer: &str) -> Option<String> {
        Some(self.secrets.hide_in_text(self.body.pointer(pointer)?.as_str()?).into_owned())
    }
}

/// The body of a yes, or why there is none. HTTP 200 is no yes: `code` decides, where nothing else says no.
pub fn judge(reply: &Reply, now: UtcMs) -> Result<Answer, Box<Refusal>> {
    let (mut code, mut is_known) = (None, false);
    let report = match FIELDS.read(&reply.json().unwrap_or_default()) {
        Verdict::Yes if reply.is_success() => {
            let body = reply.json_as_it_came().unwrap_or_default();
            return Ok(Answer { body, secrets: reply.secrets().clone() });
        }
        Verdict::No(no) if no.is_own || reply.is_success() => {
            code = no.is_own.then_some(no.code);
            let named = code.and_then(|code| outcome_of(code, &no.words, reply, now));
            is_known = named.is_some();
            let outcome = match (named, reply.status) {
                (Some(outcome), _) => outcome,
                (None, 500..) => Outcome::Unknown,
                (None, _) => Outcome::Rejected,
            };
            Report::failed(outcome, no.told("")).with_status(reply.status)
        }
        _ => {
            let unreadable = || Report::failed(Outcome::Unknown, format!("unreadable answer: {}", reply.excerpt()));
            let mut report = reply.status_report(now).unwrap_or_else(unreadable).with_status(reply.status);
            if let Outcome::Throttled { wait } = &mut report.outcome {
                *wait = told_wait(reply, now);
            }
            report
        }
    };
    Err(Box::new(Refusal { code, is_known, report }))
}

/// The codes of both tables of §2; None for those that stand in neither.
fn outcome_of(code: i64, said: &str, reply: &Reply, now: UtcMs) -> Option<Outcome> {
    let throttled = || Outcome::Throttled { wait: told_wait(reply, now) };
    Some(match code {
        // A public adapter takes 9499 for a rate limit too, the documents call it a bad request (unconfirmed).
        9499 if says_slow_down(said) => throttled(),
        9499 => Outcome::Rejected,
        11232 | 11247 | 99991400 | 230020 => throttled(),
        // The signature (or the clock), and the machine's address: no message will pass.
        19021 | 19022 => Outcome::AccountDown,
        // The webhook is not known: the bot was removed.
        19001 => Outcome::AccountDown,
        19024 => Outcome::Rejected,
        TOKEN_INVALID | TOKEN_INVALID_TOO => Outcome::AccountDown,
        230002 | 230013 | 232009 => Outcome::TargetGone,
        230006 => Outcome::AccountDown,
        code if REJECTED.contains(&code) => Outcome::Rejected,
        _ => return None,
    })
}

/// Parameter, sensitive content, too long, no permission, content that must not leave (DLP).
const REJECTED: [i64; 5] = [230001, 230022, 230025, 230027, 230028];

const TOKEN_INVALID: i64 = 99991663;
const TOKEN_INVALID_TOO: i64 = 99991671;

fn says_slow_down(said: &str) -> bool {
    let said = said.to_lowercase();
    ["rate", "frequen", "too many", "频"].iter().any(|word| said.contains(word))
}

/// Feishu's own header, or the one of everybody.
fn told_wait(reply: &Reply, now: UtcMs) -> Option<Duration> {
    reply.wait_in("x-ogw-ratelimit-reset", now).or_else(|| reply.retry_after(now))
}

// ---- The app ----

/// An app of the tenant: its access token, and what it has uploaded.
pub struct App {
    http: Http,
    pub clock: SharedClock,
    /// What tokens and uploads live by.
    steady: Steady,
    base_url: String,
    app_id: String,
    app_secret: Secret,
    /// Locked over a renewal, so that there is one at a time.
    token: Mutex<Option<Token>>,
    uploads: Uploads,
}

/// What the app asks of Feishu; a description, since a request that streams a file can be sent only once.
pub enum Ask<'a> {
    Get(&'static str),
    Message { receive_id_type: &'a str, body: &'a Value },
    Image(&'a MediaFile),
    File { file: &'a MediaFile, file_type: &'static str, duration_ms: Option<u64> },
}

struct Token {
    text: Secret,
    /// By the steady line.
    ends_at: UtcMs,
}

impl App {
    pub fn new(http: Http, clock: SharedClock, base_url: String, app_id: String, app_secret: Secret) -> App {
        let steady = Steady::new(&clock);
        App { http, clock, steady, base_url, app_id, app_secret, token: Mutex::new(None), uploads: Uploads::default() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/open-apis/{path}", self.base_url)
    }

    async fn request(&self, ask: &Ask<'_>) -> Result<RequestBuilder, Report> {
        Ok(match ask {
            Ask::Get(path) => self.http.get(self.url(path)),
            Ask::Message { receive_id_type, body } => {
                self.http.post(self.url("im/v1/messages")).query(&[("receive_id_type", receive_id_type)]).json(body)
            }
            Ask::Image(file) => {
                let form = Form::new().text("image_type", "message").part("image", upload::part(file).await?);
                self.http.post(self.url("im/v1/images")).multipart(form)
            }
            Ask::File { file, file_type, duration_ms } => {
                let mut form = Form::new().text("file_type", *file_type).text("file_name", file.filename.clone());
                if let Some(ms) = duration_ms {
                    form = form.text("duration", ms.to_string());
                }
                self.http.post(self.url("im/v1/files")).multipart(form.part("file", upload::part(file).await?))
            }
        })
    }

    /// A call in the app's name. A token that Feishu no longer takes is renewed and the call made once more: the
    /// refusal proves that the first one did nothing.
    pub async fn call(&self, ask: &Ask<'_>, budget: &Budget) -> Result<Answer, Box<Refusal>> {
        let mut spent = None;
        loop {
            let token = self.token(spent.as_ref(), budget).await.map_err(refused)?;
            let request = self.request(ask).await.map_err(refused)?.bearer_auth(token.expose());
            let left = budget.left().map_err(refused)?;
            let reply = self.http.call(request, left).await.map_err(|error| refused(error.report()))?;
            match judge(&reply, self.clock.now()) {
                Err(refusal) if spent.is_none() && matches!(refusal.code, Some(TOKEN_INVALID | TOKEN_INVALID_TOO)) => {
                    spent = Some(token);
                }
                answer => return answer,
            }
        }
    }

    /// The access token, renewed some minutes before its end, or at once where it is the `spent` one.
    async fn token(&self, spent: Option<&Secret>, budget: &Budget) -> Result<Secret, Report> {
        let mut known = self.token.lock().await;
        let now = self.steady.now();
        if let Some(token) = known.as_ref()
            && Some(&token.text) != spent
            && now + RENEW_BEFORE_END < token.ends_at
        {
            return Ok(token.text.clone());
        }
        let body = json!({"app_id": self.app_id, "app_secret": self.app_secret.expose()});
        let request = self.http.post(self.url("auth/v3/tenant_access_token/internal")).json(&body);
        let reply = self.http.call(request, budget.left()?).await.map_err(|error| error.report().before_the_send())?;
        let answer = judge(&reply, self.clock.now()).map_err(|mut refusal| {
            if refusal.code.is_none() {
                // It may hold the token, in whatever form: it is not quoted.
                let error = format!("the answer to the question for a token (HTTP {}) cannot be read", reply.status);
                refusal.report.error = Some(error);
            }
            refusal
        });
        let answer = answer.map_err(|refusal| match refusal.report.outcome {
            // Whatever is wrong with the app, it is not the message.
            Outcome::Rejected => Report { outcome: Outcome::AccountDown, ..refusal.report },
            _ => refusal.report.before_the_send(),
        })?;
        let text = answer.body["tenant_access_token"].as_str();
        let text = text.ok_or_else(|| Report::failed(Outcome::Unreachable, "the answer holds no access token"))?;
        let lasts = Duration::from_secs(
            number(&answer.body["expire"]).and_then(|life| u64::try_from(life).ok()).unwrap_or(7200),
        );
        let text = Secret::new(text.to_owned());
        *known = Some(Token { text: text.clone(), ends_at: now + lasts });
        Ok(text)
    }

    /// The key of an image, uploaded unless that was done lately.
    pub async fn image_key(&self, file: &MediaFile, budget: &mut Budget) -> Result<String, Report> {
        self.upload(file, "image", &Ask::Image(file), "image_key", budget).await
    }

    /// The key of a file of Feishu's type `file_type`; `duration_ms` is that of a voice.
    pub async fn file_key(
        &self,
        file: &MediaFile,
        file_type: &'static str,
        duration_ms: Option<u64>,
        budget: &mut Budget,
    ) -> Result<String, Report> {
        self.upload(file, file_type, &Ask::File { file, file_type, duration_ms }, "file_key", budget).await
    }

    async fn upload(
        &self,
        file: &MediaFile,
        form: &str,
        ask: &Ask<'_>,
        key: &str,
        budget: &mut Budget,
    ) -> Result<String, Report> {
        let now = self.steady.now();
        if let Some(known) = self.uploads.get(file, form, now) {
            return Ok(known);
        }
        budget.extend_for_bytes(file.len);
        let answer = self.call(ask, budget).await.map_err(|refusal| refusal.report.before_the_send())?;
        let missing = || Report::failed(Outcome::Unreachable, format!("the answer to the upload has no {key}"));
        let uploaded = answer.body["data"][key].as_str().ok_or_else(missing)?;
        self.uploads.put(file, form, uploaded, now);
        Ok(uploaded.to_owned())
    }
}

fn refused(report: Report) -> Box<Refusal> {
    Box::new(Refusal { code: None, is_known: false, report })
}
