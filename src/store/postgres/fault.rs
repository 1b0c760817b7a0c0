//! What can go wrong inside this module, and what the rest of the crate is told of it.

use std::time::Duration;

use super::address::Address;
use crate::store::cells::Unreadable;
use crate::store::error::StoreError;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A failure before it is known which database to name.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(sqlx::Error),
    /// No answer came in this time.
    Silent(Duration),
    /// The verb itself declines, before it changed anything.
    Verb(StoreError),
    /// A row does not hold what the schema promises.
    Row(String),
}

/// Classes and codes of `errcodes.txt`.
mod code {
    pub(super) const DATA: &str = "22";
    pub(super) const CONSTRAINT: &str = "23";
    pub(super) const SYNTAX_OR_ACCESS: &str = "42";
    /// By a trigger of somebody's.
    pub(super) const RAISED: &str = "P0";
    pub(super) const SERIALIZATION: &str = "40001";
    pub(super) const DEADLOCK: &str = "40P01";
    pub(super) const LOCK_TIMEOUT: &str = "55P03";
    pub(super) const UNKNOWN_STARTUP_PARAMETER: &str = "08P01";
    pub(super) const NO_SUCH_STATEMENT: &str = "26000";
    pub(super) const STATEMENT_IS_THERE: &str = "42P05";
}

impl Fault {
    pub(super) fn code(&self) -> Option<String> {
        match self {
            Fault::Sql(sqlx::Error::Database(error)) => error.code().map(Into::into),
            _ => None,
        }
    }

    fn has_class(&self, class: &str) -> bool {
        self.code().is_some_and(|code| code.starts_with(class))
    }

    /// Whether the server undid the transaction only because of others: the same may go through in a moment.
    pub(super) fn is_of_others(&self) -> bool {
        self.code().is_some_and(|found| [code::SERIALIZATION, code::DEADLOCK, code::LOCK_TIMEOUT].contains(&&*found))
    }

    /// Whether the server answered, so that the connection is as good as new once rolled back, and nothing was changed.
    pub(super) fn spares_the_connection(&self) -> bool {
        match self {
            Fault::Verb(_) | Fault::Row(_) => true,
            Fault::Silent(_) => false,
            // 57P01 and its kin say that the session ends; 25P03 does too.
            Fault::Sql(sqlx::Error::Database(_)) => !self.has_class("57P") && !self.has_class("25P03"),
            Fault::Sql(error) => !matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed
            ),
        }
    }

    /// Whether what was to be connected to speaks like a pooler: it knows few of the words that begin a session, and loses or
    /// mixes up what is prepared in one.
    pub(super) fn is_of_a_pooler(&self) -> bool {
        let signs = [code::UNKNOWN_STARTUP_PARAMETER, code::NO_SUCH_STATEMENT, code::STATEMENT_IS_THERE];
        self.code().is_some_and(|found| signs.contains(&&*found))
    }

    /// Whether the rows are to blame, not the machine: other rows may go through.
    pub(super) fn is_refusal(&self) -> bool {
        let classes = [code::DATA, code::CONSTRAINT, code::SYNTAX_OR_ACCESS, code::RAISED];
        matches!(self, Fault::Row(_)) || classes.iter().any(|class| self.has_class(class))
    }

    /// What went wrong, in the words of whoever noticed.
    pub(super) fn problem(&self) -> String {
        match self {
            Fault::Sql(error) => brief(error),
            Fault::Silent(after) => format!("no answer within {} ms", after.as_millis()),
            Fault::Verb(error) => error.to_string(),
            Fault::Row(problem) => problem.clone(),
        }
    }

    /// What callers are told of it, for the database at this address.
    pub(super) fn into_store_error(self, address: &Address) -> StoreError {
        let is_refusal = self.is_refusal();
        match self {
            Fault::Verb(error) => error,
            Fault::Row(problem) => StoreError::Corrupt { path: address.to_string(), problem },
            Fault::Silent(after) => {
                StoreError::Unavailable(format!("{address} did not answer within {} ms", after.as_millis()))
            }
            Fault::Sql(error) if is_refusal => StoreError::Refused(brief(&error)),
            Fault::Sql(error) => StoreError::Unavailable(format!("{address}: {}", brief(&error))),
        }
    }
}

/// The server's own words without the library's wrapping.
pub(super) fn brief(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Fault {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Fault::Row(error.to_string()),
            error => Fault::Sql(error),
        }
    }
}

impl From<Unreadable> for Fault {
    fn from(Unreadable(problem): Unreadable) -> Fault {
        Fault::Row(problem)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Verb(error)
    }
}

/// Only raised where rows are read: what we write ourselves always serializes.
impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Row(error.to_string())
    }
}
