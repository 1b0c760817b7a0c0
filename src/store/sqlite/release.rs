//! Fires whose pushes are there before their content, which is made once the first of them can go out.

use rusqlite::{Connection, params};

use super::calendars;
use super::cells::{instant, text};
use super::expand::{end, keep, unexpanded_row, without_unchanged};
use super::fault::Result;
use super::of_fire::definition_of_fire;
use super::opened::OpenById;
use super::writer::Write;
use crate::domain::hex::sha256;
use crate::domain::{Kind, PushState, UtcMs};
use crate::store::model::{Expansion, OpenPush, Release, Released, Unreleased};
use crate::store::plan::with_content;

/// The fires of these pushes whose content is still to be made. What a row that gives a reason tells of the next attempt is a
/// guess, which whoever asks knows better.
pub(super) fn unreleased(conn: &Connection, push_ids: &[i64]) -> Result<Vec<Unreleased>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT u.fire_id, f.job, f.due_at, j.removed_at IS NOT NULL, f.triggered_by, f.reason IS 'backfill', ",
        definition_of_fire!(),
        ", j.definition, json_group_array(p.id), min(iif(p.reason IS NULL, coalesce(p.next_attempt_at, f.due_at), f.due_at))
           FROM json_each(?1) AS asked
           JOIN pushes AS p ON p.id = asked.value
           JOIN unreleased_fires AS u ON u.fire_id = p.fire_id
           JOIN fires AS f ON f.id = u.fire_id
           JOIN jobs AS j ON j.name = f.job
          GROUP BY u.fire_id ORDER BY f.due_at, f.id"
    ))?;
    let rows = statement.query_and_then([serde_json::to_string(push_ids)?], |row| {
        let push_ids = serde_json::from_str(text(row, 8)?)?;
        Ok(Unreleased { fire: unexpanded_row(row)?, push_ids, goes_at: instant(row, 9)? })
    })?;
    let mut fires: Vec<Unreleased> = rows.collect::<Result<_>>()?;
    let jobs = fires.iter_mut().filter_map(|fire| fire.fire.definition.as_mut().ok());
    calendars::fill(conn, jobs.filter_map(|job| job.days.as_deref_mut()))?;
    Ok(fires)
}

pub(super) struct ReleaseFire {
    pub release: Release,
    pub now: UtcMs,
}

impl Write for ReleaseFire {
    type Answer = Released;

    fn run(&mut self, conn: &Connection) -> Result<Released> {
        let Release { fire_id, content, then } = &self.release;
        let fire_id = *fire_id;
        let took = conn.prepare_cached("DELETE FROM unreleased_fires WHERE fire_id = ?1")?.execute([fire_id])?;
        let open = open_of(conn, fire_id)?;
        if took == 0 {
            // Somebody was faster, whose content stays.
            return Ok(Released { open: ids(&open), ended: Vec::new() });
        }
        let text = content.as_ref().and_then(|content| content.text.as_deref());
        let sha256 = text.map(|text| sha256(text.as_bytes()));
        if let Some(content) = content {
            keep(conn, fire_id, content, sha256.as_deref())?;
        }
        if let Some(text) = text {
            say(conn, fire_id, text)?;
        }
        match then {
            Expansion::Send { unless_unchanged } => {
                let job: Option<String> =
                    conn.query_row("SELECT job FROM fires WHERE id = ?1", [fire_id], |row| row.get(0))?;
                let (Some(job), Some(sha256), true) = (job, sha256, unless_unchanged) else {
                    return Ok(Released { open: ids(&open), ended: Vec::new() });
                };
                let (open, ended) = without_unchanged(conn, (&job, fire_id), &sha256, open, self.now)?;
                Ok(Released { open: ids(&open), ended })
            }
            Expansion::Cancel(reason) => self.end_all(conn, &open, PushState::Cancelled, *reason),
            Expansion::Fail(reason) => self.end_all(conn, &open, PushState::Failed, *reason),
            Expansion::Expire(reason) => self.end_all(conn, &open, PushState::Expired, *reason),
        }
    }
}

impl ReleaseFire {
    fn end_all(
        &self,
        conn: &Connection,
        open: &[OpenPush],
        state: PushState,
        reason: crate::domain::Reason,
    ) -> Result<Released> {
        open.iter().try_for_each(|push| end(conn, push.id, state, reason, self.now))?;
        Ok(Released { open: Vec::new(), ended: ids(open) })
    }
}

fn ids(pushes: &[OpenPush]) -> Vec<i64> {
    pushes.iter().map(|push| push.id).collect()
}

/// Gives the text to the pushes that have none of their own, also to those that came to their end before: whoever tries one
/// again sends what the others sent.
fn say(conn: &Connection, fire_id: i64, content: &str) -> Result<()> {
    let mut waiting = conn.prepare_cached(
        "SELECT id, message FROM pushes WHERE fire_id = ?1 AND kind = 'text' AND message ->> 'text' = ''",
    )?;
    let mut set = conn.prepare_cached("UPDATE pushes SET message = ?2 WHERE id = ?1")?;
    let rows = waiting.query_map([fire_id], |row| row.try_into())?;
    let pushes: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
    for (id, message) in pushes {
        set.execute(params![id, with_content(&message, Kind::Text, Some(content))?])?;
    }
    Ok(())
}

fn open_of(conn: &Connection, fire_id: i64) -> Result<Vec<OpenPush>> {
    let mut find = conn.prepare_cached(
        "SELECT id FROM pushes WHERE fire_id = ?1 AND (state = 'pending' OR state = 'retrying') ORDER BY id",
    )?;
    let open: Vec<i64> = find.query_map([fire_id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut by_id = OpenById::new(conn)?;
    let mut pushes = Vec::with_capacity(open.len());
    for id in open {
        pushes.extend(by_id.find(id)?);
    }
    Ok(pushes)
}
