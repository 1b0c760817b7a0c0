//! The file: who may read it, what is refused at opening, and what happens when it cannot be written.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use pushcron::domain::Database;
use pushcron::domain::Next;
use pushcron::store::{self, Access, Holder, Lease, LeaseError, Lost, Purpose, StoreError};
use rusqlite::Connection;

use crate::common::alone::alone;
use crate::store_contract::sqlite::Sqlite;
use crate::store_contract::world::{NINE, World, at, job};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// Locks of files are had at once or not at all.
fn take(path: &Path, purpose: Purpose) -> Result<Box<dyn Lease>, LeaseError> {
    store::take_lease(&Database::at(path), purpose, NINE).now_or_never().unwrap()
}

fn holder(path: &Path) -> Option<Holder> {
    store::holder(&Database::at(path))
}

fn daemon_runs(path: &Path) -> bool {
    holder(path).is_some_and(|holder| holder.is_daemon)
}

async fn refusal(path: &Path, access: Access) -> StoreError {
    match store::open(&Database::at(path), access, NINE).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_database_and_its_companions_are_for_their_owner_alone() {
    let sqlite = Sqlite::new();
    let store = sqlite.store().await;
    store.save_state("bot", "key", "value", at(0)).await.unwrap();
    for suffix in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(&sqlite.path().with_extension(suffix)), 0o600, "{suffix}");
    }
    let copy = sqlite.path().with_extension("copy");
    store.backup(&copy, at(1)).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
    store.close().await;

    // A file that was opened up is closed again.
    std::fs::set_permissions(sqlite.path(), std::fs::Permissions::from_mode(0o664)).unwrap();
    let store = sqlite.store().await;
    store.save_state("bot", "key", "other", at(2)).await.unwrap();
    assert_eq!(mode(&sqlite.path()), 0o600);
    assert_eq!(mode(&sqlite.path().with_extension("db-wal")), 0o600);
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_as_it_is() {
    let sqlite = Sqlite::new();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    for i in 0..200 {
        world.ended(&format!("job{i}"), Next::Sent).await;
    }
    world.store.close().await;
    let path = world.backend.scratch().join("pushcron.db");
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 20 * 4096, "{} bytes", bytes.len());
    // Pages in the middle, as a bad disk does it; the first page would be too easy to see.
    bytes[10 * 4096..14 * 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();

    let error = refusal(&path, Access::Daemon).await;
    assert!(matches!(&error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("pushcron.db is damaged"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_and_left_as_it_is() {
    let sqlite = Sqlite::new();
    let text = "not a database at all, but long enough to be mistaken for one".repeat(100);
    std::fs::write(sqlite.path(), &text).unwrap();
    std::fs::set_permissions(sqlite.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    for access in [Access::Daemon, Access::Write, Access::Read] {
        let error = refusal(&sqlite.path(), access).await;
        assert!(matches!(error, StoreError::Corrupt { .. }), "{access:?}: {error:?}");
        assert_eq!(std::fs::read_to_string(sqlite.path()).unwrap(), text);
        assert_eq!(mode(&sqlite.path()), 0o644, "it is somebody else's");
    }
    let directory = sqlite.path().with_file_name("directory");
    std::fs::create_dir(&directory).unwrap();
    let before = mode(&directory);
    for access in [Access::Daemon, Access::Write, Access::Read] {
        let error = refusal(&directory, access).await;
        assert!(error.to_string().contains("no file"), "{error}");
    }
    assert_eq!(mode(&directory), before);
}

#[tokio::test]
async fn anothers_database_and_a_later_schema_are_refused() {
    let sqlite = Sqlite::new();
    Connection::open(sqlite.path()).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    for access in [Access::Daemon, Access::Write, Access::Read] {
        let error = refusal(&sqlite.path(), access).await;
        assert!(error.to_string().contains("not one of pushcron's"), "{error}");
    }

    let sqlite = Sqlite::new();
    sqlite.store().await.close().await;
    Connection::open(sqlite.path()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    for access in [Access::Daemon, Access::Write, Access::Read] {
        let error = refusal(&sqlite.path(), access).await;
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_file_or_directory_is_told_in_words() {
    let sqlite = Sqlite::new();
    let error = refusal(&sqlite.path(), Access::Read).await;
    assert!(error.to_string().contains("there is no such file yet"), "{error}");
    assert!(!sqlite.path().exists());
    let error = refusal(&sqlite.path().with_file_name("nowhere").join("pushcron.db"), Access::Daemon).await;
    assert!(error.to_string().contains("nowhere does not exist"), "{error}");
}

#[tokio::test]
async fn a_store_for_reading_reads_beside_the_daemon_and_writes_nothing() {
    let sqlite = Sqlite::new();
    let daemon = sqlite.store().await;
    daemon.apply_jobs(vec![crate::store_contract::world::change(job("daily"), at(0))], vec![], at(0)).await.unwrap();
    let reader = store::open(&Database::at(sqlite.path()), Access::Read, NINE).await.unwrap();
    assert_eq!(reader.jobs().await.unwrap().len(), 1);
    let error = reader.set_paused("daily", true, at(1)).await.unwrap_err();
    assert!(error.to_string().contains("reading only"), "{error}");
}

#[tokio::test]
async fn two_processes_that_create_the_same_database_agree() {
    let sqlite = Sqlite::new();
    let database = Database::at(sqlite.path());
    let (one, other) =
        tokio::join!(store::open(&database, Access::Write, NINE), store::open(&database, Access::Daemon, NINE));
    one.unwrap().save_state("bot", "key", "value", at(0)).await.unwrap();
    assert_eq!(other.unwrap().load_state("bot").await.unwrap().len(), 1);
}

/// SQLite itself does not wait where a database goes over to its log.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_that_somebody_reads_is_waited_for() {
    let sqlite = Sqlite::new();
    let reader = Connection::open(sqlite.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master").unwrap();
    let database = Database::at(sqlite.path());
    let mut opening = tokio::spawn(async move { store::open(&database, Access::Daemon, NINE).await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut opening).await;
    assert!(early.is_err(), "it did not wait: {:?}", early.map(|opened| opened.unwrap().err()));
    reader.execute_batch("COMMIT").unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_empty_file_is_no_database_of_an_earlier_pushcron() {
    let sqlite = Sqlite::new();
    std::fs::write(sqlite.path(), "").unwrap();
    let refused = store::open(&Database::at(sqlite.path()), Access::Read, NINE).await.err().unwrap().to_string();
    assert!(refused.contains("it is still empty") && !refused.contains("earlier"), "{refused}");
}

#[tokio::test]
async fn a_lock_held_too_long_is_told_and_the_same_call_works_later() {
    let sqlite = Sqlite::new();
    let store = sqlite.store().await;
    let holder = Connection::open(sqlite.path()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.save_state("bot", "key", "value", at(0)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("locked")), "{error:?}");
    assert!(store.load_state("bot").await.unwrap().is_empty(), "reading goes on meanwhile");
    holder.execute_batch("ROLLBACK").unwrap();
    store.save_state("bot", "key", "value", at(0)).await.unwrap();
    assert_eq!(store.load_state("bot").await.unwrap().len(), 1);
}

/// The limit on file sizes holds for a whole process.
#[tokio::test]
async fn a_disk_that_takes_no_more_costs_nothing_but_the_wait() {
    if !alone("store_contract::sqlite_file::a_disk_that_takes_no_more_costs_nothing_but_the_wait") {
        return;
    }
    let sqlite = Sqlite::new();
    let world = World { store: sqlite.store().await, backend: Box::new(sqlite) };
    let push = world.waiting("daily").await;

    limit_file_size(256 * 1024);
    let text = "x".repeat(50_000);
    let mut written = 0;
    let error = loop {
        match world.store.save_state("bot", &format!("key{written}"), &text, at(0)).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the limit does not hold");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    // Without its row no attempt is begun, and what is there can be read.
    limit_file_size(4096);
    let begun = world.store.begin_attempts(vec![crate::store_contract::world::begin(push.id)], at(0)).await;
    assert!(matches!(begun, Err(StoreError::Unavailable(_))), "{begun:?}");
    assert_eq!(world.store.load_state("bot").await.unwrap().len(), written);
    assert_eq!(world.open_ids().await, [push.id]);

    limit_file_size(u64::MAX);
    world.store.save_state("bot", "last", &text, at(0)).await.unwrap();
    assert_eq!(world.begin(push.id, at(0)).await.attempt, 1);
    assert_eq!(world.store.load_state("bot").await.unwrap().len(), written + 1);
}

fn limit_file_size(bytes: u64) {
    // SAFETY: only a signal's disposition; a write over the limit then fails with EFBIG instead of killing us.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = rustix::process::Rlimit { current: (bytes != u64::MAX).then_some(bytes), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
}

#[test]
fn one_daemon_per_database_and_the_second_learns_who_holds_it() {
    let sqlite = Sqlite::new();
    assert!(!daemon_runs(&sqlite.path()));
    let lock = take(&sqlite.path(), Purpose::Daemon).unwrap();
    assert!(daemon_runs(&sqlite.path()));
    let error = take(&sqlite.path(), Purpose::Daemon).unwrap_err();
    let pid = std::process::id().to_string();
    assert!(matches!(&error, LeaseError::Held { holder, .. } if holder.words.contains(&pid)), "{error}");
    assert!(error.to_string().contains("pushcron.db"), "{error}");
    assert_eq!(mode(&sqlite.path().with_extension("db.lock")), 0o600);
    drop(lock);
    assert!(!daemon_runs(&sqlite.path()));
    take(&sqlite.path(), Purpose::Daemon).unwrap();
}

#[test]
fn a_push_by_hand_is_not_taken_for_a_daemon_and_a_daemon_of_0_1_0_is() {
    let sqlite = Sqlite::new();
    let lock = take(&sqlite.path(), Purpose::Push).unwrap();
    assert!(holder(&sqlite.path()).unwrap().words.starts_with("push, pid "));
    assert!(!daemon_runs(&sqlite.path()));
    std::fs::write(sqlite.path().with_extension("db.lock"), "pid 7, since 2026-11-01T00:00:00Z").unwrap();
    assert!(daemon_runs(&sqlite.path()));
    drop(lock);
    assert_eq!(std::fs::read(sqlite.path().with_extension("db.lock")).unwrap(), b"");
}

#[test]
fn who_only_looks_for_a_holder_keeps_nobody_from_taking_the_lock() {
    let sqlite = Sqlite::new();
    drop(take(&sqlite.path(), Purpose::Daemon).unwrap());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    holder(&sqlite.path());
                }
            });
        }
        let taken: Vec<_> = (0..3000).map(|_| take(&sqlite.path(), Purpose::Daemon).err()).collect();
        done.store(true, Ordering::Relaxed);
        let refused: Vec<String> = taken.into_iter().flatten().map(|error| error.to_string()).collect();
        assert!(refused.is_empty(), "{} of 3000, such as: {}", refused.len(), refused[0]);
    });
}

#[test]
fn what_a_killed_daemon_left_in_the_lock_file_is_not_told_of_who_is_just_starting() {
    let sqlite = Sqlite::new();
    let path = sqlite.path().with_extension("db.lock");
    for left in ["daemon, pid 7, since 2026-11-28T00:00:00Z", "push, pid 7, since 2026-11-28T00:00:00Z", ""] {
        std::fs::write(&path, left).unwrap();
        assert_eq!(holder(&sqlite.path()), None, "nobody holds it");
        // As whoever has the lock, and has not yet written what for.
        let file = std::fs::File::open(&path).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(!daemon_runs(&sqlite.path()));
        let error = take(&sqlite.path(), Purpose::Daemon).unwrap_err();
        let told = matches!(&error, LeaseError::Held { holder, .. } if holder.words == "its process is just starting");
        assert!(told, "{error}");
    }
}

#[test]
fn a_daemon_of_0_1_0_that_still_runs_is_seen_though_it_shows_no_sign() {
    let sqlite = Sqlite::new();
    let path = sqlite.path().with_extension("db.lock");
    std::fs::write(&path, "pid 7, since 2026-11-01T00:00:00Z").unwrap();
    assert!(!daemon_runs(&sqlite.path()), "it ended long ago");
    let file = std::fs::File::open(&path).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(daemon_runs(&sqlite.path()));
    let error = take(&sqlite.path(), Purpose::Push).unwrap_err();
    assert!(error.to_string().contains("(pid 7, since"), "{error}");
}

/// A database as an earlier pushcron left it.
fn of_an_earlier_version(sqlite: &Sqlite) {
    let conn = Connection::open(sqlite.path()).unwrap();
    conn.execute_batch(&std::fs::read_to_string("migrations/sqlite/0001_init.sql").unwrap()).unwrap();
    conn.execute_batch(
        "INSERT INTO meta VALUES ('database_id', '0123456789'), ('created_at', '2026-01-01T00:00:00.000Z');
         PRAGMA application_id = 0x7063726e; PRAGMA user_version = 1; PRAGMA journal_mode = WAL",
    )
    .unwrap();
}

fn version(sqlite: &Sqlite) -> i64 {
    Connection::open(sqlite.path()).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_verb_changes_no_schema_under_whoever_holds_the_database() {
    let sqlite = Sqlite::new();
    of_an_earlier_version(&sqlite);
    for (purpose, what_to_do) in [(Purpose::Daemon, "restart"), (Purpose::Push, "try again")] {
        let lock = take(&sqlite.path(), purpose).unwrap();
        let error = refusal(&sqlite.path(), Access::Write).await.to_string();
        assert!(error.contains("version 1") && error.contains("pid ") && error.contains(what_to_do), "{error}");
        assert_eq!(version(&sqlite), 1);
        drop(lock);
    }
    // Where nobody holds it, a verb brings it up to date, and lets go of it.
    store::open(&Database::at(sqlite.path()), Access::Write, NINE).await.unwrap().close().await;
    assert!(version(&sqlite) > 1);
    take(&sqlite.path(), Purpose::Daemon).unwrap();
}

#[tokio::test]
async fn a_verb_makes_no_database_of_a_backup_under_a_daemon() {
    let sqlite = Sqlite::new();
    let store = sqlite.store().await;
    let copy = sqlite.path().with_file_name("copy.db");
    store.backup(&copy, NINE).await.unwrap();
    let lock = take(&copy, Purpose::Daemon).unwrap();
    let error = refusal(&copy, Access::Write).await.to_string();
    assert!(error.contains("backup") && error.contains("restart"), "{error}");
    drop(lock);
    store::open(&Database::at(&copy), Access::Write, NINE).await.unwrap();
}

#[test]
fn a_database_is_one_by_whatever_name_it_is_called() {
    let sqlite = Sqlite::new();
    let lock = take(&sqlite.path(), Purpose::Daemon).unwrap();
    let (link, hard) = (sqlite.path().with_file_name("link.db"), sqlite.path().with_file_name("hard.db"));
    std::os::unix::fs::symlink(sqlite.path(), &link).unwrap();
    std::fs::hard_link(sqlite.path(), &hard).unwrap();
    assert!(daemon_runs(&link));
    let error = take(&link, Purpose::Push).unwrap_err();
    assert!(matches!(&error, LeaseError::Held { holder, .. } if holder.words.starts_with("daemon")), "{error}");
    let error = take(&hard, Purpose::Daemon).unwrap_err();
    assert!(matches!(error, LeaseError::HeldUnseen { .. }), "{error}");
    drop(lock);
    take(&hard, Purpose::Daemon).unwrap();
}

#[tokio::test]
async fn a_database_with_two_names_is_refused() {
    let sqlite = Sqlite::new();
    sqlite.store().await.close().await;
    let hard = sqlite.path().with_file_name("hard.db");
    std::fs::hard_link(sqlite.path(), &hard).unwrap();
    for access in [Access::Daemon, Access::Write, Access::Read] {
        let error = refusal(&hard, access).await;
        assert!(error.to_string().contains("2 names"), "{access:?}: {error}");
    }
}

#[test]
fn a_database_that_was_moved_removed_or_replaced_is_lost() {
    let sqlite = Sqlite::new();
    let lock = take(&sqlite.path(), Purpose::Daemon).unwrap();
    let lost = || lock.until_lost(Arc::new(|| Box::pin(std::future::pending()))).now_or_never();
    assert_eq!(lost(), None);
    std::fs::rename(sqlite.path(), sqlite.path().with_file_name("moved.db")).unwrap();
    assert_eq!(lost(), Some(Lost::Database));
    std::fs::write(sqlite.path(), "another").unwrap();
    assert_eq!(lost(), Some(Lost::Database));
}

#[tokio::test]
async fn a_long_log_is_folded_beside_the_work() {
    let sqlite = Sqlite::new();
    let store = sqlite.store().await;
    let size = || std::fs::metadata(sqlite.path()).unwrap().len();
    let changes = (0..40_000).map(|i| crate::store_contract::world::change(job(&format!("job{i}")), at(i))).collect();
    store.apply_jobs(changes, vec![], at(0)).await.unwrap();
    // Nobody asked for a checkpoint; each write is also a look whether it is done.
    for i in 0..10_000 {
        if size() > 4 << 20 {
            return;
        }
        store.save_state("bot", "key", &i.to_string(), at(0)).await.unwrap();
    }
    panic!("the file has {} bytes, the log was not folded", size());
}
