//! Ids that get no row, or lose it: each is counted in the transaction in which that happens, so that one that vanished
//! in any other way is noticed.

use rusqlite::{Connection, params};

use super::cells::number;
use super::fault::Result;

/// Why rows are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Withdrawn,
    Pruned,
}

/// What was deleted.
pub(super) struct Gone {
    pub fires: u64,
    pub pushes: u64,
}

/// Deletes fires with all that hangs on them. Nobody else deletes any. `ids` is a JSON list.
pub(super) fn delete_fires(conn: &Connection, ids: &str, why: Why) -> Result<Gone> {
    // SQLite does not count what a foreign key deletes along.
    let pushes = conn.execute("DELETE FROM pushes WHERE fire_id IN (SELECT value FROM json_each(?1))", [ids])?;
    let fires = conn.execute("DELETE FROM fires WHERE id IN (SELECT value FROM json_each(?1))", [ids])?;
    if fires + pushes == 0 {
        return Ok(Gone { fires: 0, pushes: 0 });
    }
    let mut count = match why {
        Why::Withdrawn => {
            conn.prepare_cached("UPDATE gone_ids SET withdrawn = withdrawn + iif(kind = 'fires', ?1, ?2)")?
        }
        Why::Pruned => conn.prepare_cached("UPDATE gone_ids SET pruned = pruned + iif(kind = 'fires', ?1, ?2)")?,
    };
    count.execute(params![number(fires), number(pushes)])?;
    Ok(Gone { fires: fires as u64, pushes: pushes as u64 })
}

/// An insert that meets a row of its instant writes nothing, and uses up an id all the same.
pub(super) fn count_unused_fires(conn: &Connection, count: u64) -> Result<()> {
    if count > 0 {
        conn.prepare_cached("UPDATE gone_ids SET unused = unused + ?1 WHERE kind = 'fires'")?
            .execute([number(count)])?;
    }
    Ok(())
}
