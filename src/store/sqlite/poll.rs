//! Whether somebody else wrote: a counter that SQLite keeps, asked at times.

use rusqlite::Connection;

use super::fault::Result;
use super::writer::Write;

pub(super) struct DataVersion;

impl Write for DataVersion {
    type Answer = i64;
    const IN_TRANSACTION: bool = false;

    fn run(&mut self, conn: &Connection) -> Result<i64> {
        data_version(conn)
    }
}

/// What changes when another connection commits.
pub(super) fn data_version(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
