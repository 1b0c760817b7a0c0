//! Fires: decisions about instants with the pushes they make, in bulk; fires by hand; and taking back what was
//! recorded ahead.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use serde_json::json;
use sqlx::SqliteConnection;

use super::accounts::instant;
use super::fault::Result;
use super::jobs::no_job;
use super::pushes::{self, open_push_rows};
use super::writer::Write;
use crate::domain::{Decision, Overlap, RetryPolicy, UtcMs};
use crate::store::{AdHoc, Cursor, NewFire, Recorded};

/// What `pushes.retry` leaves out: most jobs keep the built-in policy, and ten million rows need not repeat it.
static DEFAULT_RETRY: LazyLock<String> = LazyLock::new(|| json!(RetryPolicy::default()).to_string());

/// The text of an instant some milliseconds after another, at most that of [`UtcMs::MAX`]. Whole seconds, the usual
/// case, are spared the way through floating point.
macro_rules! plus_ms {
    ($instant:literal, $ms:literal) => {
        concat!(
            "min('9999-12-30T22:00:00.000Z', coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', ",
            $instant,
            ", iif(",
            $ms,
            " % 1000 = 0, ",
            $ms,
            " / 1000, ",
            $ms,
            " / 1000.0) || ' seconds'), '9999-12-31'))"
        )
    };
}

pub(super) struct RecordFires {
    pub fires: Vec<NewFire>,
    pub cursors: Vec<Cursor>,
    pub now: UtcMs,
}

#[async_trait]
impl Write for RecordFires {
    type Answer = Recorded;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<Recorded> {
        let mut recorded = Recorded { stale: stale(conn, &self.cursors).await?, ..Recorded::default() };
        let stale: HashSet<Arc<str>> = recorded.stale.iter().cloned().collect();
        let mut fires: Vec<&NewFire> = self.fires.iter().filter(|fire| !stale.contains(&fire.job)).collect();
        // Ids follow the instants, so that of two fires of one job the newer has the higher id.
        fires.sort_by_key(|fire| fire.due_at);

        let before = marks(conn).await?;
        recorded.skipped = insert(conn, &fires, self.now, before.fire).await?;
        make_pushes(conn, before.fire).await?;
        if fires.iter().any(|fire| fire.overlap == Overlap::Replace) {
            recorded.cancelled = replace_older(conn, before, self.now).await?;
        }
        move_cursors(conn, self.cursors.iter().filter(|cursor| !stale.contains(&cursor.job)), self.now).await?;
        recorded.pushes = pushes::decode_open(
            sqlx::query_scalar(concat!(
                "SELECT ",
                open_push_rows!(),
                "FROM pushes AS p JOIN fires AS f ON f.id = p.fire_id WHERE p.id > ?1 AND p.state = 'pending'"
            ))
            .bind(before.push)
            .fetch_one(conn)
            .await?,
        )?;
        Ok(recorded)
    }
}

/// Jobs whose place is not where the caller thinks, or that are gone.
async fn stale(conn: &mut SqliteConnection, cursors: &[Cursor]) -> Result<Vec<Arc<str>>> {
    let rows: Vec<_> = cursors.iter().map(|cursor| (&cursor.job, cursor.from)).collect();
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.value ->> 0
           FROM jsonb_each(?1) AS c
           LEFT JOIN jobs AS j ON j.name = c.value ->> 0 AND j.removed_at IS NULL
          WHERE j.name IS NULL OR j.next_due_at IS NOT c.value ->> 1",
    )
    .bind(serde_json::to_string(&rows)?)
    .fetch_all(conn)
    .await?;
    Ok(names.into_iter().map(Arc::from).collect())
}

/// The highest ids ever given: what comes after them is this transaction's own.
#[derive(Clone, Copy)]
struct Marks {
    fire: i64,
    push: i64,
}

async fn marks(conn: &mut SqliteConnection) -> Result<Marks> {
    let (fire, push) = sqlx::query_as(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'fires'), 0),
                coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pushes'), 0)",
    )
    .fetch_one(conn)
    .await?;
    Ok(Marks { fire, push })
}

/// Inserts fires; returns how many an overlap turned into skips.
async fn insert(conn: &mut SqliteConnection, fires: &[&NewFire], now: UtcMs, before: i64) -> Result<u64> {
    let mut skipping = HashSet::new();
    let rows: Vec<_> = fires
        .iter()
        .map(|fire| {
            let fired = fire.decision == Decision::Fired;
            let may_skip = fired && fire.overlap == Overlap::Skip;
            // Of several fires in one call, the first alone may go through: its pushes are what overlaps.
            let first = may_skip && skipping.insert(&fire.job);
            (
                &fire.job,
                fire.due_at,
                fire.decision.as_str(),
                &fire.reason,
                fire.count,
                fire.until_at,
                &fire.zone,
                u8::from(may_skip) + u8::from(may_skip && !first),
            )
        })
        .collect();
    sqlx::query(
        "INSERT INTO fires (job, triggered_by, due_at, until_at, count, decision, reason, recorded_at, zone, revision)
         SELECT name, 'cron', due_at, until_at, count, iif(instead IS NULL, decision, 'skipped'),
                coalesce(instead, reason), ?2, zone, revision
           FROM (SELECT j.name, j.revision, f.value ->> 1 AS due_at, f.value ->> 2 AS decision,
                        f.value ->> 3 AS reason, f.value ->> 4 AS count, f.value ->> 5 AS until_at,
                        f.value ->> 6 AS zone,
                        CASE WHEN f.value ->> 2 <> 'fired' THEN NULL
                             WHEN j.paused_at <= f.value ->> 1 THEN 'paused'
                             WHEN f.value ->> 7 = 2 THEN 'overlap'
                             WHEN f.value ->> 7 = 1
                                  AND EXISTS (SELECT 1 FROM pushes INDEXED BY pushes_exclusive
                                               WHERE exclusive_job = j.name AND finished_at IS NULL) THEN 'overlap'
                             END AS instead
                   FROM jsonb_each(?1) AS f
                  CROSS JOIN jobs AS j ON j.name = f.value ->> 0 AND j.removed_at IS NULL)
          WHERE true
         ON CONFLICT (job, due_at, triggered_by) DO NOTHING",
    )
    .bind(serde_json::to_string(&rows)?)
    .bind(now.to_string())
    .execute(&mut *conn)
    .await?;
    if skipping.is_empty() {
        return Ok(0);
    }
    let skipped: i64 = sqlx::query_scalar("SELECT count(*) FROM fires WHERE id > ?1 AND reason = 'overlap'")
        .bind(before)
        .fetch_one(conn)
        .await?;
    Ok(skipped as u64)
}

/// Makes the pushes of every job's fire above a mark out of the job's definition; messages never leave the database.
/// A fire that was recorded late has its whole time to be sent all the same.
async fn make_pushes(conn: &mut SqliteConnection, after: i64) -> Result<()> {
    sqlx::query(concat!(
        "INSERT INTO pushes (fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms, retry,
                             state, max_attempts, next_attempt_at, expires_at, exclusive_job)
         SELECT f.id, p.key, p.value ->> 'im', p.value ->> 'target', p.value ->> 'account', p.value ->> 'account',
                p.value ->> '$.message.kind', p.value -> 'message', p.value ->> 'timeout_ms',
                nullif(p.value -> 'retry', ?2), 'pending', p.value ->> '$.retry.max_attempts', f.due_at, ",
        plus_ms!("max(f.due_at, f.recorded_at)", "(p.value ->> '$.retry.give_up_after_ms')"),
        ",      iif(j.definition ->> 'overlap' = 'allow', NULL, j.name)
           FROM fires AS f
          CROSS JOIN jobs AS j ON j.name = f.job
          CROSS JOIN jsonb_each(j.definition, '$.push') AS p
          WHERE f.id > ?1 AND f.decision = 'fired'"
    ))
    .bind(after)
    .bind(&*DEFAULT_RETRY)
    .execute(conn)
    .await?;
    Ok(())
}

/// Retires waiting pushes of jobs with `overlap: replace` that have a newer fire above the mark. Returns those that
/// others may know of.
async fn replace_older(conn: &mut SqliteConnection, before: Marks, now: UtcMs) -> Result<Vec<i64>> {
    let mut replaced: Vec<i64> = sqlx::query_scalar(
        "UPDATE pushes INDEXED BY pushes_exclusive
            SET state = 'cancelled', reason = 'replaced', finished_at = ?2, next_attempt_at = NULL
           FROM (SELECT f.job, max(f.id) AS fire_id
                   FROM fires AS f
                   JOIN jobs AS j ON j.name = f.job
                  WHERE f.id > ?1 AND f.decision = 'fired' AND j.definition ->> 'overlap' = 'replace'
                  GROUP BY f.job) AS newest
          WHERE pushes.exclusive_job = newest.job AND pushes.exclusive_job IS NOT NULL
            AND pushes.finished_at IS NULL AND pushes.state IN ('pending', 'retrying')
            AND pushes.fire_id < newest.fire_id
         RETURNING id",
    )
    .bind(before.fire)
    .bind(now.to_string())
    .fetch_all(conn)
    .await?;
    replaced.retain(|id| *id <= before.push);
    Ok(replaced)
}

/// Moves the jobs' places. One that goes back means that the clock shows an hour again.
async fn move_cursors(conn: &mut SqliteConnection, cursors: impl Iterator<Item = &Cursor>, now: UtcMs) -> Result<()> {
    let cursors: Vec<&Cursor> = cursors.collect();
    let end = |place: Option<UtcMs>| place.unwrap_or(UtcMs::MAX);
    let back = cursors.iter().filter(|cursor| end(cursor.next_due_at) < end(cursor.from));
    answer_after(conn, back.map(|cursor| (&*cursor.job, now)).collect()).await?;
    let rows: Vec<_> = cursors.iter().map(|cursor| (&cursor.job, cursor.next_due_at)).collect();
    sqlx::query(
        "UPDATE jobs SET next_due_at = c.value ->> 1
           FROM jsonb_each(?1) AS c
          WHERE jobs.name = c.value ->> 0",
    )
    .bind(serde_json::to_string(&rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The definitions of these jobs that hold now answer for all that comes after an instant, though earlier ones may
/// have held then when the clock showed it before.
async fn answer_after(conn: &mut SqliteConnection, jobs: Vec<(&str, UtcMs)>) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let jobs = serde_json::to_string(&jobs)?;
    for statement in [
        "UPDATE jobs SET loaded_at = a.value ->> 1
           FROM jsonb_each(?1) AS a
          WHERE jobs.name = a.value ->> 0 AND jobs.loaded_at > a.value ->> 1",
        "UPDATE job_revisions SET until_at = a.value ->> 1
           FROM jsonb_each(?1) AS a
          WHERE job_revisions.job = a.value ->> 0 AND job_revisions.until_at > a.value ->> 1",
    ] {
        sqlx::query(statement).bind(&jobs).execute(&mut *conn).await?;
    }
    Ok(())
}

pub(super) struct Withdrawn {
    pub fires: u64,
    pub pushes: Vec<i64>,
}

/// Takes back what some jobs called for after `now`.
pub(super) async fn withdraw_of(conn: &mut SqliteConnection, jobs: &[&str], now: UtcMs) -> Result<Withdrawn> {
    let ids = sqlx::query_scalar(
        "SELECT json_group_array(f.id)
           FROM jsonb_each(?1) AS j
          CROSS JOIN fires AS f ON f.job = j.value AND f.due_at > ?2
          WHERE f.triggered_by = 'cron' AND f.recorded_at < f.due_at
            AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.state <> 'pending')",
    )
    .bind(serde_json::to_string(jobs)?)
    .bind(now.to_string())
    .fetch_one(&mut *conn)
    .await?;
    withdraw(conn, ids).await
}

pub(super) struct WithdrawAhead {
    pub awake_at: UtcMs,
}

#[async_trait]
impl Write for WithdrawAhead {
    type Answer = u64;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<u64> {
        // What was restored may have been sent by the database that was lost, and stays missed. A gap that has begun
        // is taken back only where it can be decided anew from there: by the schedule that it was decided by.
        let ids = sqlx::query_scalar(
            "SELECT json_group_array(id)
               FROM (SELECT f.id
                       FROM fires AS f INDEXED BY fires_due
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at > ?1 AND f.triggered_by = 'cron'
                        AND (f.recorded_at < f.due_at OR f.decision <> 'fired' AND f.reason <> 'restored')
                        AND NOT EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id AND p.state <> 'pending')
                     UNION ALL
                     SELECT f.id
                       FROM fires AS f INDEXED BY fires_spans
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.until_at > ?1 AND f.until_at IS NOT NULL AND f.due_at <= ?1 AND f.reason <> 'restored'
                        AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                         WHERE r.job = f.job AND r.revision >= f.revision
                                           AND (r.timezone <> j.timezone
                                                OR r.definition -> '$.schedule' <> j.definition -> '$.schedule'
                                                OR r.definition -> '$.dst_gap' IS NOT j.definition -> '$.dst_gap')))",
        )
        .bind(self.awake_at.to_string())
        .fetch_one(&mut *conn)
        .await?;
        Ok(withdraw(conn, ids).await?.fires)
    }
}

/// Deletes fires of which nothing was begun and sets their jobs' places back to the first of them. `ids` is a JSON
/// list.
async fn withdraw(conn: &mut SqliteConnection, ids: String) -> Result<Withdrawn> {
    if ids == "[]" {
        return Ok(Withdrawn { fires: 0, pushes: Vec::new() });
    }
    let pushes = sqlx::query_scalar(
        "SELECT p.id FROM jsonb_each(?1) AS f CROSS JOIN pushes AS p ON p.fire_id = f.value ORDER BY p.id",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    let places: Vec<(String, String)> = sqlx::query_as(
        "SELECT f.job, min(f.due_at)
           FROM jsonb_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value
          GROUP BY f.job",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE jobs SET next_due_at = w.value ->> 1
           FROM jsonb_each(?1) AS w
          WHERE jobs.name = w.value ->> 0 AND (jobs.next_due_at IS NULL OR jobs.next_due_at > w.value ->> 1)",
    )
    .bind(serde_json::to_string(&places)?)
    .execute(&mut *conn)
    .await?;
    let mut since = Vec::with_capacity(places.len());
    for (job, place) in &places {
        since.push((job.as_str(), UtcMs(instant(place.clone())?.0 - 1)));
    }
    answer_after(conn, since).await?;
    let fires = sqlx::query("DELETE FROM fires WHERE id IN (SELECT value FROM jsonb_each(?1))")
        .bind(&ids)
        .execute(conn)
        .await?
        .rows_affected();
    Ok(Withdrawn { fires, pushes })
}

pub(super) async fn last_recorded_at(conn: &mut SqliteConnection) -> Result<Option<UtcMs>> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT max(at)
               FROM (SELECT * FROM (SELECT recorded_at AS at FROM fires ORDER BY id DESC LIMIT 1)
                     UNION ALL
                     SELECT * FROM (SELECT started_at FROM attempts ORDER BY id DESC LIMIT 1))",
    )
    .fetch_one(conn)
    .await?;
    text.map(instant).transpose()
}

pub(super) struct FireByHand {
    pub job: String,
    pub now: UtcMs,
}

#[async_trait]
impl Write for FireByHand {
    type Answer = Vec<i64>;

    /// A person who says "now" is not told that an older fire is still busy; but `overlap: replace` holds.
    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<Vec<i64>> {
        let before = marks(conn).await?;
        let fired = sqlx::query(concat!(
            "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
             SELECT name, 'manual', coalesce((SELECT ",
            plus_ms!("max(f.due_at)", "1"),
            "                                   FROM fires AS f
                                               WHERE f.job = jobs.name AND f.due_at >= ?2
                                                 AND f.triggered_by = 'manual'
                                              HAVING count(*) > 0), ?2),
                    'fired', ?2, revision
               FROM jobs
              WHERE name = ?1 AND removed_at IS NULL"
        ))
        .bind(&self.job)
        .bind(self.now.to_string())
        .execute(&mut *conn)
        .await?;
        if fired.rows_affected() == 0 {
            return Err(no_job(&self.job).into());
        }
        make_pushes(conn, before.fire).await?;
        replace_older(conn, before, self.now).await?;
        Ok(sqlx::query_scalar("SELECT id FROM pushes WHERE id > ?1 ORDER BY id")
            .bind(before.push)
            .fetch_all(conn)
            .await?)
    }
}

pub(super) struct PushAdHoc {
    pub push: AdHoc,
    pub now: UtcMs,
}

#[async_trait]
impl Write for PushAdHoc {
    type Answer = i64;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<i64> {
        let (chat_im, chat_account) = self.push.chat.as_ref().map(|(im, account)| (im, account)).unzip();
        let fire_id: i64 = sqlx::query_scalar(
            "INSERT INTO fires (triggered_by, due_at, decision, recorded_at, chat_im, chat_account)
             VALUES (?1, ?2, 'fired', ?2, ?3, ?4)
             RETURNING id",
        )
        .bind(self.push.triggered_by.as_str())
        .bind(self.now.to_string())
        .bind(chat_im)
        .bind(chat_account)
        .fetch_one(&mut *conn)
        .await?;
        let spec = &self.push.spec;
        Ok(sqlx::query_scalar(
            "INSERT INTO pushes (fire_id, ordinal, im, target, named_account, account, kind, message, timeout_ms,
                                 retry, state, max_attempts, next_attempt_at, expires_at)
             VALUES (?1, 0, ?2, ?3, ?4, ?4, ?5, ?6, ?7, nullif(?8, ?9), 'pending', ?10, ?11, ?12)
             RETURNING id",
        )
        .bind(fire_id)
        .bind(&spec.im)
        .bind(spec.target.to_string())
        .bind(&spec.account)
        .bind(spec.message.body.kind().as_str())
        .bind(serde_json::to_string(&spec.message)?)
        .bind(i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX))
        .bind(serde_json::to_string(&spec.retry)?)
        .bind(&*DEFAULT_RETRY)
        .bind(spec.retry.max_attempts)
        .bind(self.now.to_string())
        .bind((self.now + spec.retry.give_up_after).to_string())
        .fetch_one(conn)
        .await?)
    }
}
