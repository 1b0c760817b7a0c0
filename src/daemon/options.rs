//! What a daemon, or a push without one, is told from outside.

use std::path::PathBuf;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files and directories, in order.
    pub config: Vec<PathBuf>,
    /// Instead of `daemon.database`.
    pub database: Option<PathBuf>,
}
