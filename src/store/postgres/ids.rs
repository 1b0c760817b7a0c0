//! Ids of fires and pushes: counted in one row, so that a transaction which is undone gives them back, and whatever is missing
//! in between was deleted. (A sequence of the server's keeps what it gave.)

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::one;
use super::cells::number;
use super::fault::Result;

/// The first of the ids given; the others follow it.
pub(super) struct Given {
    pub fires: i64,
    pub pushes: i64,
}

/// Gives so many ids for rows that are inserted in this transaction, all of them.
pub(super) async fn take(conn: &mut PgConnection, fires: usize, pushes: usize) -> Result<Given> {
    let (fires, pushes) = (number(fires), number(pushes));
    let take = sqlx::query(
        "UPDATE given_ids SET fires = fires + $1, pushes = pushes + $2 RETURNING fires - $1 + 1, pushes - $2 + 1",
    );
    let row = one(conn, take.bind(fires).bind(pushes)).await?;
    Ok(Given { fires: row.try_get(0)?, pushes: row.try_get(1)? })
}

/// A fire's id.
pub(super) async fn of_fire(conn: &mut PgConnection) -> Result<i64> {
    Ok(take(conn, 1, 0).await?.fires)
}
