//! Where connections come from, over TCP and over a unix socket.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::limits::Peers;

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Who is at the other end. Each request has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(IpAddr),
    /// A process of this machine; as whom it runs the kernel says.
    Unix {
        uid: Option<u32>,
    },
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    /// The next connection, or None where its peer is not heard. Whoever may open a unix socket is.
    pub(super) async fn accept(&self, hears: &Peers) -> io::Result<Option<(Box<dyn Stream>, Peer)>> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                let peer = peer.ip().to_canonical();
                Ok(hears(peer).then(|| (Box::new(stream) as Box<dyn Stream>, Peer::Tcp(peer))))
            }
            Listener::Unix(listener) => {
                let stream = listener.accept().await?.0;
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok(Some((Box::new(stream), Peer::Unix { uid })))
            }
        }
    }
}
