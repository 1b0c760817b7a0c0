//! The limits of what media may be.

use std::path::PathBuf;
use std::time::Duration;

/// What a [`super::Resolver`] may read, and how much of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Local files are read only below these directories. A relative path is one of the first directory.
    pub roots: Vec<PathBuf>,
    /// The largest media in bytes, whatever a platform would take.
    pub max_bytes: u64,
    /// Also fetch from loopback, private, link-local and other addresses that are not public.
    pub allow_private: bool,
    /// Our own files (configuration, database with `-wal` and `-shm`, token and credential files) and directories of
    /// such files: never sent, under whatever name they are reached.
    pub forbidden: Vec<PathBuf>,
    /// Where the copies lie; made if absent.
    pub temp_dir: PathBuf,
    /// The time for all media of one message together.
    pub deadline: Duration,
}
