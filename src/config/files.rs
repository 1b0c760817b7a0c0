//! Which files make up the configuration, and reading them.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::trust::Rights;

/// A larger file is refused before a byte of it is parsed.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// A file's text and who may touch it.
pub(super) struct FileText {
    pub text: String,
    pub rights: Rights,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum FileProblem {
    /// In words.
    Whole(String),
    /// The bytes from this offset on are no UTF-8; the text before is given for the place.
    NotUtf8 { before: String },
}

/// The YAML files of a directory, in name order. Hidden files are left alone: editors keep theirs there.
pub(super) fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_yaml && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn read(path: &Path) -> Result<FileText, FileProblem> {
    let words = |error: std::io::Error| FileProblem::Whole(format!("cannot be read: {error}"));
    // Asked before opening, since opening a FIFO waits for a writer.
    let meta = std::fs::metadata(path).map_err(words)?;
    if !meta.is_file() {
        return Err(FileProblem::Whole("cannot be read: not a regular file".to_owned()));
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

fn too_large() -> FileProblem {
    FileProblem::Whole(format!("is larger than {} MiB: split it with include", LARGEST / 1024 / 1024))
}
