//! Definitions: what the files said, revision by revision, and pauses.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, done, maybe, one};
use super::calendars;
use super::cells::{instant, maybe_instant, number, plain, to_json, whole};
use super::fault::Result;
use super::instants::At;
use super::note::{self, Act};
use super::pushes;
use super::session::Write;
use super::withdraw::{end_revisions, reopen, spent_by, withdraw_of};
use crate::domain::UtcMs;
use crate::store::allowed;
use crate::store::error::no_job;
use crate::store::model::{Applied, By, Expected, JobChange};

/// Names that cross to the server in one piece.
const PIECE: usize = 1000;

pub(super) struct ApplyJobs {
    pub changes: Vec<JobChange>,
    pub removed: Vec<Arc<str>>,
    /// What a verb has found of the jobs that it changes.
    pub expected: Vec<Expected>,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for ApplyJobs {
    type Answer = Applied;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Applied> {
        for Expected { job, revision } in &self.expected {
            let found = found(conn, job).await?;
            let found = found.as_ref().map(|(revision, source)| (*revision, source.as_str()));
            allowed::change(job, *revision, found)?;
        }
        let mut applied = Applied::default();
        for changes in self.changes.chunks(PIECE) {
            let names: Vec<&str> = changes.iter().map(|change| change.job.name.as_str()).collect();
            let back = removed_of(conn, &names).await?;
            let moved: Vec<&str> =
                changes.iter().filter(|change| !change.keeps_place).map(|change| change.job.name.as_str()).collect();
            let changed = retire(conn, &names, &moved, self.now, &mut applied).await?;
            applied.changed += changed;
            applied.added += changes.len() as u64 - changed;
            calendars::keep(conn, changes.iter().filter_map(|change| change.job.days.as_deref()), self.now).await?;
            for change in changes {
                applied.spent.extend(upsert(conn, change, self.now).await?);
            }
            if !back.is_empty() {
                let back: Vec<&str> = back.iter().map(String::as_str).collect();
                applied.reopened.extend(reopen(conn, &back, self.now).await?);
            }
            touch_blobs(conn, &names, self.now).await?;
        }
        for names in self.removed.chunks(PIECE) {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            applied.removed += retire(conn, &names, &names, self.now, &mut applied).await?;
            remove(conn, &names, self.now, &mut applied).await?;
        }
        self.note(conn).await?;
        Ok(applied)
    }
}

impl ApplyJobs {
    /// Notes what a verb did to each job.
    async fn note(&self, conn: &mut PgConnection) -> Result<()> {
        for Expected { job, revision } in self.expected.iter().filter(|_| self.by.is_some()) {
            let now = found(conn, job).await?.map(|(revision, _)| revision);
            let named = |number: Option<u32>| number.map(|number| format!("revision {number}"));
            let (before, after) = (named(*revision), named(now));
            let (before, after) = (before.as_deref(), after.as_deref());
            let verb = allowed::verb_of(*revision, now);
            let act = Act { verb, job: Some(job), before, after, ..Act::default() };
            note::act(conn, self.by.as_ref(), self.now, &act).await?;
        }
        Ok(())
    }
}

/// The revision of a job that is not removed, and where it is from.
async fn found(conn: &mut PgConnection, job: &str) -> Result<Option<(u32, String)>> {
    let ask = sqlx::query("SELECT revision, source FROM jobs WHERE name = $1 AND removed_at IS NULL");
    maybe(conn, ask.bind(job)).await?.map(|row| Ok((whole(&row, 0)?, row.try_get(1)?))).transpose()
}

/// Which of these left the files before.
async fn removed_of(conn: &mut PgConnection, names: &[&str]) -> Result<Vec<String>> {
    let ask = sqlx::query("SELECT name FROM jobs WHERE name = ANY($1) AND removed_at IS NOT NULL");
    all(conn, ask.bind(names)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Ends the revisions that hold and withdraws what they called for after `now`. Those that are `leaving` do not go on from
/// their places: they are removed, or get another schedule. Returns how many there were.
async fn retire(
    conn: &mut PgConnection,
    names: &[&str],
    leaving: &[&str],
    now: UtcMs,
    applied: &mut Applied,
) -> Result<u64> {
    let (ending, ends) = ends_of(conn, leaving, now).await?;
    let withdrawn = withdraw_of(conn, names, now).await?;
    applied.withdrawn.extend(withdrawn.pushes);
    touch_blobs(conn, names, now).await?;
    let retire = sqlx::query(
        "INSERT INTO job_revisions (job, revision, schedule, timezone, enabled, definition, from_at, until_at, ended_at)
         SELECT name, revision, schedule, timezone, enabled, definition, loaded_at, $2,
                CASE WHEN fires_left = 0 THEN ended_at END
           FROM jobs
          WHERE name = ANY($1) AND removed_at IS NULL",
    );
    let ended = done(conn, retire.bind(names).bind(At::from(now))).await?;
    keep_ends(conn, names, &ending, &ends).await?;
    end_revisions(conn, names, now).await?;
    Ok(ended)
}

/// The jobs of these that came to their end by `now`, with their ends.
async fn ends_of(conn: &mut PgConnection, names: &[&str], now: UtcMs) -> Result<(Vec<String>, Vec<At>)> {
    let ask = sqlx::query(concat!(
        "SELECT name, ended_at FROM jobs WHERE name = ANY($1) AND removed_at IS NULL AND ",
        spent_by!()
    ));
    let rows = all(conn, ask.bind(names).bind(At::from(now))).await?;
    let ends: Vec<(String, At)> =
        rows.iter().map(|row| Ok((row.try_get(0)?, instant(row, 1)?.into()))).collect::<Result<_>>()?;
    Ok(ends.into_iter().unzip())
}

/// A job that has fired as often as it may called for nothing after its end. That holds for its earlier revisions too: its
/// last fire may have been one of theirs that was late.
///
/// One that leaves after its `end` called for nothing in between, though fires of a time which the clock showed before may
/// be taken back with it, so that it would not have been at its end: nobody decides that anew.
async fn keep_ends(conn: &mut PgConnection, names: &[&str], ending: &[String], ends: &[At]) -> Result<()> {
    let keep = sqlx::query(
        "UPDATE job_revisions AS r SET ended_at = e.ended_at
           FROM (SELECT name, min(ended_at) AS ended_at
                   FROM (SELECT name, ended_at FROM jobs
                          WHERE name = ANY($1) AND removed_at IS NULL AND fires_left = 0
                         UNION ALL
                         SELECT * FROM unnest($2::text[], $3::timestamptz[])) AS both_ends (name, ended_at)
                  GROUP BY name) AS e
          WHERE r.job = e.name AND r.until_at > e.ended_at AND coalesce(r.ended_at > e.ended_at, true)",
    );
    done(conn, keep.bind(names).bind(ending).bind(ends)).await?;
    Ok(())
}

/// Returns one that has fired as often as it may, with its last instant: none after now, where the clock was put
/// back since, for what this definition calls for begins there.
async fn upsert(conn: &mut PgConnection, change: &JobChange, now: UtcMs) -> Result<Option<(Arc<str>, UtcMs)>> {
    let JobChange { job, definition_hash, next_due_at, keeps_place, since, source, .. } = change;
    let (left, counted) = fires_left(conn, change).await?;
    let upsert = sqlx::query(
        "INSERT INTO jobs AS j (name, schedule, timezone, enabled, next_due_at, definition, definition_hash, revision,
                                loaded_at, source, fires_left, counted)
         VALUES ($1, $2, $3, $4, $5, $6::json, $7, 1, $13, $10, $11, $12)
         ON CONFLICT (name) DO UPDATE
            SET schedule = excluded.schedule, timezone = excluded.timezone, enabled = excluded.enabled,
                next_due_at = CASE WHEN $11 = 0
                                   THEN CASE WHEN $9 AND j.next_due_at <= j.ended_at AND j.next_due_at <= $8
                                             THEN j.next_due_at END
                                   WHEN $9 AND j.next_due_at < coalesce(excluded.next_due_at, 'infinity')
                                   THEN j.next_due_at
                                   ELSE excluded.next_due_at END,
                definition = excluded.definition,
                definition_hash = excluded.definition_hash, revision = j.revision + 1,
                loaded_at = excluded.loaded_at, removed_at = NULL, source = excluded.source,
                ended_at = CASE WHEN $11 = 0
                                THEN least($8, coalesce(j.ended_at, (SELECT coalesce(f.until_at, f.due_at) FROM fires AS f
                                                                      WHERE f.job = j.name AND f.triggered_by = 'cron'
                                                                      ORDER BY f.due_at DESC LIMIT 1), $8))
                                WHEN excluded.next_due_at IS NOT NULL OR excluded.schedule = 'on demand' THEN NULL
                                WHEN $9 THEN j.ended_at
                                ELSE (SELECT least($8, coalesce(f.until_at, f.due_at)) FROM fires AS f
                                       WHERE f.job = j.name AND f.triggered_by = 'cron'
                                       ORDER BY f.due_at DESC LIMIT 1) END,
                fires_left = $11, counted = $12
         RETURNING ended_at",
    );
    let upsert = upsert
        .bind(&job.name)
        .bind(plain(&job.schedule.describe()).into_owned())
        .bind(&*job.timezone)
        .bind(job.enabled)
        .bind(next_due_at.map(At::from))
        .bind(to_json(job)?)
        .bind(definition_hash)
        .bind(At::from(now))
        .bind(keeps_place)
        .bind(source.as_str())
        .bind(left)
        .bind(counted)
        .bind(At::from(since.unwrap_or(now)));
    let ended_at = maybe_instant(&one(conn, upsert).await?, 0)?;
    Ok(ended_at.filter(|_| left == Some(0)).map(|at| (job.name.as_str().into(), at)))
}

/// How many fires a job may have yet (None: for ever), and how many count.
///
/// What has fired goes on to count unless the schedule is another, or there was no `max_fires`. That holds for a job too
/// that the files bring back as it was: that it was missing for a while is nobody's wish to have it fire again, which a
/// verb that adds one of its name is.
async fn fires_left(conn: &mut PgConnection, change: &JobChange) -> Result<(Option<i64>, i64)> {
    let JobChange { job, keeps_count, source, .. } = change;
    let Some(max) = job.max_fires() else { return Ok((None, 0)) };
    let ask = sqlx::query(
        "SELECT counted FROM jobs
          WHERE name = $1 AND fires_left IS NOT NULL
            AND CASE WHEN removed_at IS NULL THEN $2
                     ELSE $3 AND timezone = $5
                          AND (definition -> 'schedule')::text = ($4::json -> 'schedule')::text
                          AND (definition -> 'days')::text IS NOT DISTINCT FROM ($4::json -> 'days')::text END",
    );
    let ask = ask.bind(&job.name).bind(keeps_count).bind(!source.is_verb()).bind(to_json(job)?).bind(&*job.timezone);
    let counted: i64 = maybe(conn, ask).await?.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
    Ok((Some(number(max).saturating_sub(counted).max(0)), counted))
}

/// Marks jobs removed and ends their waiting pushes; a pause ends with the job.
async fn remove(conn: &mut PgConnection, names: &[&str], now: UtcMs, applied: &mut Applied) -> Result<()> {
    let remove = sqlx::query(
        "UPDATE jobs SET removed_at = $2, paused_at = NULL, next_due_at = NULL
          WHERE name = ANY($1) AND removed_at IS NULL",
    );
    done(conn, remove.bind(names).bind(At::from(now))).await?;
    let mut of: BTreeMap<String, usize> = BTreeMap::new();
    for (push, job) in pushes::cancel_of_jobs(conn, names, now).await? {
        applied.cancelled.push(push);
        *of.entry(job).or_default() += 1;
    }
    applied.cancelled_of.extend(of);
    Ok(())
}

/// Inline media of these jobs was in use until now, so that pruning spares what their history may still need.
async fn touch_blobs(conn: &mut PgConnection, names: &[&str], now: UtcMs) -> Result<()> {
    let touch = sqlx::query(
        r#"UPDATE blobs SET used_at = greatest(used_at, $2)
            WHERE sha256 IN (SELECT (regexp_matches((j.definition -> 'push')::text, '"blob:([^"]*)"', 'g'))[1]
                               FROM jobs AS j
                              WHERE j.name = ANY($1) AND strpos(j.definition::text, '"blob:') > 0)"#,
    );
    done(conn, touch.bind(names).bind(At::from(now))).await?;
    Ok(())
}

pub(super) struct SetPaused {
    pub job: String,
    pub paused: bool,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for SetPaused {
    type Answer = bool;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<bool> {
        let ask = sqlx::query("SELECT paused_at IS NOT NULL FROM jobs WHERE name = $1 AND removed_at IS NULL");
        let Some(row) = maybe(conn, ask.bind(&self.job)).await? else { return Err(no_job(&self.job).into()) };
        if row.try_get::<bool, _>(0)? == self.paused {
            return Ok(false);
        }
        let pause = sqlx::query("UPDATE jobs SET paused_at = $2 WHERE name = $1");
        done(conn, pause.bind(&self.job).bind(self.paused.then(|| At::from(self.now)))).await?;
        withdraw_of(conn, &[&self.job], self.now).await?;
        let (verb, before, after) =
            if self.paused { ("pause", "active", "paused") } else { ("resume", "paused", "active") };
        let (before, after) = (Some(before), Some(after));
        let act = Act { verb, job: Some(&self.job), before, after, ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act).await?;
        Ok(true)
    }
}
