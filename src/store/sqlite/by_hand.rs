//! What people ask for beside any schedule: a fire by hand, a push outside any job.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::account_state::SaveState;
use super::cells::{At, number, parsed};
use super::expand::await_content;
use super::fault::{Fault, Result, no_job};
use super::fires::{Fired, MakePushes, Plan, policy};
use super::gone::count_unused_fires;
use super::job_rows::{FindJob, JobRow};
use super::pushes::{InsertPush, NewPush, replace_older};
use super::writer::Write;
use crate::domain::{Overlap, Reason, Trigger, UtcMs};
use crate::store::error::StoreError;
use crate::store::model::AdHoc;

pub(super) struct FireByHand {
    pub job: String,
    pub now: UtcMs,
}

impl Write for FireByHand {
    type Answer = Vec<i64>;

    /// A person who says "now" is not told that an older fire is still busy; but `overlap: replace` holds.
    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let Some(job) = FindJob::new(conn)?.job(&self.job)? else { return Err(no_job(&self.job).into()) };
        let plan = plan(&self.job, &job)?;
        let due_at = self.free_instant(conn)?;
        let id = conn
            .prepare(
                "INSERT INTO fires (job, triggered_by, due_at, decision, recorded_at, revision)
             VALUES (?1, 'manual', ?2, 'fired', ?3, ?4)",
            )?
            .insert(params![self.job, At::from(due_at), At::from(self.now), job.revision])?;
        let (name, mut made) = (Arc::from(&*self.job), Vec::new());
        let fired = Fired { id, job: &name, triggered_by: Trigger::Manual, due_at, goes_at: due_at, now: self.now };
        let overlap = plan.overlap;
        match plan.needs_content {
            true => await_content(conn, id, due_at)?,
            false => MakePushes::new(conn)?.run(&fired, plan, None, &mut made)?,
        }
        if overlap == Overlap::Replace {
            replace_older(conn, &name, id, self.now)?;
        }
        Ok(made.into_iter().map(|push| push.id).collect())
    }
}

fn plan<'a>(name: &str, job: &'a JobRow) -> Result<Plan<'a>> {
    Plan::read(&job.definition).map_err(|fault| match fault {
        Fault::Row(problem) => Fault::Verb(StoreError::NotAllowed(format!(
            "what job '{name}' pushes cannot be read ({problem}); load the files again: `systemctl reload pushcron`, or start it"
        ))),
        fault => fault,
    })
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

/// Instants that did not come about.
pub(super) struct Backfill {
    pub job: String,
    pub instants: Vec<UtcMs>,
    pub gap: Duration,
    pub now: UtcMs,
}

impl Write for Backfill {
    type Answer = Vec<Vec<i64>>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<Vec<i64>>> {
        let Some(job) = FindJob::new(conn)?.job(&self.job)? else { return Err(no_job(&self.job).into()) };
        let name = Arc::from(&*self.job);
        let mut all = Vec::new();
        let mut goes_at = self.now;
        let mut insert = conn.prepare(
            "INSERT INTO fires (job, triggered_by, due_at, decision, reason, recorded_at, revision)
             VALUES (?1, 'manual', ?2, 'fired', ?3, ?4, ?5)
             ON CONFLICT (job, due_at, triggered_by) DO NOTHING",
        )?;
        let mut make = MakePushes::new(conn)?;
        let mut plan = plan(&self.job, &job)?;
        plan.overlap = Overlap::Allow;
        for due_at in self.instants.iter().copied() {
            let reason = Reason::Backfill.as_str();
            let row = params![self.job, At::from(due_at), reason, At::from(self.now), job.revision];
            let id = match insert.insert(row) {
                Err(rusqlite::Error::StatementChangedRows(0)) => {
                    count_unused_fires(conn, 1)?;
                    continue;
                }
                id => id?,
            };
            let fired = Fired { id, job: &name, triggered_by: Trigger::Manual, due_at, goes_at, now: self.now };
            let mut made = Vec::new();
            match plan.needs_content {
                true => await_content(conn, id, goes_at)?,
                false => make.run(&fired, plan.clone(), None, &mut made)?,
            }
            all.push(made.into_iter().map(|push| push.id).collect());
            goes_at = goes_at + self.gap;
        }
        Ok(all)
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
        let render = spec.render.as_ref().map(serde_json::to_string).transpose()?;
        let fallback = (!spec.fallback.is_empty()).then(|| serde_json::to_string(&spec.fallback)).transpose()?;
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
            render: render.as_deref(),
            max_attempts: spec.retry.max_attempts,
            due_at: self.now,
            expires_at: self.now + spec.retry.give_up_after,
            exclusive_job: None,
            fallback: fallback.as_deref(),
        })
    }
}

/// A push outside any job, and what the daemon keeps with it.
pub(super) struct PushAndSave {
    pub push: PushAdHoc,
    pub save: SaveState,
}

impl Write for PushAndSave {
    type Answer = i64;

    fn run(&mut self, conn: &Connection) -> Result<i64> {
        self.save.run(conn)?;
        self.push.run(conn)
    }
}
