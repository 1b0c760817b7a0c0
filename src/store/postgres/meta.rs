//! What the database knows of itself.

use sqlx::postgres::PgConnection;

use super::ask::{done, maybe};
use super::cells::{parsed, text};
use super::fault::Result;
use crate::domain::UtcMs;

/// An instant that is kept under a key, if there is one.
pub(super) async fn instant_of(conn: &mut PgConnection, key: &str) -> Result<Option<UtcMs>> {
    let found = maybe(conn, sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key)).await?;
    found.map(|row| Ok(parsed(text(&row, 0)?)?)).transpose()
}

pub(super) async fn keep_instant(conn: &mut PgConnection, key: &str, at: UtcMs) -> Result<()> {
    let keep = sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    done(conn, keep.bind(key).bind(at.to_string())).await?;
    Ok(())
}
