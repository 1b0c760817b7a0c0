//! What Telegram answers, and what that means.

use std::time::Duration;

use serde_json::Value;

use crate::domain::{Outcome, Report, UtcMs};
use crate::senders::http::{LONGEST_WAIT, Reply, excerpt};

pub struct Refusal {
    pub report: Report,
    pub cure: Option<Cure>,
}

/// What makes the same call succeed after Telegram proved that it did nothing.
pub enum Cure {
    /// The group became a supergroup with this id.
    Chat(String),
    NoMarkup,
    Document,
}

/// Refusals of a photo, voice or video that Telegram takes as a document.
const NOT_AS_MEDIA: &[&str] =
    &["PHOTO_INVALID_DIMENSIONS", "PHOTO_EXT_INVALID", "IMAGE_PROCESS_FAILED", "VOICE_MESSAGES_FORBIDDEN"];

/// The `result` of a call, or why there is none.
pub fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Box<Refusal>> {
    let mut body = reply.json().unwrap_or_default();
    if reply.is_success() && body["ok"] == true {
        return Ok(body["result"].take());
    }
    let code = body["error_code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let description = body["description"].as_str();
    let (Some(code), Some(description)) = (code, description) else {
        // Not the Bot API's own words: a proxy before it, or half an answer.
        let unreadable = || Report::failed(Outcome::Unknown, format!("unreadable answer: {}", reply.excerpt()));
        let report = reply.status_report(now).unwrap_or_else(unreadable).with_status(reply.status);
        return Err(Box::new(Refusal { report, cure: None }));
    };
    let told = body["parameters"]["retry_after"].as_u64().map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let outcome = match code {
        429 => Outcome::Throttled { wait: told.or_else(|| reply.retry_after(now)) },
        // The token is revoked, or (404) was never one.
        401 | 404 => Outcome::AccountDown,
        403 => Outcome::TargetGone,
        400 if says(description, &["chat not found", "user not found", "chat was deleted"]) => Outcome::TargetGone,
        _ => match reply.status_report(now) {
            Some(report) => report.outcome,
            None => Outcome::Unknown,
        },
    };
    let moved_to = &body["parameters"]["migrate_to_chat_id"];
    let cure = match code {
        400 if moved_to.is_i64() => Some(Cure::Chat(moved_to.to_string())),
        400 if says(description, &["can't parse entities"]) => Some(Cure::NoMarkup),
        400 if says(description, NOT_AS_MEDIA) => Some(Cure::Document),
        _ => None,
    };
    let report = Report::failed(outcome, format!("{code}: {}", excerpt(description))).with_status(reply.status);
    Err(Box::new(Refusal { report, cure }))
}

fn says(description: &str, any_of: &[&str]) -> bool {
    let description = description.to_lowercase();
    any_of.iter().any(|words| description.contains(&words.to_lowercase()))
}

/// The id of the message, or of the first of an album.
pub fn message_id(result: &Value) -> Option<String> {
    let message = if result.is_array() { &result[0] } else { result };
    message["message_id"].as_i64().map(|id| id.to_string())
}
