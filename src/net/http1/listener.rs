//! Where connections come from, over TCP and over a unix socket.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::limits::Peers;

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    /// The next connection, or None where its peer is not heard. Whoever may open a unix socket is.
    pub(super) async fn accept(&self, hears: &Peers) -> io::Result<Option<Box<dyn Stream>>> {
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
