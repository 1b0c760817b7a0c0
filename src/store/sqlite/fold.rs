//! Making figures, hour by hour: each hour and each day is counted on a connection that reads, and written in small batches.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::cells::{At, instant_of_meta, number, zone};
use super::fault::Result;
use super::figures::{
    HOUR, MADE_AGAIN_UNTIL, MADE_UNTIL, count_hour, count_jobs, day_of, first_since, hour_of, made_until,
};
use super::handle::SqliteStore;
use super::pruned::pruned_until;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::error::StoreResult;
use crate::store::model::{HourFigures, JobDay};

/// So long after its end an hour is made: what was due in it has begun by then, as a rule.
const AFTER: Duration = Duration::from_secs(300);
/// And again so much later.
const AGAIN: Duration = Duration::from_secs(86_400);
/// So long after an instant its day has ended in every zone.
const OF_A_DAY: i64 = 48 * HOUR;
/// Rows that one write takes.
const ROWS: usize = 200;

/// The next hour to make, and what is noted with it.
struct Turn {
    hour: UtcMs,
    until: UtcMs,
    again_until: UtcMs,
    days: Vec<Day>,
}

/// A day that ended in the hour, in one zone.
#[derive(Clone)]
struct Day {
    zone: String,
    date: String,
    begins: UtcMs,
    ends: UtcMs,
}

pub(super) async fn next(store: &SqliteStore, now: UtcMs) -> StoreResult<bool> {
    let Some(turn) = store.read(move |conn| turn(conn, now)).await? else { return Ok(false) };
    let hour = turn.hour;
    let rows = store.read(move |conn| count_hour(conn, hour, now)).await?;
    for day in turn.days {
        make_day(store, day).await?;
    }
    // Noted last: what was broken off is made anew.
    store.write(MakeHour { hour, rows, until: turn.until, again_until: turn.again_until }).await?;
    Ok(true)
}

fn turn(conn: &Connection, now: UtcMs) -> Result<Option<Turn>> {
    let due = hour_of(now - AFTER);
    let due_again = hour_of(now - AFTER - AGAIN);
    let made = made_until(conn)?;
    let until = match made {
        Some(until) if until > due => {
            // The clock was put back: from here on hours are made as they come.
            let (hour, again_until) = (UtcMs(due.0 - HOUR), due_again);
            return Ok(Some(Turn { hour, until: due, again_until, days: days_that_ended(conn, hour)? }));
        }
        Some(until) => until,
        None => match first_since(conn, UtcMs(0))? {
            Some(first) => first,
            None => return Ok(None),
        },
    };
    let again_until = instant_of_meta(conn, MADE_AGAIN_UNTIL)?.unwrap_or(until).min(until);
    if let Some(hour) = without_holes(conn, until)?.filter(|hour| *hour < due) {
        let made = UtcMs(hour.0 + HOUR);
        // More than a day back nothing more is to come, so once is enough, unless earlier hours wait to be made again.
        let again_until = if again_until == until && made <= due_again { made } else { again_until };
        return Ok(Some(Turn { hour, until: made, again_until, days: days_that_ended(conn, hour)? }));
    }
    let again = match pruned_until(conn)? {
        Some(pruned) => again_until.max(UtcMs(hour_of(pruned).0 + HOUR)),
        None => again_until,
    };
    let hour = without_holes(conn, again)?.filter(|hour| *hour < due_again.min(until));
    let Some(hour) = hour else { return Ok(None) };
    Ok(Some(Turn { hour, until, again_until: UtcMs(hour.0 + HOUR), days: days_that_ended(conn, hour)? }))
}

/// The hour itself, or the next one in which anything was due where nothing was for two days before: no job's day ends between.
fn without_holes(conn: &Connection, hour: UtcMs) -> Result<Option<UtcMs>> {
    Ok(first_since(conn, UtcMs(hour.0 - OF_A_DAY))?.map(|found| found.max(hour)))
}

fn days_that_ended(conn: &Connection, hour: UtcMs) -> Result<Vec<Day>> {
    let mut statement = conn.prepare_cached("SELECT DISTINCT timezone FROM jobs")?;
    let zones = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let day = |name: String| {
        let (date, begins, ends) = day_of(hour, &zone(&name));
        Day { zone: name, date: date.to_string(), begins, ends }
    };
    let ended = |day: &Day| day.ends > hour && day.ends.0 <= hour.0 + HOUR;
    Ok(zones.into_iter().map(day).filter(ended).collect())
}

async fn make_day(store: &SqliteStore, day: Day) -> StoreResult<()> {
    let mut jobs: BTreeMap<String, JobDay> = BTreeMap::new();
    let mut from = day.begins;
    while from < day.ends {
        let until = UtcMs(from.0 + HOUR).min(day.ends);
        let name = day.zone.clone();
        jobs = store
            .read(move |conn| {
                count_jobs(conn, &name, from, until, &mut jobs)?;
                Ok(jobs)
            })
            .await?;
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
    hour: UtcMs,
    rows: Vec<HourFigures>,
    until: UtcMs,
    again_until: UtcMs,
}

impl Write for MakeHour {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let hour = At::from(self.hour);
        conn.execute("DELETE FROM hours WHERE hour = ?1", [hour])?;
        let mut insert = conn.prepare(
            "INSERT INTO hours VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
        )?;
        for HourFigures { im, account, ends, lateness, .. } in &self.rows {
            let [sent, failed, unknown, expired, cancelled, open] = ends.each().map(number);
            let [a, b, c, d, e, f, g, h, i, j, more] = lateness.buckets.map(number);
            insert.execute(params![
                hour,
                im,
                account,
                sent,
                failed,
                unknown,
                expired,
                cancelled,
                open,
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
                i,
                j,
                more,
                lateness.most_ms.map(number)
            ])?;
        }
        let mut note = conn.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
        note.execute(params![MADE_UNTIL, At::from(self.until)])?;
        note.execute(params![MADE_AGAIN_UNTIL, At::from(self.again_until)])?;
        Ok(())
    }
}

struct MakeDays {
    day: Day,
    rows: Vec<(String, JobDay)>,
}

impl Write for MakeDays {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let mut insert =
            conn.prepare("INSERT OR REPLACE INTO job_days VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
        for (job, of) in &self.rows {
            let [sent, failed, unknown, expired, cancelled, open] = of.ends.each().map(number);
            insert.execute(params![
                job,
                self.day.date,
                self.day.zone,
                number(of.fired),
                number(of.skipped),
                number(of.missed),
                sent,
                failed,
                unknown,
                expired,
                cancelled,
                open
            ])?;
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

    fn run(&mut self, conn: &Connection) -> Result<()> {
        conn.execute(
            "DELETE FROM job_days
              WHERE day = ?1 AND zone = ?2
                AND NOT EXISTS (SELECT 1 FROM fires AS f
                                 WHERE f.job = job_days.job AND f.due_at >= ?3 AND f.due_at < ?4)",
            params![self.day.date, self.day.zone, At::from(self.day.begins), At::from(self.day.ends)],
        )?;
        Ok(())
    }
}

/// Figures that are as old as the history that is deleted.
pub(super) async fn prune(store: &SqliteStore, before: UtcMs) -> StoreResult<()> {
    while store.write(Prune { before }).await? > 0 {}
    Ok(())
}

struct Prune {
    before: UtcMs,
}

impl Write for Prune {
    type Answer = usize;

    fn run(&mut self, conn: &Connection) -> Result<usize> {
        let rows = ROWS as i64;
        let hours = conn.execute(
            "DELETE FROM hours WHERE (hour, im, account) IN
               (SELECT hour, im, account FROM hours WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
            params![At::from(hour_of(self.before)), rows],
        )?;
        // A day that ended in every zone.
        let day = UtcMs(self.before.0 - OF_A_DAY / 2).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        let days = conn.execute(
            "DELETE FROM job_days WHERE (job, day) IN
               (SELECT job, day FROM job_days INDEXED BY job_days_day WHERE day < ?1 ORDER BY day LIMIT ?2)",
            params![day, rows],
        )?;
        Ok(hours + days)
    }
}
