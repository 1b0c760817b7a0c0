//! What one send comes to: the platform's yes, or why there is none. A report is made of these once, in `deliver`.

use std::time::Duration;

use crate::domain::{Outcome, Report};

/// The platform's yes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The platform's own id of the message.
    pub message_id: Option<String>,
    /// In what other form than asked for it went out.
    pub note: Option<String>,
    pub http_status: Option<u16>,
}

impl Sent {
    pub fn new(message_id: Option<String>) -> Sent {
        Sent { message_id, ..Sent::default() }
    }

    pub fn with_status(self, status: u16) -> Sent {
        Sent { http_status: Some(status), ..self }
    }

    pub fn noting(self, note: Option<String>) -> Sent {
        Sent { note, ..self }
    }
}

/// Whose fault a failure is: the outcomes of an attempt that are no yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// This message never.
    Rejected,
    TargetGone,
    /// Another account may do.
    AccountDown,
    /// With the wait, if the platform told one.
    Throttled {
        wait: Option<Duration>,
    },
    /// Surely not sent.
    Unreachable,
    /// Perhaps sent.
    Unknown,
}

impl From<Class> for Outcome {
    fn from(class: Class) -> Outcome {
        match class {
            Class::Rejected => Outcome::Rejected,
            Class::TargetGone => Outcome::TargetGone,
            Class::AccountDown => Outcome::AccountDown,
            Class::Throttled { wait } => Outcome::Throttled { wait },
            Class::Unreachable => Outcome::Unreachable,
            Class::Unknown => Outcome::Unknown,
        }
    }
}

/// Why there is no yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    /// In one line for people: what the platform said, without any secret.
    pub error: String,
    pub http_status: Option<u16>,
    /// Of a message that is out, but not as it should be.
    pub message_id: Option<String>,
}

impl Failure {
    pub fn new(class: Class, error: impl Into<String>) -> Failure {
        Failure { class, error: error.into(), http_status: None, message_id: None }
    }

    pub fn rejected(error: impl Into<String>) -> Failure {
        Failure::new(Class::Rejected, error)
    }

    pub fn target_gone(error: impl Into<String>) -> Failure {
        Failure::new(Class::TargetGone, error)
    }

    pub fn account_down(error: impl Into<String>) -> Failure {
        Failure::new(Class::AccountDown, error)
    }

    pub fn throttled(wait: Option<Duration>, error: impl Into<String>) -> Failure {
        Failure::new(Class::Throttled { wait }, error)
    }

    pub fn unreachable(error: impl Into<String>) -> Failure {
        Failure::new(Class::Unreachable, error)
    }

    pub fn unknown(error: impl Into<String>) -> Failure {
        Failure::new(Class::Unknown, error)
    }

    pub fn with_status(self, status: u16) -> Failure {
        Failure { http_status: Some(status), ..self }
    }

    /// The same, laid at another door.
    pub fn classed(self, class: Class) -> Failure {
        Failure { class, ..self }
    }

    /// The same of a call that nobody sees, made before the message itself is sent: whatever became of the call, the
    /// message is surely not out.
    pub fn before_the_send(self) -> Failure {
        match self.class {
            Class::Unknown => self.classed(Class::Unreachable),
            _ => self,
        }
    }
}

impl From<Sent> for Report {
    fn from(Sent { message_id, note, http_status }: Sent) -> Report {
        Report { note, http_status, ..Report::sent(message_id) }
    }
}

impl From<Failure> for Report {
    fn from(Failure { class, error, http_status, message_id }: Failure) -> Report {
        Report { http_status, message_id, ..Report::failed(class.into(), error) }
    }
}

/// The report of a delivery that is one send.
pub(crate) fn report(done: Result<Sent, Failure>) -> Report {
    done.map_or_else(Report::from, Report::from)
}
