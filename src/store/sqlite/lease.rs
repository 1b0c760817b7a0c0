//! One daemon per database, by whatever name it is called.
//!
//! Two locks, both the kernel's and both gone with the process. The one on the file beside the database tells who
//! holds it: its text counts once the holder has put its sign on it, by which also those who only look see that it is
//! held, and take nothing. The one on the database itself goes by device and inode, so that no other name of it (a bind mount, a
//! hard link, a lock file that somebody removed) is another database. It is `flock`, which on local file systems
//! knows nothing of the record locks that SQLite uses; but closing any descriptor of a file drops the record locks
//! that the process has on it, so ours is let go of and never closed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock, fstatfs};
use rustix::io::Errno;

use super::connect::create;
use super::identity::Identity;
use super::place::real_path;
use super::sign;
use crate::domain::database::beside;
use crate::domain::{Database, UtcMs};
use crate::store::lease::{Holder, Lease, LeaseError, Purpose, UntilLost};
use crate::store::pause::Pause;

/// File systems on which `flock` would get into the way of SQLite's own locks (Linux turns it into the same kind on its
/// way to the server): NFS, SMB in three ages, 9P, and whatever a FUSE program makes of it.
const NO_FLOCK: [u32; 6] = [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997, 0x6573_5546];

/// The locks of a process on a database file. The kernel takes them back when the process ends, however it ends; the
/// lock file stays, and what it says of a holder counts only while it is locked.
#[derive(Debug)]
pub(crate) struct FileLease {
    file: File,
    database: Option<ManuallyDrop<File>>,
    identity: Identity,
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // What the next holder has not written over yet must not be taken for the truth.
        let _ = self.file.set_len(0);
        if let Some(file) = &self.database {
            let _ = flock(&**file, FlockOperation::Unlock);
        }
    }
}

impl FileLease {
    /// Takes the lock, or names who holds it.
    pub(crate) fn take(database: &Path, purpose: Purpose, now: UtcMs) -> Result<FileLease, LeaseError> {
        let database = &*real_path(database)?;
        let path = beside(database, ".lock");
        let failed =
            |problem: std::io::Error| LeaseError::Unavailable(format!("lock file {}: {problem}", path.display()));
        // Not truncated at opening: until it is ours, its text belongs to the holder. What it says of one who was killed
        // counts for nobody, since the sign went with the process.
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
                return Err(LeaseError::Held { database: Database::at(database), holder: holder_of(&mut file) });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let of_database = lock_itself(database)?;
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}, pid {}, since {now}", purpose.as_str(), std::process::id()).map_err(failed)?;
        sign::put(&file).map_err(failed)?;
        let found = of_database.as_ref().and_then(|file| file.metadata().ok());
        let identity = Identity::new(database, found.as_ref());
        Ok(FileLease { file, database: of_database, identity })
    }

    /// The databases whose lock files are open in a process of this machine that this user may look into. The kernel
    /// knows them, whatever became of the files that named them.
    pub(crate) fn open_anywhere() -> Vec<PathBuf> {
        let entries = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        let is_process = |name: &OsStr| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let processes = entries("/proc".into()).filter(|entry| is_process(&entry.file_name()));
        let opened = processes.flat_map(|process| entries(process.path().join("fd")));
        let targets = opened.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let locks = targets.filter(|path| path.extension() == Some(OsStr::new("lock")));
        let found: BTreeSet<PathBuf> =
            locks.map(|lock| lock.with_extension("")).filter(|path| path.is_file()).collect();
        found.into_iter().collect()
    }

    /// Who holds this database, if anybody does. Takes nothing, so that nobody who starts meanwhile is kept from it.
    pub(crate) fn holder(database: &Path) -> Option<Holder> {
        let mut file = File::open(beside(&real_path(database).ok()?, ".lock")).ok()?;
        let words = match sign::is_on(&file) {
            Ok(true) => written(&mut file),
            // 0.1.0 put no sign; who holds it then is seen by its lock alone.
            _ if written(&mut file).is_some_and(|text| is_of_0_1_0(&text)) => {
                let locked = flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
                locked.then(|| written(&mut file)).flatten()
            }
            _ => None,
        };
        words.map(holder)
    }
}

impl Lease for FileLease {
    fn until_lost(&self, pause: Arc<Pause>) -> UntilLost {
        let mut identity = self.identity.clone();
        Box::pin(async move {
            loop {
                if let Some(lost) = identity.look() {
                    return lost;
                }
                pause().await;
            }
        })
    }
}

/// Locks the database by its inode; makes the file first where there is none. What is no file is refused by whoever
/// opens it, and what cannot be opened as well.
fn lock_itself(database: &Path) -> Result<Option<ManuallyDrop<File>>, LeaseError> {
    let _ = create(database);
    if !std::fs::metadata(database).is_ok_and(|found| found.is_file()) {
        return Ok(None);
    }
    // By a descriptor that may write where possible: it is then the very file that SQLite writes, on a layered file
    // system too.
    let opened = OpenOptions::new().read(true).write(true).open(database).or_else(|_| File::open(database));
    let Ok(file) = opened else { return Ok(None) };
    // Never closed from here on, whether it is locked or not.
    let file = ManuallyDrop::new(file);
    if fstatfs(&*file).is_ok_and(|found| NO_FLOCK.contains(&(found.f_type as u32))) {
        return Ok(Some(file));
    }
    match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Err(LeaseError::HeldUnseen {
            database: Database::at(database),
            how: "by another path (a second mount?) or with its lock file removed",
        }),
        Err(error) => {
            Err(LeaseError::Unavailable(format!("lock file {}: {}", database.display(), std::io::Error::from(error))))
        }
    }
}

/// Whether it is a daemon is told by the words of its lock file; version 0.1.0 wrote no purpose.
fn holder(words: String) -> Holder {
    let is_daemon = words.starts_with(Purpose::Daemon.as_str()) || is_of_0_1_0(&words);
    Holder { words, is_daemon }
}

fn is_of_0_1_0(text: &str) -> bool {
    text.starts_with("pid ")
}

/// Who has the lock that could not be taken. A text without its writer's sign is of somebody who is gone.
fn holder_of(file: &mut File) -> Holder {
    let is_signed = sign::is_on(file).unwrap_or(false);
    let text = written(file).filter(|text| is_signed || is_of_0_1_0(text));
    holder(text.unwrap_or_else(|| "its process is just starting".to_owned()))
}

fn written(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(200).read_to_string(&mut text)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
