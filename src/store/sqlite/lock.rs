//! One daemon per database: a lock file beside it, held for as long as the process lives.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::connect::beside;
use crate::domain::UtcMs;

/// Why a daemon may not run on this database.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another daemon ({holder}) runs on {database}; stop it first, or give this one its own database")]
    Held { database: PathBuf, holder: String },
    #[error("lock file {path}: {problem}")]
    File { path: PathBuf, problem: String },
}

/// The right to run the daemon on a database. The kernel takes it back when the process ends, however it ends; the
/// file stays, and what it says of a holder counts only while it is locked.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock, or names who holds it.
    pub fn take(database: &Path, now: UtcMs) -> Result<DaemonLock, LockError> {
        let path = beside(database, ".lock");
        let failed = |problem: std::io::Error| LockError::File { path: path.clone(), problem: problem.to_string() };
        // Not truncated at opening: until it is ours, its text belongs to the holder.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Held { database: database.to_owned(), holder: holder(&mut file) });
            }
            Err(error) => return Err(failed(error.into())),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "pid {}, since {now}", std::process::id()).map_err(failed)?;
        Ok(DaemonLock { _file: file })
    }

    /// Who runs a daemon on this database, if anybody does.
    pub fn holder(database: &Path) -> Option<String> {
        let mut file = File::open(beside(database, ".lock")).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => Some(holder(&mut file)),
            _ => None,
        }
    }

    /// Whether a daemon runs on this database.
    pub fn is_held(database: &Path) -> bool {
        DaemonLock::holder(database).is_some()
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.take(200).read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "its process is just starting".to_owned(),
    }
}
