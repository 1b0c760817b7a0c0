//! A session that a task owns: whoever asked may give up waiting, and what is under way goes on to its end. (A statement whose
//! future is dropped leaves its connection in the middle of an answer, and a BEGIN so dropped an open transaction, in which
//! later writes are lost.)

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot, watch};

use super::fence::Fence;
use super::session::{Session, Write};
use crate::store::error::{StoreError, StoreResult};

/// So many may wait before the next one waits to be let in.
const QUEUE: usize = 1024;

type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A way to the one session.
#[derive(Clone, Debug)]
pub(super) struct Line {
    queue: mpsc::Sender<Request>,
    /// Whether its task came to its end in peace.
    ended: watch::Receiver<bool>,
}

enum Request {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

trait Job: Send {
    fn run<'a>(self: Box<Self>, session: &'a mut Session) -> Work<'a>;
}

struct Pending<W: Write> {
    write: W,
    /// None where it only reads.
    mode: Mode,
    reply: oneshot::Sender<StoreResult<W::Answer>>,
}

enum Mode {
    Read,
    Write(Option<Fence>),
}

impl<W: Write> Job for Pending<W> {
    fn run<'a>(self: Box<Self>, session: &'a mut Session) -> Work<'a> {
        let Pending { mut write, mode, reply } = *self;
        Box::pin(async move {
            let done = match &mode {
                Mode::Read => session.read(&mut write).await,
                Mode::Write(fence) => session.write(&mut write, fence.as_ref()).await,
            };
            // Whoever asked may be gone; what was written stands all the same.
            let _ = reply.send(done);
        })
    }
}

impl Line {
    /// Gives the session to a task. Needs a tokio runtime.
    pub(super) fn new(mut session: Session) -> Line {
        let (queue, mut requests) = mpsc::channel(QUEUE);
        let (end, ended) = watch::channel(false);
        tokio::spawn(async move {
            let mut closed = None;
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Job(job) => job.run(&mut session).await,
                    Request::Close(reply) => {
                        closed = Some(reply);
                        break;
                    }
                }
            }
            session.close().await;
            end.send_replace(true);
            // Whoever asked may be gone.
            let _ = closed.map(|reply| reply.send(()));
        });
        Line { queue, ended }
    }

    /// What ends when the task breaks down, and at no other time: from then on nothing comes through.
    pub(super) fn until_broken(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut ended = self.ended.clone();
        async move {
            let in_peace = ended.wait_for(|ended| *ended).await.is_ok();
            if in_peace {
                std::future::pending::<()>().await;
            }
        }
    }

    /// In a transaction of its own; with a fence, only while its seat is held under it.
    pub(super) async fn write<W: Write>(&self, write: W, fence: Option<Fence>) -> StoreResult<W::Answer> {
        self.ask(write, Mode::Write(fence)).await
    }

    pub(super) async fn read<W: Write>(&self, read: W) -> StoreResult<W::Answer> {
        self.ask(read, Mode::Read).await
    }

    async fn ask<W: Write>(&self, write: W, mode: Mode) -> StoreResult<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let job = Request::Job(Box::new(Pending { write, mode, reply }));
        self.queue.send(job).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Finishes what is queued, and closes the session.
    pub(super) async fn close(&self) {
        let (closed, end) = oneshot::channel();
        if self.queue.send(Request::Close(closed)).await.is_ok() {
            // Where the task is gone, so is the session.
            let _ = end.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
