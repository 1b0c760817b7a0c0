//! Definitions: what the files said, revision by revision, and pauses.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::calendars;
use super::cells::{At, maybe_instant};
use super::fault::Result;
use super::note::{self, Act};
use super::pushes;
use super::withdraw::{end_revisions, reopen, spent_by, withdraw_of};
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::allowed;
use crate::store::error::no_job;
use crate::store::model::{Applied, By, Expected, JobChange};

/// Names that cross to SQLite in one piece of JSON.
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

    fn run(&mut self, conn: &Connection) -> Result<Applied> {
        for expected in &self.expected {
            let Expected { job, revision } = expected;
            let found = found(conn, job)?;
            allowed::change(job, *revision, found.as_ref().map(|(revision, source)| (*revision, source.as_str())))?;
        }
        let mut applied = Applied::default();
        for changes in self.changes.chunks(PIECE) {
            let names: Vec<&str> = changes.iter().map(|change| change.job.name.as_str()).collect();
            let back = removed_of(conn, &names)?;
            let moved: Vec<&str> =
                changes.iter().filter(|change| !change.keeps_place).map(|change| change.job.name.as_str()).collect();
            let changed = retire(conn, &names, &moved, self.now, &mut applied)?;
            applied.changed += changed;
            applied.added += changes.len() as u64 - changed;
            calendars::keep(conn, changes.iter().filter_map(|change| change.job.days.as_deref()), self.now)?;
            applied.spent.extend(upsert(conn, changes, self.now)?);
            if !back.is_empty() {
                let back: Vec<&str> = back.iter().map(String::as_str).collect();
                applied.reopened.extend(reopen(conn, &back, self.now)?);
            }
            touch_blobs(conn, &names, self.now)?;
        }
        for names in self.removed.chunks(PIECE) {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            applied.removed += retire(conn, &names, &names, self.now, &mut applied)?;
            remove(conn, &names, self.now, &mut applied)?;
        }
        self.note(conn)?;
        Ok(applied)
    }
}

impl ApplyJobs {
    /// Notes what a verb did to each job.
    fn note(&self, conn: &Connection) -> Result<()> {
        for Expected { job, revision } in self.expected.iter().filter(|_| self.by.is_some()) {
            let now = found(conn, job)?.map(|(revision, _)| revision);
            let verb = allowed::verb_of(*revision, now);
            let named = |number: Option<u32>| number.map(|number| format!("revision {number}"));
            let (before, after) = (named(*revision), named(now));
            let (before, after) = (before.as_deref(), after.as_deref());
            note::act(
                conn,
                self.by.as_ref(),
                self.now,
                &Act { verb, job: Some(job), before, after, ..Act::default() },
            )?;
        }
        Ok(())
    }
}

/// The revision of a job that is not removed, and where it is from.
fn found(conn: &Connection, job: &str) -> Result<Option<(u32, String)>> {
    let mut statement =
        conn.prepare_cached("SELECT revision, source FROM jobs WHERE name = ?1 AND removed_at IS NULL")?;
    Ok(statement.query_row([job], |row| row.try_into()).optional()?)
}

/// Which of these left the files before.
fn removed_of(conn: &Connection, names: &[&str]) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT name FROM jobs WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NOT NULL",
    )?;
    let names = statement.query_map([serde_json::to_string(names)?], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Ends the revisions that hold and withdraws what they called for after `now`. Those that are `leaving` do not go on from
/// their places: they are removed, or get another schedule. Returns how many there were.
fn retire(conn: &Connection, names: &[&str], leaving: &[&str], now: UtcMs, applied: &mut Applied) -> Result<u64> {
    let ends = ends_of(conn, leaving, now)?;
    let withdrawn = withdraw_of(conn, names, now)?;
    applied.withdrawn.extend(withdrawn.pushes);
    touch_blobs(conn, names, now)?;
    let all = serde_json::to_string(names)?;
    let ended = conn.execute(
        "INSERT INTO job_revisions (job, revision, schedule, timezone, enabled, definition, from_at, until_at, ended_at)
         SELECT name, revision, schedule, timezone, enabled, definition, loaded_at, ?2, iif(fires_left = 0, ended_at, NULL)
           FROM jobs
          WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL",
        params![all, At::from(now)],
    )?;
    keep_ends(conn, &all, &ends)?;
    end_revisions(conn, names, now)?;
    Ok(ended as u64)
}

/// The jobs of these that came to their end by `now`, with their ends, as a JSON object.
fn ends_of(conn: &Connection, names: &[&str], now: UtcMs) -> Result<String> {
    Ok(conn.query_row(
        concat!(
            "SELECT json_group_object(name, ended_at) FROM jobs
              WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL AND ",
            spent_by!()
        ),
        params![serde_json::to_string(names)?, At::from(now)],
        |row| row.get(0),
    )?)
}

/// A job that has fired as often as it may called for nothing after its end. That holds for its earlier revisions too: its
/// last fire may have been one of theirs that was late.
///
/// One that leaves after its `end` called for nothing in between, though fires of a time which the clock showed before may
/// be taken back with it, so that it would not have been at its end: nobody decides that anew.
fn keep_ends(conn: &Connection, names: &str, ends: &str) -> Result<()> {
    conn.execute(
        "UPDATE job_revisions AS r SET ended_at = e.ended_at
           FROM (SELECT name, ended_at FROM jobs
                  WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL AND fires_left = 0
                 UNION ALL
                 SELECT key, value FROM jsonb_each(?2)) AS e
          WHERE r.job = e.name AND r.until_at > e.ended_at AND coalesce(r.ended_at > e.ended_at, true)",
        [names, ends],
    )?;
    Ok(())
}

/// Returns those that have fired as often as they may, with their last instants: none after now, where the clock was put
/// back since, for what this definition calls for begins there.
fn upsert(conn: &Connection, changes: &[JobChange], now: UtcMs) -> Result<Vec<(Arc<str>, UtcMs)>> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO jobs (name, schedule, timezone, enabled, next_due_at, definition, definition_hash, revision,
                           loaded_at, source, fires_left, counted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?13, ?10, ?11, ?12)
         ON CONFLICT (name) DO UPDATE
            SET schedule = excluded.schedule, timezone = excluded.timezone, enabled = excluded.enabled,
                next_due_at = CASE WHEN ?11 = 0 THEN iif(?9 AND next_due_at <= min(ended_at, ?8), next_due_at, NULL)
                                   WHEN ?9 AND next_due_at < coalesce(excluded.next_due_at, '9999') THEN next_due_at
                                   ELSE excluded.next_due_at END,
                definition = excluded.definition,
                definition_hash = excluded.definition_hash, revision = revision + 1,
                loaded_at = excluded.loaded_at, removed_at = NULL, source = excluded.source,
                ended_at = CASE WHEN ?11 = 0
                                THEN min(?8, coalesce(ended_at, (SELECT coalesce(f.until_at, f.due_at) FROM fires AS f
                                                                  WHERE f.job = jobs.name AND f.triggered_by = 'cron'
                                                                  ORDER BY f.due_at DESC LIMIT 1), ?8))
                                WHEN excluded.next_due_at IS NOT NULL OR excluded.schedule = 'on demand' THEN NULL
                                WHEN ?9 THEN ended_at
                                ELSE (SELECT min(?8, coalesce(f.until_at, f.due_at)) FROM fires AS f
                                       WHERE f.job = jobs.name AND f.triggered_by = 'cron'
                                       ORDER BY f.due_at DESC LIMIT 1) END,
                fires_left = ?11, counted = ?12
         RETURNING ended_at",
    )?;
    let now = At::from(now);
    let mut spent = Vec::new();
    for change in changes {
        let JobChange { job, definition_hash, next_due_at, keeps_place, since, source, .. } = change;
        let (left, counted) = fires_left(conn, change)?;
        let ended_at = statement.query_row(
            params![
                job.name,
                job.schedule.describe(),
                job.timezone,
                job.enabled,
                next_due_at.map(At::from),
                serde_json::to_string(job)?,
                definition_hash,
                now,
                keeps_place,
                source.as_str(),
                left,
                counted,
                since.map_or(now, At::from),
            ],
            |row| Ok(maybe_instant(row, 0)),
        )??;
        spent.extend(ended_at.filter(|_| left == Some(0)).map(|at| (job.name.as_str().into(), at)));
    }
    Ok(spent)
}

/// How many fires a job may have yet (None: for ever), and how many count.
///
/// What has fired goes on to count unless the schedule is another, or there was no `max_fires`. That holds for a job too
/// that the files bring back as it was: that it was missing for a while is nobody's wish to have it fire again, which a
/// verb that adds one of its name is.
fn fires_left(conn: &Connection, change: &JobChange) -> Result<(Option<i64>, i64)> {
    let JobChange { job, keeps_count, source, .. } = change;
    let Some(max) = job.max_fires() else { return Ok((None, 0)) };
    let counted: Option<i64> = conn
        .prepare_cached(
            "SELECT counted FROM jobs
              WHERE name = ?1 AND fires_left IS NOT NULL
                AND iif(removed_at IS NULL, ?2, ?3 AND timezone = ?5 AND definition -> '$.schedule' = ?4 -> '$.schedule'
                                                AND definition -> '$.days' IS ?4 -> '$.days')",
        )?
        .query_row(
            params![job.name, keeps_count, !source.is_verb(), serde_json::to_string(job)?, job.timezone],
            |row| row.get(0),
        )
        .optional()?;
    let counted = counted.unwrap_or(0);
    Ok((Some(i64::try_from(max).unwrap_or(i64::MAX).saturating_sub(counted).max(0)), counted))
}

/// Marks jobs removed and ends their waiting pushes; a pause ends with the job.
fn remove(conn: &Connection, names: &[&str], now: UtcMs, applied: &mut Applied) -> Result<()> {
    let names = serde_json::to_string(names)?;
    conn.execute(
        "UPDATE jobs SET removed_at = ?2, paused_at = NULL, next_due_at = NULL
          WHERE name IN (SELECT value FROM jsonb_each(?1)) AND removed_at IS NULL",
        params![names, At::from(now)],
    )?;
    let mut of: BTreeMap<String, usize> = BTreeMap::new();
    for (push, job) in pushes::cancel_of_jobs(conn, &names, now)? {
        applied.cancelled.push(push);
        *of.entry(job).or_default() += 1;
    }
    applied.cancelled_of.extend(of);
    Ok(())
}

/// Inline media of these jobs was in use until now, so that pruning spares what their history may still need.
fn touch_blobs(conn: &Connection, names: &[&str], now: UtcMs) -> Result<()> {
    conn.execute(
        "UPDATE blobs SET used_at = max(used_at, ?2)
          WHERE sha256 IN (SELECT substr(t.value, 6)
                             FROM jobs AS j, jsonb_tree(j.definition, '$.push') AS t
                            WHERE j.name IN (SELECT value FROM jsonb_each(?1))
                              AND instr(j.definition, '\"blob:') > 0
                              AND t.type = 'text' AND t.value LIKE 'blob:%')",
        params![serde_json::to_string(names)?, At::from(now)],
    )?;
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

    fn run(&mut self, conn: &Connection) -> Result<bool> {
        let is_paused: Option<bool> = conn
            .query_row(
                "SELECT paused_at IS NOT NULL FROM jobs WHERE name = ?1 AND removed_at IS NULL",
                [&self.job],
                |row| row.get(0),
            )
            .optional()?;
        match is_paused {
            None => return Err(no_job(&self.job).into()),
            Some(is_paused) if is_paused == self.paused => return Ok(false),
            Some(_) => {}
        }
        let paused_at = self.paused.then(|| At::from(self.now));
        conn.execute("UPDATE jobs SET paused_at = ?2 WHERE name = ?1", params![self.job, paused_at])?;
        withdraw_of(conn, &[&self.job], self.now)?;
        let (verb, before, after) =
            if self.paused { ("pause", "active", "paused") } else { ("resume", "paused", "active") };
        let (before, after) = (Some(before), Some(after));
        let act = Act { verb, job: Some(&self.job), before, after, ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act)?;
        Ok(true)
    }
}
