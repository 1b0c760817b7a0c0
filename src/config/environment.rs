//! What a configuration depends on besides its files, and the database that it leads to.

use std::path::PathBuf;

use crate::domain::{Database, UtcMs};

/// A look-up of environment variables.
pub type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How much of what the service is given whoever reads the files must see. An account, or a heartbeat, of which something is
/// not seen and need not be is left out with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of it: whoever sends.
    Service,
    /// All but the credentials, which systemd gives to nobody else: whoever judges the files.
    Judge,
    /// Nothing: whoever asks or says something that needs no secret. A text or a target with a variable that is not set
    /// stays as it is written.
    Onlooker,
    /// Nothing beside the text itself: whoever shows what a text would come to that somebody pasted. A variable, a file, a
    /// program that it names is refused without a look, so that nobody learns whether it is there.
    Text,
}

/// A look-up of fetched lists.
pub type Fetched = dyn Fn() -> Vec<FetchedList> + Send + Sync;

/// The last good version of a list of days that lies at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedList {
    /// The calendar's.
    pub name: String,
    /// As a file `calendars/NAME.yaml` says it.
    pub text: String,
    /// When it was last fetched without any trouble.
    pub good_at: UtcMs,
    /// What was the matter with the last try, if it was none of the good ones.
    pub error: Option<String>,
}

/// What a configuration depends on besides its files.
pub struct LoadEnvironment {
    pub now: UtcMs,
    /// Looks up an environment variable: `${NAME}`, `$STATE_DIRECTORY`, `$CREDENTIALS_DIRECTORY`.
    pub variable: Box<Variable>,
    /// Where a relative database path starts, unless there is a state directory.
    pub working_directory: PathBuf,
    /// The IANA name of the system's zone, if it has one.
    pub timezone: Option<String>,
    /// How much of what the service is given must be there.
    pub sight: Sight,
    /// The lists of days that a daemon fetched, asked for only where a calendar has a `url`.
    pub fetched: Box<Fetched>,
    /// The user as whom we run: files of anybody else but root are told.
    pub user: u32,
}

impl LoadEnvironment {
    /// That of this process.
    pub fn of_process(now: UtcMs) -> LoadEnvironment {
        LoadEnvironment {
            now,
            variable: Box::new(|name| std::env::var(name).ok()),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            timezone: jiff::tz::TimeZone::system().iana_name().map(str::to_owned),
            sight: Sight::Service,
            fetched: Box::new(Vec::new),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// The day by the clock of the system's zone.
    pub(super) fn today(&self) -> jiff::civil::Date {
        let zone = self.timezone.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok());
        self.now.to_jiff().to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).date()
    }

    /// Where files of the daemon's own belong: systemd's state directory (the first, if there are several), else
    /// the working directory.
    pub(super) fn state_directory(&self) -> PathBuf {
        let directories = (self.variable)("STATE_DIRECTORY").unwrap_or_default();
        match directories.split(':').next() {
            Some(first) if !first.is_empty() => PathBuf::from(first),
            _ => self.working_directory.clone(),
        }
    }
}

/// What verbs that only look at the database ask of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseLocation {
    /// As [`super::DaemonSettings::database`].
    pub database: Database,
    /// As [`super::DaemonSettings::timezone`].
    pub timezone: String,
}
