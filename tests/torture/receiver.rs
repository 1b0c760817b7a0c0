//! A receiver that loses answers, delays them, refuses and breaks off, by dice, and remembers everything. When a
//! request arrives it looks into the database whether the attempt's row is there, as it must be.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Took the message and said so.
    Taken,
    /// Took the message; the answer never left.
    TakenInSilence,
    /// Refused it: come back later.
    Refused,
    /// Broke down; whether it took the message, nobody knows.
    Broke,
}

/// A request as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    pub push_id: i64,
    pub verdict: Verdict,
    /// Whether the database held as many attempts at this push as requests had come, this one included.
    pub recorded_before: bool,
}

/// Kills the daemon at one of its requests.
#[derive(Clone, Copy, Debug)]
pub struct Trap {
    countdown: u32,
    before_answer: bool,
}

impl Trap {
    pub fn before_answer(nth: u32) -> Trap {
        Trap { countdown: nth, before_answer: true }
    }

    pub fn after_answer(nth: u32) -> Trap {
        Trap { countdown: nth, before_answer: false }
    }
}

pub struct Receiver {
    port: u16,
    database: PathBuf,
    seen: Mutex<Vec<Seen>>,
    trap: Mutex<Option<(Trap, u32)>>,
    dice: Mutex<Option<fastrand::Rng>>,
}

impl Receiver {
    pub async fn start(database: PathBuf, seed: u64) -> Arc<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Arc::new(Receiver {
            port: listener.local_addr().unwrap().port(),
            database,
            seen: Mutex::default(),
            trap: Mutex::default(),
            dice: Mutex::new(Some(fastrand::Rng::with_seed(seed))),
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

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// From now on every message is taken and answered.
    pub fn be_kind(&self) {
        *self.dice.lock().unwrap() = None;
    }

    pub fn arm(&self, trap: Trap, pid: u32) {
        *self.trap.lock().unwrap() = Some((trap, pid));
    }

    pub fn disarm(&self) {
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

    async fn serve(self: Arc<Receiver>, mut stream: TcpStream) {
        let mut connection = None;
        while let Some(push_id) = read_request(&mut stream).await {
            if connection.is_none() {
                connection = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
            }
            let attempts = connection.as_ref().map_or(0, |connection| attempts_at(connection, push_id));
            let (verdict, delay) = self.throw();
            {
                let mut seen = self.seen.lock().unwrap();
                let requests = 1 + seen.iter().filter(|seen| seen.push_id == push_id).count() as u64;
                seen.push(Seen { push_id, verdict, recorded_before: attempts >= requests });
            }
            self.spring(true);
            let _ = tokio::time::timeout(delay, std::future::pending::<()>()).await;
            let answer: &[u8] = match verdict {
                Verdict::Taken => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
                Verdict::Refused => b"HTTP/1.1 429 Too Many\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
                Verdict::Broke => b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n",
                Verdict::TakenInSilence => return,
            };
            if stream.write_all(answer).await.is_err() {
                return;
            }
            self.spring(false);
        }
    }

    fn throw(&self) -> (Verdict, Duration) {
        let mut dice = self.dice.lock().unwrap();
        let Some(dice) = dice.as_mut() else { return (Verdict::Taken, Duration::ZERO) };
        let delay = if dice.u8(0..4) == 0 { Duration::from_millis(dice.u64(0..200)) } else { Duration::ZERO };
        let verdict = match dice.u8(0..40) {
            0 => Verdict::TakenInSilence,
            1 | 2 => Verdict::Refused,
            3 => Verdict::Broke,
            _ => Verdict::Taken,
        };
        (verdict, delay)
    }
}

/// Reads one request; the push it belongs to stands in the webhook id, which ends in `-PUSH`.
async fn read_request(stream: &mut TcpStream) -> Option<i64> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let header = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    };
    let length: usize = header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    header("webhook-id")?.rsplit('-').next()?.parse().ok()
}

/// How many attempts at a push are recorded. They need not be open: a daemon that was killed right after it sent, and
/// its successor, may both have been faster than we were with reading the request.
fn attempts_at(connection: &Connection, push_id: i64) -> u64 {
    let count = connection
        .query_row("SELECT count(*) FROM attempts WHERE push_id = ?1", [push_id], |row| row.get::<_, i64>(0))
        .inspect_err(|error| eprintln!("the attempts at push {push_id} cannot be read: {error}"));
    count.map_or(0, i64::unsigned_abs)
}
