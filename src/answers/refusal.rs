//! Why a question has no answer, or an act was not done.

use std::error::Error;

use crate::config::{COMMAND_LINE, ConfigErrors, Problem};
use crate::store::StoreError;
use crate::texts::{self, Text};

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
#[error("{}", .text.english())]
pub(crate) struct Refusal {
    pub kind: Kind,
    pub text: Text,
    /// Those of the files, each with its place, where they are what stands in the way.
    pub problems: Vec<Problem>,
    /// What was asked with that makes no sense, as a JSON pointer: the key of a mapping, for whoever sent one.
    pub pointer: Option<&'static str>,
}

impl Refusal {
    /// One that is told in English only.
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Refusal {
        Refusal::of_text(kind, Text::same(text.into()))
    }

    /// One that is told in every language.
    pub(crate) fn of_text(kind: Kind, text: Text) -> Refusal {
        Refusal { kind, text, problems: Vec::new(), pointer: None }
    }

    /// The same, of what stands there in what was said.
    pub(crate) fn at(self, pointer: &'static str) -> Refusal {
        Refusal { pointer: Some(pointer), ..self }
    }

    /// In other words, with the same problems.
    pub(crate) fn instead_of(self, text: &str) -> Refusal {
        Refusal { text: Text::same(text.to_owned()), ..self }
    }

    /// An error with its causes.
    pub(crate) fn of(kind: Kind, error: &(dyn Error + 'static)) -> Refusal {
        Refusal::new(kind, with_causes(error))
    }
}

/// What is wrong with a configuration, or with what somebody wants to add to it: then it makes no sense as it is said.
impl From<ConfigErrors> for Refusal {
    fn from(errors: ConfigErrors) -> Refusal {
        let are_of_what_was_said = errors.errors.iter().all(|problem| problem.file == COMMAND_LINE);
        if are_of_what_was_said && !errors.errors.is_empty() {
            let problems = errors.errors.into_iter().map(|problem| problem.message);
            return Refusal::of_text(Kind::Senseless, Text::joined(problems, &texts::between_problems()));
        }
        let text = texts::configuration_refused(errors.count());
        Refusal { problems: errors.errors, ..Refusal::of_text(Kind::BadConfig, text) }
    }
}

/// What an error of the store means to who asked.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let kind = match error {
            StoreError::Open { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Unavailable(_)
            | StoreError::TooLong
            | StoreError::Unreadable { .. } => Kind::OutOfReach,
            StoreError::Refused(_) => Kind::Broken,
            StoreError::NotFound(_) => Kind::NotFound,
            StoreError::NotAllowed(_) => Kind::NotAllowed,
        };
        Refusal::of(kind, &error)
    }
}

/// The text of an error, and of its causes where it does not end in theirs already.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
