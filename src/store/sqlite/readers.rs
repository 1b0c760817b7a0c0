//! The connections that read, beside the writer and never in its way.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::connect;
use super::fault::{Result, closed};

/// One for the daemon's own questions, one for whatever else is asked meanwhile.
const READERS: u32 = 2;

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
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match idle {
                Some(conn) => conn,
                None => connect::reader(&readers.path)?,
            };
            let answer = question(&conn)?;
            // The pages it has read: the next question may be hours away.
            conn.release_memory()?;
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
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

    /// Waits for the questions under way and answers no more.
    pub(super) async fn close(&self) {
        let _all = self.seats.acquire_many(READERS).await;
        self.seats.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
