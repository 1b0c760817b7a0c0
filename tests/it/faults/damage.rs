//! Pages of the database that are overwritten beneath a running daemon, as a failing disk or a stray program does.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::SENT;
use crate::common::daemon::{House, tick, until};
use crate::common::fake_im::Answer;

const NOISE: u8 = 0xa5;

/// Pages of the file as they were.
struct Damage {
    database: PathBuf,
    pages: Vec<(u64, Vec<u8>)>,
}

impl Damage {
    /// Overwrites all of a table's pages while nobody writes and nothing of them is in the log, and makes every process
    /// read them anew.
    async fn of(table: &str, database: &Path) -> Damage {
        let outside = rusqlite::Connection::open(database).unwrap();
        outside.busy_timeout(Duration::from_secs(60)).unwrap();
        outside.execute_batch("CREATE TABLE IF NOT EXISTS notes_of_ours (text TEXT)").unwrap();
        let log = database.with_file_name("pushcron.db-wal");
        until("all is in the file itself", async || {
            // Where somebody reads or writes just then, it is done in part; then the log is not empty.
            outside.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            outside.execute_batch("BEGIN IMMEDIATE").unwrap();
            let is_empty = std::fs::metadata(&log).unwrap().len() == 0;
            if !is_empty {
                outside.execute_batch("ROLLBACK").unwrap();
            }
            is_empty
        })
        .await;
        let size: i64 = outside.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        let mut numbers = outside.prepare("SELECT pageno FROM dbstat WHERE name = ?1").unwrap();
        let numbers: Vec<i64> = numbers.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(!numbers.is_empty(), "{table} has no pages");
        let file = std::fs::File::options().read(true).write(true).open(database).unwrap();
        let pages = numbers.into_iter().map(|number| {
            let (at, mut page) = (((number - 1) * size) as u64, vec![0; size as usize]);
            file.read_exact_at(&mut page, at).unwrap();
            file.write_all_at(&vec![NOISE; page.len()], at).unwrap();
            (at, page)
        });
        let pages = pages.collect();
        // Whoever has pages in memory drops them when somebody else has written.
        outside.execute_batch("INSERT INTO notes_of_ours VALUES ('damaged'); COMMIT").unwrap();
        Damage { database: database.to_owned(), pages }
    }

    /// Puts back what still is as it was made.
    fn undo(&self) {
        let file = std::fs::File::options().read(true).write(true).open(&self.database).unwrap();
        for (at, page) in &self.pages {
            let mut now = vec![0; page.len()];
            file.read_exact_at(&mut now, *at).unwrap();
            if now.iter().all(|byte| *byte == NOISE) {
                file.write_all_at(page, *at).unwrap();
            }
        }
    }
}

async fn damaged_beneath(table: &str) {
    let house = House::new().await;
    let jobs: String = (0..4).map(|n| tick(&format!("job-{n}"))).collect();
    house.configure("", &jobs);
    let mut daemon = house.daemon().await;
    house.until_at_least(8, SENT).await;
    // From here on answers stay out, until the pages are damaged.
    let (gate, is_open) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (held, opened) = (gate.clone(), is_open.clone());
    house.im.handle("/hook", move |_| {
        let answer = Answer::text(200, "{}");
        if opened.load(Ordering::SeqCst) { answer } else { answer.held(&held) }
    });
    let ids = async |state: &str| -> Vec<String> {
        let ids = house.rows(&format!("SELECT id FROM pushes WHERE state IN ({state}) ORDER BY id")).await;
        ids.into_iter().flatten().collect()
    };
    until("answers are out", async || ids("'sending'").await.len() >= 2).await;
    let damage = Damage::of(table, &house.database()).await;
    is_open.store(true, Ordering::SeqCst);
    until("it is told that nothing more is sent", async || {
        gate.notify_waiters();
        let log = daemon.log();
        log.contains("is damaged (") && log.contains("cannot open attempts; nothing is sent until")
    })
    .await;
    assert!(daemon.child.try_wait().unwrap().is_none(), "{table}: {}", daemon.log());
    daemon.stop().await;
    let log = daemon.log();
    damage.undo();
    // What was recorded before it, and what was on its way; the rest never began.
    let (sent, open) = (ids("'sent'").await, ids("'sending'").await);
    assert!(sent.len() >= 8, "{table}: {sent:?}");
    let unrecorded = "the outcome cannot be recorded; the push becomes unknown at the next start push=";
    let told: Vec<&str> = log.lines().filter_map(|line| line.split_once(unrecorded)).map(|(_, rest)| rest).collect();
    let is_told = |id: &String| told.iter().any(|rest| rest.starts_with(&format!("{id} ")));
    assert!(open.iter().all(is_told), "{table}: not told of each of {open:?}\n{log}");
    assert_eq!(told.len(), open.len(), "{table}: told of others than {open:?}\n{log}");
    // A push and its attempt are written when it ends, so that with either gone no answer could be recorded.
    assert_eq!(open.is_empty(), table == "fires", "{table}: {open:?}\n{log}");
    let mut daemon = house.daemon().await;
    house.assert_it_ends_well(&mut daemon).await;
    let (kept, unknown) = (ids("'sent'").await, ids("'unknown'").await);
    assert!(sent.iter().all(|id| kept.contains(id)), "{table}: {sent:?} were sent, now {kept:?} are");
    assert_eq!(unknown, open, "{table}: what could not be recorded is unknown, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_overwritten_beneath_a_daemon_are_told_and_nothing_is_called_what_it_is_not() {
    for table in ["attempts", "pushes", "fires"] {
        damaged_beneath(table).await;
    }
}
