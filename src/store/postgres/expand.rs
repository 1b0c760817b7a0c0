//! Fires whose content is made after they are recorded: what waits for it, and the pushes that come of it.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tracing::error;

use super::ask::{all, done, maybe};
use super::calendars;
use super::cells::{instant, maybe_plain, number, plain, text, word};
use super::contents::last_going;
use super::ends::end;
use super::fault::{Fault, Result};
use super::instants::At;
use super::last_good;
use super::note::{self, Act};
use super::of_fire::definition_of_fire;
use super::pushes::{self, replace_older};
use super::session::Write;
use crate::domain::hex::sha256;
use crate::domain::{ListEntry, Overlap, PushState, Reason, UtcMs};
use crate::store::allowed::no_waiting_fire;
use crate::store::model::{By, Expand, Expansion, MadeContent, MadeList, OpenPush, Unexpanded};
use crate::store::plan::{Fired, Plan};
use crate::store::waiting::{Waiting, recipients};

/// The fire has no pushes before its content is made, and they go out no sooner than this.
pub(super) async fn await_content(conn: &mut PgConnection, fire_id: i64, goes_at: UtcMs) -> Result<()> {
    let wait = sqlx::query("INSERT INTO unexpanded_fires (fire_id, goes_at) VALUES ($1, $2)");
    done(conn, wait.bind(fire_id).bind(At::from(goes_at))).await?;
    Ok(())
}

/// What was made and read for a fire.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'a> {
    pub content: Option<&'a str>,
    /// The recipients of each push that has a list, in the order of the pushes; fewer where they were not read.
    pub lists: &'a [&'a [ListEntry]],
}

/// The pushes of a fire, recorded.
pub(super) struct Made {
    pub pushes: Vec<OpenPush>,
    /// For each list that was read, how many of it were left out since they get the same by another list or name.
    pub dropped: Vec<usize>,
}

/// Makes the pushes of a fire.
pub(super) async fn make(
    conn: &mut PgConnection,
    fire_id: i64,
    fired: &Fired<'_>,
    plan: &Plan<'_>,
    given: Given<'_>,
) -> Result<Made> {
    let messages = plan.messages(given.content)?;
    let made = plan.pushes(fired, &messages, given.lists)?;
    let rows: Vec<_> = made.pushes.iter().map(|push| (fire_id, push)).collect();
    let ids = pushes::insert(conn, &rows).await?;
    if plan.releases {
        let wait = "INSERT INTO unreleased_fires (fire_id) VALUES ($1) ON CONFLICT DO NOTHING";
        done(conn, sqlx::query(wait).bind(fire_id)).await?;
    }
    let pushes = ids.iter().zip(&made.pushes).map(|(id, push)| push.open(*id, fired)).collect();
    Ok(Made { pushes, dropped: made.dropped })
}

pub(super) async fn unexpanded(conn: &mut PgConnection, after: i64, limit: u64) -> Result<Vec<Unexpanded>> {
    let ask = sqlx::query(concat!(
        "SELECT u.fire_id, f.job, f.due_at, j.removed_at IS NOT NULL, f.triggered_by,
                f.reason IS NOT DISTINCT FROM 'backfill', ",
        definition_of_fire!(),
        ", j.definition::text
           FROM unexpanded_fires AS u CROSS JOIN fires AS f
           JOIN jobs AS j ON j.name = f.job
          WHERE f.id = u.fire_id AND u.fire_id > $1
          ORDER BY u.fire_id LIMIT $2"
    ));
    let rows = all(conn, ask.bind(after).bind(number(limit))).await?;
    let mut fires: Vec<Unexpanded> = rows.iter().map(unexpanded_row).collect::<Result<_>>()?;
    let jobs = fires.iter_mut().flat_map(|fire| fire.definition.as_mut().ok().into_iter().chain(&mut fire.present));
    calendars::fill(conn, jobs.filter_map(|job| job.days.as_deref_mut())).await?;
    Ok(fires)
}

/// Without the lists that its definitions name.
pub(super) fn unexpanded_row(row: &PgRow) -> Result<Unexpanded> {
    Ok(Unexpanded {
        fire_id: row.try_get(0)?,
        job: text(row, 1)?.into(),
        due_at: instant(row, 2)?,
        is_removed: row.try_get(3)?,
        triggered_by: word(text(row, 4)?)?,
        is_backfill: row.try_get(5)?,
        definition: serde_json::from_str(text(row, 6)?).map_err(|error| error.to_string()),
        present: serde_json::from_str(text(row, 7)?).ok(),
    })
}

pub(super) struct ExpandFire {
    pub expand: Expand,
    pub now: UtcMs,
}

/// A fire that somebody does not want any more, before it has its pushes.
pub(super) struct CancelFire {
    pub fire_id: i64,
    pub by: Option<By>,
    pub now: UtcMs,
}

impl Write for CancelFire {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let fire_id = self.fire_id;
        let waits =
            "SELECT f.job FROM unexpanded_fires AS u CROSS JOIN fires AS f WHERE f.id = u.fire_id AND u.fire_id = $1";
        let Some(row) = maybe(conn, sqlx::query(waits).bind(fire_id)).await? else {
            return Err(no_waiting_fire().into());
        };
        let then = Expansion::Cancel(Reason::CancelledByHand);
        let expand = Expand { fire_id, content: None, lists: Vec::new(), lists_of: Vec::new(), then };
        ExpandFire { expand, now: self.now }.run(conn).await?;
        let (job, after) = (Some(text(&row, 0)?), Some("cancelled"));
        let act = Act { verb: "cancel", job, fire_id: Some(fire_id), after, ..Act::default() };
        note::act(conn, self.by.as_ref(), self.now, &act).await
    }
}

impl Write for ExpandFire {
    type Answer = Vec<OpenPush>;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<Vec<OpenPush>> {
        let Expand { fire_id, content, lists, lists_of, then } = self.expand.clone();
        let Some(waiting) = self.take(conn).await? else { return Ok(Vec::new()) };
        let text = content.as_ref().and_then(|content| content.text.as_deref());
        let sha256 = text.map(|text| sha256(text.as_bytes()));
        if let Some(content) = &content {
            keep(conn, fire_id, content, sha256.as_deref()).await?;
        }
        keep_lists(conn, fire_id, &lists).await?;
        last_good::keep_lists(conn, &waiting.job, &lists).await?;
        let plan = match waiting.plan().map_err(Fault::from) {
            Err(Fault::Row(problem)) => {
                miss_unreadable(conn, fire_id, &waiting.job, &problem).await?;
                return Ok(Vec::new());
            }
            plan => plan?,
        };
        let then = waiting.fate(&plan, then);
        let Waiting { job, triggered_by, due_at, goes_at, .. } = &waiting;
        let fired = Fired { job, triggered_by: *triggered_by, due_at: *due_at, goes_at: *goes_at, now: self.now };
        let given = Given { content: text, lists: &recipients(&lists, &lists_of, &then) };
        let Made { pushes: made, dropped } = make(conn, fire_id, &fired, &plan, given).await?;
        count_doubles(conn, fire_id, &lists_of, &dropped).await?;
        match then {
            Expansion::Send { unless_unchanged } => {
                if plan.overlap == Overlap::Replace {
                    replace_older(conn, job, fire_id, self.now).await?;
                }
                if made.is_empty() {
                    // Of nobody there is no row, and of a fire without one nobody would know why.
                    let nobody = make(conn, fire_id, &fired, &plan, Given::default()).await?.pushes;
                    return self.end_all(conn, nobody, PushState::Cancelled, Reason::NoRecipients).await;
                }
                match sha256.filter(|_| unless_unchanged) {
                    Some(sha256) => Ok(without_unchanged(conn, (job, fire_id), &sha256, made, self.now).await?.0),
                    None => Ok(made),
                }
            }
            Expansion::Cancel(reason) => self.end_all(conn, made, PushState::Cancelled, reason).await,
            Expansion::Fail(reason) => self.end_all(conn, made, PushState::Failed, reason).await,
            Expansion::Expire(reason) => self.end_all(conn, made, PushState::Expired, reason).await,
        }
    }
}

impl ExpandFire {
    /// The fire, which from here on waits no more; None where it does not wait.
    async fn take(&self, conn: &mut PgConnection) -> Result<Option<Waiting>> {
        let id = self.expand.fire_id;
        let take = sqlx::query("DELETE FROM unexpanded_fires WHERE fire_id = $1 RETURNING goes_at").bind(id);
        let Some(taken) = maybe(conn, take).await? else { return Ok(None) };
        let ask = sqlx::query(concat!(
            "SELECT f.job, f.triggered_by, f.due_at, f.reason IS NOT DISTINCT FROM 'backfill', ",
            definition_of_fire!(),
            ", EXISTS (SELECT 1 FROM fires AS n
                        WHERE n.job = f.job AND n.due_at >= f.due_at AND n.id > f.id AND n.decision = 'fired')
               FROM fires AS f JOIN jobs AS j ON j.name = f.job WHERE f.id = $1"
        ));
        let Some(row) = maybe(conn, ask.bind(id)).await? else { return Ok(None) };
        Ok(Some(Waiting {
            job: text(&row, 0)?.into(),
            triggered_by: word(text(&row, 1)?)?,
            due_at: instant(&row, 2)?,
            goes_at: instant(&taken, 0)?,
            is_backfill: row.try_get(3)?,
            definition: row.try_get(4)?,
            is_outdone: row.try_get(5)?,
        }))
    }

    async fn end_all(
        &self,
        conn: &mut PgConnection,
        made: Vec<OpenPush>,
        state: PushState,
        reason: Reason,
    ) -> Result<Vec<OpenPush>> {
        for push in made {
            end(conn, push.id, state, reason, self.now).await?;
        }
        Ok(Vec::new())
    }
}

/// Those that go out, and the ids of those that end since their target was sent the same content the last time, or is about
/// to be.
pub(super) async fn without_unchanged(
    conn: &mut PgConnection,
    (job, fire_id): (&str, i64),
    sha256: &str,
    made: Vec<OpenPush>,
    now: UtcMs,
) -> Result<(Vec<OpenPush>, Vec<i64>)> {
    let key = |push: &OpenPush| (push.im.clone(), push.target.to_string());
    let last = last_going(conn, job, fire_id, &made.iter().map(key).collect()).await?;
    let fires: Vec<i64> = last.values().copied().collect();
    let same = sqlx::query("SELECT fire_id FROM contents WHERE fire_id = ANY($1) AND sha256 = $2");
    let same = all(conn, same.bind(fires).bind(sha256)).await?;
    let same: Vec<i64> = same.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
    let (mut changed, mut ended) = (Vec::with_capacity(made.len()), Vec::new());
    for push in made {
        if last.get(&key(&push)).is_some_and(|fire| same.contains(fire)) {
            end(conn, push.id, PushState::Cancelled, Reason::ContentUnchanged, now).await?;
            ended.push(push.id);
        } else {
            changed.push(push);
        }
    }
    Ok((changed, ended))
}

/// As an instant whose definition cannot be read when it is recorded.
async fn miss_unreadable(conn: &mut PgConnection, fire_id: i64, job: &str, problem: &str) -> Result<()> {
    error!(job, problem, "what a job pushes cannot be read; its instant is missed");
    let miss = sqlx::query("UPDATE fires SET decision = 'missed', reason = $2 WHERE id = $1");
    done(conn, miss.bind(fire_id).bind(Reason::DefinitionUnreadable.as_str())).await?;
    Ok(())
}

pub(super) async fn keep(
    conn: &mut PgConnection,
    fire_id: i64,
    made: &MadeContent,
    sha256: Option<&str>,
) -> Result<()> {
    let keep = sqlx::query(
        "INSERT INTO contents (fire_id, source, outcome, attempts, began_at, made_at, exit_code, content, sha256, error,
                               stale_from, stale_why)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    );
    let keep = keep
        .bind(fire_id)
        .bind(plain(&made.source))
        .bind(made.outcome.as_str())
        .bind(i64::from(made.attempts))
        .bind(At::from(made.began_at))
        .bind(At::from(made.made_at))
        .bind(made.exit_code)
        .bind(maybe_plain(made.text.as_ref()))
        .bind(sha256)
        .bind(maybe_plain(made.error.as_ref()))
        .bind(made.stale.as_ref().map(|stale| At::from(stale.from)))
        .bind(maybe_plain(made.stale.as_ref().map(|stale| &stale.why)));
    done(conn, keep).await?;
    Ok(())
}

/// Counts who stands on a list and gets the same push by another list of the fire, as who stands on one list twice.
async fn count_doubles(conn: &mut PgConnection, fire_id: i64, lists_of: &[usize], dropped: &[usize]) -> Result<()> {
    for (list, dropped) in lists_of.iter().zip(dropped).filter(|(_, dropped)| **dropped > 0) {
        let count = sqlx::query(
            "UPDATE recipient_lists SET doubles = doubles + $3, count = greatest(0, count - $3)
              WHERE fire_id = $1 AND number = $2",
        );
        done(conn, count.bind(fire_id).bind(number(*list)).bind(number(*dropped))).await?;
    }
    Ok(())
}

async fn keep_lists(conn: &mut PgConnection, fire_id: i64, lists: &[MadeList]) -> Result<()> {
    for (place, list) in lists.iter().enumerate() {
        let found = list.entries.as_ref().ok();
        let insert = sqlx::query(
            "INSERT INTO recipient_lists (fire_id, number, name, source, attempts, began_at, read_at, count, doubles,
                                          error, stale_from, stale_why)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        );
        let insert = insert
            .bind(fire_id)
            .bind(number(place))
            .bind(plain(&list.name))
            .bind(plain(&list.source))
            .bind(i64::from(list.attempts))
            .bind(At::from(list.began_at))
            .bind(At::from(list.read_at))
            .bind(found.map(|found| number(found.entries.len())))
            .bind(found.map_or(0, |found| number(found.doubles)))
            .bind(maybe_plain(list.entries.as_ref().err()))
            .bind(list.stale.as_ref().map(|stale| At::from(stale.from)))
            .bind(maybe_plain(list.stale.as_ref().map(|stale| &stale.why)));
        done(conn, insert).await?;
    }
    Ok(())
}
