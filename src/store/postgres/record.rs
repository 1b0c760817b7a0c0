//! What is decided about instants, recorded in bulk: fires, the pushes they make, and the jobs' new places.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::postgres::PgConnection;
use tracing::error;

use super::ask::{all, done, maybe};
use super::cells::{instant, number, text};
use super::fault::{Fault, Result};
use super::fired::{Fate, Row as FireRow, Send, insert, known, send};
use super::instants::At;
use super::job_rows::{JobRow, find_jobs};
use super::noticed::NoteWatch;
use super::pruned;
use super::pushes::replace_older;
use super::session::Write;
use super::withdraw::answer_after;
use crate::domain::{Decision, Overlap, Reason, UtcMs};
use crate::store::course::{Course, Place, goes_back};
use crate::store::model::{Cursor, NewFire, Recorded};
use crate::store::plan::Plan;

pub(super) struct RecordFires {
    pub fires: Vec<NewFire>,
    pub cursors: Vec<Cursor>,
    pub now: UtcMs,
}

type Jobs = HashMap<String, JobRow>;

impl Write for RecordFires {
    type Answer = Recorded;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Recorded> {
        let mut fires: Vec<&NewFire> = self.fires.iter().collect();
        // Ids follow the instants, so that of two fires of one job the newer has the higher id.
        fires.sort_by_key(|fire| fire.due_at);
        let recorded = match self.whole(conn, &self.cursors, &fires).await {
            Err(fault) if fault.is_refusal() => self.take_one_by_one(conn, &fires).await?,
            recorded => recorded?,
        };
        NoteWatch { now: self.now }.run(conn).await?;
        Ok(recorded)
    }
}

impl RecordFires {
    /// All of it or nothing, inside a transaction that goes on either way.
    async fn whole(&self, conn: &mut PgConnection, cursors: &[Cursor], fires: &[&NewFire]) -> Result<Recorded> {
        done(conn, sqlx::query("SAVEPOINT whole")).await?;
        let recorded = self.take(conn, cursors, fires).await;
        if recorded.as_ref().is_err_and(Fault::is_refusal) {
            done(conn, sqlx::query("ROLLBACK TO SAVEPOINT whole")).await?;
        }
        if recorded.as_ref().map_or_else(Fault::is_refusal, |_| true) {
            done(conn, sqlx::query("RELEASE SAVEPOINT whole")).await?;
        }
        recorded
    }

    async fn take(&self, conn: &mut PgConnection, cursors: &[Cursor], fires: &[&NewFire]) -> Result<Recorded> {
        let mut recorded = Recorded::default();
        let names: Vec<&str> = cursors.iter().map(|cursor| &*cursor.job).collect();
        let mut jobs = find_jobs(conn, &names).await?;
        for cursor in cursors {
            if jobs.get(&*cursor.job).is_none_or(|job| job.next_due_at != cursor.from) {
                jobs.remove(&*cursor.job);
                recorded.stale.push(cursor.job.clone());
            }
        }
        let course = self.record(conn, fires, &jobs, &mut recorded).await?;
        recorded.spent = course.spent();
        self.move_places(conn, cursors, &jobs, &course).await?;
        Ok(recorded)
    }

    /// The rows of a job are refused, by a fault of ours or a trigger of somebody's: that is no reason to keep the others
    /// from firing.
    async fn take_one_by_one(&self, conn: &mut PgConnection, fires: &[&NewFire]) -> Result<Recorded> {
        let mut recorded = Recorded::default();
        for cursor in &self.cursors {
            let of_it: Vec<&NewFire> = fires.iter().copied().filter(|fire| fire.job == cursor.job).collect();
            match self.whole(conn, std::slice::from_ref(cursor), &of_it).await {
                Err(fault) if fault.is_refusal() => {
                    let problem = fault.problem();
                    error!(job = %cursor.job, problem, "what is due of a job cannot be recorded, and is not sent");
                    recorded.stale.push(cursor.job.clone());
                }
                taken => recorded.add(taken?),
            }
        }
        Ok(recorded)
    }

    async fn record(
        &self,
        conn: &mut PgConnection,
        fires: &[&NewFire],
        jobs: &Jobs,
        recorded: &mut Recorded,
    ) -> Result<Course> {
        // Else its place is another, and the caller is told.
        let fires: Vec<&NewFire> = fires.iter().copied().filter(|fire| jobs.contains_key(&*fire.job)).collect();
        let mut settled = known(conn, &fires).await?;
        settled.extend(pruned_of(conn, &fires).await?);
        let busy = busy_of(conn, &fires).await?;
        let (mut course, mut fired) = (Course::default(), HashSet::new());
        let (mut rows, mut going, mut replacing) = (Vec::new(), Vec::new(), HashMap::new());
        for fire in &fires {
            let job = &jobs[&*fire.job];
            let life = course.of(&fire.job, job.fires_left, job.ended_at);
            if life.is_over_by(fire.due_at) || settled.contains(&(&*fire.job, fire.due_at)) {
                continue;
            }
            // Of several fires in one call, the first alone may go through: its pushes are what overlaps.
            let overlaps = || Ok::<_, Fault>(fired.contains(&fire.job) || busy.contains(&*fire.job));
            let instead = life.instead(fire, job.paused_at, overlaps)?;
            let goes_out = fire.decision == Decision::Fired && instead.is_none();
            let (plan, fate) = match goes_out.then(|| Plan::read(&job.definition)).transpose().map_err(Fault::from) {
                Err(Fault::Row(problem)) => {
                    error!(job = %fire.job, problem, "what a job pushes cannot be read; its instant is missed");
                    (None, Fate { decision: Decision::Missed, reason: Some(Reason::DefinitionUnreadable) })
                }
                plan => (plan?, Fate::of(fire, instead)),
            };
            settled.insert((&*fire.job, fire.due_at));
            recorded.skipped += u64::from(fate.reason == Some(Reason::Overlap) && instead.is_some());
            if let Some(plan) = plan {
                fired.insert(&fire.job);
                life.count(fire.due_at);
                if plan.overlap == Overlap::Replace {
                    replacing.insert(&fire.job, rows.len());
                }
                going.push((rows.len(), plan));
            }
            rows.push(FireRow { fire, fate, revision: job.revision });
        }
        let ids = insert(conn, &rows, self.now).await?;
        let going =
            going.into_iter().map(|(row, plan)| Send { fire_id: ids[row], fire: rows[row].fire, plan }).collect();
        send(conn, going, self.now, recorded).await?;
        self.replace(conn, replacing.into_iter().map(|(job, row)| (job, ids[row])), recorded).await?;
        Ok(course)
    }

    /// Retires what is older than these newest fires of their jobs.
    async fn replace(
        &self,
        conn: &mut PgConnection,
        newest: impl Iterator<Item = (&Arc<str>, i64)>,
        recorded: &mut Recorded,
    ) -> Result<()> {
        let first_made = recorded.pushes.first().map_or(i64::MAX, |push| push.id);
        let newest: Vec<(&Arc<str>, i64)> = newest.collect();
        for (job, fire_id) in newest {
            let (made, known): (Vec<i64>, Vec<i64>) =
                replace_older(conn, job, fire_id, self.now).await?.into_iter().partition(|id| *id >= first_made);
            if !made.is_empty() {
                recorded.pushes.retain(|push| !made.contains(&push.id));
            }
            recorded.cancelled.extend(known);
        }
        Ok(())
    }

    /// A place that goes back means that the clock shows an hour again.
    ///
    /// A schedule that calls for nothing more ends the job with its last instant, in the transaction that decides it.
    async fn move_places(
        &self,
        conn: &mut PgConnection,
        cursors: &[Cursor],
        jobs: &Jobs,
        course: &Course,
    ) -> Result<()> {
        let (mut names, mut places, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut fired, mut left) = (Vec::new(), Vec::new());
        let mut back = Vec::new();
        for cursor in cursors {
            let Some(row) = jobs.get(&*cursor.job) else { continue };
            let life = course.after(&cursor.job, row.fires_left, row.ended_at);
            let (next_due_at, ended_at) = match life.place(cursor.next_due_at) {
                Place::Known { next_due_at, ended_at } => (next_due_at, ended_at),
                Place::AtItsLast => (None, last_of(conn, &cursor.job).await?.or(row.ended_at)),
            };
            names.push(&*cursor.job);
            places.push(next_due_at.map(At::from));
            ends.push(ended_at.map(At::from));
            fired.push(number(life.fired));
            left.push(life.left.map(number));
            if goes_back(cursor, next_due_at) {
                back.push(&*cursor.job);
            }
        }
        let update = sqlx::query(
            "UPDATE jobs AS j
                SET next_due_at = n.place, ended_at = n.ended_at, fired = j.fired + n.fired, fires_left = n.fires_left,
                    counted = j.counted + CASE WHEN n.fires_left IS NULL THEN 0 ELSE n.fired END
               FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[])
                 AS n (job, place, ended_at, fired, fires_left)
              WHERE j.name = n.job",
        );
        done(conn, update.bind(names).bind(places).bind(ends).bind(fired).bind(left)).await?;
        for job in back {
            answer_after(conn, job, self.now).await?;
        }
        Ok(())
    }
}

/// Those of these instants that fired and lost their rows to pruning since.
async fn pruned_of<'f>(conn: &mut PgConnection, fires: &[&'f NewFire]) -> Result<Vec<(&'f str, UtcMs)>> {
    let Some(until) = pruned::pruned_until(conn).await? else { return Ok(Vec::new()) };
    let perhaps = fires.iter().filter(|fire| fire.count == 1 && fire.due_at <= until);
    let (names, instants): (Vec<&str>, Vec<At>) = perhaps.map(|fire| (&*fire.job, At::from(fire.due_at))).unzip();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let has_fired = pruned::fired_of(conn, &names, &instants).await?;
    let fired = names.into_iter().zip(instants).zip(has_fired).filter(|(_, has_fired)| *has_fired);
    Ok(fired.map(|((name, at), _)| (name, at.0)).collect())
}

/// The jobs with `overlap: skip` of which pushes are open, or are still to get their content.
async fn busy_of(conn: &mut PgConnection, fires: &[&NewFire]) -> Result<HashSet<String>> {
    let mut names: Vec<&str> =
        fires.iter().filter(|fire| fire.overlap == Overlap::Skip).map(|fire| &*fire.job).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let ask = sqlx::query(
        "SELECT n.job FROM unnest($1::text[]) AS n (job)
          WHERE EXISTS (SELECT 1 FROM pushes AS p
                         WHERE p.exclusive_job = n.job AND p.exclusive_job IS NOT NULL AND p.finished_at IS NULL)
             OR EXISTS (SELECT 1 FROM unexpanded_fires AS u CROSS JOIN fires AS f
                         WHERE f.id = u.fire_id AND f.job = n.job)",
    );
    all(conn, ask.bind(names)).await?.iter().map(|row| Ok(text(row, 0)?.to_owned())).collect()
}

/// The last instant of a job that has a row.
async fn last_of(conn: &mut PgConnection, job: &str) -> Result<Option<UtcMs>> {
    let ask = sqlx::query(
        "SELECT coalesce(until_at, due_at) FROM fires
          WHERE job = $1 AND triggered_by = 'cron' ORDER BY due_at DESC LIMIT 1",
    );
    maybe(conn, ask.bind(job)).await?.map(|row| instant(&row, 0)).transpose()
}
