//! Rows of instants, many at once, and the pushes of those that go out.

use std::borrow::Cow;
use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::ask::{all, done};
use super::cells::{number, plain};
use super::fault::Result;
use super::ids;
use super::instants::At;
use super::pushes;
use crate::domain::{Decision, Reason, Trigger, UtcMs};
use crate::store::model::{NewFire, OpenPush, Recorded};
use crate::store::plan::{Fired, NewPush, Plan};

/// Rows that cross to the server in one statement.
const PIECE: usize = 5000;

/// What becomes of an instant.
#[derive(Clone, Copy)]
pub(super) struct Fate {
    pub decision: Decision,
    pub reason: Option<Reason>,
}

impl Fate {
    /// As it was decided, unless it is skipped instead.
    pub(super) fn of(fire: &NewFire, instead: Option<Reason>) -> Fate {
        match instead {
            Some(reason) => Fate { decision: Decision::Skipped, reason: Some(reason) },
            None => Fate { decision: fire.decision, reason: fire.reason },
        }
    }
}

/// A row to be.
pub(super) struct Row<'f> {
    pub fire: &'f NewFire,
    pub fate: Fate,
    pub revision: u32,
}

/// A fire that has its row, and goes out.
pub(super) struct Send<'f> {
    pub fire_id: i64,
    pub fire: &'f NewFire,
    pub plan: Plan<'f>,
}

/// Those of these instants that have their rows.
pub(super) async fn known<'f>(conn: &mut PgConnection, fires: &[&'f NewFire]) -> Result<HashSet<(&'f str, UtcMs)>> {
    let mut known = HashSet::new();
    for fires in fires.chunks(PIECE) {
        let ask = sqlx::query(
            "SELECT n.place
               FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS n (job, due_at, place)
               JOIN fires AS f ON f.job = n.job AND f.due_at = n.due_at AND f.triggered_by = 'cron'",
        );
        let names: Vec<&str> = fires.iter().map(|fire| &*fire.job).collect();
        let instants: Vec<At> = fires.iter().map(|fire| At::from(fire.due_at)).collect();
        for row in all(conn, ask.bind(names).bind(instants)).await? {
            let place: i64 = sqlx::Row::try_get(&row, 0)?;
            let fire = usize::try_from(place - 1).ok().and_then(|place| fires.get(place));
            known.extend(fire.map(|fire| (&*fire.job, fire.due_at)));
        }
    }
    Ok(known)
}

/// Writes rows of instants that have none, and returns their ids, in the same order.
pub(super) async fn insert(conn: &mut PgConnection, rows: &[Row<'_>], now: UtcMs) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(rows.len());
    for rows in rows.chunks(PIECE) {
        let first = ids::take(conn, rows.len(), 0).await?.fires;
        let taken: Vec<i64> = (first..).take(rows.len()).collect();
        let of = || rows.iter().map(|row| row.fire);
        let insert = sqlx::query(
            "INSERT INTO fires (id, job, triggered_by, due_at, until_at, count, decision, reason, recorded_at, zone,
                                revision, calendar)
             SELECT n.id, n.job, 'cron', n.due_at, n.until_at, n.count, n.decision, n.reason, $11, n.zone, n.revision,
                    n.calendar
               FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::text[],
                           $7::text[], $8::text[], $9::bigint[], $10::text[])
                 AS n (id, job, due_at, until_at, count, decision, reason, zone, revision, calendar)",
        );
        let insert = insert
            .bind(&taken)
            .bind(of().map(|fire| &*fire.job).collect::<Vec<_>>())
            .bind(of().map(|fire| At::from(fire.due_at)).collect::<Vec<_>>())
            .bind(of().map(|fire| fire.until_at.map(At::from)).collect::<Vec<_>>())
            .bind(of().map(|fire| number(fire.count)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.fate.decision.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.fate.reason.map(Reason::as_str)).collect::<Vec<_>>())
            .bind(of().map(|fire| fire.zone.as_deref()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| i64::from(row.revision)).collect::<Vec<_>>())
            .bind(of().map(|fire| fire.calendar.as_deref().map(|said| plain(said).into_owned())).collect::<Vec<_>>())
            .bind(At::from(now));
        done(conn, insert).await?;
        ids.extend(taken);
    }
    Ok(ids)
}

/// Makes the pushes of fires, or has them wait for their contents.
pub(super) async fn send(
    conn: &mut PgConnection,
    sends: Vec<Send<'_>>,
    now: UtcMs,
    recorded: &mut Recorded,
) -> Result<()> {
    let (waiting, going): (Vec<_>, Vec<_>) =
        sends.into_iter().partition(|send| send.plan.needs_content || send.fire.is_held);
    recorded.unexpanded += waiting.len() as u64;
    let (fires, instants): (Vec<i64>, Vec<At>) =
        waiting.iter().map(|send| (send.fire_id, At::from(send.fire.due_at))).unzip();
    if !fires.is_empty() {
        let wait =
            "INSERT INTO unexpanded_fires (fire_id, goes_at) SELECT * FROM unnest($1::bigint[], $2::timestamptz[])";
        done(conn, sqlx::query(wait).bind(fires).bind(instants)).await?;
    }
    let unreleased: Vec<i64> = going.iter().filter(|send| send.plan.releases).map(|send| send.fire_id).collect();
    if !unreleased.is_empty() {
        let wait = "INSERT INTO unreleased_fires (fire_id) SELECT * FROM unnest($1::bigint[])";
        done(conn, sqlx::query(wait).bind(unreleased)).await?;
    }
    for going in going.chunks(PIECE) {
        recorded.pushes.extend(make(conn, going, now).await?);
    }
    Ok(())
}

/// In the order of the fires, and within these of their pushes.
async fn make(conn: &mut PgConnection, going: &[Send<'_>], now: UtcMs) -> Result<Vec<OpenPush>> {
    let mut messages: Vec<Vec<Cow<'_, str>>> = Vec::with_capacity(going.len());
    for send in going {
        messages.push(send.plan.messages(None)?);
    }
    let mut pushes: Vec<(&Send<'_>, NewPush<'_>)> = Vec::with_capacity(going.len());
    for (send, messages) in going.iter().zip(&messages) {
        let made = send.plan.pushes(&send.fired(now), messages, &[])?;
        pushes.extend(made.pushes.into_iter().map(|push| (send, push)));
    }
    let mut open = Vec::with_capacity(pushes.len());
    for pushes in pushes.chunks(PIECE) {
        let rows: Vec<(i64, &NewPush<'_>)> = pushes.iter().map(|(send, push)| (send.fire_id, push)).collect();
        let ids = pushes::insert(conn, &rows).await?;
        open.extend(ids.iter().zip(pushes).map(|(id, (send, push))| push.open(*id, &send.fired(now))));
    }
    Ok(open)
}

impl Send<'_> {
    fn fired(&self, now: UtcMs) -> Fired<'_> {
        let due_at = self.fire.due_at;
        Fired { job: &self.fire.job, triggered_by: Trigger::Cron, due_at, goes_at: due_at, now }
    }
}
