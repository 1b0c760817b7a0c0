//! A receiver that answers every POST with 200 and remembers when it came.

use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::sync::{Arc, Condvar, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::now_ms;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Requests whose body holds this are taken and never answered.
pub(crate) const DEAD: &str = "\"group\":\"dead\"";

#[derive(Default)]
struct Book {
    arrivals: Vec<Arrival>,
    ids: HashSet<Vec<u8>>,
    doubles: u64,
}

/// When a request came, and the instant that its body names (`"timestamp":"…"`), as text.
struct Arrival {
    at: f64,
    due: [u8; 24],
}

/// Prints its port, then answers questions on standard input: `wait N` returns at the Nth arrival (or after 30 s
/// without any), `report DUE_MS` prints `count doubles first last p50 p99`, in ms after the due instant, and `lateness
/// FROM_MS UNTIL_MS` prints `count doubles min max p50 p99`, in ms after the instants that the bodies name, of those
/// that lie in that span. `first FROM_MS` prints how long after an instant the next request came.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let book = Arc::new((Mutex::new(Book::default()), Condvar::new()));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let accepting = book.clone();
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(stream, accepting.clone()));
        }
    });
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("wait", count)) => wait(&book, count.parse().unwrap()),
            Some(("report", due)) => println!("{}", report(&book, due.parse().unwrap())),
            Some(("first", from)) => println!("{}", first(&book, from.parse().unwrap())),
            Some(("lateness", span)) => println!("{}", lateness(&book, span)),
            _ => return,
        }
        std::io::stdout().flush().unwrap();
    }
}

fn wait(book: &(Mutex<Book>, Condvar), count: usize) {
    let (book, arrived) = book;
    let mut guard = book.lock().unwrap();
    let mut quiet = 0;
    let mut before = guard.arrivals.len();
    while guard.arrivals.len() < count && quiet < 30 {
        (guard, _) = arrived.wait_timeout(guard, std::time::Duration::from_secs(1)).unwrap();
        quiet = if guard.arrivals.len() == before { quiet + 1 } else { 0 };
        before = guard.arrivals.len();
    }
    println!("{}", guard.arrivals.len());
}

fn report(book: &(Mutex<Book>, Condvar), due: f64) -> String {
    let book = book.0.lock().unwrap();
    figures(&book, book.arrivals.iter().map(|arrival| arrival.at - due).collect())
}

fn lateness(book: &(Mutex<Book>, Condvar), span: &str) -> String {
    let (from, until) = span.split_once(' ').unwrap();
    let span: std::ops::Range<f64> = from.parse().unwrap()..until.parse().unwrap();
    let book = book.0.lock().unwrap();
    let late = |arrival: &Arrival| {
        let due: jiff::Timestamp = std::str::from_utf8(&arrival.due).ok()?.parse().ok()?;
        let due = due.as_millisecond() as f64;
        span.contains(&due).then_some(arrival.at - due)
    };
    figures(&book, book.arrivals.iter().filter_map(late).collect())
}

/// How long after an instant the next request came.
fn first(book: &(Mutex<Book>, Condvar), from: f64) -> f64 {
    let book = book.0.lock().unwrap();
    book.arrivals.iter().map(|arrival| arrival.at - from).filter(|after| *after >= 0.0).fold(f64::NAN, f64::min)
}

fn figures(book: &Book, mut late: Vec<f64>) -> String {
    late.sort_by(f64::total_cmp);
    let at = |share: f64| late.get(((late.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN);
    format!("{} {} {:.2} {:.2} {:.2} {:.2}", late.len(), book.doubles, at(0.0), at(1.0), at(0.5), at(0.99))
}

async fn answer(mut stream: TcpStream, book: Arc<(Mutex<Book>, Condvar)>) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let length: usize = header(&buffer[..head], b"content-length")
            .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok())
            .unwrap_or(0);
        while buffer.len() < head + 4 + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = &buffer[head + 4..head + 4 + length];
        if body.windows(DEAD.len()).any(|window| window == DEAD.as_bytes()) {
            return std::future::pending().await;
        }
        note(&book, header(&buffer[..head], b"webhook-id").unwrap_or_default(), body);
        buffer.drain(..head + 4 + length);
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

fn note(book: &(Mutex<Book>, Condvar), id: &[u8], body: &[u8]) {
    const KEY: &[u8] = b"\"timestamp\":\"";
    let at = now_ms();
    let start = body.windows(KEY.len()).position(|window| window == KEY).map_or(body.len(), |at| at + KEY.len());
    let due = body[start..].first_chunk().copied().unwrap_or([0; 24]);
    let (book, arrived) = book;
    let mut book = book.lock().unwrap();
    book.arrivals.push(Arrival { at, due });
    if !book.ids.insert(id.to_vec()) {
        book.doubles += 1;
    }
    if book.arrivals.len().is_multiple_of(1000) {
        arrived.notify_all();
    }
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].eq_ignore_ascii_case(name).then(|| line[colon + 1..].trim_ascii())
    })
}
