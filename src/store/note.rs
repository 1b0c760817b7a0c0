//! What was done by hand, as a row of `acts` tells it.

/// What was done.
#[derive(Default)]
pub(super) struct Act<'a> {
    pub verb: &'a str,
    pub job: Option<&'a str>,
    pub push_id: Option<i64>,
    pub fire_id: Option<i64>,
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
}
