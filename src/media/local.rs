//! Local files: only below the media roots, only regular ones, never our own.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, openat, openat2};
use rustix::io::Errno;

use super::error::Problem;
use super::settings::Settings;
use super::spool::{Content, Spool, too_large};

/// Copies a local file, which is opened once and judged by what was opened, so that nobody can swap it in between.
pub(super) fn copy(path: &Path, settings: &Settings, spool: Spool) -> Result<Content, Problem> {
    let file = open(path, &settings.roots)?;
    let found = file.metadata().map_err(|error| from_io(path, &error))?;
    check(path, &found, spool.cap())?;
    if own_files(&settings.forbidden).contains(&(found.dev(), found.ino())) {
        return Err(Problem::rejected(format!("{} is one of pushcron's own files", shown(path))));
    }
    spool.fill(file)
}

fn open(path: &Path, roots: &[PathBuf]) -> Result<File, Problem> {
    let outside = || Problem::rejected(format!("{} lies outside daemon.media_roots", shown(path)));
    let first = roots.first().ok_or_else(outside)?;
    let wanted = clean(&first.join(path));
    let (root, below) = roots.iter().find_map(|root| below(root, &wanted)).ok_or_else(outside)?;
    let found = open_below(&root, &below).or_else(|errno| match errno {
        // A link that stays below a root is followed: configurations lie behind links that move (`..data`), and the
        // newest of several files is often called by one. Where it leads is opened as any other file.
        Errno::LOOP => {
            let real = root.join(&below).canonicalize().map_err(|_| Errno::NOENT)?;
            let mut real_roots = roots.iter().filter_map(|root| root.canonicalize().ok());
            let root = real_roots.find(|root| real.starts_with(root)).ok_or(Errno::XDEV)?;
            open_below(&root, real.strip_prefix(&root).unwrap_or(&real))
        }
        other => Err(other),
    });
    found.map_err(|errno| match errno {
        Errno::XDEV => outside(),
        Errno::LOOP => Problem::rejected(format!("{} lies behind a symbolic link that moves", shown(path))),
        Errno::NXIO => not_regular(path, "a socket"),
        Errno::NOSYS => Problem::rejected("local media needs a kernel with openat2 (Linux 5.6)".to_owned()),
        other => from_io(path, &other.into()),
    })
}

/// Opens without following any link.
fn open_below(root: &Path, below: &Path) -> Result<File, Errno> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // O_NONBLOCK, or a FIFO would hang here until somebody writes to it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let file = openat2(root, below, flags, Mode::empty(), within)?;
    // What the kernel tells of processes is no file, though it looks like one.
    match fstatfs(&file)?.f_type {
        PROC_SUPER_MAGIC => Err(Errno::XDEV),
        _ => Ok(File::from(file)),
    }
}

/// The root as configured or as it really is, and the way from there to `wanted`, when it lies below.
fn below(root: &Path, wanted: &Path) -> Option<(PathBuf, PathBuf)> {
    let spellings = [Some(clean(root)), root.canonicalize().ok()];
    spellings.into_iter().flatten().find_map(|root| {
        let way = wanted.strip_prefix(&root).ok()?;
        // The root itself is an empty way, which no call opens.
        let way = if way.as_os_str().is_empty() { Path::new(".") } else { way };
        Some((root.clone(), way.to_owned()))
    })
}

/// The path without `.` and with each `..` taken back by its text. What lies behind it is checked by the kernel.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

fn check(path: &Path, found: &Metadata, cap: u64) -> Result<(), Problem> {
    let kind = found.file_type();
    if kind.is_dir() {
        Err(not_regular(path, "a directory"))
    } else if kind.is_fifo() {
        Err(not_regular(path, "a FIFO"))
    } else if !kind.is_file() {
        Err(not_regular(path, "a device"))
    } else if found.len() > cap {
        Err(too_large(cap))
    } else {
        Ok(())
    }
}

/// Device and inode of every file that must never be sent, so that a hard link does not help. Looked up anew each
/// time: databases and token files are replaced while we run.
fn own_files(forbidden: &[PathBuf]) -> HashSet<(u64, u64)> {
    let mut known = HashSet::new();
    let mut left = forbidden.to_vec();
    while let Some(path) = left.pop() {
        let Ok(found) = std::fs::metadata(&path) else { continue };
        if known.insert((found.dev(), found.ino()))
            && found.is_dir()
            && let Ok(entries) = std::fs::read_dir(&path)
        {
            left.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    known
}

fn not_regular(path: &Path, what: &str) -> Problem {
    Problem::rejected(format!("{} is {what}, expected a regular file", shown(path)))
}

fn from_io(path: &Path, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Problem::rejected(format!("{} may not be read by pushcron", shown(path))),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Problem::unreachable(format!("{} does not exist", shown(path)))
        }
        _ => Problem::unreachable(format!("{} cannot be opened: {error}", shown(path))),
    }
}

/// A path in one line, whatever characters its name holds.
fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}
