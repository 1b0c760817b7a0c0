//! What a process wants with a database.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Create it where there is none, bring its schema up to date, see that it is sound.
    Daemon,
    /// Create it where there is none, bring its schema up to date unless somebody runs on it.
    Write,
    /// Read one that is there.
    Read,
}
