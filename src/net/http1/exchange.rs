//! One request and its answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::{Request, Response, StatusCode, header};

use super::handler::{Handler, Refused};
use super::limits::Limits;
use super::listener::Peer;
use super::slots::{Phase, Slot};
use super::stream::{Outgoing, Stream};
use crate::clock::SharedClock;
use crate::net::hosts;

/// What the connections of one server share.
pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) limits: Limits,
    pub(super) hosts: Option<fn(&str) -> bool>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) clock: SharedClock,
}

pub(super) async fn exchange(
    shared: &Shared,
    slot: &Slot,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    request.extensions_mut().insert(peer);
    slot.enter(Phase::Body);
    let answer = AssertUnwindSafe(answer(shared, slot, request)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| {
        tracing::error!(server = shared.name, "a request broke its handler (a bug of pushcron); it was answered 500");
        Err(StatusCode::INTERNAL_SERVER_ERROR.into())
    });
    let mut response = answer.unwrap_or_else(|refused| refusal(shared, refused));
    let Some(pieces) = response.extensions_mut().remove::<Stream>().and_then(Stream::take) else {
        slot.enter(Phase::Answering);
        return Ok(response.map(Outgoing::whole));
    };
    slot.enter(Phase::Streaming);
    // A stream has no length that would tell where it ends, so that the connection ends with it.
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    Ok(response.map(|_| Outgoing::Pieces(pieces)))
}

async fn answer(shared: &Shared, slot: &Slot, request: Request<Incoming>) -> Result<Response<Bytes>, Refused> {
    let (head, body) = request.into_parts();
    if head.headers.get_all(header::HOST).iter().count() > 1 {
        let why = Some("Host is there more than once: expected one");
        return Err(Refused { why, ..StatusCode::BAD_REQUEST.into() });
    }
    if let Some(is_ours) = shared.hosts
        && !hosts::named(&head).all(is_ours)
    {
        return Err(StatusCode::MISDIRECTED_REQUEST.into());
    }
    shared.handler.judge(&head)?;
    let most = shared.limits.body_bytes;
    // Told at once, before a client that waits for leave has sent it.
    if body.size_hint().lower() > most as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE.into());
    }
    let collected = tokio::select! {
        biased;
        collected = Limited::new(body, most).collect() => collected,
        () = shared.clock.sleep_until(slot.body_until()) => return Err(StatusCode::REQUEST_TIMEOUT.into()),
    };
    let body = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => StatusCode::PAYLOAD_TOO_LARGE,
        false => StatusCode::BAD_REQUEST,
    })?;
    slot.enter(Phase::Working);
    Ok(shared.handler.answer(Request::from_parts(head, body.to_bytes())).await)
}

/// The connection ends with it: what follows a request that was not read to its end is no request.
fn refusal(shared: &Shared, Refused { status, response, why }: Refused) -> Response<Bytes> {
    let mut response = response.map_or_else(|| shared.handler.refusal(status, why), |response| *response);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // Its name today (RFC 9110).
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Content Too Large"));
    }
    response
}

/// A refusal as it goes over the wire, for what the parser refuses before there is any request.
pub(super) fn raw_refusal(shared: &Shared, status: StatusCode) -> Vec<u8> {
    let (head, body) = refusal(shared, status.into()).into_parts();
    let mut raw = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in &head.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            raw.extend_from_slice(piece);
        }
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(&body);
    raw
}
