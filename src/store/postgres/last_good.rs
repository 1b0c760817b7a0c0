//! What sources said the last time that they were well.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, done, maybe};
use super::cells::{instant, json, plain, text, to_json};
use super::fault::Result;
use super::instants::At;
use super::of_fire::definition_of_fire;
use crate::domain::UtcMs;
use crate::store::bounds::FIRES_LOOKED_AT;
use crate::store::model::{LastGood, LastList, MadeList};
use crate::store::source::source_of;

/// What the source of the job of this fire said last, unless that was before `since`. Of another source, and of a source
/// that was defined otherwise, it is none.
pub(super) async fn last_good(conn: &mut PgConnection, fire_id: i64, since: UtcMs) -> Result<Option<LastGood>> {
    let of_fire = sqlx::query(concat!(
        "SELECT f.job, ",
        definition_of_fire!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job WHERE f.id = $1"
    ));
    let Some(row) = maybe(conn, of_fire.bind(fire_id)).await? else { return Ok(None) };
    let Some(wanted) = source_of(text(&row, 1)?) else { return Ok(None) };
    let good = sqlx::query(concat!(
        "SELECT c.content, coalesce(c.stale_from, c.made_at), ",
        definition_of_fire!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job JOIN contents AS c ON c.fire_id = f.id
          WHERE f.job = $1 AND f.id <> $2 AND c.outcome <> 'failed' AND coalesce(c.stale_from, c.made_at) >= $3
          ORDER BY coalesce(c.stale_from, c.made_at) DESC, f.id DESC LIMIT $4"
    ));
    let good = good.bind(text(&row, 0)?).bind(fire_id).bind(At::from(since)).bind(FIRES_LOOKED_AT);
    for row in all(conn, good).await? {
        if source_of(text(&row, 2)?).as_ref() == Some(&wanted) {
            return Ok(Some(LastGood { text: row.try_get(0)?, made_at: instant(&row, 1)? }));
        }
    }
    Ok(None)
}

/// The list of the job of this fire as it was read last, unless that was before `since`, or it was another list.
pub(super) async fn last_list(
    conn: &mut PgConnection,
    fire_id: i64,
    name: &str,
    key: &str,
    since: UtcMs,
) -> Result<Option<LastList>> {
    let ask = sqlx::query(
        "SELECT l.entries::text, l.read_at FROM last_lists AS l JOIN fires AS f ON f.job = l.job
          WHERE f.id = $1 AND l.name = $2 AND l.key = $3 AND l.read_at >= $4",
    );
    let found = maybe(conn, ask.bind(fire_id).bind(name).bind(key).bind(At::from(since))).await?;
    found.map(|row| Ok(LastList { entries: json(&row, 0)?, read_at: instant(&row, 1)? })).transpose()
}

/// Keeps those lists that may stand in for themselves later.
pub(super) async fn keep_lists(conn: &mut PgConnection, job: &str, lists: &[MadeList]) -> Result<()> {
    for list in lists.iter().filter(|list| list.stale.is_none()) {
        if let (Some(key), Ok(entries)) = (&list.key, &list.entries) {
            let keep = sqlx::query(
                "INSERT INTO last_lists (job, name, key, entries, read_at) VALUES ($1, $2, $3, $4::json, $5)
                 ON CONFLICT (job, name) DO UPDATE
                    SET key = excluded.key, entries = excluded.entries, read_at = excluded.read_at",
            );
            let keep = keep.bind(job).bind(plain(&list.name)).bind(plain(key)).bind(to_json(entries)?);
            done(conn, keep.bind(At::from(list.read_at))).await?;
        }
    }
    Ok(())
}
