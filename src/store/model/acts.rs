//! Who did what, and requests that are carried out once.

/// Who does something by hand, and by which door; what a row of `acts` says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub actor: String,
    /// `cli`, `socket`, `token` or `web`.
    pub via: &'static str,
    /// The id of the request over HTTP.
    pub request: Option<String>,
}

/// A request that is carried out once, however often it comes. Both are SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Of who asked, where, and the key that came along.
    pub key: String,
    /// Of what was asked for.
    pub payload: String,
}

/// What became of a request that has a key. The ids are those of its pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    Recorded(Vec<i64>),
    /// It was carried out before.
    Replayed(Vec<i64>),
    /// The key stands for something else; nothing was done.
    Other,
}
