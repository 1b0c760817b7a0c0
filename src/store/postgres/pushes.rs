//! Pushes between attempts: what is recorded, what is open, and the moves that need no attempt.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, done, maybe};
use super::cells::{maybe_text, plain, plain_json, text, whole};
use super::ends::{cancelled_or_unknown, end_unreadable, next_attempt_at};
use super::fallbacks;
use super::fault::Result;
use super::ids;
use super::instants::At;
use super::note::{self, Act};
use super::opened::open_and_unreadable;
use super::session::Write;
use crate::domain::{Next, PushState, Reason, UtcMs};
use crate::store::allowed::{self, PushRow};
use crate::store::bounds::{CONFIRMED_AMONG, CONFIRMED_WITHIN};
use crate::store::cells::state_of;
use crate::store::model::{By, OpenPush, Settle};
use crate::store::plan::NewPush;

/// Records pushes of these fires, and returns their ids, in the same order.
pub(super) async fn insert(conn: &mut PgConnection, pushes: &[(i64, &NewPush<'_>)]) -> Result<Vec<i64>> {
    if pushes.is_empty() {
        return Ok(Vec::new());
    }
    let first = ids::take(conn, 0, pushes.len()).await?.pushes;
    let ids: Vec<i64> = (first..).take(pushes.len()).collect();
    let of = || pushes.iter().map(|(_, push)| push);
    let insert = sqlx::query(
        "INSERT INTO pushes (id, fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms, retry,
                             state, max_attempts, next_attempt_at, expires_at, exclusive_job, render, fallback, recipient)
         SELECT n.id, n.fire_id, n.ordinal, n.im, n.target, n.account, n.account, n.kind, n.message::json, n.timeout_ms,
                n.retry::json, 'pending', n.max_attempts, n.goes_at, n.expires_at, n.exclusive_job, n.render::json,
                n.fallback::json, n.recipient::json
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                       $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::timestamptz[], $13::timestamptz[],
                       $14::text[], $15::text[], $16::text[], $17::text[])
             AS n (id, fire_id, ordinal, im, target, account, kind, message, timeout_ms, retry, max_attempts, goes_at,
                   expires_at, exclusive_job, render, fallback, recipient)",
    );
    let insert = insert
        .bind(&ids)
        .bind(pushes.iter().map(|(fire_id, _)| *fire_id).collect::<Vec<_>>())
        .bind(of().map(|push| push.ordinal).collect::<Vec<_>>())
        .bind(of().map(|push| plain(push.im).into_owned()).collect::<Vec<_>>())
        .bind(of().map(|push| plain(&push.target.to_string()).into_owned()).collect::<Vec<_>>())
        .bind(of().map(|push| push.account).collect::<Vec<_>>())
        .bind(of().map(|push| push.kind.as_str()).collect::<Vec<_>>())
        .bind(of().map(|push| plain_json(&push.message).into_owned()).collect::<Vec<_>>())
        .bind(of().map(|push| push.timeout_ms).collect::<Vec<_>>())
        .bind(of().map(|push| push.retry.as_deref()).collect::<Vec<_>>())
        .bind(of().map(|push| i64::from(push.max_attempts)).collect::<Vec<_>>())
        .bind(of().map(|push| At::from(push.goes_at)).collect::<Vec<_>>())
        .bind(of().map(|push| At::from(push.expires_at)).collect::<Vec<_>>())
        .bind(of().map(|push| push.exclusive_job).collect::<Vec<_>>())
        .bind(of().map(|push| json_of(push.render.as_deref())).collect::<Vec<_>>())
        .bind(of().map(|push| json_of(push.fallback.as_deref())).collect::<Vec<_>>())
        .bind(of().map(|push| json_of(push.recipient.as_deref())).collect::<Vec<_>>());
    done(conn, insert).await?;
    Ok(ids)
}

fn json_of(json: Option<&str>) -> Option<String> {
    json.map(|json| plain_json(json).into_owned())
}

/// Retires the waiting pushes of a job with `overlap: replace` that are older than its newest fire, and returns their
/// ids. Those that are being sent keep the reason: they end as they end, but none is tried again after the newer one.
pub(super) async fn replace_older(
    conn: &mut PgConnection,
    job: &str,
    newest_fire: i64,
    now: UtcMs,
) -> Result<Vec<i64>> {
    let find = sqlx::query(
        "SELECT id FROM pushes
          WHERE exclusive_job = $1 AND exclusive_job IS NOT NULL AND finished_at IS NULL AND fire_id < $2
          ORDER BY id",
    );
    let older = all(conn, find.bind(job).bind(newest_fire)).await?;
    let older: Vec<i64> = older.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    end_all_of(conn, &older, Reason::Replaced, now).await
}

/// Ends the waiting pushes of jobs that are gone, and returns them with the names of their jobs; those that are being sent
/// are not tried again.
pub(super) async fn cancel_of_jobs(conn: &mut PgConnection, names: &[&str], now: UtcMs) -> Result<Vec<(i64, String)>> {
    let find = sqlx::query(
        "SELECT p.id, f.job FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id
          WHERE p.finished_at IS NULL AND f.job = ANY ($1)
          ORDER BY p.id",
    );
    let rows = all(conn, find.bind(names)).await?;
    let mut open: Vec<(i64, String)> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_>>()?;
    let ids: Vec<i64> = open.iter().map(|(id, _)| *id).collect();
    let ended: HashSet<i64> = end_all_of(conn, &ids, Reason::JobRemoved, now).await?.into_iter().collect();
    open.retain(|(id, _)| ended.contains(id));
    Ok(open)
}

/// Ends those of these pushes that wait, and tells those that are being sent why they are not tried again. Returns which ended.
async fn end_all_of(conn: &mut PgConnection, ids: &[i64], reason: Reason, now: UtcMs) -> Result<Vec<i64>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let under_way = sqlx::query("UPDATE pushes SET reason = $2 WHERE id = ANY ($1) AND state = 'sending'");
    done(conn, under_way.bind(ids).bind(reason.as_str())).await?;
    let end = sqlx::query(concat!(
        "UPDATE pushes SET state = ",
        cancelled_or_unknown!(),
        ", reason = $2, finished_at = $3, next_attempt_at = NULL
          WHERE id = ANY ($1) AND state IN ('pending', 'retrying')
         RETURNING id"
    ));
    let rows = all(conn, end.bind(ids).bind(reason.as_str()).bind(At::from(now))).await?;
    let mut ended: Vec<i64> = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    ended.sort_unstable();
    Ok(ended)
}

/// Ends pushes whose rows cannot be read.
pub(super) struct EndUnreadable {
    pub now: UtcMs,
}

impl Write for EndUnreadable {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let (_, unreadable) = open_and_unreadable(conn).await?;
        for (id, problem) in &unreadable {
            end_unreadable(conn, *id, problem, self.now).await?;
        }
        Ok(())
    }
}

pub(super) struct SettlePushes {
    pub settles: Vec<Settle>,
    pub now: UtcMs,
}

impl Write for SettlePushes {
    type Answer = Vec<OpenPush>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<OpenPush>> {
        let find = "SELECT id FROM pushes WHERE id = ANY ($1) AND state IN ('pending', 'retrying')";
        Ok(settle(conn, find, &self.settles, self.now).await?.1)
    }
}

/// Ends pushes to which nothing happened, and no others.
pub(super) struct EndUntouched {
    pub settles: Vec<Settle>,
    pub now: UtcMs,
}

impl Write for EndUntouched {
    type Answer = Vec<i64>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<i64>> {
        let find = "SELECT id FROM pushes WHERE id = ANY ($1) AND state = 'pending' AND reason IS NULL";
        Ok(settle(conn, find, &self.settles, self.now).await?.0)
    }
}

/// Settles those of the pushes that this statement finds, each once. Returns which, and the fallbacks that go out for them.
async fn settle(
    conn: &mut PgConnection,
    find: &'static str,
    settles: &[Settle],
    now: UtcMs,
) -> Result<(Vec<i64>, Vec<OpenPush>)> {
    let ids: Vec<i64> = settles.iter().map(|settle| settle.push_id).collect();
    let rows = all(conn, sqlx::query(find).bind(ids)).await?;
    let mut found: HashSet<i64> = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    let settles: Vec<&Settle> = settles.iter().filter(|settle| found.remove(&settle.push_id)).collect();
    let ids: Vec<i64> = settles.iter().map(|settle| settle.push_id).collect();
    if ids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let next = || settles.iter().map(|settle| &settle.next);
    let update = sqlx::query(
        "UPDATE pushes AS p
            SET state = CASE WHEN s.state = 'retrying' AND p.attempts = 0 THEN 'pending' ELSE s.state END,
                sent_count = (s.state = 'sent')::integer, reason = s.reason, next_attempt_at = s.next_attempt_at,
                finished_at = CASE WHEN s.next_attempt_at IS NULL THEN $6::timestamptz END,
                detail = coalesce(s.detail, p.detail)
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
             AS s (id, state, reason, next_attempt_at, detail)
          WHERE p.id = s.id",
    );
    let detail = |settle: &&Settle| settle.detail.as_deref().map(|detail| plain(detail).into_owned());
    let update = update
        .bind(&ids)
        .bind(next().map(|next| next.state().as_str()).collect::<Vec<_>>())
        .bind(next().map(|next| next.reason().map(Reason::as_str)).collect::<Vec<_>>())
        .bind(next().map(|next| next_attempt_at(next).map(At::from)).collect::<Vec<_>>())
        .bind(settles.iter().map(detail).collect::<Vec<_>>())
        .bind(At::from(now));
    done(conn, update).await?;
    let ended: Vec<_> = settles.iter().map(|settle| (settle.push_id, &settle.next, now)).collect();
    let made = fallbacks::make(conn, &ended).await?;
    Ok((ids, made))
}

/// The push that a person named.
async fn named(conn: &mut PgConnection, push_id: i64) -> Result<PushRow> {
    let ask = sqlx::query(
        "SELECT state, attempts, max_attempts, retry::text,
                kind = 'text' AND coalesce(message ->> 'text' = '', false)
                  AND NOT EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = pushes.fire_id),
                recipient IS NOT NULL AND recipient::text = 'null'
           FROM pushes WHERE id = $1",
    );
    let Some(row) = maybe(conn, ask.bind(push_id)).await? else { return Err(allowed::no_push(push_id).into()) };
    let retry = maybe_text(&row, 3)?.map(serde_json::from_str).transpose()?;
    Ok(PushRow {
        state: state_of(push_id, text(&row, 0)?)?,
        attempts: whole(&row, 1)?,
        max_attempts: whole(&row, 2)?,
        retry: retry.unwrap_or_default(),
        is_empty: row.try_get(4)?,
        is_nobodys: row.try_get(5)?,
    })
}

/// Notes what somebody did to a push.
async fn noted(
    conn: &mut PgConnection,
    verb: &str,
    push_id: i64,
    (before, after): (PushState, PushState),
    by: Option<&By>,
    now: UtcMs,
) -> Result<()> {
    let (before, after) = (Some(before.as_str()), Some(after.as_str()));
    note::act(conn, by, now, &Act { verb, push_id: Some(push_id), before, after, ..Act::default() }).await
}

pub(super) struct Cancel {
    pub push_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Cancel {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let id = self.push_id;
        let before = named(conn, id).await?.state;
        allowed::cancel(id, before)?;
        let cancel = sqlx::query(
            "UPDATE pushes
                SET state = 'cancelled', reason = 'cancelled by hand', finished_at = $2, next_attempt_at = NULL
              WHERE id = $1",
        );
        done(conn, cancel.bind(id).bind(At::from(self.now))).await?;
        noted(conn, "cancel", id, (before, PushState::Cancelled), self.by.as_ref(), self.now).await
    }
}

pub(super) struct Retry {
    pub push_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Retry {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let id = self.push_id;
        let push = named(conn, id).await?;
        allowed::retry(id, &push)?;
        let retry = sqlx::query(
            "UPDATE pushes
                SET state = 'retrying', reason = 'retried by hand', next_attempt_at = $2, finished_at = NULL,
                    max_attempts = $3, expires_at = $4
              WHERE id = $1",
        );
        let max_attempts = push.max_attempts.max(push.attempts.saturating_add(1));
        let retry = retry.bind(id).bind(At::from(self.now)).bind(i64::from(max_attempts));
        done(conn, retry.bind(At::from(self.now + push.retry.give_up_after))).await?;
        noted(conn, "retry", id, (push.state, PushState::Retrying), self.by.as_ref(), self.now).await
    }
}

pub(super) struct Resolve {
    pub push_id: i64,
    pub sent: bool,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for Resolve {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let id = self.push_id;
        let before = named(conn, id).await?.state;
        allowed::resolve(id, before)?;
        let after = if self.sent { PushState::Sent } else { PushState::Failed };
        let resolve = sqlx::query(
            "UPDATE pushes
                SET state = $2, sent_count = ($2 = 'sent')::integer, reason = 'resolved by hand', finished_at = $3
              WHERE id = $1",
        );
        done(conn, resolve.bind(id).bind(after.as_str()).bind(At::from(self.now))).await?;
        if !self.sent {
            // Who tries it again later need not look at the chat once more, nor is it called unknown then.
            let deny = sqlx::query(
                "UPDATE attempts SET denied_at = $2 WHERE push_id = $1 AND outcome = 'unknown' AND denied_at IS NULL",
            );
            done(conn, deny.bind(id).bind(At::from(self.now))).await?;
            // Whoever drives the database is told of it as of all that others write.
            let failed = Next::Failed { reason: Reason::ResolvedByHand };
            fallbacks::make(conn, &[(id, &failed, self.now)]).await?;
        }
        noted(conn, "resolve", id, (before, after), self.by.as_ref(), self.now).await
    }
}

/// The push that this account sent under this id. Most proofs in a busy chat are of other people's messages: they are
/// looked for beside the writer.
pub(super) async fn with_message(
    conn: &mut PgConnection,
    account: &str,
    message_id: &str,
    now: UtcMs,
) -> Result<Option<i64>> {
    let find = sqlx::query(
        "SELECT push_id
           FROM (SELECT id, push_id, message_id, account, started_at FROM attempts ORDER BY id DESC LIMIT $4) AS a
          WHERE message_id = $1 AND account = $2 AND started_at >= $3
          ORDER BY id DESC LIMIT 1",
    );
    let oldest = At::from(now - CONFIRMED_WITHIN);
    let find = find.bind(plain(message_id)).bind(account).bind(oldest).bind(CONFIRMED_AMONG);
    Ok(maybe(conn, find).await?.map(|row| row.try_get(0)).transpose()?)
}

pub(super) struct Confirm {
    pub push_id: i64,
    pub now: UtcMs,
}

impl Write for Confirm {
    type Answer = bool;

    /// A push that waits for another attempt is over too: it has arrived.
    async fn run(&mut self, conn: &mut PgConnection) -> Result<bool> {
        let confirm = sqlx::query(
            "UPDATE pushes
                SET state = 'sent', sent_count = 1, confirmed_at = $2, finished_at = coalesce(finished_at, $2),
                    next_attempt_at = NULL
              WHERE id = $1 AND state IN ('sent', 'unknown', 'retrying')",
        );
        Ok(done(conn, confirm.bind(self.push_id).bind(At::from(self.now))).await? > 0)
    }
}
