//! The database against what the receiver saw.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use rusqlite::{Connection, OpenFlags};

use super::receiver::{Seen, Verdict};

/// What is wrong, and some figures. Clean means that all of the first group are zero.
#[derive(Debug, Default)]
pub struct Findings {
    /// Seconds of the run, times jobs, without exactly one fire.
    pub gaps: i64,
    /// Fires that are not `fired`, although the policy says that every instant fires.
    pub not_fired: i64,
    /// Fired, but neither sent nor honestly something else.
    pub open: i64,
    /// Called sent, and the receiver never saw it.
    pub lies: usize,
    /// Taken twice.
    pub doubled: usize,
    /// Requests that arrived before their attempt was durable.
    pub unrecorded: usize,
    /// Failed, expired or cancelled.
    pub lost: i64,
    pub integrity: String,
    pub fires: i64,
    pub sent: i64,
    pub unknown: i64,
    /// Of the unknown ones, those that the receiver never saw: killed between the record and the send.
    pub unknown_unseen: usize,
    pub requests: usize,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        let wrong = [self.gaps, self.not_fired, self.open, self.lost].iter().any(|count| *count != 0);
        !wrong && self.lies == 0 && self.doubled == 0 && self.unrecorded == 0 && self.integrity == "ok" && self.sent > 0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} fires, {} sent, {} unknown ({} of them never arrived), {} requests",
            self.fires, self.sent, self.unknown, self.unknown_unseen, self.requests
        )?;
        write!(
            f,
            "lost {}, doubled {}, unexplained {}, gaps {}, sent but never seen {}, sent before recorded {}, still open {}, integrity {}",
            self.lost, self.doubled, self.not_fired, self.gaps, self.lies, self.unrecorded, self.open, self.integrity
        )
    }
}

/// The present instant as the tables write it.
pub fn now() -> String {
    SystemClock::new().now().to_string()
}

fn open(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn ids_in(connection: &Connection, state: &str) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT id FROM pushes WHERE state = ?1").unwrap();
    statement.query_map([state], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Waits until every push due by `until` has ended.
pub async fn wait_until_settled(database: &Path, until: &str) {
    let due_and_open = format!(
        "SELECT (SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id
                  WHERE p.finished_at IS NULL AND f.due_at <= '{until}')
              + (SELECT count(*) FROM jobs WHERE next_due_at <= '{until}')"
    );
    let connection = open(database);
    for _ in 0..3000 {
        if number(&connection, &due_and_open) == 0 {
            return;
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
    }
    panic!("pushes are still open a minute after the last kill");
}

/// Holds everything due by `until` against the receiver's memory.
pub fn check(database: &Path, seen: &[Seen], jobs: u32, until: &str) -> Findings {
    let connection = open(database);
    let mut findings = Findings { requests: seen.len(), ..Findings::default() };
    let seconds = format!(
        "SELECT coalesce(sum(abs(expected - recorded)), 0) FROM (
           SELECT CAST(strftime('%s', max(due_at)) AS INTEGER) - CAST(strftime('%s', min(due_at)) AS INTEGER) + 1 AS expected,
                  count(DISTINCT due_at) AS recorded
             FROM fires WHERE due_at <= '{until}' GROUP BY job)"
    );
    findings.gaps = number(&connection, &seconds);
    let known_jobs = number(&connection, "SELECT count(DISTINCT job) FROM fires");
    findings.gaps += (i64::from(jobs) - known_jobs).abs();
    let due = format!("FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE f.due_at <= '{until}'");
    let fires = format!("FROM fires WHERE due_at <= '{until}'");
    findings.fires = number(&connection, &format!("SELECT count(*) {fires}"));
    findings.not_fired = number(&connection, &format!("SELECT count(*) {fires} AND decision <> 'fired'"));
    findings.sent = number(&connection, &format!("SELECT count(*) {due} AND p.state = 'sent'"));
    findings.unknown = number(&connection, &format!("SELECT count(*) {due} AND p.state = 'unknown'"));
    findings.open = number(&connection, &format!("SELECT count(*) {due} AND p.finished_at IS NULL"));
    findings.lost =
        number(&connection, &format!("SELECT count(*) {due} AND p.state IN ('failed', 'expired', 'cancelled')"));
    findings.integrity = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();

    let mut taken: HashMap<i64, usize> = HashMap::new();
    for request in seen {
        findings.unrecorded += usize::from(!request.recorded_before);
        if matches!(request.verdict, Verdict::Taken | Verdict::TakenInSilence) {
            *taken.entry(request.push_id).or_default() += 1;
        }
    }
    findings.lies = ids_in(&connection, "sent").iter().filter(|id| !taken.contains_key(id)).count();
    let unknown = ids_in(&connection, "unknown");
    findings.unknown_unseen = unknown.iter().filter(|id| !seen.iter().any(|seen| seen.push_id == **id)).count();
    // The jobs never ask for a repeat after doubt, so that nothing may have been taken twice.
    findings.doubled = taken.values().filter(|times| **times > 1).count();
    findings
}
