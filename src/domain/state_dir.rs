//! Where a process keeps what belongs to a database and is in none of its tables.

use std::path::{Path, PathBuf};

use super::database::{Database, beside};

/// The directory of the daemon's own files on this machine, and how they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    directory: PathBuf,
    send_journal: PathBuf,
}

impl StateDir {
    /// That of an SQLite file is the directory in which it lies.
    pub fn of(database: &Database) -> StateDir {
        match database {
            Database::Sqlite(path) => StateDir {
                directory: path.parent().map(Path::to_owned).unwrap_or_default(),
                send_journal: beside(path, ".flights"),
            },
        }
    }

    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Which attempts were really started; lost with the machine, and then every open attempt may have been.
    pub fn send_journal(&self) -> &Path {
        &self.send_journal
    }

    /// What logins gave, a file of mode 0600 each.
    pub fn credentials(&self) -> PathBuf {
        self.directory.join("credentials")
    }

    /// Media while they are sent.
    pub fn media(&self) -> PathBuf {
        self.directory.join("media")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_sqlite_database_lie_in_its_directory() {
        let state = StateDir::of(&Database::at("/var/lib/pushcron/p.db"));
        assert_eq!(state.path(), Path::new("/var/lib/pushcron"));
        assert_eq!(state.send_journal(), Path::new("/var/lib/pushcron/p.db.flights"));
        assert_eq!(state.credentials(), Path::new("/var/lib/pushcron/credentials"));
        assert_eq!(state.media(), Path::new("/var/lib/pushcron/media"));
        assert_eq!(StateDir::of(&Database::at("p.db")).path(), Path::new(""), "it is the working directory");
    }
}
