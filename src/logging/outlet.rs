//! Lines on their way out, and the thread of their own that writes them.
//!
//! Whoever reads standard error may stop: a terminal with Ctrl-S, a pager that was put aside, a journal that hangs. A
//! write then waits for as long as that lasts, so the daemon has its lines written by a thread that does nothing else.
//! What does not fit while that thread waits is dropped and counted, and the count is told as soon as there is somebody
//! who reads again.
//!
//! Written here rather than taken from `tracing-appender`, whose lossy writer has no bound in bytes, tells nobody what
//! it dropped, and at the end, with a full queue, prints to standard output, which may be as stuck.

use crate::domain::Locked;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who writes the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Whoever has something to say, before going on: what a verb prints comes after what it logged.
    Own,
    /// A thread that does nothing else.
    Thread,
}

/// Some thousands of lines: minutes of a busy daemon.
const ROOM: usize = 1 << 20;

/// What there is to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// An event in the form of the sink.
    Line(Vec<u8>),
    /// A text for people, who read standard error whatever the form of the events is.
    Plain(String),
}

impl Output {
    fn len(&self) -> usize {
        match self {
            Output::Line(line) => line.len(),
            Output::Plain(text) => text.len(),
        }
    }
}

/// How dropped lines are told.
type Tell = Box<dyn Fn(u64) -> Output + Send + Sync>;

/// The queue. Clones are the same.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: AtomicU64,
    room: usize,
    tell: Tell,
}

#[derive(Default)]
struct Waiting {
    outputs: VecDeque<Output>,
    bytes: usize,
    /// The thread has something in hand.
    writing: bool,
    /// Dropped, and not told yet.
    untold: u64,
}

impl Outlet {
    /// Starts the thread, which calls `write` for one output after the other.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        tell: impl Fn(u64) -> Output + Send + Sync + 'static,
        write: impl FnMut(&Output) + Send + 'static,
    ) -> std::io::Result<Outlet> {
        Outlet::with_room(ROOM, tell, write)
    }

    fn with_room(
        room: usize,
        tell: impl Fn(u64) -> Output + Send + Sync + 'static,
        mut write: impl FnMut(&Output) + Send + 'static,
    ) -> std::io::Result<Outlet> {
        let outlet = Outlet(Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            lost: AtomicU64::new(0),
            room,
            tell: Box::new(tell),
        }));
        let ours = outlet.clone();
        let work = move || {
            loop {
                write(&ours.0.next());
            }
        };
        std::thread::Builder::new().name("log-write".to_owned()).spawn(work)?;
        Ok(outlet)
    }

    /// Has it written in its turn. Waits for nobody.
    pub(super) fn put(&self, output: Output) {
        let shared = &*self.0;
        let mut waiting = shared.lock();
        // Once something was dropped there must be real room again, or every second line would tell of the one before.
        let room = if waiting.untold > 0 { shared.room / 2 } else { shared.room };
        if waiting.bytes + output.len() > room {
            waiting.untold += 1;
            shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Some(told) = shared.take_untold(&mut waiting) {
            waiting.add(told);
        }
        waiting.add(output);
        shared.changed.notify_all();
    }

    /// Waits until all is written, or until `limit` has passed.
    pub(super) fn flush(&self, limit: Duration) {
        let waiting = self.0.lock();
        let is_busy = |waiting: &mut Waiting| waiting.writing || !waiting.outputs.is_empty() || waiting.untold > 0;
        // What did not get out by now is lost with the process.
        drop(self.0.changed.wait_timeout_while(waiting, limit, is_busy));
    }

    /// Lines dropped since the start.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.locked()
    }

    fn take_untold(&self, waiting: &mut Waiting) -> Option<Output> {
        match std::mem::take(&mut waiting.untold) {
            0 => None,
            lost => Some((self.tell)(lost)),
        }
    }

    /// What is to be written next; waits for it.
    fn next(&self) -> Output {
        let mut waiting = self.lock();
        loop {
            let next = waiting.take().or_else(|| self.take_untold(&mut waiting));
            waiting.writing = next.is_some();
            // Also those who wait until all is written.
            self.changed.notify_all();
            match next {
                Some(next) => return next,
                None => waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, output: Output) {
        self.bytes += output.len();
        self.outputs.push_back(output);
    }

    fn take(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        self.bytes -= output.len();
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn line(text: &str) -> Output {
        Output::Plain(text.to_owned())
    }

    /// An outlet with room for ten lines of ten bytes, and the reader of a pipe that holds none.
    fn stuck() -> (Outlet, mpsc::Receiver<Output>) {
        let (pipe, reader) = mpsc::sync_channel(0);
        let write = move |output: &Output| drop(pipe.send(output.clone()));
        (Outlet::with_room(100, |lost| line(&format!("{lost} lost")), write).unwrap(), reader)
    }

    /// Puts one line, which the thread takes in hand, and fills the room behind it.
    fn fill(outlet: &Outlet) {
        outlet.put(line("line 0 ..."));
        while outlet.0.lock().bytes > 0 {
            std::thread::yield_now();
        }
        (1..=10).for_each(|n| outlet.put(line(&format!("line {n:<2}..."))));
    }

    #[test]
    fn what_fits_is_written_in_its_order() {
        let (outlet, reader) = stuck();
        fill(&outlet);
        let read: Vec<Output> = reader.iter().take(11).collect();
        let expected: Vec<Output> =
            std::iter::once(line("line 0 ...")).chain((1..=10).map(|n| line(&format!("line {n:<2}...")))).collect();
        assert_eq!(read, expected);
        assert_eq!(outlet.lost(), 0);
    }

    #[test]
    fn what_does_not_fit_while_nobody_reads_is_counted_and_told_when_somebody_does() {
        let (outlet, reader) = stuck();
        fill(&outlet);
        (0..7).for_each(|_| outlet.put(line("too much..")));
        assert_eq!(outlet.lost(), 7);
        let read: Vec<Output> = reader.iter().take(12).collect();
        assert_eq!(read[10], line("line 10..."));
        assert_eq!(read[11], line("7 lost"), "told although nothing more is said");
        outlet.put(line("after it.."));
        assert_eq!(reader.recv().unwrap(), line("after it.."));
    }

    #[test]
    fn a_slow_reader_is_told_where_the_gap_is_and_not_at_every_line() {
        let (outlet, reader) = stuck();
        fill(&outlet);
        outlet.put(line("too much.."));
        // Two lines of room are not enough to go on with.
        let mut read: Vec<Output> = reader.iter().take(3).collect();
        outlet.put(line("too much.."));
        assert_eq!(outlet.lost(), 2);
        read.extend(reader.iter().take(4));
        while outlet.0.lock().bytes > 30 {
            std::thread::yield_now();
        }
        outlet.put(line("goes on..."));
        read.extend(reader.iter().take(6));
        assert_eq!(read[10..], [line("line 10..."), line("2 lost"), line("goes on...")]);
    }

    #[test]
    fn an_end_waits_for_what_is_written_and_not_for_a_reader_who_does_not_come() {
        let (outlet, reader) = stuck();
        fill(&outlet);
        outlet.flush(Duration::from_millis(20));
        let reading = std::thread::spawn(move || reader.iter().take(11).count());
        outlet.flush(Duration::from_secs(60));
        assert!(!outlet.0.lock().writing && outlet.0.lock().outputs.is_empty());
        assert_eq!(reading.join().unwrap(), 11);
    }
}
