//! Threats to the HTTP API that take a real daemon, each named by its number in docs/SECURITY.md. W09: whoever is slow or
//! says nothing; W10: bodies and heads beyond all measure; W11: pushes that point inside; W19: odd HTTP; W22: keys without end; W23: a
//! database that cannot be written; W24: a place that is taken; W25: pages that listen.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::common::daemon::{Daemon, House, tick, until};

const SENT: &str = "SELECT count(*) FROM pushes WHERE state = 'sent'";

/// The token of the tests that go over a port.
const TOKEN: &str = "a token of the tests";

/// An answer: the status, all of it, and its body as JSON.
pub(super) struct Answer {
    pub status: u16,
    pub whole: String,
    pub body: Value,
}

/// Files with an API that listens there, the receiver as account `hook`, and these jobs.
fn configure(house: &House, listen: &str, jobs: &str) {
    let digest: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
    house.write(&format!(
        "daemon:\n  database: {}\n  timezone: UTC\n  web: {{listen: '{listen}', tokens: [{{name: t, sha256: {digest}, scope: act}}]}}\n\
         accounts:\n  - {{id: hook, im: hook, sender: webhook, url: '{}', default: true}}\n\
         jobs:\n{jobs}",
        house.database().display(),
        house.im.url(house.hook),
    ));
}

fn socket(house: &House) -> PathBuf {
    house.dir.path().join("web.sock")
}

/// A daemon whose API is on a socket beside its files.
async fn on_a_socket(house: &House, jobs: &str) -> Daemon {
    configure(house, &format!("unix:{}", socket(house).display()), jobs);
    let daemon = house.daemon().await;
    daemon.says("the HTTP API listens").await;
    daemon
}

/// A daemon whose API is on a port that was free a moment ago.
async fn on_a_port(house: &House, jobs: &str) -> (Daemon, u16) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    configure(house, &format!("127.0.0.1:{port}"), jobs);
    let daemon = house.daemon().await;
    daemon.says("the HTTP API listens").await;
    (daemon, port)
}

/// A request that ends its connection.
fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Says something, and hears the answer to its end. Who is refused may be hung up on in the middle of what it says.
async fn heard(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, bytes: &[u8]) -> Answer {
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    let whole = String::from_utf8_lossy(&heard).into_owned();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Answer { status, whole, body }
}

pub(super) async fn ask(socket: &Path, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    heard(UnixStream::connect(socket).await.unwrap(), &request(method, path, headers, &body)).await
}

async fn status_over(port: u16) -> u16 {
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    heard(stream, &request("GET", "/api/v1/status", &bearer, "")).await.status
}

/// W09. How long each kind of slowness is borne is `net::http1::tests`' matter, on a clock of their own; here a thousand of them
/// are at a real daemon at once. The bench `steady` measures what becomes of the lateness.
#[tokio::test(flavor = "multi_thread")]
async fn w09_a_thousand_slow_and_silent_connections_hold_up_no_push_and_shut_nobody_out() {
    let house = House::new().await;
    let (mut daemon, port) = on_a_port(&house, &tick("steady")).await;
    house.until_at_least(1, SENT).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let long = request("GET", "/api/openapi.json", &bearer, "");
    let cut_body = request("POST", "/api/v1/jobs", &bearer, &"x".repeat(1000));
    let says: [&[u8]; 4] = [b"", b"GET /api/v1/status HT", &cut_body[..cut_body.len() - 500], &long];
    let mut held = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = stream.write_all(says[number % says.len()]).await;
        // It reads nothing, and stays.
        held.push(stream);
    }
    until("somebody who asks is answered", async || status_over(port).await == 200).await;
    let before = house.number(SENT).await;
    house.until_at_least(before + 3, SENT).await;
    assert!(daemon.open_files() < 200, "{} open files", daemon.open_files());
    drop(held);
    // No second is missing, none went out twice.
    house.assert_it_ends_well(&mut daemon).await;
}

/// The most that the daemon has ever had in memory, in KiB.
fn most_memory(daemon: &Daemon) -> u64 {
    let pid = daemon.child.id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// W10.
#[tokio::test(flavor = "multi_thread")]
async fn w10_bodies_and_heads_beyond_all_measure_are_refused_and_take_no_memory() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let say = async |bytes: Vec<u8>| heard(UnixStream::connect(socket(&house)).await.unwrap(), &bytes).await.status;
    let head = |more: &str| {
        let lines = "POST /api/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        format!("{lines}{more}\r\n").into_bytes()
    };
    let push = r#"{"im":"hook","group":"1","text":"hi","wait":false}"#;
    // What a first push takes is no matter here.
    assert_eq!(say(request("POST", "/api/push", "", push)).await, 202);
    let before = most_memory(&daemon);

    assert_eq!(say(head("Content-Length: 1073741824\r\n")).await, 413, "a gigabyte, that is told");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
    let endless = [head("Transfer-Encoding: chunked\r\n"), chunk.repeat(1024)].concat();
    assert_eq!(say(endless).await, 413, "64 megabytes, that are not");
    let bomb = [head("Content-Encoding: gzip\r\nContent-Length: 20\r\n"), vec![0x1f, 0x8b, 8, 0], vec![0; 16]].concat();
    assert_eq!(say(bomb).await, 415, "a body that is packed");
    let headers: String = (0..100_000).map(|number| format!("X-{number}: x\r\n")).collect();
    assert_eq!(say(head(&headers)).await, 431, "a hundred thousand headers");
    let nested = format!("{{\"text\":{}1{}}}", "[".repeat(400_000), "]".repeat(400_000));
    assert_eq!(say(request("POST", "/api/push", "", &nested)).await, 400, "lists in lists");
    let deep = format!("{}{{}}{}", "{\"items\":[".repeat(50_000), "]}".repeat(50_000));
    assert_eq!(say(request("POST", "/api/push", "", &deep)).await, 400, "items in items");
    let after = most_memory(&daemon);
    assert!(after < before + 8 * 1024, "{before} KiB before, {after} KiB at most");
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, 1);
    daemon.stop().await;
}

/// W22: keys do not heap up. Each request with a key takes some away that are older than a day.
#[tokio::test(flavor = "multi_thread")]
async fn w22_ten_thousand_old_keys_are_forgotten_little_by_little() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let database = rusqlite::Connection::open(house.database()).unwrap();
    let plant = "INSERT INTO request_keys
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
                 SELECT printf('%064d', i), printf('%064d', i), '[]', '2025-12-30T08:00:00.000Z' FROM n";
    assert_eq!(database.execute(plant, []).unwrap(), 10_000);
    let push = json!({"im": "hook", "group": "1", "text": "hi", "wait": false});
    for number in 0..50 {
        let key = format!("Idempotency-Key: order {number}\r\n");
        let answer = ask(&socket(&house), "POST", "/api/push", &key, &push).await;
        assert!([200, 202].contains(&answer.status), "{}", answer.whole);
    }
    let keys = "SELECT count(*), sum(at > '2026') FROM request_keys";
    assert_eq!(house.rows(keys).await, [["9050", "50"]], "twenty went with each of the fifty");
    daemon.stop().await;
}

/// W23: the database is locked. What is only read is answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn w23_a_push_that_a_locked_database_cannot_record_is_said_to_be_none_and_is_none() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let push = json!({"im": "hook", "group": "1", "text": "locked", "wait": false});
    let foreign = rusqlite::Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let job = json!({"name": "tea", "every": "1h", "push": {"im": "hook", "group": "1", "text": "tea"}});
    for (path, body) in [("/api/push", &push), ("/api/v1/jobs", &job)] {
        let refused = ask(&socket(&house), "POST", path, "", body).await;
        assert_eq!((refused.status, &refused.body["recorded"]), (503, &json!(false)), "{path}: {}", refused.whole);
        assert!(refused.whole.to_lowercase().contains("retry-after: "), "{}", refused.whole);
    }
    let read = ask(&socket(&house), "GET", "/api/v1/jobs", "", &Value::Null).await;
    assert_eq!((read.status, &read.body["items"]), (200, &json!([])), "{}", read.whole);
    foreign.execute_batch("ROLLBACK").unwrap();
    until("the database can be written again", async || {
        ask(&socket(&house), "POST", "/api/push", "", &json!({"im": "hook", "group": "1", "text": "free"})).await.status
            == 200
    })
    .await;
    let texts = house.rows("SELECT DISTINCT json_extract(message, '$.text') FROM pushes").await;
    assert_eq!(texts, [["free"]], "what was refused did not come later");
    assert_eq!(house.number("SELECT count(*) FROM jobs").await, 0);
    daemon.stop().await;
}

/// W23: the disk is full. A database that is corrupt is refused at the start (`f08` of the faults), and there is no API then; one
/// that breaks while it is open ends the daemon's writing as a full disk does.
#[tokio::test(flavor = "multi_thread")]
async fn w23_a_push_for_which_there_is_no_room_is_said_to_be_none_and_is_none() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    // Every file of the daemon is longer than that, so that none grows.
    daemon.limit_file_size(1);
    let push = json!({"im": "hook", "group": "1", "text": "no room", "wait": false});
    let refused = ask(&socket(&house), "POST", "/api/push", "", &push).await;
    assert_eq!((refused.status, &refused.body["recorded"]), (503, &json!(false)), "{}", refused.whole);
    let read = ask(&socket(&house), "GET", "/api/v1/status", "", &Value::Null).await;
    assert_eq!(read.status, 200, "{}", read.whole);
    daemon.limit_file_size(u64::MAX);
    until("there is room again", async || {
        ask(&socket(&house), "POST", "/api/push", "", &json!({"im": "hook", "group": "1", "text": "room"})).await.status
            == 200
    })
    .await;
    let texts = house.rows("SELECT DISTINCT json_extract(message, '$.text') FROM pushes").await;
    assert_eq!(texts, [["room"]], "what was refused did not come later");
    daemon.stop().await;
}

/// W11: what it says of itself goes out as it stands, and nobody inside is asked for a picture.
#[tokio::test(flavor = "multi_thread")]
async fn w11_a_pushed_text_brings_no_variable_and_a_picture_reaches_no_private_address() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let text = json!({"im": "hook", "group": "1", "text": "${PATH} {{ env.PATH }}"});
    let answer = ask(&socket(&house), "POST", "/api/push", "", &text).await;
    assert_eq!((answer.status, &answer.body["count"]), (200, &json!(1)), "{}", answer.whole);
    let heard = house.im.requests();
    let body: Value = serde_json::from_slice(&heard.last().unwrap().body).unwrap();
    assert!(body.to_string().contains("${PATH} {{ env.PATH }}"), "{body}");
    for scheme in ["http", "https"] {
        let image = format!("{scheme}://127.0.0.1:{port}/x.png");
        let body = json!({"im": "hook", "group": "1", "image": image});
        let answer = ask(&socket(&house), "POST", "/api/push", "", &body).await;
        assert_eq!((answer.status, &answer.body["count"]), (200, &json!(0)), "{}", answer.whole);
        assert!(answer.body["error"].as_str().unwrap().contains("media_allow_private"), "{}", answer.whole);
    }
    assert_eq!(house.im.requests().len(), heard.len());
    let came = inside.into_std().unwrap().accept();
    assert!(came.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{came:?}");
    daemon.stop().await;
}

/// W19: whatever somebody in front could read as two requests is the last of its connection. Of a length and chunks the chunks count
/// (RFC 9112, 6.3), and the same length twice is one; all else is refused.
#[tokio::test(flavor = "multi_thread")]
async fn w19_odd_http_is_refused_and_nothing_behind_it_is_answered() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let push = r#"{"im":"hook","group":"1","text":"hi","wait":false}"#;
    let length = push.len();
    let chunked = format!("{length:x}\r\n{push}\r\n0\r\n\r\n");
    let behind = String::from_utf8(request("POST", "/api/push", "", push)).unwrap();
    let say = async |lines: &str, body: &str| {
        let head = "POST /api/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        let bytes = format!("{head}{lines}\r\n{body}{behind}");
        heard(UnixStream::connect(socket(&house)).await.unwrap(), bytes.as_bytes()).await
    };
    for (case, lines, body) in [
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), push),
        ("lengths in one field", format!("Content-Length: {length}, 5\r\n"), push),
        ("a length with a sign", format!("Content-Length: +{length}\r\n"), push),
        ("chunks that are not the last", "Transfer-Encoding: chunked, gzip\r\n".to_owned(), &chunked),
        ("a folded line", format!("X-A: b\r\n c: d\r\nContent-Length: {length}\r\n"), push),
        ("a space before the colon", format!("Content-Length : {length}\r\n"), push),
        ("a NUL", format!("X-A: b\0c\r\nContent-Length: {length}\r\n"), push),
        ("a lone CR", format!("X-A: b\rX-B: c\r\nContent-Length: {length}\r\n"), push),
        ("two hosts", format!("Host: localhost\r\nContent-Length: {length}\r\n"), push),
    ] {
        let answer = say(&lines, body).await;
        assert_eq!(answer.status, 400, "{case}: {}", answer.whole);
        assert_eq!(answer.whole.matches("HTTP/1.1 ").count(), 1, "{case}: {}", answer.whole);
    }
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, 0);
    for lines in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"]
    {
        let answer = say(lines, &chunked).await;
        assert_eq!((answer.status, answer.whole.matches("HTTP/1.1 ").count()), (202, 1), "{lines}: {}", answer.whole);
    }
    assert_eq!(house.number("SELECT count(*) FROM pushes").await, 2, "what came behind is none");
    daemon.stop().await;
}

/// W24: somebody answers on the socket, then is gone and has left its file behind.
#[tokio::test(flavor = "multi_thread")]
async fn w24_a_place_that_is_taken_is_tried_again_and_pushes_go_on() {
    let house = House::new().await;
    configure(&house, &format!("unix:{}", socket(&house).display()), &tick("steady"));
    let other = std::os::unix::net::UnixListener::bind(socket(&house)).unwrap();
    let mut daemon = house.daemon().await;
    daemon.says("somebody answers on the socket that is there").await;
    house.until_at_least(2, SENT).await;
    assert!(other.local_addr().is_ok() && socket(&house).exists(), "it is left to who answers there");
    drop(other);
    daemon.says("the HTTP API listens").await;
    assert_eq!(daemon.log().matches("the HTTP API cannot start yet").count(), 1, "{}", daemon.log());
    assert_eq!(ask(&socket(&house), "GET", "/api/v1/status", "", &Value::Null).await.status, 200);
    house.assert_it_ends_well(&mut daemon).await;
}

/// W25: no page listens in vain, none keeps others from loading, and none keeps the daemon from its end.
#[tokio::test(flavor = "multi_thread")]
async fn w25_with_all_streams_open_pages_load_and_a_stop_ends_them() {
    let house = House::new().await;
    let mut daemon = on_a_socket(&house, "  []\n").await;
    let listen = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut streams = Vec::new();
    // Ten are let in within a second.
    until("sixteen pages listen", async || {
        let mut stream = UnixStream::connect(socket(&house)).await.unwrap();
        stream.write_all(listen).await.unwrap();
        let (mut heard, mut some) = (String::new(), [0; 1024]);
        while !heard.contains("retry: 5000") && !heard.contains(" 429 ") {
            let read = stream.read(&mut some).await.unwrap();
            assert!(read > 0, "it ended: {heard}");
            heard += std::str::from_utf8(&some[..read]).unwrap();
        }
        if !heard.contains(" 429 ") {
            // Else a proxy may keep to itself what it hears.
            assert!(heard.to_lowercase().contains("x-accel-buffering: no"), "{heard}");
            streams.push(stream);
        }
        streams.len() == 16
    })
    .await;
    for (path, status) in [("/live", 503), ("/jobs", 200)] {
        until(path, async || ask(&socket(&house), "GET", path, "", &Value::Null).await.status == status).await;
    }
    let took = daemon.stop().await;
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
    for mut stream in streams {
        // To its end, or hung up on.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}
