//! The database against what the receiver saw.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::receiver::Seen;
use super::stage::{PATIENCE, within};

/// What a mode expects of its database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules<'a> {
    /// The jobs, and how many seconds lie between their instants.
    pub jobs: &'a [(&'a str, i64)],
    /// The policies let instants go.
    pub may_miss: bool,
    /// Pushes may end in another way than sent or unknown: who asked for them was told.
    pub may_fail: bool,
    /// The clock leaps over instants that were recorded ahead.
    pub leaps: bool,
    /// A path whose receiver drops what it has seen.
    pub dedupes: Option<&'a str>,
    /// The database's file was not at its path for a time.
    pub away: Option<Away>,
}

/// When the database lay elsewhere, by the receiver's clock. Whoever looked for an attempt at its path then found nothing,
/// or a backup that knew nothing of it, while the daemon recorded it in the file that it held open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub from: Duration,
    pub until: Duration,
    /// The file is at its path again, and tells what it held; else that is gone with it.
    pub came_back: bool,
}

/// What is wrong, and some figures. Clean means that all of the first group are zero.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Instants by our own count, expected minus recorded, over all jobs.
    pub gaps: i64,
    /// The same by `pushcron ledger`.
    pub ledger: i64,
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
    /// Shown after their instant, and gone.
    pub vanished: usize,
    /// Ended, and later in another state.
    pub changed: usize,
    /// What only this mode knows to be wrong.
    pub wrong: Vec<String>,
    pub examples: Vec<String>,
    pub integrity: String,
    pub kills: u64,
    pub fires: i64,
    pub sent: i64,
    pub unknown: i64,
    /// Of the unknown ones, those that the receiver never saw: killed between the record and the send.
    pub unknown_unseen: usize,
    pub requests: usize,
    pub looks: u64,
    pub shown: usize,
}

impl Findings {
    /// Takes in what another stage of the same mode came to.
    pub(crate) fn add(&mut self, other: Findings) {
        self.gaps += other.gaps;
        self.ledger += other.ledger;
        self.not_fired += other.not_fired;
        self.open += other.open;
        self.lies += other.lies;
        self.doubled += other.doubled;
        self.unrecorded += other.unrecorded;
        self.lost += other.lost;
        self.vanished += other.vanished;
        self.changed += other.changed;
        self.wrong.extend(other.wrong);
        self.examples.extend(other.examples);
        if self.integrity.is_empty() || self.integrity == "ok" {
            self.integrity = other.integrity;
        }
        self.kills += other.kills;
        self.fires += other.fires;
        self.sent += other.sent;
        self.unknown += other.unknown;
        self.unknown_unseen += other.unknown_unseen;
        self.requests += other.requests;
        self.looks += other.looks;
        self.shown += other.shown;
    }

    pub(crate) fn is_clean(&self) -> bool {
        let counts = [self.gaps, self.ledger, self.not_fired, self.open, self.lost];
        let sizes = [self.lies, self.doubled, self.unrecorded, self.vanished, self.changed, self.wrong.len()];
        counts.iter().all(|count| *count == 0)
            && sizes.iter().all(|size| *size == 0)
            && self.integrity == "ok"
            && self.sent > 0
            && self.looks > 0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} kills, {} fires, {} sent, {} unknown ({} of them never arrived), {} requests, {} pushes shown in {} looks",
            self.kills, self.fires, self.sent, self.unknown, self.unknown_unseen, self.requests, self.shown, self.looks
        )?;
        write!(
            f,
            "lost {}, doubled {}, vanished {}, changed {}, unexplained {}, gaps {}, ledger {}, sent but never seen {}, \
             sent before recorded {}, still open {}, integrity {}",
            self.lost,
            self.doubled,
            self.vanished,
            self.changed,
            self.not_fired,
            self.gaps,
            self.ledger,
            self.lies,
            self.unrecorded,
            self.open,
            self.integrity
        )?;
        for wrong in self.wrong.iter().take(10).chain(&self.examples) {
            write!(f, "\n  {wrong}")?;
        }
        Ok(())
    }
}

pub(crate) fn open(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

pub(crate) fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

pub(crate) fn ids(connection: &Connection, sql: &str) -> HashSet<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Waits until every push due by `until` has ended.
pub(crate) async fn wait_until_settled(database: &Path, until: &str) -> bool {
    let due_and_open = format!(
        "SELECT (SELECT count(*) FROM pushes p JOIN fires f ON f.id = p.fire_id
                  WHERE p.finished_at IS NULL AND f.due_at <= '{until}')
              + (SELECT count(*) FROM jobs WHERE next_due_at <= '{until}' AND removed_at IS NULL)"
    );
    let connection = open(database);
    within(PATIENCE * 2, || number(&connection, &due_and_open) == 0).await
}

/// Holds everything due by `until` against the receiver's memory.
pub(crate) fn check(database: &Path, seen: &[Seen], rules: &Rules<'_>, until: &str) -> Findings {
    let connection = open(database);
    let mut findings = Findings { requests: seen.len(), ..Findings::default() };
    for (job, period) in rules.jobs {
        let difference = format!(
            "SELECT coalesce((CAST(strftime('%s', max(coalesce(until_at, due_at))) AS INTEGER)
                              - CAST(strftime('%s', min(due_at)) AS INTEGER)) / {period} + 1 - sum(count), 1)
               FROM fires WHERE job = '{job}' AND triggered_by = 'cron' AND due_at <= '{until}'"
        );
        findings.gaps += number(&connection, &difference).abs();
    }
    let due = format!("FROM pushes p JOIN fires f ON f.id = p.fire_id WHERE f.due_at <= '{until}'");
    let fires = format!("FROM fires WHERE due_at <= '{until}'");
    findings.fires = number(&connection, &format!("SELECT count(*) {fires}"));
    findings.sent = number(&connection, &format!("SELECT count(*) {due} AND p.state = 'sent'"));
    findings.unknown = number(&connection, &format!("SELECT count(*) {due} AND p.state = 'unknown'"));
    findings.open = number(&connection, &format!("SELECT count(*) {due} AND p.finished_at IS NULL"));
    findings.open += number(&connection, "SELECT count(*) FROM attempts WHERE outcome IS NULL");
    if !rules.may_miss {
        findings.not_fired = number(&connection, &format!("SELECT count(*) {fires} AND decision <> 'fired'"));
    }
    if !rules.may_fail {
        // Recorded ahead, and leapt over before its instant came: its misfire policy ends it as it would have had the
        // instant missed, and no sender was ever called.
        let is_misfire = match rules.leaps {
            true => "(p.state = 'expired' AND p.reason GLOB 'misfire_*' AND p.attempts = 0)",
            false => "0",
        };
        let lost =
            format!("SELECT count(*) {due} AND p.state IN ('failed', 'expired', 'cancelled') AND NOT {is_misfire}");
        findings.lost = number(&connection, &lost);
    }
    findings.integrity = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();

    let by_webhook: Vec<&Seen> = seen.iter().filter(|request| !request.id.is_empty()).collect();
    let unrecorded: Vec<_> =
        by_webhook.iter().filter(|request| is_unrecorded(request, seen, rules, &connection)).collect();
    findings.unrecorded = unrecorded.len();
    findings.examples.extend(unrecorded.iter().take(5).map(|request| format!("sent before recorded: {request:?}")));
    let doubled = doubled(&by_webhook, rules.dedupes);
    findings.doubled = doubled.len();
    findings.examples.extend(doubled.into_iter().take(5).map(|id| format!("taken twice: {id}")));
    let taken: HashSet<i64> =
        by_webhook.iter().filter(|seen| seen.verdict.took_it()).map(|seen| seen.push_id).collect();
    let arrived: HashSet<i64> = by_webhook.iter().map(|seen| seen.push_id).collect();
    // What goes to the robot says no id on the wire.
    let sent = ids(&connection, "SELECT id FROM pushes WHERE state = 'sent' AND im <> 'robot'");
    let lies: Vec<_> = sent.difference(&taken).collect();
    findings.lies = lies.len();
    findings.examples.extend(lies.into_iter().take(5).map(|id| format!("push {id} is called sent and never arrived")));
    findings.unknown_unseen = ids(&connection, "SELECT id FROM pushes WHERE state = 'unknown' AND im <> 'robot'")
        .difference(&arrived)
        .count();
    findings
}

/// Whether a request came before its attempt was durable, as far as anybody can know: where the file lay elsewhere when
/// it was looked up, the file that came back has as many attempts as requests came.
fn is_unrecorded(request: &Seen, seen: &[Seen], rules: &Rules<'_>, connection: &Connection) -> bool {
    let away = rules.away.filter(|away| request.at >= away.from);
    match away {
        _ if request.recorded_before => false,
        None => true,
        // Another database may give the same names again.
        Some(Away { came_back: false, .. }) => false,
        Some(away) if request.looked_at > away.until => true,
        Some(_) => {
            let requests = seen.iter().filter(|other| other.id == request.id).count();
            let attempts =
                number(connection, &format!("SELECT count(*) FROM attempts WHERE push_id = {}", request.push_id));
            attempts < requests as i64
        }
    }
}

/// Messages that were taken twice, and instants for which two messages were taken, perhaps out of two databases.
/// The jobs never ask for a repeat after doubt, so that there is no excuse.
pub(crate) fn doubled(seen: &[&Seen], dedupes: Option<&str>) -> Vec<String> {
    let mut taken: HashMap<&str, usize> = HashMap::new();
    for request in seen.iter().filter(|request| request.verdict.took_it() && dedupes != Some(&request.path)) {
        *taken.entry(&request.id).or_default() += 1;
        if let Some(instant) = &request.instant {
            *taken.entry(instant).or_default() += 1;
        }
    }
    taken.into_iter().filter(|(_, times)| *times > 1).map(|(id, times)| format!("{id}: {times} times")).collect()
}
