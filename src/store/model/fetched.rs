//! Lists of days that are fetched.

use crate::domain::UtcMs;

/// What the fetches of a calendar came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedCalendar {
    pub name: String,
    pub url: String,
    /// The last good version, if there was one.
    pub list: Option<String>,
    /// When it was last fetched without trouble.
    pub good_at: Option<UtcMs>,
    pub tried_at: UtcMs,
    /// What was the matter with the last fetch.
    pub error: Option<String>,
}

/// One fetch of a calendar.
#[derive(Clone, Debug)]
pub struct NoteFetch {
    pub name: String,
    pub url: String,
    /// A new version, nothing new, or what was the matter.
    pub came: Result<Option<String>, String>,
}
