//! Where the numbers go: a file for node_exporter's textfile collector, and a page that only this host can read.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, error, info, warn};

use super::heartbeat::Pulse;
use super::metrics::{Gauges, Metrics};
use crate::clock::SharedClock;
use crate::domain::UtcMs;
use crate::engine::dispatcher::Vitals;
use crate::store::SharedStore;

/// A scraper that says nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request that is read.
const HEAD: usize = 8 * 1024;
/// Scrapers served at once.
const SCRAPERS: usize = 8;

/// What the numbers are made of.
pub struct Numbers {
    pub metrics: Arc<Metrics>,
    pub pulse: Arc<Pulse>,
    pub vitals: Arc<Vitals>,
    pub store: SharedStore,
    pub clock: SharedClock,
    pub database: PathBuf,
    pub started_at: UtcMs,
    /// That the file cannot be written was said.
    pub file_failed: AtomicBool,
}

impl Numbers {
    /// All numbers as they are now.
    async fn text(&self) -> String {
        let last = self.pulse.last();
        let figures = self.store.figures().await;
        let gauges = Gauges {
            started_at: self.started_at,
            jobs: last.map_or(0, |last| last.beat.jobs),
            next_due_at: last.and_then(|last| last.beat.next_look_at),
            beat_at: last.map(|last| last.at),
            open_pushes: self.vitals.open_pushes.load(Ordering::Relaxed),
            unknown_pushes: figures.ok().map(|figures| figures.unknown_pushes),
            database_bytes: file_bytes(&self.database),
            disk_free_bytes: super::retention::disk(&self.database).ok().map(|disk| disk.free),
            log_lines_lost: crate::logging::lost_lines(),
        };
        self.metrics.text(&gauges)
    }

    /// Writes them to `path`, which has the old or the new text at any time, never half of one. Trouble is told once.
    pub async fn write_to(&self, path: &Path) {
        let (text, to) = (self.text().await, path.to_owned());
        let written = tokio::task::spawn_blocking(move || replace(&to, &text)).await;
        let failed = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the writer broke down".to_owned()),
        };
        let told = self.file_failed.swap(failed.is_some(), Ordering::Relaxed);
        match failed {
            Some(error) if !told => warn!(file = %path.display(), error, "metrics cannot be written"),
            None if told => info!(file = %path.display(), "metrics are written again"),
            _ => {}
        }
    }

    /// Serves them as `/metrics` until aborted.
    pub async fn serve(self: Arc<Self>, address: SocketAddr) {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            // Pushes matter more than numbers about them.
            Err(error) => return error!(%address, %error, "metrics are not served"),
        };
        let scrapers = Arc::new(Semaphore::new(SCRAPERS));
        loop {
            let Ok(permit) = scrapers.clone().acquire_owned().await else { return };
            let connection = match listener.accept().await {
                Ok((connection, _)) => connection,
                Err(error) => {
                    debug!(%error, "a scraper was lost");
                    self.clock.sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let numbers = self.clone();
            tokio::spawn(async move {
                tokio::select! {
                    answered = numbers.answer(connection) => if let Err(error) = answered {
                        debug!(%error, "a scraper hung up");
                    },
                    () = numbers.clock.sleep(PATIENCE) => {}
                }
                drop(permit);
            });
        }
    }

    async fn answer(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::with_capacity(1024);
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() >= HEAD || connection.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let (status, body) = match refusal(&String::from_utf8_lossy(&head)) {
            Some(status) => (status, format!("{status}\n")),
            None => ("200 OK", self.text().await),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(answer.as_bytes()).await?;
        connection.shutdown().await
    }
}

/// Why a request is not answered with the numbers. A foreign host name means that a web page in somebody's browser
/// was led here (DNS rebinding).
fn refusal(head: &str) -> Option<&'static str> {
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    let host = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map_or("localhost", |(_, value)| value.trim());
    let is_port = |rest: &str| rest.is_empty() || rest.starts_with(':');
    let ours = ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host.strip_prefix(name).is_some_and(is_port));
    match (method, path.split('?').next()) {
        _ if !ours => Some("421 Misdirected Request"),
        ("GET", Some("/metrics")) => None,
        ("GET", _) => Some("404 Not Found"),
        _ => Some("405 Method Not Allowed"),
    }
}

/// The collector runs as another user, and takes every file that ends in `.prom`.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".pushcron-").suffix(".new").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// The database and its log.
fn file_bytes(database: &Path) -> u64 {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    [database, Path::new(&log)].iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_of_this_host_is_served() {
        let rows = [
            ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", None),
            ("GET /metrics?x=1 HTTP/1.1\r\nhost: localhost\r\n\r\n", None),
            ("GET /metrics HTTP/1.0\r\n\r\n", None),
            ("GET /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Some("404")),
            ("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Some("405")),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", Some("421")),
            ("GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", Some("421")),
            ("\r\n\r\n", Some("405")),
        ];
        for (head, expected) in rows {
            assert_eq!(refusal(head).map(|status| &status[..3]), expected, "{head:?}");
        }
    }

    #[test]
    fn the_file_is_replaced_whole_and_others_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pushcron.prom");
        replace(&path, "one\n").unwrap();
        replace(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(replace(&dir.path().join("missing/pushcron.prom"), "three").is_err());
    }
}
