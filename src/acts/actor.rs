//! Who does something.

use std::fmt;

/// Whoever asked for an act, and by which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A person at a shell of this machine.
    CommandLine { uid: u32 },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::CommandLine { uid } => write!(f, "cli uid {uid}"),
        }
    }
}
