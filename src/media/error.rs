//! What keeps a message's media from its sender.

use crate::domain::{Outcome, Report};

/// Why a message's media cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{item}: {problem}")]
pub struct MediaError {
    /// Which media, for people: `image`, `item 3 (voice)`, `cover of video`. Items count from 1.
    pub item: String,
    pub problem: Problem,
}

impl MediaError {
    /// The report of an attempt that ended here: nothing was sent.
    pub fn report(&self) -> Report {
        let outcome = match self.problem {
            Problem::Rejected(_) => Outcome::Rejected,
            Problem::Unreachable(_) => Outcome::Unreachable,
        };
        Report::failed(outcome, self.to_string())
    }
}

/// What is wrong with one media, in one line for people that shows no more of an address than its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The same source will be refused again: forbidden, too large, not what it is said to be, gone for good.
    #[error("{0}")]
    Rejected(String),
    /// The source may come back: no answer, a server in trouble, or a file that is not there (yet): a report may be
    /// written a minute after its job fires.
    #[error("{0}")]
    Unreachable(String),
}

impl Problem {
    pub(super) fn rejected(text: impl Into<String>) -> Problem {
        Problem::Rejected(text.into())
    }

    pub(super) fn unreachable(text: impl Into<String>) -> Problem {
        Problem::Unreachable(text.into())
    }
}
