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

use super::disposition::disposition_name;
use super::error::Problem;
use super::naming::Hints;
use super::spool::{Content, Spool, blocking, too_large};
use super::wants::{Wants, origin};
use crate::domain::address::not_public;

const MAX_REDIRECTS: usize = 5;

/// Says why an address must not be connected to, or None where it may.
type Refuse = fn(IpAddr) -> Option<&'static str>;

/// Fetches media over http and https.
pub(super) struct Fetcher {
    client: Client,
    refuse: Refuse,
}

impl Fetcher {
    /// # Errors
    /// A text for people when HTTPS cannot be set up.
    pub(super) fn new(allow_private: bool) -> Result<Fetcher, String> {
        let refuse: Refuse = if allow_private { |_| None } else { not_public };
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

    /// Fetches a body of at most `cap` bytes, which is no media.
    pub(super) async fn bytes(&self, url: Url, wants: Wants<'_>, cap: u64) -> Result<Vec<u8>, Problem> {
        let (url, mut response) = self.wanted(url, wants).await?;
        if response.content_length().is_some_and(|len| len > cap) {
            return Err(too_large(cap));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&url, &error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > cap {
                return Err(too_large(cap));
            }
        }
        Ok(bytes)
    }

    /// Fetches into `spool`; what the server says of name and type goes into `hints`.
    pub(super) async fn fetch(&self, url: Url, spool: Spool, hints: &mut Hints) -> Result<Content, Problem> {
        let (url, response) = self.wanted(url, Wants::default()).await?;
        let headers = response.headers();
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

    /// An answer with a body that is what was asked for.
    async fn wanted(&self, url: Url, wants: Wants<'_>) -> Result<(Url, Response), Problem> {
        let (url, response) = self.follow(url, wants).await?;
        check_status(&url, response.status().as_u16(), wants.expect)?;
        if let Some(encoding) = coding(response.headers()) {
            return Err(Problem::rejected(format!("{} sends it compressed ({encoding}), unasked", origin(&url))));
        }
        Ok((url, response))
    }

    /// The first answer that is no redirect, and where it came from.
    async fn follow(&self, mut url: Url, wants: Wants<'_>) -> Result<(Url, Response), Problem> {
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let mut request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            for (name, value) in wants.headers {
                request = request.header(name, value);
            }
            let response = request.send().await.map_err(|error| failed(&url, &error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let location = text(response.headers(), LOCATION.as_str()).and_then(|to| url.join(&to).ok());
            let lost = || Problem::rejected(format!("{} redirects to nowhere", origin(&url)));
            let next = location.ok_or_else(lost)?;
            if let Some(problem) = wants.refuses(&url, &next) {
                return Err(problem);
            }
            url = next;
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

/// The words that a server may put into `Content-Encoding` when the bytes are not the file's own: the registered codings
/// and other compressors. Everything else encodes nothing: servers write charsets, `none`, `binary`, and what a store
/// was told at the upload (`aws-chunked`).
const CODINGS: [&str; 22] = [
    "gzip",
    "x-gzip",
    "deflate",
    "x-deflate",
    "compress",
    "x-compress",
    "br",
    "brotli",
    "zstd",
    "x-zstd",
    "dcb",
    "dcz",
    "exi",
    "pack200-gzip",
    "aes128gcm",
    "sdch",
    "bzip2",
    "x-bzip2",
    "lzma",
    "xz",
    "lz4",
    "snappy",
];

/// By what the body is encoded, if by anything.
fn coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut words =
        values.flat_map(|value| value.split(',').map(|word| word.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    words.find(|word| CODINGS.contains(&word.as_str()))
}

fn check_status(url: &Url, status: u16, expect: &[u16]) -> Result<(), Problem> {
    let said = format!("{} answered HTTP {status}", origin(url));
    if !expect.is_empty() {
        let words: Vec<String> = expect.iter().map(u16::to_string).collect();
        let problem = || Problem::rejected(format!("{said}, expected {}", words.join(" or ")));
        return expect.contains(&status).then_some(()).ok_or_else(problem);
    }
    match status {
        // A part of the file, though all of it was asked for: half a picture is none.
        206 => Err(Problem::Unreachable(said)),
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

fn last_segment(url: &Url) -> Option<String> {
    let segment = url.path_segments()?.next_back()?;
    Some(percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::media::spool::WorkDir;

    /// 127.0.0.2 plays the public internet, every other address is forbidden ground.
    const LAB: Refuse = |address| (address != IpAddr::from([127, 0, 0, 2])).then_some("loopback");

    /// Answers each question with the next of the given address lists; without one left, no name is known.
    struct Scripted(Mutex<VecDeque<Vec<[u8; 4]>>>);

    impl Resolve for Scripted {
        fn resolve(&self, _: Name) -> Resolving {
            let next = self.0.lock().unwrap().pop_front();
            Box::pin(async move {
                let addresses = next.ok_or("no such name")?;
                Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::from((address, 0)))) as Addrs)
            })
        }
    }

    /// A server that answers every request with `answer`, `PORT` in it replaced by its own, and counts them.
    async fn server(address: [u8; 4], answer: impl Into<Vec<u8>>) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(SocketAddr::from((address, 0))).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer: Vec<u8> = answer.into();
        let answer = match String::from_utf8(answer) {
            Ok(text) => text.replace("PORT", &port.to_string()).into_bytes(),
            Err(bytes) => bytes.into_bytes(),
        };
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = hits.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        (port, hits)
    }

    async fn fetch(url: &str, names: &[&[[u8; 4]]]) -> Result<(Content, Hints), Problem> {
        let names = names.iter().map(|addresses| addresses.to_vec()).collect();
        let fetcher = Fetcher::with(LAB, Arc::new(Scripted(Mutex::new(names)))).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let dir = WorkDir::create(parent.path()).unwrap();
        let mut hints = Hints::default();
        let content = fetcher.fetch(url.parse().unwrap(), dir.spool(1000).unwrap(), &mut hints).await;
        if let Err(Problem::Rejected(text) | Problem::Unreachable(text)) = &content {
            assert!(!text.contains("canary"), "an error shows more of the address than its host: {text}");
        }
        content.map(|content| (content, hints))
    }

    const PUBLIC: &[[u8; 4]] = &[[127, 0, 0, 2]];
    const PRIVATE: &[[u8; 4]] = &[[127, 0, 0, 1]];

    fn redirect(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
    }

    #[tokio::test]
    async fn a_name_that_turns_private_after_the_first_look_reaches_nobody() {
        let (sink, hits) = server([127, 0, 0, 1], "HTTP/1.1 200 OK\r\n\r\nsecret").await;
        let (port, _) = server([127, 0, 0, 2], redirect(&format!("http://rebind.test:{sink}/canary"))).await;
        let url = format!("http://rebind.test:{port}/?canary");
        let refused = fetch(&url, &[PUBLIC, PRIVATE]).await.err().unwrap();
        assert!(matches!(&refused, Problem::Rejected(text) if text.contains("a loopback address")), "{refused}");
        let refused = fetch(&format!("http://rebind.test:{sink}/?canary"), &[PRIVATE]).await.err().unwrap();
        assert!(matches!(&refused, Problem::Rejected(text) if text.contains("a loopback address")), "{refused}");
        assert_eq!(hits.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_redirect_cannot_lead_out_of_the_public_internet() {
        let (sink, hits) = server([127, 0, 0, 1], "HTTP/1.1 200 OK\r\n\r\nsecret").await;
        for to in [
            format!("http://127.0.0.1:{sink}/canary"),
            format!("http://[::ffff:127.0.0.1]:{sink}/canary"),
            format!("http://0x7f.1:{sink}/canary"),
            format!("http://2130706433:{sink}/canary"),
            format!("//127.0.0.1:{sink}/canary"),
            format!("http://canary:canary@a.test:{sink}/"),
            "file:///etc/shadow?canary".to_owned(),
            "gopher://a.test/canary".to_owned(),
            "http://".to_owned(),
        ] {
            let (port, _) = server([127, 0, 0, 2], redirect(&to)).await;
            let refused = fetch(&format!("http://a.test:{port}/canary"), &[PUBLIC, PUBLIC]).await.err().unwrap();
            assert!(matches!(refused, Problem::Rejected(_)), "{to}: {refused}");
        }
        assert_eq!(hits.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_with_public_and_private_addresses_is_fetched_from_the_public_ones() {
        let (port, _) = server([127, 0, 0, 2], "HTTP/1.1 200 OK\r\n\r\nhello").await;
        let url = format!("http://a.test:{port}/dir/%E6%97%A5%E6%8A%A5.txt?canary");
        let (content, hints) = fetch(&url, &[&[[127, 0, 0, 1], [127, 0, 0, 2]]]).await.unwrap();
        assert_eq!(content.len, 5);
        assert_eq!(hints.source_name.as_deref(), Some("日报.txt"));
    }

    #[tokio::test]
    async fn redirects_that_turn_in_a_circle_end() {
        let (port, hits) = server([127, 0, 0, 2], redirect("http://127.0.0.2:PORT/canary")).await;
        let refused = fetch(&format!("http://127.0.0.2:{port}/canary"), &[]).await.err().unwrap();
        assert!(matches!(&refused, Problem::Rejected(text) if text.contains("more than 5 redirects")), "{refused}");
        assert_eq!(hits.load(Ordering::SeqCst), 6);
    }

    #[tokio::test]
    async fn each_failure_says_whether_the_source_may_come_back() {
        let rejected = ["301 Moved", "400 Bad", "401 No", "403 No", "404 Gone", "410 Gone", "304 Same"];
        let unreachable = ["408 Late", "429 Slow", "500 Sorry", "502 Sorry", "503 Busy", "504 Late"];
        let status = |line: &str| format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes();
        let mut answers: Vec<(Vec<u8>, bool)> = Vec::new();
        answers.extend(rejected.iter().map(|line| (status(line), true)));
        answers.extend(unreachable.iter().map(|line| (status(line), false)));
        for coding in [
            "gzip",
            "br",
            "Deflate",
            "zstd",
            "x-gzip",
            "identity, gzip",
            "aws-chunked,gzip",
            "UTF-8\r\ncontent-encoding: br",
        ] {
            answers.push((format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\n\r\nx").into_bytes(), true));
        }
        answers.push((b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\nx".to_vec(), true));
        // More than the cap, without a length that tells so.
        answers.push(([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 5000]].concat(), true));
        answers.push((b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec(), false));
        answers.push((b"SSH-2.0-OpenSSH_9\r\n".to_vec(), false));
        answers.push((Vec::new(), false));
        for (answer, is_final) in answers {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
            let (port, _) = server([127, 0, 0, 2], answer).await;
            let problem = fetch(&format!("http://127.0.0.2:{port}/?canary"), &[]).await.err().unwrap();
            assert_eq!(matches!(problem, Problem::Rejected(_)), is_final, "{shown}: {problem}");
        }
        let unknown = fetch("http://nowhere.test/?canary", &[]).await.err().unwrap();
        assert!(matches!(&unknown, Problem::Unreachable(text) if text.contains("nowhere.test")), "{unknown}");
        let unheard = TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
        let refused = fetch(&format!("http://{unheard}/?canary"), &[]).await.err().unwrap();
        assert!(matches!(&refused, Problem::Unreachable(text) if text.contains("refused")), "{refused}");
    }

    #[tokio::test]
    async fn the_servers_name_and_type_are_heard() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/CSV; charset=utf-8\r\n\
                    Content-Disposition: attachment; filename=\"t.csv\"\r\n\r\na,b";
        let (port, _) = server([127, 0, 0, 2], head).await;
        let (_, hints) = fetch(&format!("http://127.0.0.2:{port}/export"), &[]).await.unwrap();
        assert_eq!(hints.source_name.as_deref(), Some("t.csv"));
        assert_eq!(hints.declared_type.as_deref(), Some("text/csv"));
    }

    #[tokio::test]
    async fn an_encoding_that_encodes_nothing_is_taken_as_it_is() {
        for word in [
            "identity",
            "Identity",
            "UTF-8",
            "utf8",
            "none",
            "binary",
            "aws-chunked",
            "aws-chunked,identity",
            "",
            "gb2312",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {word}\r\n\r\nhello");
            let (port, _) = server([127, 0, 0, 2], answer).await;
            let (content, _) = fetch(&format!("http://127.0.0.2:{port}/a"), &[]).await.unwrap();
            assert_eq!(content.len, 5, "{word}");
        }
    }
}
