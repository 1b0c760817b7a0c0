//! What can go wrong inside this module, and what the rest of the crate is told of it.

use std::path::Path;

use rusqlite::types::FromSqlError;

use crate::store::cells::Unreadable;
use crate::store::error::StoreError;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A failure before it is known which file to name.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    /// A row does not hold what the schema promises.
    Row(String),
    /// The verb itself declines, before it changed anything.
    Verb(StoreError),
}

/// SQLite's primary result codes (`sqlite3.h`).
mod code {
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    pub(super) const ERROR: i32 = 1;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const TOO_BIG: i32 = 18;
    pub(super) const BUSY: i32 = 5;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const CANNOT_OPEN: i32 = 14;
}

impl Fault {
    /// The primary code, when it was SQLite that failed.
    fn code(&self) -> Option<i32> {
        match self {
            Fault::Sql(error) => error.sqlite_error().map(|error| error.extended_code & 0xff),
            _ => None,
        }
    }

    /// Whether the rows are to blame, not the machine: the other writes of the group may go through.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Fault::Row(_))
            || matches!(self.code(), Some(code::CONSTRAINT | code::ERROR | code::MISMATCH | code::TOO_BIG))
    }

    /// Whether the connection is as good as new once rolled back.
    pub(super) fn spares_the_connection(&self) -> bool {
        self.is_refusal() || matches!(self, Fault::Verb(_)) || self.code() == Some(code::BUSY)
    }

    /// What went wrong, in the words of whoever noticed.
    pub(super) fn problem(&self) -> String {
        match self {
            Fault::Sql(error) => brief(error),
            Fault::Row(problem) => problem.clone(),
            Fault::Verb(error) => error.to_string(),
        }
    }

    /// What callers are told of it, for the database at this path.
    pub(super) fn into_store_error(self, path: &Path) -> StoreError {
        let path = || path.display().to_string();
        let (code, is_refusal) = (self.code(), self.is_refusal());
        match self {
            Fault::Verb(error) => error,
            Fault::Row(problem) => StoreError::Corrupt { path: path(), problem },
            Fault::Sql(error) => match code {
                Some(code::CORRUPT | code::NOT_A_DATABASE) => {
                    StoreError::Corrupt { path: path(), problem: brief(&error) }
                }
                _ if is_refusal => StoreError::Refused(brief(&error)),
                Some(code::READ_ONLY | code::CANNOT_OPEN) => StoreError::Unavailable(format!(
                    "{} ({}; SQLite writes beside it too: whose are the file and its directory?)",
                    brief(&error),
                    path()
                )),
                _ => StoreError::Unavailable(brief(&error)),
            },
        }
    }
}

/// What callers are told of it who only wanted to read the database at this path.
pub(super) fn of_reading(fault: Fault, path: &Path) -> StoreError {
    let is_sql = matches!(fault, Fault::Sql(_));
    match fault.into_store_error(path) {
        StoreError::Unavailable(problem) | StoreError::Refused(problem) if is_sql => {
            StoreError::Unreadable { path: path.display().to_string(), problem }
        }
        error => error,
    }
}

/// What callers are told once the writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

/// SQLite's own words without the library's wrapping.
fn brief(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) | rusqlite::Error::SqlInputError { msg: text, .. } => {
            text.clone()
        }
        other => other.to_string(),
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => Fault::Row(error.to_string()),
            error => Fault::Sql(error),
        }
    }
}

impl From<FromSqlError> for Fault {
    fn from(error: FromSqlError) -> Fault {
        Fault::Row(error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Verb(error)
    }
}

impl From<Unreadable> for Fault {
    fn from(Unreadable(problem): Unreadable) -> Fault {
        Fault::Row(problem)
    }
}

/// Only raised where rows are read: what we write ourselves always serializes.
impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Row(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_told_with_its_path() {
        for code in [code::READ_ONLY, code::CANNOT_OPEN] {
            let error = rusqlite::ffi::Error::new(code);
            let error = rusqlite::Error::SqliteFailure(error, Some("it cannot be".to_owned()));
            let told = Fault::from(error).into_store_error(Path::new("/srv/pushcron.db")).to_string();
            assert!(told.contains("cannot be written now: it cannot be (/srv/pushcron.db; "), "{told}");
        }
    }
}
