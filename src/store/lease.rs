//! Who may drive a database: one process at a time. How the others are kept out is the backend's.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use super::error::StoreError;
use super::pause::Pause;
use crate::domain::Database;

/// What a process holds a database for; others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Daemon,
    /// One push by hand: others may wait for it.
    Push,
    /// A verb that brings the schema up to date.
    Upgrade,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Daemon => "daemon",
            Purpose::Push => "push",
            Purpose::Upgrade => "upgrade",
        }
    }
}

/// The right to drive a database, for as long as this lives. It ends with the process, however that ends.
pub trait Lease: fmt::Debug + Send + Sync {
    /// Comes back when the right, or what it was given for, is lost while it is held, and at no other time.
    fn until_lost(&self, pause: Arc<Pause>) -> UntilLost;
}

/// What ends when a lease is lost.
pub type UntilLost = Pin<Box<dyn Future<Output = Lost> + Send>>;

/// What is lost of a database that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The database itself: it is no longer where it was, or no longer ours, and what is written goes where nobody looks.
    Database,
    /// A log beside it, where it has one. Whoever opens the database now sees nothing of what is in the old one; who
    /// holds that open still copies it into the database at its close.
    Log(PathBuf),
}

/// Who holds a database, in the words that it left there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub words: String,
    /// Not so a push by hand, which takes up nobody's rows but its own.
    pub is_daemon: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Why a database may not be driven from here.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("another pushcron ({holder}) holds {database}; stop it first, or give this one its own database")]
    Held { database: Database, holder: Holder },
    /// Somebody holds it who does not say who it is, `how` it may come to that.
    #[error("{database} is in use by another pushcron, {how}; stop it first")]
    HeldUnseen { database: Database, how: &'static str },
    /// Its name means nothing that could be held.
    #[error("{0}")]
    Place(#[from] StoreError),
    /// What keeps others out cannot be had.
    #[error("{0}")]
    Unavailable(String),
}
