//! What Telegram answers, and what that means.

use std::time::Duration;

use serde_json::Value;

use crate::domain::UtcMs;
use crate::senders::shared::failure::{Class, Failure};
use crate::senders::shared::http::{Reply, excerpt, told_seconds};
use crate::senders::shared::verdict::number;

pub(super) struct Refusal {
    pub failure: Failure,
    pub cure: Option<Cure>,
    /// The chat is not there, or not for this bot; a topic that is closed says nothing about its chat.
    pub denies_chat: bool,
}

/// What makes the same call succeed after Telegram proved that it did nothing.
pub(super) enum Cure {
    /// The group became a supergroup with this id.
    Chat(String),
    NoMarkup,
    Document,
    /// The chat takes no such media: its text may go alone.
    TextAlone,
}

/// Refusals of a photo, voice or video that Telegram takes as a document, and of an album whose members it takes one
/// by one.
const NOT_AS_MEDIA: &[&str] = &[
    "PHOTO_INVALID",
    "PHOTO_EXT_INVALID",
    "PHOTO_SAVE_FILE_INVALID",
    "PHOTO_CONTENT_TYPE_INVALID",
    "IMAGE_PROCESS_FAILED",
    "VOICE_MESSAGES_FORBIDDEN",
    // MEDIA_GROUPED_INVALID, as the Bot API words it.
    "can't use the media of the specified type in the album",
];

/// The chat is gone, or this bot may not write to it.
const GONE: &[&str] = &[
    "chat not found",
    "user not found",
    "chat was deleted",
    "PEER_ID_INVALID",
    "CHANNEL_INVALID",
    "CHANNEL_PRIVATE",
    "CHAT_FORBIDDEN",
    "CHAT_WRITE_FORBIDDEN",
    "CHAT_GUEST_SEND_FORBIDDEN",
    "CHAT_SEND_PLAIN_FORBIDDEN",
    "CHAT_RESTRICTED",
    "CHAT_ADMIN_REQUIRED",
    "USER_BANNED_IN_CHANNEL",
    "USER_IS_BLOCKED",
    "INPUT_USER_DEACTIVATED",
    "user is deactivated",
    "group chat was deactivated",
    "have no rights to send a message",
    "not enough rights to send text messages",
    "need administrator rights",
    "bot was blocked",
    "bot was kicked",
    "bot is not a member",
];

/// The topic of a forum is gone, or takes nothing any more.
const TOPIC_GONE: &[&str] = &["TOPIC_CLOSED", "TOPIC_DELETED", "TOPIC_ID_INVALID", "message thread not found"];

/// The group became a supergroup.
const MOVED: &[&str] = &["upgraded to a supergroup", "migrated to"];

/// Waits that Telegram names in words. `FLOOD_WAIT_7` comes with other codes than 429, too.
const FLOOD: &[&str] = &["flood_wait_", "flood_premium_wait_", "slowmode_wait_"];

/// The `result` of a call, or why there is none.
pub(super) fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Box<Refusal>> {
    let mut body = reply.json().unwrap_or_default();
    let is_yes = body["ok"] == true;
    if reply.is_success() && is_yes && body["error_code"].is_null() && body["result"] != false {
        return Ok(body["result"].take());
    }
    let code = number(&body["error_code"]).and_then(|code| u16::try_from(code).ok());
    let (Some(code), Some(description), false) = (code, body["description"].as_str(), is_yes) else {
        // Not the Bot API's own words: a proxy before it, half an answer, or a yes beside a no.
        return Err(Box::new(Refusal { failure: reply.unreadable(now), cure: None, denies_chat: false }));
    };
    let flood = says(description, FLOOD);
    let is_refusal = matches!(code, 400 | 403);
    let lacks_rights = is_refusal && !says(description, GONE) && may_not_send_media(description);
    let topic_gone = code == 400 && says(description, TOPIC_GONE);
    let class = match code {
        429 | 420 => throttled(&body, description, reply, now),
        400 if flood => throttled(&body, description, reply, now),
        // The token is revoked, or (404) was never one.
        401 | 404 => Class::AccountDown,
        _ if lacks_rights => Class::Rejected,
        403 => Class::TargetGone,
        400 if topic_gone || says(description, GONE) || says(description, MOVED) => Class::TargetGone,
        // In the API's own words, whatever a proxy made of the status.
        400..500 if reply.status < 500 => Class::Rejected,
        _ => reply.status_failure(now).map_or(Class::Unknown, |failure| failure.class),
    };
    let cure = match moved_to(&body["parameters"], description) {
        Some(chat) if is_refusal => Some(Cure::Chat(chat)),
        _ if lacks_rights || code == 413 => Some(Cure::TextAlone),
        _ if code == 400 && says(description, &["can't parse entities"]) => Some(Cure::NoMarkup),
        _ if code == 400 && says(description, NOT_AS_MEDIA) => Some(Cure::Document),
        _ => None,
    };
    let denies_chat = class == Class::TargetGone && !topic_gone;
    let failure = Failure::new(class, format!("{code}: {}", excerpt(description))).with_status(reply.status);
    Err(Box::new(Refusal { failure, cure, denies_chat }))
}

/// "Not enough rights to send photos to the chat", `CHAT_SEND_PHOTOS_FORBIDDEN`, and the same for every other media.
fn may_not_send_media(description: &str) -> bool {
    let description = description.to_lowercase();
    description.contains("not enough rights to send ")
        || (description.contains("chat_send_") && description.contains("_forbidden"))
}

/// The wait as the parameters tell it, else the words, else the header.
fn throttled(body: &Value, description: &str, reply: &Reply, now: UtcMs) -> Class {
    let told = told_seconds(&body["parameters"]["retry_after"]);
    Class::Throttled { wait: told.or_else(|| wait_in_words(description)).or_else(|| reply.retry_after(now)) }
}

/// "Too Many Requests: retry after 20", `FLOOD_WAIT_20`.
fn wait_in_words(description: &str) -> Option<Duration> {
    let description = description.to_lowercase();
    let behind = |words: &&str| description.split_once(*words).map(|(_, rest)| rest.trim_start());
    let rest = ["retry after"].iter().chain(FLOOD).find_map(behind)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    told_seconds(&Value::from(rest[..end].trim_end_matches('.')))
}

/// The supergroup that a group became, from the parameter or from the words.
fn moved_to(parameters: &Value, description: &str) -> Option<String> {
    if let Some(chat) = number(&parameters["migrate_to_chat_id"]).filter(|chat| *chat != 0) {
        return Some(chat.to_string());
    }
    if !says(description, MOVED) {
        return None;
    }
    let id = &description[description.find("-100")?..];
    let digits = id[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len() - 1);
    id[..=digits].parse::<i64>().ok().map(|chat| chat.to_string())
}

fn says(description: &str, any_of: &[&str]) -> bool {
    let description = description.to_lowercase();
    any_of.iter().any(|words| description.contains(&words.to_lowercase()))
}

/// The id of the message, or of the first of an album.
pub(super) fn message_id(result: &Value) -> Option<String> {
    let message = if result.is_array() { &result[0] } else { result };
    message["message_id"].as_i64().map(|id| id.to_string())
}
