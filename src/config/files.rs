//! Which files make up the configuration, and reading them.

use std::fs::Metadata;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::trust::Rights;
use crate::texts::{self, Text};

/// A larger file is refused before a byte of it is parsed.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// A file's text and who may touch it.
pub(super) struct FileText {
    pub text: String,
    pub rights: Rights,
}

pub(super) const UNDER_WAY: fn() -> Text = texts::is_being_written;
pub(super) const NOT_UTF8: fn() -> Text = texts::not_utf8_from_here;
pub(super) const SAVE_AS_UTF8: fn() -> Text = texts::save_as_utf8;

/// What to do about a file that a definition names and that cannot be read.
pub(super) fn what_to_do(error: &std::io::Error) -> Option<Text> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Some(texts::must_be_there_to_read()),
        ErrorKind::PermissionDenied => Some(texts::let_the_user_read_it()),
        _ => None,
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum FileProblem {
    /// In words, and what to do.
    Whole(Text, Option<Text>),
    /// It changed under each try.
    UnderWay,
    /// The bytes from this offset on are no UTF-8; the text before is given for the place.
    NotUtf8 { before: String },
}

/// The names of files and directories to which all links lead, also of those that are not there now.
pub fn real_names(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let of_directory = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        path.canonicalize().ok().or_else(of_directory).unwrap_or(path).to_string_lossy().into_owned()
    };
    paths.iter().map(name).collect()
}

/// The YAML files of a directory, in name order. Hidden files are left alone: editors keep theirs there. A directory with such
/// a name is one of them, so that whoever reads it tells: somebody meant a file.
pub(super) fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_yaml && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// How often a file that changes while it is read is read.
const TRIES: usize = 4;

pub(super) fn read(path: &Path) -> Result<FileText, FileProblem> {
    read_while(path, || {})
}

/// As [`read`]; `meanwhile` is called each time between reading and looking whether the file is still the same.
fn read_while(path: &Path, mut meanwhile: impl FnMut()) -> Result<FileText, FileProblem> {
    let read = || {
        let text = read_once(path);
        meanwhile();
        text
    };
    unchanged(path, read).unwrap_or(Err(FileProblem::UnderWay))
}

/// What `read` makes of a file that is the same before and after; None where it changes all the time.
pub(super) fn unchanged<T>(path: &Path, mut read: impl FnMut() -> T) -> Option<T> {
    let look = || state_of(path);
    for _ in 0..TRIES {
        let before = look();
        let text = read();
        if before == look() {
            return Some(text);
        }
    }
    None
}

/// What differs once somebody wrote to a file or put another in its place.
pub(super) type State = [i128; 7];

/// How a file is now; None where there is none.
pub(super) fn state_of(path: &Path) -> Option<State> {
    std::fs::metadata(path).ok().as_ref().map(state)
}

fn state(meta: &Metadata) -> State {
    [
        meta.dev().into(),
        meta.ino().into(),
        meta.len().into(),
        meta.mtime().into(),
        meta.mtime_nsec().into(),
        meta.ctime().into(),
        meta.ctime_nsec().into(),
    ]
}

fn read_once(path: &Path) -> Result<FileText, FileProblem> {
    let words = |error: std::io::Error| {
        let hint = what_to_do(&error);
        FileProblem::Whole(texts::cannot_be_read(error), hint)
    };
    // Asked before opening, since opening a FIFO waits for a writer.
    let meta = std::fs::metadata(path).map_err(words)?;
    if !meta.is_file() {
        return Err(FileProblem::Whole(texts::cannot_be_read(texts::not_a_regular_file()), None));
    }
    if meta.len() > LARGEST {
        return Err(too_large());
    }
    let file = std::fs::File::open(path).map_err(words)?;
    let rights = Rights::of(&file.metadata().map_err(words)?);
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large());
    }
    if is_utf16(&bytes) {
        return Err(FileProblem::Whole(texts::is_utf16(), None));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(FileText { text, rights }),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            // Everything before that offset was found valid.
            Err(FileProblem::NotUtf8 { before: String::from_utf8(bytes).unwrap_or_default() })
        }
    }
}

/// With its mark, or without where it begins as our files do: with letters of ASCII.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] => *first != 0 && *second != 0,
        _ => false,
    }
}

fn too_large() -> FileProblem {
    FileProblem::Whole(texts::file_too_large(LARGEST / 1024 / 1024), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.yaml");
        std::fs::write(&path, "jobs:\n").unwrap();
        let mut writes = vec!["jobs:\n- half", "jobs: []\n"];
        let read = read_while(&path, || {
            if !writes.is_empty() {
                std::fs::write(&path, writes.remove(0)).unwrap();
            }
        });
        assert_eq!(read.unwrap().text, "jobs: []\n");
    }

    #[test]
    fn a_file_that_another_one_replaces_meanwhile_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, new) = (directory.path().join("jobs.yaml"), directory.path().join("new"));
        std::fs::write(&path, "old\n").unwrap();
        std::fs::write(&new, "new\n").unwrap();
        // A rename that finds nothing changes nothing.
        let read = read_while(&path, || drop(std::fs::rename(&new, &path)));
        assert_eq!(read.unwrap().text, "new\n");
    }

    #[test]
    fn a_file_that_keeps_changing_is_refused_after_a_few_tries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.yaml");
        std::fs::write(&path, "").unwrap();
        let mut times = 0;
        let read = read_while(&path, || {
            times += 1;
            std::fs::write(&path, "x".repeat(times)).unwrap();
        });
        assert!(matches!(read, Err(FileProblem::UnderWay)));
        assert_eq!(times, TRIES);
    }
}
