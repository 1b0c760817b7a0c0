//! Attempts: opened before the first byte leaves, closed once, and those that a dead process left open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;

use super::accounts;
use super::calendars::Lists;
use super::cells::{At, instant, maybe_instant, maybe_text, parsed, text, word};
use super::contents::{Contents, columns};
use super::ends::{EndUnwanted, end_unreadable, next_attempt_at};
use super::fallbacks;
use super::fault::{Fault, Result};
use super::writer::Write;
use crate::domain::hex::sha256;
use crate::domain::{Delivery, Facts, Health, Message, Reason, Render, Rendering, UtcMs};
use crate::store::model::{Begin, Closed, Finish, Interrupted, TakeBack};
use crate::store::renderer::facts;

/// What [`delivery`] reads, from `pushes AS p` and `fires AS f`.
macro_rules! delivery_columns {
    () => {
        "p.id, f.job, f.triggered_by, f.due_at, p.im, p.target, p.message, p.timeout_ms, p.retry, p.max_attempts,
         p.expires_at, p.parts, f.recorded_at "
    };
}

/// How many columns these are: what else is asked for comes after them.
const DELIVERY_COLUMNS: usize = 13;

fn delivery(row: &Row<'_>, stem: &str, attempt: u32) -> Result<Delivery> {
    let push_id = row.get(0)?;
    let due_at = instant(row, 3)?;
    Ok(Delivery {
        push_id,
        attempt,
        key: format!("{stem}-{push_id}"),
        job: row.get(1)?,
        triggered_by: word(text(row, 2)?)?,
        due_at,
        im: row.get(4)?,
        target: parsed(text(row, 5)?)?,
        message: serde_json::from_str(text(row, 6)?)?,
        media: Vec::new(),
        timeout: Duration::from_millis(row.get::<_, i64>(7)?.unsigned_abs()),
        retry: maybe_json(row, 8)?.unwrap_or_default(),
        max_attempts: row.get(9)?,
        expires_at: instant(row, 10)?,
        // Where it was recorded ahead it waits for its instant.
        made_at: due_at.max(instant(row, 12)?),
        parts: maybe_json(row, 11)?.unwrap_or_default(),
        unmade: None,
    })
}

fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    Ok(maybe_text(row, column)?.map(serde_json::from_str).transpose()?)
}

/// What every idempotency key of this database begins with.
fn key_stem(conn: &Connection) -> Result<String> {
    let mut statement = conn.prepare_cached("SELECT 'pc-' || value FROM meta WHERE key = 'database_id'")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Opens attempts.
pub(super) struct BeginAttempts {
    pub begins: Vec<Begin>,
    pub now: UtcMs,
    pub renderer: Arc<dyn Render>,
}

impl Write for BeginAttempts {
    type Answer = Vec<Delivery>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<Delivery>> {
        let stem = key_stem(conn)?;
        let mut find = conn.prepare_cached(concat!(
            "SELECT ",
            delivery_columns!(),
            ", p.attempts, p.next_attempt_at, p.render, f.reason
               FROM pushes AS p
               JOIN fires AS f ON f.id = p.fire_id
              WHERE p.id = ?1 AND (p.state = 'pending' OR p.state = 'retrying')"
        ))?;
        let mut open = conn.prepare_cached(
            "INSERT INTO attempts (push_id, number, account, rule, sender, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (push_id, number) DO NOTHING",
        )?;
        let mut mark = conn.prepare_cached(
            "UPDATE pushes
                SET state = 'sending', attempts = ?2, account = ?3, next_attempt_at = NULL, reason = NULL, detail = NULL
              WHERE id = ?1",
        )?;
        // As `mark`, with what was rendered in the place of its templates: from here on every attempt sends these bytes.
        let mut keep = conn.prepare_cached(
            "UPDATE pushes
                SET state = 'sending', attempts = ?2, account = ?3, next_attempt_at = NULL, reason = NULL, detail = NULL,
                    message = ?4, content_hash = ?5, render = NULL
              WHERE id = ?1",
        )?;
        let mut memory = Memory::default();
        let mut deliveries = Vec::with_capacity(self.begins.len());
        for Begin { push_id, account, sender, rule } in &self.begins {
            let mut rows = find.query([push_id])?;
            let Some(row) = rows.next()? else { continue };
            let number = row.get::<_, u32>(DELIVERY_COLUMNS)? + 1;
            let started_at = self.now.max(maybe_instant(row, DELIVERY_COLUMNS + 1)?.unwrap_or(self.now));
            let delivery = delivery(row, &stem, number).and_then(|it| Ok((it, maybe_json(row, DELIVERY_COLUMNS + 2)?)));
            let backfill = maybe_text(row, DELIVERY_COLUMNS + 3)? == Some(Reason::Backfill.as_str());
            drop(rows);
            let (mut delivery, rendering): (_, Option<Rendering>) = match delivery {
                Ok(delivery) => delivery,
                Err(Fault::Row(problem)) => {
                    end_unreadable(conn, *push_id, &problem, self.now)?;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let opened =
                open.execute(params![push_id, number, account, rule.as_str(), sender, At::from(started_at)])?;
            if opened == 1 {
                let rendered = match rendering {
                    Some(rendering) => {
                        let known = Facts { backfill, ..facts(&delivery, account, started_at) };
                        Some(self.render(conn, &delivery, &rendering, known, &mut memory)?)
                    }
                    None => None,
                };
                match rendered {
                    Some(Ok(message)) => {
                        let json = serde_json::to_string(&message)?;
                        keep.execute(params![push_id, number, account, json, sha256(json.as_bytes())])?;
                        delivery.message = message;
                    }
                    // What cannot be rendered keeps its templates, for whoever tries it again by hand.
                    Some(Err(problem)) => {
                        mark.execute(params![push_id, number, account])?;
                        delivery.unmade = Some(problem);
                    }
                    None => drop(mark.execute(params![push_id, number, account])?),
                }
                deliveries.push(delivery);
            }
        }
        Ok(deliveries)
    }
}

/// What pushes that begin together ask for, looked up once.
#[derive(Default)]
struct Memory {
    lists: Lists,
    contents: Contents,
}

impl BeginAttempts {
    /// The message of a push rendered, or why that cannot be. What no text of it asks for is not looked up.
    fn render(
        &self,
        conn: &Connection,
        delivery: &Delivery,
        rendering: &Rendering,
        known: Facts<'_>,
        memory: &mut Memory,
    ) -> Result<std::result::Result<Message, String>> {
        let push_id = delivery.push_id;
        let digest = rendering.calendar.as_deref();
        let calendar = digest.map(|digest| memory.lists.get(conn, digest)).transpose()?.flatten();
        let run = match &delivery.job {
            Some(job) if rendering.counts => fired_until(conn, job, delivery.due_at)?,
            _ => 0,
        };
        let content = rendering.content.as_ref();
        let content = content.map(|known| memory.contents.of_push(conn, push_id, known)).transpose()?;
        let columns = if rendering.fields.is_empty() { None } else { columns(conn, push_id)? };
        let (calendar, content, columns) = (calendar.as_ref(), content.as_ref(), columns.as_ref());
        let known = Facts { run, calendar, content, columns, ..known };
        Ok(self.renderer.render(&delivery.message, rendering, &known))
    }
}

/// How often a job has fired by its schedule, up to this instant: its count, without what is recorded of it for later ones.
fn fired_until(conn: &Connection, job: &str, due_at: UtcMs) -> Result<u64> {
    let mut statement = conn.prepare_cached(
        "SELECT max(0, j.fired - (SELECT count(*) FROM fires AS f
                                   WHERE f.job = j.name AND f.due_at > ?2 AND f.triggered_by = 'cron'
                                     AND f.decision = 'fired'))
           FROM jobs AS j WHERE j.name = ?1",
    )?;
    let mut rows = statement.query(params![job, At::from(due_at)])?;
    Ok(rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// Takes back attempts that were never made.
pub(super) struct TakeBackAttempts {
    pub attempts: Vec<TakeBack>,
    pub now: UtcMs,
}

impl Write for TakeBackAttempts {
    type Answer = Vec<i64>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let mut remove =
            conn.prepare_cached("DELETE FROM attempts WHERE push_id = ?1 AND number = ?2 AND finished_at IS NULL")?;
        // A push that was tried before says why it waits: what that attempt came to.
        let mut mark = conn.prepare_cached(
            "UPDATE pushes
                SET state = CASE WHEN ?2 = 1 THEN 'pending' ELSE 'retrying' END, attempts = ?2 - 1,
                    next_attempt_at = ?3,
                    reason = coalesce(?4, (SELECT a.outcome FROM attempts AS a
                                            WHERE a.push_id = ?1 AND a.number = ?2 - 1)),
                    account = coalesce((SELECT a.account FROM attempts AS a
                                         WHERE a.push_id = ?1 AND a.number = ?2 - 1), named_account)
              WHERE id = ?1 AND attempts = ?2 AND state = 'sending'",
        )?;
        let mut uncount = conn.prepare_cached("UPDATE pushes SET attempts = ?2 - 1 WHERE id = ?1")?;
        let mut is_open = conn.prepare_cached("SELECT 1 FROM pushes WHERE id = ?1 AND finished_at IS NULL")?;
        let mut unwanted = EndUnwanted::new(conn)?;
        let mut ended = Vec::new();
        for TakeBack { push_id, number, next_attempt_at, reason } in &self.attempts {
            remove.execute(params![push_id, number])?;
            if unwanted.run(*push_id, *number, self.now)? {
                uncount.execute(params![push_id, number])?;
                ended.push(*push_id);
            } else if mark.execute(params![push_id, number, At::from(*next_attempt_at), reason.map(Reason::as_str)])?
                == 0
                && !is_open.exists([push_id])?
            {
                ended.push(*push_id);
            }
        }
        Ok(ended)
    }
}

/// Tells when waiting pushes are due again.
pub(super) struct TellNextAttempts {
    pub next_attempts: Vec<(i64, UtcMs)>,
}

impl Write for TellNextAttempts {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "UPDATE pushes SET next_attempt_at = ?2
              WHERE id = ?1 AND (state = 'retrying' OR state = 'pending' AND reason IS NOT NULL)",
        )?;
        for (push_id, at) in &self.next_attempts {
            statement.execute(params![push_id, At::from(*at)])?;
        }
        Ok(())
    }
}

/// Closes attempts.
pub(super) struct FinishAttempts {
    pub finishes: Vec<Finish>,
}

impl Write for FinishAttempts {
    type Answer = Closed;

    fn run(&mut self, conn: &Connection) -> Result<Closed> {
        let mut close = conn.prepare_cached(
            "UPDATE attempts
                SET started_at = ?3, finished_at = ?4, outcome = ?5, error = ?6, http_status = ?7, message_id = ?8,
                    note = ?9
              WHERE push_id = ?1 AND number = ?2 AND finished_at IS NULL",
        )?;
        let mut mark = conn.prepare_cached(
            "UPDATE pushes
                SET state = ?3, sent_count = ?3 = 'sent', reason = ?4, next_attempt_at = ?5, finished_at = ?6,
                    parts = coalesce(?7, parts)
              WHERE id = ?1 AND attempts = ?2 AND state = 'sending'",
        )?;
        let mut unwanted = EndUnwanted::new(conn)?;
        let mut keep_parts = conn.prepare_cached("UPDATE pushes SET parts = ?2 WHERE id = ?1")?;
        let mut closed = Closed::default();
        for Finish { push_id, number, report, next, started_at, finished_at, .. } in &self.finishes {
            let now = *finished_at;
            let finished_at = At::from(now);
            close.execute(params![
                push_id,
                number,
                At::from(*started_at),
                finished_at,
                report.outcome.as_str(),
                report.error,
                report.http_status,
                report.message_id,
                report.note,
            ])?;
            let next_attempt_at = next_attempt_at(next);
            let parts = match &*report.parts {
                [] => None,
                parts => Some(serde_json::to_string(parts)?),
            };
            if next_attempt_at.is_some() && unwanted.run(*push_id, *number, now)? {
                if parts.is_some() {
                    keep_parts.execute(params![push_id, parts])?;
                }
                closed.lost.push(*push_id);
                continue;
            }
            let marked = mark.execute(params![
                push_id,
                number,
                next.state().as_str(),
                next.reason().map(Reason::as_str),
                next_attempt_at.map(At::from),
                next_attempt_at.is_none().then_some(finished_at),
                parts,
            ])?;
            if marked == 0 {
                closed.lost.push(*push_id);
            } else {
                fallbacks::make(conn, *push_id, next, now, &mut closed.fallbacks)?;
            }
        }
        // One account finishes many attempts; what the last one said holds.
        let health: HashMap<&str, &Health> = self
            .finishes
            .iter()
            .filter_map(|finish| finish.health.as_ref())
            .map(|(id, health)| (&**id, health))
            .collect();
        accounts::record_health(conn, health)?;
        Ok(closed)
    }
}

pub(super) fn interrupted(conn: &Connection) -> Result<Vec<Interrupted>> {
    let stem = key_stem(conn)?;
    let mut statement = conn.prepare(concat!(
        "SELECT ",
        delivery_columns!(),
        ", a.number, a.account, a.sender, a.started_at
           FROM pushes AS p INDEXED BY pushes_open
           JOIN attempts AS a ON a.push_id = p.id AND a.number = p.attempts
           JOIN fires AS f ON f.id = p.fire_id
          WHERE p.finished_at IS NULL AND p.state = 'sending'"
    ))?;
    statement
        .query_and_then([], |row| {
            let number = row.get(DELIVERY_COLUMNS)?;
            let delivery = match delivery(row, &stem, number) {
                Err(Fault::Row(problem)) => Err(problem),
                delivery => Ok(delivery?),
            };
            Ok(Interrupted {
                push_id: row.get(0)?,
                number,
                account: row.get(DELIVERY_COLUMNS + 1)?,
                sender: row.get(DELIVERY_COLUMNS + 2)?,
                started_at: instant(row, DELIVERY_COLUMNS + 3)?,
                delivery,
            })
        })?
        .collect()
}
