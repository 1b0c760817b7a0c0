//! What was made and read for fires, as their pushes ask for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, maybe, one};
use super::cells::{maybe_instant, maybe_text, text};
use super::fault::Result;
use crate::domain::{FireContent, KnownContent, UtcMs};
use crate::store::bounds::PUSHES_LOOKED_AT;

/// The content of the fire that was asked for last: the pushes of a fire begin together.
#[derive(Default)]
pub(super) struct Contents(Option<(i64, Arc<FireContent>)>);

impl Contents {
    /// What the templates of a push may tell of its content.
    pub(super) async fn of_push(
        &mut self,
        conn: &mut PgConnection,
        push_id: i64,
        known: &KnownContent,
    ) -> Result<Arc<FireContent>> {
        let find = sqlx::query(
            "SELECT p.fire_id, f.job, p.im, p.target FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE p.id = $1",
        );
        let row = one(conn, find.bind(push_id)).await?;
        let fire_id: i64 = row.try_get(0)?;
        let content = match &self.0 {
            Some((fire, content)) if *fire == fire_id => content.clone(),
            _ => {
                let text = text_of(conn, fire_id).await?.unwrap_or_default();
                let data = if known.json { serde_json::from_str(&text).ok() } else { None };
                let content = Arc::new(FireContent { text, data, previous: None });
                self.0 = Some((fire_id, content.clone()));
                content
            }
        };
        let Some(job) = maybe_text(&row, 1)?.filter(|_| known.previous) else { return Ok(content) };
        let previous = match last_sent(conn, job, fire_id, (text(&row, 2)?, text(&row, 3)?)).await? {
            Some(fire) => text_of(conn, fire).await?,
            None => None,
        };
        let previous = previous.map(|text| match known.json {
            true => serde_json::from_str(&text).unwrap_or(Value::Null),
            false => Value::from(text),
        });
        Ok(Arc::new(FireContent { previous, ..(*content).clone() }))
    }
}

async fn text_of(conn: &mut PgConnection, fire_id: i64) -> Result<Option<String>> {
    let row = maybe(conn, sqlx::query("SELECT content FROM contents WHERE fire_id = $1").bind(fire_id)).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// What a list says of the recipient of a push.
pub(super) async fn columns(conn: &mut PgConnection, push_id: i64) -> Result<Option<Map<String, Value>>> {
    let row = one(conn, sqlx::query("SELECT recipient::text FROM pushes WHERE id = $1").bind(push_id)).await?;
    Ok(maybe_text(&row, 0)?.and_then(|json| serde_json::from_str(json).ok()))
}

/// The newest fire of a job, beside this one, of which something was sent to this target of an im. What failed was not sent,
/// and is due again. What is older than a thousand fires is as good as never.
async fn last_sent(
    conn: &mut PgConnection,
    job: &str,
    fire_id: i64,
    (im, target): (&str, &str),
) -> Result<Option<i64>> {
    let find = sqlx::query(
        "SELECT l.id
           FROM (SELECT f.id, f.due_at FROM fires AS f JOIN contents AS c ON c.fire_id = f.id
                  WHERE f.job = $1 AND f.id <> $2 ORDER BY f.due_at DESC, f.id DESC LIMIT 1000) AS l
          WHERE EXISTS (SELECT 1 FROM pushes AS p
                         WHERE p.fire_id = l.id AND p.state = 'sent' AND p.im = $3 AND p.target = $4)
          ORDER BY l.due_at DESC, l.id DESC LIMIT 1",
    );
    let row = maybe(conn, find.bind(job).bind(fire_id).bind(im).bind(target)).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// So many fires are asked after at once.
const FIRES: usize = 50;

/// The fire of a job, beside this one, whose content goes to each of these targets last: of those that are still open the
/// newest, else what was sent last, though it may be older. What ended in any other way says nothing.
pub(super) async fn last_going(
    conn: &mut PgConnection,
    job: &str,
    fire_id: i64,
    wanted: &HashSet<(String, String)>,
) -> Result<HashMap<(String, String), i64>> {
    let newest = sqlx::query(
        "SELECT f.id FROM fires AS f JOIN contents AS c ON c.fire_id = f.id
          WHERE f.job = $1 AND f.id <> $2 ORDER BY f.due_at DESC, f.id DESC LIMIT 1000",
    );
    let rows = all(conn, newest.bind(job).bind(fire_id)).await?;
    let fires: Vec<i64> = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    // An open push goes later than all that was sent.
    let mut last: HashMap<(String, String), ((bool, Option<UtcMs>), i64)> = HashMap::new();
    let mut left = PUSHES_LOOKED_AT;
    for fires in fires.chunks(FIRES) {
        let mut going = going(conn, fires).await?;
        for fire in fires {
            if left == 0 && last.len() == wanted.len() {
                return Ok(last.into_iter().map(|(key, (_, fire))| (key, fire)).collect());
            }
            left = left.saturating_sub(wanted.len().max(1));
            for (key, goes) in going.remove(fire).unwrap_or_default() {
                if wanted.contains(&key) && last.get(&key).is_none_or(|(known, _)| *known < goes) {
                    last.insert(key, (goes, *fire));
                }
            }
        }
    }
    Ok(last.into_iter().map(|(key, (_, fire))| (key, fire)).collect())
}

/// To which target a push goes, whether it is open, and when it was sent.
type Going = ((String, String), (bool, Option<UtcMs>));

/// What was sent of these fires, or still goes out.
async fn going(conn: &mut PgConnection, fires: &[i64]) -> Result<HashMap<i64, Vec<Going>>> {
    let ask = sqlx::query(
        "SELECT fire_id, im, target, finished_at IS NULL, finished_at FROM pushes
          WHERE fire_id = ANY ($1) AND (state = 'sent' OR finished_at IS NULL) ORDER BY id",
    );
    let mut going: HashMap<i64, Vec<Going>> = HashMap::new();
    for row in all(conn, ask.bind(fires)).await? {
        let key = (row.try_get(1)?, row.try_get(2)?);
        going.entry(row.try_get(0)?).or_default().push((key, (row.try_get(3)?, maybe_instant(&row, 4)?)));
    }
    Ok(going)
}
