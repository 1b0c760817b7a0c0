//! The envelope of answers and the error table (sheet weixin.md C4).

use std::time::Duration;

use serde_json::Value;

use crate::domain::Outcome;
use crate::senders::shared::failure::Class;
use crate::senders::shared::secrets::Secrets;
use crate::senders::shared::verdict::Fields;

/// The first wait after "too often".
const COOL_DOWN: Duration = Duration::from_secs(60);

/// The class of an `errcode` other than 0 (sheet C4). Unlisted codes are the message's fault: repeating them helps nobody.
pub(crate) fn class_of(code: i64) -> Class {
    match code {
        // Busy; two writers met.
        -1 | 6000 => Class::Throttled { wait: None },
        // Too often; too many at once.
        45009 | 45033 => Class::Throttled { wait: Some(COOL_DOWN) },
        // Secret, corporation, application or token wrong; no permission, application off; address not trusted.
        40001 | 40013 | 40014 | 40056 | 41011 | 42001 | 48002 | 50003 | 60020 | 301_002 => Class::AccountDown,
        // The robot is not known, switched off, or no longer in its group: no message of this account will pass.
        93000 | 93004 | 93008 => Class::AccountDown,
        // No such member, no such chat.
        40003 | 60111 | 81013 | 86001 | 86003 | 86008 => Class::TargetGone,
        _ => Class::Rejected,
    }
}

/// The token is void: a new one cures it (C1).
pub(crate) fn is_token_error(code: i64) -> bool {
    matches!(code, 40001 | 40014 | 42001)
}

/// The uploaded media is gone: another upload cures it.
pub(crate) fn is_media_gone(code: i64) -> bool {
    code == 40007
}

pub(super) const FIELDS: Fields = Fields { codes: &["errcode"], yes: 0 };

/// An answer whose verdict was read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `errcode`, or [`NO_CODE`](crate::senders::shared::verdict::NO_CODE) where it says no in another way.
    pub code: i64,
    /// As it came.
    pub body: Value,
    pub status: u16,
    /// Why not, as it may be shown.
    pub refusal: String,
    /// The wait that the answer's head asks for.
    pub told: Option<Duration>,
    pub secrets: Secrets,
}

impl Answer {
    /// What it means for a send.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.code == 0 { Outcome::Sent } else { class_of(self.code).into() }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// What the answer holds, as it may be shown.
    pub(crate) fn show(&self, text: &str) -> String {
        self.secrets.hide_in_text(text).into_owned()
    }
}
