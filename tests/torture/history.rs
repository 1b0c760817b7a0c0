//! What history shows while the daemon lives and dies, held against what it shows later: an id once shown after its
//! instant stays, and an end is an end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use rusqlite::{Connection, OpenFlags};

use super::checker::Findings;
use super::stage::breath;

const FINAL: [&str; 5] = ["sent", "failed", "unknown", "expired", "cancelled"];

/// Looks at the view `push_history` several times a second for as long as it lives. What counts as shown is what stands
/// there after its instant while a daemon is awake: an instant that passes while nobody is there is a misfire.
#[derive(Clone)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    database: PathBuf,
}

#[derive(Default)]
struct Shared {
    shown: Mutex<Shown>,
    /// How far the daemon's wall clock is off, in seconds.
    offset: AtomicI64,
    ended: AtomicBool,
    /// The daemon that has started, 0 for none.
    awake: AtomicU32,
}

#[derive(Default)]
struct Shown {
    /// The state in which each push was last shown, after its instant.
    states: BTreeMap<i64, String>,
    /// All below this had ended.
    open_from: i64,
    vanished: BTreeMap<i64, String>,
    changed: BTreeMap<i64, String>,
    looks: u64,
}

impl Watch {
    pub(crate) fn begin(database: PathBuf) -> Watch {
        let shared = Arc::new(Shared::default());
        let (looking, place) = (shared.clone(), database.clone());
        tokio::spawn(async move {
            while !looking.ended.load(Ordering::Relaxed) {
                looking.look(&place, false);
                for _ in 0..5 {
                    breath().await;
                }
            }
        });
        Watch { shared, database }
    }

    /// The present instant of the daemon's clock, as the tables write it.
    pub(crate) fn now(&self) -> String {
        self.shared.now()
    }

    pub(crate) fn is_off_by(&self, seconds: i64) {
        self.shared.offset.store(seconds, Ordering::Relaxed);
    }

    /// The daemon of this process has started.
    pub(crate) fn wakes(&self, pid: u32) {
        self.shared.awake.store(pid, Ordering::Relaxed);
    }

    /// Stops looking: the database is about to be another one.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }

    /// What was shown stands in a file that is not there any more.
    pub(crate) fn forget(&self) {
        *self.shared.shown.lock().unwrap() = Shown::default();
    }

    /// Looks now. Returns the pushes that are open after their instant.
    pub(crate) fn look(&self) -> Vec<i64> {
        self.shared.look(&self.database, false);
        let shown = self.shared.shown.lock().unwrap();
        shown.states.iter().filter(|(_, state)| !is_final(state)).map(|(id, _)| *id).collect()
    }

    /// Holds everything that was ever shown against what is there now.
    pub(crate) fn judge(&self, findings: &mut Findings) {
        self.end();
        self.shared.look(&self.database, true);
        let shown = self.shared.shown.lock().unwrap();
        findings.looks = shown.looks;
        findings.shown = shown.states.len();
        findings.vanished = shown.vanished.len();
        findings.changed = shown.changed.len();
        let vanished = shown.vanished.iter().map(|(id, state)| format!("push {id} was shown as {state} and is gone"));
        findings.examples.extend(vanished.chain(shown.changed.values().cloned()).take(5));
    }
}

fn is_final(state: &str) -> bool {
    FINAL.contains(&state)
}

impl Shared {
    fn now(&self) -> String {
        let now = SystemClock::new().now();
        let offset = self.offset.load(Ordering::Relaxed);
        let by = Duration::from_secs(offset.unsigned_abs());
        if offset < 0 { now - by } else { now + by }.to_string()
    }

    /// A database that cannot be read, as before its first start, shows nothing.
    fn look(&self, database: &Path, all: bool) {
        let mut shown = self.shown.lock().unwrap();
        if self.ended.load(Ordering::Relaxed) && !all {
            return;
        }
        let now = self.now();
        let from = if all { 0 } else { shown.open_from };
        let awake = self.awake.load(Ordering::Relaxed);
        let Some(rows) = read(database, from) else { return };
        if !all && !is_alive(awake) {
            return;
        }
        shown.take(&rows, &now, from);
    }
}

fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state stands behind the name, which is in brackets.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Id, state and instant of each push from that id on.
fn read(database: &Path, from: i64) -> Option<BTreeMap<i64, (String, String)>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    connection.busy_timeout(Duration::from_secs(5)).ok()?;
    let mut statement = connection.prepare("SELECT id, state, due_at FROM push_history WHERE id >= ?1").ok()?;
    let rows = statement.query_map([from], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).ok()?;
    rows.collect::<rusqlite::Result<_>>().ok()
}

impl Shown {
    fn take(&mut self, rows: &BTreeMap<i64, (String, String)>, now: &str, from: i64) {
        self.looks += 1;
        let gone: Vec<_> = self.states.range(from..).filter(|(id, _)| !rows.contains_key(id)).collect();
        let gone: Vec<(i64, String)> = gone.into_iter().map(|(id, state)| (*id, state.clone())).collect();
        self.vanished.extend(gone);
        for (id, (state, due_at)) in rows {
            match self.states.get(id) {
                Some(before) if is_final(before) && before != state => {
                    self.changed.insert(*id, format!("push {id} was shown as {before} and is {state}"));
                }
                None if due_at.as_str() > now => continue,
                _ => {}
            }
            self.states.insert(*id, state.clone());
        }
        let first_open = rows.iter().find(|(_, (state, _))| !is_final(state)).map(|(id, _)| *id);
        let beyond = rows.keys().next_back().map_or(from, |newest| newest + 1);
        self.open_from = first_open.unwrap_or(beyond);
    }
}
