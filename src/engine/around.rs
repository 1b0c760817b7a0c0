//! Rows that stand for many instants must not count those that have rows of their own.

use super::timeline::Timeline;
use crate::domain::UtcMs;
use crate::policy::misfire::{settled_until, stretch};
use crate::store::{NewFire, Store, StoreError};

/// Rows of a job that are read in one piece.
const PAGE: u64 = 10_000;

/// Where the clock was put back, a part of the time that such a row is to stand for was lived before. It becomes
/// several rows then, between and beside those that are there: the store would refuse it whole if its first instant
/// had a row, and count the others twice if not.
///
/// # Errors
/// The store's.
pub async fn around_recorded(
    store: &dyn Store,
    timeline: &Timeline,
    fires: Vec<NewFire>,
) -> Result<Vec<NewFire>, StoreError> {
    let mut apart = Vec::with_capacity(fires.len());
    for fire in fires {
        let (Some(until), Some(job)) = (fire.until_at, timeline.get(&fire.job)) else {
            apart.push(fire);
            continue;
        };
        let mut from = fire.due_at;
        let mut put = |from, until| {
            let free = stretch(&job.schedule, from, until);
            apart.extend(free.map(|(due_at, count, until_at)| NewFire { due_at, count, until_at, ..fire.clone() }));
        };
        loop {
            let rows = store.ledger_rows(&fire.job, from, until, PAGE).await?;
            for row in &rows {
                put(from, UtcMs(row.due_at.0 - 1));
                from = from.max(UtcMs(settled_until(&job.schedule, row).0 + 1));
            }
            if (rows.len() as u64) < PAGE {
                break;
            }
        }
        put(from, until);
    }
    Ok(apart)
}
