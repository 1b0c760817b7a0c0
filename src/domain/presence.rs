//! What a daemon leaves word of in its database, for those who ask how it is: whether it is there, and what runs.

use serde::{Deserialize, Serialize};

use super::time::UtcMs;

/// Under which key the daemon keeps its [`Presence`].
pub const PRESENCE: &str = "presence";

/// Under which key it keeps the [`LastReload`].
pub const LAST_RELOAD: &str = "last_reload";

/// Under which key it keeps what it [`Runs`].
pub const RUNS: &str = "runs";

/// Under which key verbs leave the instant at which they asked the daemon to ask every account how it is.
pub const PROBE_ASKED: &str = "probe_asked";

/// A daemon's sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    pub started_at: UtcMs,
    /// The last time that its timer and its dispatcher were seen making their rounds.
    pub alive_at: UtcMs,
    /// When it stopped because it was told to; None while it runs, and where it was killed.
    pub stopped_at: Option<UtcMs>,
}

/// What a daemon runs by, for who asks by the same files while nobody can read in them which database it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// The files and directories that it was told of, each by the one name to which all links lead.
    pub files: Vec<String>,
    /// `daemon.timezone`.
    pub timezone: String,
}

/// What became of the files when they were read last, at a start or a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    pub at: UtcMs,
    pub outcome: ReloadOutcome,
    /// Why not, in as many lines as there are problems.
    pub problem: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadOutcome {
    /// The files are what runs.
    Loaded,
    /// What ran before goes on running.
    Refused,
    /// The database failed in the midst of it.
    InPart,
}
