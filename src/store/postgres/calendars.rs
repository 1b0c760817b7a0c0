//! Lists of days: definitions name them by their digest, and here each version is kept once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgConnection;
use tracing::error;

use super::ask::{all, done};
use super::cells::{plain, text, to_json};
use super::fault::Result;
use super::instants::At;
use super::question::Answer;
use crate::domain::{Calendar, DayRule, UtcMs};

/// Keeps the lists of these rules.
pub(super) async fn keep<'a>(
    conn: &mut PgConnection,
    rules: impl Iterator<Item = &'a DayRule>,
    now: UtcMs,
) -> Result<()> {
    let mut lists: BTreeMap<&str, (&str, &str, String)> = BTreeMap::new();
    for calendar in rules.flat_map(DayRule::calendars) {
        if let Some(list) = &calendar.list
            && !lists.contains_key(&*calendar.digest)
        {
            lists.insert(&calendar.digest, (&calendar.name, &calendar.version, to_json(&**list)?));
        }
    }
    for (digest, (name, version, list)) in &lists {
        let keep = sqlx::query(
            "INSERT INTO calendars (digest, name, version, list, loaded_at) VALUES ($1, $2, $3, $4::json, $5)
             ON CONFLICT (digest) DO NOTHING",
        );
        done(conn, keep.bind(digest).bind(plain(name)).bind(plain(version)).bind(list).bind(At::from(now))).await?;
    }
    Ok(())
}

/// Gives rules the lists that they name. A list that is not there, or cannot be read, stays away, and schedules that need it
/// do not compile.
pub(super) fn fill<'a>(conn: &'a mut PgConnection, rules: impl Iterator<Item = &'a mut DayRule>) -> Answer<'a, ()> {
    // What comes out of closures is none that a future could hold.
    let mut calendars: Vec<_> = rules.flat_map(DayRule::calendars_mut).collect();
    Box::pin(async move {
        let mut digests: Vec<String> = calendars.iter().map(|calendar| calendar.digest.clone()).collect();
        digests.sort_unstable();
        digests.dedup();
        let lists = lists(conn, &digests).await?;
        for calendar in &mut calendars {
            calendar.list = lists.get(&*calendar.digest).cloned();
        }
        Ok(())
    })
}

/// The lists of these digests. What cannot be read is told, and counts as not there.
pub(super) async fn lists(conn: &mut PgConnection, digests: &[String]) -> Result<HashMap<String, Arc<Calendar>>> {
    let mut lists = HashMap::new();
    if digests.is_empty() {
        return Ok(lists);
    }
    let ask = sqlx::query("SELECT digest, name, list::text FROM calendars WHERE digest = ANY($1)");
    for row in all(conn, ask.bind(digests)).await? {
        let (digest, calendar) = (row.try_get(0)?, text(&row, 1)?);
        match serde_json::from_str(text(&row, 2)?) {
            Ok(list) => drop(lists.insert(digest, Arc::new(list))),
            Err(problem) => error!(calendar, %problem, "a list of days cannot be read"),
        }
    }
    Ok(lists)
}
