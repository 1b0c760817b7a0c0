//! What a database is on the disk of this machine: nothing, where it is elsewhere.

use std::path::PathBuf;

use super::error::StoreResult;
use super::sqlite;
use crate::domain::Database;
use crate::domain::database::beside;

/// The same database by the one name that every process comes to, whatever links lead to it.
///
/// # Errors
///
/// Where the name can mean no database.
pub fn real_name(database: &Database) -> StoreResult<Database> {
    match database {
        Database::Sqlite(path) => sqlite::real_path(path).map(Database::Sqlite),
    }
}

/// Whether a daemon could begin with what is there, as far as can be seen without opening it.
///
/// # Errors
///
/// Where it could not.
pub fn look(database: &Database) -> StoreResult<()> {
    match database {
        Database::Sqlite(path) => sqlite::look(path),
    }
}

/// Whether there is a database yet, as far as can be seen without opening it.
pub fn exists(database: &Database) -> bool {
    match database {
        Database::Sqlite(path) => path.exists(),
    }
}

/// Every file that it may be made of, with those that tell who holds it.
pub fn files(database: &Database) -> Vec<PathBuf> {
    match database {
        Database::Sqlite(path) => {
            let others = ["-wal", "-shm", ".lock"].map(|suffix| beside(path, suffix));
            [path.clone()].into_iter().chain(others).collect()
        }
    }
}

/// The bytes that its rows and its log take.
pub fn size(database: &Database) -> Option<u64> {
    match database {
        Database::Sqlite(path) => {
            let files = [path.clone(), beside(path, "-wal")];
            Some(files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum())
        }
    }
}

/// A log that grows while somebody reads.
pub fn log(database: &Database) -> Option<PathBuf> {
    match database {
        Database::Sqlite(path) => Some(beside(path, "-wal")),
    }
}

/// A place on the disk that it fills.
pub fn place(database: &Database) -> Option<PathBuf> {
    match database {
        Database::Sqlite(path) => Some(path.clone()),
    }
}
