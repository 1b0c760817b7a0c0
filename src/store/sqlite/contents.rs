//! What was made and read for fires, as their pushes ask for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

use super::fault::Result;
use crate::domain::{FireContent, KnownContent};
use crate::store::bounds::PUSHES_LOOKED_AT;

/// The content of the fire that was asked for last: the pushes of a fire begin together.
#[derive(Default)]
pub(super) struct Contents(Option<(i64, Arc<FireContent>)>);

impl Contents {
    /// What the templates of a push may tell of its content.
    pub(super) fn of_push(
        &mut self,
        conn: &Connection,
        push_id: i64,
        known: &KnownContent,
    ) -> Result<Arc<FireContent>> {
        let mut find = conn.prepare_cached(
            "SELECT p.fire_id, f.job, p.im, p.target FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE p.id = ?1",
        )?;
        let (fire_id, job, im, target) = find.query_row([push_id], |row| {
            Ok((row.get(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?, row.get(3)?))
        })?;
        let content = match &self.0 {
            Some((fire, content)) if *fire == fire_id => content.clone(),
            _ => {
                let text = text_of(conn, fire_id)?.unwrap_or_default();
                let data = if known.json { serde_json::from_str(&text).ok() } else { None };
                let content = Arc::new(FireContent { text, data, previous: None });
                self.0 = Some((fire_id, content.clone()));
                content
            }
        };
        let Some(job) = job.filter(|_| known.previous) else { return Ok(content) };
        let wanted: (String, String) = (im, target);
        let last = last_sent(conn, &job, fire_id, HashSet::from([wanted.clone()]))?;
        let text = last.get(&wanted).map(|fire| text_of(conn, *fire)).transpose()?.flatten();
        let previous = text.map(|text| match known.json {
            true => serde_json::from_str(&text).unwrap_or(Value::Null),
            false => Value::from(text),
        });
        Ok(Arc::new(FireContent { previous, ..(*content).clone() }))
    }
}

fn text_of(conn: &Connection, fire_id: i64) -> Result<Option<String>> {
    let mut find = conn.prepare_cached("SELECT content FROM contents WHERE fire_id = ?1")?;
    Ok(find.query_row([fire_id], |row| row.get(0)).optional()?.flatten())
}

/// What a list says of the recipient of a push.
pub(super) fn columns(conn: &Connection, push_id: i64) -> Result<Option<Map<String, Value>>> {
    let mut find = conn.prepare_cached("SELECT recipient FROM pushes WHERE id = ?1")?;
    let json: Option<String> = find.query_row([push_id], |row| row.get(0))?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

/// The newest fire of a job, beside this one, of which something was sent to each of these targets. What failed was not sent,
/// and is due again. What is older than a thousand fires is as good as never.
pub(super) fn last_sent(
    conn: &Connection,
    job: &str,
    fire_id: i64,
    mut wanted: HashSet<(String, String)>,
) -> Result<HashMap<(String, String), i64>> {
    let mut last = HashMap::new();
    let mut fires = conn.prepare_cached(
        "SELECT f.id FROM fires AS f JOIN contents AS c ON c.fire_id = f.id
          WHERE f.job = ?1 AND f.id <> ?2 ORDER BY f.due_at DESC, f.id DESC LIMIT 1000",
    )?;
    let mut sent = conn.prepare_cached("SELECT im, target FROM pushes WHERE fire_id = ?1 AND state = 'sent'")?;
    let mut rows = fires.query((job, fire_id))?;
    while let Some(row) = rows.next()?.filter(|_| !wanted.is_empty()) {
        let fire: i64 = row.get(0)?;
        let mut pushes = sent.query([fire])?;
        while let Some(push) = pushes.next()? {
            if let Some(key) = wanted.take(&(push.get(0)?, push.get(1)?)) {
                last.insert(key, fire);
            }
        }
    }
    Ok(last)
}

/// The fire of a job, beside this one, whose content goes to each of these targets last: of those that are still open the
/// newest, else what was sent last, though it may be older. What ended in any other way says nothing.
pub(super) fn last_going(
    conn: &Connection,
    job: &str,
    fire_id: i64,
    wanted: &HashSet<(String, String)>,
) -> Result<HashMap<(String, String), i64>> {
    let mut last: HashMap<(String, String), ((bool, String), i64)> = HashMap::new();
    let mut fires = conn.prepare_cached(
        "SELECT f.id FROM fires AS f JOIN contents AS c ON c.fire_id = f.id
          WHERE f.job = ?1 AND f.id <> ?2 ORDER BY f.due_at DESC, f.id DESC LIMIT 1000",
    )?;
    let mut going = conn.prepare_cached(
        "SELECT im, target, finished_at IS NULL, coalesce(finished_at, '') FROM pushes
          WHERE fire_id = ?1 AND (state = 'sent' OR finished_at IS NULL)",
    )?;
    let (mut rows, mut left) = (fires.query((job, fire_id))?, PUSHES_LOOKED_AT);
    while let Some(row) = rows.next()?.filter(|_| left > 0 || last.len() < wanted.len()) {
        left = left.saturating_sub(wanted.len().max(1));
        let fire: i64 = row.get(0)?;
        let mut pushes = going.query([fire])?;
        while let Some(push) = pushes.next()? {
            let key = (push.get(0)?, push.get(1)?);
            let goes = (push.get(2)?, push.get(3)?);
            if wanted.contains(&key) && last.get(&key).is_none_or(|(known, _)| *known < goes) {
                last.insert(key, (goes, fire));
            }
        }
    }
    Ok(last.into_iter().map(|(key, (_, fire))| (key, fire)).collect())
}
