//! Who does something.

use std::fmt;

use crate::store::By;

/// Whoever asked for an act, and by which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A person at a shell of this machine.
    CommandLine { uid: u32 },
    /// A process of this machine, on the daemon's own socket.
    Socket { uid: u32, request: String },
    /// Whoever has a token, over HTTP.
    Token { name: String, request: String },
    /// Whoever is signed in at the page.
    Person { name: String, request: String },
}

impl Actor {
    /// As the rows of acts name them.
    pub(crate) fn by(&self) -> By {
        match self {
            Actor::CommandLine { uid } => By { actor: format!("uid {uid}"), via: "cli", request: None },
            Actor::Socket { uid, request } => {
                By { actor: format!("uid {uid}"), via: "socket", request: Some(request.clone()) }
            }
            Actor::Token { name, request } => By { actor: name.clone(), via: "token", request: Some(request.clone()) },
            Actor::Person { name, request } => By { actor: name.clone(), via: "web", request: Some(request.clone()) },
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let By { actor, via, .. } = self.by();
        write!(f, "{via} {actor}")
    }
}
