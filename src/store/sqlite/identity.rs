//! Which files a database is, to see while it is open that the paths still lead to them.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::domain::database::beside;
use crate::store::lease::Lost;

/// Device and inode.
type FileId = (u64, u64);

fn id(found: &Metadata) -> FileId {
    (found.dev(), found.ino())
}

#[derive(Clone, Debug)]
pub(super) struct Identity {
    path: PathBuf,
    /// None where there was no file to lock.
    file: Option<FileId>,
    /// The log and its index as they were first seen. They stay as long as anybody has the database open.
    log: [(PathBuf, Option<FileId>); 2],
}

impl Identity {
    pub(super) fn new(path: &Path, found: Option<&Metadata>) -> Identity {
        let log = ["-wal", "-shm"].map(|suffix| (beside(path, suffix), None));
        Identity { path: path.to_owned(), file: found.map(id), log }
    }

    /// What is lost by now. A look that fails says nothing.
    pub(super) fn look(&mut self) -> Option<Lost> {
        let is_lost = match std::fs::metadata(&self.path) {
            Ok(found) => self.file.is_some_and(|file| file != id(&found)),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_lost {
            return Some(Lost::Database);
        }
        self.log.iter_mut().find_map(|(path, known)| {
            let is_lost = match std::fs::metadata(&*path) {
                Ok(found) => *known.get_or_insert(id(&found)) != id(&found),
                Err(error) => error.kind() == ErrorKind::NotFound && known.is_some(),
            };
            is_lost.then(|| Lost::Log(path.clone()))
        })
    }
}
