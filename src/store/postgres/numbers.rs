//! The numbers of writes: whoever writes takes one, so that others learn of it.

use std::sync::{Arc, Mutex};

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::one;
use super::fault::Result;
use super::news::News;
use crate::domain::Locked;

/// What is read here is decided by, so that nobody writes in between: whoever writes holds this lock to the end of its
/// transaction. (`pushwrit` in ASCII.) Hosts and seats are written without it.
pub(super) const LOCK: i64 = 0x7075_7368_7772_6974;

/// Of which writes this process was told, and which are its own.
#[derive(Clone, Debug)]
pub(super) struct Changed(Arc<Mutex<News>>);

impl Changed {
    /// What was written up to this number is no change.
    pub(super) fn since(settled: i64) -> Changed {
        Changed(Arc::new(Mutex::new(News::since(settled))))
    }

    /// A write of this process has this number.
    pub(super) fn note_own(&self, number: i64) {
        self.0.locked().note_own(number);
    }

    pub(super) fn is_news(&self, settled: i64) -> bool {
        self.0.locked().are_there(settled)
    }
}

/// Up to which number each write has come to its end, so that whoever asks now sees what it wrote. Whoever writes holds the lock
/// longer than that, and only one does; so the newest number stands for a write under way where the lock is held after the number
/// was read, which is the order in which the server takes these two. Nobody is kept from writing by it.
pub(super) async fn settled(conn: &mut PgConnection) -> Result<i64> {
    let ask = sqlx::query(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
                EXISTS (SELECT 1 FROM pg_locks
                         WHERE locktype = 'advisory' AND granted AND objsubid = 1
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                           AND (classid::bigint << 32) | objid::bigint = $1)
           FROM changes",
    );
    let row = one(conn, ask.bind(LOCK)).await?;
    let (newest, is_under_way): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    Ok(newest - i64::from(is_under_way))
}
