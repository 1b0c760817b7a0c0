//! The connections that read, beside the writer and never in its way.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::connect;
use super::fault::{Fault, Result, closed};
use crate::domain::Locked;
use crate::store::error::StoreError;

/// One for the daemon's own questions, one for whatever else is asked meanwhile.
const READERS: u32 = 2;

/// So many steps of SQLite's machine between two looks at whether anybody still waits: some tens of microseconds.
const STEPS: i32 = 1000;

/// How far a question is that somebody may not be able to wait for.
#[derive(Default)]
struct Course(AtomicU8);

impl Course {
    const OVER: u8 = 1;
    const GIVEN_UP: u8 = 2;

    fn is_given_up(&self) -> bool {
        self.0.load(Ordering::Acquire) == Course::GIVEN_UP
    }

    /// Whichever comes first. Returns whether that is what it came to.
    fn end(&self, how: u8) -> bool {
        self.0.compare_exchange(0, how, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

fn too_long() -> Fault {
    Fault::Verb(StoreError::TooLong)
}

/// Opens connections when somebody asks, and keeps them for the next question.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    seats: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers { path, idle: Mutex::default(), seats: Arc::new(Semaphore::new(READERS as usize)) }
    }

    /// Asks on a thread that may block.
    pub(super) async fn ask<T, F>(self: &Arc<Self>, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let seat = self.seats.clone().acquire_owned().await.map_err(|_| closed())?;
        let readers = self.clone();
        let answer = spawn_blocking(move || {
            let _seat = seat;
            let idle = readers.idle.locked().pop();
            let conn = match idle {
                Some(conn) => conn,
                None => connect::reader(&readers.path)?,
            };
            let answer = question(&conn)?;
            // The pages it has read: the next question may be hours away.
            conn.release_memory()?;
            readers.idle.locked().push(conn);
            Ok(answer)
        });
        // The runtime ends, or the question panicked.
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// As [`Readers::ask`], in a transaction, so that the question sees one state of the database even where it reads
    /// in pieces.
    pub(super) async fn ask_at_once<T, F>(self: &Arc<Self>, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.ask(move |conn| {
            let transaction = conn.unchecked_transaction()?;
            question(&transaction)
        })
        .await
    }

    /// As [`Readers::ask_at_once`], and breaks the question off where it is still open when `pause` is over.
    pub(super) async fn ask_until<T, F>(self: &Arc<Self>, question: F, pause: impl Future<Output = ()>) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let course = Arc::new(Course::default());
        let own = course.clone();
        let asking = self.ask_at_once(move |conn| {
            if own.is_given_up() {
                return Err(too_long());
            }
            // `sqlite3_interrupt` does nothing where no statement has begun yet, and would come too early then.
            let watched = own.clone();
            conn.progress_handler(STEPS, Some(move || watched.is_given_up()))?;
            let answer = question(conn);
            conn.progress_handler(0, None::<fn() -> bool>)?;
            own.end(Course::OVER);
            answer
        });
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            biased;
            answer = &mut asking => return answer,
            () = pause => {}
        }
        if course.end(Course::GIVEN_UP) { Err(too_long()) } else { asking.await }
    }

    /// Waits for the questions under way and answers no more.
    pub(super) async fn close(&self) {
        let _all = self.seats.acquire_many(READERS).await;
        self.seats.close();
        self.idle.locked().clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;
    use crate::domain::UtcMs;
    use crate::store::access::Access;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn a_question_is_broken_off_when_nobody_can_wait_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("pushcron.db"), Access::Daemon, UtcMs(0)).await.unwrap();
        // More than there are seats: one that went on would keep its own.
        for _ in 0..3 * READERS {
            let begun = Arc::new(Notify::new());
            let tell = begun.clone();
            let endless = move |conn: &Connection| {
                tell.notify_one();
                let counted = conn.query_row(
                    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n",
                    [],
                    |row| row.get::<_, i64>(0),
                )?;
                Ok(counted)
            };
            let answer = store.readers.ask_until(endless, begun.notified()).await;
            assert!(matches!(answer, Err(Fault::Verb(StoreError::TooLong))), "{answer:?}");
        }
        let one = store.readers.ask_until(|_| Ok(1), std::future::pending()).await;
        assert_eq!(one.unwrap(), 1);
    }
}
