//! Whom a server hears, and what it gives them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

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
    /// For the handler, from the end of the body on, and then once more for the answer to be written; None: within the time of
    /// the request.
    pub work: Option<Duration>,
    /// At a stop, for requests under way.
    pub stop: Duration,
    /// At least 8,192: the parser's buffer.
    pub head_bytes: usize,
    pub body_bytes: usize,
    /// Whether a connection may bring more than one request.
    pub keep_alive: bool,
}

/// Tells whether somebody who connects from an address is heard.
pub type Peers = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Whom a server hears.
#[derive(Clone)]
pub struct Audience {
    /// Others are hung up on.
    pub peers: Peers,
    /// Requests addressed to others get 421. None where the handler judges that.
    pub hosts: Option<fn(&str) -> bool>,
}

impl Audience {
    pub fn everybody() -> Audience {
        Audience { peers: Arc::new(|_| true), hosts: None }
    }
}
