//! The database of a simulation: made beside its place, by the same statements as that of a daemon, and put there once it
//! is whole. Of one course it is the same file, byte by byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

use super::accounts::RecordAccounts;
use super::attempts::{BeginAttempts, FinishAttempts, TakeBackAttempts, TellNextAttempts};
use super::cells::{At, instant_of_meta};
use super::connect;
use super::fault::{Fault, Result};
use super::jobs::ApplyJobs;
use super::place::real_path;
use super::pushes::{EndUntouched, SettlePushes};
use super::record::RecordFires;
use super::watch::NoteWatch;
use super::withdraw::WithdrawAhead;
use super::writer::Write;
use crate::domain::database::beside;
use crate::domain::{Facts, Message, Render, Rendering, UtcMs};
use crate::store::error::{StoreError, StoreResult};
use crate::store::model::SimulatedWrite;
use crate::store::simulated::SimulatedStore;
use crate::whole_file;

/// What a row of a simulation's database says until when it goes.
const UNTIL: &str = "simulated_until";

pub(crate) struct Simulated {
    conn: Connection,
    file: NamedTempFile,
    to: PathBuf,
    /// Whether an earlier simulation's is there, which this one replaces.
    replaces: bool,
}

impl Simulated {
    /// Begins one. What no simulation wrote is never replaced.
    pub(crate) fn create(to: &Path, from: UtcMs) -> StoreResult<Simulated> {
        let to = real_path(to)?;
        let replaces = to.symlink_metadata().is_ok();
        if replaces && !is_a_simulations(&to).unwrap_or(false) {
            return Err(refused(
                &to,
                "this is there already, and no simulation wrote it; choose a file that is not there",
            ));
        }
        // For its owner alone from its first byte on.
        let file = whole_file::begin(&to).map_err(|error| refused(&to, &connect::describe(&to, &error)))?;
        let conn = begin(file.path(), from).map_err(|fault| fault.into_store_error(&to))?;
        Ok(Simulated { conn, file, to, replaces })
    }
}

/// Nobody else sees the file before it is whole, and what is half made is thrown away: it needs no journal and no sync.
fn begin(path: &Path, from: UtcMs) -> Result<Connection> {
    let conn = connect::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.set_prepared_statement_cache_capacity(connect::STATEMENTS);
    conn.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -64000",
    )?;
    connect::migrate(&conn, path, from)?;
    conn.execute("UPDATE meta SET value = 'simulated' WHERE key = 'database_id'", [])?;
    conn.execute("INSERT INTO meta VALUES (?1, ?2)", (connect::SIMULATED_FROM, At::from(from)))?;
    conn.execute_batch("BEGIN")?;
    Ok(conn)
}

fn is_a_simulations(path: &Path) -> Result<bool> {
    // For reading alone: the log of somebody else's database stays as it is.
    let conn = connect::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connect::is_simulation(&conn)
}

fn refused(path: &Path, problem: &str) -> StoreError {
    StoreError::Open { path: path.display().to_string(), problem: problem.to_owned() }
}

impl SimulatedStore for Simulated {
    fn write(&mut self, write: SimulatedWrite) -> StoreResult<()> {
        run(&self.conn, write).map_err(|fault| fault.into_store_error(&self.to))
    }

    fn finish(self: Box<Self>, until: UtcMs) -> StoreResult<()> {
        let Simulated { conn, file, to, replaces } = *self;
        end(conn, until).map_err(|fault| fault.into_store_error(&to))?;
        let failed = |error: std::io::Error| refused(&to, &error.to_string());
        if !replaces {
            // Whoever made one meanwhile keeps it.
            return whole_file::put_new(file, &to, 0o600).map_err(failed);
        }
        // The log of the one that goes is not of the one that comes.
        for file in ["-wal", "-shm"].map(|suffix| beside(&to, suffix)) {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        whole_file::replace(file, &to, 0o600).map_err(failed)
    }
}

fn end(conn: Connection, until: UtcMs) -> Result<()> {
    conn.execute("INSERT INTO meta VALUES (?1, ?2)", (UNTIL, At::from(until)))?;
    // However the pages came about, equal rows make equal files.
    conn.execute_batch("COMMIT; VACUUM; PRAGMA journal_mode = WAL")?;
    conn.close().map_err(|(_, error)| Fault::from(error))
}

/// A simulation sends nothing: its rows hold what the jobs say.
struct AsWritten;

impl Render for AsWritten {
    fn render(&self, message: &Message, _: &Rendering, _: &Facts<'_>) -> std::result::Result<Message, String> {
        Ok(message.clone())
    }
}

/// Has a verb write what it writes for a daemon.
fn run(conn: &Connection, write: SimulatedWrite) -> Result<()> {
    match write {
        SimulatedWrite::Apply { changes, now } => {
            ApplyJobs { changes, removed: Vec::new(), expected: Vec::new(), by: None, now }.run(conn).map(drop)
        }
        SimulatedWrite::Record { fires, cursors, now, made } => {
            let recorded = RecordFires { fires, cursors, now, at_once: true }.run(conn)?;
            same("made", made, recorded.pushes.iter().map(|push| push.id).collect())
        }
        SimulatedWrite::NoteWatch { now } => NoteWatch { now }.run(conn),
        SimulatedWrite::WithdrawAhead { now } => WithdrawAhead { now }.run(conn).map(drop),
        SimulatedWrite::EndUntouched { settles, now, ended } => {
            same("ended untouched", ended, EndUntouched { settles, now }.run(conn)?)
        }
        SimulatedWrite::Settle { settles, now, made } => {
            let fallbacks = SettlePushes { settles, now }.run(conn)?;
            same("made", made, fallbacks.iter().map(|push| push.id).collect())
        }
        SimulatedWrite::Begin { begins, now, begun } => {
            let deliveries = BeginAttempts { begins, now, renderer: Arc::new(AsWritten) }.run(conn)?;
            same("begun", begun, deliveries.iter().map(|delivery| delivery.push_id).collect())
        }
        SimulatedWrite::Finish { finishes, stale, made } => {
            let closed = FinishAttempts { finishes }.run(conn)?;
            same("ended", stale, closed.lost)?;
            same("made", made, closed.fallbacks.iter().map(|push| push.id).collect())
        }
        SimulatedWrite::TakeBack { attempts, now, ended } => {
            same("taken back", ended, TakeBackAttempts { attempts, now }.run(conn)?)
        }
        SimulatedWrite::RecordAccounts { accounts, all } => RecordAccounts { accounts, all }.run(conn),
        SimulatedWrite::TellNextAttempts(next_attempts) => TellNextAttempts { next_attempts }.run(conn),
    }
}

/// The rows of the simulation are a likeness of the store's; where they part, neither is worth anything.
fn same(what: &str, mut simulated: Vec<i64>, mut written: Vec<i64>) -> Result<()> {
    simulated.sort_unstable();
    written.sort_unstable();
    if simulated == written {
        return Ok(());
    }
    let (simulated, written) = (differing(&simulated, &written), differing(&written, &simulated));
    let problem =
        format!("pushes {what} in the simulation alone: {simulated:?}, in it alone: {written:?} (a bug of pushcron)");
    Err(Fault::Verb(StoreError::Refused(problem)))
}

fn differing(these: &[i64], those: &[i64]) -> Vec<i64> {
    these.iter().filter(|id| !those.contains(id)).copied().take(3).collect()
}

/// Until when a simulation goes; None where no simulation wrote this.
pub(super) fn simulated_until(conn: &Connection) -> Result<Option<UtcMs>> {
    instant_of_meta(conn, UNTIL)
}
