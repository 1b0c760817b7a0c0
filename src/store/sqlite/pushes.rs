//! Pushes between attempts: what is open, and the moves that need no attempt.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use sqlx::{FromRow, SqliteConnection};

use super::attempts::next_attempt_at;
use super::fault::{Fault, Result};
use super::writer::Write;
use crate::domain::{Kind, PushState, RetryPolicy, Target, Trigger, UtcMs};
use crate::store::{OpenPush, Settle, StoreError};

/// Open pushes that cross to us in one piece.
const PIECE: usize = 2000;

/// One JSON array of arrays in the order of [`OpenPushRow`]'s fields, from `pushes AS p` and `fires AS f`.
macro_rules! open_push_rows {
    () => {
        "json_group_array(json_array(p.id, f.job, f.triggered_by, f.chat_im, f.chat_account, p.im, p.target, p.kind,
             p.named_account, f.due_at, p.next_attempt_at, p.expires_at,
             p.attempts > 0 AND EXISTS (SELECT 1 FROM attempts AS a WHERE a.push_id = p.id AND a.outcome = 'unknown'),
             p.attempts)) "
    };
}
pub(super) use open_push_rows;

#[derive(Deserialize)]
struct OpenPushRow {
    id: i64,
    job: Option<Arc<str>>,
    triggered_by: Trigger,
    chat_im: Option<String>,
    chat_account: Option<String>,
    im: String,
    target: Target,
    kind: Kind,
    named_account: Option<String>,
    due_at: UtcMs,
    next_attempt_at: UtcMs,
    expires_at: UtcMs,
    perhaps_sent: u8,
    attempts: u32,
}

pub(super) fn decode_open(rows: String) -> Result<Vec<OpenPush>> {
    let rows: Vec<OpenPushRow> = serde_json::from_str(&rows)?;
    let open = |row: OpenPushRow| OpenPush {
        id: row.id,
        job: row.job,
        triggered_by: row.triggered_by,
        chat: row.chat_im.zip(row.chat_account),
        im: row.im,
        target: row.target,
        kind: row.kind,
        account: row.named_account,
        due_at: row.due_at,
        next_attempt_at: row.next_attempt_at,
        expires_at: row.expires_at,
        perhaps_sent: row.perhaps_sent == 1,
        attempts: row.attempts,
    };
    Ok(rows.into_iter().map(open).collect())
}

pub(super) async fn open_pushes(conn: &mut SqliteConnection) -> Result<Vec<OpenPush>> {
    let mut open: Vec<OpenPush> = Vec::new();
    loop {
        let rows = sqlx::query_scalar(concat!(
            "SELECT ",
            open_push_rows!(),
            "  FROM (SELECT * FROM pushes INDEXED BY pushes_open
                      WHERE finished_at IS NULL AND state IN ('pending', 'retrying') AND id > ?1
                      ORDER BY id LIMIT ?2) AS p
               JOIN fires AS f ON f.id = p.fire_id"
        ))
        .bind(open.iter().map(|push| push.id).max().unwrap_or(0))
        .bind(PIECE as i64)
        .fetch_one(&mut *conn)
        .await?;
        let piece = decode_open(rows)?;
        let last = piece.len() < PIECE;
        open.extend(piece);
        if last {
            open.sort_by_key(|push| (push.due_at, push.id));
            return Ok(open);
        }
    }
}

pub(super) async fn push_state(conn: &mut SqliteConnection, push_id: i64) -> Result<Option<PushState>> {
    let word: Option<String> =
        sqlx::query_scalar("SELECT state FROM pushes WHERE id = ?1").bind(push_id).fetch_optional(conn).await?;
    word.map(|word| state(push_id, &word)).transpose()
}

fn state(push_id: i64, word: &str) -> Result<PushState> {
    PushState::parse(word).ok_or_else(|| Fault::Row(format!("push {push_id} has the unknown state '{word}'")))
}

/// Ends the waiting pushes of jobs that are gone. `names` is a JSON list.
pub(super) async fn cancel_of_jobs(conn: &mut SqliteConnection, names: &str, now: UtcMs) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "UPDATE pushes INDEXED BY pushes_open
            SET state = 'cancelled', reason = 'job_removed', finished_at = ?2, next_attempt_at = NULL
          WHERE finished_at IS NULL AND state IN ('pending', 'retrying')
            AND (SELECT job FROM fires WHERE fires.id = fire_id) IN (SELECT value FROM jsonb_each(?1))
         RETURNING id",
    )
    .bind(names)
    .bind(now.to_string())
    .fetch_all(conn)
    .await?)
}

pub(super) struct SettlePushes {
    pub settles: Vec<Settle>,
    pub now: UtcMs,
}

#[async_trait]
impl Write for SettlePushes {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let rows: Vec<_> = self
            .settles
            .iter()
            .map(|Settle { push_id, next }| (push_id, next.state().as_str(), next.reason(), next_attempt_at(next)))
            .collect();
        sqlx::query(
            "UPDATE pushes
                SET state = iif(s.value ->> 1 = 'retrying' AND attempts = 0, 'pending', s.value ->> 1), sent_count = s.value ->> 1 = 'sent', reason = s.value ->> 2,
                    next_attempt_at = s.value ->> 3, finished_at = iif(s.value ->> 3 IS NULL, ?2, NULL)
               FROM jsonb_each(?1) AS s
              WHERE pushes.id = s.value ->> 0 AND pushes.state IN ('pending', 'retrying')",
        )
        .bind(serde_json::to_string(&rows)?)
        .bind(self.now.to_string())
        .execute(conn)
        .await?;
        Ok(())
    }
}

#[derive(FromRow)]
struct PushRow {
    state: String,
    attempts: u32,
    max_attempts: u32,
    retry: Option<String>,
}

/// The push that a person named, and its state.
async fn named(conn: &mut SqliteConnection, push_id: i64) -> Result<(PushState, PushRow)> {
    let row: Option<PushRow> = sqlx::query_as("SELECT state, attempts, max_attempts, retry FROM pushes WHERE id = ?1")
        .bind(push_id)
        .fetch_optional(conn)
        .await?;
    let row =
        row.ok_or_else(|| StoreError::NotFound(format!("there is no push {push_id}; `pushcron history` lists them")))?;
    Ok((state(push_id, &row.state)?, row))
}

fn not_allowed(problem: String) -> Fault {
    StoreError::NotAllowed(problem).into()
}

const BEING_SENT: &str = "is being sent at this moment; wait for its outcome";

pub(super) struct Cancel {
    pub push_id: i64,
    pub now: UtcMs,
}

#[async_trait]
impl Write for Cancel {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let id = self.push_id;
        match named(conn, id).await?.0 {
            PushState::Pending | PushState::Retrying => {}
            PushState::Sending => return Err(not_allowed(format!("push {id} {BEING_SENT}"))),
            over => {
                let over = over.as_str();
                return Err(not_allowed(format!("push {id} is already {over}; there is nothing left to cancel")));
            }
        }
        sqlx::query(
            "UPDATE pushes
                SET state = 'cancelled', reason = 'cancelled by hand', finished_at = ?2, next_attempt_at = NULL
              WHERE id = ?1",
        )
        .bind(id)
        .bind(self.now.to_string())
        .execute(conn)
        .await?;
        Ok(())
    }
}

pub(super) struct Retry {
    pub push_id: i64,
    pub now: UtcMs,
}

#[async_trait]
impl Write for Retry {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let id = self.push_id;
        let (state, row) = named(conn, id).await?;
        match state {
            PushState::Failed | PushState::Unknown | PushState::Expired | PushState::Cancelled => {}
            PushState::Sent => {
                return Err(not_allowed(format!("push {id} is sent; to send the message again, fire its job by hand")));
            }
            PushState::Sending => return Err(not_allowed(format!("push {id} {BEING_SENT}"))),
            PushState::Pending | PushState::Retrying => {
                let open = state.as_str();
                return Err(not_allowed(format!("push {id} is {open} and will be tried by itself")));
            }
        }
        let retry: RetryPolicy = match &row.retry {
            Some(json) => serde_json::from_str(json)?,
            None => RetryPolicy::default(),
        };
        sqlx::query(
            "UPDATE pushes
                SET state = 'retrying', reason = 'retried by hand', next_attempt_at = ?2, finished_at = NULL,
                    max_attempts = ?3, expires_at = ?4
              WHERE id = ?1",
        )
        .bind(id)
        .bind(self.now.to_string())
        .bind(row.max_attempts.max(row.attempts.saturating_add(1)))
        .bind((self.now + retry.give_up_after).to_string())
        .execute(conn)
        .await?;
        Ok(())
    }
}

pub(super) struct Resolve {
    pub push_id: i64,
    pub sent: bool,
    pub now: UtcMs,
}

#[async_trait]
impl Write for Resolve {
    type Answer = ();

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        let id = self.push_id;
        match named(conn, id).await?.0 {
            PushState::Unknown => {}
            PushState::Sending => return Err(not_allowed(format!("push {id} {BEING_SENT}"))),
            other => {
                let other = other.as_str();
                return Err(not_allowed(format!("push {id} is {other}; only an unknown push needs to be resolved")));
            }
        }
        sqlx::query(
            "UPDATE pushes
                SET state = iif(?2, 'sent', 'failed'), sent_count = ?2, reason = 'resolved by hand', finished_at = ?3
              WHERE id = ?1",
        )
        .bind(id)
        .bind(self.sent)
        .bind(self.now.to_string())
        .execute(conn)
        .await?;
        Ok(())
    }
}

pub(super) struct Confirm {
    pub account: String,
    pub message_id: String,
    pub now: UtcMs,
}

/// Proofs of delivery come soon or never: only this many of the newest attempts are searched, since an index over
/// the platforms' random ids would cost every attempt a page.
const CONFIRMED_AMONG: i64 = 20_000;

#[async_trait]
impl Write for Confirm {
    type Answer = bool;

    /// A push that waits for another attempt is over too: it has arrived.
    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<bool> {
        let confirmed = sqlx::query(
            "UPDATE pushes
                SET state = 'sent', sent_count = 1, confirmed_at = ?3, finished_at = coalesce(finished_at, ?3),
                    next_attempt_at = NULL
              WHERE id = (SELECT push_id FROM attempts
                           WHERE id > (SELECT max(id) FROM attempts) - ?4
                             AND message_id = ?2 AND account = ?1
                           ORDER BY id DESC LIMIT 1)
                AND state IN ('sent', 'unknown', 'retrying')",
        )
        .bind(&self.account)
        .bind(&self.message_id)
        .bind(self.now.to_string())
        .bind(CONFIRMED_AMONG)
        .execute(conn)
        .await?;
        Ok(confirmed.rows_affected() > 0)
    }
}
