//! Records the pushes that a fire makes out of the definition of its job.

use rusqlite::Connection;

use super::fault::Result;
use super::pushes::InsertPush;
use crate::domain::ListEntry;
use crate::store::model::OpenPush;
use crate::store::plan::{Fired, Plan};

/// Makes the pushes of fires.
pub(super) struct MakePushes<'conn> {
    insert: InsertPush<'conn>,
    conn: &'conn Connection,
}

/// What was made and read for a fire.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'a> {
    pub content: Option<&'a str>,
    /// The recipients of each push that has a list, in the order of the pushes; fewer where they were not read.
    pub lists: &'a [&'a [ListEntry]],
}

impl<'conn> MakePushes<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(MakePushes { insert: InsertPush::new(conn)?, conn })
    }

    /// Adds the pushes to those that were made before, and returns, for each list that was read, how many of it were left out
    /// since they get the same by another list or name.
    pub(super) fn run(
        &mut self,
        fire_id: i64,
        fire: &Fired<'_>,
        plan: &Plan<'_>,
        given: Given<'_>,
        made: &mut Vec<OpenPush>,
    ) -> Result<Vec<usize>> {
        let messages = plan.messages(given.content)?;
        let pushes = plan.pushes(fire, &messages, given.lists)?;
        for push in &pushes.pushes {
            let id = self.insert.run(fire_id, push)?;
            made.push(push.open(id, fire));
        }
        if plan.releases {
            await_release(self.conn, fire_id)?;
        }
        Ok(pushes.dropped)
    }
}

/// The pushes of this fire wait for their content.
fn await_release(conn: &Connection, fire_id: i64) -> Result<()> {
    conn.prepare_cached("INSERT INTO unreleased_fires (fire_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([fire_id])?;
    Ok(())
}
