//! The temp files: counted, hashed and capped while they are written.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir, TempPath};

use super::error::Problem;
use crate::domain::hex::hex;

/// The start of the name of every work directory.
const PREFIX: &str = "media-";
/// The bytes kept for telling the type: office documents name theirs only after some kilobytes.
const HEAD: usize = 8 * 1024;

/// The directory of one resolver's copies, locked while its owner lives. Files by name, and not nameless ones,
/// because senders open them by path more than once; the lock is what lets a later start clear a killed one's.
pub(super) struct WorkDir {
    // Deleted before the lock goes, so that nobody clears it at the same time.
    dir: TempDir,
    _lock: File,
}

impl WorkDir {
    pub(super) fn create(parent: &Path) -> io::Result<WorkDir> {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        // Held while directories come and go: a new one must not be cleared before it is locked.
        let parent_lock = File::open(parent)?;
        flock(&parent_lock, FlockOperation::LockExclusive)?;
        clear_leftovers(parent)?;
        let private = Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent)?;
        let lock = File::open(dir.path())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(WorkDir { dir, _lock: lock })
    }

    /// A new empty copy that takes at most `cap` bytes.
    pub(super) fn spool(&self, cap: u64) -> Result<Spool, Problem> {
        let file = NamedTempFile::new_in(self.dir.path()).map_err(own_trouble)?;
        Ok(Spool { file, hash: Sha256::new(), len: 0, cap, head: Vec::new() })
    }
}

/// Clears what killed processes left below `parent`, for a start that may never need media: nothing is made.
///
/// # Errors
/// When `parent` is there and cannot be read or locked.
pub fn clear(parent: &Path) -> io::Result<()> {
    let parent_lock = match File::open(parent) {
        Ok(parent) => parent,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    flock(&parent_lock, FlockOperation::LockExclusive)?;
    clear_leftovers(parent)
}

/// Removes the work directories that no living process holds. One that cannot be removed stays: it is no reason to send
/// no media.
fn clear_leftovers(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let held = |lock: File| flock(&lock, FlockOperation::NonBlockingLockExclusive).map(|()| lock).ok();
        if let Some(_lock) = File::open(entry.path()).ok().and_then(held)
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(directory = %entry.path().display(), %error, "media of an earlier run cannot be removed");
        }
    }
    Ok(())
}

/// A copy being written.
pub(super) struct Spool {
    file: NamedTempFile,
    hash: Sha256,
    len: u64,
    cap: u64,
    head: Vec<u8>,
}

/// A finished copy.
pub(super) struct Content {
    pub path: TempPath,
    pub len: u64,
    pub sha256: String,
    pub head: Vec<u8>,
}

impl Spool {
    pub(super) fn cap(&self) -> u64 {
        self.cap
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.len += bytes.len() as u64;
        if self.len > self.cap {
            return Err(too_large(self.cap));
        }
        self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD - self.head.len())]);
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(own_trouble)
    }

    /// Copies the whole of `reader`, of which no more than one buffer beyond the cap is read.
    pub(super) fn fill(mut self, mut reader: impl Read) -> Result<Content, Problem> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return self.finish(),
                Ok(len) => self.write(&buffer[..len])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::unreachable(format!("cannot be read: {error}"))),
            }
        }
    }

    pub(super) fn finish(self) -> Result<Content, Problem> {
        let sha256 = hex(&self.hash.finalize());
        Ok(Content { path: self.file.into_temp_path(), len: self.len, sha256, head: self.head })
    }
}

pub(super) fn too_large(cap: u64) -> Problem {
    Problem::rejected(format!("more than {cap} bytes, the largest that may be sent"))
}

/// The daemon's own disk: the source is not at fault, so the push may be tried again.
fn own_trouble(error: io::Error) -> Problem {
    Problem::unreachable(format!("the copy cannot be written: {error}"))
}

/// Runs file work off the async threads: a disk or a network mount may hang.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Problem::unreachable(format!("reading was stopped: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_clears_what_a_killed_process_left_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let alive = WorkDir::create(parent.path()).unwrap();
        let copy = alive.spool(10).unwrap().fill(&b"abc"[..]).unwrap();
        let dead = parent.path().join("media-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("left"), "x").unwrap();
        std::fs::write(parent.path().join("media-note.txt"), "x").unwrap();

        let second = WorkDir::create(parent.path()).unwrap();
        assert!(!dead.exists());
        assert!(copy.path.exists());
        assert!(parent.path().join("media-note.txt").exists());
        drop((copy, alive, second));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "only the note is left");
    }

    #[test]
    fn a_start_without_media_clears_as_much_and_makes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        clear(&parent.path().join("media")).unwrap();
        assert!(!parent.path().join("media").exists());
        let alive = WorkDir::create(parent.path()).unwrap();
        let dead = parent.path().join("media-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("left"), "x").unwrap();
        clear(parent.path()).unwrap();
        assert!(!dead.exists());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "what is in use stays");
        drop(alive);
    }

    #[test]
    fn a_copy_is_private_hashed_and_capped() {
        let parent = tempfile::tempdir().unwrap();
        let dir = WorkDir::create(parent.path()).unwrap();
        let copy = dir.spool(3).unwrap().fill(&b"abc"[..]).unwrap();
        assert_eq!(copy.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((copy.len, copy.head.as_slice()), (3, &b"abc"[..]));
        assert_eq!(std::fs::metadata(&copy.path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = dir.spool(3).unwrap().fill(io::repeat(1)).err().unwrap();
        assert_eq!(refused, too_large(3));
    }
}
