//! Which servers are refused at the start, and with what words.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pushcron::store::postgres::{Address, PostgresStore, Server};
use pushcron::store::{Access, StoreError};

use super::NINE;
use super::cluster::{cluster, command, directory, look};

async fn refusal(address: &Address) -> StoreError {
    PostgresStore::open(address, Access::Daemon, NINE).await.err().unwrap_or_else(|| panic!("{address} was taken"))
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_or_cannot_be_written_is_refused() {
    let Some(cluster) = cluster() else { return };
    let latin = cluster.database("ENCODING 'LATIN1' LOCALE 'C'").await;
    let told = refusal(&latin).await.to_string();
    assert!(told.contains("its encoding is LATIN1; create the database with ENCODING 'UTF8'"), "{told}");
    let read_only = cluster.database("").await;
    let set = format!("ALTER DATABASE {} SET default_transaction_read_only = on", read_only.database);
    sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut look(&read_only).await).await.unwrap();
    let told = refusal(&read_only).await.to_string();
    assert!(told.contains("name the primary"), "{told}");
}

#[tokio::test]
async fn a_database_a_role_and_a_server_that_are_not_there_are_told_apart() {
    let Some(cluster) = cluster() else { return };
    let there = cluster.address("nowhere");
    let told = refusal(&there).await;
    assert!(
        matches!(told, StoreError::Open { .. }) && told.to_string().contains("\"nowhere\" does not exist"),
        "{told}"
    );
    let nobody = Address { user: "nobody".to_owned(), ..cluster.address("postgres") };
    let told = refusal(&nobody).await;
    assert!(
        matches!(told, StoreError::Open { .. }) && told.to_string().contains("\"nobody\" does not exist"),
        "{told}"
    );
    // A daemon may wait for this one.
    let away = Address { server: Server::Socket("/nowhere".into()), ..cluster.address("postgres") };
    let told = refusal(&away).await;
    assert!(matches!(told, StoreError::Unavailable(_)) && told.to_string().contains("/nowhere"), "{told}");
}

/// Off this machine nothing goes in the clear unasked.
#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let Some(cluster) = cluster() else { return };
    let proxy = super::proxy::Proxy::to(cluster.socket()).await;
    let secure = Address::parse("postgres://pushcron@127.0.0.1/postgres?sslmode=verify-full").unwrap();
    let Address { server, port, .. } = proxy.address(&secure);
    let told = refusal(&Address { server, port, ..secure }).await;
    assert!(matches!(told, StoreError::Open { .. }) && told.to_string().contains("TLS"), "{told}");
}

/// C21: PgBouncer hands a server's connection to whoever begins the next transaction. Once as it comes, when it knows too few of
/// the words that begin a session, and once told to let those pass, when nothing is heard through it.
#[tokio::test]
async fn c21_a_pooler_in_transaction_mode_is_refused_with_its_cause() {
    let Some(cluster) = cluster() else { return };
    let Some(program) =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| std::fs::exists(path).unwrap())
    else {
        eprintln!("SKIPPED: there is no pgbouncer here");
        return;
    };
    for ignored in ["", "ignore_startup_parameters = extra_float_digits,options\n"] {
        let directory = directory();
        let configuration = format!(
            "[databases]\n* = host={}\n[pgbouncer]\npool_mode = transaction\nlisten_addr =\nunix_socket_dir = {}\n\
             listen_port = 5432\nauth_type = any\nadmin_users = pushcron\n{ignored}",
            cluster.directory().display(),
            directory.display()
        );
        let configuration = configuration.replace("* = host=", "postgres = user=pushcron host=");
        let file = directory.join("pgbouncer.ini");
        std::fs::write(&file, configuration).unwrap();
        let mut pooler = command(program).arg(&file).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(pooler.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(log.any(|line| line.contains("process up")), "it does not start");
        let begun = std::time::Duration::from_secs(8);
        let address = Address { server: Server::Socket(directory.clone()), ..cluster.address("postgres") };
        let told = tokio::time::timeout(begun, refusal(&address)).await.expect("it is soon refused");
        pooler.kill().unwrap();
        pooler.wait().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(matches!(told, StoreError::Open { .. }), "{told} ({:?})", log.collect::<Vec<_>>());
        assert!(told.to_string().contains("a pooler that hands the same connection to several clients"), "{told}");
    }
}
