//! Lists of days: definitions name them by their digest, and here each version is kept once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, params};
use tracing::error;

use super::cells::At;
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
    let mut lists: HashMap<String, Option<Arc<Calendar>>> = HashMap::new();
    let mut statement = conn.prepare_cached("SELECT list FROM calendars WHERE digest = ?1")?;
    for calendar in rules.flat_map(DayRule::calendars_mut) {
        let list = match lists.get(&calendar.digest) {
            Some(list) => list.clone(),
            None => {
                let text: Option<String> =
                    statement.query_map([&calendar.digest], |row| row.get(0))?.next().transpose()?;
                let list = text.and_then(|text| {
                    let read = serde_json::from_str(&text).map(Arc::new);
                    read.inspect_err(
                        |problem| error!(calendar = calendar.name, %problem, "a list of days cannot be read"),
                    )
                    .ok()
                });
                lists.insert(calendar.digest.clone(), list.clone());
                list
            }
        };
        calendar.list = list;
    }
    Ok(())
}
