//! The sign that a lock file's text is its holder's: a record lock of the open file, which others may ask about
//! without taking anything. `flock`, which keeps a second holder out, knows no such question.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::AsRawFd;

/// Puts the sign on a file that is locked already. It goes when the file is closed, at the latest with the process.
pub(super) fn put(file: &File) -> Result<()> {
    ask(file, libc::F_OFD_SETLK).map(|_| ())
}

/// Whether somebody else's sign is on the file.
pub(super) fn is_on(file: &File) -> Result<bool> {
    Ok(i32::from(ask(file, libc::F_OFD_GETLK)?.l_type) != libc::F_UNLCK)
}

/// About a lock for writing on the whole file.
fn ask(file: &File, question: libc::c_int) -> Result<libc::flock> {
    // SAFETY: a plain C struct of integers, for which zeros are a value; the question wants `l_pid` to be 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the pointer is good for the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), question, &mut lock) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(lock),
    }
}
