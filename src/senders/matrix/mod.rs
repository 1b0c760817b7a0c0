//! Matrix, through the client-server API (`protocols/others.md` §6).
//!
//! Every event carries a transaction id made from the push's key, so a repeat is answered with the event that is
//! already there. The server keys that memory by device: a new access token means a new device, and a push retried
//! across that change may appear twice. Rooms are written to unencrypted; in an encrypted room clients say so.

mod content;
mod direct;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::content::{Event, plan};
use super::http::{Http, LONGEST_WAIT, Reply, excerpt};
use super::parts::{Budget, Progress, key_holds};
use super::upload::{self, Uploads};
use super::{BuildError, Environment, Memory, Probe, Sender, ogg, settings};
use crate::clock::SharedClock;
use crate::domain::sender::{SettingKind, SettingSpec};
use crate::domain::{Account, Delivery, MediaFile, Outcome, Report, Secret, SenderSpec, Support, Target, UtcMs};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Synapse forgets a transaction id after a day.
const KEY_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Every byte that needs no percent-encoding in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub static SPEC: SenderSpec = SenderSpec {
    name: "matrix",
    about: "Matrix, through any homeserver (rooms without encryption)",
    default_im: "matrix",
    settings: &[
        SettingSpec {
            key: "url",
            kind: SettingKind::Url,
            required: true,
            default: "",
            doc: "the homeserver's address, such as https://matrix.example.org",
        },
        SettingSpec {
            key: "token",
            kind: SettingKind::Secret,
            required: true,
            default: "",
            doc: "an access token; a new one is a new device, which does not know what the old one sent",
        },
        SettingSpec {
            key: "notice",
            kind: SettingKind::Bool,
            required: false,
            default: "false",
            doc: "send texts as notices, which clients show without a sound and bots do not answer",
        },
        settings::CA_FILE,
    ],
    support: |_, _| Support::Native,
    idempotent: |_| true,
    concurrency: 4,
    min_interval_ms: 0,
    // The server's own cap is asked for before an upload; 50 MB is what Synapse takes by default.
    max_media_bytes: u64::MAX,
};

pub fn build(account: &Account, environment: &Environment) -> Result<Box<dyn Sender>, BuildError> {
    let url = settings::required_url(account, "url")?;
    let token = account.settings.secret("token").ok_or_else(|| settings::missing(account, "token"))?;
    Ok(Box::new(Matrix {
        account: account.id.clone(),
        base_url: url.as_str().trim_end_matches('/').to_owned(),
        token: token.clone(),
        text_type: if account.settings.bool("notice") == Some(true) { "m.notice" } else { "m.text" },
        http: settings::http(account, environment)?,
        clock: environment.clock.clone(),
        memory: environment.memory.clone(),
        user_id: OnceCell::new(),
        upload_cap: OnceCell::new(),
        uploads: Uploads::default(),
        rooms: tokio::sync::Mutex::default(),
    }))
}

struct Matrix {
    account: String,
    base_url: String,
    token: Secret,
    text_type: &'static str,
    http: Http,
    clock: SharedClock,
    memory: Arc<dyn Memory>,
    /// Ours, as the server knows it.
    user_id: OnceCell<String>,
    /// The largest upload that the server takes, where it says so.
    upload_cap: OnceCell<Option<u64>>,
    uploads: Uploads,
    /// Aliases and users to the rooms they stand for. Held over the look-up, so that two pushes to one user do not
    /// open two rooms.
    rooms: tokio::sync::Mutex<HashMap<String, String>>,
}

#[async_trait]
impl Sender for Matrix {
    async fn send(&self, delivery: &Delivery) -> Report {
        let events = plan(delivery, self.text_type);
        if events.is_empty() {
            return Report::failed(Outcome::Rejected, "there is nothing to send: the text is empty");
        }
        let mut budget = Budget::new(&self.clock, delivery.timeout);
        let mut progress = Progress::resume(delivery, &events);
        let key_holds = key_holds(delivery, KEY_WINDOW, self.clock.now());
        for (index, event) in events.iter().enumerate() {
            if progress.is_sent(index) {
                continue;
            }
            let report = match progress.may_repeat(index, delivery, key_holds) {
                Err(report) => report,
                Ok(()) => {
                    let txn = format!("{}-{index}", delivery.key);
                    self.send_event(event, &delivery.target, &txn, &mut budget).await.unwrap_or_else(|report| report)
                }
            };
            if !progress.record(index, report) {
                break;
            }
        }
        progress.finish()
    }

    async fn probe(&self) -> Probe {
        match self.call(self.http.get(self.path(&["account", "whoami"])), PROBE_TIMEOUT).await {
            Ok(_) => Probe::up(),
            Err(refusal) => Probe::down(refusal.report.error.unwrap_or_default()),
        }
    }

    fn is_idempotent(&self, delivery: &Delivery, now: UtcMs) -> bool {
        key_holds(delivery, KEY_WINDOW, now)
    }
}

impl Matrix {
    async fn send_event(
        &self,
        event: &Event<'_>,
        target: &Target,
        txn: &str,
        budget: &mut Budget,
    ) -> Result<Report, Report> {
        let room = self.room(target, budget).await?;
        let mut content = event.content.clone();
        if let Some(file) = event.file {
            content["url"] = json!(self.uploaded(file, budget).await?);
            if let Some(ms) = ogg::opus_duration_ms(&file.path).await {
                content["info"]["duration"] = json!(ms);
            }
            if let Some(cover) = &file.cover {
                content["info"]["thumbnail_url"] = json!(self.uploaded(cover, budget).await?);
                content["info"]["thumbnail_info"] = json!({"mimetype": cover.mime_type, "size": cover.len});
            }
        }
        let put = self.http.put(self.path(&["rooms", &room, "send", "m.room.message", txn])).json(&content);
        let answer = self.call(put, budget.left()?).await.map_err(|refusal| refusal.report)?;
        let Some(event_id) = answer["event_id"].as_str() else {
            return Err(Report::failed(Outcome::Unknown, "the answer names no event"));
        };
        let mut report = Report::sent(Some(event_id.to_owned())).with_status(200);
        report.note = event.note.map(str::to_owned);
        Ok(report)
    }

    async fn room(&self, target: &Target, budget: &Budget) -> Result<String, Report> {
        match target {
            Target::Group(alias) if alias.starts_with('#') => self.aliased_room(alias, budget).await,
            Target::Group(room) => Ok(room.clone()),
            Target::User(user) => self.direct_room(user, budget).await,
        }
    }

    async fn aliased_room(&self, alias: &str, budget: &Budget) -> Result<String, Report> {
        let mut rooms = self.rooms.lock().await;
        if let Some(room) = rooms.get(alias) {
            return Ok(room.clone());
        }
        let answer = self.prepare(self.http.get(self.path(&["directory", "room", alias])), budget).await?;
        let room = text_of(&answer, "room_id")?;
        rooms.insert(alias.to_owned(), room.clone());
        Ok(room)
    }

    /// The address of the file on the server, where it is put unless it lies there already.
    async fn uploaded(&self, file: &MediaFile, budget: &mut Budget) -> Result<String, Report> {
        let now = self.clock.now();
        if let Some(uri) = self.uploads.get(file, "", now) {
            return Ok(uri);
        }
        self.check_size(file, budget).await?;
        budget.extend_for_bytes(file.len);
        let request = self.http.post(format!("{}/_matrix/media/v3/upload", self.base_url));
        let request = upload::raw(request.query(&[("filename", &file.filename)]), file).await?;
        let answer = self.prepare(request, budget).await.map_err(|report| match report.outcome {
            // A refusal to store this file says nothing about the room.
            Outcome::TargetGone => Report { outcome: Outcome::Rejected, ..report },
            _ => report,
        })?;
        let uri = text_of(&answer, "content_uri")?;
        self.uploads.put(file, "", &uri, now);
        Ok(uri)
    }

    /// Spares an upload that the server is bound to refuse. A server that does not tell its cap is simply tried.
    async fn check_size(&self, file: &MediaFile, budget: &Budget) -> Result<(), Report> {
        let ask = || async {
            let url = format!("{}/_matrix/client/v1/media/config", self.base_url);
            match self.call(self.http.get(url), budget.left()?).await {
                Ok(config) => Ok(config["m.upload.size"].as_u64()),
                Err(refusal) if refusal.report.outcome == Outcome::Rejected => Ok(None),
                Err(refusal) => Err(before_the_send(refusal.report)),
            }
        };
        match self.upload_cap.get_or_try_init(ask).await? {
            Some(cap) if file.len > *cap => {
                let error = format!("'{}' has {} bytes, the server takes {cap}", file.filename, file.len);
                Err(Report::failed(Outcome::Rejected, error))
            }
            _ => Ok(()),
        }
    }

    // ---- One call ----

    fn path(&self, segments: &[&str]) -> String {
        let mut url = format!("{}/_matrix/client/v3", self.base_url);
        for segment in segments {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        url
    }

    /// A call before the send, which nobody sees: whatever became of it, the message is not out.
    async fn prepare(&self, request: RequestBuilder, budget: &Budget) -> Result<Value, Report> {
        self.call(request, budget.left()?).await.map_err(|refusal| before_the_send(refusal.report))
    }

    async fn call(&self, request: RequestBuilder, deadline: Duration) -> Result<Value, Box<Refusal>> {
        match self.http.call(request.bearer_auth(self.token.expose()), deadline).await {
            Ok(reply) => judge(&reply, self.clock.now()),
            Err(error) => Err(Box::new(Refusal { errcode: String::new(), report: error.report() })),
        }
    }
}

fn before_the_send(report: Report) -> Report {
    match report.outcome {
        Outcome::Unknown => Report { outcome: Outcome::Unreachable, ..report },
        _ => report,
    }
}

/// A field without which an answer to a preparing call is worthless.
fn text_of(answer: &Value, key: &str) -> Result<String, Report> {
    let missing = || Report::failed(Outcome::Unreachable, format!("the server's answer has no {key}"));
    answer[key].as_str().map(str::to_owned).ok_or_else(missing)
}

// ---- What the server answers ----

struct Refusal {
    errcode: String,
    report: Report,
}

fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Box<Refusal>> {
    let body = reply.json();
    if reply.is_success() {
        let unreadable = || {
            let error = format!("unreadable answer: {}", reply.excerpt());
            let report = Report::failed(Outcome::Unknown, error).with_status(reply.status);
            Box::new(Refusal { errcode: String::new(), report })
        };
        return body.ok_or_else(unreadable);
    }
    let body = body.unwrap_or_default();
    let errcode = body["errcode"].as_str().unwrap_or_default().to_owned();
    // The header wins over the field, which is deprecated since 1.10.
    let told = || body["retry_after_ms"].as_u64().map(|ms| Duration::from_millis(ms).min(LONGEST_WAIT));
    let outcome = match (errcode.as_str(), reply.status) {
        ("M_LIMIT_EXCEEDED", _) => Some(Outcome::Throttled { wait: reply.retry_after(now).or_else(told) }),
        (
            "M_UNKNOWN_TOKEN"
            | "M_MISSING_TOKEN"
            | "M_USER_SUSPENDED"
            | "M_USER_LOCKED"
            | "M_USER_DEACTIVATED"
            | "M_CONSENT_NOT_GIVEN"
            | "M_RESOURCE_LIMIT_EXCEEDED",
            _,
        ) => Some(Outcome::AccountDown),
        ("M_FORBIDDEN", 403) | ("M_NOT_FOUND", 404) => Some(Outcome::TargetGone),
        _ => None,
    };
    // Every status but a good one has a report.
    let unexplained = || Report::failed(Outcome::Unknown, "no explanation").with_status(reply.status);
    let mut report = reply.status_report(now).unwrap_or_else(unexplained);
    if let Some(outcome) = outcome {
        report.outcome = outcome;
    }
    if !errcode.is_empty() {
        report.error = Some(format!("{errcode}: {}", excerpt(body["error"].as_str().unwrap_or_default())));
    }
    Err(Box::new(Refusal { errcode, report }))
}
