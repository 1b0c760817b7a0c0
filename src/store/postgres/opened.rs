//! Open pushes as the engine takes them in.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::all;
use super::cells::{instant, parsed, text, whole, word};
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
         CASE WHEN p.attempts > 0 THEN p.account END,
         EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = p.fire_id),
         p.exclusive_job IS NOT NULL "
    };
}

/// Those of these pushes that are there, in the order of their ids; made just now, so that they are open.
pub(super) async fn by_ids(conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<OpenPush>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ask = sqlx::query(concat!(
        "SELECT ",
        open_push_columns!(),
        "FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE p.id = ANY($1) ORDER BY p.id"
    ));
    all(conn, ask.bind(ids)).await?.iter().map(open_push).collect()
}

/// Those that can be read.
pub(super) async fn open_pushes(conn: &mut PgConnection) -> Result<Vec<OpenPush>> {
    Ok(open_and_unreadable(conn).await?.0)
}

/// Open pushes, and those whose rows cannot be read, with the reason why.
pub(super) async fn open_and_unreadable(conn: &mut PgConnection) -> Result<(Vec<OpenPush>, Vec<(i64, String)>)> {
    let ask = sqlx::query(concat!(
        "SELECT ",
        open_push_columns!(),
        "FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id
        WHERE p.finished_at IS NULL AND (p.state = 'pending' OR p.state = 'retrying')
        ORDER BY p.id"
    ));
    let (mut open, mut unreadable) = (Vec::new(), Vec::new());
    for row in all(conn, ask).await? {
        match open_push(&row) {
            Ok(push) => open.push(push),
            Err(Fault::Row(problem)) => unreadable.push((row.try_get(0)?, problem)),
            Err(fault) => return Err(fault),
        }
    }
    open.sort_by_key(|push| (push.due_at, push.id));
    Ok((open, unreadable))
}

fn open_push(row: &PgRow) -> Result<OpenPush> {
    Ok(OpenPush {
        id: row.try_get(0)?,
        job: row.try_get::<Option<&str>, _>(1)?.map(Into::into),
        triggered_by: word(text(row, 2)?)?,
        chat: row.try_get::<Option<String>, _>(3)?.zip(row.try_get(4)?),
        im: row.try_get(5)?,
        target: parsed(text(row, 6)?)?,
        kind: word(text(row, 7)?)?,
        account: row.try_get(8)?,
        due_at: instant(row, 9)?,
        next_attempt_at: instant(row, 10)?,
        expires_at: instant(row, 11)?,
        attempts: whole(row, 12)?,
        perhaps_sent: row.try_get(13)?,
        is_resting: row.try_get(14)?,
        last_account: row.try_get(15)?,
        awaits_content: row.try_get(16)?,
        is_exclusive: row.try_get(17)?,
    })
}
