//! What the machine can do at all: no scheduler, nothing but the durable writes and the requests.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::wait_until;

const WORKERS: usize = 64;
const BULK: usize = 1000;

/// Prints when, after the first instant, the last result was durable.
pub(crate) fn run(url: &str, due_ms: f64, jobs: usize, seconds: usize, database: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = open(database);
        let client = client();
        for second in 0..seconds {
            let due_ms = due_ms + second as f64 * 1000.0;
            wait_until(due_ms);
            connection = round(connection, &client, url, due_ms, second * jobs..(second + 1) * jobs).await;
        }
        connection.close().unwrap();
    });
    println!("{}", super::now_ms() - due_ms);
}

async fn round(
    connection: Connection,
    client: &reqwest::Client,
    url: &str,
    due_ms: f64,
    ids: Range<usize>,
) -> Connection {
    claim(&connection, ids.clone());
    let (results, recording) = mpsc::unbounded_channel();
    let writer = spawn_blocking(|| record(connection, recording));
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

/// The client that each program uses.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tcp_nodelay(true).build().unwrap()
}

pub(crate) fn body(id: usize, due: &str) -> String {
    format!(r#"{{"type":"message.push","timestamp":"{due}","data":{{"job":"job{id}","text":"good morning"}}}}"#)
}

fn open(database: &str) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE claims (id INTEGER PRIMARY KEY, state TEXT, at TEXT, answer TEXT) STRICT",
        )
        .unwrap();
    connection
}

fn claim(connection: &Connection, ids: Range<usize>) {
    let transaction = connection.unchecked_transaction().unwrap();
    let sql = "INSERT INTO claims VALUES (?1, 'sending', '2026-01-01T00:00:00.000Z', NULL)";
    let mut insert = transaction.prepare_cached(sql).unwrap();
    for id in ids {
        insert.execute([id as i64]).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}

fn record(connection: Connection, mut results: mpsc::UnboundedReceiver<usize>) -> Connection {
    let sql = "UPDATE claims SET state = 'sent', answer = '200' WHERE id = ?1";
    let mut batch = Vec::new();
    while results.blocking_recv_many(&mut batch, BULK) > 0 {
        let transaction = connection.unchecked_transaction().unwrap();
        let mut update = transaction.prepare_cached(sql).unwrap();
        for id in batch.drain(..) {
            update.execute([id as i64]).unwrap();
        }
        drop(update);
        transaction.commit().unwrap();
    }
    connection
}
