//! Opening the file: its mode, its pragmas, its schema version, and whether it is sound.

use std::fmt;
use std::fs::{Metadata, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::cells::At;
use super::fault::{Fault, Result};
use crate::domain::UtcMs;
use crate::domain::database::beside;
use crate::store::access::Access;
use crate::store::error::StoreError;

/// The schema in steps; the version of a database is how many of them it has seen (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_init.sql"),
    include_str!("../../../migrations/sqlite/0002_bad_ends.sql"),
    include_str!("../../../migrations/sqlite/0003_gone_ids.sql"),
    include_str!("../../../migrations/sqlite/0004_pruned_fires.sql"),
    include_str!("../../../migrations/sqlite/0005_calendars.sql"),
    include_str!("../../../migrations/sqlite/0006_run_time_jobs.sql"),
    include_str!("../../../migrations/sqlite/0007_rendered.sql"),
    include_str!("../../../migrations/sqlite/0008_fallbacks.sql"),
    include_str!("../../../migrations/sqlite/0009_lives.sql"),
    include_str!("../../../migrations/sqlite/0010_contents.sql"),
    include_str!("../../../migrations/sqlite/0011_recipients.sql"),
    include_str!("../../../migrations/sqlite/0012_counted.sql"),
    include_str!("../../../migrations/sqlite/0013_last_good.sql"),
    include_str!("../../../migrations/sqlite/0014_unreleased.sql"),
    include_str!("../../../migrations/sqlite/0015_fetched_calendars.sql"),
    include_str!("../../../migrations/sqlite/0016_acts.sql"),
    include_str!("../../../migrations/sqlite/0017_said_of_accounts_and_attempts.sql"),
    include_str!("../../../migrations/sqlite/0018_figures.sql"),
    include_str!("../../../migrations/sqlite/0019_failures_in_a_row.sql"),
];

/// `pcrn`, so that the file is told from any other SQLite database (`PRAGMA application_id`, `file(1)`).
pub(super) const APPLICATION_ID: i64 = 0x7063_726e;

/// Above this size the check at the daemon's start would hold up the first pushes; `pushcron` then finds damage
/// where it meets it.
const CHECKED_AT_START: u64 = 64 << 20;

/// The key that marks what a simulation wrote: when it began.
pub(super) const SIMULATED_FROM: &str = "simulated_from";

/// How long to wait for another process that writes.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often another may be quicker who takes the database after it was waited for.
const TURNS: usize = 50;

/// Statements that the writer keeps prepared: all that are of every day.
pub(super) const STATEMENTS: usize = 41;

/// The connection that writes; never what a simulation wrote, which is there to be read.
///
/// FULL, because with NORMAL the last seconds before a power loss are gone and would be sent again. The vacuum is
/// incremental, because pruned pages shall go back to the disk in small steps, never in one that holds up a push.
/// SQLite's own folding of the log, at 64 MB, is the last resort: the writer has it done beside its work long before.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if is_simulation(&conn)? {
        let problem = "a simulation wrote this, and nothing in it was ever sent; it can be read, and for a daemon, a push or \
                       a change another database must be named with --db";
        return Err(Fault::Verb(StoreError::Open { path: path.display().to_string(), problem: problem.to_owned() }));
    }
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    begin_log(&conn)?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 16000;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -8000",
    )?;
    Ok(conn)
}

/// Puts the database over to its log. SQLite refuses that at once, whatever its timeout, while another process reads it
/// or does the same: it has begun to read by then. So it is waited for as for a write, and tried again.
fn begin_log(conn: &Connection) -> Result<()> {
    const BEGIN: &str = "PRAGMA journal_mode = WAL";
    for _ in 0..TURNS {
        match conn.execute_batch(BEGIN) {
            Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::DatabaseBusy => {
                conn.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
            }
            done => return Ok(done?),
        }
    }
    Ok(conn.execute_batch(BEGIN)?)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000")?;
    Ok(conn)
}

/// A connection for a backup: the copy is made by one, and gets its finishing touch by another.
pub(super) fn copy(path: &Path) -> Result<Connection> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -2000")?;
    Ok(conn)
}

/// A connection belongs to one thread at a time, so SQLite need not guard it.
pub(super) fn open(path: &Path, access: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY")?;
    Ok(conn)
}

/// Makes the file where it is missing and allowed, and sees that it is sound.
pub(super) fn prepare(path: &Path, access: Access) -> std::result::Result<(), StoreError> {
    let open_error = |problem: String| StoreError::Open { path: path.display().to_string(), problem };
    match access {
        Access::Read => {}
        Access::Daemon | Access::Write => create(path).map_err(|error| open_error(describe(path, &error)))?,
    }
    let file = std::fs::metadata(path).map_err(|error| open_error(describe(path, &error)))?;
    must_be_whole(path, &file).map_err(open_error)?;
    // A journal beside it means that its maker was killed before the database went over to the log that we keep: what is
    // half made is taken back as soon as it is opened for writing, and cannot be read before.
    let is_half_made = beside(path, "-journal").exists();
    if access == Access::Daemon && !is_half_made && (1..=CHECKED_AT_START).contains(&file.len()) {
        check(path).map_err(|fault| fault.into_store_error(path))?;
    }
    Ok(())
}

/// Whether all of a database lies where it is named.
pub(super) fn must_be_whole(path: &Path, file: &Metadata) -> std::result::Result<(), String> {
    if !file.is_file() {
        return Err("this is no file; choose another with --db".to_owned());
    }
    if file.nlink() > 1 {
        // Its log lies beside one name; under the other, the file alone is half the truth.
        return Err(format!(
            "this file has {} names (hard links), and its log lies beside one of them only; remove the others \
             (`find -samefile` finds them)",
            file.nlink()
        ));
    }
    if is_mounted(path) {
        return Err(
            "this file is mounted by itself, and its log would lie beside the mount; mount its directory instead"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether the file is the root of a mount. Kernels before 5.8 do not say.
fn is_mounted(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

pub(super) fn describe(path: &Path, error: &std::io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match (error.kind(), folder) {
        (ErrorKind::NotFound, Some(folder)) if !folder.is_dir() => {
            format!("the directory {} does not exist; create it or choose another file with --db", folder.display())
        }
        (ErrorKind::NotFound, _) => "there is no such file yet; `pushcron run` creates it".to_owned(),
        _ => error.to_string(),
    }
}

/// The file is for its owner alone from its first byte on: messages and targets are nobody else's business. SQLite
/// gives `-wal` and `-shm` the mode of the database.
pub(super) fn create(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Closes a database to others that was opened up to them. Only once it is known to be one of ours: the path comes
/// from a person.
pub(super) fn tighten(path: &Path) -> std::io::Result<()> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        match std::fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Reads the whole file once. The connection is read-only, so that a damaged file stays as it is, log included.
fn check(path: &Path) -> Result<()> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let finding: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if finding == "ok" { Ok(()) } else { Err(Fault::Row(finding)) }
}

/// What a database is to those who write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaState {
    Current,
    /// Of an earlier pushcron.
    Earlier {
        version: usize,
    },
    /// A copy that nobody has written to yet.
    Backup,
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaState::Current => f.write_str("its schema is up to date"),
            SchemaState::Earlier { version: 0 } => f.write_str("it is still empty"),
            SchemaState::Earlier { version } => {
                let known = MIGRATIONS.len();
                write!(f, "its schema has version {version}, where this pushcron writes version {known}")
            }
            SchemaState::Backup => f.write_str("it is a backup that was not put into use yet"),
        }
    }
}

/// # Errors
///
/// When it is not ours, or of a later release.
pub(super) fn schema_state(conn: &Connection, path: &Path) -> Result<SchemaState> {
    Ok(match schema_version(conn, path)? {
        version if version < MIGRATIONS.len() => SchemaState::Earlier { version },
        _ if is_backup(conn)? => SchemaState::Backup,
        _ => SchemaState::Current,
    })
}

/// Brings the schema up to date, in one transaction, whoever else tries the same; and makes a database of its own
/// of what was a backup.
pub(super) fn migrate(conn: &Connection, path: &Path, now: UtcMs) -> Result<()> {
    if schema_state(conn, path)? == SchemaState::Current {
        return Ok(());
    }
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let applied = schema_version(conn, path)?;
    for step in &MIGRATIONS[applied..] {
        conn.execute_batch(step)?;
    }
    let now = At::from(now);
    if applied == 0 {
        conn.execute("INSERT INTO meta VALUES ('database_id', lower(hex(randomblob(5)))), ('created_at', ?1)", [now])?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    if is_backup(conn)? {
        restore(conn, now)?;
    }
    conn.execute_batch("COMMIT")?;
    Ok(())
}

fn is_backup(conn: &Connection) -> Result<bool> {
    Ok(conn.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'backup_of')", [], |row| row.get(0))?)
}

/// Whether a simulation wrote this.
pub(super) fn is_simulation(conn: &Connection) -> Result<bool> {
    let application: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    // It is ours with its first migration, which makes the table.
    let is_marked = || {
        let marked = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)";
        conn.query_row(marked, [SIMULATED_FROM], |row| row.get(0))
    };
    Ok(application == APPLICATION_ID && is_marked()?)
}

/// A backup that is written to is a restored one. What was open when it was taken may have been sent since, and new
/// pushes must not carry the idempotency keys of those that the copy does not know.
fn restore(conn: &Connection, now: At) -> Result<()> {
    for statement in [
        "UPDATE attempts
            SET finished_at = ?1, outcome = 'unknown', error = 'the database was restored from a backup'
          WHERE finished_at IS NULL
            AND push_id IN (SELECT id FROM pushes INDEXED BY pushes_open WHERE finished_at IS NULL)",
        "UPDATE pushes INDEXED BY pushes_open
            SET state = 'unknown', reason = 'restored', finished_at = ?1, next_attempt_at = NULL
          WHERE finished_at IS NULL AND (state = 'sending' OR next_attempt_at <= ?1)",
        "INSERT OR REPLACE INTO meta VALUES ('restored_at', ?1)",
    ] {
        conn.execute(statement, [now])?;
    }
    conn.execute_batch(
        "UPDATE meta SET value = lower(hex(randomblob(5))) WHERE key = 'database_id';
         INSERT OR REPLACE INTO meta SELECT 'restored_from', value FROM meta WHERE key = 'backup_of';
         DELETE FROM meta WHERE key = 'backup_of'",
    )?;
    Ok(())
}

/// How many migrations the database has seen; refuses databases that are not ours or from a later release.
fn schema_version(conn: &Connection, path: &Path) -> Result<usize> {
    let (version, application, tables): (i64, i64, i64) = conn.query_row(
        "SELECT v.user_version, a.application_id, (SELECT count(*) FROM sqlite_schema)
           FROM pragma_user_version AS v, pragma_application_id AS a",
        [],
        |row| row.try_into(),
    )?;
    let is_others = application != APPLICATION_ID && tables > 0;
    must_be_ours(is_others, version)
        .map_err(|problem| Fault::Verb(StoreError::Open { path: path.display().to_string(), problem }))
}

/// Refuses databases that are not ours, and those of a later release.
pub(super) fn must_be_ours(is_others: bool, version: i64) -> std::result::Result<usize, String> {
    if is_others {
        return Err("this is an SQLite database, but not one of pushcron's; choose another file with --db".to_owned());
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(format!(
            "its schema has version {version}, this pushcron knows versions up to {}; use the newer pushcron",
            MIGRATIONS.len()
        )),
    }
}

/// A reader cannot migrate; it says who can.
pub(super) fn must_be_current(conn: &Connection, path: &Path) -> Result<()> {
    let problem = match schema_version(conn, path)? {
        version if version == MIGRATIONS.len() => return Ok(()),
        0 => "it is still empty; `pushcron run` makes it a database, or name another with --db".to_owned(),
        _ => "its schema is from an earlier pushcron; `pushcron run` brings it up to date (restart the daemon, if one \
              runs)"
            .to_owned(),
    };
    Err(Fault::Verb(StoreError::Open { path: path.display().to_string(), problem }))
}
