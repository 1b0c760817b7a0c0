//! One attempt: items on their way to the user, and what the platform's answers mean (sheet A4, A6 and A9).

use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Bot, Ilink};
use super::api::{self, Answer};
use super::cdn::{self, MediaType, UploadError, Uploaded};
use super::credentials::Credentials;
use super::window::{PACE, Refusals};
use crate::domain::{Kind, MediaFile};
use crate::senders::shared::budget::Budget;
use crate::senders::shared::deliver::{Post, Turn};
use crate::senders::shared::failure::{Class, Failure, Sent};
use crate::senders::shared::parts::kind_as;
use crate::senders::shared::steps::Step;

/// Between two sends, within a push too.
const SPACING: Duration = Duration::from_secs(2);
/// After the first refusal of an upload address.
const UPLOAD_WAIT: Duration = Duration::from_secs(60);
/// Pushes whose upload was refused once that are remembered.
const REFUSED_UPLOADS_KEPT: usize = 256;

/// One attempt on its way to a user.
pub(super) struct Sending<'a> {
    pub ilink: &'a Ilink,
    pub login: &'a Credentials,
    pub user: &'a str,
}

impl Post<Step> for Sending<'_> {
    async fn post(&self, step: &Step, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        match step {
            Step::Text { text, .. } | Step::Markdown { text } => self.send_item(text_item(text), None, turn).await,
            Step::Media { kind, index } => self.send_media(*kind, turn.file(*index)?, turn).await,
        }
    }
}

impl Sending<'_> {
    async fn send_media(&self, kind: Kind, file: &MediaFile, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        // Nothing is uploaded for a message that cannot follow.
        self.ilink.check_window(self.login, self.user, 1)?;
        let (media_type, form) = match kind {
            Kind::Image if file.mime_type.starts_with("image/") => (MediaType::Image, Kind::Image),
            Kind::Video if file.mime_type.starts_with("video/") => (MediaType::Video, Kind::Video),
            _ => (MediaType::File, Kind::File),
        };
        let Ilink { api, cdn_url, .. } = self.ilink;
        let uploaded = cdn::upload(api, self.login, cdn_url, self.user, media_type, file, turn.budget).await;
        let (item, form) = match uploaded {
            Ok(uploaded) => (media_item(media_type, file, &uploaded), form.as_str()),
            Err(UploadError::Other(failure)) => return Err(failure),
            Err(UploadError::Refused(answer)) => {
                let url = self.after_refused_upload(file, &answer, turn)?;
                (text_item(&format!("{}\n{url}", file.filename)), "link")
            }
        };
        self.send_item(item, kind_as(kind, form), turn).await
    }

    /// What follows when the platform gives no address to upload to: one more try after a minute, then the media's
    /// own address as text.
    fn after_refused_upload<'f>(
        &self,
        file: &'f MediaFile,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<&'f str, Failure> {
        if answer.ret == api::STALE {
            return Err(self.stale_login(answer));
        }
        let mut state = self.ilink.state();
        if state.refused_uploads.len() >= REFUSED_UPLOADS_KEPT {
            state.refused_uploads.clear();
        }
        let error = format!("the platform refuses the upload: {}", answer.refusal());
        if state.refused_uploads.insert((turn.delivery.key.clone(), turn.index)) {
            return Err(Failure::throttled(Some(UPLOAD_WAIT), error).with_status(answer.status));
        }
        file.url.as_deref().ok_or_else(|| Failure::rejected(error).with_status(answer.status))
    }

    async fn send_item(&self, item: Value, note: Option<String>, turn: &mut Turn<'_>) -> Result<Sent, Failure> {
        self.ilink.check_window(self.login, self.user, 1)?;
        self.keep_distance(turn.budget).await;
        let deadline = turn.left()?;
        let mut message = json!({
            "from_user_id": "",
            "to_user_id": self.user,
            "client_id": turn.key(),
            "message_type": 2,
            "message_state": 2,
            "item_list": [item],
        });
        if let Some(token) = self.count().await? {
            message["context_token"] = token.into();
        }
        let body = json!({"msg": message});
        let answer = self.ilink.api.call(self.login, "ilink/bot/sendmessage", body, deadline).await;
        turn.note = note;
        self.ilink.state().last_send = Some(self.ilink.api.wire.clock.boottime());
        let done = match answer {
            Ok(answer) => self.judge(answer).await,
            Err(failure) => Err(failure),
        };
        match &done {
            Ok(_) | Err(Failure { class: Class::Unknown, .. }) => {}
            Err(failure) => self.uncount(failure).await,
        }
        done
    }

    /// Two seconds from send to send, which the push's timeout does not mean.
    async fn keep_distance(&self, budget: &mut Budget) {
        let last = self.ilink.state().last_send;
        if let Some(last) = last {
            let clock = &self.ilink.api.wire.clock;
            let until = last + SPACING;
            budget.extend(until.since(clock.boottime()));
            clock.sleep_until(until).await;
        }
    }

    /// Counts a send before it leaves, so that a crash in between errs on the safe side; returns the context token
    /// that goes with it.
    async fn count(&self) -> Result<Option<String>, Failure> {
        let count = |bot: &mut Bot| {
            let contact = bot.contacts.entry(self.user.to_owned()).or_default();
            contact.conversation.sends_since_inbound += 1;
            contact.context_token.clone()
        };
        let (context_token, kept) = self.ilink.change(&self.login.bot_id, count).await;
        kept.map_err(|error| Failure::unreachable(format!("cannot count the send: {error}")))?;
        self.ilink.state().pace.add(PACE, self.ilink.api.wire.steady.now());
        Ok(context_token)
    }

    /// Takes back the count of a send that brought nothing to the user.
    async fn uncount(&self, failure: &Failure) {
        if failure.class == Class::Unreachable {
            self.ilink.state().pace.take_back_newest();
        }
        let uncount = |bot: &mut Bot| {
            if let Some(contact) = bot.contacts.get_mut(self.user) {
                let sends = &mut contact.conversation.sends_since_inbound;
                *sends = sends.saturating_sub(1);
            }
        };
        self.ilink.change_or_warn(&self.login.bot_id, uncount).await;
    }

    /// What the answer to a send means.
    async fn judge(&self, answer: Answer) -> Result<Sent, Failure> {
        let (ilink, login) = (self.ilink, self.login);
        let failure = match answer.ret {
            0 => match answer.id("message_id") {
                Some(message_id) => {
                    let message_id = answer.show(&message_id);
                    ilink.change_or_warn(&login.bot_id, |bot| bot.refusals = Refusals::default()).await;
                    return Ok(Sent::new(Some(message_id)).with_status(answer.status));
                }
                None => Failure::unknown("accepted, unverified: the platform gave no message id"),
            },
            api::STALE => self.stale_login(&answer),
            // Seen where the login was stale too; only another call can tell.
            api::REFUSED if answer.message() == "unknown error" && ilink.is_alive(login).await == Ok(false) => {
                self.stale_login(&answer)
            }
            api::REFUSED => {
                let now = ilink.api.wire.steady.now();
                let wait = ilink.change_or_warn(&login.bot_id, |bot| bot.refusals.add(now)).await;
                let error = format!("refused for window, quota or rate: {}", answer.refusal());
                Failure::throttled(Some(wait), error)
            }
            _ => Failure::rejected(answer.refusal()),
        };
        Err(failure.with_status(answer.status))
    }

    fn stale_login(&self, answer: &Answer) -> Failure {
        self.ilink.mark_stale(self.login);
        let error = format!("{} ({})", self.ilink.login_needed(), answer.refusal());
        Failure::account_down(error).with_status(answer.status)
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
