//! The one HTTP client of all senders: no redirects, a cap on bodies, a deadline over the whole call, and one place
//! that tells "surely not sent" from "perhaps sent".

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Body, Client, RequestBuilder, Response};
use tokio::time::timeout;

use super::failure::{Class, Failure};
use super::pinned;
use super::secrets::Secrets;
use crate::domain::UtcMs;
use crate::domain::account::Settings;

/// An answer longer than this is cut off and counts as unreadable: no IM service answers a push with more.
pub const BODY_CAP: usize = 64 * 1024;

/// The longest wait that `Retry-After` may impose. No service asks for more, and a nonsensical date must not silence
/// an account for years.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What a call may take beyond its deadline for an answer that is there already to be read: after a stop of the process
/// or of the machine the deadline is over before anybody has looked into the socket.
const HEARING: Duration = Duration::from_millis(50);

/// A connection that was idle for longer is not used again.
const LONGEST_IDLE: Duration = Duration::from_secs(1);

/// A shared client. Cloning is cheap and shares the connection pool.
#[derive(Clone)]
pub struct Http {
    client: Client,
    secrets: Secrets,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// As it came. It is read without the `secrets` that the platform quotes in it.
    body: Bytes,
    secrets: Secrets,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nothing of the request can have reached the server: no address, refused, no TLS.
    NotSent(String),
    /// The request or a part of it went out and no usable answer came back; the status, where one was read.
    Ambiguous { error: String, status: Option<u16> },
}

/// What an attempt comes to whose decisive call ended like this.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::NotSent(error) => Failure::unreachable(error),
            CallError::Ambiguous { error, status } => Failure { http_status: status, ..Failure::unknown(error) },
        }
    }
}

impl CallError {
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
        let named = |error: String| HttpSetupError(format!("{}: {error}", ca_file.display()));
        let pem = std::fs::read(ca_file).map_err(|error| named(error.to_string()))?;
        Http::build(Some(&pem)).map_err(|HttpSetupError(error)| named(error))
    }

    fn build(pem: Option<&[u8]>) -> Result<Http, HttpSetupError> {
        // Another part of the process may have installed it first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                // An `http_proxy` left in the environment must not see the tokens of local bots.
                .no_proxy()
                .connect_timeout(Duration::from_secs(10))
                // Gunicorn closes idle connections after 2 s, Node after 5, nginx after 75. A request written to a
                // connection that the server is just closing ends as `unknown`, so ours are given up first.
                .pool_idle_timeout(LONGEST_IDLE)
                .tcp_nodelay(true)
                .user_agent(concat!("pushcron/", env!("CARGO_PKG_VERSION")))
        };
        let described = |error: reqwest::Error| HttpSetupError(describe(&error, false));
        let client = match pem {
            Some(pem) => {
                let trusting = pinned::client_config(pem).map_err(HttpSetupError)?;
                builder().tls_backend_preconfigured(trusting).build().map_err(described)?
            }
            // A machine without root certificates can still push to plain http addresses.
            None => builder().build().or_else(|error| {
                tracing::warn!(error = describe(&error, false), "no https: install ca-certificates or set ca_file");
                builder().tls_certs_only([]).build().map_err(described)
            })?,
        };
        Ok(Http { client, secrets: Secrets::default() })
    }

    /// The same client for an account with these settings: answers that quote its secrets are read without them.
    pub fn hiding(self, settings: &Settings) -> Http {
        Http { secrets: Secrets::of(settings), ..self }
    }

    /// A text as it may be shown: without the account's secrets.
    pub fn show(&self, text: &str) -> String {
        self.secrets.hide_in_text(text).into_owned()
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
        self.call_for_much(request, deadline, BODY_CAP).await
    }

    /// As [`Http::call`], for answers of up to `cap` bytes: a long poll may bring more than a push's answer holds.
    ///
    /// # Errors
    /// [`CallError`], with texts that never show the address.
    pub async fn call_for_much(
        &self,
        request: RequestBuilder,
        deadline: Duration,
        cap: usize,
    ) -> Result<Reply, CallError> {
        let mut request = request.build().map_err(|error| CallError::NotSent(describe(&error, false)))?;
        let secrets = self.secrets.with_request(request.headers(), request.url());
        let taken = Arc::new(AtomicBool::new(false));
        let body = Watched { body: request.body_mut().take().unwrap_or_default(), taken: taken.clone() };
        *request.body_mut() = Some(Body::wrap(body));
        let heard = AtomicU16::new(0);
        let mut answer = std::pin::pin!(async {
            match self.client.execute(request).await {
                Ok(response) => {
                    heard.store(response.status().as_u16(), Ordering::Relaxed);
                    read_whole(response, cap, secrets).await
                }
                Err(error) if !taken.load(Ordering::Relaxed) => Err(CallError::NotSent(describe(&error, false))),
                Err(error) => Err(CallError::Ambiguous { error: describe(&error, true), status: None }),
            }
        });
        // Not by the client's own timer: that looks at the time before it looks for the answer.
        if let Ok(result) = timeout(deadline, &mut answer).await {
            return result;
        }
        if !taken.load(Ordering::Relaxed) {
            return Err(CallError::NotSent("no connection in time".to_owned()));
        }
        if let Ok(result) = timeout(HEARING, answer).await {
            return result;
        }
        let late = "no answer in time";
        Err(match heard.load(Ordering::Relaxed) {
            0 => CallError::Ambiguous { error: late.to_owned(), status: None },
            status => broke_off(status, late),
        })
    }
}

/// The head of an answer came, and not the rest.
fn broke_off(status: u16, why: &str) -> CallError {
    CallError::Ambiguous { error: format!("the answer (HTTP {status}) broke off: {why}"), status: Some(status) }
}

async fn read_whole(mut response: Response, cap: usize, secrets: Secrets) -> Result<Reply, CallError> {
    let status = response.status().as_u16();
    let ambiguous = |error| CallError::Ambiguous { error, status: Some(status) };
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > cap => {
                return Err(ambiguous(format!("the answer (HTTP {status}) is longer than {cap} bytes")));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                let headers = std::mem::take(response.headers_mut());
                return Ok(Reply { status, headers, body: body.freeze(), secrets });
            }
            Err(error) => return Err(broke_off(status, &describe(&error, true))),
        }
    }
}

/// A request body that notices when the connection takes the request up for writing.
///
/// hyper asks a body whether it is at its end before it writes the first byte of the head. As long as that has not
/// happened the request was waiting for a name, a connection or TLS, and nothing of it left the machine. No error
/// kind tells this: a deadline that ends during the connect looks like one that ends during the answer.
struct Watched {
    body: Body,
    taken: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        self.taken.store(true, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.taken.store(true, Ordering::Relaxed);
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON that may be shown, or None where it is none. An id in it is not one to use: a secret's text may
    /// stand in it by chance and is hidden there too.
    pub fn json(&self) -> Option<serde_json::Value> {
        let mut value = self.json_as_it_came()?;
        self.secrets.hide_in(&mut value);
        Some(value)
    }

    /// The body as JSON for what is used again: ids, tokens, addresses. What is shown of it goes through
    /// `Secrets::hide_in_text` of [`Reply::secrets`].
    pub fn json_as_it_came(&self) -> Option<serde_json::Value> {
        // Some servers write a byte order mark, which JSON does not know; with it a no would go unread.
        serde_json::from_slice(self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)).ok()
    }

    /// As [`Reply::json_as_it_came`], for what is not quite JSON.
    pub fn json_by(&self, parse: impl FnOnce(&[u8]) -> Option<serde_json::Value>) -> Option<serde_json::Value> {
        parse(&self.body)
    }

    /// What nothing may show of this answer.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The same answer, with more that nothing may show.
    pub fn hiding(self, more: impl IntoIterator<Item = String>) -> Reply {
        Reply { secrets: self.secrets.and(more.into_iter().collect()), ..self }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        // What an answer grants is used from its JSON, and quoted nowhere.
        self.secrets.with_granted(&self.body).hide_in_text(&String::from_utf8_lossy(&self.body)).into_owned()
    }

    /// The start of the body as one line, for error texts.
    pub fn excerpt(&self) -> String {
        excerpt(&self.text())
    }

    /// The wait that `Retry-After` asks for, in seconds or as an HTTP date, at most a day. Nonsense counts as absent,
    /// a date gone by as no wait.
    pub fn retry_after(&self, now: UtcMs) -> Option<Duration> {
        self.wait_in(RETRY_AFTER.as_str(), now)
    }

    /// As [`Reply::retry_after`], in the header of that name.
    pub fn wait_in(&self, header: &str, now: UtcMs) -> Option<Duration> {
        let text = self.headers.get(header)?.to_str().ok()?.trim();
        let wait = match in_seconds(text) {
            // Whole seconds by the RFC; some services send fractions.
            Some(seconds) => wait_of(seconds)?,
            None => {
                let date = httpdate::parse_http_date(text).ok()?;
                let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
                (UtcMs(0) + since_epoch).since(now)
            }
        };
        Some(wait.min(LONGEST_WAIT))
    }

    /// What an HTTP status alone says, for protocols whose sheet says nothing else (others.md §0.1). None for 2xx:
    /// there the body decides.
    pub fn status_failure(&self, now: UtcMs) -> Option<Failure> {
        let class = match self.status {
            200..300 => return None,
            429 => Class::Throttled { wait: self.retry_after(now) },
            503 if self.retry_after(now).is_some() => Class::Throttled { wait: self.retry_after(now) },
            401 | 403 => Class::AccountDown,
            // The server gave up waiting for the rest of the request, so it cannot have acted on it (RFC 9110 §15.5.9).
            408 => Class::Unreachable,
            410 => Class::TargetGone,
            500.. => Class::Unknown,
            _ => Class::Rejected,
        };
        let hint = if (300..400).contains(&self.status) { " (redirects are not followed)" } else { "" };
        let error = format!("HTTP {}{hint}: {}", self.status, self.excerpt());
        Some(Failure::new(class, error.trim_end_matches([':', ' '])).with_status(self.status))
    }

    /// What an answer means that is not in the protocol's own words: a proxy's page, half an answer.
    pub fn unreadable(&self, now: UtcMs) -> Failure {
        let unknown = || Failure::unknown(format!("unreadable answer: {}", self.excerpt())).with_status(self.status);
        self.status_failure(now).unwrap_or_else(unknown)
    }
}

/// A wait in seconds as a field of an answer tells it: a number, a fraction, or either as a text, at most a day.
pub fn told_seconds(value: &serde_json::Value) -> Option<Duration> {
    wait_of(value.as_f64().or_else(|| in_seconds(value.as_str()?.trim()))?)
}

/// A wait of so many seconds, at most a day: out of range means too long. None for what is no wait.
pub fn wait_of(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}

/// A number of seconds, alone or with a unit behind it, as `30s` and `2 minutes`.
fn in_seconds(text: &str) -> Option<f64> {
    let (number, unit) =
        text.split_at(text.find(|c: char| c.is_whitespace() || "smh秒分".contains(c)).unwrap_or(text.len()));
    let scale = match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" | "秒" => 1.0,
        "ms" => 0.001,
        "m" | "min" | "mins" | "minute" | "minutes" | "分钟" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
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

/// The phase and the innermost cause of a reqwest error, without the address: only the outermost link of the chain
/// prints that, and it may hold a token in its path or query.
fn describe(error: &reqwest::Error, taken: bool) -> String {
    let phase = match (taken, error.is_timeout()) {
        (false, true) => return "no connection in time".to_owned(),
        (true, true) => return "no answer in time".to_owned(),
        (false, false) if error.is_builder() => "the request cannot be made",
        (false, false) => "cannot connect",
        (true, false) => "the connection broke",
    };
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    match causes.last() {
        Some(cause) => format!("{phase}: {}", excerpt(&cause.to_string())),
        None => phase.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().unwrap());
        }
        Reply { status, headers, body: Bytes::from_static(b"slow\ndown"), secrets: Secrets::default() }
    }

    #[test]
    fn retry_after_is_read_in_every_form_and_nonsense_is_no_wait() {
        let now = "1994-11-06T08:49:30.000Z".parse().unwrap();
        let rows = [
            ("30", Some(30_000)),
            (" 0 ", Some(0)),
            ("1.5", Some(1_500)),
            ("30s", Some(30_000)),
            ("1.5 seconds", Some(1_500)),
            ("250ms", Some(250)),
            ("2 minutes", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7_000)),
            ("Sun Nov  6 08:49:37 1994", Some(7_000)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("315360000", Some(86_400_000)),
            ("1e300", Some(86_400_000)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400_000)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let wait = reply(429, Some(text)).retry_after(now).map(|wait| wait.as_millis());
            assert_eq!(wait, expected, "{text:?}");
        }
        assert_eq!(reply(429, None).retry_after(now), None);
    }

    #[test]
    fn a_status_alone_says_whose_fault_it_is() {
        let now = UtcMs(0);
        let wait = |seconds| Class::Throttled { wait: Some(Duration::from_secs(seconds)) };
        let rows = [
            (reply(302, None), Class::Rejected),
            (reply(400, None), Class::Rejected),
            (reply(401, None), Class::AccountDown),
            (reply(403, None), Class::AccountDown),
            (reply(404, None), Class::Rejected),
            (reply(408, None), Class::Unreachable),
            (reply(410, None), Class::TargetGone),
            (reply(413, None), Class::Rejected),
            (reply(429, Some("7")), wait(7)),
            (reply(429, None), Class::Throttled { wait: None }),
            (reply(500, None), Class::Unknown),
            (reply(502, None), Class::Unknown),
            (reply(503, Some("7")), wait(7)),
            (reply(503, None), Class::Unknown),
            (reply(504, Some("7")), Class::Unknown),
        ];
        for (reply, class) in rows {
            let failure = reply.status_failure(now).unwrap();
            assert_eq!(failure.class, class, "{}", reply.status);
            assert_eq!(failure.http_status, Some(reply.status));
            assert!(failure.error.contains("slow down"), "the body is quoted in one line");
        }
        assert_eq!(reply(204, None).status_failure(now), None);
    }
}
