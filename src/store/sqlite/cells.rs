//! What columns hold, to and from domain types. The domain does not know the database's library, so the library's
//! traits stand on types of ours or not at all.

use std::io::Write;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row};

use super::fault::Result;
use crate::domain::UtcMs;
pub(super) use crate::store::cells::{number, parsed, word, zone};

/// An instant as the tables hold it: text of one width, written once however often it is bound.
#[derive(Clone, Copy)]
pub(super) struct At([u8; 24]);

impl From<UtcMs> for At {
    fn from(at: UtcMs) -> At {
        let mut text = [0; 24];
        // Every instant has this width (`domain::time`), so all of it fits.
        let _ = write!(&mut text[..], "{at}");
        At(text)
    }
}

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

pub(super) fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str> {
    Ok(row.get_ref(column)?.as_str()?)
}

pub(super) fn maybe_text<'row>(row: &'row Row<'_>, column: usize) -> Result<Option<&'row str>> {
    Ok(row.get_ref(column)?.as_str_or_null()?)
}

pub(super) fn instant(row: &Row<'_>, column: usize) -> Result<UtcMs> {
    Ok(parsed(text(row, column)?)?)
}

pub(super) fn maybe_instant(row: &Row<'_>, column: usize) -> Result<Option<UtcMs>> {
    Ok(maybe_text(row, column)?.map(parsed).transpose()?)
}

/// An instant that the table of what is known of the database itself holds, if it does.
pub(super) fn instant_of_meta(conn: &Connection, key: &str) -> Result<Option<UtcMs>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| instant(row, 0)).transpose()
}
