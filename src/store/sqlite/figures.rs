//! Figures as they are asked for: from the tables that hold them, and counted where an hour or a day is not made yet.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cells::{At, instant, instant_of_meta, number, parsed, text, zone};
use super::fault::Result;
use crate::domain::{LATE, Lateness, UtcMs};
use crate::store::making::{
    HOUR, LONGEST_DAY, MADE_UNTIL, day_of, days_counted_from, hour_of, hours_counted_from, missing_from,
};
use crate::store::model::{Ends, HourFigures, Hours, JobDay, UnfiredDay};

/// Pushes `p` by where they stand, in the order of [`Ends::each`].
macro_rules! ends {
    () => {
        "coalesce(sum(p.state = 'sent'), 0), coalesce(sum(p.state = 'failed'), 0), coalesce(sum(p.state = 'unknown'), 0),
         coalesce(sum(p.state = 'expired'), 0), coalesce(sum(p.state = 'cancelled'), 0), coalesce(sum(p.finished_at IS NULL), 0)"
    };
}

/// Fires `f` by what was decided.
macro_rules! decisions {
    () => {
        "coalesce(sum(iif(f.decision = 'fired', f.count, 0)), 0), coalesce(sum(iif(f.decision = 'skipped', f.count, 0)), 0),
         coalesce(sum(iif(f.decision = 'missed', f.count, 0)), 0)"
    };
}

/// The hour of the first fire since an instant.
pub(super) fn first_since(conn: &Connection, since: UtcMs) -> Result<Option<UtcMs>> {
    let mut statement = conn
        .prepare_cached("SELECT due_at FROM fires INDEXED BY fires_due WHERE due_at >= ?1 ORDER BY due_at LIMIT 1")?;
    let mut rows = statement.query([At::from(since)])?;
    rows.next()?.map(|row| Ok(hour_of(instant(row, 0)?))).transpose()
}

/// How far the hours are made.
pub(super) fn made_until(conn: &Connection) -> Result<Option<UtcMs>> {
    instant_of_meta(conn, MADE_UNTIL)
}

/// Counts what was due in the hour that begins at an instant, up to now.
pub(super) fn count_hour(conn: &Connection, hour: UtcMs, now: UtcMs) -> Result<Vec<HourFigures>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT p.im, coalesce(p.account, ''), ",
        ends!(),
        ", count(late), max(late), sum(late <= ?3), sum(late <= ?4), sum(late <= ?5), sum(late <= ?6), sum(late <= ?7),
           sum(late <= ?8), sum(late <= ?9), sum(late <= ?10), sum(late <= ?11), sum(late <= ?12)
           FROM (SELECT p.im, p.account, p.state, p.finished_at,
                        CAST(max(round((julianday(a.started_at) - julianday(f.due_at)) * 86400000), 0) AS INTEGER) AS late
                   FROM fires AS f INDEXED BY fires_due
                  CROSS JOIN pushes AS p ON p.fire_id = f.id
                   LEFT JOIN attempts AS a ON a.push_id = p.id AND a.number = 1
                  WHERE f.due_at >= ?1 AND f.due_at < ?2) AS p
          GROUP BY 1, 2"
    ))?;
    let (from, until) = (At::from(hour), At::from(UtcMs((hour.0 + HOUR).min(now.0 + 1))));
    let [a, b, c, d, e, f, g, h, i, j] = LATE.map(number);
    let mut rows = statement.query(params![from, until, a, b, c, d, e, f, g, h, i, j])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut lateness = Lateness { most_ms: maybe_count(row, 9)?, ..Lateness::default() };
        let (begun, mut below): (u64, u64) = (count(row, 8)?, 0);
        for (index, bucket) in lateness.buckets.iter_mut().enumerate() {
            let up_to = if index < LATE.len() { count(row, 10 + index)? } else { begun };
            *bucket = up_to - below;
            below = up_to;
        }
        let (im, account) = (text(row, 0)?.to_owned(), text(row, 1)?.to_owned());
        found.push(HourFigures { hour, im, account, ends: ends_at(row, 2)?, lateness });
    }
    Ok(found)
}

/// A count, or a length in milliseconds; what is NULL is none.
fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(maybe_count(row, column)?.unwrap_or(0))
}

fn maybe_count(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|count| u64::try_from(count).unwrap_or(0)))
}

fn ends_at(row: &Row<'_>, first: usize) -> Result<Ends> {
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
pub(super) fn count_jobs(
    conn: &Connection,
    zone: &str,
    from: UtcMs,
    until: UtcMs,
    into: &mut BTreeMap<String, JobDay>,
) -> Result<()> {
    let bounds = params![At::from(from), At::from(until), zone];
    let mut decisions = conn.prepare_cached(concat!(
        "SELECT f.job, ",
        decisions!(),
        " FROM fires AS f INDEXED BY fires_due CROSS JOIN jobs AS j ON j.name = f.job
          WHERE f.due_at >= ?1 AND f.due_at < ?2 AND j.timezone = ?3 GROUP BY 1"
    ))?;
    let mut rows = decisions.query(bounds)?;
    while let Some(row) = rows.next()? {
        add_decisions(into.entry(text(row, 0)?.to_owned()).or_default(), row, 1)?;
    }
    let mut ends = conn.prepare_cached(concat!(
        "SELECT f.job, ",
        ends!(),
        " FROM fires AS f INDEXED BY fires_due CROSS JOIN jobs AS j ON j.name = f.job
          CROSS JOIN pushes AS p ON p.fire_id = f.id
          WHERE f.due_at >= ?1 AND f.due_at < ?2 AND j.timezone = ?3 GROUP BY 1"
    ))?;
    let mut rows = ends.query(bounds)?;
    while let Some(row) = rows.next()? {
        into.entry(text(row, 0)?.to_owned()).or_default().ends.merge(ends_at(row, 1)?);
    }
    Ok(())
}

fn add_decisions(day: &mut JobDay, row: &Row<'_>, first: usize) -> Result<()> {
    day.fired += count(row, first)?;
    day.skipped += count(row, first + 1)?;
    day.missed += count(row, first + 2)?;
    Ok(())
}

pub(super) fn hours(conn: &Connection, from: UtcMs, until: UtcMs, now: UtcMs) -> Result<Hours> {
    let running = hour_of(now);
    let made = made_until(conn)?;
    let mut counted_from = hours_counted_from(made, now);
    let mut statement = conn.prepare_cached(
        "SELECT hour, im, account, sent, failed, unknown, expired, cancelled, open, most_ms, late_10, late_50, late_100,
                late_500, late_1000, late_5000, late_30000, late_60000, late_300000, late_3600000, late_more
           FROM hours WHERE hour >= ?1 AND hour <= ?2 AND hour < ?3 ORDER BY hour, im, account",
    )?;
    let mut rows = statement.query(params![At::from(from), At::from(until), At::from(counted_from)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut lateness = Lateness { most_ms: maybe_count(row, 9)?, ..Lateness::default() };
        for (index, bucket) in lateness.buckets.iter_mut().enumerate() {
            *bucket = count(row, 10 + index)?;
        }
        let (im, account) = (text(row, 1)?.to_owned(), text(row, 2)?.to_owned());
        found.push(HourFigures { hour: instant(row, 0)?, im, account, ends: ends_at(row, 3)?, lateness });
    }
    while counted_from <= running {
        if counted_from >= from && counted_from <= until {
            found.extend(count_hour(conn, counted_from, now)?);
        }
        counted_from.0 += HOUR;
    }
    let first = first_since(conn, made.unwrap_or(UtcMs(0)))?;
    Ok(Hours { rows: found, missing_from: missing_from(first, now) })
}

pub(super) fn job_days(conn: &Connection, job: &str, from: &str, now: UtcMs) -> Result<Vec<JobDay>> {
    let mut statement = conn.prepare_cached("SELECT timezone FROM jobs WHERE name = ?1")?;
    let Some(name) = statement.query_row([job], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(Vec::new());
    };
    let zone = zone(&name);
    let mut begins = days_counted_from(made_until(conn)?, now, &zone);
    let first = day_of(begins, &zone).0.to_string();
    let mut statement = conn.prepare_cached(
        "SELECT fired, skipped, missed, sent, failed, unknown, expired, cancelled, open, day
           FROM job_days WHERE job = ?1 AND day >= ?2 AND day < ?3 ORDER BY day",
    )?;
    let mut rows = statement.query(params![job, from, first])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut day = JobDay { day: text(row, 9)?.to_owned(), ends: ends_at(row, 3)?, ..JobDay::default() };
        add_decisions(&mut day, row, 0)?;
        found.push(day);
    }
    while begins <= now {
        let (date, _, ends) = day_of(begins, &zone);
        let day = count_day(conn, job, date.to_string(), begins, ends.min(UtcMs(now.0 + 1)))?;
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
fn count_day(conn: &Connection, job: &str, day: String, from: UtcMs, until: UtcMs) -> Result<JobDay> {
    let mut day = JobDay { day, ..JobDay::default() };
    let bounds = params![job, At::from(from), At::from(until)];
    let mut decisions = conn.prepare_cached(concat!(
        "SELECT ",
        decisions!(),
        " FROM fires AS f WHERE f.job = ?1 AND f.due_at >= ?2 AND f.due_at < ?3"
    ))?;
    let mut rows = decisions.query(bounds)?;
    while let Some(row) = rows.next()? {
        add_decisions(&mut day, row, 0)?;
    }
    let mut ends = conn.prepare_cached(concat!(
        "SELECT ",
        ends!(),
        " FROM fires AS f CROSS JOIN pushes AS p ON p.fire_id = f.id WHERE f.job = ?1 AND f.due_at >= ?2 AND f.due_at < ?3"
    ))?;
    let mut rows = ends.query(bounds)?;
    while let Some(row) = rows.next()? {
        day.ends.merge(ends_at(row, 0)?);
    }
    Ok(day)
}

pub(super) fn unfired_days(conn: &Connection, from: &str, now: UtcMs) -> Result<Vec<UnfiredDay>> {
    let mut days: BTreeMap<String, UnfiredDay> = BTreeMap::new();
    let mut add = |day: String, skipped: u64, missed: u64| {
        let of = days.entry(day.clone()).or_insert_with(|| UnfiredDay { day, ..UnfiredDay::default() });
        of.skipped += skipped;
        of.missed += missed;
    };
    let mut statement = conn.prepare_cached(
        "SELECT day, sum(skipped), sum(missed) FROM job_days INDEXED BY job_days_day WHERE day >= ?1 GROUP BY day",
    )?;
    let mut rows = statement.query([from])?;
    while let Some(row) = rows.next()? {
        add(text(row, 0)?.to_owned(), count(row, 1)?, count(row, 2)?);
    }
    let made = made_until(conn)?;
    let mut zones: BTreeMap<String, (TimeZone, UtcMs)> = BTreeMap::new();
    // To the minute: no zone's day begins between two of them.
    let mut statement = conn.prepare_cached(
        "SELECT j.timezone, substr(f.due_at, 1, 16), sum(iif(f.decision = 'skipped', f.count, 0)),
                sum(iif(f.decision = 'missed', f.count, 0))
           FROM fires AS f INDEXED BY fires_unfired CROSS JOIN jobs AS j ON j.name = f.job
          WHERE f.decision <> 'fired' AND f.due_at >= ?1 AND f.due_at <= ?2
          GROUP BY 1, 2",
    )?;
    let mut rows = statement.query(params![At::from(UtcMs(now.0 - 2 * LONGEST_DAY)), At::from(now)])?;
    while let Some(row) = rows.next()? {
        let name = text(row, 0)?;
        if !zones.contains_key(name) {
            let zone = zone(name);
            let counted_from = days_counted_from(made, now, &zone);
            zones.insert(name.to_owned(), (zone, counted_from));
        }
        let Some((zone, counted_from)) = zones.get(name) else { continue };
        let at: UtcMs = parsed(&format!("{}:00.000Z", text(row, 1)?))?;
        let day = day_of(at, zone).0.to_string();
        if at >= *counted_from && &*day >= from {
            add(day, count(row, 2)?, count(row, 3)?);
        }
    }
    Ok(days.into_values().collect())
}
