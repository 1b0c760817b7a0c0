//! Fetching over HTTP, without being led to machines that only we can reach.
//!
//! Every address is judged where it is connected to: names by a resolver of ours that hands only allowed addresses
//! to the connection (so that a name cannot change its mind between check and use), literal addresses before the
//! call, and both again for each redirect.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Response};
use url::{Host, Url};

use super::naming::{Hints, disposition_name};
use super::spool::{Content, Spool, too_large};
use super::{Problem, address, blocking};

const MAX_REDIRECTS: usize = 5;

/// Says why an address must not be connected to, or None where it may.
type Refuse = fn(IpAddr) -> Option<&'static str>;

/// Fetches media over http and https.
pub struct Fetcher {
    client: Client,
    refuse: Refuse,
}

impl Fetcher {
    /// # Errors
    /// A text for people when HTTPS cannot be set up.
    pub fn new(allow_private: bool) -> Result<Fetcher, String> {
        let refuse: Refuse = if allow_private { |_| None } else { address::not_public };
        Fetcher::with(refuse, Arc::new(SystemNames))
    }

    fn with(refuse: Refuse, names: Arc<dyn Resolve>) -> Result<Fetcher, String> {
        // Another part of the process may have installed it first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                // A proxy would resolve names by itself, past our check.
                .no_proxy()
                .dns_resolver(Arc::new(Guarded { refuse, names: names.clone() }))
                .connect_timeout(Duration::from_secs(10))
                .pool_max_idle_per_host(0)
                .user_agent(concat!("pushcron/", env!("CARGO_PKG_VERSION")))
        };
        // Without the system's root certificates, plain http still works and https says what is wrong.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
        Ok(Fetcher { client: client.map_err(|error| cause(&error))?, refuse })
    }

    /// Fetches into `spool`; what the server says of name and type goes into `hints`.
    pub async fn fetch(&self, url: Url, spool: Spool, hints: &mut Hints) -> Result<Content, Problem> {
        let (url, response) = self.follow(url).await?;
        check_status(&url, response.status().as_u16())?;
        let headers = response.headers();
        if let Some(encoding) = text(headers, CONTENT_ENCODING.as_str()).filter(|encoding| encoding != "identity") {
            return Err(Problem::rejected(format!("{} sends it compressed ({encoding}), unasked", origin(&url))));
        }
        // Only to stop early: the count of the bytes decides.
        if response.content_length().is_some_and(|len| len > spool.cap()) {
            return Err(too_large(spool.cap()));
        }
        hints.source_name = text(headers, CONTENT_DISPOSITION.as_str())
            .and_then(|header| disposition_name(&header))
            .or_else(|| last_segment(&url));
        hints.declared_type = text(headers, CONTENT_TYPE.as_str())
            .and_then(|header| Some(header.split(';').next()?.trim().to_ascii_lowercase()));
        pour(&url, response, spool).await
    }

    /// The first answer that is no redirect, and where it came from.
    async fn follow(&self, mut url: Url) -> Result<(Url, Response), Problem> {
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let response = request.send().await.map_err(|error| failed(&url, &error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let location = text(response.headers(), LOCATION.as_str()).and_then(|to| url.join(&to).ok());
            let lost = || Problem::rejected(format!("{} redirects to nowhere", origin(&url)));
            url = location.ok_or_else(lost)?;
        }
        Err(Problem::rejected(format!("more than {MAX_REDIRECTS} redirects, the last to {}", origin(&url))))
    }

    /// What can be judged before a connection: scheme, login data, a literal address.
    fn check(&self, url: &Url) -> Result<(), Problem> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Problem::rejected(format!("led to a '{}:' address, expected http or https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Problem::rejected(format!("{}: an address with a login is not fetched", origin(url))));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        match (self.refuse)(literal) {
            Some(why) => Err(Refused(why).problem(url)),
            None => Ok(()),
        }
    }
}

/// Writes the body as it comes.
async fn pour(url: &Url, mut response: Response, mut spool: Spool) -> Result<Content, Problem> {
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
        spool = blocking(move || spool.write(&chunk).map(|()| spool)).await?;
    }
    spool.finish()
}

fn check_status(url: &Url, status: u16) -> Result<(), Problem> {
    let said = format!("{} answered HTTP {status}", origin(url));
    match status {
        200..300 => Ok(()),
        408 | 425 | 429 | 500.. => Err(Problem::Unreachable(said)),
        _ => Err(Problem::Rejected(said)),
    }
}

/// The names of this machine's resolver.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// Hands on only the addresses that may be connected to.
struct Guarded {
    refuse: Refuse,
    names: Arc<dyn Resolve>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let refuse = self.refuse;
        let found = self.names.resolve(name);
        Box::pin(async move {
            let mut refused = None;
            let mut allowed: Vec<SocketAddr> = found.await?.collect();
            allowed.retain(|address| {
                let why = refuse(address.ip());
                refused = refused.or(why);
                why.is_none()
            });
            match refused {
                Some(why) if allowed.is_empty() => Err(Refused(why).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// The name or address leads only to where we do not go.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a {0} address")]
struct Refused(&'static str);

impl Refused {
    fn problem(self, url: &Url) -> Problem {
        let host = origin(url);
        Problem::rejected(format!("{host} leads to {self}, which media may not (daemon.media_allow_private allows it)"))
    }
}

fn failed(url: &Url, error: &reqwest::Error) -> Problem {
    let mut link: Option<&dyn Error> = Some(error);
    while let Some(here) = link {
        if let Some(refused) = here.downcast_ref::<Refused>() {
            return refused.problem(url);
        }
        link = here.source();
    }
    Problem::unreachable(format!("{} cannot be fetched: {}", origin(url), cause(error)))
}

/// The innermost cause; the outer links of reqwest's chain print the address, which may hold a token.
fn cause(error: &reqwest::Error) -> String {
    let mut deepest = error.source();
    while let Some(inner) = deepest.and_then(|link| link.source()) {
        deepest = Some(inner);
    }
    match deepest {
        Some(cause) => cause.to_string(),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => "the connection broke".to_owned(),
    }
}

/// Scheme, host and port: all of an address that may be shown.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn last_segment(url: &Url) -> Option<String> {
    let segment = url.path_segments()?.next_back()?;
    Some(percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).trim().to_owned())
}
