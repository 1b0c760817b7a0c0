//! Taking back what was recorded ahead of its instant.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, done, maybe};
use super::calendars;
use super::cells::{instant, text};
use super::fault::Result;
use super::gone::{Why, delete_fires};
use super::instants::At;
use super::job_rows::{job_columns_of, stored_job};
use super::noticed::NoteWatch;
use super::session::Write;
use crate::domain::UtcMs;
use crate::store::model::Unwatched;

/// A job has fired as often as it may, owes no row, and came to its end by the instant `$2`.
macro_rules! spent_by {
    () => {
        "fires_left = 0 AND next_due_at IS NULL AND ended_at <= $2"
    };
}
pub(super) use spent_by;

/// The definition of a job that holds now answers for all that comes after an instant, though earlier ones may have
/// held then when the clock showed it before.
pub(super) async fn answer_after(conn: &mut PgConnection, job: &str, instant: UtcMs) -> Result<()> {
    let answer = sqlx::query("UPDATE jobs SET loaded_at = $2 WHERE name = $1 AND loaded_at > $2");
    done(conn, answer.bind(job).bind(At::from(instant))).await?;
    end_revisions(conn, &[job], instant).await
}

/// No earlier revision of these jobs answers for what comes after an instant, though it held then when the clock showed
/// that time before.
pub(super) async fn end_revisions(conn: &mut PgConnection, jobs: &[&str], instant: UtcMs) -> Result<()> {
    let end = sqlx::query("UPDATE job_revisions SET until_at = $2 WHERE job = ANY($1) AND until_at > $2");
    done(conn, end.bind(jobs).bind(At::from(instant))).await?;
    Ok(())
}

#[derive(Default)]
pub(super) struct Withdrawn {
    pub fires: u64,
    pub pushes: Vec<i64>,
}

impl Withdrawn {
    /// Whether there may be more: what is withdrawn may give a job a fire back that had fired as often as it may, and then
    /// what did not fire of it is still to come as well.
    fn add(&mut self, more: Withdrawn) -> bool {
        self.fires += more.fires;
        self.pushes.extend(more.pushes);
        more.fires > 0
    }
}

/// Takes back what some jobs called for after `now`.
pub(super) async fn withdraw_of(conn: &mut PgConnection, jobs: &[&str], now: UtcMs) -> Result<Withdrawn> {
    let mut all_of_it = Withdrawn::default();
    loop {
        let ahead = sqlx::query(
            "SELECT f.id
               FROM jobs AS j JOIN fires AS f ON f.job = j.name AND f.due_at > $2
              WHERE j.name = ANY($1) AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at
                AND (j.fires_left IS DISTINCT FROM 0 OR f.decision = 'fired')
                AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                 WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))",
        );
        let rows = all(conn, ahead.bind(jobs).bind(At::from(now))).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
        if !all_of_it.add(withdraw(conn, &ids, now).await?) {
            return Ok(all_of_it);
        }
    }
}

/// Takes back what is still to come after `now`, of some jobs or of all.
async fn withdraw_undecided(conn: &mut PgConnection, jobs: Option<&[&str]>, now: UtcMs) -> Result<Withdrawn> {
    let mut all_of_it = Withdrawn::default();
    loop {
        let ids = undecided(conn, now, jobs).await?;
        if !all_of_it.add(withdraw(conn, &ids, now).await?) {
            return Ok(all_of_it);
        }
    }
}

/// Jobs that come back after they were removed under a clock that was put back since: what of them had not fired after
/// `now` is decided anew, as it was for the others when that was noticed. Returns those whose places lie before
/// `now` with it, since a row reached over it that stood for many instants.
pub(super) async fn reopen(conn: &mut PgConnection, jobs: &[&str], now: UtcMs) -> Result<Vec<(Arc<str>, UtcMs)>> {
    withdraw_undecided(conn, Some(jobs), now).await?;
    let places =
        sqlx::query("SELECT name, next_due_at FROM jobs WHERE name = ANY($1) AND next_due_at <= $2 ORDER BY name");
    let rows = all(conn, places.bind(jobs).bind(At::from(now))).await?;
    rows.iter().map(|row| Ok((text(row, 0)?.into(), instant(row, 1)?))).collect()
}

pub(super) struct WithdrawAhead {
    pub now: UtcMs,
}

impl Write for WithdrawAhead {
    type Answer = u64;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<u64> {
        NoteWatch { now: self.now }.run(conn).await?;
        Ok(withdraw_undecided(conn, None, self.now).await?.fires)
    }
}

/// What is still to come after `now`, and did not fire, of some jobs or of all that are not removed.
///
/// A source is asked once for a fire, so that a content which was made ahead stays with its pushes. So do pushes that were
/// recorded by a clock which was put back since: it may have shown their instant, and history them, before anybody looked
/// at them. Only behind a fire that is taken back they go too: the place of its job goes back there, and what is decided
/// from there on would pass over them.
async fn undecided(conn: &mut PgConnection, now: UtcMs, jobs: Option<&[&str]>) -> Result<Vec<i64>> {
    // A push that was looked at has been promised to people: its fire is never taken back, or an id that history and
    // alarms have shown would vanish with the next restart.
    // What was restored may have been sent by the database that was lost, and stays missed. A gap that has begun
    // is taken back only where it can be decided anew from there: by the schedule that it was decided by.
    let ask = sqlx::query(
        "SELECT u.id, f.job,
                f.decision = 'fired' AND f.revision = j.revision AND j.enabled AND j.paused_at IS NULL
                AND coalesce((SELECT c.made_at <= $1 FROM contents AS c WHERE c.fire_id = f.id),
                             f.recorded_at > $1 AND EXISTS (SELECT 1 FROM pushes AS p WHERE p.fire_id = f.id))
               FROM (SELECT f.id
                       FROM fires AS f
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.due_at > $1 AND f.triggered_by = 'cron'
                        AND ($2::text[] IS NULL OR f.job = ANY($2))
                        AND (f.recorded_at < f.due_at OR f.decision <> 'fired' AND f.reason <> 'restored')
                        AND (j.fires_left IS DISTINCT FROM 0 OR f.decision = 'fired')
                        AND NOT EXISTS (SELECT 1 FROM pushes AS p
                                         WHERE p.fire_id = f.id AND (p.state <> 'pending' OR p.reason IS NOT NULL))
                     UNION ALL
                     SELECT f.id
                       FROM unexpanded_fires AS u CROSS JOIN fires AS f
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.id = u.fire_id AND f.due_at <= $1 AND f.recorded_at < f.due_at AND f.triggered_by = 'cron'
                        AND ($2::text[] IS NULL OR f.job = ANY($2))
                     UNION ALL
                     SELECT f.id
                       FROM fires AS f
                       JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
                      WHERE f.until_at > $1 AND f.until_at IS NOT NULL AND f.due_at <= $1 AND f.reason <> 'restored'
                        AND j.fires_left IS DISTINCT FROM 0
                        AND ($2::text[] IS NULL OR f.job = ANY($2))
                        AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                         WHERE r.job = f.job AND r.revision >= f.revision
                                           AND (r.timezone <> j.timezone
                                                OR (r.definition -> 'schedule')::text
                                                   <> (j.definition -> 'schedule')::text
                                                OR (r.definition -> 'dst_gap')::text
                                                   IS DISTINCT FROM (j.definition -> 'dst_gap')::text
                                                OR (r.definition -> 'days')::text
                                                   IS DISTINCT FROM (j.definition -> 'days')::text
                                                OR (r.definition #> '{life,from}')::text
                                                   IS DISTINCT FROM (j.definition #> '{life,from}')::text
                                                OR (r.definition #> '{life,until}')::text
                                                   IS DISTINCT FROM (j.definition #> '{life,until}')::text))) AS u
               JOIN fires AS f ON f.id = u.id
               JOIN jobs AS j ON j.name = f.job
              ORDER BY f.job, f.due_at",
    );
    let (mut ids, mut taken_back): (Vec<i64>, Option<String>) = (Vec::new(), None);
    for row in all(conn, ask.bind(At::from(now)).bind(jobs)).await? {
        let job = text(&row, 1)?;
        let is_behind = taken_back.as_deref() == Some(job);
        if is_behind || !row.try_get::<bool, _>(2)? {
            ids.push(row.try_get(0)?);
            if !is_behind {
                taken_back = Some(job.to_owned());
            }
        }
    }
    Ok(ids)
}

/// Deletes fires of which nothing was begun, since they are still to come after `now`, and sets their jobs' places back to
/// the first of them.
async fn withdraw(conn: &mut PgConnection, ids: &[i64], now: UtcMs) -> Result<Withdrawn> {
    if ids.is_empty() {
        return Ok(Withdrawn::default());
    }
    let pushes = sqlx::query("SELECT id FROM pushes WHERE fire_id = ANY($1) ORDER BY id").bind(ids);
    let pushes = all(conn, pushes).await?.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
    let places = sqlx::query(
        "SELECT f.job, min(f.due_at), count(*) FILTER (WHERE f.decision = 'fired'),
                count(*) FILTER (WHERE f.decision = 'fired'
                    AND NOT EXISTS (SELECT 1 FROM job_revisions AS r
                                     WHERE r.job = f.job AND r.revision >= f.revision
                                       AND (r.timezone <> j.timezone
                                            OR (r.definition -> 'schedule')::text <> (j.definition -> 'schedule')::text
                                            OR r.definition #>> '{life,max_fires}' IS NULL)))
           FROM fires AS f JOIN jobs AS j ON j.name = f.job
          WHERE f.id = ANY($1)
          GROUP BY f.job ORDER BY f.job",
    );
    for row in all(conn, places.bind(ids)).await? {
        let (job, first) = (text(&row, 0)?, instant(&row, 1)?);
        let place = ended_before(conn, job, first).await?.map_or(first, |end| end + Duration::from_millis(1));
        give_back(conn, job, row.try_get(2)?, row.try_get(3)?).await?;
        // A job that stays spent keeps its end, and calls for nothing after it.
        let set_back = sqlx::query(
            "UPDATE jobs SET next_due_at = $2, ended_at = CASE WHEN fires_left = 0 THEN ended_at END
              WHERE name = $1 AND (next_due_at IS NULL OR next_due_at > $2)
                AND (fires_left IS DISTINCT FROM 0 OR ended_at >= $2)",
        );
        done(conn, set_back.bind(job).bind(At::from(place))).await?;
        answer_after(conn, job, place - Duration::from_millis(1)).await?;
    }
    let gone = delete_fires(conn, ids, Why::Withdrawn { after: now }).await?;
    Ok(Withdrawn { fires: gone.fires, pushes })
}

/// When a job came to its end, if that was before what is taken back of it: the clock was put back in between, and
/// what is taken back would have fired last. All that it called for since its end has no row, so that it goes on there.
async fn ended_before(conn: &mut PgConnection, job: &str, first: UtcMs) -> Result<Option<UtcMs>> {
    let ask = sqlx::query(concat!("SELECT ended_at FROM jobs WHERE name = $1 AND ", spent_by!()));
    let found = maybe(conn, ask.bind(job).bind(At::from(first - Duration::from_millis(1)))).await?;
    found.map(|row| instant(&row, 0)).transpose()
}

/// So many fires of a job are taken back, `counted` of them by the schedule that it has now: those it may have again.
async fn give_back(conn: &mut PgConnection, job: &str, fired: i64, counted: i64) -> Result<()> {
    if fired == 0 {
        return Ok(());
    }
    let give = sqlx::query(
        "UPDATE jobs AS j
            SET fired = greatest(0, j.fired - $2),
                counted = n.counted,
                fires_left = CASE WHEN j.fires_left IS NOT NULL AND n.most IS NOT NULL
                                  THEN greatest(0, n.most - n.counted) END,
                ended_at = CASE WHEN j.fires_left = 0 AND n.most > n.counted THEN NULL ELSE j.ended_at END
           FROM (SELECT name, greatest(0, counted - $3) AS counted,
                        (definition #>> '{life,max_fires}')::bigint AS most
                   FROM jobs WHERE name = $1) AS n
          WHERE j.name = n.name",
    );
    done(conn, give.bind(job).bind(fired).bind(counted)).await?;
    Ok(())
}

/// By the open pushes, which are few beside the fires of a long history.
pub(super) async fn unwatched(conn: &mut PgConnection, after: Option<UtcMs>, until: UtcMs) -> Result<Vec<Unwatched>> {
    let ask = sqlx::query(concat!(
        "SELECT ",
        job_columns_of!("j."),
        ", p.id, f.due_at
           FROM pushes AS p
           JOIN fires AS f ON f.id = p.fire_id
           JOIN jobs AS j ON j.name = f.job AND j.removed_at IS NULL
          WHERE p.finished_at IS NULL AND p.state = 'pending' AND p.reason IS NULL
            AND f.triggered_by = 'cron' AND f.recorded_at < f.due_at AND f.due_at <= $2
            AND ($1::timestamptz IS NULL OR f.due_at > $1)
            AND NOT EXISTS (SELECT 1 FROM pushes AS s
                             WHERE s.fire_id = f.id AND (s.state <> 'pending' OR s.reason IS NOT NULL))
          ORDER BY p.id"
    ));
    let push =
        |row: &PgRow| Ok(Unwatched { job: stored_job(row)?, push_id: row.try_get(11)?, due_at: instant(row, 12)? });
    let rows = all(conn, ask.bind(after.map(At::from)).bind(At::from(until))).await?;
    let mut unwatched = rows.iter().map(push).collect::<Result<Vec<_>>>()?;
    calendars::fill(conn, unwatched.iter_mut().filter_map(|push| push.job.days.as_deref_mut())).await?;
    Ok(unwatched)
}
