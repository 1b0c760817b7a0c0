//! The copies that several pushes share, and the room that all copies have on the disk.
//!
//! A copy that no attempt is using is kept for a minute, since other pushes of the same fire and the next attempt of
//! this one follow soon; after that, or when the room is needed, it goes and is fetched again. So what lies on the disk
//! depends on what is under way, and not on how much waits for a retry.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tempfile::TempPath;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Problem;
use super::naming::Hints;
use super::spool::{Content, WorkDir};
use crate::clock::SharedClock;
use crate::domain::{Locked, Moment, UtcMs};

/// A copy that nobody uses is kept for so long.
const IDLE: Duration = Duration::from_secs(60);
/// The room is counted in blocks of this many bytes, as disks do.
const BLOCK: u64 = 4096;

/// The firing that pushes belong to. They read a source once; another firing reads it anew, since it may have changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fire {
    pub job: Option<String>,
    pub due_at: UtcMs,
}

/// What is the same copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Of which settings: what one configuration allows, another may refuse.
    pub resolver: u64,
    /// None for inline content, which is what it is whoever sends it.
    pub fire: Option<Fire>,
    pub source: String,
    pub cap: u64,
}

/// A finished copy and what its source told.
pub(super) struct Copy {
    // In this order: the file goes before its directory, and its room is free after both.
    pub path: TempPath,
    _dir: Arc<WorkDir>,
    pub len: u64,
    pub sha256: String,
    pub head: Vec<u8>,
    /// Name and type as the source told them.
    pub told: Hints,
    _room: Option<OwnedSemaphorePermit>,
}

impl Copy {
    /// Takes over as much of `room` as the content needs.
    pub(super) fn new(
        content: Content,
        told: Hints,
        dir: Arc<WorkDir>,
        room: &mut Option<OwnedSemaphorePermit>,
    ) -> Copy {
        let needed = blocks(content.len);
        let room = room.as_mut().and_then(|room| room.split(needed.min(room.num_permits())));
        let Content { path, len, sha256, head } = content;
        Copy { path, _dir: dir, len, sha256, head, told, _room: room }
    }
}

fn blocks(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(BLOCK)).unwrap_or(usize::MAX).max(1)
}

#[derive(Default)]
struct Gate {
    /// Held by the one who fetches.
    last_failure: tokio::sync::Mutex<Option<Problem>>,
    failures: AtomicU64,
}

struct Entry {
    gate: Arc<Gate>,
    ready: Option<Arc<Copy>>,
    used_at: Moment,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.ready.as_ref().is_some_and(|copy| Arc::strong_count(copy) == 1)
    }
}

/// The shared copies of all resolvers, and the room for every copy.
pub struct Cache {
    clock: SharedClock,
    entries: Mutex<HashMap<Key, Entry>>,
    room: Arc<Semaphore>,
    blocks: usize,
    /// How many wait for room: while somebody does, no copy is kept for later.
    waiting: AtomicUsize,
    sweeping: AtomicBool,
    resolvers: AtomicU64,
}

impl Cache {
    /// Room for `bytes` on the disk. A message that needs more than all of it is let through alone.
    pub fn new(bytes: u64, clock: SharedClock) -> Arc<Cache> {
        // What a request for room may be counted in is smaller than what a semaphore holds.
        let blocks = blocks(bytes).min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Arc::new(Cache {
            clock,
            entries: Mutex::default(),
            room: Arc::new(Semaphore::new(blocks)),
            blocks,
            waiting: AtomicUsize::new(0),
            sweeping: AtomicBool::new(false),
            resolvers: AtomicU64::new(0),
        })
    }

    pub(super) fn next_resolver(&self) -> u64 {
        self.resolvers.fetch_add(1, Ordering::Relaxed)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.locked()
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.entries().get(key).is_some_and(|entry| entry.ready.is_some())
    }

    /// Waits until so many contents of up to `cap` bytes have room; copies that nobody uses give way.
    pub(super) async fn reserve(&self, contents: usize, cap: u64) -> Option<OwnedSemaphorePermit> {
        let wanted = blocks(cap).saturating_mul(contents).min(self.blocks);
        if wanted == 0 {
            return None;
        }
        let _waits = Waits::begin(&self.waiting);
        while self.room.available_permits() < wanted {
            let Some(oldest) = self.take_oldest() else { break };
            // Removing a file waits for the disk.
            let _ = tokio::task::spawn_blocking(move || drop(oldest)).await;
        }
        self.room.clone().acquire_many_owned(u32::try_from(wanted).unwrap_or(u32::MAX)).await.ok()
    }

    fn take_oldest(&self) -> Option<Arc<Copy>> {
        let mut entries = self.entries();
        let idle = entries.values_mut().filter(|entry| entry.is_idle());
        idle.min_by_key(|entry| entry.used_at)?.ready.take()
    }

    /// The copy of this key, made by `fetch` where there is none. Whoever asks meanwhile waits for the same fetch and
    /// shares also its failure; a failure is not remembered beyond that. Who gives up waiting stops nobody else.
    pub(super) async fn get(
        self: &Arc<Self>,
        key: Key,
        fetch: impl Future<Output = Result<Copy, Problem>>,
    ) -> Result<Pin, Problem> {
        let gate = {
            let mut entries = self.entries();
            let now = self.clock.boottime();
            let entry =
                entries.entry(key.clone()).or_insert_with(|| Entry { gate: Arc::default(), ready: None, used_at: now });
            if let Some(copy) = &entry.ready {
                return Ok(self.pin(key, copy.clone()));
            }
            entry.gate.clone()
        };
        let failures = gate.failures.load(Ordering::SeqCst);
        let mut last_failure = gate.last_failure.lock().await;
        if let Some(copy) = self.entries().get(&key).and_then(|entry| entry.ready.clone()) {
            return Ok(self.pin(key, copy));
        }
        if gate.failures.load(Ordering::SeqCst) != failures
            && let Some(problem) = &*last_failure
        {
            return Err(problem.clone());
        }
        match fetch.await {
            Ok(copy) => {
                let (copy, now) = (Arc::new(copy), self.clock.boottime());
                let entry = Entry { gate: gate.clone(), ready: Some(copy.clone()), used_at: now };
                self.entries().insert(key.clone(), entry);
                Ok(self.pin(key, copy))
            }
            Err(problem) => {
                gate.failures.fetch_add(1, Ordering::SeqCst);
                *last_failure = Some(problem.clone());
                // Who waits already has the gate; who comes from now on tries anew.
                self.entries().remove(&key);
                Err(problem)
            }
        }
    }

    fn pin(self: &Arc<Self>, key: Key, copy: Arc<Copy>) -> Pin {
        Pin { shared: Some((Arc::downgrade(self), key)), copy: Some(copy) }
    }

    fn unpinned(self: &Arc<Self>, key: &Key) {
        let mut gone = None;
        {
            let mut entries = self.entries();
            let Some(entry) = entries.get_mut(key).filter(|entry| entry.is_idle()) else { return };
            entry.used_at = self.clock.boottime();
            if self.waiting.load(Ordering::SeqCst) > 0 {
                gone = entry.ready.take();
            }
        }
        drop(gone);
        self.sweep_later();
    }

    /// Removes what nobody has used for a minute. Returns whether something is left to look after.
    fn sweep(&self) -> bool {
        let now = self.clock.boottime();
        let mut entries = self.entries();
        let old = |entry: &Entry| now.0.saturating_sub(entry.used_at.0) >= IDLE;
        let old: Vec<Option<Arc<Copy>>> = entries
            .values_mut()
            .filter(|entry| entry.is_idle() && old(entry))
            .map(|entry| entry.ready.take())
            .collect();
        entries.retain(|_, entry| entry.ready.is_some() || Arc::strong_count(&entry.gate) > 1);
        let left = !entries.is_empty();
        drop(entries);
        drop(old);
        left
    }

    fn sweep_later(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.sweeping.swap(true, Ordering::SeqCst) {
            return;
        }
        let (cache, clock) = (Arc::downgrade(self), self.clock.clone());
        runtime.spawn(async move {
            loop {
                clock.sleep(IDLE).await;
                let Some(cache) = cache.upgrade() else { return };
                let swept = cache.clone();
                if !tokio::task::spawn_blocking(move || swept.sweep()).await.unwrap_or(false) {
                    return cache.sweeping.store(false, Ordering::SeqCst);
                }
            }
        });
    }

    /// The bytes that copies have on the disk, or may come to have, in whole blocks.
    pub fn bytes_in_use(&self) -> u64 {
        (self.blocks - self.room.available_permits().min(self.blocks)) as u64 * BLOCK
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(count: &'a AtomicUsize) -> Waits<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Waits(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A copy in use. It stays at least as long as this.
pub(super) struct Pin {
    shared: Option<(Weak<Cache>, Key)>,
    copy: Option<Arc<Copy>>,
}

impl Pin {
    /// One that nobody shares.
    pub(super) fn alone(copy: Copy) -> Pin {
        Pin { shared: None, copy: Some(Arc::new(copy)) }
    }

    pub(super) fn copy(&self) -> Option<&Copy> {
        self.copy.as_deref()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.copy = None;
        if let Some((cache, key)) = &self.shared
            && let Some(cache) = cache.upgrade()
        {
            cache.unpinned(key);
        }
    }
}
