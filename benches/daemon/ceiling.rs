//! What the machine can do at all: no scheduler, nothing but the durable writes and the requests.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

use super::wait_until;

const WORKERS: usize = 64;
const BULK: usize = 1000;

/// Prints when, after the first instant, the last result was durable.
pub fn run(url: &str, due_ms: f64, jobs: usize, seconds: usize, database: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = open(database).await;
        let client = client();
        for second in 0..seconds {
            let due_ms = due_ms + second as f64 * 1000.0;
            wait_until(due_ms);
            connection = round(connection, &client, url, due_ms, second * jobs..(second + 1) * jobs).await;
        }
        connection.close().await.unwrap();
    });
    println!("{}", super::now_ms() - due_ms);
}

async fn round(
    mut connection: SqliteConnection,
    client: &reqwest::Client,
    url: &str,
    due_ms: f64,
    ids: Range<usize>,
) -> SqliteConnection {
    claim(&mut connection, ids.clone()).await;
    let (results, recording) = mpsc::unbounded_channel();
    let writer = tokio::spawn(record(connection, recording));
    let next = Arc::new(AtomicUsize::new(ids.start));
    let due = format!("{:.3}", jiff::Timestamp::from_millisecond(due_ms as i64).unwrap());
    let workers: Vec<_> = (0..WORKERS.min(ids.len()))
        .map(|_| {
            let (client, next, results) = (client.clone(), next.clone(), results.clone());
            let (url, due) = (url.to_owned(), due.clone());
            tokio::spawn(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= ids.end {
                        return;
                    }
                    let body = body(id, &due);
                    let answer = client.post(&url).header("webhook-id", id).body(body).send().await.unwrap();
                    answer.bytes().await.unwrap();
                    results.send(id).unwrap();
                }
            })
        })
        .collect();
    drop(results);
    for worker in workers {
        worker.await.unwrap();
    }
    writer.await.unwrap()
}

/// The client that every contestant uses.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tcp_nodelay(true).build().unwrap()
}

pub fn body(id: usize, due: &str) -> String {
    format!(r#"{{"type":"message.push","timestamp":"{due}","data":{{"job":"job{id}","text":"good morning"}}}}"#)
}

async fn open(database: &str) -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .unwrap();
    let table = "CREATE TABLE claims (id INTEGER PRIMARY KEY, state TEXT, at TEXT, answer TEXT) STRICT";
    sqlx::query(table).execute(&mut connection).await.unwrap();
    connection
}

async fn claim(connection: &mut SqliteConnection, ids: Range<usize>) {
    let mut transaction = connection.begin().await.unwrap();
    for start in ids.clone().step_by(BULK) {
        let ids: Vec<usize> = (start..ids.end.min(start + BULK)).collect();
        sqlx::query("INSERT INTO claims SELECT value, 'sending', '2026-01-01T00:00:00.000Z', NULL FROM json_each(?1)")
            .bind(serde_json::to_string(&ids).unwrap())
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn record(mut connection: SqliteConnection, mut results: mpsc::UnboundedReceiver<usize>) -> SqliteConnection {
    let mut batch = Vec::new();
    while results.recv_many(&mut batch, BULK).await > 0 {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("UPDATE claims SET state = 'sent', answer = '200' WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(serde_json::to_string(&batch).unwrap())
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        batch.clear();
    }
    connection
}
