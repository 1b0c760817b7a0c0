//! What sources said the last time that they were well.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cells::{At, instant, text};
use super::fault::Result;
use super::of_fire::definition_of_fire;
use crate::domain::UtcMs;
use crate::store::bounds::FIRES_LOOKED_AT;
use crate::store::model::{LastGood, LastList, MadeList};
use crate::store::source::source_of;

/// What the source of the job of this fire said last, unless that was before `since`. Of another source, and of a source
/// that was defined otherwise, it is none.
pub(super) fn last_good(conn: &Connection, fire_id: i64, since: UtcMs) -> Result<Option<LastGood>> {
    let mut of_fire = conn.prepare_cached(concat!(
        "SELECT f.job, ",
        definition_of_fire!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job WHERE f.id = ?1"
    ))?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let Some((job, definition)) = of_fire.query_row([fire_id], read).optional()? else { return Ok(None) };
    let Some(wanted) = source_of(&definition) else { return Ok(None) };
    let mut good = conn.prepare_cached(concat!(
        "SELECT c.content, coalesce(c.stale_from, c.made_at), ",
        definition_of_fire!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job JOIN contents AS c ON c.fire_id = f.id
          WHERE f.job = ?1 AND f.id <> ?2 AND c.outcome <> 'failed' AND coalesce(c.stale_from, c.made_at) >= ?3
          ORDER BY coalesce(c.stale_from, c.made_at) DESC, f.id DESC LIMIT ?4"
    ))?;
    let mut rows = good.query(params![job, fire_id, At::from(since), FIRES_LOOKED_AT])?;
    while let Some(row) = rows.next()? {
        if source_of(text(row, 2)?).as_ref() == Some(&wanted) {
            return Ok(Some(LastGood { text: row.get(0)?, made_at: instant(row, 1)? }));
        }
    }
    Ok(None)
}

/// The list of the job of this fire as it was read last, unless that was before `since`, or it was another list.
pub(super) fn last_list(
    conn: &Connection,
    fire_id: i64,
    name: &str,
    key: &str,
    since: UtcMs,
) -> Result<Option<LastList>> {
    let mut statement = conn.prepare_cached(
        "SELECT l.entries, l.read_at FROM last_lists AS l JOIN fires AS f ON f.job = l.job
          WHERE f.id = ?1 AND l.name = ?2 AND l.key = ?3 AND l.read_at >= ?4",
    )?;
    let mut rows = statement.query(params![fire_id, name, key, At::from(since)])?;
    rows.next()?
        .map(|row| Ok(LastList { entries: serde_json::from_str(text(row, 0)?)?, read_at: instant(row, 1)? }))
        .transpose()
}

/// Keeps those lists that may stand in for themselves later.
pub(super) fn keep_lists(conn: &Connection, job: &str, lists: &[MadeList]) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO last_lists (job, name, key, entries, read_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (job, name) DO UPDATE
            SET key = excluded.key, entries = excluded.entries, read_at = excluded.read_at",
    )?;
    for list in lists.iter().filter(|list| list.stale.is_none()) {
        if let (Some(key), Ok(entries)) = (&list.key, &list.entries) {
            let entries = serde_json::to_string(entries)?;
            statement.execute(params![job, list.name, key, entries, At::from(list.read_at)])?;
        }
    }
    Ok(())
}
