//! Who asks: by a token, or as a user of this machine on the socket.

use super::page::Person;
use super::state::Accepted;
use crate::acts::Actor;
use crate::config::{WebScope, WebToken};
use crate::domain::hex::sha256;
use crate::net::hosts;
use crate::net::http1::{Head, Peer, bearer, header};

/// Somebody who may ask.
#[derive(Clone, Debug)]
pub(super) enum Who {
    Token(WebToken),
    Socket {
        uid: u32,
    },
    /// Signed in at the page.
    Person(Person),
}

/// Why nobody is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    NoToken,
    WrongToken,
}

impl Who {
    /// Whoever a head is from.
    ///
    /// # Errors
    ///
    /// [`Unknown`] where nobody is known by what it says.
    pub(super) fn of(head: &Head, accepted: &Accepted) -> Result<Who, Unknown> {
        let mut fields = head.headers.get_all(header::AUTHORIZATION).iter();
        match (fields.next(), fields.next()) {
            (Some(field), None) => {
                // A token has 256 random bits: who knows its digest knows nothing, and the look-up may take what it takes.
                let digest = bearer(field).map(|token| sha256(token.as_bytes())).ok_or(Unknown::WrongToken)?;
                let known = accepted.settings.tokens.iter().find(|known| known.sha256 == digest);
                known.cloned().map(Who::Token).ok_or(Unknown::WrongToken)
            }
            (Some(_), Some(_)) => Err(Unknown::WrongToken),
            (None, _) => Who::on_socket(head, accepted).ok_or(Unknown::NoToken),
        }
    }

    /// A user of the socket, by the word of the kernel.
    pub(super) fn on_socket(head: &Head, accepted: &Accepted) -> Option<Who> {
        match head.extensions.get::<Peer>() {
            Some(Peer::Unix { uid: Some(uid) })
                if accepted.socket_uids.contains(uid) && sign_of_a_proxy(head).is_none() =>
            {
                Some(Who::Socket { uid: *uid })
            }
            _ => None,
        }
    }

    /// Why a user of the socket is not known by the word of the kernel; None of whoever came another way.
    pub(super) fn why_not_on_socket(head: &Head, accepted: &Accepted) -> Option<String> {
        let Some(Peer::Unix { uid: Some(uid) }) = head.extensions.get::<Peer>() else { return None };
        if !accepted.socket_uids.contains(uid) {
            return Some(format!("user {uid} is not among daemon.web.socket_users, who need no token on the socket"));
        }
        let sign = sign_of_a_proxy(head)?;
        Some(format!("{sign} tells of a proxy, behind which user {uid} of the socket may be anybody"))
    }

    pub(super) fn may(&self, needs: Needs) -> bool {
        let scope = match self {
            Who::Token(token) => token.scope,
            Who::Person(person) => person.scope,
            Who::Socket { .. } => return true,
        };
        match needs {
            Needs::Read => scope != WebScope::Push,
            Needs::Act => scope == WebScope::Act,
            Needs::Push => scope == WebScope::Push,
            Needs::OwnPush => true,
        }
    }

    /// Whose rates these are.
    pub(super) fn name(&self) -> String {
        match self {
            Who::Token(token) => format!("token {}", token.name),
            Who::Socket { uid } => format!("socket {uid}"),
            Who::Person(person) => format!("user {}", person.name),
        }
    }

    pub(super) fn actor(&self, request: &str) -> Actor {
        let request = request.to_owned();
        match self {
            Who::Token(token) => Actor::Token { name: token.name.clone(), request },
            Who::Socket { uid } => Actor::Socket { uid: *uid, request },
            Who::Person(person) => Actor::Person { name: person.name.clone(), request },
        }
    }
}

/// What tells of a proxy: through one the whole world would be the user as whom it runs.
fn sign_of_a_proxy(head: &Head) -> Option<String> {
    const FIELDS: [(&str, &str); 5] = [
        ("forwarded", "Forwarded"),
        ("x-forwarded-for", "X-Forwarded-For"),
        ("x-forwarded-host", "X-Forwarded-Host"),
        ("x-real-ip", "X-Real-IP"),
        ("via", "Via"),
    ];
    let field = FIELDS.iter().find(|(name, _)| head.headers.contains_key(*name));
    let foreign = || hosts::named(head).find(|host| !hosts::is_this_machine(host)).map(|host| format!("Host '{host}'"));
    field.map(|(_, spelt)| (*spelt).to_owned()).or_else(foreign)
}

/// What one must be allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Read,
    Act,
    Push,
    /// To read, or to have made that push.
    OwnPush,
}
