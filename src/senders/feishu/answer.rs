//! What Feishu answers, and what that means.

use std::time::Duration;

use serde_json::Value;

use crate::domain::UtcMs;
use crate::senders::shared::failure::{Class, Failure};
use crate::senders::shared::http::Reply;
use crate::senders::shared::secrets::Secrets;
use crate::senders::shared::verdict::{Fields, Verdict};

/// A no.
pub struct Refusal {
    /// Feishu's own code, where it gave one.
    pub code: Option<i64>,
    /// Whether a table of the sheet names that code.
    pub is_known: bool,
    pub failure: Failure,
}

/// The oldest webhooks spell it the other way only.
const FIELDS: Fields = Fields { codes: &["code", "StatusCode"], yes: 0 };

/// A yes.
pub(crate) struct Answer {
    /// As it came.
    pub body: Value,
    secrets: Secrets,
}

impl Answer {
    /// A text in it, as it may be shown.
    pub(crate) fn shown(&self, pointer: &str) -> Option<String> {
        Some(self.secrets.hide_in_text(self.body.pointer(pointer)?.as_str()?).into_owned())
    }
}

/// The body of a yes, or why there is none. HTTP 200 is no yes: `code` decides, where nothing else says no.
pub(crate) fn judge(reply: &Reply, now: UtcMs) -> Result<Answer, Box<Refusal>> {
    let (mut code, mut is_known) = (None, false);
    let failure = match FIELDS.read(&reply.json().unwrap_or_default()) {
        Verdict::Yes if reply.is_success() => {
            let body = reply.json_as_it_came().unwrap_or_default();
            return Ok(Answer { body, secrets: reply.secrets().clone() });
        }
        Verdict::No(no) if no.is_own || reply.is_success() => {
            code = no.is_own.then_some(no.code);
            let named = code.and_then(|code| class_of(code, &no.words, reply, now));
            is_known = named.is_some();
            let class = match (named, reply.status) {
                (Some(class), _) => class,
                (None, 500..) => Class::Unknown,
                (None, _) => Class::Rejected,
            };
            Failure::new(class, no.told("")).with_status(reply.status)
        }
        _ => {
            let mut failure = reply.unreadable(now);
            if let Class::Throttled { wait } = &mut failure.class {
                *wait = told_wait(reply, now);
            }
            failure
        }
    };
    Err(Box::new(Refusal { code, is_known, failure }))
}

/// The codes of both tables of §2; None for those that stand in neither.
fn class_of(code: i64, said: &str, reply: &Reply, now: UtcMs) -> Option<Class> {
    let throttled = || Class::Throttled { wait: told_wait(reply, now) };
    Some(match code {
        // A public adapter takes 9499 for a rate limit too, the documents call it a bad request (unconfirmed).
        9499 if says_slow_down(said) => throttled(),
        9499 => Class::Rejected,
        11232 | 11247 | 99991400 | 230020 => throttled(),
        // The signature (or the clock), and the machine's address: no message will pass.
        19021 | 19022 => Class::AccountDown,
        // The webhook is not known: the bot was removed.
        19001 => Class::AccountDown,
        19024 => Class::Rejected,
        TOKEN_INVALID | TOKEN_INVALID_TOO => Class::AccountDown,
        230002 | 230013 | 232009 => Class::TargetGone,
        230006 => Class::AccountDown,
        code if REJECTED.contains(&code) => Class::Rejected,
        _ => return None,
    })
}

/// Parameter, sensitive content, too long, no permission, content that must not leave (DLP).
const REJECTED: [i64; 5] = [230001, 230022, 230025, 230027, 230028];

const TOKEN_INVALID: i64 = 99991663;
const TOKEN_INVALID_TOO: i64 = 99991671;

impl Refusal {
    /// A new token cures it, and the refusal proves that the call did nothing.
    pub fn is_of_the_token(&self) -> bool {
        matches!(self.code, Some(TOKEN_INVALID | TOKEN_INVALID_TOO))
    }
}

impl From<Failure> for Box<Refusal> {
    fn from(failure: Failure) -> Box<Refusal> {
        Box::new(Refusal { code: None, is_known: false, failure })
    }
}

fn says_slow_down(said: &str) -> bool {
    let said = said.to_lowercase();
    ["rate", "frequen", "too many", "频"].iter().any(|word| said.contains(word))
}

/// Feishu's own header, or the one of everybody.
fn told_wait(reply: &Reply, now: UtcMs) -> Option<Duration> {
    reply.wait_in("x-ogw-ratelimit-reset", now).or_else(|| reply.retry_after(now))
}
