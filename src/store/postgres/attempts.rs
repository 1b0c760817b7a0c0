//! Attempts that are over, taken back, or were left open by a dead process; `begin` opens them.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::accounts;
use super::ask::{all, done};
use super::cells::{instant, plain, to_json, whole};
use super::delivery::{DELIVERY_COLUMNS, delivery, delivery_columns, key_stem};
use super::ends::{cancelled_or_unknown, next_attempt_at};
use super::fallbacks;
use super::fault::{Fault, Result};
use super::instants::At;
use super::session::Write;
use crate::domain::{Health, Reason, UtcMs};
use crate::store::model::{Closed, Finish, Interrupted, TakeBack};

/// How a push stands whose attempt is over.
struct Stand {
    /// The number of the attempt by which it is being sent.
    sending: Option<u32>,
    /// A newer fire replaced it, or its job was removed, while it was being sent: it is not tried again, since the newer
    /// message may be out already. The row has said why since then: a push that is being sent and wanted has no reason, see
    /// [`super::pushes::replace_older`] and [`super::pushes::cancel_of_jobs`].
    is_unwanted: bool,
    is_open: bool,
}

/// Those of these pushes that are there.
async fn stands(conn: &mut PgConnection, ids: Vec<i64>) -> Result<HashMap<i64, Stand>> {
    let find = sqlx::query(
        "SELECT id, state = 'sending', attempts, reason IS NOT NULL, finished_at IS NULL
           FROM pushes WHERE id = ANY ($1)",
    );
    let stand = |row: &PgRow| {
        let (is_sending, attempts): (bool, u32) = (row.try_get(1)?, whole(row, 2)?);
        let sending = is_sending.then_some(attempts);
        let is_unwanted = is_sending && row.try_get(3)?;
        Ok((row.try_get(0)?, Stand { sending, is_unwanted, is_open: row.try_get(4)? }))
    };
    all(conn, find.bind(ids)).await?.iter().map(stand).collect()
}

/// Takes back attempts that were never made.
pub(super) struct TakeBackAttempts {
    pub attempts: Vec<TakeBack>,
    pub now: UtcMs,
}

impl Write for TakeBackAttempts {
    type Answer = Vec<i64>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<i64>> {
        let mut stands = stands(conn, self.attempts.iter().map(|attempt| attempt.push_id).collect()).await?;
        let (mut seen, mut ended) = (HashSet::new(), Vec::new());
        let (mut unwanted, mut waiting) = (Vec::new(), Vec::new());
        for attempt in self.attempts.iter().filter(|attempt| seen.insert(attempt.push_id)) {
            let id = attempt.push_id;
            match stands.remove(&id) {
                Some(Stand { sending, is_unwanted: true, .. }) if sending == Some(attempt.number) => {
                    unwanted.push(id);
                    ended.push(id);
                }
                Some(Stand { sending, .. }) if sending == Some(attempt.number) => waiting.push(attempt),
                Some(Stand { is_open: true, .. }) => {}
                Some(_) | None => ended.push(id),
            }
        }
        remove(conn, &self.attempts).await?;
        end_unwanted(conn, &unwanted, self.now).await?;
        put_back(conn, &waiting).await?;
        Ok(ended)
    }
}

async fn remove(conn: &mut PgConnection, attempts: &[TakeBack]) -> Result<()> {
    let remove = sqlx::query(
        "DELETE FROM attempts AS a USING unnest($1::bigint[], $2::bigint[]) AS t (push_id, number)
          WHERE a.push_id = t.push_id AND a.number = t.number AND a.finished_at IS NULL",
    );
    let ids: Vec<i64> = attempts.iter().map(|attempt| attempt.push_id).collect();
    let numbers: Vec<i64> = attempts.iter().map(|attempt| i64::from(attempt.number)).collect();
    done(conn, remove.bind(ids).bind(numbers)).await?;
    Ok(())
}

/// Ends pushes that nobody wants any more, and does not count the attempt that was taken back.
async fn end_unwanted(conn: &mut PgConnection, ids: &[i64], now: UtcMs) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let end = sqlx::query(concat!(
        "UPDATE pushes SET state = ",
        cancelled_or_unknown!(),
        ", finished_at = $2, attempts = attempts - 1 WHERE id = ANY ($1)"
    ));
    done(conn, end.bind(ids).bind(At::from(now))).await?;
    Ok(())
}

/// A push that was tried before says why it waits: what that attempt came to.
async fn put_back(conn: &mut PgConnection, attempts: &[&TakeBack]) -> Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    let mark = sqlx::query(
        "UPDATE pushes AS p
            SET state = CASE WHEN t.number = 1 THEN 'pending' ELSE 'retrying' END, attempts = t.number - 1,
                next_attempt_at = t.next_attempt_at,
                reason = coalesce(t.reason, (SELECT a.outcome FROM attempts AS a
                                              WHERE a.push_id = t.push_id AND a.number = t.number - 1)),
                account = coalesce((SELECT a.account FROM attempts AS a
                                     WHERE a.push_id = t.push_id AND a.number = t.number - 1), p.named_account)
           FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[])
             AS t (push_id, number, next_attempt_at, reason)
          WHERE p.id = t.push_id",
    );
    let mark = mark
        .bind(attempts.iter().map(|attempt| attempt.push_id).collect::<Vec<_>>())
        .bind(attempts.iter().map(|attempt| i64::from(attempt.number)).collect::<Vec<_>>())
        .bind(attempts.iter().map(|attempt| At::from(attempt.next_attempt_at)).collect::<Vec<_>>())
        .bind(attempts.iter().map(|attempt| attempt.reason.map(Reason::as_str)).collect::<Vec<_>>());
    done(conn, mark).await?;
    Ok(())
}

/// Tells when waiting pushes are due again.
pub(super) struct TellNextAttempts {
    pub next_attempts: Vec<(i64, UtcMs)>,
}

impl Write for TellNextAttempts {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let tell = sqlx::query(
            "UPDATE pushes AS p SET next_attempt_at = t.at
               FROM unnest($1::bigint[], $2::timestamptz[]) AS t (id, at)
              WHERE p.id = t.id AND (p.state = 'retrying' OR p.state = 'pending' AND p.reason IS NOT NULL)",
        );
        let (ids, ats): (Vec<_>, Vec<_>) = self.next_attempts.iter().map(|(id, at)| (*id, At::from(*at))).unzip();
        done(conn, tell.bind::<Vec<i64>>(ids).bind::<Vec<At>>(ats)).await?;
        Ok(())
    }
}

/// Closes attempts.
pub(super) struct FinishAttempts {
    pub finishes: Vec<Finish>,
}

impl Write for FinishAttempts {
    type Answer = Closed;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Closed> {
        let finishes = &self.finishes;
        let mut stands = stands(conn, finishes.iter().map(|finish| finish.push_id).collect()).await?;
        close(conn, finishes).await?;
        let (mut lost, mut moved) = (Vec::new(), Vec::new());
        for finish in finishes {
            // Each push moves once: whoever comes second finds it moved.
            match stands.remove(&finish.push_id) {
                Some(stand) if stand.sending == Some(finish.number) => {
                    let is_unwanted = stand.is_unwanted && next_attempt_at(&finish.next).is_some();
                    if is_unwanted {
                        lost.push(finish.push_id);
                    }
                    moved.push((finish, is_unwanted));
                }
                _ => lost.push(finish.push_id),
            }
        }
        moves(conn, &moved).await?;
        let ended = moved.iter().filter(|(_, is_unwanted)| !is_unwanted);
        let ended: Vec<_> = ended.map(|(finish, _)| (finish.push_id, &finish.next, finish.finished_at)).collect();
        let fallbacks = fallbacks::make(conn, &ended).await?;
        // One account finishes many attempts; what the last one said holds.
        let health: BTreeMap<&str, &Health> =
            finishes.iter().filter_map(|finish| finish.health.as_ref()).map(|(id, health)| (&**id, health)).collect();
        accounts::record_health(conn, health).await?;
        Ok(Closed { lost, fallbacks })
    }
}

/// Closes those of these attempts that are open, each once.
async fn close(conn: &mut PgConnection, finishes: &[Finish]) -> Result<()> {
    let mut seen = HashSet::new();
    let finishes: Vec<_> = finishes.iter().filter(|finish| seen.insert((finish.push_id, finish.number))).collect();
    let close = sqlx::query(
        "UPDATE attempts AS a
            SET started_at = c.started_at, finished_at = c.finished_at, outcome = c.outcome, error = c.error,
                http_status = c.http_status, message_id = c.message_id, note = c.note
           FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[],
                       $7::integer[], $8::text[], $9::text[])
             AS c (push_id, number, started_at, finished_at, outcome, error, http_status, message_id, note)
          WHERE a.push_id = c.push_id AND a.number = c.number AND a.finished_at IS NULL",
    );
    let reports = || finishes.iter().map(|finish| &finish.report);
    let own = |text: Option<&str>| text.map(|text| plain(text).into_owned());
    let close = close
        .bind(finishes.iter().map(|finish| finish.push_id).collect::<Vec<_>>())
        .bind(finishes.iter().map(|finish| i64::from(finish.number)).collect::<Vec<_>>())
        .bind(finishes.iter().map(|finish| At::from(finish.started_at)).collect::<Vec<_>>())
        .bind(finishes.iter().map(|finish| At::from(finish.finished_at)).collect::<Vec<_>>())
        .bind(reports().map(|report| report.outcome.as_str()).collect::<Vec<_>>())
        .bind(reports().map(|report| own(report.error.as_deref())).collect::<Vec<_>>())
        .bind(reports().map(|report| report.http_status.map(i32::from)).collect::<Vec<_>>())
        .bind(reports().map(|report| own(report.message_id.as_deref())).collect::<Vec<_>>())
        .bind(reports().map(|report| own(report.note.as_deref())).collect::<Vec<_>>());
    done(conn, close).await?;
    Ok(())
}

/// Moves pushes on from being sent. Those that nobody wants any more end, whatever they were to do next.
async fn moves(conn: &mut PgConnection, moved: &[(&Finish, bool)]) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let state = |(finish, is_unwanted): &(&Finish, bool)| (!is_unwanted).then(|| finish.next.state().as_str());
    let next_attempt =
        |(finish, is_unwanted): &(&Finish, bool)| next_attempt_at(&finish.next).filter(|_| !is_unwanted).map(At::from);
    let parts = |(finish, _): &(&Finish, bool)| match &*finish.report.parts {
        [] => Ok(None),
        parts => to_json(parts).map(Some),
    };
    let mark = sqlx::query(concat!(
        "UPDATE pushes
            SET state = coalesce(m.state, ",
        cancelled_or_unknown!(),
        "), sent_count = (m.state IS NOT DISTINCT FROM 'sent')::integer,
                reason = CASE WHEN m.state IS NULL THEN pushes.reason ELSE m.reason END,
                next_attempt_at = m.next_attempt_at,
                finished_at = CASE WHEN m.next_attempt_at IS NULL THEN m.finished_at END,
                parts = coalesce(m.parts::json, pushes.parts)
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
             AS m (id, state, reason, next_attempt_at, finished_at, parts)
          WHERE pushes.id = m.id"
    ));
    let reason = |(finish, _): &(&Finish, bool)| finish.next.reason().map(Reason::as_str);
    let mark = mark
        .bind(moved.iter().map(|(finish, _)| finish.push_id).collect::<Vec<_>>())
        .bind(moved.iter().map(state).collect::<Vec<_>>())
        .bind(moved.iter().map(reason).collect::<Vec<_>>())
        .bind(moved.iter().map(next_attempt).collect::<Vec<_>>())
        .bind(moved.iter().map(|(finish, _)| At::from(finish.finished_at)).collect::<Vec<_>>())
        .bind(moved.iter().map(parts).collect::<Result<Vec<_>>>()?);
    done(conn, mark).await?;
    Ok(())
}

pub(super) async fn interrupted(conn: &mut PgConnection) -> Result<Vec<Interrupted>> {
    let stem = key_stem(conn).await?;
    let ask = sqlx::query(concat!(
        "SELECT ",
        delivery_columns!(),
        ", a.number, a.account, a.sender, a.started_at
           FROM pushes AS p
           JOIN attempts AS a ON a.push_id = p.id AND a.number = p.attempts
           JOIN fires AS f ON f.id = p.fire_id
          WHERE p.finished_at IS NULL AND p.state = 'sending'
          ORDER BY p.id"
    ));
    let interrupted = |row: &PgRow| {
        let number = whole(row, DELIVERY_COLUMNS)?;
        let delivery = match delivery(row, &stem, number) {
            Err(Fault::Row(problem)) => Err(problem),
            delivery => Ok(delivery?),
        };
        Ok(Interrupted {
            push_id: row.try_get(0)?,
            number,
            account: row.try_get(DELIVERY_COLUMNS + 1)?,
            sender: row.try_get(DELIVERY_COLUMNS + 2)?,
            started_at: instant(row, DELIVERY_COLUMNS + 3)?,
            delivery,
        })
    };
    all(conn, ask).await?.iter().map(interrupted).collect()
}
