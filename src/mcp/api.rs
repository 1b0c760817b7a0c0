//! The HTTP API of a daemon, asked by whoever has tokens for it.

use std::time::Duration;

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};
use url::Url;

use super::tools::{Ask, Scope};

/// Longer than the daemon waits for the end of any push.
const PATIENCE: Duration = Duration::from_secs(150);
/// A daemon of this machine, or of a network that works, takes a connection at once.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a daemon's HTTP API is, and by what it lets somebody in.
pub(crate) struct Api {
    client: Client,
    url: Url,
    /// As it was said, for messages.
    place: String,
    /// None on a socket, where the kernel says who asks.
    tokens: Vec<Option<String>>,
}

/// An answer: its status and its JSON.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Api {
    /// The API at `http://…`, `https://…` or `unix:/…`.
    ///
    /// # Errors
    ///
    /// In words, where that is no place.
    pub(crate) fn at(place: &str, tokens: Vec<String>) -> Result<Api, String> {
        // Another part of the process may have installed it first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                // A token is for the one that it was said for.
                .redirect(redirect::Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT)
                .timeout(PATIENCE)
                .user_agent(concat!("pushcron-mcp/", env!("CARGO_PKG_VERSION")))
        };
        let (url, client) = match place.strip_prefix("unix:") {
            Some(path) => ("http://localhost/", builder().unix_socket(path).tls_certs_only([]).build()),
            // Without the system's root certificates plain http still works, and https says what is wrong.
            None => (place, builder().build().or_else(|_| builder().tls_certs_only([]).build())),
        };
        let client = client.map_err(|error| error.to_string())?;
        let mut url = url.parse::<Url>().map_err(|error| format!("'{place}': {error}"))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err(format!("expected http://, https:// or unix:/ of a daemon's API, got '{place}'"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let mut tokens: Vec<Option<String>> = tokens.into_iter().map(Some).collect();
        if tokens.is_empty() {
            tokens.push(None);
        }
        Ok(Api { client, url, place: place.to_owned(), tokens })
    }

    /// What each of the tokens may, by its place among them.
    ///
    /// # Errors
    ///
    /// In words, where the daemon does not answer or lets nobody in.
    pub(super) async fn scopes(&self) -> Result<Vec<(usize, Scope)>, String> {
        let mut scopes = Vec::new();
        for place in 0..self.tokens.len() {
            let me = self.ask(&Ask::get("/api/v1/me"), place).await?;
            if me.status != 200 {
                return Err(format!("{}: {}", self.place, told(&me)));
            }
            let all = [Scope::Read, Scope::Act, Scope::Push];
            let allowed: &[Scope] = match me.body["scope"].as_str() {
                Some("all") => &all,
                Some("act") => &all[..2],
                Some("read") => &all[..1],
                Some("push") => &all[2..],
                _ => &[],
            };
            scopes.extend(allowed.iter().map(|scope| (place, *scope)));
        }
        Ok(scopes)
    }

    /// # Errors
    ///
    /// In words, where nobody answers.
    pub(super) async fn ask(&self, ask: &Ask, token: usize) -> Result<Answer, String> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
            let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
            format!("the HTTP API of pushcron at {} does not answer: {cause}", self.place)
        };
        let url = self.url.join(ask.path.trim_start_matches('/')).map_err(|error| error.to_string())?;
        let mut request = self.client.request(ask.method.clone(), url).query(&ask.query);
        if let Some(Some(token)) = self.tokens.get(token) {
            request = request.bearer_auth(token);
        }
        if let Some(key) = &ask.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        } else if ask.method != Method::GET {
            request = request.header("Content-Length", "0");
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(unreachable)?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!({ "detail": format!("HTTP {status}, which is no answer of pushcron") }));
        Ok(Answer { status, body })
    }
}

/// What an answer says that is no yes.
pub(super) fn told(answer: &Answer) -> String {
    let detail = answer.body["detail"].as_str().unwrap_or("it says nothing more");
    format!("HTTP {}: {detail}", answer.status)
}
