//! Hints that something changed: a page fetches itself anew, and nothing is told that there could be anything in to leak.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::admission::is_https;
use super::answer::Answer;
use super::cookies::Cookie;
use super::headers::as_header;
use crate::clock::pauses;
use crate::net::http1::{Head, Response, StatusCode, Stream, header};
use crate::web::problem::Problem;
use crate::web::state::{Accepted, Api};

/// No more than one hint in this time.
const EVERY: Duration = Duration::from_secs(2);
/// A proxy in between hears that often that the stream lives.
const ALIVE: Duration = Duration::from_secs(15);

/// Watches the database for as long as somebody listens.
pub(in crate::web) async fn watch(api: Arc<Api>) {
    let clock = api.inside.clock.clone();
    let rest = pauses(&clock, EVERY);
    let live = &api.page_memory.live;
    loop {
        if live.changes.receiver_count() == 0 {
            live.wanted.notified().await;
        }
        // What the daemon itself writes is written on another connection than the one that is asked.
        if api.reader.changed(&*rest).await.is_ok() {
            live.changes.send_modify(|number| *number = number.wrapping_add(1));
        }
        clock.sleep(EVERY).await;
    }
}

impl Api {
    pub(super) fn live_stream(self: &Api, head: &Head, accepted: &Accepted) -> Answer {
        let full = |_| {
            let detail = "too many pages listen already: this one does not renew itself";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many", detail).retry_after(30)
        };
        let place = self.page_memory.live.places.clone().try_acquire_owned().map_err(full)?;
        let (sender, pieces) = mpsc::channel(2);
        let mut changes = self.page_memory.live.changes.subscribe();
        self.page_memory.live.wanted.notify_one();
        let (clock, current) = (self.inside.clock.clone(), self.accepted.clone());
        let session = Cookie::Session.of(head, is_https(head, &accepted.settings)).map(str::to_owned);
        let memory = self.page_memory.clone();
        tokio::spawn(async move {
            let _place = place;
            let mut piece = "retry: 5000\n\n".to_owned();
            loop {
                // Whoever does not read is not written to for ever.
                if sender.try_send(Bytes::from(piece)).is_err() {
                    return;
                }
                piece = tokio::select! {
                    changed = changes.changed() => match changed {
                        Ok(()) => format!("event: changed\ndata: {}\n\n", *changes.borrow_and_update()),
                        Err(_) => return,
                    },
                    () = clock.sleep(ALIVE) => ": alive\n\n".to_owned(),
                    () = sender.closed() => return,
                };
                let settings = current.borrow().settings.clone();
                if session.as_ref().is_some_and(|id| !memory.sessions.lives(id, &settings, clock.boottime())) {
                    return;
                }
            }
        });
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
        // Else a proxy may wait for the end of it.
        as_header(headers, "x-accel-buffering", "no");
        response.extensions_mut().insert(Stream::new(pieces));
        Ok(response)
    }
}
