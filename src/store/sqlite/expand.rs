//! Fires whose content is made after they are recorded: what waits for it, and the pushes that come of it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tracing::error;

use super::calendars;
use super::cells::{At, instant, number, parsed, text, word};
use super::contents::last_going;
use super::fault::{Fault, Result};
use super::fires::{Given, MakePushes};
use super::last_good;
use super::note::{self, Act};
use super::of_fire::definition_of_fire;
use super::pushes::replace_older;
use super::writer::Write;
use crate::domain::calendar::LONGEST_HOLD;
use crate::domain::hex::sha256;
use crate::domain::{Overlap, PushState, Reason, UtcMs};
use crate::store::allowed::no_waiting_fire;
use crate::store::model::{By, Expand, Expansion, MadeContent, MadeList, OpenPush, Unexpanded};
use crate::store::plan::Fired;
use crate::store::waiting::{Waiting, recipients};

/// The fire has no pushes before its content is made, and they go out no sooner than this.
pub(super) fn await_content(conn: &Connection, fire_id: i64, goes_at: UtcMs) -> Result<()> {
    let mut insert = conn.prepare_cached("INSERT INTO unexpanded_fires (fire_id, goes_at) VALUES (?1, ?2)")?;
    insert.execute(params![fire_id, At::from(goes_at)])?;
    Ok(())
}

pub(super) fn unexpanded(conn: &Connection, after: i64, limit: u64) -> Result<Vec<Unexpanded>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT u.fire_id, f.job, f.due_at, j.removed_at IS NOT NULL, f.triggered_by, f.reason IS 'backfill', ",
        definition_of_fire!(),
        ", j.definition
           FROM unexpanded_fires AS u
          CROSS JOIN fires AS f ON f.id = u.fire_id
          JOIN jobs AS j ON j.name = f.job
          WHERE u.fire_id > ?1
          ORDER BY u.fire_id LIMIT ?2"
    ))?;
    let rows = statement.query_and_then(params![after, number(limit)], unexpanded_row)?;
    let mut fires: Vec<Unexpanded> = rows.collect::<Result<_>>()?;
    let jobs = fires.iter_mut().flat_map(|fire| fire.definition.as_mut().ok().into_iter().chain(&mut fire.present));
    calendars::fill(conn, jobs.filter_map(|job| job.days.as_deref_mut()))?;
    Ok(fires)
}

/// Without the lists that its definitions name.
pub(super) fn unexpanded_row(row: &Row<'_>) -> Result<Unexpanded> {
    Ok(Unexpanded {
        fire_id: row.get(0)?,
        job: row.get(1)?,
        due_at: instant(row, 2)?,
        is_removed: row.get(3)?,
        triggered_by: word(text(row, 4)?)?,
        is_backfill: row.get(5)?,
        definition: serde_json::from_str(text(row, 6)?).map_err(|error| error.to_string()),
        present: serde_json::from_str(text(row, 7)?).ok(),
    })
}

/// Pushes that wait for a list in a simulation, where none comes: they are there, and expired.
pub(super) fn expire_held(conn: &Connection, made: &[OpenPush]) -> Result<()> {
    let reason = Reason::NoCalendar;
    made.iter().try_for_each(|push| end(conn, push.id, PushState::Expired, reason, push.due_at + LONGEST_HOLD))
}

/// Ends a push of which nothing was begun.
pub(super) fn end(conn: &Connection, push_id: i64, state: PushState, reason: Reason, at: UtcMs) -> Result<()> {
    conn.prepare_cached(
        "UPDATE pushes SET state = ?2, reason = ?3, next_attempt_at = NULL, finished_at = ?4 WHERE id = ?1",
    )?
    .execute(params![push_id, state.as_str(), reason.as_str(), At::from(at)])?;
    Ok(())
}

pub(super) struct ExpandFire {
    pub expand: Expand,
    pub now: UtcMs,
}

/// A fire that somebody does not want any more, before it has its pushes.
pub(super) struct CancelFire {
    pub fire_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for CancelFire {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let fire_id = self.fire_id;
        let mut waits = conn.prepare_cached(
            "SELECT f.job FROM unexpanded_fires AS u CROSS JOIN fires AS f ON f.id = u.fire_id WHERE u.fire_id = ?1",
        )?;
        let Some(job) = waits.query_row([fire_id], |row| row.get::<_, String>(0)).optional()? else {
            return Err(no_waiting_fire().into());
        };
        let then = Expansion::Cancel(Reason::CancelledByHand);
        let expand = Expand { fire_id, content: None, lists: Vec::new(), lists_of: Vec::new(), then };
        ExpandFire { expand, now: self.now }.run(conn)?;
        let act =
            Act { verb: "cancel", job: Some(&job), fire_id: Some(fire_id), after: Some("cancelled"), ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act)
    }
}

impl Write for ExpandFire {
    type Answer = Vec<OpenPush>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<OpenPush>> {
        let Expand { fire_id, content, lists, lists_of, then } = self.expand.clone();
        let Some(waiting) = self.take(conn)? else { return Ok(Vec::new()) };
        let sha256 = content.as_ref().and_then(|content| content.text.as_deref()).map(|text| sha256(text.as_bytes()));
        if let Some(content) = &content {
            keep(conn, fire_id, content, sha256.as_deref())?;
        }
        keep_lists(conn, fire_id, &lists)?;
        last_good::keep_lists(conn, &waiting.job, &lists)?;
        let plan = match waiting.plan().map_err(Fault::from) {
            Err(Fault::Row(problem)) => {
                miss_unreadable(conn, fire_id, &waiting.job, &problem)?;
                return Ok(Vec::new());
            }
            plan => plan?,
        };
        let then = waiting.fate(&plan, then);
        let Waiting { job, triggered_by, due_at, goes_at, .. } = &waiting;
        let fired = Fired { job, triggered_by: *triggered_by, due_at: *due_at, goes_at: *goes_at, now: self.now };
        let text = content.as_ref().and_then(|content| content.text.as_deref());
        let given = Given { content: text, lists: &recipients(&lists, &lists_of, &then) };
        let mut made = Vec::new();
        let dropped = MakePushes::new(conn)?.run(fire_id, &fired, &plan, given, &mut made)?;
        count_doubles(conn, fire_id, &lists_of, &dropped)?;
        match then {
            Expansion::Send { unless_unchanged } => {
                if plan.overlap == Overlap::Replace {
                    replace_older(conn, job, fire_id, self.now)?;
                }
                if made.is_empty() {
                    // Of nobody there is no row, and of a fire without one nobody would know why.
                    MakePushes::new(conn)?.run(fire_id, &fired, &plan, Given::default(), &mut made)?;
                    return self.end_all(conn, made, PushState::Cancelled, Reason::NoRecipients);
                }
                match sha256.filter(|_| unless_unchanged) {
                    Some(sha256) => Ok(without_unchanged(conn, (job, fire_id), &sha256, made, self.now)?.0),
                    None => Ok(made),
                }
            }
            Expansion::Cancel(reason) => self.end_all(conn, made, PushState::Cancelled, reason),
            Expansion::Fail(reason) => self.end_all(conn, made, PushState::Failed, reason),
            Expansion::Expire(reason) => self.end_all(conn, made, PushState::Expired, reason),
        }
    }
}

impl ExpandFire {
    /// The fire, which from here on waits no more; None where it does not wait.
    fn take(&self, conn: &Connection) -> Result<Option<Waiting>> {
        let id = self.expand.fire_id;
        let mut take = conn.prepare_cached("DELETE FROM unexpanded_fires WHERE fire_id = ?1 RETURNING goes_at")?;
        let Some(goes_at) = take.query_row([id], |row| row.get::<_, String>(0)).optional()? else { return Ok(None) };
        let mut statement = conn.prepare_cached(concat!(
            "SELECT f.job, f.triggered_by, f.due_at, f.reason IS 'backfill', ",
            definition_of_fire!(),
            ", EXISTS (SELECT 1 FROM fires AS n
                        WHERE n.job = f.job AND n.due_at >= f.due_at AND n.id > f.id AND n.decision = 'fired')
               FROM fires AS f JOIN jobs AS j ON j.name = f.job WHERE f.id = ?1"
        ))?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Waiting {
            job: row.get(0)?,
            triggered_by: word(text(row, 1)?)?,
            due_at: instant(row, 2)?,
            goes_at: parsed(&goes_at)?,
            is_backfill: row.get(3)?,
            definition: row.get(4)?,
            is_outdone: row.get(5)?,
        }))
    }

    fn end_all(
        &self,
        conn: &Connection,
        made: Vec<OpenPush>,
        state: PushState,
        reason: Reason,
    ) -> Result<Vec<OpenPush>> {
        made.iter().try_for_each(|push| self.end(conn, push.id, state, reason))?;
        Ok(Vec::new())
    }

    fn end(&self, conn: &Connection, push_id: i64, state: PushState, reason: Reason) -> Result<()> {
        end(conn, push_id, state, reason, self.now)
    }
}

/// Those that go out, and the ids of those that end since their target was sent the same content the last time, or is about
/// to be.
pub(super) fn without_unchanged(
    conn: &Connection,
    (job, fire_id): (&str, i64),
    sha256: &str,
    made: Vec<OpenPush>,
    now: UtcMs,
) -> Result<(Vec<OpenPush>, Vec<i64>)> {
    let key = |push: &OpenPush| (push.im.clone(), push.target.to_string());
    let last = last_going(conn, job, fire_id, &made.iter().map(key).collect())?;
    let mut is_same = conn.prepare_cached("SELECT 1 FROM contents WHERE fire_id = ?1 AND sha256 = ?2")?;
    let (mut changed, mut ended) = (Vec::with_capacity(made.len()), Vec::new());
    for push in made {
        match last.get(&key(&push)) {
            Some(fire) if is_same.exists(params![fire, sha256])? => {
                end(conn, push.id, PushState::Cancelled, Reason::ContentUnchanged, now)?;
                ended.push(push.id);
            }
            _ => changed.push(push),
        }
    }
    Ok((changed, ended))
}

/// As an instant whose definition cannot be read when it is recorded.
fn miss_unreadable(conn: &Connection, fire_id: i64, job: &str, problem: &str) -> Result<()> {
    error!(job, problem, "what a job pushes cannot be read; its instant is missed");
    let mut miss = conn.prepare_cached("UPDATE fires SET decision = 'missed', reason = ?2 WHERE id = ?1")?;
    miss.execute(params![fire_id, Reason::DefinitionUnreadable.as_str()])?;
    Ok(())
}

pub(super) fn keep(conn: &Connection, fire_id: i64, made: &MadeContent, sha256: Option<&str>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO contents (fire_id, source, outcome, attempts, began_at, made_at, exit_code, content, sha256, error,
                               stale_from, stale_why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        fire_id,
        made.source,
        made.outcome.as_str(),
        made.attempts,
        At::from(made.began_at),
        At::from(made.made_at),
        made.exit_code,
        made.text,
        sha256,
        made.error,
        made.stale.as_ref().map(|stale| At::from(stale.from)),
        made.stale.as_ref().map(|stale| &stale.why),
    ])?;
    Ok(())
}

/// Counts who stands on a list and gets the same push by another list of the fire, as who stands on one list twice.
fn count_doubles(conn: &Connection, fire_id: i64, lists_of: &[usize], dropped: &[usize]) -> Result<()> {
    let mut count = conn
        .prepare_cached("UPDATE recipient_lists SET doubles = doubles + ?3, count = max(0, count - ?3) WHERE fire_id = ?1 AND number = ?2")?;
    for (list, dropped) in lists_of.iter().zip(dropped).filter(|(_, dropped)| **dropped > 0) {
        count.execute(params![fire_id, number(*list), number(*dropped)])?;
    }
    Ok(())
}

fn keep_lists(conn: &Connection, fire_id: i64, lists: &[MadeList]) -> Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO recipient_lists (fire_id, number, name, source, attempts, began_at, read_at, count, doubles, error,
                                      stale_from, stale_why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (place, MadeList { name, source, attempts, began_at, read_at, entries, stale, .. }) in lists.iter().enumerate()
    {
        let found = entries.as_ref().ok();
        insert.execute(params![
            fire_id,
            number(place),
            name,
            source,
            attempts,
            At::from(*began_at),
            At::from(*read_at),
            found.map(|found| number(found.entries.len())),
            found.map_or(0, |found| number(found.doubles)),
            entries.as_ref().err(),
            stale.as_ref().map(|stale| At::from(stale.from)),
            stale.as_ref().map(|stale| &stale.why),
        ])?;
    }
    Ok(())
}
