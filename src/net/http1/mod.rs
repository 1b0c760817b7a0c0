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
mod handler;
mod limits;
mod listener;
mod slots;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use hyper::{Method, Request, Response, StatusCode, header};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::exchange::Shared;
pub use self::handler::{Handler, Head, Refused, bearer, plain_refusal};
pub use self::limits::{Audience, Limits, Peers};
pub use self::listener::{Listener, Peer};
use self::slots::Slots;
pub use self::stream::Stream;
use crate::clock::SharedClock;

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
        let shared = Arc::new(Shared { name, limits, hosts: audience.hosts, handler, clock: clock.clone() });
        let accepting = async {
            loop {
                let stream = match listener.accept(&audience.peers).await {
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
