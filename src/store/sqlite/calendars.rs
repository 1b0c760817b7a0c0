//! Lists of days: definitions name them by their digest, and here each version is kept once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, params};
use tracing::error;

use super::cells::{At, text};
use super::fault::Result;
use crate::domain::{Calendar, DayRule, UtcMs};

/// Keeps the lists of these rules.
pub(super) fn keep<'a>(conn: &Connection, rules: impl Iterator<Item = &'a DayRule>, now: UtcMs) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO calendars (digest, name, version, list, loaded_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (digest) DO NOTHING",
    )?;
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for calendar in rules.flat_map(DayRule::calendars) {
        if let Some(list) = &calendar.list
            && kept.insert(&calendar.digest)
        {
            let text = serde_json::to_string(&**list)?;
            statement.execute(params![calendar.digest, calendar.name, calendar.version, text, At::from(now)])?;
        }
    }
    Ok(())
}

/// Gives rules the lists that they name. A list that is not there, or cannot be read, stays away, and schedules that need it
/// do not compile.
pub(super) fn fill<'a>(conn: &Connection, rules: impl Iterator<Item = &'a mut DayRule>) -> Result<()> {
    let mut rules = rules.peekable();
    if rules.peek().is_none() {
        return Ok(());
    }
    let mut lists = Lists::default();
    for calendar in rules.flat_map(DayRule::calendars_mut) {
        calendar.list = lists.get(conn, &calendar.digest)?;
    }
    Ok(())
}

/// Lists that were read, each once.
#[derive(Default)]
pub(super) struct Lists(HashMap<String, Option<Arc<Calendar>>>);

impl Lists {
    /// The list of that digest. What cannot be read is told, and counts as not there.
    pub(super) fn get(&mut self, conn: &Connection, digest: &str) -> Result<Option<Arc<Calendar>>> {
        if let Some(known) = self.0.get(digest) {
            return Ok(known.clone());
        }
        let mut statement = conn.prepare_cached("SELECT name, list FROM calendars WHERE digest = ?1")?;
        let mut rows = statement.query([digest])?;
        let list = match rows.next()? {
            Some(row) => {
                let read = serde_json::from_str(text(row, 1)?).map(Arc::new);
                let calendar = text(row, 0)?;
                read.inspect_err(|problem| error!(calendar, %problem, "a list of days cannot be read")).ok()
            }
            None => None,
        };
        self.0.insert(digest.to_owned(), list.clone());
        Ok(list)
    }
}
