//! How a verb ends: its exit code, and the line that says why.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use crate::answers::refusal::{Kind, Refusal, with_causes};
use crate::config::{ConfigErrors, Problem};
use crate::daemon::{DaemonError, PushError};
use crate::domain::escaped;
use crate::store::StoreError;
use crate::texts::{Language, Text};

/// Exit codes, after sysexits.h, so that scripts and systemd can tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// The thing was tried and did not come about: a push not sent, a job unknown.
    Failed = 1,
    /// The command line makes no sense (clap's own 2 is mapped to this).
    Usage = 64,
    /// The database, or the daemon that was to act, is out of reach.
    OutOfReach = 69,
    /// The configuration is refused. systemd does not restart the daemon then.
    BadConfig = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    /// Lines to be read before the one that says why: the problems of a configuration.
    detail: Vec<Problem>,
    text: Text,
}

impl Failure {
    /// One that is told in English only.
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Failure {
        Failure::of_text(exit, Text::same(text.into()))
    }

    /// One that is told in every language.
    pub(super) fn of_text(exit: Exit, text: Text) -> Failure {
        Failure { exit, detail: Vec::new(), text }
    }

    /// An error with its causes.
    pub(super) fn of(exit: Exit, error: &(dyn Error + 'static)) -> Failure {
        Failure::new(exit, with_causes(error))
    }

    /// The same with another last line.
    pub(super) fn saying(self, text: Text) -> Failure {
        Failure { text, ..self }
    }

    /// Why, without the program's name.
    pub(super) fn why(&self) -> &Text {
        &self.text
    }

    /// All of it, for who reads that language.
    pub(super) fn told(&self, language: Language) -> String {
        let detail: Vec<String> = self.detail.iter().map(|problem| problem.told(language)).collect();
        let lines = detail.iter().flat_map(|detail| detail.lines()).map(|line| format!("{}\n", escaped(line)));
        let text = self.text.in_language(language);
        lines.chain([format!("pushcron: {}", escaped(text))]).collect()
    }

    /// The reader of our output is gone (`pushcron history | head`): nothing is wrong, and nobody to be told.
    pub(super) fn is_silent(&self) -> bool {
        self.exit == Exit::Done
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(Language::English))
    }
}

/// The exit codes of what answers and acts refuse.
impl From<Kind> for Exit {
    fn from(kind: Kind) -> Exit {
        match kind {
            Kind::Senseless => Exit::Usage,
            Kind::NotFound | Kind::NotAllowed | Kind::Broken => Exit::Failed,
            Kind::OutOfReach => Exit::OutOfReach,
            Kind::BadConfig => Exit::BadConfig,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure { exit: refusal.kind.into(), text: refusal.text, detail: refusal.problems }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::from(Refusal::from(error))
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Failure {
        Failure::from(Refusal::from(errors))
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Failure {
        match error {
            DaemonError::Config(errors) => Failure::from(errors),
            DaemonError::Store(error) => Failure::from(error),
            DaemonError::Account(_) | DaemonError::Schedule { .. } | DaemonError::Unmet(_) => {
                Failure::of(Exit::BadConfig, &error)
            }
            DaemonError::Lease(_)
            | DaemonError::Partly { .. }
            | DaemonError::DatabaseLost(_)
            | DaemonError::LogLost(_) => Failure::of(Exit::OutOfReach, &error),
            DaemonError::System(_) | DaemonError::BrokeDown(_) => Failure::of(Exit::Failed, &error),
        }
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Failure {
        match error {
            PushError::Daemon(error) => Failure::from(error),
            PushError::NoTurn { .. }
            | PushError::Lease(_)
            | PushError::Ended(_)
            | PushError::DaemonEnded
            | PushError::NotLoaded(_) => Failure::of_text(Exit::OutOfReach, error.text()),
            // Not 69, by which a script knows that it may push again.
            PushError::Lost { .. } => Failure::of_text(Exit::Failed, error.text()),
        }
    }
}

/// Errors of our own output; those of other files are told with their path where they occur.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
            _ => Failure::new(Exit::Failed, format!("standard output: {error}")),
        }
    }
}
