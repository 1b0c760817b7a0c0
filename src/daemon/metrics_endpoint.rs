//! Where the metrics go: a file for node_exporter's textfile collector, and a page for this host and for whom the
//! configuration names.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use super::heartbeat::LastTick;
use super::metrics::{Gauges, Metrics};
use crate::clock::SharedClock;
use crate::config::MetricsListen;
use crate::domain::hex::sha256;
use crate::domain::{Database, Locked, Secret, UtcMs};
use crate::engine::dispatcher::EngineGauges;
use crate::net::hosts::{is_local, is_this_machine};
use crate::net::http1::header::{self, HeaderValue};
use crate::net::http1::{
    Audience, Handler, Head, Limits, Listener, Method, Refused, Request, Response, Server, StatusCode, bearer,
    plain_refusal,
};
use crate::store::{self, Upkeep};
use crate::whole_file;

/// A scraper that says nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The collector runs as another user, and takes every file that ends in `.prom`.
const READABLE: u32 = 0o644;

const LIMITS: Limits = Limits {
    connections: 8,
    idle: PATIENCE,
    head: PATIENCE,
    request: PATIENCE,
    work: None,
    stop: PATIENCE,
    head_bytes: 8 * 1024,
    body_bytes: 8 * 1024,
    keep_alive: false,
};

/// The metrics as they are handed out, and what they are made of.
pub(super) struct MetricsEndpoint {
    pub metrics: Arc<Metrics>,
    pub last_tick: Arc<LastTick>,
    pub engine_gauges: Arc<EngineGauges>,
    pub store: Arc<dyn Upkeep>,
    pub clock: SharedClock,
    pub database: Database,
    pub started_at: UtcMs,
    /// How the files were found when they were read last.
    pub reloads: LastReload,
    /// That the file cannot be written was said.
    pub file_failed: AtomicBool,
}

/// What became of the files when they were read last.
#[derive(Default)]
pub(super) struct LastReload(Mutex<Option<(UtcMs, bool)>>);

impl LastReload {
    pub(super) fn note(&self, at: UtcMs, is_in_force: bool) {
        *self.0.locked() = Some((at, is_in_force));
    }

    fn last(&self) -> Option<(UtcMs, bool)> {
        *self.0.locked()
    }
}

impl MetricsEndpoint {
    /// All metrics as they are now.
    async fn text(&self) -> String {
        let last = self.last_tick.last();
        let stats = self.store.database_stats().await;
        let gauges = Gauges {
            started_at: self.started_at,
            jobs: last.map_or(0, |last| last.tick.jobs),
            next_due_at: last.and_then(|last| last.tick.next_look_at),
            last_reload: self.reloads.last(),
            tick_at: last.map(|last| last.at),
            open_pushes: self.engine_gauges.open_pushes.load(Ordering::Relaxed),
            unknown_pushes: stats.ok().map(|stats| stats.unknown_pushes),
            database_bytes: store::size(&self.database),
            disk_free_bytes: super::retention::disk(&self.database).map(|disk| disk.free),
            log_lines_lost: crate::logging::lost_lines(),
        };
        self.metrics.text(&gauges)
    }

    /// Writes them to `path`, which has the old or the new text at any time, never half of one. Trouble is told once.
    pub(super) async fn write_to(&self, path: &Path) {
        let (text, to) = (self.text().await, path.to_owned());
        let written = tokio::task::spawn_blocking(move || whole_file::write(&to, READABLE, text.as_bytes())).await;
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
    pub(super) async fn serve(self: Arc<Self>, to: MetricsListen) {
        let listener = match TcpListener::bind(to.address).await {
            Ok(listener) => listener,
            // Pushes matter more than numbers about them.
            Err(error) => return error!(address = %to.address, %error, "metrics are not served"),
        };
        self.server(listener, to).run(std::future::pending()).await;
    }

    fn server(self: Arc<Self>, listener: TcpListener, to: MetricsListen) -> Server {
        // A page in somebody's browser that was led here knows no token. Where there is none it is known by the name that
        // it asks for.
        let hosts: Option<fn(&str) -> bool> = match (&to.token, to.allow.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(is_this_machine),
            (None, false) => Some(is_local),
        };
        let clock = self.clock.clone();
        let handler = Arc::new(Page { endpoint: self, token: to.token.clone() });
        let peers = Arc::new(move |peer| to.hears(peer));
        let audience = Audience { peers, hosts };
        Server { name: "metrics", listener: Listener::Tcp(listener), limits: LIMITS, audience, handler, clock }
    }
}

/// The page of one address.
struct Page {
    endpoint: Arc<MetricsEndpoint>,
    /// What every reader has to bring.
    token: Option<Secret>,
}

impl Page {
    fn may_read(&self, head: &Head) -> bool {
        let Some(token) = &self.token else { return true };
        // They are compared by their digests: how long that takes tells nothing of the tokens.
        let is_ours = |brought: &str| sha256(brought.as_bytes()) == sha256(token.expose().as_bytes());
        head.headers.get(header::AUTHORIZATION).and_then(bearer).is_some_and(is_ours)
    }
}

#[async_trait]
impl Handler for Page {
    fn judge(&self, head: &Head) -> Result<(), Refused> {
        if !self.may_read(head) {
            return Err(StatusCode::UNAUTHORIZED.into());
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET, "/metrics") => Ok(()),
            (&Method::GET, _) => Err(StatusCode::NOT_FOUND.into()),
            _ => Err(StatusCode::METHOD_NOT_ALLOWED.into()),
        }
    }

    async fn answer(&self, _request: Request<Bytes>) -> Response<Bytes> {
        let mut response = Response::new(self.endpoint.text().await.into());
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn refusal(&self, status: StatusCode, _why: Option<&'static str>) -> Response<Bytes> {
        let mut response = plain_refusal(status);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::os::unix::fs::PermissionsExt;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::store::Access;

    async fn endpoint(dir: &Path) -> MetricsEndpoint {
        let clock = SystemClock::shared();
        let database = Database::at(dir.join("pushcron.db"));
        let store = store::open(&database, Access::Daemon, clock.now()).await.unwrap();
        MetricsEndpoint {
            metrics: Arc::default(),
            last_tick: Arc::default(),
            engine_gauges: Arc::default(),
            store,
            started_at: clock.now(),
            clock,
            database,
            reloads: LastReload::default(),
            file_failed: AtomicBool::new(false),
        }
    }

    async fn page(dir: &Path) -> (SocketAddr, JoinHandle<()>) {
        page_for(dir, &[], None).await
    }

    /// Whoever connects comes from 127.0.0.1, which is heard by any page.
    async fn page_for(dir: &Path, allow: &[&str], token: Option<&str>) -> (SocketAddr, JoinHandle<()>) {
        let endpoint = endpoint(dir).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        let to = MetricsListen { address, allow, token: token.map(|token| Secret::new(token.to_owned())) };
        (address, tokio::spawn(Arc::new(endpoint).server(listener, to).run(std::future::pending())))
    }

    fn hears(address: &str, allow: &[&str], token: Option<&str>) -> bool {
        let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        let token = token.map(|token| Secret::new(token.to_owned()));
        MetricsListen { address: ([0, 0, 0, 0], 0).into(), allow, token }.hears(address.parse().unwrap())
    }

    #[test]
    fn others_are_heard_from_the_named_networks_or_with_a_token_only() {
        let networks = ["10.0.0.0/8", "fd00::/8", "192.168.1.7/32"];
        for (address, is_named) in [
            ("10.1.2.3", true),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("11.0.0.1", false),
            ("fd12::1", true),
            ("2001:db8::1", false),
            ("127.0.0.1", true),
            ("::1", true),
        ] {
            let is_here = address == "127.0.0.1" || address == "::1";
            assert_eq!(hears(address, &networks, None), is_named, "{address}");
            assert_eq!(
                hears(address, &networks, Some("token")),
                is_named,
                "{address}: the networks hold with a token too"
            );
            assert_eq!(hears(address, &[], None), is_here, "{address}");
            assert!(hears(address, &[], Some("token")), "{address}");
        }
    }

    #[tokio::test]
    async fn a_page_with_a_token_answers_whoever_brings_it_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let (address, _server) = page_for(dir.path(), &[], Some("0123456789abcdef")).await;
        for (field, path, expected) in [
            ("Authorization: Bearer 0123456789abcdef\r\n", "/metrics", "200 OK"),
            ("authorization: bearer 0123456789abcdef\r\n", "/metrics", "200 OK"),
            ("Authorization: Bearer 0123456789abcdef\r\n", "/", "404 Not Found"),
            ("Authorization: Bearer 0123456789abcdeF\r\n", "/metrics", "401 Unauthorized"),
            ("Authorization: Bearer 0123456789abcdef0\r\n", "/metrics", "401 Unauthorized"),
            ("Authorization: Bearer\r\n", "/metrics", "401 Unauthorized"),
            ("Authorization: Basic 0123456789abcdef\r\n", "/metrics", "401 Unauthorized"),
            ("", "/metrics", "401 Unauthorized"),
            ("", "/", "401 Unauthorized"),
        ] {
            let answer =
                say(address, &format!("GET {path} HTTP/1.1\r\nHost: cron.example.org:9464\r\n{field}\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{field:?}: {answer}");
            assert_eq!(answer.contains("\npushcron_jobs "), expected == "200 OK", "{field:?}");
            assert_eq!(answer.contains("www-authenticate: Bearer\r\n"), expected.starts_with("401"), "{field:?}");
        }
    }

    #[tokio::test]
    async fn a_page_for_networks_answers_to_local_names_only() {
        let dir = tempfile::tempdir().unwrap();
        let (address, _server) = page_for(dir.path(), &["10.0.0.0/8"], None).await;
        for (host, is_ours) in [
            ("10.0.3.4:9464", true),
            ("pushcron:9464", true),
            ("pushcron.monitoring.svc.cluster.local", true),
            ("evil.example", false),
        ] {
            let answer = say(address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert_eq!(answer.contains("\npushcron_jobs "), is_ours, "{host}: {answer}");
        }
    }

    async fn say(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn only_the_page_of_this_host_is_served() {
        let dir = tempfile::tempdir().unwrap();
        let (address, _server) = page(dir.path()).await;
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", "200 OK"),
            ("GET /metrics?x=1 HTTP/1.1\r\nhost: localhost\r\n\r\n", "200 OK"),
            ("GET /metrics HTTP/1.0\r\n\r\n", "200 OK"),
            ("GET /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", "200 OK"),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
            ("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
            ("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request"),
            ("GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "421 Misdirected Request"),
        ] {
            let answer = say(address, head).await;
            let line = answer.lines().next().unwrap_or_default();
            assert_eq!(line.split_once(' ').map(|(_, status)| status), Some(expected), "{head:?}");
            assert_eq!(answer.contains("\npushcron_jobs "), expected == "200 OK", "{head:?}");
        }
        let answer = say(address, "GET /metrics HTTP/1.1\r\n\r\n").await;
        for line in ["content-type: text/plain; version=0.0.4; charset=utf-8", "x-content-type-options: nosniff"] {
            assert!(answer.contains(line), "{answer}");
        }
    }

    #[tokio::test]
    async fn idle_connections_hold_up_no_scraper() {
        let dir = tempfile::tempdir().unwrap();
        let (address, _server) = page(dir.path()).await;
        let mut idle = Vec::new();
        for _ in 0..3 * LIMITS.connections {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let clock = SystemClock::new();
        let before = clock.monotonic();
        assert!(say(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.contains("\npushcron_jobs "));
        let passed = clock.monotonic() - before;
        assert!(passed < PATIENCE, "{passed:?}: the scraper waited until they were hung up on");
    }

    #[tokio::test]
    async fn the_file_is_replaced_whole_and_others_may_read_it() {
        let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let endpoint = endpoint(state.path()).await;
        let path = dir.path().join("pushcron.prom");
        for old in ["", "# old\n"] {
            std::fs::write(&path, old).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            endpoint.write_to(&path).await;
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains("\npushcron_jobs ") && !text.contains("old"), "{text}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        }
        endpoint.write_to(&dir.path().join("missing/pushcron.prom")).await;
        assert!(endpoint.file_failed.load(Ordering::Relaxed));
    }
}
