//! The one writer: a task that owns one connection and commits in groups.
//!
//! Whatever has queued up while the last commit went to the disk goes into the next one, so that a durable write
//! costs a share of an fsync. A group runs without savepoints; when one of its writes is refused, the group is
//! undone and each write is tried alone, so that nobody pays for another's mistake.

use std::path::PathBuf;

use async_trait::async_trait;
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::attempts::{BeginAttempts, FinishAttempts};
use super::bulk::Calls;
use super::connect;
use super::fault::{Fault, Result};
use crate::store::StoreError;

/// No commit waits for more than this many calls.
const GROUP: usize = 256;

/// After this many changed rows, some 8 MB of log, the log is folded into the file. A burst of thousands is over
/// before that, and a steady stream folds every few seconds.
const FOLD_AFTER: i64 = 40_000;

pub(super) type Reply<T> = oneshot::Sender<std::result::Result<T, StoreError>>;

/// One write. It may run more than once, when its group is undone; it declines ([`Fault::Verb`]) before it changes
/// anything.
#[async_trait]
pub(super) trait Write: Send + 'static {
    type Answer: Send + 'static;

    /// False for what SQLite forbids inside a transaction, or what needs none.
    const IN_TRANSACTION: bool = true;

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<Self::Answer>;
}

/// What waits in the queue.
pub(super) enum Unit {
    Begin(Calls<BeginAttempts>),
    Finish(Calls<FinishAttempts>),
    Other(Box<dyn Single>),
    Close(oneshot::Sender<()>),
}

/// A write and whoever waits for it, whatever its answer.
#[async_trait]
pub(super) trait Single: Send {
    fn in_transaction(&self) -> bool;
    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()>;
    fn answer(self: Box<Self>, committed: std::result::Result<(), StoreError>);
}

struct Asked<W: Write> {
    write: W,
    answer: Option<std::result::Result<W::Answer, StoreError>>,
    reply: Reply<W::Answer>,
}

#[async_trait]
impl<W: Write> Single for Asked<W> {
    fn in_transaction(&self) -> bool {
        W::IN_TRANSACTION
    }

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        self.answer = Some(match self.write.run(conn).await {
            Err(Fault::Verb(declined)) => Err(declined),
            Err(fault) => return Err(fault),
            Ok(answer) => Ok(answer),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), StoreError>) {
        let Asked { answer, reply, .. } = *self;
        // Whoever asked may be gone; what was written stands all the same.
        let _ = reply.send(committed.and_then(|()| answer.unwrap_or_else(|| Err(closed()))));
    }
}

impl Unit {
    pub fn other<W: Write>(write: W, reply: Reply<W::Answer>) -> Unit {
        Unit::Other(Box::new(Asked { write, answer: None, reply }))
    }

    fn in_transaction(&self) -> bool {
        match self {
            Unit::Begin(_) | Unit::Finish(_) => true,
            Unit::Other(single) => single.in_transaction(),
            Unit::Close(_) => false,
        }
    }

    fn absorb(&mut self, later: Unit) -> Option<Unit> {
        match (self, later) {
            (Unit::Begin(calls), Unit::Begin(later)) => calls.absorb(later).map(Unit::Begin),
            (Unit::Finish(calls), Unit::Finish(later)) => calls.absorb(later).map(Unit::Finish),
            (_, later) => Some(later),
        }
    }

    fn split(self) -> Vec<Unit> {
        match self {
            Unit::Begin(calls) => calls.split().map(Unit::Begin).collect(),
            Unit::Finish(calls) => calls.split().map(Unit::Finish).collect(),
            alone => vec![alone],
        }
    }

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<()> {
        match self {
            Unit::Begin(calls) => calls.run(conn).await,
            Unit::Finish(calls) => calls.run(conn).await,
            Unit::Other(single) => single.run(conn).await,
            Unit::Close(_) => Ok(()),
        }
    }

    fn answer(self, committed: &std::result::Result<(), StoreError>) {
        match self {
            Unit::Begin(calls) => calls.answer(committed),
            Unit::Finish(calls) => calls.answer(committed),
            Unit::Other(single) => single.answer(committed.clone()),
            Unit::Close(done) => drop(done),
        }
    }
}

/// What callers are told once the writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

/// Owns the connection. After anything but a refusal or a busy lock it takes a new one.
pub(super) struct Writer {
    path: PathBuf,
    conn: Option<SqliteConnection>,
    queue: mpsc::UnboundedReceiver<Unit>,
    readers: SqlitePool,
    /// Rows that this connection had changed when the log was last folded.
    folded_at: i64,
}

impl Writer {
    pub fn new(
        path: PathBuf,
        conn: SqliteConnection,
        queue: mpsc::UnboundedReceiver<Unit>,
        readers: SqlitePool,
    ) -> Writer {
        Writer { path, conn: Some(conn), queue, readers, folded_at: 0 }
    }

    /// Works until it is told to close, or until nobody is left to ask.
    pub async fn run(mut self) {
        let mut left_over = None;
        loop {
            let first = match left_over.take() {
                Some(unit) => unit,
                None => match self.queue.recv().await {
                    Some(unit) => unit,
                    None => return self.close().await,
                },
            };
            if let Unit::Close(done) = first {
                self.queue.close();
                self.close().await;
                let _ = done.send(());
                return;
            }
            let group;
            (group, left_over) = self.gather(first);
            self.commit(group).await;
            self.fold_if_long().await;
        }
    }

    /// Has the log folded once it is long, by a reading connection: that works beside us, while SQLite's own way,
    /// at the end of a commit, would hold up the pushes that wait for it. It waits for nobody, and is only thrift:
    /// when it fails, the next one, or the writer itself, does it.
    async fn fold_if_long(&mut self) {
        let Some(conn) = &mut self.conn else { return };
        let Ok(changed) = sqlx::query_scalar::<_, i64>("SELECT total_changes()").fetch_one(conn).await else { return };
        // A new connection counts from zero.
        if (0..FOLD_AFTER).contains(&(changed - self.folded_at)) {
            return;
        }
        self.folded_at = changed;
        let readers = self.readers.clone();
        tokio::spawn(async move {
            if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&readers).await {
                tracing::debug!(%error, "the write-ahead log was not folded");
            }
        });
    }

    /// The group that `first` opens, and the unit that must not be in it.
    fn gather(&mut self, first: Unit) -> (Vec<Unit>, Option<Unit>) {
        let together = first.in_transaction();
        let mut group = vec![first];
        let mut calls = 1;
        while together && calls < GROUP {
            let Ok(unit) = self.queue.try_recv() else { break };
            if !unit.in_transaction() {
                return (group, Some(unit));
            }
            calls += 1;
            let unit = match group.last_mut() {
                Some(last) => last.absorb(unit),
                None => Some(unit),
            };
            group.extend(unit);
        }
        (group, None)
    }

    async fn commit(&mut self, mut group: Vec<Unit>) {
        let outcome = self.transact(&mut group).await;
        let mut alone: Vec<Unit> = match &outcome {
            Err(fault) if fault.is_refusal() => group.into_iter().flat_map(Unit::split).collect(),
            _ => return self.answer(group, outcome),
        };
        if alone.len() == 1 {
            return self.answer(alone, outcome);
        }
        for unit in alone.drain(..) {
            let mut single = vec![unit];
            let outcome = self.transact(&mut single).await;
            self.answer(single, outcome);
        }
    }

    fn answer(&self, group: Vec<Unit>, outcome: Result<()>) {
        let committed = outcome.map_err(|fault| fault.told(&self.path));
        for unit in group {
            unit.answer(&committed);
        }
    }

    /// Runs the group and makes it durable, or undoes it whole.
    async fn transact(&mut self, group: &mut [Unit]) -> Result<()> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect::writer(&self.path).connect().await?,
        };
        let outcome = run_all(&mut conn, group).await;
        let usable = match &outcome {
            Ok(()) => true,
            Err(fault) => {
                // SQLite has already rolled back after some errors, and says so; both are well.
                let _ = sqlx::query("ROLLBACK").execute(&mut conn).await;
                fault.spares_the_connection()
            }
        };
        if usable {
            self.conn = Some(conn);
        }
        outcome
    }

    async fn close(mut self) {
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

async fn run_all(conn: &mut SqliteConnection, group: &mut [Unit]) -> Result<()> {
    // Units outside a transaction come alone.
    let transaction = group.iter().all(Unit::in_transaction);
    if transaction {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    }
    for unit in &mut *group {
        unit.run(conn).await?;
    }
    if transaction {
        sqlx::query("COMMIT").execute(&mut *conn).await?;
    }
    Ok(())
}
