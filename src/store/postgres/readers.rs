//! The sessions that read, beside the writer and never in its way.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::address::Address;
use super::session::{Session, Write};
use crate::store::error::{StoreError, StoreResult};

/// One for the daemon's own questions, one for whatever else is asked meanwhile.
const READERS: u32 = 2;

/// Opens sessions when somebody asks, and keeps them for the next question.
#[derive(Debug)]
pub(super) struct Readers {
    address: Address,
    idle: Mutex<Vec<Session>>,
    seats: Arc<Semaphore>,
}

/// Whether a question goes on when nobody waits for its answer any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unheard {
    GoesOn,
    IsBrokenOff,
}

impl Readers {
    pub(super) fn new(address: Address) -> Readers {
        Readers { address, idle: Mutex::default(), seats: Arc::new(Semaphore::new(READERS as usize)) }
    }

    /// Asks in one state of the database, even where the question is several statements.
    pub(super) async fn ask<W: Write>(self: &Arc<Self>, question: W) -> StoreResult<W::Answer> {
        self.begin(question, Unheard::GoesOn).await
    }

    /// As [`Readers::ask`], and breaks the question off where it is still open when `pause` is over.
    pub(super) async fn ask_until<W: Write>(
        self: &Arc<Self>,
        question: W,
        pause: impl Future<Output = ()>,
    ) -> StoreResult<W::Answer> {
        tokio::select! {
            biased;
            answer = self.begin(question, Unheard::IsBrokenOff) => answer,
            () = pause => Err(StoreError::TooLong),
        }
    }

    async fn begin<W: Write>(self: &Arc<Self>, mut question: W, unheard: Unheard) -> StoreResult<W::Answer> {
        let seat = self.seats.clone().acquire_owned().await.map_err(|_| closed())?;
        let (mut reply, answer) = oneshot::channel();
        let readers = self.clone();
        // In a task of its own: a question whose future is dropped leaves its session in the midst of an answer.
        tokio::spawn(async move {
            let _seat = seat;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut session = idle.unwrap_or_else(|| Session::reading(readers.address.clone()));
            let done = tokio::select! {
                biased;
                done = session.ask(&mut question) => Some(done),
                () = reply.closed(), if unheard == Unheard::IsBrokenOff => None,
            };
            match done {
                Some(done) => {
                    readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
                    // Whoever asked may be gone.
                    let _ = reply.send(done);
                }
                None => session.drop().await,
            }
        });
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits for the questions under way and answers no more.
    pub(super) async fn close(&self) {
        let _all = self.seats.acquire_many(READERS).await;
        self.seats.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            session.close().await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
