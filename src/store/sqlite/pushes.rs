//! Pushes between attempts: what is open, and the moves that need no attempt.

use rusqlite::{CachedStatement, Connection, params};

use super::cells::{At, maybe_text, text};
use super::ends::{cancelled_or_unknown, end_unreadable, next_attempt_at};
use super::fallbacks;
use super::fault::Result;
use super::note::{self, Act};
use super::opened::open_and_unreadable;
use super::writer::Write;
use crate::domain::{Next, PushState, Reason, UtcMs};
use crate::store::allowed::{self, PushRow};
use crate::store::bounds::{CONFIRMED_AMONG, CONFIRMED_WITHIN};
use crate::store::cells::state_of;
use crate::store::model::{By, OpenPush, Settle};
use crate::store::plan::NewPush;

pub(super) struct InsertPush<'conn>(CachedStatement<'conn>);

impl<'conn> InsertPush<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(InsertPush(conn.prepare_cached(
            "INSERT INTO pushes (fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms,
                                 retry, state, max_attempts, next_attempt_at, expires_at, exclusive_job, render,
                                 fallback, recipient)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, 'pending', ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?))
    }

    /// Returns the id.
    pub(super) fn run(&mut self, fire_id: i64, push: &NewPush<'_>) -> Result<i64> {
        Ok(self.0.insert(params![
            fire_id,
            push.ordinal,
            push.im,
            push.target.to_string(),
            push.account,
            push.kind.as_str(),
            push.message,
            push.timeout_ms,
            push.retry,
            push.max_attempts,
            At::from(push.goes_at),
            At::from(push.expires_at),
            push.exclusive_job,
            push.render,
            push.fallback,
            push.recipient,
        ])?)
    }
}

/// Whether pushes of a job with `overlap: skip` or `replace` are open, or are still to get their content.
pub(super) fn has_open_pushes(conn: &Connection, job: &str) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM pushes INDEXED BY pushes_exclusive
          WHERE exclusive_job = ?1 AND exclusive_job IS NOT NULL AND finished_at IS NULL
         UNION ALL
         SELECT 1 FROM unexpanded_fires AS u CROSS JOIN fires AS f ON f.id = u.fire_id WHERE f.job = ?1",
    )?;
    Ok(statement.exists([job])?)
}

/// Retires the waiting pushes of a job with `overlap: replace` that are older than its newest fire, and returns their
/// ids. Those that are being sent keep the reason: they end as they end, but none is tried again after the newer one.
pub(super) fn replace_older(conn: &Connection, job: &str, newest_fire: i64, now: UtcMs) -> Result<Vec<i64>> {
    let mut under_way = conn.prepare_cached(
        "UPDATE pushes INDEXED BY pushes_exclusive SET reason = 'replaced'
          WHERE exclusive_job = ?1 AND exclusive_job IS NOT NULL AND finished_at IS NULL
            AND state = 'sending' AND fire_id < ?2",
    )?;
    under_way.execute(params![job, newest_fire])?;
    let mut statement = conn.prepare_cached(concat!(
        "UPDATE pushes INDEXED BY pushes_exclusive
            SET state = ",
        cancelled_or_unknown!(),
        ", reason = 'replaced', finished_at = ?3, next_attempt_at = NULL
          WHERE exclusive_job = ?1 AND exclusive_job IS NOT NULL AND finished_at IS NULL
            AND (state = 'pending' OR state = 'retrying') AND fire_id < ?2
         RETURNING id"
    ))?;
    let replaced = statement.query_map(params![job, newest_fire, At::from(now)], |row| row.get(0))?;
    Ok(replaced.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn push_state(conn: &Connection, push_id: i64) -> Result<Option<PushState>> {
    let mut statement = conn.prepare_cached("SELECT state FROM pushes WHERE id = ?1")?;
    let mut rows = statement.query([push_id])?;
    rows.next()?.map(|row| Ok(state_of(push_id, text(row, 0)?)?)).transpose()
}

/// Ends the waiting pushes of jobs that are gone; those that are being sent are not tried again. `names` is a JSON list.
pub(super) fn cancel_of_jobs(conn: &Connection, names: &str, now: UtcMs) -> Result<Vec<(i64, String)>> {
    conn.execute(
        "UPDATE pushes INDEXED BY pushes_open SET reason = 'job_removed'
          WHERE finished_at IS NULL AND state = 'sending'
            AND (SELECT job FROM fires WHERE fires.id = fire_id) IN (SELECT value FROM jsonb_each(?1))",
        [names],
    )?;
    let mut statement = conn.prepare(concat!(
        "UPDATE pushes INDEXED BY pushes_open
            SET state = ",
        cancelled_or_unknown!(),
        ", reason = 'job_removed', finished_at = ?2, next_attempt_at = NULL
          WHERE finished_at IS NULL AND state IN ('pending', 'retrying')
            AND (SELECT job FROM fires WHERE fires.id = fire_id) IN (SELECT value FROM jsonb_each(?1))
         RETURNING id, (SELECT job FROM fires WHERE fires.id = fire_id)"
    ))?;
    let cancelled = statement.query_map(params![names, At::from(now)], |row| row.try_into())?;
    Ok(cancelled.collect::<rusqlite::Result<_>>()?)
}

/// Ends pushes whose rows cannot be read.
pub(super) struct EndUnreadable {
    pub now: UtcMs,
}

impl Write for EndUnreadable {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let (_, unreadable) = open_and_unreadable(conn)?;
        unreadable.iter().try_for_each(|(id, problem)| end_unreadable(conn, *id, problem, self.now))
    }
}

pub(super) struct SettlePushes {
    pub settles: Vec<Settle>,
    pub now: UtcMs,
}

impl Write for SettlePushes {
    type Answer = Vec<OpenPush>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<OpenPush>> {
        let mut statement = conn.prepare_cached(
            "UPDATE pushes
                SET state = iif(?2 = 'retrying' AND attempts = 0, 'pending', ?2), sent_count = ?2 = 'sent',
                    reason = ?3, next_attempt_at = ?4, finished_at = ?5,
                    detail = coalesce(?6, detail)
              WHERE id = ?1 AND (state = 'pending' OR state = 'retrying')",
        )?;
        let mut made = Vec::new();
        for Settle { push_id, next, detail } in &self.settles {
            let next_attempt_at = next_attempt_at(next);
            let finished_at = next_attempt_at.is_none().then_some(self.now);
            let settled = statement.execute(params![
                push_id,
                next.state().as_str(),
                next.reason().map(Reason::as_str),
                next_attempt_at.map(At::from),
                finished_at.map(At::from),
                detail.as_deref(),
            ])?;
            if settled > 0 {
                fallbacks::make(conn, *push_id, next, self.now, &mut made)?;
            }
        }
        Ok(made)
    }
}

/// Ends pushes to which nothing happened, and no others.
pub(super) struct EndUntouched {
    pub settles: Vec<Settle>,
    pub now: UtcMs,
}

impl Write for EndUntouched {
    type Answer = Vec<i64>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let mut is_untouched =
            conn.prepare_cached("SELECT 1 FROM pushes WHERE id = ?1 AND state = 'pending' AND reason IS NULL")?;
        let mut settles = Vec::new();
        for settle in &self.settles {
            if is_untouched.exists([settle.push_id])? {
                settles.push(settle.clone());
            }
        }
        let ended = settles.iter().map(|settle| settle.push_id).collect();
        SettlePushes { settles, now: self.now }.run(conn)?;
        Ok(ended)
    }
}

/// The push that a person named.
fn named(conn: &Connection, push_id: i64) -> Result<PushRow> {
    let mut statement = conn.prepare(
        "SELECT state, attempts, max_attempts, retry,
                kind = 'text' AND message ->> 'text' = ''
                  AND NOT EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = pushes.fire_id),
                recipient IS NOT NULL AND recipient = 'null'
           FROM pushes WHERE id = ?1",
    )?;
    let mut rows = statement.query([push_id])?;
    let Some(row) = rows.next()? else { return Err(allowed::no_push(push_id).into()) };
    let retry = maybe_text(row, 3)?.map(serde_json::from_str).transpose()?;
    Ok(PushRow {
        state: state_of(push_id, text(row, 0)?)?,
        attempts: row.get(1)?,
        max_attempts: row.get(2)?,
        retry: retry.unwrap_or_default(),
        is_empty: row.get(4)?,
        is_nobodys: row.get(5)?,
    })
}

/// Notes what somebody did to a push.
fn noted(
    conn: &Connection,
    verb: &str,
    push_id: i64,
    (before, after): (PushState, PushState),
    by: Option<&By>,
    now: UtcMs,
) -> Result<()> {
    let (before, after) = (Some(before.as_str()), Some(after.as_str()));
    note::act(conn, by, now, &Act { verb, push_id: Some(push_id), before, after, ..Act::default() })
}

pub(super) struct Cancel {
    pub push_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Cancel {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let id = self.push_id;
        let before = named(conn, id)?.state;
        allowed::cancel(id, before)?;
        conn.execute(
            "UPDATE pushes
                SET state = 'cancelled', reason = 'cancelled by hand', finished_at = ?2, next_attempt_at = NULL
              WHERE id = ?1",
            params![id, At::from(self.now)],
        )?;
        noted(conn, "cancel", id, (before, PushState::Cancelled), self.by.as_ref(), self.now)
    }
}

pub(super) struct Retry {
    pub push_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Retry {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let id = self.push_id;
        let push = named(conn, id)?;
        allowed::retry(id, &push)?;
        conn.execute(
            "UPDATE pushes
                SET state = 'retrying', reason = 'retried by hand', next_attempt_at = ?2, finished_at = NULL,
                    max_attempts = ?3, expires_at = ?4
              WHERE id = ?1",
            params![
                id,
                At::from(self.now),
                push.max_attempts.max(push.attempts.saturating_add(1)),
                At::from(self.now + push.retry.give_up_after),
            ],
        )?;
        noted(conn, "retry", id, (push.state, PushState::Retrying), self.by.as_ref(), self.now)
    }
}

pub(super) struct Resolve {
    pub push_id: i64,
    pub sent: bool,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Resolve {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let id = self.push_id;
        allowed::resolve(id, named(conn, id)?.state)?;
        conn.execute(
            "UPDATE pushes
                SET state = iif(?2, 'sent', 'failed'), sent_count = ?2, reason = 'resolved by hand', finished_at = ?3
              WHERE id = ?1",
            params![id, self.sent, At::from(self.now)],
        )?;
        if !self.sent {
            // Who tries it again later need not look at the chat once more, nor is it called unknown then.
            conn.execute(
                "UPDATE attempts SET denied_at = ?2 WHERE push_id = ?1 AND outcome = 'unknown' AND denied_at IS NULL",
                params![id, At::from(self.now)],
            )?;
            // Whoever drives the database is told of it as of all that others write.
            fallbacks::make(conn, id, &Next::Failed { reason: Reason::ResolvedByHand }, self.now, &mut Vec::new())?;
        }
        let after = if self.sent { PushState::Sent } else { PushState::Failed };
        noted(conn, "resolve", id, (PushState::Unknown, after), self.by.as_ref(), self.now)
    }
}

/// The push that this account sent under this id. Most proofs in a busy chat are of other people's messages: they are
/// looked for beside the writer.
pub(super) fn with_message(conn: &Connection, account: &str, message_id: &str, now: UtcMs) -> Result<Option<i64>> {
    let oldest = At::from(now - CONFIRMED_WITHIN);
    let mut statement = conn.prepare_cached(
        "SELECT push_id, message_id IS ?1 AND account = ?2, started_at < ?3 FROM attempts ORDER BY id DESC LIMIT ?4",
    )?;
    let mut rows = statement.query(params![message_id, account, oldest, CONFIRMED_AMONG])?;
    while let Some(row) = rows.next()? {
        if row.get(2)? {
            break;
        }
        if row.get(1)? {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
}

pub(super) struct Confirm {
    pub push_id: i64,
    pub now: UtcMs,
}

impl Write for Confirm {
    type Answer = bool;

    /// A push that waits for another attempt is over too: it has arrived.
    fn run(&mut self, conn: &Connection) -> Result<bool> {
        let mut statement = conn.prepare_cached(
            "UPDATE pushes
                SET state = 'sent', sent_count = 1, confirmed_at = ?2, finished_at = coalesce(finished_at, ?2),
                    next_attempt_at = NULL
              WHERE id = ?1 AND (state = 'sent' OR state = 'unknown' OR state = 'retrying')",
        )?;
        Ok(statement.execute(params![self.push_id, At::from(self.now)])? > 0)
    }
}
