//! What people ask for beside any schedule: a fire by hand, a push outside any job.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::value::to_raw_value;

use super::account_state::SaveState;
use super::cells::{At, parsed};
use super::expand::await_content;
use super::fault::Result;
use super::fires::{Given, MakePushes};
use super::gone::count_unused_fires;
use super::job_rows::{FindJob, JobRow};
use super::note::{self, Act};
use super::pushes::{InsertPush, replace_older};
use super::writer::Write;
use crate::domain::{Overlap, PushState, Reason, Trigger, UtcMs};
use crate::store::allowed;
use crate::store::cells::Unreadable;
use crate::store::error::no_job;
use crate::store::model::{AdHoc, By, OwnMessage};
use crate::store::plan::{Fired, NewPush, Plan};

pub(super) struct FireByHand {
    pub job: String,
    pub own: Option<OwnMessage>,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for FireByHand {
    type Answer = Vec<i64>;

    /// A person who says "now" is not told that an older fire is still busy; but `overlap: replace` holds.
    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let Some(job) = FindJob::new(conn)?.job(&self.job)? else { return Err(no_job(&self.job).into()) };
        let mut plan = plan(&self.job, &job)?;
        if let Some(own) = &self.own {
            allowed::saying(&self.job, own, job.revision, plan.has_lists)?;
        }
        let own = self.own.as_ref().map(|own| to_raw_value(&own.message)).transpose()?;
        if let (Some(raw), Some(OwnMessage { message, .. })) = (&own, &self.own) {
            plan.say(raw, message.body.kind());
        }
        let due_at = self.free_instant(conn)?;
        let reason = own.as_ref().map(|_| Reason::OwnMessage.as_str());
        let id = conn
            .prepare(
                "INSERT INTO fires (job, triggered_by, due_at, decision, reason, recorded_at, revision)
             VALUES (?1, 'manual', ?2, 'fired', ?3, ?4, ?5)",
            )?
            .insert(params![self.job, At::from(due_at), reason, At::from(self.now), job.revision])?;
        let (name, mut made) = (Arc::from(&*self.job), Vec::new());
        let fired = Fired { job: &name, triggered_by: Trigger::Manual, due_at, goes_at: due_at, now: self.now };
        let overlap = plan.overlap;
        match plan.needs_content {
            true => await_content(conn, id, due_at)?,
            false => drop(MakePushes::new(conn)?.run(id, &fired, &plan, Given::default(), &mut made)?),
        }
        if overlap == Overlap::Replace {
            replace_older(conn, &name, id, self.now)?;
        }
        let act = Act { verb: "fire", job: Some(&self.job), fire_id: Some(id), after: reason, ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act)?;
        Ok(made.into_iter().map(|push| push.id).collect())
    }
}

fn plan<'a>(name: &str, job: &'a JobRow) -> Result<Plan<'a>> {
    Plan::read(&job.definition).map_err(|Unreadable(problem)| allowed::unreadable(name, &problem).into())
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
    pub by: Option<By>,
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
            let fired = Fired { job: &name, triggered_by: Trigger::Manual, due_at, goes_at, now: self.now };
            let mut made = Vec::new();
            match plan.needs_content {
                true => await_content(conn, id, goes_at)?,
                false => drop(make.run(id, &fired, &plan, Given::default(), &mut made)?),
            }
            all.push(made.into_iter().map(|push| push.id).collect());
            let act = Act { verb: "backfill", job: Some(&self.job), fire_id: Some(id), ..Act::default() };
            note::act(conn, self.by.as_ref(), self.now, &act)?;
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
        insert(conn, 0, fire_outside(conn, &self.push, self.now)?, &self.push, self.now)
    }
}

/// Of one fire.
pub(super) struct PushSeveral {
    pub pushes: Vec<AdHoc>,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for PushSeveral {
    type Answer = Vec<i64>;

    fn run(&mut self, conn: &Connection) -> Result<Vec<i64>> {
        let Some(first) = self.pushes.first() else { return Ok(Vec::new()) };
        let fire_id = fire_outside(conn, first, self.now)?;
        let pushes = self.pushes.iter().enumerate();
        let made = |(ordinal, push)| {
            let id = insert(conn, ordinal, fire_id, push, self.now)?;
            let after = Some(PushState::Pending.as_str());
            let act = Act { verb: "push", push_id: Some(id), fire_id: Some(fire_id), after, ..Act::default() };
            note::act(conn, self.by.as_ref(), self.now, &act)?;
            Ok(id)
        };
        pushes.map(made).collect()
    }
}

/// A fire of no job.
fn fire_outside(conn: &Connection, push: &AdHoc, now: UtcMs) -> Result<i64> {
    let AdHoc { triggered_by, chat, .. } = push;
    let (chat_im, chat_account) = chat.as_ref().map(|(im, account)| (im, account)).unzip();
    Ok(conn
        .prepare(
            "INSERT INTO fires (triggered_by, due_at, decision, recorded_at, chat_im, chat_account)
             VALUES (?1, ?2, 'fired', ?2, ?3, ?4)",
        )?
        .insert(params![triggered_by.as_str(), At::from(now), chat_im, chat_account])?)
}

fn insert(conn: &Connection, ordinal: usize, fire_id: i64, push: &AdHoc, now: UtcMs) -> Result<i64> {
    InsertPush::new(conn)?.run(fire_id, &NewPush::outside(push, ordinal, now)?)
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
