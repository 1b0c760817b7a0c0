//! Fires whose pushes are there before their content, which is made once the first of them can go out.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, done, maybe};
use super::calendars;
use super::cells::{instant, plain_json, text};
use super::ends::end;
use super::expand::{keep, unexpanded_row, without_unchanged};
use super::fault::Result;
use super::of_fire::definition_of_fire;
use super::opened;
use super::session::Write;
use crate::domain::hex::sha256;
use crate::domain::{Kind, PushState, Reason, UtcMs};
use crate::store::model::{Expansion, OpenPush, Release, Released, Unreleased};
use crate::store::plan::with_content;

/// The fires of these pushes whose content is still to be made. What a row that gives a reason tells of the next attempt is a
/// guess, which whoever asks knows better.
pub(super) async fn unreleased(conn: &mut PgConnection, push_ids: &[i64]) -> Result<Vec<Unreleased>> {
    let ask = sqlx::query(concat!(
        "SELECT u.fire_id, f.job, f.due_at, j.removed_at IS NOT NULL, f.triggered_by,
                f.reason IS NOT DISTINCT FROM 'backfill', ",
        definition_of_fire!(),
        ", j.definition::text, asked.push_ids, coalesce(asked.goes_at, f.due_at)
           FROM (SELECT p.fire_id, array_agg(p.id ORDER BY n.place) AS push_ids,
                        min(CASE WHEN p.reason IS NULL AND p.next_attempt_at IS NOT NULL THEN p.next_attempt_at
                                 ELSE w.due_at END) AS goes_at
                   FROM unnest($1::bigint[]) WITH ORDINALITY AS n (id, place)
                   JOIN pushes AS p ON p.id = n.id
                   JOIN fires AS w ON w.id = p.fire_id
                  GROUP BY p.fire_id) AS asked
           JOIN unreleased_fires AS u ON u.fire_id = asked.fire_id
           JOIN fires AS f ON f.id = u.fire_id
           JOIN jobs AS j ON j.name = f.job
          ORDER BY f.due_at, f.id"
    ));
    let fire = |row: &PgRow| {
        Ok(Unreleased { fire: unexpanded_row(row)?, push_ids: row.try_get(8)?, goes_at: instant(row, 9)? })
    };
    let mut fires: Vec<Unreleased> = all(conn, ask.bind(push_ids)).await?.iter().map(fire).collect::<Result<_>>()?;
    let jobs = fires.iter_mut().filter_map(|fire| fire.fire.definition.as_mut().ok());
    calendars::fill(conn, jobs.filter_map(|job| job.days.as_deref_mut())).await?;
    Ok(fires)
}

pub(super) struct ReleaseFire {
    pub release: Release,
    pub now: UtcMs,
}

impl Write for ReleaseFire {
    type Answer = Released;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Released> {
        let Release { fire_id, content, then } = &self.release;
        let fire_id = *fire_id;
        let took = done(conn, sqlx::query("DELETE FROM unreleased_fires WHERE fire_id = $1").bind(fire_id)).await?;
        let open = open_of(conn, fire_id).await?;
        if took == 0 {
            // Somebody was faster, whose content stays.
            return Ok(Released { open: ids(&open), ended: Vec::new() });
        }
        let text = content.as_ref().and_then(|content| content.text.as_deref());
        let sha256 = text.map(|text| sha256(text.as_bytes()));
        if let Some(content) = content {
            keep(conn, fire_id, content, sha256.as_deref()).await?;
        }
        if let Some(text) = text {
            say(conn, fire_id, text).await?;
        }
        match then {
            Expansion::Send { unless_unchanged } => {
                let row = maybe(conn, sqlx::query("SELECT job FROM fires WHERE id = $1").bind(fire_id)).await?;
                let job: Option<String> = row.map(|row| row.try_get(0)).transpose()?.flatten();
                let (Some(job), Some(sha256), true) = (job, sha256, unless_unchanged) else {
                    return Ok(Released { open: ids(&open), ended: Vec::new() });
                };
                let (open, ended) = without_unchanged(conn, (&job, fire_id), &sha256, open, self.now).await?;
                Ok(Released { open: ids(&open), ended })
            }
            Expansion::Cancel(reason) => self.end_all(conn, &open, PushState::Cancelled, *reason).await,
            Expansion::Fail(reason) => self.end_all(conn, &open, PushState::Failed, *reason).await,
            Expansion::Expire(reason) => self.end_all(conn, &open, PushState::Expired, *reason).await,
        }
    }
}

impl ReleaseFire {
    async fn end_all(
        &self,
        conn: &mut PgConnection,
        open: &[OpenPush],
        state: PushState,
        reason: Reason,
    ) -> Result<Released> {
        for push in open {
            end(conn, push.id, state, reason, self.now).await?;
        }
        Ok(Released { open: Vec::new(), ended: ids(open) })
    }
}

fn ids(pushes: &[OpenPush]) -> Vec<i64> {
    pushes.iter().map(|push| push.id).collect()
}

/// Gives the text to the pushes that have none of their own, also to those that came to their end before: whoever tries one
/// again sends what the others sent.
async fn say(conn: &mut PgConnection, fire_id: i64, content: &str) -> Result<()> {
    let waiting = sqlx::query(
        "SELECT id, message::text FROM pushes WHERE fire_id = $1 AND kind = 'text' AND message ->> 'text' = ''",
    );
    for row in all(conn, waiting.bind(fire_id)).await? {
        let message = with_content(text(&row, 1)?, Kind::Text, Some(content))?;
        let set = sqlx::query("UPDATE pushes SET message = $2::json WHERE id = $1");
        done(conn, set.bind(row.try_get::<i64, _>(0)?).bind(plain_json(&message))).await?;
    }
    Ok(())
}

async fn open_of(conn: &mut PgConnection, fire_id: i64) -> Result<Vec<OpenPush>> {
    let find = sqlx::query("SELECT id FROM pushes WHERE fire_id = $1 AND state IN ('pending', 'retrying')");
    let rows = all(conn, find.bind(fire_id)).await?;
    let open: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
    opened::by_ids(conn, &open).await
}
