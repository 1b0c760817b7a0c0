//! The hook's callbacks: what they say, and who hears them (sheet qx.md §7, §8).

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::shared::verdict::number as as_number;
use super::api::parse_leniently;
use crate::clock::SharedClock;
use crate::net::hosts;
use crate::net::http1::{
    Audience, Handler, Head, Limits, Listener, Method, Refused, Request, Response, Server, StatusCode, header,
};

/// The time that one callback may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

const LIMITS: Limits = Limits {
    connections: 32,
    idle: PATIENCE,
    head: PATIENCE,
    request: PATIENCE,
    work: None,
    stop: PATIENCE,
    head_bytes: 16 * 1024,
    // A chat's message with its XML stays far below; whoever sends more is no Qianxun.
    body_bytes: 1024 * 1024,
    keep_alive: false,
};

/// The wait after an address was found taken: a listener before us may be on its way out.
const BIND_AGAIN: Duration = Duration::from_secs(15);
/// Ids kept of each sort. Older ones are forgotten; their pushes stay unconfirmed.
const MEMORY: usize = 1000;

/// What a callback tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Arrived(Arrival),
    Online,
    Offline,
    LicenceExpired,
}

/// A message of ours that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its `sendId`s.
    pub ids: Vec<String>,
    /// The wxid of the friend or group.
    pub target: String,
    /// 1 text, 3 image, 49 link or file …
    pub kind: i64,
    pub text: String,
}

/// Reads a callback of either plan; None where it is of no interest here or of another WeChat than `bot`. The
/// framework wraps the event (`event`, `data`), a WeChat process sends the inner object alone.
pub(super) fn read_event(callback: &Value, bot: Option<&str>) -> Option<Event> {
    if let (Some(bot), Some(wxid)) = (bot, callback["wxid"].as_str())
        && bot != wxid
    {
        return None;
    }
    let data = &callback["data"];
    match (as_number(&callback["event"]), callback["type"].as_str()) {
        (Some(10010), _) => arrived(&data["data"]),
        (Some(10014), _) if as_number(&data["type"]) == Some(1) => Some(Event::Online),
        (Some(10014), _) if as_number(&data["type"]) == Some(0) => Some(Event::Offline),
        (Some(99999), _) | (None, Some("authExpire")) => Some(Event::LicenceExpired),
        (None, Some("recvMsg")) => arrived(data),
        _ => None,
    }
}

/// Without its wrapper the event for a message of our own looks like that for one from others, but for `msgSource`.
fn arrived(message: &Value) -> Option<Event> {
    if as_number(&message["msgSource"]).is_some_and(|source| source != 1) {
        return None;
    }
    let ids = message["sendId"].as_str()?.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let ids: Vec<String> = ids.collect();
    let word = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let kind = as_number(&message["msgType"]).unwrap_or_default();
    (!ids.is_empty()).then(|| Event::Arrived(Arrival { ids, target: word("fromWxid"), kind, text: word("msg") }))
}

/// Hears callbacks at `address` for ever and passes on what they tell.
pub(super) async fn serve(address: SocketAddr, bot: Option<String>, clock: SharedClock, events: mpsc::Sender<Event>) {
    let listener = Listener::Tcp(bind(address, &clock).await);
    let (audience, handler) = (Audience::everybody(), Arc::new(Callbacks { bot, events }));
    let server = Server { name: "callbacks of Qianxun", listener, limits: LIMITS, audience, handler, clock };
    server.run(std::future::pending()).await;
}

async fn bind(address: SocketAddr, clock: &SharedClock) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::warn!(%address, %error, "cannot listen for Qianxun's callbacks, trying again");
                clock.sleep(BIND_AGAIN).await;
            }
        }
    }
}

struct Callbacks {
    bot: Option<String>,
    events: mpsc::Sender<Event>,
}

#[async_trait]
impl Handler for Callbacks {
    fn judge(&self, head: &Head) -> Result<(), Refused> {
        let is_sized = |name| head.headers.contains_key(name);
        if is_from_a_page(head) {
            Err(StatusCode::FORBIDDEN.into())
        } else if head.method != Method::POST {
            Err(StatusCode::METHOD_NOT_ALLOWED.into())
        } else if !is_sized(header::CONTENT_LENGTH) && !is_sized(header::TRANSFER_ENCODING) {
            Err(StatusCode::LENGTH_REQUIRED.into())
        } else {
            Ok(())
        }
    }

    /// Whatever arrives whole is answered 200, or the hook would send it again.
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let callback = parse_leniently(request.body());
        if let Some(event) = callback.and_then(|callback| read_event(&callback, self.bot.as_deref())) {
            // The receiver lives as long as we do.
            let _ = self.events.send(event).await;
        }
        self.refusal(StatusCode::OK, None)
    }

    fn refusal(&self, status: StatusCode, _why: Option<&'static str>) -> Response<Bytes> {
        let mut response = Response::new(format!(r#"{{"code":{},"msg":"","timestamp":""}}"#, status.as_u16()).into());
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }
}

/// Whether a head gives away that a web page had a browser ask: the hook names no origin, and calls us by an address or
/// by a name of the local network. A page whose name was made to lead here says its own name.
fn is_from_a_page(head: &Head) -> bool {
    let tells = |name: &str| name == "origin" || name.starts_with("sec-fetch-");
    head.headers.keys().any(|name| tells(name.as_str())) || !hosts::named(head).all(hosts::is_local)
}

/// Which messages wait for their callbacks. A message in several parts is confirmed when all its parts are.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The ids that the hook gave out for sends of ours: as they are shown, and as they are.
    given: VecDeque<(String, String)>,
    /// A message by its id and the ids of parts not heard of yet.
    waiting: VecDeque<(String, HashSet<String>)>,
    /// What was heard of and no message waits for: its message is not done yet, or its answer was lost, or somebody
    /// else sent it. Numbered as it came.
    strangers: VecDeque<(u64, Arrival)>,
    count: u64,
    confirmed: Vec<String>,
}

impl Ledger {
    /// The hook took a part and gave it this id. A callback brings it as it is, also where a secret's text stands in it
    /// by chance and what is shown of it is not the id.
    pub(super) fn given(&mut self, shown: &str, id: &str) {
        self.given.push_back((shown.to_owned(), id.to_owned()));
        forget_old(&mut self.given);
    }

    /// A whole message went out, in parts with these ids, as they are shown.
    pub(super) fn sent(&mut self, message_id: &str, parts: impl IntoIterator<Item = String>) {
        let heard = |id: &String| self.strangers.iter().any(|(_, stranger)| stranger.ids.contains(id));
        let real = |id: String| {
            let given = self.given.iter().rev().find(|(shown, _)| *shown == id);
            given.map_or(id, |(_, real)| real.clone())
        };
        let open: HashSet<String> = parts.into_iter().map(real).filter(|id| !heard(id)).collect();
        if open.is_empty() {
            self.confirmed.push(message_id.to_owned());
        } else {
            self.waiting.push_back((message_id.to_owned(), open));
            forget_old(&mut self.waiting);
        }
    }

    pub(super) fn arrived(&mut self, arrival: Arrival) {
        let expects = |open: &HashSet<String>| arrival.ids.iter().any(|id| open.contains(id));
        let Some(at) = self.waiting.iter().position(|(_, open)| expects(open)) else {
            self.strangers.push_back((self.count, arrival));
            self.count += 1;
            forget_old(&mut self.strangers);
            return;
        };
        self.waiting[at].1.retain(|id| !arrival.ids.contains(id));
        if self.waiting[at].1.is_empty() {
            self.confirmed.extend(self.waiting.remove(at).map(|(message_id, _)| message_id));
        }
    }

    /// The number of the next stranger.
    pub(super) fn mark(&self) -> u64 {
        self.count
    }

    /// The id of a stranger heard of since `mark` that `fits` a send whose answer was lost.
    pub(super) fn recognise(&self, mark: u64, fits: impl Fn(&Arrival) -> bool) -> Option<String> {
        let answered = |arrival: &Arrival| arrival.ids.iter().any(|id| self.given.iter().any(|(_, given)| given == id));
        let lost = |(number, arrival): &&(u64, Arrival)| *number >= mark && !answered(arrival) && fits(arrival);
        self.strangers.iter().find(lost)?.1.ids.first().cloned()
    }

    /// The messages confirmed since the last call.
    pub(super) fn take_confirmed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.confirmed)
    }
}

fn forget_old<T>(known: &mut VecDeque<T>) {
    known.drain(..known.len().saturating_sub(MEMORY));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_both_plans_are_read_and_those_of_others_are_not() {
        let message = |source: i32, id: &str| json!({"msgSource": source, "msgType": 1, "fromWxid": "bob", "msg": "hi", "msgId": "0", "sendId": id});
        let framed = |wxid: &str| {
            let inner = json!({"type": "recvMsg", "data": message(1, "c7df"), "wxid": wxid, "port": 8888});
            json!({"event": 10010, "wxid": wxid, "data": inner})
        };
        let arrived = |ids: &[&str]| {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            Some(Event::Arrived(Arrival { ids, target: "bob".into(), kind: 1, text: "hi".into() }))
        };
        for (callback, expected) in [
            (framed("bot"), arrived(&["c7df"])),
            (framed("other"), None),
            (json!({"type": "recvMsg", "data": message(1, "a, b"), "wxid": "bot"}), arrived(&["a", "b"])),
            (json!({"type": "recvMsg", "data": message(0, "a"), "wxid": "bot"}), None),
            (json!({"type": "recvMsg", "data": message(1, ""), "wxid": "bot"}), None),
            (json!({"event": "10014", "wxid": "bot", "data": {"type": "1", "port": 8888}}), Some(Event::Online)),
            (json!({"event": 10014, "wxid": "bot", "data": {"type": 0}}), Some(Event::Offline)),
            (json!({"event": 99999, "wxid": "bot", "data": {"expireTime": "2025-11-02"}}), Some(Event::LicenceExpired)),
            (json!({"type": "authExpire", "data": {}, "wxid": "bot"}), Some(Event::LicenceExpired)),
            (json!({"event": 10008, "wxid": "bot", "data": {"type": "recvMsg", "data": message(0, "a")}}), None),
            (json!([1]), None),
        ] {
            assert_eq!(read_event(&callback, Some("bot")), expected, "{callback}");
        }
        assert_eq!(read_event(&framed("any"), None), arrived(&["c7df"]));
    }

    #[test]
    fn only_the_local_network_is_heard() {
        for (header, value, refused) in [
            ("Host", "192.168.1.9:9898", false),
            ("Host", "[fd00::9]:9898", false),
            ("host", "localhost:9898", false),
            ("Host", "nas", false),
            ("Host", "nas.lan:9898", false),
            ("HOST", "evil.example:9898", true),
            ("Host", "127.0.0.1.evil.example", true),
            ("Origin", "null", true),
            ("origin", "http://192.168.1.9:9898", true),
            ("Sec-Fetch-Mode", "no-cors", true),
            ("content-type", "text/plain", false),
        ] {
            let head = Request::builder().header(header, value).body(()).unwrap().into_parts().0;
            assert_eq!(is_from_a_page(&head), refused, "{header}: {value}");
        }
    }

    fn arrival(id: &str, target: &str) -> Arrival {
        Arrival { ids: vec![id.into()], target: target.into(), kind: 1, text: "hi".into() }
    }

    #[test]
    fn a_message_is_confirmed_when_all_its_parts_are() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let mut ledger = Ledger::default();
        ledger.arrived(arrival("a1", "bob"));
        ledger.sent("a1", ids(&["a1", "a2"]));
        assert_eq!(ledger.take_confirmed(), ids(&[]));
        ledger.arrived(arrival("a2", "bob"));
        ledger.arrived(arrival("b1", "bob"));
        ledger.sent("b1", ids(&["b1"]));
        ledger.arrived(arrival("nobody's", "bob"));
        assert_eq!(ledger.take_confirmed(), ids(&["a1", "b1"]));
        assert_eq!(ledger.take_confirmed(), ids(&[]));
    }

    #[test]
    fn a_lost_answer_is_recognised_only_in_what_came_later_and_is_nobody_elses() {
        let mut ledger = Ledger::default();
        ledger.arrived(arrival("before", "bob"));
        let mark = ledger.mark();
        ledger.given("answered", "answered");
        ledger.arrived(arrival("answered", "bob"));
        ledger.arrived(arrival("elsewhere", "al"));
        let to_bob = |arrival: &Arrival| arrival.target == "bob";
        assert_eq!(ledger.recognise(mark, to_bob), None);
        ledger.arrived(arrival("ours", "bob"));
        assert_eq!(ledger.recognise(mark, to_bob).as_deref(), Some("ours"));
        assert_eq!(ledger.recognise(ledger.mark(), to_bob), None, "and only once");
    }
}
