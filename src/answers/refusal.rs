//! Why a question has no answer, or an act was not done.

use std::error::Error;

use crate::store::StoreError;

/// What stands in the way: a shell tells these apart by its exit code, a program on the network by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked makes no sense, whatever there is.
    Senseless,
    /// There is no such job, push or account.
    NotFound,
    /// It is there, but not in a state that allows this.
    NotAllowed,
    /// The database is out of reach; the same may work later.
    OutOfReach,
    /// The configuration cannot be used.
    BadConfig,
    /// A bug of ours, or of the system.
    Broken,
}

/// Why something was not done, and the sentence that says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub kind: Kind,
    text: String,
}

impl Refusal {
    pub fn new(kind: Kind, text: impl Into<String>) -> Refusal {
        Refusal { kind, text: text.into() }
    }

    /// An error with its causes.
    pub fn of(kind: Kind, error: &(dyn Error + 'static)) -> Refusal {
        Refusal::new(kind, with_causes(error))
    }
}

/// What an error of the store means to who asked.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let kind = match error {
            StoreError::Open { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Unavailable(_)
            | StoreError::Unreadable { .. } => Kind::OutOfReach,
            StoreError::Refused(_) => Kind::Broken,
            StoreError::NotFound(_) => Kind::NotFound,
            StoreError::NotAllowed(_) => Kind::NotAllowed,
        };
        Refusal::of(kind, &error)
    }
}

/// The text of an error, and of its causes where it does not end in theirs already.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
