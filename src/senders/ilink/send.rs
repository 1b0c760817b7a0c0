//! One attempt: items on their way to the user, and what the platform's answers mean (sheet A4, A6 and A9).

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{self, Answer};
use super::cdn::{self, MediaType, UploadError, Uploaded};
use super::credentials::Credentials;
use super::window::{PACE, Refusals};
use super::{Bot, Ilink};
use crate::domain::{Delivery, Kind, MediaFile, Outcome, Report};
use crate::senders::shared::parts::Budget;
use crate::senders::shared::steps::Step;

/// Between two sends, within a push too.
const SPACING: Duration = Duration::from_secs(2);
/// After the first refusal of an upload address.
const UPLOAD_WAIT: Duration = Duration::from_secs(60);
/// Pushes whose upload was refused once that are remembered.
const REFUSED_UPLOADS_KEPT: usize = 256;

/// What the steps of one attempt share.
pub struct Attempt<'a> {
    pub ilink: &'a Ilink,
    pub login: &'a Credentials,
    pub user: &'a str,
    pub delivery: &'a Delivery,
    pub budget: Budget,
    /// When the last send of the account went out, by the monotonic clock.
    pub last_send: &'a mut Option<Duration>,
}

impl Attempt<'_> {
    pub async fn send(&mut self, index: usize, step: &Step) -> Result<Report, Report> {
        match step {
            Step::Text { text, .. } | Step::Markdown { text } => self.send_item(index, text_item(text)).await,
            Step::Media { kind, index: media } => {
                let file = self.delivery.media.get(*media).ok_or_else(|| {
                    Report::failed(Outcome::Rejected, format!("the file of {kind} {} is not there", media + 1))
                })?;
                self.send_media(index, *kind, file).await
            }
        }
    }

    async fn send_media(&mut self, index: usize, kind: Kind, file: &MediaFile) -> Result<Report, Report> {
        // Nothing is uploaded for a message that cannot follow.
        if let Some(report) = self.ilink.held_back(self.login, self.user, 1) {
            return Err(report);
        }
        let (media_type, form) = match kind {
            Kind::Image if file.mime_type.starts_with("image/") => (MediaType::Image, Kind::Image),
            Kind::Video if file.mime_type.starts_with("video/") => (MediaType::Video, Kind::Video),
            _ => (MediaType::File, Kind::File),
        };
        let Ilink { api, cdn_url, .. } = self.ilink;
        let uploaded = cdn::upload(api, self.login, cdn_url, self.user, media_type, file, &mut self.budget).await;
        let (item, form) = match uploaded {
            Ok(uploaded) => (media_item(media_type, file, &uploaded), form.as_str()),
            Err(UploadError::Other(report)) => return Err(report),
            Err(UploadError::Refused(answer)) => {
                let url = self.after_refused_upload(index, file, &answer)?;
                (text_item(&format!("{}\n{url}", file.filename)), "link")
            }
        };
        let mut report = self.send_item(index, item).await?;
        report.note = (kind.as_str() != form).then(|| format!("{kind} as {form}"));
        Ok(report)
    }

    /// What follows when the platform gives no address to upload to: one more try after a minute, then the media's
    /// own address as text.
    fn after_refused_upload<'f>(&self, index: usize, file: &'f MediaFile, answer: &Answer) -> Result<&'f str, Report> {
        if answer.ret == api::STALE {
            return Err(self.stale_login(answer));
        }
        let mut state = self.ilink.state();
        if state.refused_uploads.len() >= REFUSED_UPLOADS_KEPT {
            state.refused_uploads.clear();
        }
        let error = format!("the platform refuses the upload: {}", answer.refusal());
        if state.refused_uploads.insert((self.delivery.key.clone(), index)) {
            let outcome = Outcome::Throttled { wait: Some(UPLOAD_WAIT) };
            return Err(Report::failed(outcome, error).with_status(answer.status));
        }
        file.url.as_deref().ok_or_else(|| Report::failed(Outcome::Rejected, error).with_status(answer.status))
    }

    async fn send_item(&mut self, index: usize, item: Value) -> Result<Report, Report> {
        if let Some(report) = self.ilink.held_back(self.login, self.user, 1) {
            return Err(report);
        }
        self.keep_distance().await;
        let deadline = self.budget.left()?;
        let mut message = json!({
            "from_user_id": "",
            "to_user_id": self.user,
            "client_id": format!("{}-{index}", self.delivery.key),
            "message_type": 2,
            "message_state": 2,
            "item_list": [item],
        });
        if let Some(token) = self.count().await? {
            message["context_token"] = token.into();
        }
        let body = json!({"msg": message});
        let answer = self.ilink.api.call(self.login, "ilink/bot/sendmessage", body, deadline).await;
        *self.last_send = Some(self.ilink.api.clock.monotonic());
        let report = match answer {
            Ok(answer) => self.judge(answer).await,
            Err(report) => report,
        };
        if !matches!(report.outcome, Outcome::Sent | Outcome::Unknown) {
            self.uncount(&report).await;
        }
        Ok(report)
    }

    /// Two seconds from send to send, which the push's timeout does not mean.
    async fn keep_distance(&mut self) {
        if let Some(last) = *self.last_send {
            let clock = &self.ilink.api.clock;
            let pause = (last + SPACING).saturating_sub(clock.monotonic());
            self.budget.extend(pause);
            clock.sleep(pause).await;
        }
    }

    /// Counts a send before it leaves, so that a crash in between errs on the safe side; returns the context token
    /// that goes with it.
    async fn count(&self) -> Result<Option<String>, Report> {
        let count = |bot: &mut Bot| {
            let contact = bot.contacts.entry(self.user.to_owned()).or_default();
            contact.sends_since_inbound += 1;
            contact.context_token.clone()
        };
        let (context_token, kept) = self.ilink.change(&self.login.bot_id, count).await;
        kept.map_err(|error| Report::failed(Outcome::Unreachable, format!("cannot count the send: {error}")))?;
        self.ilink.state().pace.add(PACE, self.ilink.steady.now());
        Ok(context_token)
    }

    /// Takes back the count of a send that brought nothing to the user.
    async fn uncount(&self, report: &Report) {
        if report.outcome == Outcome::Unreachable {
            self.ilink.state().pace.take_back_newest();
        }
        let uncount = |bot: &mut Bot| {
            if let Some(contact) = bot.contacts.get_mut(self.user) {
                contact.sends_since_inbound = contact.sends_since_inbound.saturating_sub(1);
            }
        };
        self.ilink.change_or_warn(&self.login.bot_id, uncount).await;
    }

    /// What the answer to a send means.
    async fn judge(&self, answer: Answer) -> Report {
        let (ilink, login) = (self.ilink, self.login);
        let report = match answer.ret {
            0 => match answer.id("message_id") {
                Some(message_id) => {
                    let message_id = answer.show(&message_id);
                    ilink.change_or_warn(&login.bot_id, |bot| bot.refusals = Refusals::default()).await;
                    Report::sent(Some(message_id))
                }
                None => Report::failed(Outcome::Unknown, "accepted, unverified: the platform gave no message id"),
            },
            api::STALE => self.stale_login(&answer),
            // Seen where the login was stale too; only another call can tell.
            api::REFUSED if answer.message() == "unknown error" && ilink.is_alive(login).await == Ok(false) => {
                self.stale_login(&answer)
            }
            api::REFUSED => {
                let now = ilink.steady.now();
                let wait = ilink.change_or_warn(&login.bot_id, |bot| bot.refusals.add(now)).await;
                let error = format!("refused for window, quota or rate: {}", answer.refusal());
                Report::failed(Outcome::Throttled { wait: Some(wait) }, error)
            }
            _ => Report::failed(Outcome::Rejected, answer.refusal()),
        };
        report.with_status(answer.status)
    }

    fn stale_login(&self, answer: &Answer) -> Report {
        self.ilink.mark_stale(self.login);
        let error = format!("{} ({})", self.ilink.login_needed(), answer.refusal());
        Report::failed(Outcome::AccountDown, error).with_status(answer.status)
    }
}

fn text_item(text: &str) -> Value {
    json!({"type": 1, "text_item": {"text": text}})
}

fn media_item(media_type: MediaType, file: &MediaFile, uploaded: &Uploaded) -> Value {
    let (media, encrypted_len) = (uploaded.reference(), uploaded.encrypted_len);
    match media_type {
        MediaType::Image => json!({"type": 2, "image_item": {"media": media, "mid_size": encrypted_len}}),
        MediaType::Video => json!({"type": 5, "video_item": {"media": media, "video_size": encrypted_len}}),
        MediaType::File => {
            let len = file.len.to_string();
            json!({"type": 4, "file_item": {"media": media, "file_name": file.filename, "len": len}})
        }
    }
}
