//! What an attempt learned. Senders report facts; `policy::retry` decides what follows from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The seven things that an attempt can have learned (design §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The platform itself said yes.
    Sent,
    /// This message never: its form or content is refused.
    Rejected,
    /// The target cannot be reached by anyone: group dissolved, user gone.
    TargetGone,
    /// This account cannot send now; another one may.
    AccountDown,
    /// Slow down; with the wait if the platform told one.
    Throttled { wait: Option<Duration> },
    /// Surely not sent: nothing of the request reached the platform.
    Unreachable,
    /// Perhaps sent. Never guessed either way.
    Unknown,
}

impl Outcome {
    /// The word stored in `attempts.outcome`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Rejected => "rejected",
            Outcome::TargetGone => "target_gone",
            Outcome::AccountDown => "account_down",
            Outcome::Throttled { .. } => "throttled",
            Outcome::Unreachable => "unreachable",
            Outcome::Unknown => "unknown",
        }
    }
}

/// The whole answer of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub outcome: Outcome,
    /// Why, in one line for people: what the platform said, without any secret. None when sent.
    pub error: Option<String>,
    pub http_status: Option<u16>,
    /// The platform's own id of the message.
    pub message_id: Option<String>,
    /// A word on how the message went out when not as asked: `voice as file`, `markdown as text`.
    pub note: Option<String>,
    /// For messages that go out in several parts: the result of every part known so far, earlier attempts
    /// included. May be empty for a message in one part.
    pub parts: Vec<PartReport>,
}

impl Report {
    pub fn sent(message_id: Option<String>) -> Report {
        Report { outcome: Outcome::Sent, error: None, http_status: None, message_id, note: None, parts: Vec::new() }
    }

    pub fn failed(outcome: Outcome, error: impl Into<String>) -> Report {
        Report {
            outcome,
            error: Some(error.into()),
            http_status: None,
            message_id: None,
            note: None,
            parts: Vec::new(),
        }
    }

    /// The report of an attempt whose sender had no last word (a kill, a stop, a breakdown), after attempts that left
    /// these parts: the first that they left unsent may be out since.
    pub fn in_doubt_after(mut self, earlier: &[PartReport]) -> Report {
        if self.outcome == Outcome::Unknown && self.parts.is_empty() {
            self.parts = earlier.to_vec();
            if let Some(next) = self.parts.iter_mut().find(|part| !part.is_sent()) {
                self.outcome.as_str().clone_into(&mut next.outcome);
            }
        }
        self
    }

    /// The same of a call that nobody sees, made before the message itself is sent: whatever became of the call, the
    /// message is surely not out.
    pub fn before_the_send(mut self) -> Report {
        if self.outcome == Outcome::Unknown {
            self.outcome = Outcome::Unreachable;
        }
        self
    }

    pub fn with_status(mut self, status: u16) -> Report {
        self.http_status = Some(status);
        self
    }
}

/// The result of one part of a split text or a mixed message, stored in `pushes.parts` as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// What the part is: `text`, `image`, …
    #[serde(default)]
    pub part: String,
    /// An outcome word; a part not yet tried has no report.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl PartReport {
    pub fn is_sent(&self) -> bool {
        self.outcome == "sent"
    }
}
