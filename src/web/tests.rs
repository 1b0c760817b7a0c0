//! The API against requests in memory: no socket, no engine, and a clock that stands.

mod jobs;
mod lists;
mod pages;
mod pushes;
mod threats;
mod trying;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::openapi;
use super::routes::{OPERATIONS, Op, Operation};
use super::state::{Accepted, Api};
use super::who::Needs;
use crate::clock::ManualClock;
use crate::config::{self, Config, LoadEnvironment};
use crate::daemon::Inside;
use crate::domain::hex::sha256;
use crate::domain::{Database, Job, UtcMs};
use crate::net::http1::{Handler, Method, Peer, Request, Response, StatusCode};
use crate::senders::specs;
use crate::store::{self, Access, JobChange, SharedStore};

const NOW: UtcMs = UtcMs(1_767_258_000_000);

/// A database with one job, in the hands of a daemon that never sends.
struct World {
    dir: TempDir,
    store: SharedStore,
    api: Api,
    clock: Arc<ManualClock>,
}

fn yaml() -> String {
    let digest = |token: &str| sha256(token.as_bytes());
    format!(
        "daemon:
  timezone: Asia/Shanghai
  web:
    listen: 127.0.0.1:8600
    public_url: https://push.example.org/cron
    trusted_proxies: 10.0.0.1
    tokens:
      - {{name: reader, sha256: {}, scope: read}}
      - {{name: actor, sha256: {}, scope: act}}
      - {{name: pusher, sha256: {}, scope: push}}
      - {{name: other, sha256: {}, scope: push, to: 'qq group:7'}}
accounts:
  - {{id: bot, im: qq, sender: console, default: true}}
  - {{id: wxbot, im: wechat, sender: console}}
targets:
  both: {{im: qq, group: ['1', '2']}}
  one: {{im: qq, group: '1'}}
jobs:
  - {{name: daily, every: 1h, push: {{im: qq, group: '1', text: hi}}}}
",
        digest("read-token"),
        digest("act-token"),
        digest("push-token"),
        digest("other-token"),
    )
}

fn accepted(config: Config) -> watch::Receiver<Arc<Accepted>> {
    let settings = config.daemon.web.clone().unwrap();
    let timezone = config.daemon.timezone;
    let accepted = Accepted { settings, judge: config.judge, timezone, language: None, socket_uids: vec![1000] };
    watch::channel(Arc::new(accepted)).1
}

impl World {
    async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pushcron.yaml");
        std::fs::write(&file, yaml()).unwrap();
        let config = config::load(&[file], &specs(), &LoadEnvironment::of_process(NOW)).unwrap();
        let database = Database::at(dir.path().join("pushcron.db"));
        let store = store::open(&database, Access::Daemon, NOW).await.unwrap();
        let change = |(job, definition_hash): (Job, i64)| JobChange {
            job,
            definition_hash,
            next_due_at: Some(UtcMs(NOW.0 + 3_600_000)),
            keeps_place: false,
            keeps_count: false,
            since: None,
            source: Default::default(),
        };
        let jobs = Job::with_hashes(config.jobs.clone()).into_iter().map(change).collect();
        store.apply_jobs(jobs, vec![], NOW).await.unwrap();
        let clock = ManualClock::new(NOW);
        let inside = Inside {
            store: store.clone(),
            database,
            clock: clock.clone(),
            bell: Arc::new(|| {}),
            ended: watch::channel(0).1,
            probe: Arc::new(|| {}),
        };
        let accepted = accepted(config);
        let api = Api {
            inside,
            reader: store.clone(),
            accepted,
            rates: Default::default(),
            waits: Default::default(),
            page_memory: Default::default(),
            probed_at: Default::default(),
        };
        World { dir, store, api, clock }
    }

    /// What a reload brings.
    fn reload(&mut self, yaml: &str) {
        let file = self.dir.path().join("pushcron.yaml");
        std::fs::write(&file, yaml).unwrap();
        self.api.accepted = accepted(config::load(&[file], &specs(), &LoadEnvironment::of_process(NOW)).unwrap());
    }

    async fn send(&mut self, request: Request<Bytes>) -> Answer {
        let (head, body) = request.into_parts();
        let response = match self.api.judge(&head) {
            Ok(()) => self.api.answer(Request::from_parts(head, body)).await,
            Err(refused) => *refused.response.unwrap(),
        };
        Answer::of(response)
    }

    /// Asks with this token, and with all rates as if nobody had asked before.
    async fn ask(&mut self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        self.api.rates = Default::default();
        self.send(request(method, path, &[("authorization", &format!("Bearer {token}"))], body)).await
    }

    async fn push(&mut self, token: &str, body: Value) -> Answer {
        let mut body = body;
        body["wait"] = json!(false);
        self.ask(token, "POST", "/api/push", body).await
    }

    /// A push that waits, by its number.
    async fn waiting(&mut self) -> i64 {
        self.push("push-token", json!({"im": "qq", "group": "1", "text": "hi"})).await.body["push_id"].as_i64().unwrap()
    }

    async fn message(&self, push_id: i64) -> Value {
        self.store.push_story(push_id).await.unwrap().unwrap().message
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
    text: String,
}

impl Answer {
    fn of(response: Response<Bytes>) -> Answer {
        let headers = response.headers().iter();
        Answer {
            status: response.status().as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect(),
            body: serde_json::from_slice(response.body()).unwrap_or(Value::Null),
            text: String::from_utf8(response.body().to_vec()).unwrap(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request to us from this machine. Headers of the same name take the place of the usual ones.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Request<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let length = body.len().to_string();
    let mut all = vec![("host", "127.0.0.1:8600"), ("content-length", &*length)];
    if !body.is_empty() {
        all.push(("content-type", "application/json"));
    }
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    let mut builder = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    for (name, value) in all.iter().chain(headers).filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(*name, *value);
    }
    let mut request = builder.body(body).unwrap();
    request.extensions_mut().insert(Peer::Tcp("127.0.0.1".parse().unwrap()));
    request
}

/// What an operation is asked with, so that it can be done; of this push.
fn example(operation: &Operation, push_id: i64) -> (String, Value) {
    let id = push_id.to_string();
    let path = operation.path.replace("{job}", "daily").replace("{id}", &id).replace("{account}", "bot");
    let picture = "base64://AAAA";
    let body = match operation.op {
        Op::MakePush(kind) => {
            let mut body = json!({"imType": "qq", "groupCode": "1", "userID": "", "wait": false});
            match kind {
                None => body["content"] = json!("hi"),
                Some("mixed") => body["items"] = json!([{"text": "hi"}]),
                Some(kind) => body[format!("{kind}Url")] = json!(picture),
            }
            body
        }
        Op::Resolve => json!({"outcome": "sent"}),
        Op::MakeJob => {
            json!({"name": format!("made-{id}"), "every": "1h", "push": {"im": "qq", "group": "1", "text": "hi"}})
        }
        Op::Preview => json!({"text": "jobs: []"}),
        Op::ChangeJob => json!({"every": "2h"}),
        _ => Value::Null,
    };
    let query = if operation.op == Op::Explain { "?at=2026-01-01T09:00" } else { "" };
    (path + query, body)
}

#[test]
fn the_document_in_docs_is_the_one_that_is_answered() {
    let (docs, made) = (Path::new("docs/openapi.json"), Path::new("target/openapi.json"));
    if std::fs::read_to_string(docs).unwrap() != openapi::text() {
        std::fs::write(made, openapi::text()).unwrap();
        panic!("{} is out of date: cp {} {0}", docs.display(), made.display());
    }
}

#[tokio::test]
async fn every_operation_is_for_those_alone_who_may() {
    let mut world = World::new().await;
    for operation in OPERATIONS {
        let push_id = world.waiting().await;
        let (path, body) = example(operation, push_id);
        let known = openapi::statuses(operation);
        let bearer = ("authorization", "Bearer act-token");
        let what = format!("{} {path}", operation.method);
        let others = [
            (request(operation.method, &path, &[], body.clone()), 401),
            (request(operation.method, &path, &[bearer, ("host", "evil.example")], body.clone()), 421),
            (request(operation.method, &path, &[bearer, ("host", "")], body.clone()), 421),
            (request(operation.method, &path, &[bearer, ("sec-fetch-site", "cross-site")], body.clone()), 403),
            (request(operation.method, &path, &[bearer, ("sec-fetch-site", "same-site")], body.clone()), 403),
            (request(operation.method, &path, &[bearer, ("origin", "http://evil.example")], body.clone()), 403),
            (request(operation.method, &path, &[bearer, ("origin", "null")], body.clone()), 403),
            (request("PUT", &path, &[bearer], body.clone()), 405),
            (request("OPTIONS", &path, &[bearer, ("origin", "http://127.0.0.1:8600")], body.clone()), 405),
        ];
        for (request, status) in others {
            let told = format!("{request:?}");
            world.api.rates = Default::default();
            let answer = world.send(request).await;
            assert_eq!(answer.status, status, "{what}: {told}");
            assert!(answer.header("access-control-allow-origin").is_none(), "{what}");
        }
        for (token, scope) in
            [("read-token", "read"), ("act-token", "act"), ("push-token", "push"), ("other-token", "push")]
        {
            let may = match operation.needs {
                Needs::Read => scope != "push",
                Needs::Act => scope == "act",
                Needs::Push => scope == "push" && token != "other-token",
                Needs::OwnPush => token != "other-token" || operation.op != Op::Push,
            };
            *world.api.probed_at.lock().unwrap() = None;
            let answer = world.ask(token, operation.method, &path, body.clone()).await;
            assert_eq!(answer.status != 403, may, "{what} with {token}: {answer:?}");
            assert!(known.contains(&answer.status), "{what} with {token}: {} is not in the document", answer.status);
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
            assert!(answer.header("request-id").is_some() && answer.header("cache-control").is_some(), "{what}");
        }
    }
}

#[tokio::test]
async fn guessing_tokens_is_stopped_and_others_go_on() {
    let mut world = World::new().await;
    let wrong = |from: &'static str| {
        let headers = [("authorization", "Bearer nobody's"), ("x-forwarded-for", from)];
        let mut request = request("GET", "/api/v1/status", &headers, Value::Null);
        request.extensions_mut().insert(Peer::Tcp("10.0.0.1".parse().unwrap()));
        request
    };
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(world.send(wrong("192.0.2.1")).await.status);
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(world.send(wrong("192.0.2.2")).await.status, 401, "another one behind the same proxy");
    assert_eq!(world.send(wrong("192.0.2.2, 192.0.2.1")).await.status, 429, "the last hop counts");
    // Who is no trusted proxy may say what it likes of where it comes from.
    let mut forged = request(
        "GET",
        "/api/v1/status",
        &[("authorization", "Bearer x"), ("x-forwarded-for", "192.0.2.1")],
        Value::Null,
    );
    forged.extensions_mut().insert(Peer::Tcp("192.0.2.3".parse().unwrap()));
    assert_eq!(world.send(forged).await.status, 401);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let mut world = World::new().await;
    let ask = || request("GET", "/api/v1/status", &[("authorization", "Bearer read-token")], Value::Null);
    for _ in 0..10 {
        assert_eq!(world.send(ask()).await.status, 200);
    }
    let answer = world.send(ask()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    world.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(world.send(ask()).await.status, 200);
}

#[tokio::test]
async fn an_act_is_that_of_the_verb_and_tells_who_did_it() {
    let mut world = World::new().await;
    let push_id = world.waiting().await;
    let path = |verb: &str| format!("/api/v1/pushes/{push_id}/{verb}");
    let stale = world.ask("act-token", "POST", &path("cancel"), json!({"seen": "failed"})).await;
    assert_eq!((stale.status, &stale.body["state"]), (409, &json!("pending")));
    assert_eq!(world.ask("act-token", "POST", &path("retry"), Value::Null).await.status, 409);
    let done = world.ask("act-token", "POST", &path("cancel"), json!({"seen": "pending"})).await;
    assert_eq!((done.status, &done.body), (200, &json!({"act": "cancelled", "push_id": push_id})));
    assert_eq!(world.ask("act-token", "POST", "/api/v1/jobs/nobody/fire", Value::Null).await.status, 404);
    assert_eq!(world.ask("act-token", "POST", "/api/v1/jobs/daily/pause", Value::Null).await.status, 200);
    assert_eq!(world.ask("act-token", "POST", &path("resolve"), json!({"outcome": "perhaps"})).await.status, 422);
    assert_eq!(world.ask("act-token", "POST", "/api/v1/accounts/probe", Value::Null).await.status, 200);
    assert_eq!(world.ask("act-token", "POST", "/api/v1/accounts/probe", Value::Null).await.status, 429);
    let acts = world.ask("read-token", "GET", "/api/v1/acts", Value::Null).await;
    let told: Vec<(&Value, &Value, &Value)> =
        acts.body["items"].as_array().unwrap().iter().map(|act| (&act["verb"], &act["via"], &act["actor"])).collect();
    let by = |verb: &str, actor: &str| (json!(verb), json!("token"), json!(actor));
    let wanted = [by("probe", "actor"), by("pause", "actor"), by("cancel", "actor"), by("push", "pusher")];
    assert_eq!(told, wanted.iter().map(|(verb, via, actor)| (verb, via, actor)).collect::<Vec<_>>());
    assert!(acts.body["items"][0]["request"].is_string());
}

#[tokio::test]
async fn what_is_known_already_is_not_sent_again() {
    let mut world = World::new().await;
    let ask = |tag: &str| {
        let headers = [("authorization", "Bearer read-token"), ("if-none-match", tag)];
        request("GET", "/api/v1/jobs/daily", &headers, Value::Null)
    };
    let first = world.send(ask("\"x\"")).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!((first.status, &first.body["job"]), (200, &json!("daily")));
    let again = world.send(ask(&tag)).await;
    assert_eq!((again.status, again.body), (304, Value::Null));
}

#[tokio::test]
async fn odd_http_is_refused() {
    let mut world = World::new().await;
    let body = json!({"im": "qq", "group": "1", "text": "hi"});
    let bearer = ("authorization", "Bearer push-token");
    for (header, status) in [
        (("transfer-encoding", "chunked"), 400),
        (("content-encoding", "gzip"), 415),
        (("content-type", "text/plain"), 415),
        (("content-type", "application/x-www-form-urlencoded"), 415),
        // Twice.
        (("authorization", "Bearer push-token"), 401),
    ] {
        let headers = [bearer, header];
        world.api.rates = Default::default();
        let answer = world.send(request("POST", "/api/push", &headers, body.clone())).await;
        assert_eq!(answer.status, status, "{header:?}: {answer:?}");
    }
    let mut absolute = request("GET", "/api/v1/status", &[bearer], Value::Null);
    *absolute.uri_mut() = "http://evil.example/api/v1/status".parse().unwrap();
    assert_eq!(world.send(absolute).await.status, 421);
    for (host, status) in [
        ("push.example.org", 200),
        ("localhost:8600", 200),
        ("pushcron.localhost:8600", 200),
        ("[::1]:8600", 200),
        ("LocalHost", 200),
        ("Pushcron.LOCALHOST:8600", 200),
        ("PUSH.example.org", 200),
        ("localhost.evil.example", 421),
    ] {
        world.api.rates = Default::default();
        let headers = [("authorization", "Bearer read-token"), ("host", host)];
        for path in ["/api/v1/status", "/cron/api/v1/status"] {
            assert_eq!(world.send(request("GET", path, &headers, Value::Null)).await.status, status, "{host}{path}");
        }
    }
}

#[tokio::test]
async fn on_the_socket_the_kernel_says_who_asks() {
    let mut world = World::new().await;
    for (peer, status) in [
        (Peer::Unix { uid: Some(1000) }, 200),
        (Peer::Unix { uid: Some(33) }, 401),
        (Peer::Unix { uid: None }, 401),
        (Peer::Tcp("127.0.0.1".parse().unwrap()), 401),
    ] {
        let mut request = request("GET", "/api/v1/jobs", &[], Value::Null);
        request.extensions_mut().insert(peer);
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{peer:?}");
        let is_told = answer.text.contains("user 33 is not among daemon.web.socket_users");
        assert_eq!(is_told, peer == Peer::Unix { uid: Some(33) }, "{}", answer.text);
    }
    // A proxy that runs as one of them is not the world.
    for (name, value, told) in [
        ("host", "push.example.org", "Host 'push.example.org' tells of a proxy"),
        ("x-forwarded-for", "192.0.2.1", "X-Forwarded-For tells of a proxy"),
        ("via", "1.1 proxy", "Via tells of a proxy"),
    ] {
        let mut request = request("GET", "/api/v1/jobs", &[(name, value)], Value::Null);
        request.extensions_mut().insert(Peer::Unix { uid: Some(1000) });
        let answer = world.send(request).await;
        assert_eq!(answer.status, 401, "{name}");
        assert!(answer.text.contains(told) && answer.text.contains("send a token"), "{}", answer.text);
    }
    // Nor is one of another name, also where only users of this machine ask.
    world.reload(&yaml().replace("127.0.0.1:8600", "unix:/run/x.sock"));
    let mut request = request("GET", "/api/v1/jobs", &[("host", "evil")], Value::Null);
    request.extensions_mut().insert(Peer::Unix { uid: Some(1000) });
    let answer = world.send(request).await;
    assert!(answer.status == 421 && answer.text.contains("Host is 'evil'"), "{}", answer.text);
}

#[tokio::test]
async fn what_the_server_itself_refuses_is_a_problem_too() {
    let world = World::new().await;
    for (status, why, slug, told) in [
        (400, None, "bad-request", "no request that can be understood"),
        (400, Some("Host is there more than once: expected one"), "bad-request", "Host is there more than once"),
        (408, None, "too-slow", "did not come within 30 s"),
        (413, None, "too-large", "daemon.web.max_body"),
        (431, None, "head-too-large", "16 KiB"),
    ] {
        let answer = Answer::of(world.api.refusal(StatusCode::from_u16(status).unwrap(), why));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!((answer.status, &answer.body["type"]), (status, &json!(format!("/problems/{slug}"))));
        assert!(answer.body["detail"].as_str().unwrap().contains(told), "{answer:?}");
    }
}
