//! What lies where a database is to be, seen without opening it: SQLite would leave files of whoever looks beside it, and he
//! may be another user than the one whose daemon has it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::connect::{APPLICATION_ID, must_be_ours, must_be_whole};
use crate::domain::database::beside;
use crate::store::error::StoreError;

/// The beginning of every SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// # Errors
///
/// Where a daemon could not begin with it whatever it may read: it is no file, no database, not ours, of a later release. What
/// is not there yet, or may not be read by whoever looks, is no error.
pub(crate) fn look(path: &Path) -> Result<(), StoreError> {
    let refused = |problem: String| StoreError::Open { path: path.display().to_string(), problem };
    let Ok(found) = std::fs::metadata(path) else { return Ok(()) };
    must_be_whole(path, &found).map_err(refused)?;
    let mut head = Vec::new();
    match File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(refused(error.to_string())),
        // It was made, and nobody has written to it yet.
        Ok(0) => return Ok(()),
        Ok(_) => {}
    }
    if head.len() < 100 || !head.starts_with(MAGIC) {
        return Err(StoreError::Corrupt {
            path: path.display().to_string(),
            problem: "file is not a database".to_owned(),
        });
    }
    let number = |at: usize| head[at..at + 4].iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    let (pages, version, application) = (number(28), number(60), number(68));
    // While it is being made, its first page may stand in its log only.
    let is_being_made = beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    let is_others = application != APPLICATION_ID && pages > 1 && !is_being_made;
    must_be_ours(is_others, if is_others || application == APPLICATION_ID { version } else { 0 }).map_err(refused)?;
    Ok(())
}
