//! Ids that get no row, or lose it: each is counted in the transaction in which that happens, so that one that vanished
//! in any other way is noticed.

use rusqlite::{Connection, params};

use super::cells::{At, number};
use super::fault::Result;
use crate::domain::UtcMs;
pub(super) use crate::store::gone::{Gone, Why};

/// Deletes fires with all that hangs on them. Nobody else deletes any. `ids` is a JSON list.
pub(super) fn delete_fires(conn: &Connection, ids: &str, why: Why) -> Result<Gone> {
    let by_design = match why {
        Why::Withdrawn { after } => Some(withdrawable(conn, ids, after)?),
        Why::Pruned => None,
    };
    // SQLite does not count what a foreign key deletes along.
    let pushes = conn.execute("DELETE FROM pushes WHERE fire_id IN (SELECT value FROM json_each(?1))", [ids])?;
    let fires = conn.execute("DELETE FROM fires WHERE id IN (SELECT value FROM json_each(?1))", [ids])?;
    if fires + pushes == 0 {
        return Ok(Gone { fires: 0, pushes: 0 });
    }
    let mut count = match why {
        Why::Withdrawn { .. } => {
            conn.prepare_cached("UPDATE gone_ids SET withdrawn = withdrawn + iif(kind = 'fires', ?1, ?2)")?
        }
        Why::Pruned => conn.prepare_cached("UPDATE gone_ids SET pruned = pruned + iif(kind = 'fires', ?1, ?2)")?,
    };
    let (of_fires, of_pushes) = by_design.unwrap_or((number(fires), number(pushes)));
    count.execute(params![of_fires, of_pushes])?;
    Ok(Gone { fires: fires as u64, pushes: pushes as u64 })
}

/// How many of these fires, and of their pushes, may be taken back at all: which are still to come or reach into what is,
/// of which nothing was looked at, or begun, or ended, and which did not fire unless that was recorded ahead. Whatever
/// chose the ids, others are not counted as withdrawn, so that the ledger finds them vanished.
fn withdrawable(conn: &Connection, ids: &str, after: UtcMs) -> Result<(i64, i64)> {
    let mut count = conn.prepare_cached(
        "SELECT count(DISTINCT f.id), count(p.id)
           FROM json_each(?1) AS i
          CROSS JOIN fires AS f ON f.id = i.value
           LEFT JOIN pushes AS p ON p.fire_id = f.id
          WHERE f.triggered_by = 'cron'
            AND (f.due_at > ?2 OR f.until_at > ?2 OR EXISTS (SELECT 1 FROM unexpanded_fires AS u WHERE u.fire_id = f.id))
            AND (f.recorded_at < f.due_at OR f.decision <> 'fired')
            AND f.reason IS NOT 'restored'
            AND NOT EXISTS (SELECT 1 FROM pushes AS l
                             WHERE l.fire_id = f.id AND (l.state <> 'pending' OR l.reason IS NOT NULL))",
    )?;
    Ok(count.query_row(params![ids, At::from(after)], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// An insert that meets a row of its instant writes nothing, and uses up an id all the same.
pub(super) fn count_unused_fires(conn: &Connection, count: u64) -> Result<()> {
    if count > 0 {
        conn.prepare_cached("UPDATE gone_ids SET unused = unused + ?1 WHERE kind = 'fires'")?
            .execute([number(count)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::connect::{migrate, writer};
    use super::super::ledger;
    use super::*;
    use crate::domain::UtcMs;

    /// A withdrawal of the wrong fires, as a fault of pushcron itself would make it.
    #[test]
    fn what_was_promised_and_is_withdrawn_all_the_same_counts_as_vanished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pushcron.db");
        std::fs::File::create(&path).unwrap();
        let conn = &writer(&path).unwrap();
        migrate(conn, &path, UtcMs(0)).unwrap();
        conn.execute_batch(
            "INSERT INTO fires (triggered_by, due_at, decision, recorded_at)
             VALUES ('manual', '2026-01-01T01:00:00.000Z', 'fired', '2026-01-01T01:00:00.000Z');
             PRAGMA foreign_keys = OFF;
             INSERT INTO fires (job, triggered_by, due_at, decision, reason, recorded_at, revision)
             VALUES ('a', 'cron', '2026-01-01T01:00:00.000Z', 'fired', NULL, '2026-01-01T00:59:55.000Z', 1),
                    ('b', 'cron', '2026-01-01T01:00:00.000Z', 'fired', NULL, '2026-01-01T00:59:55.000Z', 1),
                    ('b', 'cron', '2026-01-01T00:59:00.000Z', 'fired', NULL, '2026-01-01T00:58:55.000Z', 1),
                    ('c', 'cron', '2026-01-01T01:00:00.000Z', 'fired', NULL, '2026-01-01T01:00:00.000Z', 1),
                    ('d', 'cron', '2026-01-01T01:00:00.000Z', 'missed', 'restored', '2026-01-01T00:59:00.000Z', 1),
                    ('e', 'cron', '2026-01-01T01:00:00.000Z', 'missed', 'misfire_skip', '2026-01-01T02:00:00.000Z', 1);
             INSERT INTO pushes (fire_id, ordinal, im, target, kind, message, timeout_ms, state, max_attempts,
                                 next_attempt_at, expires_at, reason)
             SELECT id, 0, 'qq', 'group:1', 'text', '{}', 1000, 'pending', 1, due_at, '2026-01-01T02:00:00.000Z',
                    iif(job = 'a', 'no_sender', NULL)
               FROM fires WHERE decision = 'fired'",
        )
        .unwrap();
        let missing =
            |conn: &Connection| -> Vec<i64> { ledger::ids(conn).unwrap().iter().map(|ids| ids.missing()).collect() };
        assert_eq!(missing(conn), [0, 0]);
        let after = "2026-01-01T00:59:30.000Z".parse().unwrap();
        let withdraw = |id: i64| {
            delete_fires(conn, &format!("[{id}]"), Why::Withdrawn { after }).unwrap();
            missing(conn)
        };
        // Nobody had looked at these, and they were still to come.
        assert_eq!(withdraw(3), [0, 0]);
        assert_eq!(withdraw(7), [0, 0]);
        // History had shown this one as waiting for its account.
        assert_eq!(withdraw(2), [1, 1]);
        // What a person asked for is nobody's to take back.
        assert_eq!(withdraw(1), [2, 2]);
        // Its instant had come, though nobody had looked at it.
        assert_eq!(withdraw(4), [3, 3]);
        // It fired at its instant, under a clock that was put back since.
        assert_eq!(withdraw(5), [4, 4]);
        // The database that was lost may have sent it.
        assert_eq!(withdraw(6), [5, 4]);
    }
}
