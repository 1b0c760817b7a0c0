//! What is decided about instants, recorded in bulk: fires, the pushes they make, and the jobs' new places.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};
use tracing::error;

use super::cells::{At, instant, number};
use super::expand::{await_content, expire_held};
use super::fault::{Fault, Result};
use super::fires::{Given, MakePushes};
use super::gone::count_unused_fires;
use super::job_rows::{FindJob, JobRow};
use super::pruned;
use super::pushes::{has_open_pushes, replace_older};
use super::watch::NoteWatch;
use super::withdraw::answer_after;
use super::writer::Write;
use crate::domain::{Decision, Overlap, Reason, Trigger, UtcMs};
use crate::store::cells::Unreadable;
use crate::store::course::{Course, Place, goes_back};
use crate::store::model::{Cursor, NewFire, Recorded};
use crate::store::plan::{Fired, Plan};

pub(super) struct RecordFires {
    pub fires: Vec<NewFire>,
    pub cursors: Vec<Cursor>,
    pub now: UtcMs,
    /// Contents are there at once, as simulations have it: every fire gets its pushes.
    pub at_once: bool,
}

impl Write for RecordFires {
    type Answer = Recorded;

    fn run(&mut self, conn: &Connection) -> Result<Recorded> {
        let mut fires: Vec<&NewFire> = self.fires.iter().collect();
        // Ids follow the instants, so that of two fires of one job the newer has the higher id.
        fires.sort_by_key(|fire| fire.due_at);
        let recorded = match whole(conn, || self.take(conn, &self.cursors, &fires)) {
            Err(fault) if fault.is_refusal() => self.take_one_by_one(conn, &fires)?,
            recorded => recorded?,
        };
        NoteWatch { now: self.now }.run(conn)?;
        Ok(recorded)
    }
}

/// All that `work` writes, or nothing of it, inside a transaction that goes on either way.
fn whole<T>(conn: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    conn.prepare_cached("SAVEPOINT whole")?.execute([])?;
    let done = work();
    if done.as_ref().is_err_and(Fault::is_refusal) {
        conn.execute_batch("ROLLBACK TO whole")?;
    }
    conn.prepare_cached("RELEASE whole")?.execute([])?;
    done
}

impl RecordFires {
    fn take(&self, conn: &Connection, cursors: &[Cursor], fires: &[&NewFire]) -> Result<Recorded> {
        let mut recorded = Recorded::default();
        let mut jobs = HashMap::with_capacity(cursors.len());
        let mut find = FindJob::new(conn)?;
        for cursor in cursors {
            match find.job(&cursor.job)? {
                Some(job) if job.next_due_at == cursor.from => drop(jobs.insert(&*cursor.job, job)),
                _ => recorded.stale.push(cursor.job.clone()),
            }
        }
        let course = self.record(conn, fires, &jobs, &mut recorded)?;
        recorded.spent = course.spent();
        self.move_places(conn, cursors, &jobs, &course)?;
        Ok(recorded)
    }

    /// The rows of a job are refused, by a fault of ours or a trigger of somebody's: that is no reason to keep the others
    /// from firing.
    fn take_one_by_one(&self, conn: &Connection, fires: &[&NewFire]) -> Result<Recorded> {
        let mut recorded = Recorded::default();
        for cursor in &self.cursors {
            let of_it: Vec<&NewFire> = fires.iter().copied().filter(|fire| fire.job == cursor.job).collect();
            match whole(conn, || self.take(conn, std::slice::from_ref(cursor), &of_it)) {
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

    fn record(
        &self,
        conn: &Connection,
        fires: &[&NewFire],
        jobs: &HashMap<&str, JobRow>,
        recorded: &mut Recorded,
    ) -> Result<Course> {
        let mut course = Course::default();
        let mut insert = InsertFire::new(conn)?;
        let mut make = MakePushes::new(conn)?;
        let mut fired = HashSet::new();
        let mut known = 0;
        let mut replacing: HashMap<&Arc<str>, i64> = HashMap::new();
        let pruned_until = pruned::pruned_until(conn)?;
        for fire in fires {
            // Else its place is another, and the caller is told.
            let Some(job) = jobs.get(&*fire.job) else { continue };
            let life = course.of(&fire.job, job.fires_left, job.ended_at);
            if life.is_over_by(fire.due_at) {
                continue;
            }
            let perhaps_pruned = fire.count == 1 && pruned_until.is_some_and(|until| fire.due_at <= until);
            if perhaps_pruned && pruned::has_fired(conn, &fire.job, fire.due_at)? {
                continue;
            }
            // Of several fires in one call, the first alone may go through: its pushes are what overlaps.
            let overlaps = || Ok::<_, Fault>(fired.contains(&fire.job) || has_open_pushes(conn, &fire.job)?);
            let instead = life.instead(fire, job.paused_at, overlaps)?;
            let goes_out = fire.decision == Decision::Fired && instead.is_none();
            let (plan, instead) = match goes_out.then(|| Plan::read(&job.definition)) {
                Some(Err(Unreadable(problem))) => {
                    error!(job = %fire.job, problem, "what a job pushes cannot be read; its instant is missed");
                    (None, Some((Decision::Missed, Reason::DefinitionUnreadable)))
                }
                plan => (plan.transpose()?, instead.map(|reason| (Decision::Skipped, reason))),
            };
            let Some(id) = insert.run(fire, instead, job.revision, self.now)? else {
                known += 1;
                continue;
            };
            recorded.skipped += u64::from(instead.is_some_and(|(_, reason)| reason == Reason::Overlap));
            if let Some(plan) = plan {
                fired.insert(&fire.job);
                life.count(fire.due_at);
                let overlap = plan.overlap;
                self.send(conn, (id, fire), plan, &mut make, recorded)?;
                if overlap == Overlap::Replace {
                    replacing.insert(&fire.job, id);
                }
            }
        }
        count_unused_fires(conn, known)?;
        let first_made = recorded.pushes.first().map_or(i64::MAX, |push| push.id);
        for (job, newest) in replacing {
            let (made, known): (Vec<i64>, Vec<i64>) =
                replace_older(conn, job, newest, self.now)?.into_iter().partition(|id| *id >= first_made);
            if !made.is_empty() {
                recorded.pushes.retain(|push| !made.contains(&push.id));
            }
            recorded.cancelled.extend(known);
        }
        Ok(course)
    }

    /// Makes the pushes of a fire, or has it wait for its content.
    fn send(
        &self,
        conn: &Connection,
        (id, fire): (i64, &NewFire),
        plan: Plan<'_>,
        make: &mut MakePushes<'_>,
        recorded: &mut Recorded,
    ) -> Result<()> {
        // Whoever has all at once has the content too.
        let mut plan = plan;
        plan.releases &= !self.at_once;
        if (plan.needs_content || fire.is_held) && !self.at_once {
            recorded.unexpanded += 1;
            return await_content(conn, id, fire.due_at);
        }
        let (job, due_at) = (&fire.job, fire.due_at);
        let fired = Fired { job, triggered_by: Trigger::Cron, due_at, goes_at: due_at, now: self.now };
        if fire.is_held {
            let mut held = Vec::new();
            make.run(id, &fired, &plan, Given::default(), &mut held)?;
            return expire_held(conn, &held);
        }
        make.run(id, &fired, &plan, Given::default(), &mut recorded.pushes)?;
        Ok(())
    }

    /// A place that goes back means that the clock shows an hour again.
    ///
    /// A schedule that calls for nothing more ends the job with its last instant, in the transaction that decides it.
    fn move_places(
        &self,
        conn: &Connection,
        cursors: &[Cursor],
        jobs: &HashMap<&str, JobRow>,
        course: &Course,
    ) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "UPDATE jobs SET next_due_at = ?2, ended_at = ?3, fired = fired + ?4, fires_left = ?5,
                    counted = counted + iif(?5 IS NULL, 0, ?4)
              WHERE rowid = ?1",
        )?;
        for cursor in cursors {
            let Some(row) = jobs.get(&*cursor.job) else { continue };
            let life = course.after(&cursor.job, row.fires_left, row.ended_at);
            let (next_due_at, ended_at) = match life.place(cursor.next_due_at) {
                Place::Known { next_due_at, ended_at } => (next_due_at, ended_at),
                Place::AtItsLast => (None, last_of(conn, &cursor.job)?.or(row.ended_at)),
            };
            statement.execute(params![
                row.rowid,
                next_due_at.map(At::from),
                ended_at.map(At::from),
                number(life.fired),
                life.left.map(number),
            ])?;
            if goes_back(cursor, next_due_at) {
                answer_after(conn, &cursor.job, self.now)?;
            }
        }
        Ok(())
    }
}

/// The last instant of a job that has a row.
fn last_of(conn: &Connection, job: &str) -> Result<Option<UtcMs>> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(until_at, due_at) FROM fires
          WHERE job = ?1 AND triggered_by = 'cron' ORDER BY due_at DESC LIMIT 1",
    )?;
    let mut rows = statement.query([job])?;
    rows.next()?.map(|row| instant(row, 0)).transpose()
}

struct InsertFire<'conn>(CachedStatement<'conn>);

impl<'conn> InsertFire<'conn> {
    fn new(conn: &'conn Connection) -> Result<Self> {
        Ok(InsertFire(conn.prepare_cached(
            "INSERT INTO fires (job, triggered_by, due_at, until_at, count, decision, reason, recorded_at, zone,
                                revision, calendar)
             VALUES (?1, 'cron', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (job, due_at, triggered_by) DO NOTHING",
        )?))
    }

    /// The id of the new row; None where the instant has its row already.
    fn run(
        &mut self,
        fire: &NewFire,
        instead: Option<(Decision, Reason)>,
        revision: u32,
        now: UtcMs,
    ) -> Result<Option<i64>> {
        let (decision, reason) = match instead {
            Some((decision, reason)) => (decision, Some(reason)),
            None => (fire.decision, fire.reason),
        };
        let inserted = self.0.insert(params![
            fire.job,
            At::from(fire.due_at),
            fire.until_at.map(At::from),
            number(fire.count),
            decision.as_str(),
            reason.map(Reason::as_str),
            At::from(now),
            fire.zone,
            revision,
            fire.calendar,
        ]);
        match inserted {
            Ok(id) => Ok(Some(id)),
            Err(rusqlite::Error::StatementChangedRows(0)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
