//! What people ask for beside any schedule: a fire by hand, a push outside any job.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::postgres::PgConnection;

use super::account_state::SaveState;
use super::ask::{all, done, one};
use super::cells::{instant, maybe_instant, maybe_plain};
use super::expand::{self, Given, await_content};
use super::fault::{Fault, Result};
use super::ids;
use super::instants::At;
use super::job_rows::{JobRow, find_job};
use super::note::{self, Act};
use super::pushes::{self, replace_older};
use super::session::Write;
use crate::domain::{Overlap, PushState, Reason, Trigger, UtcMs};
use crate::store::allowed;
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
    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<i64>> {
        let name = Arc::from(&*self.job);
        let Some(job) = find_job(conn, &name).await? else { return Err(no_job(&name).into()) };
        let mut plan = plan(&name, &job)?;
        let own = self.own.as_ref().map(|own| raw(&name, own, &job, &plan)).transpose()?;
        if let (Some(raw), Some(OwnMessage { message, .. })) = (&own, &self.own) {
            plan.say(raw, message.body.kind());
        }
        let due_at = self.free_instant(conn).await?;
        let reason = own.as_ref().map(|_| Reason::OwnMessage);
        let id = fire(conn, (&name, job.revision), (due_at, self.now), reason).await?;
        let fired = Fired { job: &name, triggered_by: Trigger::Manual, due_at, goes_at: due_at, now: self.now };
        let made = make(conn, id, &fired, &plan).await?;
        if plan.overlap == Overlap::Replace {
            replace_older(conn, &name, id, self.now).await?;
        }
        let after = reason.map(Reason::as_str);
        let act = Act { verb: "fire", job: Some(&name), fire_id: Some(id), after, ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act).await?;
        Ok(made)
    }
}

/// What is to be said, as JSON, where the job can say it.
fn raw(job: &str, own: &OwnMessage, row: &JobRow, plan: &Plan<'_>) -> Result<Box<RawValue>> {
    allowed::saying(job, own, row.revision, plan.has_lists)?;
    Ok(serde_json::value::to_raw_value(&own.message)?)
}

fn plan<'a>(name: &str, job: &'a JobRow) -> Result<Plan<'a>> {
    Plan::read(&job.definition).map_err(|unreadable| allowed::unreadable(name, &unreadable.0).into())
}

impl FireByHand {
    /// A job has one fire by hand an instant: a second one within the millisecond takes the next that is free.
    async fn free_instant(&self, conn: &mut PgConnection) -> Result<UtcMs> {
        let newest =
            sqlx::query("SELECT max(due_at) FROM fires WHERE job = $1 AND due_at >= $2 AND triggered_by = 'manual'");
        let row = one(conn, newest.bind(&self.job).bind(At::from(self.now))).await?;
        Ok(maybe_instant(&row, 0)?.map_or(self.now, |newest| newest + Duration::from_millis(1)))
    }
}

/// Records a fire by hand, for this instant and at this one, and returns its id.
async fn fire(
    conn: &mut PgConnection,
    (job, revision): (&str, u32),
    (due_at, now): (UtcMs, UtcMs),
    reason: Option<Reason>,
) -> Result<i64> {
    let id = ids::of_fire(conn).await?;
    let insert = sqlx::query(
        "INSERT INTO fires (id, job, triggered_by, due_at, decision, reason, recorded_at, revision)
         VALUES ($1, $2, 'manual', $3, 'fired', $4, $5, $6)",
    );
    let insert = insert.bind(id).bind(job).bind(At::from(due_at)).bind(reason.map(Reason::as_str));
    done(conn, insert.bind(At::from(now)).bind(i64::from(revision))).await?;
    Ok(id)
}

/// Makes the pushes of such a fire, unless they wait for their content, and returns their ids.
async fn make(conn: &mut PgConnection, id: i64, fired: &Fired<'_>, plan: &Plan<'_>) -> Result<Vec<i64>> {
    if plan.needs_content {
        await_content(conn, id, fired.goes_at).await?;
        return Ok(Vec::new());
    }
    let made = expand::make(conn, id, fired, plan, Given::default()).await?;
    Ok(made.pushes.into_iter().map(|push| push.id).collect())
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

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<Vec<i64>>> {
        let name = Arc::from(&*self.job);
        let Some(job) = find_job(conn, &name).await? else { return Err(no_job(&name).into()) };
        let mut plan = plan(&name, &job)?;
        plan.overlap = Overlap::Allow;
        let mut fired = self.fired(conn).await?;
        let (mut all, mut goes_at) = (Vec::new(), self.now);
        for due_at in self.instants.iter().copied() {
            if !fired.insert(due_at) {
                continue;
            }
            let id = fire(conn, (&name, job.revision), (due_at, self.now), Some(Reason::Backfill)).await?;
            let fired = Fired { job: &name, triggered_by: Trigger::Manual, due_at, goes_at, now: self.now };
            all.push(make(conn, id, &fired, &plan).await?);
            let act = Act { verb: "backfill", job: Some(&name), fire_id: Some(id), ..Act::default() };
            note::act(conn, self.by.as_ref(), self.now, &act).await?;
            goes_at = goes_at + self.gap;
        }
        Ok(all)
    }
}

impl Backfill {
    /// Those of its instants that were fired by hand before.
    async fn fired(&self, conn: &mut PgConnection) -> Result<HashSet<UtcMs>> {
        let find =
            sqlx::query("SELECT due_at FROM fires WHERE job = $1 AND due_at = ANY ($2) AND triggered_by = 'manual'");
        let instants: Vec<At> = self.instants.iter().copied().map(At::from).collect();
        all(conn, find.bind(&self.job).bind(instants)).await?.iter().map(|row| instant(row, 0)).collect()
    }
}

pub(super) struct PushAdHoc {
    pub push: AdHoc,
    pub now: UtcMs,
}

impl Write for PushAdHoc {
    type Answer = i64;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<i64> {
        let fire_id = fire_outside(conn, &self.push, self.now).await?;
        let push = NewPush::outside(&self.push, 0, self.now)?;
        let ids = pushes::insert(conn, &[(fire_id, &push)]).await?;
        ids.first().copied().ok_or_else(|| Fault::Row("a push was recorded without an id".to_owned()))
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

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<i64>> {
        let Some(first) = self.pushes.first() else { return Ok(Vec::new()) };
        let fire_id = fire_outside(conn, first, self.now).await?;
        let pushes = self.pushes.iter().enumerate();
        let pushes: Vec<NewPush<'_>> =
            pushes.map(|(place, push)| Ok(NewPush::outside(push, place, self.now)?)).collect::<Result<_>>()?;
        let pushes: Vec<_> = pushes.iter().map(|push| (fire_id, push)).collect();
        let ids = pushes::insert(conn, &pushes).await?;
        for id in &ids {
            let after = Some(PushState::Pending.as_str());
            let act = Act { verb: "push", push_id: Some(*id), fire_id: Some(fire_id), after, ..Act::default() };
            note::act(conn, self.by.as_ref(), self.now, &act).await?;
        }
        Ok(ids)
    }
}

/// A fire of no job.
async fn fire_outside(conn: &mut PgConnection, push: &AdHoc, now: UtcMs) -> Result<i64> {
    let AdHoc { triggered_by, chat, .. } = push;
    let id = ids::of_fire(conn).await?;
    let insert = sqlx::query(
        "INSERT INTO fires (id, triggered_by, due_at, decision, recorded_at, chat_im, chat_account)
         VALUES ($1, $2, $3, 'fired', $3, $4, $5)",
    );
    let (im, account) = chat.as_ref().map(|(im, account)| (im, account)).unzip();
    let insert = insert.bind(id).bind(triggered_by.as_str()).bind(At::from(now));
    done(conn, insert.bind(maybe_plain(im)).bind(maybe_plain(account))).await?;
    Ok(id)
}

/// A push outside any job, and what the daemon keeps with it.
pub(super) struct PushAndSave {
    pub push: PushAdHoc,
    pub save: SaveState,
}

impl Write for PushAndSave {
    type Answer = i64;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<i64> {
        self.save.run(conn).await?;
        self.push.run(conn).await
    }
}
