//! The one HTTP client of all senders: no redirects, a cap on bodies, a deadline over the whole call, and one place
//! that tells "surely not sent" from "perhaps sent".

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};

use crate::domain::{Outcome, Report, UtcMs};

/// An answer longer than this is cut off and counts as unreadable: no IM service answers a push with more.
pub const BODY_CAP: usize = 64 * 1024;

/// A shared client. Cloning is cheap and shares the connection pool.
#[derive(Clone)]
pub struct Http {
    client: Client,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nothing of the request can have reached the server: no address, refused, no TLS.
    NotSent(String),
    /// The request or a part of it went out and no usable answer came back; the status, where one was read.
    Ambiguous { error: String, status: Option<u16> },
}

impl CallError {
    /// The report of an attempt whose decisive call ended like this.
    pub fn report(self) -> Report {
        match self {
            CallError::NotSent(error) => Report::failed(Outcome::Unreachable, error),
            CallError::Ambiguous { error, status } => {
                let mut report = Report::failed(Outcome::Unknown, error);
                report.http_status = status;
                report
            }
        }
    }

    /// The text for people, free of addresses (they may hold tokens).
    pub fn message(&self) -> &str {
        match self {
            CallError::NotSent(error) | CallError::Ambiguous { error, .. } => error,
        }
    }
}

/// The client could not be set up: the system's root certificates or a `ca_file` are unusable.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS: {0}")]
pub struct HttpSetupError(String);

impl Http {
    /// A client that trusts the system's root certificates.
    pub fn new() -> Result<Http, HttpSetupError> {
        Http::build(None)
    }

    /// A client that trusts only the certificates of `ca_file` (PEM), for servers with a certificate of their own.
    pub fn trusting(ca_file: &Path) -> Result<Http, HttpSetupError> {
        let pem = std::fs::read(ca_file).map_err(|error| HttpSetupError(format!("{}: {error}", ca_file.display())))?;
        Http::build(Some(&pem))
    }

    fn build(pem: Option<&[u8]>) -> Result<Http, HttpSetupError> {
        // Another part of the process may have installed it first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(10))
                .pool_idle_timeout(Duration::from_secs(60))
                .tcp_nodelay(true)
                .user_agent(concat!("pushcron/", env!("CARGO_PKG_VERSION")))
        };
        let described = |error: reqwest::Error| HttpSetupError(describe(&error));
        let client = match pem {
            Some(pem) => {
                let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(described)?;
                builder().tls_certs_only(roots).build().map_err(described)?
            }
            // A machine without root certificates can still push to plain http addresses; https then fails with
            // a certificate error that names the cause.
            None => builder().build().or_else(|_| builder().tls_certs_only([]).build()).map_err(described)?,
        };
        Ok(Http { client })
    }

    /// Starts a POST; headers and body follow on the builder, then [`Http::call`].
    pub fn post(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.post(url)
    }

    pub fn get(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.get(url)
    }

    pub fn put(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.put(url)
    }

    /// Sends the request and reads the whole answer, body cap and deadline included.
    ///
    /// # Errors
    /// [`CallError`], with texts that never show the address.
    pub async fn call(&self, request: RequestBuilder, deadline: Duration) -> Result<Reply, CallError> {
        let mut response = match request.timeout(deadline).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => return Err(CallError::NotSent(describe(&error))),
            Err(error) => return Err(CallError::Ambiguous { error: describe(&error), status: None }),
        };
        let status = response.status().as_u16();
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_CAP => {
                    let error = format!("the answer (HTTP {status}) is longer than {BODY_CAP} bytes");
                    return Err(CallError::Ambiguous { error, status: Some(status) });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    let error = format!("the answer (HTTP {status}) broke off: {}", describe(&error));
                    return Err(CallError::Ambiguous { error, status: Some(status) });
                }
            }
        }
        Ok(Reply { status, headers: response.headers().clone(), body: body.freeze() })
    }
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, or None where it is none.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The start of the body as one line, for error texts.
    pub fn excerpt(&self) -> String {
        excerpt(&String::from_utf8_lossy(&self.body))
    }

    /// The wait that `Retry-After` asks for, in seconds or as an HTTP date, at most a day. Nonsense counts as absent.
    pub fn retry_after(&self, now: UtcMs) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let date = httpdate::parse_http_date(text).ok()?;
                let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
                (UtcMs(0) + since_epoch).since(now)
            }
        };
        Some(wait)
    }

    /// What an HTTP status alone says, for protocols whose sheet says nothing else (others.md §0.1). None for 2xx:
    /// there the body decides.
    pub fn status_report(&self, now: UtcMs) -> Option<Report> {
        let outcome = match self.status {
            200..300 => return None,
            429 => Outcome::Throttled { wait: self.retry_after(now) },
            503 if self.retry_after(now).is_some() => Outcome::Throttled { wait: self.retry_after(now) },
            401 | 403 => Outcome::AccountDown,
            410 => Outcome::TargetGone,
            500.. => Outcome::Unknown,
            _ => Outcome::Rejected,
        };
        let hint = if (300..400).contains(&self.status) { " (redirects are not followed)" } else { "" };
        let error = format!("HTTP {}{hint}: {}", self.status, self.excerpt());
        Some(Report::failed(outcome, error.trim_end_matches([':', ' '])).with_status(self.status))
    }
}

/// One line of at most 200 characters, control characters as spaces.
pub fn excerpt(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    match line.char_indices().nth(200) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

/// The cause chain of a reqwest error without the address, which may hold a token in its path or query.
fn describe(error: &reqwest::Error) -> String {
    let phase = if error.is_timeout() && error.is_connect() {
        "no connection in time"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_builder() {
        "the request cannot be made"
    } else {
        "the connection broke"
    };
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    // reqwest's own Display (the outermost) is the only link of the chain that prints the address.
    if std::ptr::eq(deepest as *const dyn std::error::Error as *const (), error as *const reqwest::Error as *const ()) {
        phase.to_owned()
    } else {
        format!("{phase}: {}", excerpt(&deepest.to_string()))
    }
}
