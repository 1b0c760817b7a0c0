//! Attempts: opened before the first byte leaves, closed once, and those that a dead process left open.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::accounts;
use super::bulk::Bulk;
use super::fault::Result;
use crate::domain::{Delivery, Health, Message, Next, PartReport, RetryPolicy, Target, Trigger, UtcMs};
use crate::store::{Begin, Finish, Interrupted};

/// One JSON array of arrays in the order of [`DeliveryRow`]'s fields: a single row crosses to us much faster than
/// thousands, and no message is read before it is due.
macro_rules! delivery_rows {
    () => {
        "json_group_array(json_array(p.id, a.number, f.job, f.triggered_by, f.due_at, p.im, p.target,
             json(p.message), p.timeout_ms, json(p.retry), p.max_attempts, p.expires_at, json(p.parts),
             a.account, a.sender, a.started_at)) "
    };
}

/// Opens attempts.
pub(super) struct BeginAttempts;

#[async_trait]
impl Bulk for BeginAttempts {
    type Item = (Begin, UtcMs);
    type Answer = Delivery;

    fn push_id((begin, _): &Self::Item) -> i64 {
        begin.push_id
    }

    fn answer_id(delivery: &Delivery) -> i64 {
        delivery.push_id
    }

    async fn run(conn: &mut SqliteConnection, items: &[&Self::Item]) -> Result<Vec<Delivery>> {
        let rows: Vec<_> = items
            .iter()
            .map(|(begin, at)| (begin.push_id, &*begin.account, begin.rule.as_str(), begin.sender, at))
            .collect();
        let rows = serde_json::to_string(&rows)?;
        let before: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM attempts").fetch_one(&mut *conn).await?;
        sqlx::query(
            "INSERT INTO attempts (push_id, number, account, rule, sender, started_at)
             SELECT p.id, p.attempts + 1, b.value ->> 1, b.value ->> 2, b.value ->> 3,
                    max(b.value ->> 4, p.next_attempt_at)
               FROM jsonb_each(?1) AS b
              CROSS JOIN pushes AS p ON p.id = b.value ->> 0
              WHERE p.state IN ('pending', 'retrying')
             ON CONFLICT (push_id, number) DO NOTHING",
        )
        .bind(rows)
        .execute(&mut *conn)
        .await?;
        sqlx::query(
            "UPDATE pushes
                SET state = 'sending', attempts = a.number, account = a.account, next_attempt_at = NULL, reason = NULL
               FROM (SELECT push_id, number, account FROM attempts WHERE id > ?1) AS a
              WHERE pushes.id = a.push_id",
        )
        .bind(before)
        .execute(&mut *conn)
        .await?;
        let rows: String = sqlx::query_scalar(concat!(
            "SELECT ",
            delivery_rows!(),
            "  FROM attempts AS a
               JOIN pushes AS p ON p.id = a.push_id
               JOIN fires AS f ON f.id = p.fire_id
              WHERE a.id > ?1"
        ))
        .bind(before)
        .fetch_one(&mut *conn)
        .await?;
        let stem = key_stem(conn).await?;
        let rows: Vec<DeliveryRow> = serde_json::from_str(&rows)?;
        Ok(rows.into_iter().map(|row| row.delivery(&stem)).collect())
    }
}

#[derive(Deserialize)]
struct DeliveryRow {
    push_id: i64,
    number: u32,
    job: Option<String>,
    triggered_by: Trigger,
    due_at: UtcMs,
    im: String,
    target: Target,
    message: Message,
    timeout_ms: u64,
    retry: Option<RetryPolicy>,
    max_attempts: u32,
    expires_at: UtcMs,
    parts: Option<Vec<PartReport>>,
    account: String,
    sender: String,
    started_at: UtcMs,
}

impl DeliveryRow {
    fn delivery(self, stem: &str) -> Delivery {
        Delivery {
            push_id: self.push_id,
            attempt: self.number,
            key: format!("{stem}-{}", self.push_id),
            job: self.job,
            triggered_by: self.triggered_by,
            due_at: self.due_at,
            im: self.im,
            target: self.target,
            message: self.message,
            media: Vec::new(),
            timeout: Duration::from_millis(self.timeout_ms),
            retry: self.retry.unwrap_or_default(),
            max_attempts: self.max_attempts,
            expires_at: self.expires_at,
            parts: self.parts.unwrap_or_default(),
        }
    }
}

/// What every idempotency key of this database begins with.
async fn key_stem(conn: &mut SqliteConnection) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT 'pc-' || value FROM meta WHERE key = 'database_id'").fetch_one(conn).await?)
}

/// Closes attempts.
pub(super) struct FinishAttempts;

#[async_trait]
impl Bulk for FinishAttempts {
    type Item = Finish;
    type Answer = i64;

    fn push_id(finish: &Finish) -> i64 {
        finish.push_id
    }

    fn answer_id(stale: &i64) -> i64 {
        *stale
    }

    async fn run(conn: &mut SqliteConnection, items: &[&Finish]) -> Result<Vec<i64>> {
        let rows = serde_json::to_string(&items.iter().map(|finish| finish_row(finish)).collect::<Vec<_>>())?;
        let closed = sqlx::query(
            "UPDATE attempts
                SET started_at = f.started_at, finished_at = f.finished_at, outcome = f.outcome, error = f.error,
                    http_status = f.http_status, message_id = f.message_id, note = f.note
               FROM (SELECT value ->> 0 AS push_id, value ->> 1 AS number, value ->> 2 AS finished_at,
                            value ->> 3 AS outcome, value ->> 4 AS error, value ->> 5 AS http_status,
                            value ->> 6 AS message_id, value ->> 7 AS note,
                            value ->> 13 AS started_at
                       FROM jsonb_each(?1)) AS f
              WHERE attempts.push_id = f.push_id AND attempts.number = f.number AND attempts.finished_at IS NULL",
        )
        .bind(&rows)
        .execute(&mut *conn)
        .await?
        .rows_affected();
        let stale = if closed == items.len() as u64 { Vec::new() } else { stale(conn, &rows).await? };
        sqlx::query(
            "UPDATE pushes
                SET state = f.state, sent_count = f.state = 'sent', reason = f.reason,
                    next_attempt_at = f.next_attempt_at,
                    finished_at = CASE WHEN f.next_attempt_at IS NULL THEN f.finished_at END,
                    max_attempts = pushes.max_attempts + f.uncounted, parts = coalesce(f.parts, pushes.parts)
               FROM (SELECT value ->> 0 AS push_id, value ->> 1 AS number, value ->> 2 AS finished_at,
                            value ->> 8 AS state, value ->> 9 AS reason, value ->> 10 AS next_attempt_at,
                            value ->> 11 AS uncounted, value ->> 12 AS parts
                       FROM jsonb_each(?1)) AS f
              WHERE pushes.id = f.push_id AND pushes.attempts = f.number AND pushes.state = 'sending'",
        )
        .bind(&rows)
        .execute(&mut *conn)
        .await?;
        // One account finishes many attempts; what the last one said holds.
        let health: HashMap<&str, &Health> =
            items.iter().filter_map(|finish| finish.health.as_ref()).map(|(id, health)| (&**id, health)).collect();
        accounts::record_health(conn, health).await?;
        Ok(stale)
    }
}

/// One row of the JSON that the two updates read by position.
fn finish_row(finish: &Finish) -> impl Serialize {
    let Finish { push_id, number, report, next, started_at, finished_at, .. } = finish;
    (
        push_id,
        number,
        finished_at,
        report.outcome.as_str(),
        &report.error,
        report.http_status,
        &report.message_id,
        &report.note,
        next.state().as_str(),
        next.reason(),
        next_attempt_at(next),
        u8::from(finish.uncounted),
        (!report.parts.is_empty()).then_some(&report.parts),
        started_at,
    )
}

/// When a push is due again, if it is.
pub(super) fn next_attempt_at(next: &Next) -> Option<UtcMs> {
    match next {
        Next::Retry { at, .. } => Some(*at),
        _ => None,
    }
}

/// Asked between the two updates of a finish: pushes that are not in the attempt that is being closed.
async fn stale(conn: &mut SqliteConnection, rows: &str) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT f.value ->> 0
           FROM jsonb_each(?1) AS f
           LEFT JOIN pushes AS p ON p.id = f.value ->> 0
          WHERE (p.state = 'sending' AND p.attempts = f.value ->> 1) IS NOT TRUE",
    )
    .bind(rows)
    .fetch_all(conn)
    .await?)
}

pub(super) async fn interrupted(conn: &mut SqliteConnection) -> Result<Vec<Interrupted>> {
    let rows: String = sqlx::query_scalar(concat!(
        "SELECT ",
        delivery_rows!(),
        "  FROM pushes AS p INDEXED BY pushes_open
           JOIN attempts AS a ON a.push_id = p.id AND a.number = p.attempts
           JOIN fires AS f ON f.id = p.fire_id
          WHERE p.finished_at IS NULL AND p.state = 'sending'"
    ))
    .fetch_one(&mut *conn)
    .await?;
    let stem = key_stem(conn).await?;
    let rows: Vec<DeliveryRow> = serde_json::from_str(&rows)?;
    let interrupted = |mut row: DeliveryRow| Interrupted {
        number: row.number,
        account: std::mem::take(&mut row.account),
        sender: std::mem::take(&mut row.sender),
        started_at: row.started_at,
        delivery: row.delivery(&stem),
    };
    Ok(rows.into_iter().map(interrupted).collect())
}
