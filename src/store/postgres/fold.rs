//! Making figures, hour by hour: each hour and each day is counted on a session that reads, and written in small batches.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::ask::{all, done};
use super::cells::number;
use super::fault::Result;
use super::figures::{count_hour, count_jobs, first_since, made_until};
use super::instants::At;
use super::meta::{instant_of, keep_instant};
use super::pruned::pruned_until;
use super::session::Write;
use super::store::PostgresStore;
use crate::domain::UtcMs;
use crate::store::error::StoreResult;
use crate::store::making::{
    Day, HOUR, MADE_AGAIN_UNTIL, MADE_UNTIL, Made, Turn, days_that_ended, hour_of, last_day_before, turn,
};
use crate::store::model::{HourFigures, JobDay};

/// Rows that one write takes.
const ROWS: usize = 200;

pub(super) async fn next(store: &PostgresStore, now: UtcMs) -> StoreResult<bool> {
    let Some((turn, days)) = store.ask(move |conn| Box::pin(next_turn(conn, now))).await? else { return Ok(false) };
    let rows = store.ask(move |conn| Box::pin(count_hour(conn, turn.hour, now))).await?;
    for day in days {
        make_day(store, day).await?;
    }
    // Noted last: what was broken off is made anew.
    store.write(MakeHour { turn, rows }).await?;
    Ok(true)
}

/// What has to be asked before it is known which hour is next.
struct Unasked(UtcMs);

async fn next_turn(conn: &mut PgConnection, now: UtcMs) -> Result<Option<(Turn, Vec<Day>)>> {
    let made = Made {
        until: made_until(conn).await?,
        again_until: instant_of(conn, MADE_AGAIN_UNTIL).await?,
        pruned_until: pruned_until(conn).await?,
    };
    let mut answers: HashMap<UtcMs, Option<UtcMs>> = HashMap::new();
    let turn = loop {
        match turn(now, &made, |since| answers.get(&since).copied().ok_or(Unasked(since))) {
            Ok(turn) => break turn,
            Err(Unasked(since)) => answers.insert(since, first_since(conn, since).await?),
        };
    };
    let Some(turn) = turn else { return Ok(None) };
    let zones = all(conn, sqlx::query("SELECT DISTINCT timezone FROM jobs")).await?;
    let zones = zones.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    Ok(Some((turn, days_that_ended(zones, turn.hour))))
}

async fn make_day(store: &PostgresStore, day: Day) -> StoreResult<()> {
    let mut jobs: BTreeMap<String, JobDay> = BTreeMap::new();
    let mut from = day.begins;
    while from < day.ends {
        let until = UtcMs(from.0 + HOUR).min(day.ends);
        let zone = day.zone.clone();
        let hour = store.ask(move |conn| Box::pin(async move { count_jobs(conn, &zone, from, until).await })).await?;
        for (job, of) in hour {
            let whole = jobs.entry(job).or_default();
            whole.fired += of.fired;
            whole.skipped += of.skipped;
            whole.missed += of.missed;
            whole.ends.merge(of.ends);
        }
        from = until;
    }
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        let rows = jobs.by_ref().take(ROWS).collect();
        store.write(MakeDays { day: day.clone(), rows }).await?;
    }
    store.write(ForgetDays { day }).await
}

struct MakeHour {
    turn: Turn,
    rows: Vec<HourFigures>,
}

impl Write for MakeHour {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let hour = At::from(self.turn.hour);
        done(conn, sqlx::query("DELETE FROM hours WHERE hour = $1").bind(hour)).await?;
        for HourFigures { im, account, ends, lateness, .. } in &self.rows {
            let insert = sqlx::query(
                "INSERT INTO hours VALUES
                 ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
            );
            let counts = ends.each().into_iter().chain(lateness.buckets);
            let insert = insert.bind(hour).bind(im).bind(account);
            let insert = counts.fold(insert, |insert, count| insert.bind(number(count)));
            done(conn, insert.bind(lateness.most_ms.map(number))).await?;
        }
        keep_instant(conn, MADE_UNTIL, self.turn.until).await?;
        keep_instant(conn, MADE_AGAIN_UNTIL, self.turn.again_until).await
    }
}

struct MakeDays {
    day: Day,
    rows: Vec<(String, JobDay)>,
}

impl Write for MakeDays {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        for (job, of) in &self.rows {
            let insert = sqlx::query(
                "INSERT INTO job_days (job, day, zone, fired, skipped, missed, sent, failed, unknown, expired, cancelled, open)
                 VALUES ($1, $2::text::date, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT (job, day) DO UPDATE
                    SET zone = excluded.zone, fired = excluded.fired, skipped = excluded.skipped, missed = excluded.missed,
                        sent = excluded.sent, failed = excluded.failed, unknown = excluded.unknown,
                        expired = excluded.expired, cancelled = excluded.cancelled, open = excluded.open",
            );
            let counts = [of.fired, of.skipped, of.missed].into_iter().chain(of.ends.each());
            let insert = insert.bind(job).bind(&self.day.date).bind(&self.day.zone);
            done(conn, counts.fold(insert, |insert, count| insert.bind(number(count)))).await?;
        }
        Ok(())
    }
}

/// Takes away what an earlier count found on this day, of jobs that had nothing to do on it after all: their instants were
/// taken back when the clock was.
struct ForgetDays {
    day: Day,
}

impl Write for ForgetDays {
    type Answer = ();

    async fn run(&mut self, conn: &mut PgConnection) -> Result<()> {
        let forget = sqlx::query(
            "DELETE FROM job_days AS d
              WHERE d.day = $1::text::date AND d.zone = $2
                AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.job = d.job AND f.due_at >= $3 AND f.due_at < $4)",
        );
        let Day { zone, date, begins, ends } = &self.day;
        done(conn, forget.bind(date).bind(zone).bind(At::from(*begins)).bind(At::from(*ends))).await?;
        Ok(())
    }
}

/// Figures that are as old as the history that is deleted.
pub(super) async fn prune(store: &PostgresStore, before: UtcMs) -> StoreResult<()> {
    while store.write(Prune { before }).await? > 0 {}
    Ok(())
}

struct Prune {
    before: UtcMs,
}

impl Write for Prune {
    type Answer = u64;

    async fn run(&mut self, conn: &mut PgConnection) -> Result<u64> {
        let hours = sqlx::query(
            "DELETE FROM hours WHERE (hour, im, account) IN
               (SELECT hour, im, account FROM hours WHERE hour < $1 ORDER BY hour LIMIT $2)",
        );
        let hours = done(conn, hours.bind(At::from(hour_of(self.before))).bind(number(ROWS))).await?;
        let days = sqlx::query(
            "DELETE FROM job_days WHERE (job, day) IN
               (SELECT job, day FROM job_days WHERE day < $1::text::date ORDER BY day LIMIT $2)",
        );
        let days = done(conn, days.bind(last_day_before(self.before)).bind(number(ROWS))).await?;
        Ok(hours + days)
    }
}
