//! What DingTalk answers, and what that means.

use std::time::Duration;

use super::pace::SHUT_OUT;
use crate::domain::UtcMs;
use crate::senders::shared::failure::{Class, Failure, Sent};
use crate::senders::shared::http::{LONGEST_WAIT, Reply};
use crate::senders::shared::verdict::{Fields, No, Verdict, number};

const FIELDS: Fields = Fields { codes: &["errcode"], yes: 0 };
const TOO_FAST: i64 = 130101;

/// HTTP 200 is no yes: `errcode` decides, where nothing else says no.
pub(super) fn judge(reply: &Reply, now: UtcMs) -> Result<Sent, Failure> {
    let body = reply.json().unwrap_or_default();
    // Seen in the wild beside or instead of a code: {"status":1111,"wait":5,"punish":"deny"}.
    let is_shut_out = number(&body["status"]) == Some(1111)
        || body["punish"].as_str().is_some_and(|word| word.eq_ignore_ascii_case("deny"));
    let no = match FIELDS.read(&body) {
        Verdict::No(no) if no.is_own => Some(no),
        _ if is_shut_out => Some(No { code: TOO_FAST, is_own: true, words: "shut out (punish: deny)".to_owned() }),
        Verdict::Yes if reply.is_success() => return Ok(Sent::new(None).with_status(reply.status)),
        Verdict::No(no) if reply.is_success() => Some(no),
        _ => None,
    };
    let Some(no) = no else { return Err(reply.unreadable(now)) };
    let mut class = class_of(no.own_code(), &no.words);
    if let Class::Throttled { wait: Some(wait) } = &mut class {
        // The ten minutes are DingTalk's rule; what an answer tells can only be longer.
        let told = number(&body["wait"]).and_then(|told| u64::try_from(told).ok()).map(Duration::from_secs);
        let told = told.max(reply.retry_after(now)).unwrap_or_default();
        *wait = told.clamp(*wait, LONGEST_WAIT);
    }
    Err(Failure::new(class, no.told("")).with_status(reply.status))
}

fn class_of(code: i64, said: &str) -> Class {
    match code {
        -1 => Class::Unknown,
        410100 | TOO_FAST => Class::Throttled { wait: Some(SHUT_OUT) },
        // One code for four checks; only the keyword is a matter of the message.
        310000 if said.to_lowercase().contains("keyword") || said.contains("关键词") => Class::Rejected,
        310000 => Class::AccountDown,
        400013 => Class::TargetGone,
        // The token, the robot, and the day's quota.
        300001 | 300005 | 400101 | 400102 | 400106 | 90030 => Class::AccountDown,
        // 400105 message type, 430101 to 430104 content refused, and what else may come.
        _ => Class::Rejected,
    }
}
