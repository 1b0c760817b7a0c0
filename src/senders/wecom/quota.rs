//! What a send of WeCom's counts for.

use crate::senders::shared::sliding::Window;

/// What a send counts for, and how often that may be.
pub struct Quota<'a> {
    pub windows: &'static [Window],
    /// Members, or one of the words below.
    pub subjects: Vec<&'a str>,
}

/// The subject of sends that count for every member: `@all`, departments, tags.
pub const EVERYONE: &str = "@all";
/// The subject of sends to chats, whose members are not known: they count together and apart from all others.
pub const CHATS: &str = "chats";
