//! A connection, and whether what is at its other end is a server that a daemon can rely on.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};

use super::address::{Address, Server, Tls};
use super::fault::{Fault, Result, brief};
use crate::store::error::StoreError;

/// No connection takes longer to be there.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// No statement of ours takes longer than the server itself lets it (`statement_timeout` below), and a moment.
pub(super) const ANSWER: Duration = Duration::from_secs(12);

/// A beat, and a look at how all stand, is of no use later.
pub(super) const BEAT: Duration = Duration::from_millis(1500);

/// So long a server may take to bring a notification to whoever sent it.
const HEARD: Duration = Duration::from_secs(2);

/// The oldest release that is still looked after.
const OLDEST: i64 = 150_000;

/// What holds in every session of ours, whatever the server, the database or the role say. A client that stops in the midst of
/// a transaction frees its locks by `idle_in_transaction_session_timeout`, one that is gone by
/// `client_connection_check_interval`; a commit that is answered is durable by `synchronous_commit`.
const SESSION: &str = "SET statement_timeout = '10s';
    SET lock_timeout = '2s';
    SET idle_in_transaction_session_timeout = '5s';
    SET client_connection_check_interval = '2s';
    SET synchronous_commit = on;
    SET default_transaction_isolation = 'read committed';
    SET client_min_messages = warning;
    SET TimeZone = 'UTC'";

/// Ends what takes longer than that. What was under way is not waited for: its connection is to be closed hard.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Fault::Silent(limit)),
    }
}

/// What the library is told. Every setting is ours: it takes what an address leaves open from the environment.
fn options(address: &Address) -> PgConnectOptions {
    let mode = match address.tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    };
    let options = PgConnectOptions::new_without_pgpass()
        .username(&address.user)
        .password(address.password.expose())
        .database(&address.database)
        .port(address.port)
        .application_name("pushcron")
        .ssl_mode(mode)
        // It would log statements with what is bound to them.
        .disable_statement_logging();
    let options = match &address.server {
        Server::Host(host) => options.host(host),
        Server::Socket(directory) => options.host("localhost").socket(directory),
    };
    match &address.root_certificate {
        Some(file) => options.ssl_root_cert(file),
        None => options,
    }
}

/// Opens a session with our settings.
pub(super) async fn connect(address: &Address) -> Result<PgConnection> {
    let mut conn = within(CONNECT, options(address).connect()).await?;
    within(ANSWER, sqlx::raw_sql(SESSION).execute(&mut conn)).await?;
    Ok(conn)
}

/// Opens a session for whoever starts, and tells what is the matter with a server that is not fit.
///
/// # Errors
///
/// [`StoreError::Open`] where another server, or another setting, is needed; [`StoreError::Unavailable`] where waiting may
/// help.
pub(super) async fn begin(address: &Address) -> std::result::Result<PgConnection, StoreError> {
    let unfit = |problem: String| StoreError::Open { path: address.to_string(), problem };
    let told = |fault: Fault| match &fault {
        Fault::Sql(sqlx::Error::Database(error)) if fault.is_of_a_pooler() => {
            unfit(format!("{}; {POOLER}", error.message()))
        }
        Fault::Sql(error @ (sqlx::Error::Tls(_) | sqlx::Error::Configuration(_))) => unfit(brief(error)),
        // 28: the role or its password; 3D: there is no such database.
        Fault::Sql(sqlx::Error::Database(error)) if error.code().is_some_and(|code| is_of_setting(&code)) => {
            unfit(error.message().to_owned())
        }
        _ => fault.into_store_error(address),
    };
    let mut conn = connect(address).await.map_err(told)?;
    if let Some(problem) = unfitness(&mut conn).await.map_err(told)? {
        return Err(unfit(problem));
    }
    if !hears_itself(address, &mut conn).await.map_err(told)? {
        return Err(unfit(format!("a notification sent to it was not heard within {} s; {POOLER}", HEARD.as_secs())));
    }
    Ok(conn)
}

const POOLER: &str = "a pooler that hands the same connection to several clients stands between, perhaps: name the server \
                      itself, or have it keep a connection for each session";

fn is_of_setting(code: &str) -> bool {
    code.starts_with("28") || code.starts_with("3D")
}

/// What a daemon cannot rely on.
async fn unfitness(conn: &mut PgConnection) -> Result<Option<String>> {
    let query = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
                        current_setting('server_encoding'), pg_is_in_recovery(),
                        current_setting('transaction_read_only') = 'on', current_setting('fsync') = 'on'";
    let row = within(ANSWER, sqlx::query(query).fetch_one(conn)).await?;
    let (number, version): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    let (encoding, in_recovery, read_only, durable): (String, bool, bool, bool) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
    if !durable {
        tracing::warn!(
            "the database has fsync off: what it acknowledges may be gone after a power loss, and is sent again"
        );
    }
    Ok(if number < OLDEST {
        Some(format!("it is PostgreSQL {version}; 15 or later is needed"))
    } else if encoding != "UTF8" {
        Some(format!("its encoding is {encoding}; create the database with ENCODING 'UTF8'"))
    } else if in_recovery || read_only {
        Some("it cannot be written to: it is a standby, or read-only; name the primary".to_owned())
    } else {
        None
    })
}

/// Whether what one session of ours sends comes to another one, as it does not where sessions are shared out.
async fn hears_itself(address: &Address, conn: &mut PgConnection) -> Result<bool> {
    let word = "pushcron_self_test";
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options(address));
    let heard = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(word).await?;
        let own = fastrand::u64(..).to_string();
        sqlx::query("SELECT pg_notify($1, $2)").bind(word).bind(&own).execute(conn).await?;
        while listener.recv().await?.payload() != own {}
        Ok(())
    };
    let heard = tokio::time::timeout(HEARD, heard).await;
    pool.close().await;
    match heard {
        // It came to another session than the one that listens, which expects none.
        Ok(Err(sqlx::Error::Protocol(_))) => Ok(false),
        Ok(heard) => heard.map(|()| true).map_err(Fault::Sql),
        Err(_) => Ok(false),
    }
}

/// Lets the server know, and waits for nothing.
pub(super) async fn drop_hard(conn: PgConnection) {
    // It is of no use any more, whatever its end is.
    let _ = tokio::time::timeout(Duration::from_millis(200), conn.close_hard()).await;
}
