//! What a seat's holder writes under: checked in the transaction that writes, so that it commits before another host takes
//! the seat, or not at all.

use sqlx::postgres::PgConnection;

use super::connect::{ANSWER, within};
use super::fault::{Fault, Result};
use crate::store::error::StoreError;

/// Under which a host holds a seat: the seat's number goes up with each change of hands, and the host's each time it enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    pub seat: String,
    pub host: String,
    pub incarnation: i64,
    pub epoch: i64,
}

/// Keeps the seat with its holder until the transaction ends, or declines where it is another's.
pub(super) async fn must_hold(conn: &mut PgConnection, fence: &Fence) -> Result<()> {
    let Fence { seat, host, incarnation, epoch } = fence;
    let hold = sqlx::query(
        "SELECT 1 FROM seats AS s JOIN hosts AS h ON h.id = s.host AND h.incarnation = s.incarnation
          WHERE s.name = $1 AND s.host = $2 AND s.incarnation = $3 AND s.epoch = $4 AND h.state = 'live'
            FOR SHARE OF s",
    );
    let held = hold.bind(seat).bind(host).bind(incarnation).bind(epoch).fetch_optional(conn);
    match within(ANSWER, held).await? {
        Some(_) => Ok(()),
        None => Err(Fault::Verb(StoreError::NotAllowed(format!(
            "host '{host}' does not hold the seat '{seat}' any more (epoch {epoch}); nothing was written"
        )))),
    }
}
