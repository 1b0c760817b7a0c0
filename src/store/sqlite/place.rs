//! Which file a path means. The lock, the notes of sends and SQLite's own log lie beside the file itself, so every
//! process must come to the same name for it, however it was spelled.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::error::StoreError;

/// The name of the file that `path` leads to, whether it is there yet or not.
///
/// # Errors
///
/// Where the path can mean no file: a link that leads nowhere, a database in memory.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf, StoreError> {
    let refused = |problem: String| Err(StoreError::Open { path: path.display().to_string(), problem });
    let spelled = path.as_os_str().as_encoded_bytes();
    if spelled.is_empty() || spelled.starts_with(b":memory:") || spelled.starts_with(b"file:") {
        return refused(
            "the database must be a file, since what was sent is remembered in it; write the file's path, \
             such as /var/lib/pushcron/pushcron.db"
                .to_owned(),
        );
    }
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    if !is_link {
        return Ok(path.to_owned());
    }
    std::fs::canonicalize(path).or_else(|error| {
        let leads_to = std::fs::read_link(path).unwrap_or_default();
        let why = match error.kind() {
            ErrorKind::NotFound => "where no file is".to_owned(),
            _ => format!("which cannot be followed: {error}"),
        };
        refused(format!(
            "this is a symbolic link to {}, {why}; bring the file back, or remove the link",
            leads_to.display()
        ))
    })
}
