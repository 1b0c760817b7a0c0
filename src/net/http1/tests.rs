//! The server against raw bytes, on a manual clock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::UtcMs;
use crate::net::hosts;

const SECOND: Duration = Duration::from_secs(1);

const LIMITS: Limits = Limits {
    connections: 4,
    idle: Duration::from_secs(20),
    head: Duration::from_secs(10),
    request: Duration::from_secs(30),
    work: None,
    stop: Duration::from_secs(5),
    head_bytes: 8192,
    body_bytes: 1000,
    keep_alive: true,
};

/// Answers with what came. `/wait` waits for leave, `/panic` panics, `/long` is long, `/no` is refused, `/live` has no end.
struct Echo {
    begun: mpsc::UnboundedSender<()>,
    leave: Arc<Notify>,
}

#[async_trait]
impl Handler for Echo {
    fn judge(&self, head: &Head) -> Result<(), Refused> {
        if head.uri.path() == "/no" { Err(StatusCode::FORBIDDEN.into()) } else { Ok(()) }
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.begun.send(()).unwrap();
        match request.uri().path() {
            "/wait" => self.leave.notified().await,
            "/panic" => panic!("as asked"),
            "/live" => {
                let (sender, pieces) = mpsc::channel(1);
                let leave = self.leave.clone();
                tokio::spawn(async move {
                    while sender.send(Bytes::from_static(b"a piece.")).await.is_ok() {
                        leave.notified().await;
                    }
                });
                let mut response = Response::new(Bytes::new());
                response.extensions_mut().insert(Stream::new(pieces));
                return response;
            }
            "/long" => return Response::new(vec![b'x'; 32 << 20].into()),
            _ => {}
        }
        let text = String::from_utf8_lossy(request.body()).into_owned();
        Response::new(format!("{} {} [{text}]", request.method(), request.uri()).into())
    }
}

struct World {
    address: SocketAddr,
    clock: Arc<ManualClock>,
    begun: mpsc::UnboundedReceiver<()>,
    leave: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl World {
    async fn new(limits: Limits) -> World {
        World::with(limits, Audience::everybody()).await
    }

    async fn with(limits: Limits, audience: Audience) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        World::on(Listener::Tcp(listener), address, limits, audience)
    }

    fn on(listener: Listener, address: SocketAddr, limits: Limits, audience: Audience) -> World {
        let clock = ManualClock::new(UtcMs(0));
        let (sender, begun) = mpsc::unbounded_channel();
        let leave = Arc::new(Notify::new());
        let handler = Arc::new(Echo { begun: sender, leave: leave.clone() });
        let server = Server { name: "test", listener, limits, audience, handler, clock: clock.clone() };
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        World { address, clock, begun, leave, stop: Some(stop), running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_and_say(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// The status line of the answer to a request that ends its connection, and the body.
    async fn say(&self, bytes: &[u8]) -> (String, String) {
        let stream = self.connect_and_say(bytes).await;
        split(&to_end(stream).await)
    }

    /// Lets time pass until the future is done, and says how much did.
    async fn pass_until<T>(&self, done: impl Future<Output = T>) -> (T, Duration) {
        let before = self.clock.monotonic();
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                biased;
                value = &mut done => return (value, self.clock.monotonic() - before),
                () = turns() => self.clock.advance(SECOND / 10),
            }
        }
    }
}

/// Lets the others go on. The server is in this thread too, so these are enough for it to see what has come.
async fn turns() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn to_end(mut stream: impl AsyncReadExt + Unpin) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn split(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// W25.
#[tokio::test]
async fn an_answer_without_an_end_is_not_hung_up_on_makes_room_for_nobody_and_ends_with_a_stop() {
    let mut world = World::new(LIMITS).await;
    let mut live = world.connect_and_say(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    world.begun.recv().await.unwrap();
    let first = one_answer(&mut live, "a piece.\r\n").await;
    assert!(first.contains("connection: close") && first.contains("transfer-encoding: chunked"), "{first}");
    world.clock.advance(10 * LIMITS.request);
    // Others come and go, and all slots are taken at times.
    for _ in 0..2 * LIMITS.connections {
        let idle = world.connect().await;
        let (status, _) = world.say(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert!(status.contains("200"), "{status}");
        world.begun.recv().await.unwrap();
        drop(idle);
    }
    world.leave.notify_one();
    assert!(one_answer(&mut live, "a piece.\r\n").await.contains("a piece."));
    world.stop.take().unwrap().send(()).unwrap();
    // The connection ends at once.
    let (rest, took) = world.pass_until(to_end(live)).await;
    assert!(rest.is_empty() && took < SECOND, "{rest} after {took:?}");
    world.running.await.unwrap();
}

/// One answer of a connection that stays.
async fn one_answer(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut more = [0; 1024];
        let read = stream.read(&mut more).await.unwrap();
        assert!(read > 0, "ended after {answer:?}");
        answer += std::str::from_utf8(&more[..read]).unwrap();
    }
    answer
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn requests_of_every_shape_get_the_answer_that_they_should() {
    let world = World::new(LIMITS).await;
    let post = |more: &str| format!("POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}");
    let large = "x".repeat(1001);
    for (case, request, status, body) in [
        ("plain", String::from_utf8(GET.to_vec()).unwrap(), "200 OK", "GET /a []"),
        ("HTTP/1.0 ends by itself", "GET /a HTTP/1.0\r\n\r\n".into(), "200 OK", "GET /a []"),
        ("HEAD has no body", "HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n".into(), "200 OK", ""),
        ("a method of its own", "BREW /a HTTP/1.1\r\nConnection: close\r\n\r\n".into(), "200 OK", "BREW /a []"),
        ("a body by length", post("Content-Length: 3\r\n\r\nabc"), "200 OK", "POST /p [abc]"),
        (
            "a body in chunks",
            post("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
            "200 OK",
            "POST /p [abcde]",
        ),
        (
            "chunks that are none",
            post("Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "400 Bad Request",
            "400 Bad Request\n",
        ),
        (
            "a large body by length",
            post("Content-Length: 1001\r\n\r\n"),
            "413 Content Too Large",
            "413 Payload Too Large\n",
        ),
        (
            "a large body in chunks",
            post(&format!("Transfer-Encoding: chunked\r\n\r\n3e9\r\n{large}\r\n0\r\n\r\n")),
            "413 Content Too Large",
            "413 Payload Too Large\n",
        ),
        (
            "two lengths",
            post("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
            "400 Bad Request",
            "400 Bad Request\n",
        ),
        (
            "no length at all",
            post("Content-Length: 99999999999999999999999\r\n\r\n"),
            "400 Bad Request",
            "400 Bad Request\n",
        ),
        ("two hosts", post("Host: x\r\nContent-Length: 0\r\n\r\n"), "400 Bad Request", "400 Bad Request\n"),
        ("nonsense", "what is this\r\n\r\n".into(), "400 Bad Request", "400 Bad Request\n"),
        (
            "a large head",
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)),
            "431 Request Header Fields Too Large",
            "431 Request Header Fields Too Large\n",
        ),
        (
            "a head of many lines",
            format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500)),
            "431 Request Header Fields Too Large",
            "431 Request Header Fields Too Large\n",
        ),
        (
            "refused by its head",
            "POST /no HTTP/1.1\r\nContent-Length: 9\r\n\r\n".into(),
            "403 Forbidden",
            "403 Forbidden\n",
        ),
        ("a panic", "GET /panic HTTP/1.1\r\n\r\n".into(), "500 Internal Server Error", "500 Internal Server Error\n"),
    ] {
        let (line, text) = world.say(request.as_bytes()).await;
        assert_eq!(line.split_once(' ').map_or("", |(_, status)| status), status, "{case}");
        assert_eq!(text, body, "{case}");
    }
    assert_eq!(world.say(GET).await.1, "GET /a []", "after all that");
}

#[tokio::test]
async fn nonsense_behind_a_request_is_refused_in_words_too() {
    let world = World::new(LIMITS).await;
    let mut stream = world.connect_and_say(b"GET /a HTTP/1.1\r\n\r\n").await;
    assert!(one_answer(&mut stream, "[]").await.contains("200 OK"));
    stream.write_all(b"what is this\r\n\r\n").await.unwrap();
    let (line, text) = split(&to_end(stream).await);
    assert_eq!((&*line, &*text), ("HTTP/1.1 400 Bad Request", "400 Bad Request\n"));
}

#[tokio::test]
async fn a_client_that_waits_for_leave_gets_it_unless_it_is_refused() {
    let world = World::new(LIMITS).await;
    let ask = |path: &str, length: u32| {
        format!("POST {path} HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut stream = world.connect_and_say(ask("/p", 2).as_bytes()).await;
    assert_eq!(one_answer(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").await.unwrap();
    assert_eq!(split(&to_end(stream).await).1, "POST /p [hi]");
    for (path, length, status) in [("/p", 1001, "413 Content Too Large"), ("/no", 2, "403 Forbidden")] {
        assert_eq!(world.say(ask(path, length).as_bytes()).await.0, format!("HTTP/1.1 {status}"));
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_more_requests_also_for_those_that_came_at_once() {
    let world = World::new(LIMITS).await;
    let mut stream = world.connect().await;
    for _ in 0..3 {
        stream.write_all(b"POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
        let answer = one_answer(&mut stream, "[hi]").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("close"), "{answer}");
    }
    stream.write_all(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n").await.unwrap();
    let answers = one_answer(&mut stream, "GET /3 []").await;
    let at = |text: &str| answers.find(text).unwrap();
    assert!(at("GET /1 []") < at("GET /2 []"), "{answers}");

    let world = World::new(Limits { keep_alive: false, ..LIMITS }).await;
    let answer = to_end(world.connect_and_say(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n").await).await;
    assert!(answer.contains("connection: close") && answer.ends_with("GET /1 []"), "{answer}");
}

#[tokio::test]
async fn a_client_that_keeps_us_waiting_is_hung_up_on_when_its_time_is_up() {
    for (case, request, patience) in [
        ("says nothing", &b""[..], 20),
        ("half a head", b"GET / HTTP/1.1\r\nHo", 10),
        ("half a body", b"POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 30),
        ("idle after an answer", b"GET / HTTP/1.1\r\n\r\n", 20),
        ("a handler without end", b"GET /wait HTTP/1.1\r\n\r\n", 30),
    ] {
        let world = World::new(LIMITS).await;
        let stream = world.connect_and_say(request).await;
        let (answer, passed) = world.pass_until(to_end(stream)).await;
        assert_eq!(answer.contains("408 Request Timeout"), case == "half a body", "{case}: {answer}");
        let patience = Duration::from_secs(patience);
        assert!(passed >= patience - SECOND && passed <= patience + SECOND, "{case}: {passed:?}");
    }
}

#[tokio::test]
async fn a_head_or_a_body_that_trickles_does_not_win_time_by_it() {
    for (start, patience) in
        [(&b"GET / HTTP/1.1\r\nX: "[..], 10), (b"POST /p HTTP/1.1\r\nContent-Length: 999\r\n\r\n", 30)]
    {
        let world = World::new(LIMITS).await;
        let (mut read, mut write) = world.connect_and_say(start).await.into_split();
        let trickle = async {
            while write.write_all(b"x").await.is_ok() {
                world.clock.sleep(SECOND).await;
            }
            std::future::pending::<()>().await;
        };
        let ended = async {
            tokio::select! {
                _ = read.read_u8() => {}
                () = trickle => {}
            }
        };
        let ((), passed) = world.pass_until(ended).await;
        let patience = Duration::from_secs(patience);
        assert!(passed >= patience - SECOND && passed <= patience + SECOND, "{passed:?}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_with_the_time_of_its_request() {
    let mut world = World::new(LIMITS).await;
    let mut stream = world.connect_and_say(b"GET /long HTTP/1.1\r\n\r\n").await;
    world.begun.recv().await.unwrap();
    for _ in 0..40 {
        turns().await;
        world.clock.advance(SECOND);
    }
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert!(got.len() < 32 << 20, "{}", got.len());
}

#[tokio::test]
async fn whoever_holds_connections_open_shuts_nobody_out() {
    for held in [&b""[..], b"GET / HTTP/1.1\r\nHo", b"POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"] {
        let world = World::new(LIMITS).await;
        let mut silent = Vec::new();
        for _ in 0..3 * LIMITS.connections {
            silent.push(world.connect_and_say(held).await);
        }
        let ((line, _), passed) = world.pass_until(world.say(GET)).await;
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(passed < LIMITS.head, "no time limit has helped: {passed:?}");
    }
}

#[tokio::test]
async fn a_request_at_work_makes_no_room_and_the_next_waits_for_it() {
    let mut world = World::new(LIMITS).await;
    let mut working = Vec::new();
    for _ in 0..LIMITS.connections {
        working.push(world.connect_and_say(b"GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n").await);
        world.begun.recv().await.unwrap();
    }
    let mut next = world.connect_and_say(GET).await;
    for _ in 0..20 {
        turns().await;
        world.clock.advance(SECOND / 10);
    }
    let mut byte = [0];
    assert!(next.try_read(&mut byte).is_err(), "no slot is free");
    world.leave.notify_one();
    assert_eq!(split(&world.pass_until(to_end(&mut next)).await.0).1, "GET /a []");
    world.leave.notify_waiters();
    let mut answered = 0;
    for stream in working {
        answered += usize::from(split(&to_end(stream).await).1 == "GET /wait []");
    }
    assert_eq!(answered, LIMITS.connections);
}

#[tokio::test]
async fn a_burst_of_more_requests_than_slots_is_answered_whole() {
    let world = World::new(LIMITS).await;
    let all = futures_util::future::join_all((0..40).map(|_| world.say(GET))).await;
    assert!(all.iter().all(|(line, _)| line == "HTTP/1.1 200 OK"), "{all:?}");
}

#[tokio::test]
async fn a_client_that_has_just_come_gets_to_speak_before_it_makes_room() {
    let world = World::new(LIMITS).await;
    let mut young = Vec::new();
    for _ in 0..LIMITS.connections {
        young.push(world.connect().await);
        turns().await;
    }
    let next = world.connect_and_say(GET).await;
    turns().await;
    let mut first = young.remove(0);
    first.write_all(GET).await.unwrap();
    assert_eq!(split(&to_end(first).await).1, "GET /a []");
    assert_eq!(split(&to_end(next).await).1, "GET /a []", "in the slot of the first");
}

#[tokio::test]
async fn requests_to_another_host_and_peers_from_elsewhere_are_not_heard() {
    let world = World::with(LIMITS, Audience { peers: Arc::new(|_| true), hosts: Some(hosts::is_this_machine) }).await;
    for (target, host, status) in [
        ("/", "Host: 127.0.0.1:9464\r\n", "200 OK"),
        ("/", "hOST: localhost\r\n", "200 OK"),
        ("/", "", "200 OK"),
        ("/", "Host: evil.example\r\n", "421 Misdirected Request"),
        ("/", "Host: localhost.evil.example\r\n", "421 Misdirected Request"),
        ("/", "Host: \u{fc}\r\n", "421 Misdirected Request"),
        ("http://evil.example/", "Host: localhost\r\n", "421 Misdirected Request"),
        ("http://localhost/", "Host: localhost\r\n", "200 OK"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        assert_eq!(world.say(request.as_bytes()).await.0, format!("HTTP/1.1 {status}"), "{target} {host}");
    }
    let world = World::with(LIMITS, Audience { peers: Arc::new(|ip: IpAddr| !ip.is_loopback()), hosts: None }).await;
    assert_eq!(to_end(world.connect().await).await, "");
}

#[tokio::test]
async fn a_stop_frees_the_address_answers_what_is_under_way_and_ends_the_rest() {
    let mut world = World::new(LIMITS).await;
    let silent = world.connect().await;
    let mut kept = world.connect_and_say(b"GET / HTTP/1.1\r\n\r\n").await;
    one_answer(&mut kept, "GET / []").await;
    world.begun.recv().await.unwrap();
    let working = world.connect_and_say(b"GET /wait HTTP/1.1\r\n\r\n").await;
    world.begun.recv().await.unwrap();
    world.stop.take().unwrap().send(()).unwrap();
    assert_eq!((to_end(silent).await, to_end(kept).await), (String::new(), String::new()));
    assert!(TcpStream::connect(world.address).await.is_err(), "nothing new is taken");
    assert!(!world.running.is_finished());
    world.leave.notify_one();
    let answer = to_end(working).await;
    assert!(answer.contains("connection: close") && answer.ends_with("GET /wait []"), "{answer}");
    world.running.await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut world = World::new(LIMITS).await;
    let working = world.connect_and_say(b"GET /wait HTTP/1.1\r\n\r\n").await;
    world.begun.recv().await.unwrap();
    world.stop.take().unwrap().send(()).unwrap();
    let (answer, passed) = world.pass_until(to_end(working)).await;
    assert!(answer.is_empty() && passed <= LIMITS.stop + SECOND, "{answer} {passed:?}");
    world.running.await.unwrap();
    assert_eq!(Arc::strong_count(&world.leave), 1, "nothing of the server is left");
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    let _world = World::on(listener, SocketAddr::from(([127, 0, 0, 1], 0)), LIMITS, Audience::everybody());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(GET).await.unwrap();
    assert_eq!(split(&to_end(stream).await).1, "GET /a []");
}
