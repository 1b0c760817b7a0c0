//! Statements within the time that they may take.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;

use super::connect::{ANSWER, within};
use super::fault::Result;

pub(super) async fn all(conn: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
    within(ANSWER, query.fetch_all(conn)).await
}

pub(super) async fn one(conn: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow> {
    within(ANSWER, query.fetch_one(conn)).await
}

pub(super) async fn maybe(conn: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<Option<PgRow>> {
    within(ANSWER, query.fetch_optional(conn)).await
}

pub(super) async fn done(conn: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<u64> {
    Ok(within(ANSWER, query.execute(conn)).await?.rows_affected())
}
