//! Who is signed in. Sessions are in memory alone: a restart ends them all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::{WebScope, WebSettings};
use crate::domain::Moment;
use crate::domain::hex::sha256;

const IDLE: Duration = Duration::from_secs(12 * 3600);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// The one that was seen longest ago makes room.
const MOST: usize = 64;

/// Whoever signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Person {
    pub name: String,
    pub scope: WebScope,
    /// The hash by which they signed in, of a user of the files. None: by a link that `pushcron web open` made.
    pub password: Option<String>,
}

impl Person {
    /// Whether the configuration in force still lets them in as what they were.
    fn is_known(&self, settings: &WebSettings) -> bool {
        let Some(password) = &self.password else { return true };
        let mut users = settings.users.iter();
        users.any(|user| user.name == self.name && user.password == *password && user.scope == self.scope)
    }
}

struct Session {
    person: Person,
    began: Moment,
    seen: Moment,
}

impl Session {
    fn is_over(&self, now: Moment) -> bool {
        now.since(self.seen) > IDLE || now.since(self.began) > LONGEST
    }
}

/// The sessions, by the SHA-256 of their ids.
#[derive(Default)]
pub(in crate::web) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Begins a session that has this id.
    pub(in crate::web) fn begin(&self, id: &str, person: Person, now: Moment) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| id.clone());
            oldest.map(|id| sessions.remove(&id));
        }
        sessions.insert(sha256(id.as_bytes()), Session { person, began: now, seen: now });
    }

    /// Whose session this is. One that is over is forgotten, and so is that of somebody whom the configuration knows no more.
    pub(in crate::web) fn of(&self, id: &str, settings: &WebSettings, now: Moment) -> Option<Person> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = sha256(id.as_bytes());
        let session = sessions.get_mut(&id)?;
        if session.is_over(now) || !session.person.is_known(settings) {
            sessions.remove(&id);
            return None;
        }
        session.seen = now;
        Some(session.person.clone())
    }

    /// Whether somebody is still let in by this session; asking does not prolong it.
    pub(in crate::web) fn lives(&self, id: &str, settings: &WebSettings, now: Moment) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&sha256(id.as_bytes()));
        session.is_some_and(|session| !session.is_over(now) && session.person.is_known(settings))
    }

    pub(in crate::web) fn end(&self, id: &str) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&sha256(id.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{WebListen, WebUser};

    fn settings(password: &str, scope: WebScope) -> WebSettings {
        WebSettings {
            listen: WebListen::Tcp("127.0.0.1:8600".parse().unwrap()),
            socket_mode: 0o660,
            public_url: None,
            trusted_proxies: vec![],
            socket_users: None,
            users: vec![WebUser { name: "alice".to_owned(), password: password.to_owned(), scope }],
            tokens: vec![],
            max_body: 1,
        }
    }

    fn alice() -> Person {
        Person { name: "alice".to_owned(), scope: WebScope::Act, password: Some("hash".to_owned()) }
    }

    fn at(hours: u64) -> Moment {
        Moment(Duration::from_secs(hours * 3600))
    }

    #[test]
    fn a_session_ends_when_it_is_idle_too_old_or_signed_out() {
        let (sessions, settings) = (Sessions::default(), settings("hash", WebScope::Act));
        sessions.begin("a", alice(), at(0));
        assert_eq!(sessions.of("b", &settings, at(1)), None);
        assert_eq!(sessions.of("a", &settings, at(12)), Some(alice()));
        assert_eq!(sessions.of("a", &settings, at(24)), Some(alice()), "it was used meanwhile");
        assert_eq!(sessions.of("a", &settings, at(37)), None);
        sessions.begin("b", alice(), at(0));
        for hour in 1..=168 {
            assert!(sessions.of("b", &settings, at(hour)).is_some(), "{hour}");
        }
        assert_eq!(sessions.of("b", &settings, at(169)), None, "after a week they sign in again");
        sessions.begin("c", alice(), at(0));
        sessions.end("c");
        assert_eq!(sessions.of("c", &settings, at(0)), None);
    }

    /// W07.
    #[test]
    fn a_changed_password_or_scope_and_a_user_who_is_gone_end_the_session() {
        let changes = [settings("other", WebScope::Act), settings("hash", WebScope::Read), {
            WebSettings { users: vec![], ..settings("hash", WebScope::Act) }
        }];
        for changed in changes {
            let sessions = Sessions::default();
            sessions.begin("a", alice(), at(0));
            assert_eq!(sessions.of("a", &changed, at(0)), None);
            assert_eq!(sessions.of("a", &settings("hash", WebScope::Act), at(0)), None, "it does not come back");
        }
    }

    #[test]
    fn sessions_do_not_heap_up() {
        let (sessions, settings) = (Sessions::default(), settings("hash", WebScope::Act));
        for number in 0..=MOST as u64 {
            sessions.begin(&number.to_string(), alice(), Moment(Duration::from_secs(number)));
        }
        assert_eq!(sessions.of("0", &settings, at(0)), None);
        assert!(sessions.of("1", &settings, at(0)).is_some());
    }
}
