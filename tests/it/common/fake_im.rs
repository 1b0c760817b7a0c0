//! A scripted local HTTP server in the place of an IM service: it answers as told, records what it was sent, and can
//! break in every way in which a network does.
//!
//! ```ignore
//! let im = FakeIm::start().await;
//! im.on("/send_msg", Answer::json(200, json!({"retcode": 0})));          // every time
//! im.script("/token", [Answer::status(500), Answer::json(200, …)]);      // in turn, the last one for ever
//! im.handle("/upload", |request| Answer::json(200, json!({"size": request.body.len()})));
//! … send through im.url("") …
//! assert_eq!(im.request("/send_msg").json()["text"], "hi");
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection is reset instead of an answer.
    Reset,
    /// The head and half of the body, then a reset.
    ResetInBody {
        status: u16,
    },
    /// No answer, and the connection stays open.
    Silence,
    /// A good status and then one byte of the body every 50 ms for ever.
    Trickle {
        status: u16,
    },
    /// A good status and a body of one GiB.
    Flood {
        status: u16,
    },
    /// Something that is no HTTP.
    Garbage,
    /// Waits for one permit of the gate, then goes on.
    Held(Arc<Notify>, Box<Answer>),
    /// The answer, and then the connection is closed without notice, as an idle time-out does.
    HangUp(Box<Answer>),
}

impl Answer {
    pub(crate) fn status(status: u16) -> Answer {
        Answer::text(status, "")
    }

    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::Reply { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn json(status: u16, body: Value) -> Answer {
        Answer::text(status, body.to_string()).header("content-type", "application/json")
    }

    /// Adds a header to a reply; every other answer stays as it is.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Answer {
        if let Answer::Reply { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same answer, but only after `gate.notify_one()`.
    pub(crate) fn held(self, gate: &Arc<Notify>) -> Answer {
        Answer::Held(gate.clone(), Box::new(self))
    }

    /// The same answer on a connection that the server closes at once, without having said so.
    pub(crate) fn hang_up(self) -> Answer {
        Answer::HangUp(Box::new(self))
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub method: String,
    /// Without the query, percent-encoded as on the wire.
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The length of the body, also where [`FakeIm::forget_bodies_over`] dropped it.
    pub body_len: u64,
    /// Which connection carried it, counted from 1.
    pub connection: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_lowercase()).map(String::as_str)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

type Handler = Box<dyn FnMut(&Request) -> Answer + Send>;

#[derive(Default)]
struct State {
    /// The first whose text is in the request's path answers.
    rules: Vec<(String, Handler)>,
    requests: Vec<Request>,
    connections: usize,
    body_limit: Option<usize>,
    /// Connections to reset as soon as they are accepted.
    resets: usize,
}

/// The server; it ends with the test's runtime.
pub(crate) struct FakeIm {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    arrived: watch::Receiver<usize>,
}

impl FakeIm {
    pub(crate) async fn start() -> FakeIm {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (count, arrived) = watch::channel(0);
        tokio::spawn(serve(listener, state.clone(), count));
        FakeIm { address, state, arrived }
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers every request whose path contains `part` like this, from now on. `""` stands for every path; of several
    /// parts the longest that fits wins.
    pub(crate) fn on(&self, part: &str, answer: Answer) {
        self.script(part, [answer]);
    }

    /// As [`FakeIm::on`], with one answer after the other; the last one stays.
    pub(crate) fn script(&self, part: &str, answers: impl IntoIterator<Item = Answer>) {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        self.handle(part, move |_| {
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
                .expect("a script has answers")
        });
    }

    /// As [`FakeIm::on`], with an answer computed from the request.
    pub(crate) fn handle(&self, part: &str, handler: impl FnMut(&Request) -> Answer + Send + 'static) {
        let rules = &mut self.state.lock().unwrap().rules;
        rules.retain(|(known, _)| known != part);
        rules.push((part.to_owned(), Box::new(handler)));
        rules.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
    }

    /// Resets the next `count` connections before it reads anything from them.
    pub(crate) fn reset_connections(&self, count: usize) {
        self.state.lock().unwrap().resets = count;
    }

    /// Bodies longer than this are counted but not kept, for tests that watch the memory.
    pub(crate) fn forget_bodies_over(&self, limit: usize) {
        self.state.lock().unwrap().body_limit = Some(limit);
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The requests so far whose path contains `part`.
    pub(crate) fn requests_to(&self, part: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path.contains(part)).collect()
    }

    /// The only request whose path contains `part`; panics if there are none or several.
    pub(crate) fn request(&self, part: &str) -> Request {
        let mut found = self.requests_to(part);
        assert_eq!(found.len(), 1, "requests to {part:?} in {:#?}", self.paths());
        found.remove(0)
    }

    /// The paths called so far, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// Waits until `count` requests have arrived in all.
    pub(crate) async fn wait_for_requests(&self, count: usize) {
        let mut arrived = self.arrived.clone();
        let waiting = arrived.wait_for(|arrived| *arrived >= count);
        if tokio::time::timeout(Duration::from_secs(10), waiting).await.is_err() {
            panic!("waited 10 s for {count} requests, got {:?}", self.paths());
        }
    }
}

/// An address at which connections are refused, for as long as the value lives.
pub(crate) struct Refused(TcpSocket);

impl Refused {
    pub(crate) fn new() -> Refused {
        let socket = TcpSocket::new_v4().unwrap();
        // Bound but not listening: nobody else gets the port, and the kernel refuses.
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Refused(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, count: watch::Sender<usize>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Head and body are written one after the other, which Nagle would hold up for 40 ms.
        let _ = stream.set_nodelay(true);
        let connection = {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            if state.resets > 0 {
                state.resets -= 1;
                reset(&stream);
                continue;
            }
            state.connections
        };
        let (state, count) = (state.clone(), count.clone());
        // A client that hangs up ends its own connection only.
        tokio::spawn(async move { talk(BufReader::new(stream), connection, state, count).await });
    }
}

fn reset(stream: &TcpStream) {
    // The close that follows then sends RST.
    stream.set_zero_linger().unwrap();
}

async fn talk(
    mut stream: BufReader<TcpStream>,
    connection: usize,
    state: Arc<Mutex<State>>,
    count: watch::Sender<usize>,
) -> io::Result<()> {
    loop {
        let limit = state.lock().unwrap().body_limit.unwrap_or(usize::MAX);
        let Some(mut request) = read_request(&mut stream, limit).await? else { return Ok(()) };
        request.connection = connection;
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            match state.rules.iter_mut().find(|(part, _)| request.path.contains(part.as_str())) {
                Some((_, handler)) => handler(&request),
                None => Answer::text(404, format!("fake_im has no answer for {}", request.path)),
            }
        };
        count.send_modify(|count| *count += 1);
        if !give(&mut stream, answer, request.method == "HEAD").await? {
            return Ok(());
        }
    }
}

/// Plays an answer; false when the connection is at its end.
async fn give(stream: &mut BufReader<TcpStream>, mut answer: Answer, head_only: bool) -> io::Result<bool> {
    let mut goes_on = true;
    loop {
        match answer {
            Answer::Held(gate, next) => {
                gate.notified().await;
                answer = *next;
            }
            Answer::HangUp(next) => {
                goes_on = false;
                answer = *next;
            }
            _ => break,
        }
    }
    match answer {
        Answer::Reply { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            head += "\r\n";
            stream.write_all(head.as_bytes()).await?;
            if !head_only {
                stream.write_all(&body).await?;
            }
            Ok(goes_on)
        }
        Answer::Reset => {
            reset(stream.get_ref());
            Ok(false)
        }
        Answer::ResetInBody { status } => {
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 1000\r\n\r\n{{\"half\":");
            stream.write_all(head.as_bytes()).await?;
            // A reset may overtake bytes on their way; a plain close does not, and the body is short all the same.
            Ok(false)
        }
        Answer::Silence => {
            // Until the client hangs up.
            let _ = stream.read(&mut [0; 1]).await?;
            Ok(false)
        }
        Answer::Trickle { status } => {
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 1000000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut beat = tokio::time::interval(Duration::from_millis(50));
            loop {
                beat.tick().await;
                stream.write_all(b" ").await?;
            }
        }
        Answer::Flood { status } => {
            const CHUNK: usize = 64 * 1024;
            let head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n\r\n", 1 << 30);
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..(1 << 30) / CHUNK {
                stream.write_all(&[b'x'; CHUNK]).await?;
            }
            Ok(false)
        }
        Answer::Garbage => {
            stream.write_all(b"\x00\xffthis is no HTTP\r\n\r\n").await?;
            Ok(false)
        }
        Answer::Held(..) | Answer::HangUp(..) => unreachable!("unwrapped above"),
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>, body_limit: usize) -> io::Result<Option<Request>> {
    if stream.fill_buf().await?.first() == Some(&0x16) {
        // A TLS handshake: as any server does that speaks plain HTTP.
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        return Ok(None);
    }
    let first = read_line(stream).await?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next().filter(|word| !word.is_empty()), words.next()) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        ..Request::default()
    };
    loop {
        let line = read_line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    if request.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = read_line(stream).await?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            read_body(stream, size, &mut request, body_limit).await?;
            read_line(stream).await?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(io::Error::other)?;
        read_body(stream, length, &mut request, body_limit).await?;
    }
    if request.body_len > body_limit as u64 {
        request.body = Vec::new();
    }
    Ok(Some(request))
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        let byte = match stream.read_u8().await {
            Ok(byte) => byte,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        };
        match byte {
            b'\n' => break,
            b'\r' => {}
            byte => line.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

async fn read_body(
    stream: &mut BufReader<TcpStream>,
    mut left: u64,
    request: &mut Request,
    keep: usize,
) -> io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    while left > 0 {
        let want = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = stream.read(&mut chunk[..want]).await?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.body_len += got as u64;
        if request.body_len <= keep as u64 {
            request.body.extend_from_slice(&chunk[..got]);
        }
        left -= got as u64;
    }
    Ok(())
}
