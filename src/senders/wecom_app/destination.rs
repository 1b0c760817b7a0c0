//! Where a push goes, and what counts for it.

use std::time::Duration;

use crate::domain::Target;
use crate::domain::limits::{CHATS, EVERYONE, Quota, Window};

const MINUTE: Duration = Duration::from_secs(60);
const MEMBER_WINDOWS: &[Window] = &[Window::coarse(30, MINUTE), Window::coarse(1000, Duration::from_secs(3600))];
const CHAT_WINDOWS: &[Window] = &[Window::coarse(200, MINUTE), Window::coarse(10_000, Duration::from_secs(24 * 3600))];

/// The windows in which sends to a subject are counted.
pub(super) fn windows_of(subject: &str) -> &'static [Window] {
    if subject == CHATS { CHAT_WINDOWS } else { MEMBER_WINDOWS }
}

/// Where a push goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination<'a> {
    /// A field of `message/send` and its value.
    Members {
        field: &'static str,
        ids: &'a str,
    },
    Chat(&'a str),
}

impl<'a> Destination<'a> {
    pub(super) fn of(target: &'a Target) -> Destination<'a> {
        match target {
            Target::User(ids) => Destination::Members { field: "touser", ids },
            Target::Group(group) => match group.split_once(':') {
                Some(("party", ids)) => Destination::Members { field: "toparty", ids },
                Some(("tag", ids)) => Destination::Members { field: "totag", ids },
                _ => Destination::Chat(group),
            },
        }
    }

    pub(super) fn quota(&self) -> Quota<'a> {
        match *self {
            Destination::Chat(_) => Quota { windows: CHAT_WINDOWS, subjects: vec![CHATS] },
            Destination::Members { field: "touser", ids } if ids != EVERYONE => {
                Quota { windows: MEMBER_WINDOWS, subjects: members(ids).collect() }
            }
            Destination::Members { .. } => Quota { windows: MEMBER_WINDOWS, subjects: vec![EVERYONE] },
        }
    }
}

pub(super) fn members(ids: &str) -> impl Iterator<Item = &str> {
    ids.split('|').map(str::trim).filter(|id| !id.is_empty())
}
