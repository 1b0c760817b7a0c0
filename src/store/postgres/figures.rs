//! Figures as they are asked for: from the tables that hold them, and counted where an hour or a day is not made yet.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::ask::{all, maybe, one};
use super::cells::{instant, number, text, zone};
use super::fault::Result;
use super::instants::At;
use super::meta::instant_of;
use crate::domain::{LATE, Lateness, UtcMs};
use crate::store::making::{
    HOUR, LONGEST_DAY, MADE_UNTIL, day_of, days_counted_from, hour_of, hours_counted_from, missing_from,
};
use crate::store::model::{Ends, HourFigures, Hours, JobDay, UnfiredDay};

/// Pushes `p` by where they stand, in the order of [`Ends::each`].
macro_rules! ends {
    () => {
        "count(*) FILTER (WHERE p.state = 'sent'), count(*) FILTER (WHERE p.state = 'failed'),
         count(*) FILTER (WHERE p.state = 'unknown'), count(*) FILTER (WHERE p.state = 'expired'),
         count(*) FILTER (WHERE p.state = 'cancelled'), count(*) FILTER (WHERE p.finished_at IS NULL)"
    };
}

/// Fires `f` by what was decided.
macro_rules! decisions {
    () => {
        "(sum(f.count) FILTER (WHERE f.decision = 'fired'))::bigint,
         (sum(f.count) FILTER (WHERE f.decision = 'skipped'))::bigint,
         (sum(f.count) FILTER (WHERE f.decision = 'missed'))::bigint"
    };
}

/// The hour of the first fire since an instant.
pub(super) async fn first_since(conn: &mut PgConnection, since: UtcMs) -> Result<Option<UtcMs>> {
    let ask = sqlx::query("SELECT due_at FROM fires WHERE due_at >= $1 ORDER BY due_at LIMIT 1");
    maybe(conn, ask.bind(At::from(since))).await?.map(|row| Ok(hour_of(instant(&row, 0)?))).transpose()
}

/// How far the hours are made.
pub(super) async fn made_until(conn: &mut PgConnection) -> Result<Option<UtcMs>> {
    instant_of(conn, MADE_UNTIL).await
}

/// Counts what was due in the hour that begins at an instant, up to now.
pub(super) async fn count_hour(conn: &mut PgConnection, hour: UtcMs, now: UtcMs) -> Result<Vec<HourFigures>> {
    let ask = sqlx::query(concat!(
        r#"SELECT p.im COLLATE "C", coalesce(p.account, '') COLLATE "C", "#,
        ends!(),
        ", count(late), max(late), count(*) FILTER (WHERE late <= $3), count(*) FILTER (WHERE late <= $4),
           count(*) FILTER (WHERE late <= $5), count(*) FILTER (WHERE late <= $6), count(*) FILTER (WHERE late <= $7),
           count(*) FILTER (WHERE late <= $8), count(*) FILTER (WHERE late <= $9), count(*) FILTER (WHERE late <= $10),
           count(*) FILTER (WHERE late <= $11), count(*) FILTER (WHERE late <= $12)
           FROM (SELECT p.im, p.account, p.state, p.finished_at,
                        CASE WHEN a.started_at IS NOT NULL THEN
                          greatest(round(extract(epoch FROM a.started_at - f.due_at) * 1000), 0)::bigint END AS late
                   FROM fires AS f
                   JOIN pushes AS p ON p.fire_id = f.id
                   LEFT JOIN attempts AS a ON a.push_id = p.id AND a.number = 1
                  WHERE f.due_at >= $1 AND f.due_at < $2) AS p
          GROUP BY 1, 2 ORDER BY 1, 2"
    ));
    let ask = ask.bind(At::from(hour)).bind(At::from(UtcMs((hour.0 + HOUR).min(now.0 + 1))));
    let ask = LATE.into_iter().fold(ask, |ask, late| ask.bind(number(late)));
    let figures = |row: &PgRow| {
        let mut lateness = Lateness { most_ms: maybe_count(row, 9)?, ..Lateness::default() };
        let (begun, mut below): (u64, u64) = (count(row, 8)?, 0);
        for (index, bucket) in lateness.buckets.iter_mut().enumerate() {
            let up_to = if index < LATE.len() { count(row, 10 + index)? } else { begun };
            *bucket = up_to - below;
            below = up_to;
        }
        Ok(HourFigures { hour, im: row.try_get(0)?, account: row.try_get(1)?, ends: ends_at(row, 2)?, lateness })
    };
    all(conn, ask).await?.iter().map(figures).collect()
}

/// A count, or a length in milliseconds; what is NULL is none.
fn count(row: &PgRow, column: usize) -> Result<u64> {
    Ok(maybe_count(row, column)?.unwrap_or(0))
}

fn maybe_count(row: &PgRow, column: usize) -> Result<Option<u64>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(|count| u64::try_from(count).unwrap_or(0)))
}

fn ends_at(row: &PgRow, first: usize) -> Result<Ends> {
    Ok(Ends {
        sent: count(row, first)?,
        failed: count(row, first + 1)?,
        unknown: count(row, first + 2)?,
        expired: count(row, first + 3)?,
        cancelled: count(row, first + 4)?,
        open: count(row, first + 5)?,
    })
}

/// What was due of jobs of a zone from one instant until another, which is not included; by job.
pub(super) async fn count_jobs(
    conn: &mut PgConnection,
    zone: &str,
    from: UtcMs,
    until: UtcMs,
) -> Result<BTreeMap<String, JobDay>> {
    let mut jobs: BTreeMap<String, JobDay> = BTreeMap::new();
    let decisions = sqlx::query(concat!(
        "SELECT f.job, ",
        decisions!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job
          WHERE f.due_at >= $1 AND f.due_at < $2 AND j.timezone = $3 GROUP BY 1"
    ));
    for row in all(conn, decisions.bind(At::from(from)).bind(At::from(until)).bind(zone)).await? {
        add_decisions(jobs.entry(row.try_get(0)?).or_default(), &row, 1)?;
    }
    let ends = sqlx::query(concat!(
        "SELECT f.job, ",
        ends!(),
        " FROM fires AS f JOIN jobs AS j ON j.name = f.job JOIN pushes AS p ON p.fire_id = f.id
          WHERE f.due_at >= $1 AND f.due_at < $2 AND j.timezone = $3 GROUP BY 1"
    ));
    for row in all(conn, ends.bind(At::from(from)).bind(At::from(until)).bind(zone)).await? {
        jobs.entry(row.try_get(0)?).or_default().ends.merge(ends_at(&row, 1)?);
    }
    Ok(jobs)
}

fn add_decisions(day: &mut JobDay, row: &PgRow, first: usize) -> Result<()> {
    day.fired += count(row, first)?;
    day.skipped += count(row, first + 1)?;
    day.missed += count(row, first + 2)?;
    Ok(())
}

pub(super) async fn hours(conn: &mut PgConnection, from: UtcMs, until: UtcMs, now: UtcMs) -> Result<Hours> {
    let made = made_until(conn).await?;
    let mut counted_from = hours_counted_from(made, now);
    let ask = sqlx::query(
        "SELECT hour, im, account, sent, failed, unknown, expired, cancelled, open, most_ms, late_10, late_50, late_100,
                late_500, late_1000, late_5000, late_30000, late_60000, late_300000, late_3600000, late_more
           FROM hours WHERE hour >= $1 AND hour <= $2 AND hour < $3 ORDER BY hour, im, account",
    );
    let ask = ask.bind(At::from(from)).bind(At::from(until)).bind(At::from(counted_from));
    let figures = |row: &PgRow| {
        let mut lateness = Lateness { most_ms: maybe_count(row, 9)?, ..Lateness::default() };
        for (index, bucket) in lateness.buckets.iter_mut().enumerate() {
            *bucket = count(row, 10 + index)?;
        }
        let (im, account) = (row.try_get(1)?, row.try_get(2)?);
        Ok(HourFigures { hour: instant(row, 0)?, im, account, ends: ends_at(row, 3)?, lateness })
    };
    let mut found = all(conn, ask).await?.iter().map(figures).collect::<Result<Vec<_>>>()?;
    while counted_from <= hour_of(now) {
        if counted_from >= from && counted_from <= until {
            found.extend(count_hour(conn, counted_from, now).await?);
        }
        counted_from.0 += HOUR;
    }
    let first = first_since(conn, made.unwrap_or(UtcMs(0))).await?;
    Ok(Hours { rows: found, missing_from: missing_from(first, now) })
}

pub(super) async fn job_days(conn: &mut PgConnection, job: &str, from: &str, now: UtcMs) -> Result<Vec<JobDay>> {
    let Some(row) = maybe(conn, sqlx::query("SELECT timezone FROM jobs WHERE name = $1").bind(job)).await? else {
        return Ok(Vec::new());
    };
    let zone = zone(text(&row, 0)?);
    let mut begins = days_counted_from(made_until(conn).await?, now, &zone);
    let first = day_of(begins, &zone).0.to_string();
    let ask = sqlx::query(
        "SELECT fired, skipped, missed, sent, failed, unknown, expired, cancelled, open, to_char(day, 'YYYY-MM-DD')
           FROM job_days WHERE job = $1 AND day >= $2::text::date AND day < $3::text::date ORDER BY day",
    );
    let made = |row: &PgRow| {
        let mut day = JobDay { day: row.try_get(9)?, ends: ends_at(row, 3)?, ..JobDay::default() };
        add_decisions(&mut day, row, 0)?;
        Ok(day)
    };
    let rows = all(conn, ask.bind(job).bind(from).bind(first)).await?;
    let mut found = rows.iter().map(made).collect::<Result<Vec<_>>>()?;
    while begins <= now {
        let (date, _, ends) = day_of(begins, &zone);
        let day = count_day(conn, job, date.to_string(), begins, ends.min(UtcMs(now.0 + 1))).await?;
        if &*day.day >= from && day.fired + day.skipped + day.missed > 0 {
            found.push(day);
        }
        if ends <= begins {
            break;
        }
        begins = ends;
    }
    Ok(found)
}

/// What was due of one job from one instant until another, which is not included.
async fn count_day(conn: &mut PgConnection, job: &str, day: String, from: UtcMs, until: UtcMs) -> Result<JobDay> {
    let mut day = JobDay { day, ..JobDay::default() };
    let decisions = sqlx::query(concat!(
        "SELECT ",
        decisions!(),
        " FROM fires AS f WHERE f.job = $1 AND f.due_at >= $2 AND f.due_at < $3"
    ));
    let row = one(conn, decisions.bind(job).bind(At::from(from)).bind(At::from(until))).await?;
    add_decisions(&mut day, &row, 0)?;
    let ends = sqlx::query(concat!(
        "SELECT ",
        ends!(),
        " FROM fires AS f JOIN pushes AS p ON p.fire_id = f.id WHERE f.job = $1 AND f.due_at >= $2 AND f.due_at < $3"
    ));
    let row = one(conn, ends.bind(job).bind(At::from(from)).bind(At::from(until))).await?;
    day.ends = ends_at(&row, 0)?;
    Ok(day)
}

pub(super) async fn unfired_days(conn: &mut PgConnection, from: &str, now: UtcMs) -> Result<Vec<UnfiredDay>> {
    let mut days: BTreeMap<String, UnfiredDay> = BTreeMap::new();
    let mut add = |day: String, skipped: u64, missed: u64| {
        let of = days.entry(day.clone()).or_insert_with(|| UnfiredDay { day, ..UnfiredDay::default() });
        of.skipped += skipped;
        of.missed += missed;
    };
    let ask = sqlx::query(
        "SELECT to_char(day, 'YYYY-MM-DD'), sum(skipped)::bigint, sum(missed)::bigint
           FROM job_days WHERE day >= $1::text::date GROUP BY day",
    );
    for row in all(conn, ask.bind(from)).await? {
        add(row.try_get(0)?, count(&row, 1)?, count(&row, 2)?);
    }
    let made = made_until(conn).await?;
    let mut zones: BTreeMap<String, (TimeZone, UtcMs)> = BTreeMap::new();
    // To the minute: no zone's day begins between two of them.
    let ask = sqlx::query(
        "SELECT j.timezone, date_trunc('minute', f.due_at),
                (sum(f.count) FILTER (WHERE f.decision = 'skipped'))::bigint,
                (sum(f.count) FILTER (WHERE f.decision = 'missed'))::bigint
           FROM fires AS f JOIN jobs AS j ON j.name = f.job
          WHERE f.decision <> 'fired' AND f.due_at >= $1 AND f.due_at <= $2
          GROUP BY 1, 2",
    );
    let ask = ask.bind(At::from(UtcMs(now.0 - 2 * LONGEST_DAY))).bind(At::from(now));
    for row in all(conn, ask).await? {
        let name = text(&row, 0)?;
        let (zone, counted_from) = zones.entry(name.to_owned()).or_insert_with(|| {
            let zone = zone(name);
            let counted_from = days_counted_from(made, now, &zone);
            (zone, counted_from)
        });
        let at = instant(&row, 1)?;
        let day = day_of(at, zone).0.to_string();
        if at >= *counted_from && &*day >= from {
            add(day, count(&row, 2)?, count(&row, 3)?);
        }
    }
    Ok(days.into_values().collect())
}
