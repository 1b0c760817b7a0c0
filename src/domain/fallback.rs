//! Who gets the message of a push that ended badly.

use serde::{Deserialize, Serialize};

use super::message::Target;

/// A bad end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadState {
    Failed,
    Expired,
    Unknown,
}

impl BadState {
    pub const ALL: [BadState; 3] = [BadState::Failed, BadState::Expired, BadState::Unknown];

    /// The word used in YAML and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            BadState::Failed => "failed",
            BadState::Expired => "expired",
            BadState::Unknown => "unknown",
        }
    }
}

/// To whom the same message goes once a push has ended so, in the very form that `pushes.fallback` stores as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FallbackSpec {
    pub im: String,
    pub target: Target,
    /// The account that must be used, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default = "failed_and_expired")]
    pub after: Vec<BadState>,
}

/// What may have arrived is not said again unasked.
pub fn failed_and_expired() -> Vec<BadState> {
    vec![BadState::Failed, BadState::Expired]
}
