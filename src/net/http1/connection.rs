//! One connection from its first byte to its last.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;

use super::exchange::{self, Shared};
use super::listener::{Peer, Stream};
use super::slots::{Phase, Slot, Taken};

/// How long what a client still sends is taken after our last word, so that it gets to read that instead of a reset.
const LINGER: Duration = Duration::from_secs(1);

pub(super) async fn serve(
    (stream, peer): (Box<dyn Stream>, Peer),
    slot: Taken,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let limits = &shared.limits;
    let mut builder = http1::Builder::new();
    // The times are ours: by the one clock, and for more than the head.
    builder.header_read_timeout(None).keep_alive(limits.keep_alive).auto_date_header(false);
    builder.max_header_size(limits.head_bytes).max_buf_size(limits.head_bytes.max(8192));
    let service = service_fn(|request| Box::pin(exchange::exchange(&shared, &slot, peer, request)));
    let watched = Watched { stream, slot: Arc::clone(&slot), shared: shared.clone(), refusal: None };
    let mut connection = builder.serve_connection(TokioIo::new(watched), service);
    let mut given_up = pin!(slot.given_up());
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => {
                if let Err(error) = ended {
                    tracing::debug!(server = shared.name, %error, "a connection broke");
                }
                break;
            }
            () = &mut given_up => return,
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                if matches!(slot.phase(), Phase::Idle | Phase::Streaming) {
                    return;
                }
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    let mut stream = connection.into_parts().io.into_inner().stream;
    slot.hurry(LINGER);
    tokio::select! {
        _ = linger(&mut stream) => {}
        () = given_up => {}
    }
}

/// Says that nothing more comes, and hears the client out.
async fn linger(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// A stream that tells its slot what it sees, and the client why the parser refuses it.
struct Watched {
    stream: Box<dyn Stream>,
    slot: Arc<Slot>,
    shared: Arc<Shared>,
    /// A refusal of ours that goes out in the place of the parser's, and how much of it has.
    refusal: Option<(Vec<u8>, usize)>,
}

impl Watched {
    /// What the parser refuses it answers by itself, with a status and nothing else, and then hangs up: our refusal takes the
    /// place of what begins so. None where that is an answer to a request: before one was handed on there is no other.
    fn poll_refusal(&mut self, context: &mut Context<'_>, begin: &[u8]) -> Option<Poll<io::Result<()>>> {
        if self.refusal.is_none() {
            let has_no_request = matches!(self.slot.phase(), Phase::Idle | Phase::Head);
            let status = begin.strip_prefix(b"HTTP/1.1 ").filter(|_| has_no_request)?.get(..3)?;
            self.refusal = Some((exchange::raw_refusal(&self.shared, StatusCode::from_bytes(status).ok()?), 0));
        }
        let (raw, written) = self.refusal.as_mut()?;
        while *written < raw.len() {
            match Pin::new(&mut self.stream).poll_write(context, &raw[*written..]) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(more)) => *written += more,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.refusal = None;
        Some(Poll::Ready(Ok(())))
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() > before {
            self.slot.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(done) = self.poll_refusal(context, bytes) {
            return done.map_ok(|()| bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let begin = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        if let Some(done) = self.poll_refusal(context, begin) {
            return done.map_ok(|()| pieces.iter().map(|piece| piece.len()).sum());
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The parser flushes when it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.slot.written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
