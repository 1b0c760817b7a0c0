//! What a homeserver answers, and whose fault a refusal is (`protocols/others.md` §6).

use std::time::Duration;

use serde_json::Value;

use crate::domain::UtcMs;
use crate::senders::shared::failure::{Class, Failure};
use crate::senders::shared::http::{Reply, excerpt, wait_of};

pub(super) struct Refusal {
    pub errcode: String,
    pub failure: Failure,
}

/// The body of a good answer, or why there is none.
pub(super) fn judge(reply: &Reply, now: UtcMs) -> Result<Value, Box<Refusal>> {
    let body = reply.json();
    let errcode = body.as_ref().and_then(|body| body["errcode"].as_str()).unwrap_or_default().to_owned();
    if reply.is_success() {
        let error = match body {
            Some(body) if errcode.is_empty() => return Ok(body),
            Some(_) => format!("the answer says yes and no in one: {}", reply.excerpt()),
            None => format!("unreadable answer: {}", reply.excerpt()),
        };
        return Err(Box::new(Refusal { errcode, failure: Failure::unknown(error).with_status(reply.status) }));
    }
    let body = body.unwrap_or_default();
    // The header wins over the field, which is deprecated since 1.10.
    let throttled = || Class::Throttled { wait: reply.retry_after(now).or_else(|| told_wait(&body)) };
    let class = match (errcode.as_str(), reply.status) {
        // The second is a quota, which is free again after a while.
        ("M_LIMIT_EXCEEDED" | "M_USER_LIMIT_EXCEEDED", _) | (_, 429) => Some(throttled()),
        (
            "M_UNKNOWN_TOKEN"
            | "M_MISSING_TOKEN"
            | "M_USER_SUSPENDED"
            | "M_USER_LOCKED"
            | "M_USER_DEACTIVATED"
            | "M_CONSENT_NOT_GIVEN"
            | "M_RESOURCE_LIMIT_EXCEEDED",
            _,
        ) => Some(Class::AccountDown),
        ("M_FORBIDDEN" | "M_INVITE_BLOCKED", 403) | ("M_NOT_FOUND", 404) => Some(Class::TargetGone),
        _ => None,
    };
    let mut failure = reply.unreadable(now);
    if let Some(class) = class {
        failure.class = class;
    }
    if !errcode.is_empty() {
        let said = excerpt(body["error"].as_str().unwrap_or_default());
        failure.error = format!("{errcode}: {said}{}", advice(&errcode, &body));
    }
    Err(Box::new(Refusal { errcode, failure }))
}

/// `retry_after_ms`: a whole number by the specification, a fraction or a text from some.
fn told_wait(body: &Value) -> Option<Duration> {
    let told = &body["retry_after_ms"];
    let ms = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok())?;
    wait_of(ms / 1000.0)
}

/// What the server wants done, where it says so in a field of its own.
fn advice(errcode: &str, body: &Value) -> String {
    let field = |key: &str, words: &str| match body[key].as_str() {
        Some(text) => format!(" ({words} {})", excerpt(text)),
        None => String::new(),
    };
    match errcode {
        "M_UNKNOWN_TOKEN" | "M_USER_LOCKED" if body["soft_logout"] == true => {
            " (log in again as the same device: a new one does not know what the old one sent)".to_owned()
        }
        "M_CONSENT_NOT_GIVEN" => field("consent_uri", "agree at"),
        "M_RESOURCE_LIMIT_EXCEEDED" => field("admin_contact", "ask"),
        _ => String::new(),
    }
}

/// A field without which an answer to a preparing call is worthless.
pub(super) fn text_of(answer: &Value, key: &str) -> Result<String, Failure> {
    let missing = || Failure::unreachable(format!("the server's answer has no {key}"));
    answer[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(missing)
}
