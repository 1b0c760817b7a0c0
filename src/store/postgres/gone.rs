//! Rows that lose their ids: each is counted in the transaction in which that happens, so that one that vanished in any other
//! way is noticed.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{done, one};
use super::cells::number;
use super::fault::Result;
use super::instants::At;
use crate::domain::UtcMs;
pub(super) use crate::store::gone::{Gone, Why};

/// Deletes fires with all that hangs on them. Nobody else deletes any.
pub(super) async fn delete_fires(conn: &mut PgConnection, ids: &[i64], why: Why) -> Result<Gone> {
    let by_design = match why {
        Why::Withdrawn { after } => Some(withdrawable(conn, ids, after).await?),
        Why::Pruned => None,
    };
    // The server does not count what a foreign key deletes along.
    let pushes = done(conn, sqlx::query("DELETE FROM pushes WHERE fire_id = ANY($1)").bind(ids)).await?;
    let fires = done(conn, sqlx::query("DELETE FROM fires WHERE id = ANY($1)").bind(ids)).await?;
    if fires + pushes == 0 {
        return Ok(Gone { fires: 0, pushes: 0 });
    }
    let count = match why {
        Why::Withdrawn { .. } => {
            "UPDATE gone_ids SET withdrawn = withdrawn + CASE kind WHEN 'fires' THEN $1 ELSE $2 END"
        }
        Why::Pruned => "UPDATE gone_ids SET pruned = pruned + CASE kind WHEN 'fires' THEN $1 ELSE $2 END",
    };
    let (of_fires, of_pushes) = by_design.unwrap_or((number(fires), number(pushes)));
    done(conn, sqlx::query(count).bind(of_fires).bind(of_pushes)).await?;
    Ok(Gone { fires, pushes })
}

/// How many of these fires, and of their pushes, may be taken back at all: which are still to come or reach into what is,
/// of which nothing was looked at, or begun, or ended, and which did not fire unless that was recorded ahead. Whatever
/// chose the ids, others are not counted as withdrawn, so that the ledger finds them vanished.
async fn withdrawable(conn: &mut PgConnection, ids: &[i64], after: UtcMs) -> Result<(i64, i64)> {
    let count = sqlx::query(
        "SELECT count(DISTINCT f.id), count(p.id)
           FROM fires AS f
           LEFT JOIN pushes AS p ON p.fire_id = f.id
          WHERE f.id = ANY($1)
            AND f.triggered_by = 'cron'
            AND (f.due_at > $2 OR f.until_at > $2 OR EXISTS (SELECT 1 FROM unexpanded_fires AS u WHERE u.fire_id = f.id))
            AND (f.recorded_at < f.due_at OR f.decision <> 'fired')
            AND f.reason IS DISTINCT FROM 'restored'
            AND NOT EXISTS (SELECT 1 FROM pushes AS l
                             WHERE l.fire_id = f.id AND (l.state <> 'pending' OR l.reason IS NOT NULL))",
    );
    let row = one(conn, count.bind(ids).bind(At::from(after))).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
