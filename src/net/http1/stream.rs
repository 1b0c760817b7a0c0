//! What goes out: a whole answer, or pieces for as long as somebody makes them.

use crate::domain::Locked;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// An extension of a response: its body is what comes here, until the other end is dropped. Whoever makes the pieces ends it
/// when nobody takes them; at a stop of the server it ends at once.
#[derive(Clone, Debug)]
pub struct Stream(Arc<Mutex<Option<mpsc::Receiver<Bytes>>>>);

impl Stream {
    pub fn new(pieces: mpsc::Receiver<Bytes>) -> Stream {
        Stream(Arc::new(Mutex::new(Some(pieces))))
    }

    pub(super) fn take(self) -> Option<mpsc::Receiver<Bytes>> {
        self.0.locked().take()
    }
}

/// The body of an answer.
pub(super) enum Outgoing {
    Whole(Full<Bytes>),
    Pieces(mpsc::Receiver<Bytes>),
}

impl Outgoing {
    pub(super) fn whole(body: Bytes) -> Outgoing {
        Outgoing::Whole(Full::new(body))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Outgoing::Whole(body) => Pin::new(body).poll_frame(context),
            Outgoing::Pieces(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Whole(body) => body.is_end_stream(),
            Outgoing::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(body) => body.size_hint(),
            Outgoing::Pieces(_) => SizeHint::default(),
        }
    }
}
