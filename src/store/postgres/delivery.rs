//! What is to be sent, read out of its rows.

use std::time::Duration;

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::one;
use super::cells::{instant, json, maybe_text, parsed, text, whole, word};
use super::fault::Result;
use crate::domain::Delivery;

/// What [`delivery`] reads, from `pushes AS p` and `fires AS f`.
macro_rules! delivery_columns {
    () => {
        "p.id, f.job, f.triggered_by, f.due_at, p.im, p.target, p.message::text, p.timeout_ms, p.retry::text, p.max_attempts,
         p.expires_at, p.parts::text, f.recorded_at "
    };
}
pub(super) use delivery_columns;

/// How many columns these are: what else is asked for comes after them.
pub(super) const DELIVERY_COLUMNS: usize = 13;

pub(super) fn delivery(row: &PgRow, stem: &str, attempt: u32) -> Result<Delivery> {
    let push_id: i64 = row.try_get(0)?;
    let due_at = instant(row, 3)?;
    Ok(Delivery {
        push_id,
        attempt,
        key: format!("{stem}-{push_id}"),
        job: row.try_get(1)?,
        triggered_by: word(text(row, 2)?)?,
        due_at,
        im: row.try_get(4)?,
        target: parsed(text(row, 5)?)?,
        message: json(row, 6)?,
        media: Vec::new(),
        timeout: Duration::from_millis(whole(row, 7)?),
        retry: maybe_json(row, 8)?.unwrap_or_default(),
        max_attempts: whole(row, 9)?,
        expires_at: instant(row, 10)?,
        // Where it was recorded ahead it waits for its instant.
        made_at: due_at.max(instant(row, 12)?),
        parts: maybe_json(row, 11)?.unwrap_or_default(),
        unmade: None,
    })
}

pub(super) fn maybe_json<T: DeserializeOwned>(row: &PgRow, column: usize) -> Result<Option<T>> {
    Ok(maybe_text(row, column)?.map(serde_json::from_str).transpose()?)
}

/// What every idempotency key of this database begins with.
pub(super) async fn key_stem(conn: &mut PgConnection) -> Result<String> {
    Ok(one(conn, sqlx::query("SELECT 'pc-' || value FROM meta WHERE key = 'database_id'")).await?.try_get(0)?)
}
