//! Files that are written whole or not at all, and stay where a link leads.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// As many links one after the other as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes a file of this mode, whatever the umask: a reader sees the old one or the new one, also after a power cut. Where
/// `path` is a symbolic link, it stays one, and the file that it leads to is written.
///
/// # Errors
/// The file system's; and where something lies there that is no file. Then what was there is there still.
pub(crate) fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    write_for(path, None, mode, content)
}

/// As [`write`]; the file belongs to that user and group, which takes root.
///
/// # Errors
/// As [`write`].
pub(crate) fn write_for(path: &Path, owner: Option<(u32, u32)>, mode: u32, content: &[u8]) -> io::Result<()> {
    let target = behind_links(path)?;
    let mut file = begin(&target)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(file.as_file(), Some(user), Some(group))?;
    }
    file.write_all(content)?;
    replace(file, &target, mode)
}

/// An empty file beside `path`, for its owner alone, which goes away unless [`replace`] or [`put_new`] puts it there.
///
/// # Errors
/// The file system's.
pub(crate) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    // Hidden, and of no ending that somebody collects.
    tempfile::Builder::new().prefix(".pushcron-").suffix(".new").tempfile_in(directory(path))
}

/// Puts a file that is whole in the place of another.
///
/// # Errors
/// As [`write`].
pub(crate) fn replace(file: NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    match path.symlink_metadata() {
        // A device in whose place a file came would be missed by others than us.
        Ok(there) if !there.is_file() => return Err(io::Error::other("something is there that is no file")),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    finish(&file, mode)?;
    file.persist(path)?;
    sync_directory(path)
}

/// Puts a file that is whole where none is.
///
/// # Errors
/// The file system's; and where something is there already, which is left alone.
pub(crate) fn put_new(file: NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    finish(&file, mode)?;
    file.persist_noclobber(path)?;
    sync_directory(path)
}

/// On the disk before it gets its name: else the name could outlive a power cut, and the content not.
fn finish(file: &NamedTempFile, mode: u32) -> io::Result<()> {
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(directory(path))?.sync_all() {
        // Some network file systems know no such thing. The file is there.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a path leads in the end; that need not be there yet.
///
/// # Errors
/// The file system's; and where links lead on and on.
pub(crate) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(leads_to) => path = directory(&path).join(leads_to),
            // No link, or nothing at all.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{MOST_LINKS} symbolic links lead on from one to the next")))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_the_mode_that_is_stated_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (mode_to_be, content) in [(0o600, "one"), (0o666, "another"), (0o640, "")] {
            write(&path, mode_to_be, content.as_bytes()).unwrap();
            assert_eq!((mode(&path), std::fs::read_to_string(&path).unwrap()), (mode_to_be, content.to_owned()));
        }
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn links_go_on_pointing_and_what_they_lead_to_is_written() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let there = elsewhere.path().join("there");
        std::fs::write(&there, "old").unwrap();
        symlink(&there, dir.path().join("absolute")).unwrap();
        symlink("absolute", dir.path().join("link of a link")).unwrap();
        symlink("not yet", dir.path().join("to nothing")).unwrap();
        for (link, target) in
            [("absolute", &there), ("link of a link", &there), ("to nothing", &dir.path().join("not yet"))]
        {
            let link = dir.path().join(link);
            write(&link, 0o600, link.to_string_lossy().as_bytes()).unwrap();
            assert!(link.symlink_metadata().unwrap().is_symlink(), "{}", link.display());
            assert!(target.symlink_metadata().unwrap().is_file());
            assert_eq!(std::fs::read_to_string(target).unwrap(), link.to_string_lossy());
        }
        assert_eq!(names(elsewhere.path()), ["there"]);
        assert_eq!(names(dir.path()), ["absolute", "link of a link", "not yet", "to nothing"]);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let in_dir = |name| dir.path().join(name);
        symlink("b", in_dir("a")).unwrap();
        symlink("a", in_dir("b")).unwrap();
        std::fs::create_dir(in_dir("directory")).unwrap();
        std::fs::write(in_dir("file"), "kept").unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, in_dir("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for there in ["a", "directory", "fifo", "file/below", "no directory/file"] {
            write(&in_dir(there), 0o600, b"new").unwrap_err();
        }
        assert_eq!(
            put_new(begin(&in_dir("file")).unwrap(), &in_dir("file"), 0o600).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read_to_string(in_dir("file")).unwrap(), "kept");
        assert_eq!(names(dir.path()), ["a", "b", "directory", "fifo", "file"]);
    }

    #[test]
    fn a_reader_sees_the_old_file_or_the_new_one_and_never_a_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, 0o600, &[b'0'; 100_000]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for digit in b"123456789" {
                    write(&path, 0o600, &vec![*digit; 100_000 + usize::from(*digit)]).unwrap();
                }
            });
            while !writer.is_finished() {
                let read = std::fs::read(&path).unwrap();
                let digit = read[0];
                let length = if digit == b'0' { 100_000 } else { 100_000 + usize::from(digit) };
                assert!(read.len() == length && read.iter().all(|other| *other == digit));
            }
        });
    }
}
