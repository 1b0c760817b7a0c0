//! Where the store is.

use std::fmt;
use std::path::{Path, PathBuf};

/// The path with something after its last letter: `pushcron.db-wal`, `pushcron.db.lock`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The place of a database, as files and `--db` name it. Shown without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
}

impl Database {
    pub fn at(path: impl AsRef<Path>) -> Database {
        Database::Sqlite(path.as_ref().to_owned())
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite(path) => path.display().fmt(f),
        }
    }
}
