//! One send on its way: its segments, its call, and a look at what became of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Api, id_text};
use super::message::Piece;
use super::product::Product;
use crate::domain::{Delivery, Kind, MediaFile, Target};
use crate::senders::shared::budget::Budget;
use crate::senders::shared::deliver;
use crate::senders::shared::failure::{Failure, Sent};
use crate::senders::shared::json_body::Slots;

/// How much earlier than we NapCat shall give up waiting for QQ, so that it tells what it knows.
const HEAD_START: Duration = Duration::from_secs(2);
/// NapCat allows QQ this many bytes a millisecond on top of its time for a text (qq.md §1.4).
const NAPCAT_BYTES_PER_MS: u64 = 262;

pub(super) struct Outgoing<'a> {
    pub api: &'a Api,
    /// The implementation reads this machine's files.
    pub local_files: bool,
    pub delivery: &'a Delivery,
    pub product: Product,
    pub slots: Slots,
    /// Of the media in this send.
    pub bytes: u64,
    pub budget: &'a mut Budget,
}

impl<'a> Outgoing<'a> {
    /// Texts, images and mentions in one message.
    pub(super) async fn together(mut self, pieces: &[Piece]) -> Result<Sent, Failure> {
        let is_group = self.delivery.target.is_group();
        let mut segments = Vec::new();
        for piece in pieces {
            segments.push(match piece {
                Piece::Text(text) => segment("text", json!({"text": text})),
                Piece::At(user) if is_group => segment("at", json!({"qq": user})),
                Piece::AtAll if is_group => segment("at", json!({"qq": "all"})),
                // Mentions are ignored in a private chat.
                Piece::At(user) => segment("text", json!({"text": format!("@{user}")})),
                Piece::AtAll => segment("text", json!({"text": "@全体成员"})),
                Piece::Image(index) => {
                    let file = self.file(*index)?;
                    segment("image", json!({"file": self.segment_source(Kind::Image, file).await?}))
                }
            });
        }
        self.send_segments(segments).await
    }

    /// A voice, video or file.
    pub(super) async fn alone(mut self, kind: Kind, index: usize) -> Result<Sent, Failure> {
        let file = self.file(index)?;
        if kind == Kind::File && !self.product.takes_file_segments() {
            return self.upload(file).await;
        }
        let source = self.segment_source(kind, file).await?;
        let segment = match kind {
            Kind::Voice => segment("record", json!({"file": source})),
            Kind::Video => {
                let mut data = json!({"file": source});
                if let (Some(key), Some(cover)) = (self.product.video_cover_key(), &file.cover) {
                    data[key] = json!(self.segment_source(Kind::Image, cover).await?);
                }
                segment("video", data)
            }
            // Without a name QQ shows a random one.
            _ => segment("file", json!({"file": source, "name": file.filename})),
        };
        self.send_segments(vec![segment]).await
    }

    /// The resolved file of a media, with time for its bytes.
    fn file(&mut self, index: usize) -> Result<&'a MediaFile, Failure> {
        let file = deliver::file(self.delivery, index)?;
        self.budget.extend_for_bytes(file.len);
        self.bytes += file.len;
        Ok(file)
    }

    async fn send_segments(self, segments: Vec<Value>) -> Result<Sent, Failure> {
        let (action, key, id) = match &self.delivery.target {
            Target::Group(id) => ("send_group_msg", "group_id", id),
            Target::User(id) => ("send_private_msg", "user_id", id),
        };
        let deadline = self.budget.left()?;
        let mut parameters = json!({key: id, "message": segments});
        if matches!(self.product, Product::NapCat { .. }) {
            let wait = self.delivery.timeout.saturating_sub(HEAD_START).max(self.delivery.timeout / 2);
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            parameters["timeout"] = json!(wait_ms.saturating_add(self.bytes / NAPCAT_BYTES_PER_MS));
        }
        let body = self.slots.fill(&parameters);
        let (answer, status) = self.api.send(action, &body, deadline, self.delivery.attempt).await?;
        let message_id = answer.data.get("message_id").and_then(id_text);
        let shown = message_id.as_deref().map(|id| self.api.wire.http.show(id));
        let sent = Sent::new(shown).with_status(status);
        match message_id {
            Some(message_id) => self.compare(&segments, &message_id, sent).await,
            None => Ok(sent),
        }
    }

    async fn upload(mut self, file: &MediaFile) -> Result<Sent, Failure> {
        let (action, key, id) = match &self.delivery.target {
            Target::Group(id) => ("upload_group_file", "group_id", id),
            Target::User(id) => ("upload_private_file", "user_id", id),
        };
        let source = self.upload_source(file).await?;
        let parameters = json!({key: id, "file": source, "name": file.filename, "upload_file": true});
        let body = self.slots.fill(&parameters);
        let (answer, status) = self.api.send(action, &body, self.budget.left()?, self.delivery.attempt).await?;
        // No message id comes back, and Lagrange and go-cqhttp give no file id either.
        let file_id = answer.data.get("file_id").and_then(id_text);
        Ok(Sent::new(file_id.map(|id| self.api.wire.http.show(&id))).with_status(status))
    }

    /// Reads the message back where the implementation is known, or not known not, to report success after it
    /// dropped a part (qq.md §2.5). A message that cannot be read back counts as it was reported.
    async fn compare(&self, segments: &[Value], message_id: &str, sent: Sent) -> Result<Sent, Failure> {
        let media = |segments: &[Value]| ["image", "record", "video"].iter().map(|kind| count(segments, kind)).sum();
        let expected: usize = if self.product.reports_dropped_media() { 0 } else { media(segments) };
        let at_all = !self.product.reports_dropped_at_all() && has_at_all(segments);
        if expected == 0 && !at_all {
            return Ok(sent);
        }
        let Ok(deadline) = self.budget.left() else { return Ok(sent) };
        let Ok(found) = self.api.ask("get_msg", json!({"message_id": message_id}), deadline).await else {
            return Ok(sent);
        };
        let Some(found) = found.get("message").map(segments_of) else { return Ok(sent) };
        let dropped = expected.saturating_sub(media(&found));
        if dropped > 0 {
            // Another try would repeat the rest of the message.
            let name = self.product.name();
            let error = format!("{name} reported success but dropped {dropped} of {expected} media");
            let Sent { message_id, http_status, .. } = sent;
            return Err(Failure { message_id, http_status, ..Failure::rejected(error) });
        }
        if at_all && !has_at_all(&found) {
            return Ok(sent.noting(Some("without @all, which the account may not use".to_owned())));
        }
        Ok(sent)
    }
}

fn segment(kind: &str, data: Value) -> Value {
    json!({"type": kind, "data": data})
}

fn count(segments: &[Value], kind: &str) -> usize {
    segments.iter().filter(|segment| segment["type"] == kind).count()
}

fn has_at_all(segments: &[Value]) -> bool {
    segments.iter().any(|segment| segment["type"] == "at" && segment["data"]["qq"] == "all")
}

/// A message as segments: an array as it is, a string by its CQ codes.
fn segments_of(message: &Value) -> Vec<Value> {
    match message {
        Value::Array(segments) => segments.clone(),
        Value::String(text) => text.split("[CQ:").skip(1).map(cq_code).collect(),
        _ => Vec::new(),
    }
}

/// `at,qq=all]…` as a segment.
fn cq_code(code: &str) -> Value {
    let mut fields = code.split(']').next().unwrap_or_default().split(',');
    let kind = fields.next().unwrap_or_default();
    let data: Value =
        fields.filter_map(|field| field.split_once('=')).map(|(key, value)| (key.to_owned(), json!(value))).collect();
    segment(kind, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_read_back_is_understood_in_both_forms() {
        let array = json!([{"type": "text", "data": {"text": "a"}}, {"type": "image", "data": {"file": "x"}}]);
        assert_eq!(count(&segments_of(&array), "image"), 1);
        let string = json!("hi [CQ:at,qq=all] and [CQ:image,file=a.png,url=http://x/?a&#44;b][CQ:image,file=b]");
        let segments = segments_of(&string);
        assert_eq!(count(&segments, "image"), 2);
        assert!(has_at_all(&segments));
        assert!(segments_of(&json!("no codes")).is_empty());
    }
}
