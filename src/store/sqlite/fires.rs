//! Fires by hand and by a chat, the pushes that any fire makes, and taking back what was recorded ahead.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, params};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::cells::{At, instant, maybe_instant, number, parsed, text};
use super::fault::{Fault, Result};
use super::gone::{Why, delete_fires};
use super::jobs::{no_job, stored_job};
use super::pushes::{InsertPush, NewPush, replace_older};
use super::writer::Write;
use crate::domain::{Kind, Overlap, RetryPolicy, Target, Trigger, UtcMs};
use crate::store::{AdHoc, OpenPush, StoreError, Unwatched};

/// What `pushes.retry` leaves out: most jobs keep the built-in policy, and ten million rows need not repeat it.
static DEFAULT_RETRY: LazyLock<String> = LazyLock::new(|| json!(RetryPolicy::default()).to_string());

/// What a fire needs of its job.
pub(super) struct JobRow {
    pub rowid: i64,
    pub revision: u32,
    pub paused_at: Option<UtcMs>,
    pub next_due_at: Option<UtcMs>,
    pub definition: String,
}

/// Finds jobs that are not removed.
pub(super) struct FindJob<'conn>(CachedStatement<'conn>);

impl<'conn> FindJob<'conn> {
    pub fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(FindJob(conn.prepare_cached(
            "SELECT rowid, revision, paused_at, next_due_at, definition
               FROM jobs WHERE name = ?1 AND removed_at IS NULL",
        )?))
    }

    pub fn job(&mut self, name: &str) -> Result<Option<JobRow>> {
        let mut rows = self.0.query([name])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(JobRow {
            rowid: row.get(0)?,
            revision: row.get(1)?,
            paused_at: maybe_instant(row, 2)?,
            next_due_at: maybe_instant(row, 3)?,
            definition: row.get(4)?,
        }))
    }
}

/// A definition as far as its fires need it, read where it lies: messages are copied as they are.
#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(default)]
    overlap: Overlap,
    #[serde(borrow)]
    push: Vec<Planned<'a>>,
}

#[derive(Deserialize)]
struct Planned<'a> {
    #[serde(borrow)]
    im: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    account: Option<String>,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(default = "built_in_timeout_ms")]
    timeout_ms: i64,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
}

fn built_in_timeout_ms() -> i64 {
    15_000
}

#[derive(Deserialize)]
struct Content {
    kind: Kind,
}

/// What a definition sends, read whole before anything of it is written.
pub(super) struct Plan<'a> {
    pub overlap: Overlap,
    pushes: Vec<Ready<'a>>,
}

struct Ready<'a> {
    spec: Planned<'a>,
    target: Target,
    kind: Kind,
    retry: Option<&'a str>,
    policy: RetryPolicy,
}

impl<'a> Plan<'a> {
    pub fn read(definition: &'a str) -> Result<Plan<'a>> {
        let Definition { overlap, push } = serde_json::from_str(definition)?;
        let ready = |spec: Planned<'a>| {
            let target = parsed(&spec.target)?;
            let Content { kind } = serde_json::from_str(spec.message.get())?;
            let (retry, policy) = policy(spec.retry.map_or(&DEFAULT_RETRY, RawValue::get))?;
            Ok(Ready { spec, target, kind, retry, policy })
        };
        Ok(Plan { overlap, pushes: push.into_iter().map(ready).collect::<Result<_>>()? })
    }
}

/// A fire that goes out, and when that was recorded.
pub(super) struct Fired<'a> {
    pub id: i64,
    pub job: &'a Arc<str>,
    pub triggered_by: Trigger,
    pub due_at: UtcMs,
    pub now: UtcMs,
}

/// Makes the pushes of fires out of the definitions of their jobs.
pub(super) struct MakePushes<'conn>(InsertPush<'conn>);

impl<'conn> MakePushes<'conn> {
    pub fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(MakePushes(InsertPush::new(conn)?))
    }

    /// A fire that was recorded late has its whole time to be sent all the same.
    pub fn run(&mut self, fire: &Fired<'_>, plan: Plan<'_>, made: &mut Vec<OpenPush>) -> Result<()> {
        for (ordinal, Ready { spec, target, kind, retry, policy }) in plan.pushes.into_iter().enumerate() {
            let expires_at = fire.due_at.max(fire.now) + policy.give_up_after;
            let id = self.0.run(&NewPush {
                fire_id: fire.id,
                ordinal: number(ordinal),
                im: &spec.im,
                target: &spec.target,
                account: spec.account.as_deref(),
                kind,
                message: spec.message.get(),
                timeout_ms: spec.timeout_ms,
                retry,
                max_attempts: policy.max_attempts,
                due_at: fire.due_at,
                expires_at,
                exclusive_job: (plan.overlap != Overlap::Allow).then_some(fire.job),
            })?;
            made.push(OpenPush {
                id,
                job: Some(fire.job.clone()),
                triggered_by: fire.triggered_by,
                chat: None,
                im: spec.im.into_owned(),
                target,
                kind,
                account: spec.account,
                due_at: fire.due_at,
                next_attempt_at: fire.due_at,
                expires_at,
                is_resting: false,
                perhaps_sent: false,
                attempts: 0,
            });
        }
        Ok(())
    }
}

/// A policy, and what the row says of it.
fn policy(json: &str) -> Result<(Option<&str>, RetryPolicy)> {
    if json == *DEFAULT_RETRY {
        return Ok((None, RetryPolicy::default()));
    }
    Ok((Some(json), serde_json::from_str(json)?))
}

/// The definition of a job that holds now answers for all that comes after an instant, though earlier ones may have
/// held then when the clock showed it before.
pub(super) fn answer_after(conn: &Connection, job: &str, instant: UtcMs) -> Result<()> {
    for statement in [
        conn.prepare_cached("UPDATE jobs SET loaded_at = ?2 WHERE name = ?1 AND loaded_at > ?2"),
        conn.prepare_cached("UPDATE job_revisions SET until_at = ?2 WHERE job = ?1 AND until_at > ?2"),
    ] {
        statement?.execute(params![job, At::from(instant)])?;
    }
    Ok(())
}

pub(super) struct Withdrawn {
    pub fires: u64,
    pub pushes: Vec<i64>,
}

/// Takes back what some jobs called for after `now`.
pub(super) fn withdraw_of(conn: &Connection, jobs: &[&str], now: UtcMs) -> Result<Withdrawn> {
    let ids = conn.query_row(
        "SELECT json_group_array(f.id)
           FROM jsonb_each(?1) AS j
          CROSS JOIN fires AS f ON f.job = j.value AND f.due_at > ?2
          WHERE f.triggered_by = 'cron' AND f.recorded_at < f.due_at
            AND NOT EXISTS (SELECT 1 FROM pushes AS p
                             WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))",
        params![serde_json::to_string(jobs)?, At::from(now)],
        |row| row.get(0),
    )?;
    withdraw(conn, ids)
}

pub(super) struct WithdrawAhead {
    pub now: UtcMs,
}

impl Write for WithdrawAhead {
    type Answer = u64;

    fn run(&mut self, conn: &Connection) -> Result<u64> {
        // A push that was looked at has been promised to people: its fire is never taken back, or an id that history and
        // alarms have shown would vanish with the next restart.
        // What was restored may have been sent by the database that was lost, and stays missed. A gap that has begun
        // is taken back only where it can be decided anew from there: by the schedule that it was decided by.
        let ids = conn.query_row(
            "SELECT json_group_array(id)
               FROM (SELECT f.id
                       FROM fires AS f INDEXED BY fires_due
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at > ?1 AND f.triggered_by = 'cron'
                        AND (f.recorded_at < f.due_at OR f.decision <> 'fired' AND f.reason <> 'restored')
                        AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                         WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))
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
            [At::from(self.now)],
            |row| row.get(0),
        )?;
        Ok(withdraw(conn, ids)?.fires)
    }
}

/// Deletes fires of which nothing was begun and sets their jobs' places back to the first of them. `ids` is a JSON
/// list.
fn withdraw(conn: &Connection, ids: String) -> Result<Withdrawn> {
    if ids == "[]" {
        return Ok(Withdrawn { fires: 0, pushes: Vec::new() });
    }
    let pushes = conn
        .prepare("SELECT p.id FROM jsonb_each(?1) AS f CROSS JOIN pushes AS p ON p.fire_id = f.value ORDER BY p.id")?
        .query_map([&ids], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut places = conn.prepare(
        "SELECT f.job, min(f.due_at)
           FROM jsonb_each(?1) AS i CROSS JOIN fires AS f ON f.id = i.value
          GROUP BY f.job",
    )?;
    let mut places = places.query([&ids])?;
    while let Some(row) = places.next()? {
        let (job, place) = (text(row, 0)?, instant(row, 1)?);
        conn.prepare_cached(
            "UPDATE jobs SET next_due_at = ?2 WHERE name = ?1 AND (next_due_at IS NULL OR next_due_at > ?2)",
        )?
        .execute(params![job, At::from(place)])?;
        answer_after(conn, job, place - Duration::from_millis(1))?;
    }
    let gone = delete_fires(conn, &ids, Why::Withdrawn)?;
    Ok(Withdrawn { fires: gone.fires, pushes })
}

/// By the open pushes, which are few beside the fires of a long history.
pub(super) fn unwatched(conn: &Connection, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>> {
    let mut statement = conn.prepare(
        "SELECT j.name, j.definition, j.timezone, j.enabled, j.paused_at IS NOT NULL, j.next_due_at, j.definition_hash,
                j.revision, j.loaded_at, p.id, f.due_at
           FROM pushes AS p INDEXED BY pushes_open
           JOIN fires AS f ON f.id = p.fire_id
           JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
          WHERE p.finished_at IS NULL AND p.state = 'pending' AND p.reason IS NULL
            AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at AND f.due_at <= ?2
            AND (?1 IS NULL OR f.due_at > ?1)
            AND NOT EXISTS (SELECT 1 FROM pushes AS s
                             WHERE s.fire_id = f.id AND (s.state <> 'pending' OR s.reason IS NOT NULL))
          ORDER BY p.id",
    )?;
    statement
        .query_and_then(params![after.map(At::from), At::from(until)], |row| {
            Ok(Unwatched { job: stored_job(row)?, push_id: row.get(9)?, due_at: instant(row, 10)? })
        })?
        .collect()
}

pub(super) fn last_recorded_at(conn: &Connection) -> Result<Option<UtcMs>> {
    let newest: Option<String> = conn.query_row(
        "SELECT max(at)
           FROM (SELECT * FROM (SELECT recorded_at AS at FROM fires ORDER BY id DESC LIMIT 1)
                 UNION ALL
                 SELECT * FROM (SELECT started_at FROM attempts ORDER BY id DESC LIMIT 1))",
        [],
        |row| row.get(0),
    )?;
    newest.as_deref().map(parsed).transpose()
}

pub(super) struct FireByHand {
    pub job: String,
    pub now: UtcMs,
}

impl Write for FireByHand {
    type Answer = Vec<i64>;

    /// A person who says "now" is not told that an older fire is still busy; but `overlap: replace` holds.
    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let Some(job) = FindJob::new(conn)?.job(&self.job)? else { return Err(no_job(&self.job).into()) };
        let plan = match Plan::read(&job.definition) {
            Err(Fault::Row(problem)) => return Err(unreadable(&self.job, &problem).into()),
            plan => plan?,
        };
        let due_at = self.free_instant(conn)?;
        let id = conn
            .prepare(
                "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
             VALUES (?1, 'manual', ?2, 'fired', ?3, ?4)",
            )?
            .insert(params![self.job, At::from(due_at), At::from(self.now), job.revision])?;
        let (name, mut made) = (Arc::from(&*self.job), Vec::new());
        let fired = Fired { id, job: &name, triggered_by: Trigger::Manual, due_at, now: self.now };
        let overlap = plan.overlap;
        MakePushes::new(conn)?.run(&fired, plan, &mut made)?;
        if overlap == Overlap::Replace {
            replace_older(conn, &name, id, self.now)?;
        }
        Ok(made.into_iter().map(|push| push.id).collect())
    }
}

fn unreadable(job: &str, problem: &str) -> StoreError {
    StoreError::NotAllowed(format!(
        "what job '{job}' pushes cannot be read ({problem}); load the files again: `systemctl reload pushcron`, or start it"
    ))
}

impl FireByHand {
    /// A job has one fire by hand an instant: a second one within the millisecond takes the next that is free.
    fn free_instant(&self, conn: &Connection) -> Result<UtcMs> {
        let newest: Option<String> = conn.query_row(
            "SELECT max(due_at) FROM fires WHERE job = ?1 AND due_at >= ?2 AND triggered_by = 'manual'",
            params![self.job, At::from(self.now)],
            |row| row.get(0),
        )?;
        let newest: Option<UtcMs> = newest.as_deref().map(parsed).transpose()?;
        Ok(newest.map_or(self.now, |newest| newest + Duration::from_millis(1)))
    }
}

pub(super) struct PushAdHoc {
    pub push: AdHoc,
    pub now: UtcMs,
}

impl Write for PushAdHoc {
    type Answer = i64;

    fn run(&mut self, conn: &Connection) -> Result<i64> {
        let AdHoc { spec, triggered_by, chat } = &self.push;
        let (chat_im, chat_account) = chat.as_ref().map(|(im, account)| (im, account)).unzip();
        let fire_id = conn
            .prepare(
                "INSERT INTO fires (triggered_by, due_at, decision, recorded_at, chat_im, chat_account)
             VALUES (?1, ?2, 'fired', ?2, ?3, ?4)",
            )?
            .insert(params![triggered_by.as_str(), At::from(self.now), chat_im, chat_account])?;
        let retry = serde_json::to_string(&spec.retry)?;
        InsertPush::new(conn)?.run(&NewPush {
            fire_id,
            ordinal: 0,
            im: &spec.im,
            target: &spec.target.to_string(),
            account: spec.account.as_deref(),
            kind: spec.message.body.kind(),
            message: &serde_json::to_string(&spec.message)?,
            timeout_ms: number(spec.timeout.as_millis()),
            retry: policy(&retry)?.0,
            max_attempts: spec.retry.max_attempts,
            due_at: self.now,
            expires_at: self.now + spec.retry.give_up_after,
            exclusive_job: None,
        })
    }
}
