//! `daemon.reload: watch`: notices that a file of the configuration is another one, and says so once it is whole.
//!
//! What the kernel tells (inotify) only wakes this task; the files themselves say whether they differ from what was read.
//! Where it tells nothing, as of a network file system, they are looked at now and then.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::DaemonError;
use crate::clock::SharedClock;
use crate::config::{Config, ReloadOn, Seen};

/// Files are taken once nothing happened to them for so long: who saves one often saves another with it.
const SETTLE: Duration = Duration::from_millis(500);
/// Who opened a file to write to it and writes nothing for so long is not waited for any more.
const LONGEST_WRITE: Duration = Duration::from_secs(60);
/// How often the files are looked at although nobody told anything.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// At most one look in this time, whatever is told.
const BREATHE: Duration = Duration::from_millis(100);
/// How often new directories are gone through that are made meanwhile, before one look waits for the next.
const DEEPEST: usize = 64;

const HAPPENINGS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// The files as they were read last, and whether they are watched.
#[derive(Clone)]
struct Read {
    seen: Seen,
    on: ReloadOn,
}

/// Tells of changes until it is dropped.
pub(super) struct Watcher {
    read: watch::Sender<Read>,
    changed: mpsc::Receiver<()>,
    task: JoinHandle<()>,
}

impl Watcher {
    pub(super) fn start(config: &Config, clock: &SharedClock) -> Watcher {
        let (read, files) = watch::channel(Read { seen: config.seen.clone(), on: config.daemon.reload });
        let (tell, changed) = mpsc::channel(1);
        let task = tokio::spawn(follow(files, tell, clock.clone()));
        Watcher { read, changed, task }
    }

    /// What a reload found, also where it is refused: it is not read again until it changes.
    pub(super) fn read(&self, loaded: &Result<Config, DaemonError>) {
        let seen = match loaded {
            Ok(config) => &config.seen,
            Err(DaemonError::Config(errors)) => &errors.seen,
            Err(_) => return,
        };
        self.read.send_modify(|read| read.seen = seen.clone());
    }

    pub(super) fn set(&self, on: ReloadOn) {
        self.read.send_if_modified(|read| std::mem::replace(&mut read.on, on) != on);
    }

    /// Comes back when the files differ from what was read last.
    pub(super) async fn changed(&mut self) {
        if self.changed.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(mut files: watch::Receiver<Read>, tell: mpsc::Sender<()>, clock: SharedClock) {
    loop {
        let Read { seen, on } = files.borrow_and_update().clone();
        if on == ReloadOn::Watch {
            let mut events = FileEvents::new();
            tokio::select! {
                biased;
                news = files.changed() => match news {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                () = until_changed(&seen, &mut events, &clock) => {
                    info!("files of the configuration changed: reading them again");
                    if tell.send(()).await.is_err() {
                        return;
                    }
                }
            }
        }
        // What the reload finds comes here.
        if files.changed().await.is_err() {
            return;
        }
    }
}

async fn until_changed(seen: &Seen, events: &mut FileEvents, clock: &SharedClock) {
    loop {
        // Before the look, so that whatever it comes too early for is told.
        events.watch_all(seen).await;
        let (mut last, mut since) = (look(seen).await, clock.monotonic());
        while last != *seen {
            clock.sleep(SETTLE).await;
            events.drain();
            events.watch_all(seen).await;
            let now = look(seen).await;
            match judge(now == last, events.somebody_writes(), clock.monotonic() - since) {
                Verdict::Whole => return,
                Verdict::Moves => (last, since) = (now, clock.monotonic()),
                Verdict::HalfWritten => events.tell_of_writer(),
            }
        }
        tokio::select! {
            () = events.changed() => {}
            () = clock.sleep(LOOK_EVERY) => {}
        }
        clock.sleep(BREATHE).await;
    }
}

async fn look(seen: &Seen) -> Seen {
    ask(seen, Seen::now).await
}

async fn ask<T: Default + Send + 'static>(seen: &Seen, question: impl FnOnce(&Seen) -> T + Send + 'static) -> T {
    let seen = seen.clone();
    // The task breaks off only where the runtime shuts down.
    tokio::task::spawn_blocking(move || question(&seen)).await.unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Whole,
    Moves,
    HalfWritten,
}

/// Whether files that differ from what was read may be taken, of which nothing changed for that long.
fn judge(is_still: bool, somebody_writes: bool, still_for: Duration) -> Verdict {
    match (is_still, somebody_writes) {
        (false, _) => Verdict::Moves,
        (true, true) if still_for < LONGEST_WRITE => Verdict::HalfWritten,
        (true, _) => Verdict::Whole,
    }
}

/// What the kernel tells of the directories.
struct FileEvents {
    /// None where the system has none to give.
    events: Option<AsyncFd<OwnedFd>>,
    names: Names,
    writers: Writers,
    told_of_writer: bool,
}

/// The names that count in watched directories, by the number of the watch.
#[derive(Default)]
struct Names {
    single: HashSet<(i32, OsString)>,
    /// In these every name may come to count.
    all: HashSet<i32>,
}

/// Files that were written to and not closed since.
#[derive(Default)]
struct Writers(HashSet<(i32, OsString)>);

impl FileEvents {
    fn new() -> FileEvents {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(std::io::Error::from);
        // SAFETY: the descriptor is open, owned by what is registered, and closed with it alone.
        let events = events.and_then(|fd| Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE)? }));
        let events = events.map_err(warn_of_no_events).ok();
        FileEvents { events, names: Names::default(), writers: Writers::default(), told_of_writer: false }
    }

    /// Watches all that leads to the files as it is now: directories come and go. What was made in a new one before it was
    /// watched makes no event, so that it is gone through until nothing new is found.
    async fn watch_all(&mut self, seen: &Seen) {
        for _ in 0..DEEPEST {
            if self.events.is_none() {
                return;
            }
            let (places, directories) = ask(seen, |seen| (seen.places(), seen.directories())).await;
            match self.watch(places, directories) {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => {
                    warn_of_no_events(error);
                    self.events = None;
                }
            }
        }
    }

    /// Returns whether any of them was not watched so far.
    fn watch(
        &mut self,
        places: BTreeSet<(PathBuf, OsString)>,
        directories: BTreeSet<PathBuf>,
    ) -> std::io::Result<bool> {
        let Some(events) = &self.events else { return Ok(false) };
        let (names, mut watches, mut is_new) = (&mut self.names, HashMap::new(), false);
        for (directory, name) in places {
            if let Some(watch) = add(events.get_ref(), &directory, &mut watches)? {
                is_new |= names.single.insert((watch, name));
            }
        }
        for directory in directories {
            let Some(watch) = add(events.get_ref(), &directory, &mut watches)? else { continue };
            if names.all.insert(watch) {
                debug!(directory = %directory.display(), "a directory of the configuration is watched");
                is_new = true;
            }
        }
        Ok(is_new)
    }

    /// Comes back when something happened that may concern the files.
    async fn changed(&mut self) {
        loop {
            let Some(events) = &self.events else { return std::future::pending().await };
            let Ok(mut ready) = events.readable().await else { return std::future::pending().await };
            ready.clear_ready();
            drop(ready);
            if self.drain() {
                return;
            }
        }
    }

    /// Takes in what happened since. Returns whether it may concern the files.
    fn drain(&mut self) -> bool {
        let Some(events) = &self.events else { return false };
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(events.get_ref(), &mut buffer);
        let mut concerns = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    concerns |= self.writers.take_in(event.wd(), event.events(), name, &self.names);
                }
                Err(Errno::INTR) => {}
                Err(_) => return concerns,
            }
        }
    }

    fn somebody_writes(&self) -> bool {
        !self.writers.0.is_empty()
    }

    fn tell_of_writer(&mut self) {
        if !std::mem::replace(&mut self.told_of_writer, true) {
            debug!("a file of the configuration is being written: waiting for its end");
        }
    }
}

fn warn_of_no_events(error: std::io::Error) {
    warn!(%error, every_s = LOOK_EVERY.as_secs(), "files are looked at instead of watched");
}

/// The watch on a directory; None where there is none that can be looked into, which the looks now and then make up for.
fn add(fd: &OwnedFd, directory: &Path, watches: &mut HashMap<PathBuf, i32>) -> std::io::Result<Option<i32>> {
    if let Some(watch) = watches.get(directory) {
        return Ok(Some(*watch));
    }
    match inotify::add_watch(fd, directory, HAPPENINGS) {
        Ok(watch) => {
            watches.insert(directory.to_owned(), watch);
            Ok(Some(watch))
        }
        // The user has as many watches as the system allows.
        Err(error @ (Errno::NOSPC | Errno::NOMEM)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

impl Names {
    fn count(&self, watch: i32, name: &OsStr) -> bool {
        self.all.contains(&watch) || self.single.contains(&(watch, name.to_owned()))
    }

    /// Whether half of this one could be taken for the whole.
    fn are_read(&self, watch: i32, name: &OsStr) -> bool {
        let is_yaml = || matches!(Path::new(name).extension().and_then(OsStr::to_str), Some("yaml" | "yml"));
        self.single.contains(&(watch, name.to_owned())) || (self.all.contains(&watch) && is_yaml())
    }
}

impl Writers {
    /// Returns whether what happened may concern the files.
    fn take_in(&mut self, watch: i32, what: ReadFlags, name: Option<&OsStr>, names: &Names) -> bool {
        let Some(name) = name else {
            // Of the directory itself, or so much happened that not all was told.
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.0.clear();
            }
            return true;
        };
        let file = (watch, name.to_owned());
        if what.contains(ReadFlags::MODIFY) && names.are_read(watch, name) {
            self.0.insert(file);
        } else if what.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_FROM | ReadFlags::DELETE) {
            self.0.remove(&file);
        }
        names.count(watch, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_once_they_are_still_and_nobody_is_in_the_middle_of_writing() {
        let (short, long) = (SETTLE, LONGEST_WRITE);
        for (is_still, writes, still_for, verdict) in [
            (true, false, short, Verdict::Whole),
            (false, false, short, Verdict::Moves),
            (false, true, long, Verdict::Moves),
            (true, true, short, Verdict::HalfWritten),
            // An editor may keep it open for ever.
            (true, true, long, Verdict::Whole),
        ] {
            assert_eq!(judge(is_still, writes, still_for), verdict, "{is_still} {writes} {still_for:?}");
        }
    }

    #[test]
    fn who_writes_to_a_file_of_ours_is_waited_for_until_it_is_closed_moved_or_gone() {
        let names = Names { single: HashSet::from([(1, "a".into()), (1, "b.yaml".into())]), all: HashSet::from([2]) };
        for (watch, name, counts, waits) in [
            (1, "a", true, true),
            (1, "other", false, false),
            (2, "new.yaml", true, true),
            (2, "pushcron.db-wal", true, false),
        ] {
            for end in [ReadFlags::CLOSE_WRITE, ReadFlags::MOVED_FROM, ReadFlags::DELETE] {
                let mut writers = Writers::default();
                let name = Some(OsStr::new(name));
                assert_eq!(writers.take_in(watch, ReadFlags::MODIFY, name, &names), counts, "{name:?}");
                assert_eq!(!writers.0.is_empty(), waits, "{name:?}");
                writers.take_in(watch, end, name, &names);
                assert!(writers.0.is_empty(), "{name:?}");
            }
        }
    }

    #[test]
    fn where_not_all_was_told_nobody_is_waited_for() {
        let names = Names { single: HashSet::from([(1, "a".into())]), ..Names::default() };
        let mut writers = Writers::default();
        writers.take_in(1, ReadFlags::MODIFY, Some(OsStr::new("a")), &names);
        assert!(writers.take_in(-1, ReadFlags::QUEUE_OVERFLOW, None, &names));
        assert!(writers.0.is_empty());
    }
}
