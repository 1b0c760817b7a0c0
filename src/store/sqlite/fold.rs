//! Making figures, hour by hour: each hour and each day is counted on a connection that reads, and written in small batches.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::cells::{At, instant_of_meta, number};
use super::fault::Result;
use super::figures::{count_hour, count_jobs, first_since, made_until};
use super::handle::SqliteStore;
use super::pruned::pruned_until;
use super::writer::Write;
use crate::domain::UtcMs;
use crate::store::error::StoreResult;
use crate::store::making::{
    Day, HOUR, MADE_AGAIN_UNTIL, MADE_UNTIL, Made, Turn, days_that_ended, hour_of, last_day_before, turn,
};
use crate::store::model::{HourFigures, JobDay};

/// Rows that one write takes.
const ROWS: usize = 200;

pub(super) async fn next(store: &SqliteStore, now: UtcMs) -> StoreResult<bool> {
    let Some((turn, days)) = store.read(move |conn| next_turn(conn, now)).await? else { return Ok(false) };
    let rows = store.read(move |conn| count_hour(conn, turn.hour, now)).await?;
    for day in days {
        make_day(store, day).await?;
    }
    // Noted last: what was broken off is made anew.
    store.write(MakeHour { turn, rows }).await?;
    Ok(true)
}

fn next_turn(conn: &Connection, now: UtcMs) -> Result<Option<(Turn, Vec<Day>)>> {
    let made = Made {
        until: made_until(conn)?,
        again_until: instant_of_meta(conn, MADE_AGAIN_UNTIL)?,
        pruned_until: pruned_until(conn)?,
    };
    let Some(turn) = turn(now, &made, |since| first_since(conn, since))? else { return Ok(None) };
    let mut statement = conn.prepare_cached("SELECT DISTINCT timezone FROM jobs")?;
    let zones = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Some((turn, days_that_ended(zones, turn.hour))))
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
    turn: Turn,
    rows: Vec<HourFigures>,
}

impl Write for MakeHour {
    type Answer = ();

    fn run(&mut self, conn: &Connection) -> Result<()> {
        let hour = At::from(self.turn.hour);
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
        note.execute(params![MADE_UNTIL, At::from(self.turn.until)])?;
        note.execute(params![MADE_AGAIN_UNTIL, At::from(self.turn.again_until)])?;
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
        let days = conn.execute(
            "DELETE FROM job_days WHERE (job, day) IN
               (SELECT job, day FROM job_days INDEXED BY job_days_day WHERE day < ?1 ORDER BY day LIMIT ?2)",
            params![last_day_before(self.before), rows],
        )?;
        Ok(hours + days)
    }
}
