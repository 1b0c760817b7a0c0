//! The one writer: a thread that owns one connection and commits in groups.
//!
//! Whatever has queued up while the last commit went to the disk goes into the next one, so that a durable write
//! costs a share of an fsync. A group runs without savepoints; when one of its writes is refused, the group is
//! undone and each write is tried alone, so that nobody pays for another's mistake.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::connect;
use super::fault::{Fault, Result, closed};
use super::readers::Readers;
use crate::store::error::StoreResult;

/// No commit waits for more than this many writes.
const GROUP: usize = 256;

/// After this many changed rows, some 8 MB of log, the log is folded into the file. A burst of thousands is over
/// before that, and a steady stream folds every few seconds.
const FOLD_AFTER: u64 = 40_000;

pub(super) type Reply<T> = oneshot::Sender<StoreResult<T>>;

/// One write. It may run more than once, when its group is undone; it declines ([`Fault::Verb`]) before it changes
/// anything.
pub(super) trait Write: Send + 'static {
    type Answer: Send + 'static;

    /// False for what SQLite forbids inside a transaction, or what needs none.
    const IN_TRANSACTION: bool = true;

    fn run(&mut self, conn: &Connection) -> Result<Self::Answer>;
}

/// What waits in the queue.
pub(super) enum Request {
    Write(Box<dyn ErasedWrite>),
    Close(oneshot::Sender<()>),
}

/// A write and whoever waits for it, whatever its answer.
pub(super) trait ErasedWrite: Send {
    fn in_transaction(&self) -> bool;
    fn run(&mut self, conn: &Connection) -> Result<()>;
    fn answer(self: Box<Self>, committed: StoreResult<()>);
}

struct Pending<W: Write> {
    write: W,
    answer: Option<StoreResult<W::Answer>>,
    reply: Reply<W::Answer>,
}

impl<W: Write> ErasedWrite for Pending<W> {
    fn in_transaction(&self) -> bool {
        W::IN_TRANSACTION
    }

    fn run(&mut self, conn: &Connection) -> Result<()> {
        self.answer = Some(match self.write.run(conn) {
            Err(Fault::Verb(declined)) => Err(declined),
            Err(fault) => return Err(fault),
            Ok(answer) => Ok(answer),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let Pending { answer, reply, .. } = *self;
        // Whoever asked may be gone; what was written stands all the same.
        let _ = reply.send(committed.and_then(|()| answer.unwrap_or_else(|| Err(closed()))));
    }
}

impl Request {
    pub(super) fn write<W: Write>(write: W, reply: Reply<W::Answer>) -> Request {
        Request::Write(Box::new(Pending { write, answer: None, reply }))
    }
}

type Group = Vec<Box<dyn ErasedWrite>>;

/// Owns the connection. After anything but a refusal or a busy lock it takes a new one.
pub(super) struct Writer {
    path: PathBuf,
    conn: Option<Connection>,
    queue: mpsc::UnboundedReceiver<Request>,
    readers: Arc<Readers>,
    /// Where the readers work.
    runtime: Handle,
    /// Rows that this connection had changed when the log was last folded.
    folded_at: u64,
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        conn: Connection,
        queue: mpsc::UnboundedReceiver<Request>,
        readers: Arc<Readers>,
        runtime: Handle,
    ) -> Writer {
        Writer { path, conn: Some(conn), queue, readers, runtime, folded_at: 0 }
    }

    /// As [`Writer::run`]; tells when it broke down, since whoever asks from then on learns only that nobody answers.
    pub(super) fn run_or_tell(self, broken: oneshot::Sender<()>) {
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            // Nobody is there to be told while a store is opened by a verb.
            let _ = broken.send(());
        }
    }

    /// Works until it is told to close, or until nobody is left to ask.
    pub(super) fn run(mut self) {
        let mut next = self.queue.blocking_recv();
        loop {
            match next {
                Some(Request::Write(first)) => {
                    let group;
                    (group, next) = self.gather(first);
                    self.commit(group);
                    self.fold_if_long();
                    next = next.or_else(|| self.queue.blocking_recv());
                }
                Some(Request::Close(done)) => {
                    self.queue.close();
                    self.close();
                    let _ = done.send(());
                    return;
                }
                None => return self.close(),
            }
        }
    }

    /// Has the log folded once it is long, by a reading connection: that works beside us, while SQLite's own way,
    /// at the end of a commit, would hold up the pushes that wait for it. It waits for nobody, and is only thrift:
    /// when it fails, the next one, or the writer itself, does it.
    fn fold_if_long(&mut self) {
        let Some(conn) = &self.conn else { return };
        let changed = conn.total_changes();
        // A new connection counts from zero.
        if changed >= self.folded_at && changed - self.folded_at < FOLD_AFTER {
            return;
        }
        self.folded_at = changed;
        let readers = self.readers.clone();
        self.runtime.spawn(async move {
            let folded = readers.ask(|conn| Ok(conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)")?)).await;
            if let Err(error) = folded {
                tracing::debug!(?error, "the write-ahead log was not folded");
            }
        });
    }

    /// The group that `first` opens, and the request that must not be in it.
    fn gather(&mut self, first: Box<dyn ErasedWrite>) -> (Group, Option<Request>) {
        let together = first.in_transaction();
        let mut group = vec![first];
        while together && group.len() < GROUP {
            match self.queue.try_recv() {
                Ok(Request::Write(write)) if write.in_transaction() => group.push(write),
                Ok(alone) => return (group, Some(alone)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    fn commit(&mut self, mut group: Group) {
        let outcome = self.transact(&mut group);
        match outcome {
            Err(fault) if fault.is_refusal() && group.len() > 1 => {
                for write in group {
                    self.commit(vec![write]);
                }
            }
            outcome => {
                let committed = outcome.map_err(|fault| fault.into_store_error(&self.path));
                for write in group {
                    write.answer(committed.clone());
                }
            }
        }
    }

    /// Runs the group and makes it durable, or undoes it whole.
    fn transact(&mut self, group: &mut Group) -> Result<()> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect::writer(&self.path)?,
        };
        let outcome = run_all(&conn, group);
        let usable = match &outcome {
            Ok(()) => true,
            Err(fault) => {
                // SQLite has already rolled back after some errors, and says so; both are well.
                let _ = conn.execute_batch("ROLLBACK");
                fault.spares_the_connection()
            }
        };
        if usable {
            self.conn = Some(conn);
        }
        outcome
    }

    fn close(&mut self) {
        if let Some(conn) = self.conn.take()
            && let Err((_, error)) = conn.close()
        {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

fn run_all(conn: &Connection, group: &mut Group) -> Result<()> {
    // Writes outside a transaction come alone.
    let transaction = group.iter().all(|write| write.in_transaction());
    if transaction {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    }
    for write in group {
        write.run(conn)?;
    }
    if transaction {
        conn.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(())
}
