//! One request and its answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::{Request, Response, StatusCode, header};

use super::handler::Handler;
use super::limits::Limits;
use super::slots::{Phase, Slot};
use crate::net::hosts;

/// What the connections of one server share.
pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) limits: Limits,
    pub(super) hosts: Option<fn(&str) -> bool>,
    pub(super) handler: Arc<dyn Handler>,
}

pub(super) async fn exchange(
    shared: &Shared,
    slot: &Slot,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    slot.enter(Phase::Body);
    let answer = AssertUnwindSafe(answer(shared, slot, request)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| {
        tracing::error!(server = shared.name, "a request broke its handler (a bug of pushcron); it was answered 500");
        Err(StatusCode::INTERNAL_SERVER_ERROR)
    });
    let response = answer.unwrap_or_else(|status| refusal(shared, status));
    slot.enter(Phase::Answering);
    Ok(response.map(Full::new))
}

async fn answer(shared: &Shared, slot: &Slot, request: Request<Incoming>) -> Result<Response<Bytes>, StatusCode> {
    let (head, body) = request.into_parts();
    if head.headers.get_all(header::HOST).iter().count() > 1 {
        return Err(StatusCode::BAD_REQUEST);
    }
    if let Some(is_ours) = shared.hosts
        && !hosts::named(&head).all(is_ours)
    {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    shared.handler.judge(&head)?;
    let most = shared.limits.body_bytes;
    // Told at once, before a client that waits for leave has sent it.
    if body.size_hint().lower() > most as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = Limited::new(body, most).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
        true => StatusCode::PAYLOAD_TOO_LARGE,
        false => StatusCode::BAD_REQUEST,
    })?;
    slot.enter(Phase::Working);
    Ok(shared.handler.answer(Request::from_parts(head, body.to_bytes())).await)
}

/// The connection ends with it: what follows a request that was not read to its end is no request.
fn refusal(shared: &Shared, status: StatusCode) -> Response<Bytes> {
    let mut response = shared.handler.refusal(status);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // Its name today (RFC 9110).
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Content Too Large"));
    }
    response
}
