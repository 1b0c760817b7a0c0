//! Why the store could not do as told.

/// Why the store could not do as told. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("database {path}: {problem}")]
    Open { path: String, problem: String },
    /// The file is damaged. It is left as it is.
    #[error("database {path} is damaged ({problem}); restore a backup, the file was left untouched")]
    Corrupt { path: String, problem: String },
    /// No space, an I/O error, a lock held too long: the same call may work later.
    #[error("the database cannot be written now: {0}")]
    Unavailable(String),
    /// It was only to be read, and cannot be.
    #[error("database {path} cannot be read: {problem}")]
    Unreadable { path: String, problem: String },
    /// The question took longer than who asked could wait.
    #[error("the question took too long; ask for less: fewer lines, a job, a time")]
    TooLong,
    /// The database refused a row, which is a bug of ours.
    #[error("the database refused a write: {0}")]
    Refused(String),
    /// There is no such job, push or account.
    #[error("{0}")]
    NotFound(String),
    /// It exists, but not in a state that allows this.
    #[error("{0}")]
    NotAllowed(String),
}

pub(super) type StoreResult<T> = Result<T, StoreError>;

pub(super) fn no_job(name: &str) -> StoreError {
    StoreError::NotFound(format!("there is no job '{name}'; `pushcron jobs` lists them"))
}
