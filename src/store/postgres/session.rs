//! One transaction on one connection, and what became of it where the answer to its COMMIT did not come.
//!
//! Over a network "it failed" is not "nothing was changed": the COMMIT may have arrived. So each transaction learns its number
//! before it ends, and where its end is not known another connection asks the server what became of it. Callers see only
//! done or not done.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::address::Address;
use super::connect::{ANSWER, connect, drop_hard, within};
use super::fault::{Fault, Result};
use super::fence::{self, Fence};
use super::numbers::{Changed, LOCK};
use crate::store::error::{StoreError, StoreResult};

/// One write. It may run more than once, when its transaction is undone; it declines ([`Fault::Verb`]) before it changes
/// anything.
pub(super) trait Write: Send + 'static {
    type Answer: Send + 'static;

    fn run(&mut self, conn: &mut PgConnection) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// How often a transaction begins anew that the server undid because of others, or that lost its connection before its end.
const TURNS: usize = 5;

/// Between two questions to a server that does not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// So long the server waits for a session to end that it was told to end, in milliseconds.
const ENDS_WITHIN: i64 = 1000;

/// A write finds its rows by key, whatever the server guesses of tables that were empty a moment ago.
const BY_KEY: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Pages of a view are found by other indexes for each filter, and by each value of it.
const BY_WHAT_IS_ASKED: &str = "SET plan_cache_mode = force_custom_plan";

/// A connection that is opened when it is needed, and again after it broke.
#[derive(Debug)]
pub(super) struct Session {
    address: Address,
    conn: Option<PgConnection>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Writes one after the other with whoever else writes, and tells which numbers its writes have.
    Writer(Changed),
    /// Asks what people ask.
    Reader,
    Other,
}

/// By what the server knows a transaction.
#[derive(Clone, Debug)]
struct Ticket {
    transaction: String,
    process: i32,
    /// When the process began: another one may have its number later.
    began: String,
}

/// What became of a transaction.
enum End<T> {
    Done(T),
    Undone(Fault),
    /// Its COMMIT was on the way, with this answer.
    Unclear(Ticket, T),
}

enum Status {
    Committed,
    Aborted,
    Open,
}

impl Session {
    pub(super) fn new(address: Address, conn: PgConnection) -> Session {
        Session { address, conn: Some(conn), kind: Kind::Other }
    }

    /// One that writes what jobs, fires and pushes are. It is opened when it is needed.
    pub(super) fn writing(address: Address, changed: Changed) -> Session {
        Session { address, conn: None, kind: Kind::Writer(changed) }
    }

    /// One that answers questions. It is opened when it is needed.
    pub(super) fn reading(address: Address) -> Session {
        Session { address, conn: None, kind: Kind::Reader }
    }

    /// Runs a write in a transaction of its own: all of it, or nothing. With a fence, only while its seat is held under it.
    /// Waits for as long as it takes to learn what became of a COMMIT.
    pub(super) async fn write<W: Write>(&mut self, write: &mut W, fence: Option<&Fence>) -> StoreResult<W::Answer> {
        let mut turn = 1;
        loop {
            let fault = match self.transaction(write, fence).await {
                End::Done(answer) => return Ok(answer),
                End::Unclear(ticket, answer) => match self.settle(&ticket).await {
                    true => return Ok(answer),
                    false => Fault::Verb(StoreError::Unavailable("its transaction was broken off".to_owned())),
                },
                End::Undone(fault) => {
                    let is_passing = fault.is_of_others() || !fault.spares_the_connection();
                    if !is_passing || matches!(fault, Fault::Silent(_)) {
                        return Err(fault.into_store_error(&self.address));
                    }
                    fault
                }
            };
            if turn == TURNS {
                return Err(fault.into_store_error(&self.address));
            }
            turn += 1;
        }
    }

    /// Asks in one state of the database, whatever is written meanwhile.
    pub(super) async fn ask<W: Write>(&mut self, question: &mut W) -> StoreResult<W::Answer> {
        let done = match self.connected().await {
            Ok(conn) => in_one_state(conn, question).await,
            Err(fault) => Err(fault),
        };
        match done {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                let is_clean = fault.spares_the_connection()
                    && match &mut self.conn {
                        Some(conn) => roll_back(conn).await.is_ok(),
                        None => true,
                    };
                if !is_clean {
                    self.drop().await;
                }
                Err(fault.into_store_error(&self.address))
            }
        }
    }

    /// Asks, outside any transaction of ours.
    pub(super) async fn read<W: Write>(&mut self, read: &mut W) -> StoreResult<W::Answer> {
        let done = match self.connected().await {
            Ok(conn) => read.run(conn).await,
            Err(fault) => Err(fault),
        };
        match done {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                if !fault.spares_the_connection() {
                    self.drop().await;
                }
                Err(fault.into_store_error(&self.address))
            }
        }
    }

    async fn transaction<W: Write>(&mut self, write: &mut W, fence: Option<&Fence>) -> End<W::Answer> {
        let kind = self.kind.clone();
        let conn = match self.connected().await {
            Ok(conn) => conn,
            Err(fault) => return End::Undone(fault),
        };
        let (ticket, answer) = match begun(conn, &kind, write, fence).await {
            Ok(done) => done,
            Err(fault) => {
                if fault.spares_the_connection() && roll_back(conn).await.is_ok() {
                    return End::Undone(fault);
                }
                // No COMMIT was sent, so the server undoes it as soon as it sees that nobody is there.
                self.drop().await;
                return End::Undone(fault);
            }
        };
        match within(ANSWER, sqlx::raw_sql("COMMIT").execute(conn)).await {
            Ok(_) => End::Done(answer),
            Err(fault @ Fault::Sql(sqlx::Error::Database(_))) if fault.spares_the_connection() => End::Undone(fault),
            Err(_) => {
                self.drop().await;
                End::Unclear(ticket, answer)
            }
        }
    }

    /// Whether a transaction was committed whose COMMIT brought no answer. While its process lives it may still come to that:
    /// the COMMIT may lie on the wire. So the process is ended first.
    async fn settle(&mut self, ticket: &Ticket) -> bool {
        loop {
            match self.status(ticket).await {
                Ok(Status::Committed) if self.is_durable().await => return true,
                Ok(Status::Aborted) => return false,
                Ok(Status::Committed) => {}
                Ok(Status::Open) => {}
                Err(fault) => {
                    tracing::warn!(
                        problem = %fault.into_store_error(&self.address),
                        "the database does not say what became of a transaction; it is asked again"
                    );
                    self.drop().await;
                }
            }
            let _ = tokio::time::timeout(PAUSE, std::future::pending::<()>()).await;
        }
    }

    async fn status(&mut self, ticket: &Ticket) -> Result<Status> {
        let conn = self.connected().await?;
        let end = "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity
                    WHERE pid = $1 AND backend_start::text = $2 AND pid <> pg_backend_pid()";
        let end = sqlx::query(end).bind(ticket.process).bind(&ticket.began).bind(ENDS_WITHIN);
        within(ANSWER, end.execute(&mut *conn)).await?;
        let ask = sqlx::query("SELECT pg_xact_status($1::xid8)").bind(&ticket.transaction);
        let status: Option<String> = within(ANSWER, ask.fetch_one(conn)).await?.try_get(0)?;
        Ok(match status.as_deref() {
            Some("committed") => Status::Committed,
            Some("in progress") => Status::Open,
            _ => Status::Aborted,
        })
    }

    /// Whether all that is committed by now is where it has to be. A process that is ended while it waits for a standby has
    /// committed what others see and no standby has; a later commit that was waited for proves the earlier ones, since they
    /// lie in one log.
    async fn is_durable(&mut self) -> bool {
        let Ok(conn) = self.connected().await else { return false };
        let write = "SELECT pg_logical_emit_message(true, 'pushcron', 'settled')";
        let is_durable = within(ANSWER, sqlx::query(write).execute(conn)).await.is_ok();
        if !is_durable {
            self.drop().await;
        }
        is_durable
    }

    async fn connected(&mut self) -> Result<&mut PgConnection> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                let mut conn = connect(&self.address).await?;
                let settings = match &self.kind {
                    Kind::Writer(_) => BY_KEY,
                    Kind::Reader => BY_WHAT_IS_ASKED,
                    Kind::Other => "",
                };
                within(ANSWER, sqlx::raw_sql(settings).execute(&mut conn)).await?;
                conn
            }
        };
        Ok(self.conn.insert(conn))
    }

    /// Lets go of the connection, whatever it is in the midst of.
    pub(super) async fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop_hard(conn).await;
        }
    }

    pub(super) async fn close(mut self) {
        if let Some(conn) = self.conn.take() {
            // Where it does not go well, the server notices soon that nobody is there.
            let _ = within(ANSWER, sqlx::Connection::close(conn)).await;
        }
    }
}

async fn in_one_state<W: Write>(conn: &mut PgConnection, question: &mut W) -> Result<W::Answer> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    within(ANSWER, sqlx::raw_sql(begin).execute(&mut *conn)).await?;
    let answer = question.run(conn).await?;
    within(ANSWER, sqlx::raw_sql("COMMIT").execute(conn)).await?;
    Ok(answer)
}

/// All of a transaction but its COMMIT.
async fn begun<W: Write>(
    conn: &mut PgConnection,
    kind: &Kind,
    write: &mut W,
    fence: Option<&Fence>,
) -> Result<(Ticket, W::Answer)> {
    within(ANSWER, sqlx::raw_sql("BEGIN").execute(&mut *conn)).await?;
    if let Kind::Writer(changed) = kind {
        // The number is taken once the lock is there.
        let take = sqlx::query("SELECT pg_advisory_xact_lock($1), nextval('changes')").bind(LOCK);
        changed.note_own(within(ANSWER, take.fetch_one(&mut *conn)).await?.try_get(1)?);
    }
    let ask = "SELECT pg_current_xact_id()::text, pg_backend_pid(),
                      (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid())";
    let row = within(ANSWER, sqlx::query(ask).fetch_one(&mut *conn)).await?;
    let ticket = Ticket { transaction: row.try_get(0)?, process: row.try_get(1)?, began: row.try_get(2)? };
    if let Some(fence) = fence {
        fence::must_hold(conn, fence).await?;
    }
    let answer = write.run(conn).await?;
    Ok((ticket, answer))
}

async fn roll_back(conn: &mut PgConnection) -> Result<()> {
    within(ANSWER, sqlx::raw_sql("ROLLBACK").execute(conn)).await?;
    Ok(())
}
