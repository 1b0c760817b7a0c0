//! Open pushes as the engine takes them in.

use rusqlite::{CachedStatement, Connection, Row};

use super::cells::{instant, parsed, text, word};
use super::fault::{Fault, Result};
use crate::store::model::OpenPush;

/// What [`open_push`] reads, from `pushes AS p` and `fires AS f`.
macro_rules! open_push_columns {
    () => {
        "p.id, f.job, f.triggered_by, f.chat_im, f.chat_account, p.im, p.target, p.kind, p.named_account, f.due_at,
         p.next_attempt_at, p.expires_at, p.attempts,
         p.attempts > 0
           AND EXISTS (SELECT 1 FROM attempts AS a WHERE a.push_id = p.id AND a.outcome = 'unknown' AND a.denied_at IS NULL),
         p.state = 'retrying' OR p.reason IS NOT NULL,
         iif(p.attempts > 0, p.account, NULL), EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = p.fire_id),
         p.exclusive_job IS NOT NULL "
    };
}

/// Reads open pushes that were made just now.
pub(super) struct OpenById<'conn>(CachedStatement<'conn>);

impl<'conn> OpenById<'conn> {
    pub(super) fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(OpenById(conn.prepare_cached(concat!(
            "SELECT ",
            open_push_columns!(),
            "FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE p.id = ?1"
        ))?))
    }

    pub(super) fn find(&mut self, id: i64) -> Result<Option<OpenPush>> {
        let mut rows = self.0.query([id])?;
        rows.next()?.map(open_push).transpose()
    }
}

/// Those that can be read.
pub(super) fn open_pushes(conn: &Connection) -> Result<Vec<OpenPush>> {
    Ok(open_and_unreadable(conn)?.0)
}

/// Open pushes, and those whose rows cannot be read, with the reason why.
pub(super) fn open_and_unreadable(conn: &Connection) -> Result<(Vec<OpenPush>, Vec<(i64, String)>)> {
    let mut statement = conn.prepare(concat!(
        "SELECT ",
        open_push_columns!(),
        "FROM pushes AS p INDEXED BY pushes_open
         JOIN fires AS f ON f.id = p.fire_id
        WHERE p.finished_at IS NULL AND (p.state = 'pending' OR p.state = 'retrying')
        ORDER BY p.id"
    ))?;
    let (mut open, mut unreadable) = (Vec::new(), Vec::new());
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match open_push(row) {
            Ok(push) => open.push(push),
            Err(Fault::Row(problem)) => unreadable.push((row.get(0)?, problem)),
            Err(fault) => return Err(fault),
        }
    }
    open.sort_by_key(|push| (push.due_at, push.id));
    Ok((open, unreadable))
}

fn open_push(row: &Row<'_>) -> Result<OpenPush> {
    Ok(OpenPush {
        id: row.get(0)?,
        job: row.get(1)?,
        triggered_by: word(text(row, 2)?)?,
        chat: row.get::<_, Option<String>>(3)?.zip(row.get(4)?),
        im: row.get(5)?,
        target: parsed(text(row, 6)?)?,
        kind: word(text(row, 7)?)?,
        account: row.get(8)?,
        due_at: instant(row, 9)?,
        next_attempt_at: instant(row, 10)?,
        expires_at: instant(row, 11)?,
        attempts: row.get(12)?,
        perhaps_sent: row.get(13)?,
        is_resting: row.get(14)?,
        last_account: row.get(15)?,
        awaits_content: row.get(16)?,
        is_exclusive: row.get(17)?,
    })
}
