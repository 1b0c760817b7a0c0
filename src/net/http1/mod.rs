//! The one HTTP/1 server: a listener, a bounded number of connections, and a [`Handler`] that gets whole requests.
//!
//! ```text
//! accept ─ peer? ─ slot ─┬─ idle ─ head ─ Host? ─ judge ─ body ─ answer ─ written ─┐
//!                        └──────────────── kept alive ◄─────────────────────────────┘
//! ```
//!
//! Each phase has its time ([`Limits`]). When all slots are taken, the connection that has kept us waiting longest
//! makes room for the new one (`slots`): whoever holds connections open and says nothing shuts nobody out.

mod connection;
mod exchange;
mod slots;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::http::request::Parts;
pub use hyper::{Method, Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::slots::Slots;
use crate::clock::SharedClock;

pub type Head = Parts;

/// Who answers.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Looks at a head before its body is asked for.
    ///
    /// # Errors
    /// The status that the request is refused with. Its connection ends.
    fn judge(&self, _head: &Head) -> Result<(), StatusCode> {
        Ok(())
    }

    /// Answers a whole request. A panic becomes 500.
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// How a refusal looks, ours and the server's own.
    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = Response::new(format!("{status}\n").into());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
        response
    }
}

/// What clients get of us.
#[derive(Clone, Debug)]
pub struct Limits {
    /// At once.
    pub connections: usize,
    /// For the first byte of a request, on a new connection or on one kept alive.
    pub idle: Duration,
    /// For the rest of the head.
    pub head: Duration,
    /// From the end of the head until the answer is written.
    pub request: Duration,
    /// At a stop, for requests under way.
    pub stop: Duration,
    /// At least 8,192: the parser's buffer.
    pub head_bytes: usize,
    pub body_bytes: usize,
    /// Whether a connection may bring more than one request.
    pub keep_alive: bool,
}

/// Whom a server hears.
#[derive(Clone, Debug)]
pub struct Audience {
    /// Others are hung up on.
    pub peers: fn(IpAddr) -> bool,
    /// Requests addressed to others get 421. None where the handler judges that.
    pub hosts: Option<fn(&str) -> bool>,
}

impl Audience {
    pub fn everybody() -> Audience {
        Audience { peers: |_| true, hosts: None }
    }
}

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A server that does not run yet.
pub struct Server {
    /// What the log calls it.
    pub name: &'static str,
    pub listener: Listener,
    pub limits: Limits,
    pub audience: Audience,
    pub handler: Arc<dyn Handler>,
    pub clock: SharedClock,
}

/// What the connections of one server share.
struct Shared {
    name: &'static str,
    limits: Limits,
    hosts: Option<fn(&str) -> bool>,
    handler: Arc<dyn Handler>,
}

impl Server {
    /// Serves until `stop` is done. Then nothing new is taken, the address is free, and requests under way have
    /// [`Limits::stop`] to be answered. Dropped, it ends at once with all its connections.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Server { name, listener, limits, audience, handler, clock } = self;
        let (stopping, stopped) = watch::channel(false);
        // Connections end with the server: the set is dropped with this future.
        let mut connections = JoinSet::new();
        let patience = limits.stop;
        let slots = Slots::new(&limits, clock.clone());
        let shared = Arc::new(Shared { name, limits, hosts: audience.hosts, handler });
        let accepting = async {
            loop {
                let stream = match listener.accept(audience.peers).await {
                    Ok(Some(stream)) => stream,
                    Ok(None) => continue,
                    Err(error) => {
                        // Out of file descriptors, most likely: some come back when connections end.
                        tracing::debug!(server = name, %error, "a connection was lost");
                        clock.sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                };
                let slot = slots.take().await;
                while connections.try_join_next().is_some() {}
                connections.spawn(connection::serve(stream, slot, shared.clone(), stopped.clone()));
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = accepting => {}
        }
        drop(listener);
        stopping.send_replace(true);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = all_ended => {}
            () = clock.sleep(patience) => {}
        }
    }
}

impl Listener {
    /// The next connection, or None where its peer is not heard. Whoever may open a unix socket is.
    async fn accept(&self, hears: fn(IpAddr) -> bool) -> io::Result<Option<Box<dyn Stream>>> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(hears(peer.ip().to_canonical()).then(|| Box::new(stream) as Box<dyn Stream>))
            }
            Listener::Unix(listener) => Ok(Some(Box::new(listener.accept().await?.0))),
        }
    }
}
