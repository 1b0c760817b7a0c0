//! Fires, pushes and attempts: their states and the legal ways from one to the next.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fallback::BadState;
use super::job::{RetryPolicy, Trigger};
use super::message::{Message, Target};
use super::outcome::PartReport;
use super::reason::Reason;
use super::time::UtcMs;

/// What was decided about one instant of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Fired,
    Skipped,
    Missed,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Fired => "fired",
            Decision::Skipped => "skipped",
            Decision::Missed => "missed",
        }
    }
}

/// Where a push stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushState {
    Pending,
    Sending,
    Retrying,
    Sent,
    Failed,
    Unknown,
    Expired,
    Cancelled,
}

impl PushState {
    pub const ALL: [PushState; 8] = [
        PushState::Pending,
        PushState::Sending,
        PushState::Retrying,
        PushState::Sent,
        PushState::Failed,
        PushState::Unknown,
        PushState::Expired,
        PushState::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            PushState::Pending => "pending",
            PushState::Sending => "sending",
            PushState::Retrying => "retrying",
            PushState::Sent => "sent",
            PushState::Failed => "failed",
            PushState::Unknown => "unknown",
            PushState::Expired => "expired",
            PushState::Cancelled => "cancelled",
        }
    }

    pub fn parse(word: &str) -> Option<PushState> {
        PushState::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// A final push is never touched again but by `retry`, `resolve` and a later proof of delivery.
    pub fn is_final(self) -> bool {
        !matches!(self, PushState::Pending | PushState::Sending | PushState::Retrying)
    }
}

/// The rule that chose an account (design §4), stored with the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Explicit,
    MessageAccount,
    ImDefault,
    FirstOnline,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Explicit => "explicit",
            Rule::MessageAccount => "message_account",
            Rule::ImDefault => "im_default",
            Rule::FirstOnline => "first_online",
        }
    }
}

/// The legal ways out of `sending`: what `policy::retry` answers and the store writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Sent,
    Failed {
        reason: Reason,
    },
    Unknown {
        reason: Reason,
    },
    Expired {
        reason: Reason,
    },
    Cancelled {
        reason: Reason,
    },
    /// Due again at `at`; `reason` says why: an outcome's, [`Reason::Stopped`], [`Reason::NoSender`] …
    Retry {
        at: UtcMs,
        reason: Reason,
    },
}

impl Next {
    pub fn state(&self) -> PushState {
        match self {
            Next::Sent => PushState::Sent,
            Next::Failed { .. } => PushState::Failed,
            Next::Unknown { .. } => PushState::Unknown,
            Next::Expired { .. } => PushState::Expired,
            Next::Cancelled { .. } => PushState::Cancelled,
            Next::Retry { .. } => PushState::Retrying,
        }
    }

    /// The bad end after which a fallback may go out. What nobody wants any more has none, nor has what somebody may have
    /// sent in a database that was lost, nor a message that could not be made.
    pub fn calls_for_fallback(&self) -> Option<BadState> {
        let (state, reason) = match self {
            Next::Failed { reason } => (BadState::Failed, reason),
            Next::Expired { reason } => (BadState::Expired, reason),
            Next::Unknown { reason } => (BadState::Unknown, reason),
            Next::Sent | Next::Cancelled { .. } | Next::Retry { .. } => return None,
        };
        let is_unwanted = matches!(
            reason,
            Reason::JobRemoved
                | Reason::Content
                | Reason::Replaced
                | Reason::Restored
                | Reason::Unreadable
                | Reason::MisfireSkip
                | Reason::MisfireWindow
                | Reason::MisfireLatest
                | Reason::MisfireCap
                | Reason::NotSentInTime
                | Reason::EndedBySigint
                | Reason::EndedBySigterm
        );
        (!is_unwanted).then_some(state)
    }

    pub fn reason(&self) -> Option<Reason> {
        match self {
            Next::Sent => None,
            Next::Failed { reason }
            | Next::Unknown { reason }
            | Next::Expired { reason }
            | Next::Cancelled { reason }
            | Next::Retry { reason, .. } => Some(*reason),
        }
    }
}

/// All that a sender needs for one attempt of one push.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub push_id: i64,
    /// Attempt number, from 1.
    pub attempt: u32,
    /// Stable over every attempt of this push, unique across databases, without dots, at most 40 characters of
    /// `[A-Za-z0-9_-]`: the stem of every idempotency key (webhook-id, Matrix txnId, Feishu uuid).
    pub key: String,
    pub job: Option<String>,
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    pub im: String,
    pub target: Target,
    pub message: Message,
    /// The resolved files of `message.body.media()`, one for each, in that order.
    pub media: Vec<MediaFile>,
    /// The deadline of the whole attempt. A sender may need more for large media and says so in its docs.
    pub timeout: Duration,
    pub retry: RetryPolicy,
    pub max_attempts: u32,
    pub expires_at: UtcMs,
    /// When the push was made. No attempt came before, and a retry by hand does not change it: what a platform remembers of
    /// a key counts from the first send, and so at most from here.
    pub made_at: UtcMs,
    /// Results of parts from earlier attempts; parts that were sent are not sent again.
    pub parts: Vec<PartReport>,
    /// Why what it was to say could not be made: then it is not sent.
    pub unmade: Option<String>,
}

/// A media that was fetched, checked and measured, and lies in a local file for the time of the push.
#[derive(Clone, Debug)]
pub struct MediaFile {
    pub path: PathBuf,
    pub len: u64,
    pub filename: String,
    pub mime_type: String,
    /// Lower-case hex, over the whole content.
    pub sha256: String,
    /// The source as the user wrote it, where a platform can fetch it by itself (http and https only).
    pub url: Option<String>,
    /// The resolved cover of a video.
    pub cover: Option<Box<MediaFile>>,
}
