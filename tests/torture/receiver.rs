//! A receiver that loses answers, delays them, refuses and breaks off, by dice or as an account's path is told, and
//! remembers everything. When a request arrives it looks into the database whether the attempt's row is there, as it
//! must be. Below `/robot` it speaks OneBot.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pushcron::clock::{Clock, SystemClock};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Took the message and said so.
    Taken,
    /// Took the message; the answer never left.
    TakenInSilence,
    /// Refused it: come back later.
    Refused,
    /// Broke down; whether it took the message, nobody knows.
    Broke,
}

impl Verdict {
    pub(crate) fn took_it(self) -> bool {
        matches!(self, Verdict::Taken | Verdict::TakenInSilence)
    }
}

/// How a path behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// By dice: everything but for ever.
    Dice,
    Kind,
    /// Takes the message, and answers after a while.
    Slow(Duration),
    /// Takes the message and never answers.
    Holding,
    /// Every fourth request is told to come back after so many seconds.
    Resting(u32),
    /// The first request of every message breaks down.
    Breaking,
    /// A robot that is not logged in.
    Offline,
}

/// A request as it was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub path: String,
    /// What names the message, in whichever database it stands.
    pub id: String,
    pub push_id: i64,
    /// The job and its instant, where the schedule made the push.
    pub instant: Option<String>,
    pub group: String,
    pub text: String,
    pub verdict: Verdict,
    /// Whether the database held as many attempts at this push as requests had come, this one included.
    pub recorded_before: bool,
    /// From when until when that was looked up, by a clock that nobody sets.
    pub looked_at: Duration,
    pub at: Duration,
}

/// Kills the daemon at one of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    countdown: u32,
    before_answer: bool,
}

impl Trap {
    pub(crate) fn before_answer(nth: u32) -> Trap {
        Trap { countdown: nth, before_answer: true }
    }

    pub(crate) fn after_answer(nth: u32) -> Trap {
        Trap { countdown: nth, before_answer: false }
    }
}

#[derive(Default)]
struct Memory {
    seen: Vec<Seen>,
    requests_of: HashMap<String, u64>,
    broken: HashSet<String>,
    requests_to: HashMap<String, u64>,
}

pub(crate) struct Receiver {
    port: u16,
    database: PathBuf,
    memory: Mutex<Memory>,
    trap: Mutex<Option<(Trap, u32)>>,
    dice: Mutex<fastrand::Rng>,
    tempers: Mutex<HashMap<String, Temper>>,
    clock: SystemClock,
}

struct Request {
    path: String,
    webhook_id: Option<String>,
    body: Value,
}

impl Receiver {
    pub(crate) async fn start(database: PathBuf, seed: u64) -> Arc<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Arc::new(Receiver {
            port: listener.local_addr().unwrap().port(),
            database,
            memory: Mutex::default(),
            trap: Mutex::default(),
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            tempers: Mutex::default(),
            clock: SystemClock::new(),
        });
        let serving = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let receiver = serving.clone();
                tokio::spawn(async move { receiver.serve(stream).await });
            }
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.lock().unwrap().seen.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.memory.lock().unwrap().seen.len()
    }

    /// How many messages a path has taken since an instant of [`Receiver::now`].
    pub(crate) fn taken_since(&self, path: &str, since: Duration) -> usize {
        let memory = self.memory.lock().unwrap();
        let newest = memory.seen.iter().rev().take_while(|seen| seen.at >= since);
        newest.filter(|seen| seen.path == path && seen.verdict.took_it()).count()
    }

    pub(crate) fn refusals(&self, path: &str) -> usize {
        let memory = self.memory.lock().unwrap();
        memory.seen.iter().filter(|seen| seen.path == path && seen.verdict == Verdict::Refused).count()
    }

    /// Messages to a path that came and were not taken so far.
    pub(crate) fn untaken(&self, path: &str) -> HashSet<String> {
        let memory = self.memory.lock().unwrap();
        let (taken, others): (Vec<&Seen>, Vec<&Seen>) =
            memory.seen.iter().filter(|seen| seen.path == path).partition(|seen| seen.verdict.took_it());
        let taken: HashSet<&str> = taken.into_iter().map(|seen| seen.id.as_str()).collect();
        others.into_iter().filter(|seen| !taken.contains(seen.id.as_str())).map(|seen| seen.id.clone()).collect()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// How a path behaves from now on; all of them start by dice.
    pub(crate) fn set(&self, path: &str, temper: Temper) {
        self.tempers.lock().unwrap().insert(path.to_owned(), temper);
    }

    /// From now on every message is taken and answered.
    pub(crate) fn be_kind(&self) {
        let mut tempers = self.tempers.lock().unwrap();
        tempers.clear();
        tempers.insert(String::new(), Temper::Kind);
    }

    fn temper(&self, path: &str) -> Temper {
        let tempers = self.tempers.lock().unwrap();
        *tempers.get(path).or_else(|| tempers.get("")).unwrap_or(&Temper::Dice)
    }

    pub(crate) fn arm(&self, trap: Trap, pid: u32) {
        *self.trap.lock().unwrap() = Some((trap, pid));
    }

    pub(crate) fn disarm(&self) {
        *self.trap.lock().unwrap() = None;
    }

    /// Springs the trap if this is its request. A trap for answers counts down before the answer and kills after.
    fn spring(&self, before_answer: bool) {
        let mut armed = self.trap.lock().unwrap();
        let Some((trap, pid)) = armed.as_mut() else { return };
        if trap.before_answer != before_answer {
            return;
        }
        trap.countdown -= 1;
        if trap.countdown == 0 {
            // SAFETY: the daemon is a child of ours that is only waited for after the trap is disarmed.
            unsafe { libc::kill(*pid as i32, libc::SIGKILL) };
            *armed = None;
        }
    }

    async fn serve(self: Arc<Receiver>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await {
            let answer = match request.path.strip_prefix("/robot/") {
                Some(action) => Some(self.robot(action, &request.body)),
                None => self.webhook(&request).await,
            };
            let Some(answer) = answer else {
                // The message is taken, and no answer ever comes; the connection is the other side's to end.
                if self.temper(&request.path) == Temper::Holding {
                    let _ = stream.read_u8().await;
                }
                return;
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            self.spring(false);
        }
    }

    async fn webhook(&self, request: &Request) -> Option<String> {
        let data = &request.body["data"];
        let id = request.webhook_id.clone().unwrap_or_default();
        let push_id = id.rsplit('-').next().and_then(|id| id.parse().ok()).unwrap_or(0);
        let looked_at = self.now();
        let attempts = attempts_at(&self.database, push_id);
        let (verdict, delay, rest) = self.judge(&request.path, &id);
        let is_of_schedule = data["triggered_by"] == "cron";
        {
            let mut memory = self.memory.lock().unwrap();
            let requests = memory.requests_of.entry(id.clone()).or_default();
            *requests += 1;
            let recorded_before = attempts >= *requests;
            let group = bare(&data["target"]["group"]);
            let instant = is_of_schedule.then(|| format!("{} {} {group}", bare(&data["job"]), bare(&data["due_at"])));
            let (path, at) = (request.path.clone(), self.now());
            let text = bare(&data["text"]);
            let seen = Seen { path, id, push_id, instant, group, text, verdict, recorded_before, looked_at, at };
            memory.seen.push(seen);
        }
        self.spring(true);
        let _ = tokio::time::timeout(delay, std::future::pending::<()>()).await;
        match verdict {
            Verdict::Taken => Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()),
            Verdict::Refused => {
                Some(format!("HTTP/1.1 429 Too Many\r\nretry-after: {rest}\r\ncontent-length: 0\r\n\r\n"))
            }
            Verdict::Broke => Some("HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n".to_owned()),
            Verdict::TakenInSilence => None,
        }
    }

    fn judge(&self, path: &str, id: &str) -> (Verdict, Duration, u32) {
        let temper = self.temper(path);
        let mut memory = self.memory.lock().unwrap();
        let requests = memory.requests_to.entry(path.to_owned()).or_default();
        *requests += 1;
        let is_fourth = requests.is_multiple_of(4);
        match temper {
            Temper::Dice => {
                let (verdict, delay) = self.throw();
                (verdict, delay, 1)
            }
            Temper::Kind | Temper::Offline => (Verdict::Taken, Duration::ZERO, 0),
            Temper::Slow(delay) => (Verdict::Taken, delay, 0),
            Temper::Holding => (Verdict::TakenInSilence, Duration::ZERO, 0),
            Temper::Resting(seconds) if is_fourth => (Verdict::Refused, Duration::ZERO, seconds),
            Temper::Breaking if memory.broken.insert(id.to_owned()) => (Verdict::Broke, Duration::ZERO, 0),
            Temper::Resting(_) | Temper::Breaking => (Verdict::Taken, Duration::ZERO, 0),
        }
    }

    fn throw(&self) -> (Verdict, Duration) {
        let mut dice = self.dice.lock().unwrap();
        let delay = if dice.u8(0..4) == 0 { Duration::from_millis(dice.u64(0..200)) } else { Duration::ZERO };
        let verdict = match dice.u8(0..40) {
            0 => Verdict::TakenInSilence,
            1 | 2 => Verdict::Refused,
            3 => Verdict::Broke,
            _ => Verdict::Taken,
        };
        (verdict, delay)
    }

    fn robot(&self, action: &str, body: &Value) -> String {
        let online = self.temper("/robot") != Temper::Offline;
        let data = match action {
            "get_status" => json!({"online": online, "good": online}),
            "get_login_info" => json!({"user_id": 10001, "nickname": "torture"}),
            _ => {
                let mut memory = self.memory.lock().unwrap();
                let (group, at) = (bare(&body["group_id"]), self.now());
                let verdict = if online { Verdict::Taken } else { Verdict::Refused };
                let path = "/robot".to_owned();
                let (id, instant, text) = (String::new(), None, String::new());
                let recorded_before = true;
                let (push_id, looked_at) = (0, at);
                let seen = Seen { path, id, push_id, instant, group, text, verdict, recorded_before, looked_at, at };
                memory.seen.push(seen);
                json!({"message_id": memory.seen.len()})
            }
        };
        let body = if online || action.starts_with("get_") {
            json!({"status": "ok", "retcode": 0, "data": data})
        } else {
            json!({"status": "failed", "retcode": 1404, "data": null, "wording": "offline"})
        };
        let body = body.to_string();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(Some(0), |length| length.parse::<usize>().ok())?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        path: head.split(' ').nth(1)?.to_owned(),
        webhook_id: header("webhook-id"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

/// How many attempts at a push are recorded. They need not be open: a daemon that was killed right after it sent, and
/// its successor, may both have been faster than we were with reading the request.
fn attempts_at(database: &Path, push_id: i64) -> u64 {
    // Not kept open: a reader of a file that is gone would keep its log alive for the next one of that name.
    let count = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        connection.query_row("SELECT count(*) FROM attempts WHERE push_id = ?1", [push_id], |row| row.get::<_, i64>(0))
    });
    count
        .inspect_err(|error| eprintln!("the attempts at push {push_id} cannot be read: {error}"))
        .map_or(0, i64::unsigned_abs)
}
