//! A second lock, on the database file itself: the same file may be mounted in two places, or its lock file removed.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::mem::ManuallyDrop;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock, fstatfs};
use rustix::io::Errno;

/// File systems on which `flock` of a whole file would get into the way of SQLite's own locks (Linux turns it into
/// the same kind on its way to the server): NFS, SMB, CIFS, 9P, and whatever a FUSE program makes of it.
const ELSEWHERE: [u32; 6] = [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997, 0x6573_5546];

/// The file, locked by `flock`, which SQLite's locks know nothing of. It is never closed: closing any descriptor of a
/// file takes away all the locks that SQLite has on it in this process.
#[derive(Debug)]
pub(super) struct Hold(ManuallyDrop<File>);

impl Hold {
    /// None where the file cannot be held like this. An error of the kind `WouldBlock` where another has it.
    pub(super) fn take(database: &Path) -> std::io::Result<Option<Hold>> {
        // A pipe would never open.
        if std::fs::metadata(database).is_ok_and(|found| !found.is_file()) {
            return Ok(None);
        }
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(database);
        let file = match opened {
            Ok(file) => ManuallyDrop::new(file),
            // Whoever opens the database tells it better.
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let system = fstatfs(&*file).map(|found| found.f_type as u32);
        if system.is_ok_and(|system| ELSEWHERE.contains(&system)) {
            return Ok(None);
        }
        match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Hold(file))),
            Err(Errno::WOULDBLOCK) => Err(Error::from(ErrorKind::WouldBlock)),
            // A file system without such locks.
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = flock(&*self.0, FlockOperation::Unlock);
    }
}
