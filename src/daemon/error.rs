//! Why the daemon, or a push without one, could not go on.

use std::path::PathBuf;

use crate::config::{ConfigErrors, Unmet};
use crate::domain::Database;
use crate::engine::scheduler::ApplyError;
use crate::policy::schedule::ScheduleError;
use crate::senders::BuildError;
use crate::store::{LeaseError, StoreError};

/// Why the daemon could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("{0}")]
    Account(#[from] BuildError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Lease(#[from] LeaseError),
    #[error("job {job}: {error}")]
    Schedule { job: String, error: ScheduleError },
    /// Very many changed jobs, of which the first are in force.
    #[error(
        "{done} of {all} changed jobs are in force already, and the others follow once the database can be written: {error}"
    )]
    Partly { done: usize, all: usize, error: StoreError },
    /// The configuration asks for what this daemon does not do, or forgets what the database knows.
    #[error("{0}")]
    Unmet(Unmet),
    /// The system refused something basic: threads, signals, TLS.
    #[error("{0}")]
    System(String),
    /// Whatever is sent from now on, the file at that path would not know.
    #[error(
        "{0} was removed, moved or replaced while pushcron ran; nothing more is sent. Put the right file back with \
         its -wal beside it, and start pushcron again; stop it before a database is moved or restored"
    )]
    DatabaseLost(Database),
    /// Other processes would see nothing of what is in the log that is still open here.
    #[error(
        "{0} was removed, moved or replaced while pushcron ran; what it held is written into the database. \
         Start pushcron again, and leave what lies beside a database alone while it is in use"
    )]
    LogLost(PathBuf),
    /// A part of the daemon broke down, which is a bug; a restart goes on where it stopped.
    #[error("the {0} broke down (a bug of pushcron); restart it, nothing recorded is lost")]
    BrokeDown(&'static str),
}

impl DaemonError {
    /// In one line: of files the first problem, without the line of the file.
    pub(super) fn in_short(&self) -> String {
        let DaemonError::Config(errors) = self else { return self.to_string() };
        let more = match errors.errors.len() {
            0 | 1 => String::new(),
            all => format!(" (and {} more)", all - 1),
        };
        let first =
            errors.errors.first().map(ToString::to_string).unwrap_or_else(|| errors.count().english().to_owned());
        format!("{}{more}", first.lines().next().unwrap_or_default())
    }
}

impl From<Unmet> for DaemonError {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::JobsForgotten(errors) => DaemonError::Config(errors),
            unmet => DaemonError::Unmet(unmet),
        }
    }
}

impl From<ApplyError> for DaemonError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => DaemonError::Store(error),
            ApplyError::Schedule { job, error } => DaemonError::Schedule { job, error },
            refused @ ApplyError::Clock { .. } => DaemonError::System(refused.to_string()),
            refused @ ApplyError::Refused { .. } => DaemonError::Store(StoreError::Refused(refused.to_string())),
            ApplyError::Partly { done, all, error } => DaemonError::Partly { done, all, error },
        }
    }
}
