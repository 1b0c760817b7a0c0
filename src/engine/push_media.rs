//! Media of pushes under way: resolved right before each attempt. The pushes of one fire read a source once, and what
//! waits for a retry keeps nothing on the disk for longer than a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tracing::warn;

use crate::clock::SharedClock;
use crate::domain::{Body, Delivery, Locked, Media, Message, Outcome, Report};
use crate::media::{Blobs, Cache, Fire, Resolved, Resolver, Settings, SetupError, Wants, clear_leftovers};
use crate::senders::find;
use crate::store;

/// The bytes that media may take on the disk, all pushes together.
const ON_DISK: u64 = 256_000_000;

/// Resolves the media of deliveries and holds the files until their attempts are done.
pub struct PushMedia {
    clock: SharedClock,
    blobs: StoredBlobs,
    current: Mutex<Arc<LazyResolver>>,
    cache: Arc<Cache>,
    held: Mutex<HashMap<i64, Resolved>>,
    /// What the media of a push were when they were first read: an earlier attempt may have been seen.
    first: Mutex<HashMap<i64, Vec<String>>>,
}

/// One configuration's resolver, set up by the first push that needs it: a daemon that sends only text never makes
/// the temp directory.
struct LazyResolver {
    settings: Settings,
    resolver: OnceCell<Resolver>,
}

impl PushMedia {
    /// Also clears what a killed process left, on a thread of its own.
    pub fn new(settings: Settings, clock: SharedClock, blobs: Arc<dyn store::Blobs>) -> PushMedia {
        PushMedia::within(ON_DISK, settings, clock, blobs)
    }

    /// As [`PushMedia::new`], with room for `bytes` on the disk.
    pub fn within(bytes: u64, settings: Settings, clock: SharedClock, blobs: Arc<dyn store::Blobs>) -> PushMedia {
        let temp_dir = settings.temp_dir.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = clear_leftovers(&temp_dir) {
                warn!(directory = %temp_dir.display(), %error, "media of an earlier run cannot be removed");
            }
        });
        PushMedia {
            cache: Cache::new(bytes, clock.clone()),
            first: Mutex::default(),
            clock,
            blobs: StoredBlobs(blobs),
            current: Mutex::new(LazyResolver::of(settings)),
            held: Mutex::default(),
        }
    }

    /// From now on, media are read by these settings; what was read before stays.
    pub fn set(&self, settings: Settings) {
        *self.current.locked() = LazyResolver::of(settings);
    }

    /// The delivery with its media, or None where the message has none.
    ///
    /// # Errors
    /// The report of an attempt that ended here, before anything was sent.
    pub async fn with_media(&self, delivery: &Delivery, sender: &str) -> Result<Option<Delivery>, Report> {
        if delivery.message.body.media().is_empty() {
            return Ok(None);
        }
        let held = self.held.locked().get(&delivery.push_id).cloned();
        let resolved = match held {
            Some(resolved) => resolved,
            None => self.resolve(delivery, sender).await?,
        };
        Ok(Some(Delivery { media: resolved.files().to_vec(), ..delivery.clone() }))
    }

    /// What lies at an address and is no media: at most `cap` bytes, by the guard of media.
    ///
    /// # Errors
    /// In words, why it cannot be had.
    pub async fn fetched(&self, address: &str, wants: Wants<'_>, cap: u64) -> Result<Vec<u8>, String> {
        let lazy = self.current.locked().clone();
        let resolver = self.resolver(&lazy).await.map_err(|error| error.to_string())?;
        resolver.bytes(address, wants, cap).await.map_err(|problem| problem.to_string())
    }

    /// The bytes of one source that is no media: at most `cap` of them, by the same rules.
    ///
    /// # Errors
    /// In words, why they cannot be had.
    pub async fn bytes(&self, source: &str, cap: u64) -> Result<Vec<u8>, String> {
        let lazy = self.current.locked().clone();
        let resolver = self.resolver(&lazy).await.map_err(|error| error.to_string())?;
        let body = Body::File(Media { source: source.to_owned(), ..Media::default() });
        let resolved = resolver.resolve(&Message { title: None, body }, cap, &self.blobs).await;
        let resolved = resolved.map_err(|error| error.problem.to_string())?;
        let Some(path) = resolved.files().first().map(|file| file.path.clone()) else { return Ok(Vec::new()) };
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        // The file stays for as long as what was resolved.
        drop(resolved);
        match read {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn resolve(&self, delivery: &Delivery, sender: &str) -> Result<Resolved, Report> {
        let lazy = self.current.locked().clone();
        let resolver = self.resolver(&lazy).await;
        let resolver = resolver.map_err(|error| Report::failed(Outcome::Unreachable, error.to_string()))?;
        let cap = find(sender).map_or(u64::MAX, |registered| registered.spec.max_media_bytes);
        let fire = Fire { job: delivery.job.clone(), due_at: delivery.due_at };
        let resolved = resolver.resolve_for(Some(&fire), &delivery.message, cap, &self.blobs).await;
        let resolved = resolved.map_err(|error| error.report())?;
        self.compare(delivery, &resolved);
        self.held.locked().insert(delivery.push_id, resolved.clone());
        Ok(resolved)
    }

    async fn resolver<'a>(&self, lazy: &'a LazyResolver) -> Result<&'a Resolver, SetupError> {
        let set_up = || async {
            // It locks a directory and clears it, which waits for the disk and for other processes.
            let (settings, clock, cache) = (lazy.settings.clone(), self.clock.clone(), self.cache.clone());
            let made = tokio::task::spawn_blocking(move || Resolver::sharing(settings, clock, cache)).await;
            made.unwrap_or_else(|error| Err(SetupError::from(error)))
        };
        lazy.resolver.get_or_try_init(set_up).await
    }

    /// A repeat sends what the source holds now. Where that is not what an earlier attempt read, somebody may see both,
    /// and is told so.
    fn compare(&self, delivery: &Delivery, resolved: &Resolved) {
        let covers = resolved.files().iter().flat_map(|file| [Some(file), file.cover.as_deref()]).flatten();
        let now: Vec<String> = covers.map(|file| file.sha256.clone()).collect();
        let mut first = self.first.locked();
        let before = first.entry(delivery.push_id).or_insert_with(|| now.clone());
        if *before != now {
            let (push, attempt) = (delivery.push_id, delivery.attempt);
            let sent_parts = delivery.parts.iter().filter(|part| part.is_sent()).count();
            warn!(push, attempt, sent_parts, "the media changed since an earlier attempt; what is there now is sent");
            *before = now;
        }
    }

    /// The push waits for another attempt: others may have the room of its files.
    pub fn set_aside(&self, push_id: i64) {
        let held = self.held.locked().remove(&push_id);
        if held.is_some() {
            // Removing files waits for the disk, and this is called where every push passes.
            tokio::task::spawn_blocking(move || drop(held));
        }
    }

    /// The push is done: its files may go.
    pub fn release(&self, push_id: i64) {
        self.first.locked().remove(&push_id);
        self.set_aside(push_id);
    }

    /// The bytes that media have on the disk now, or may come to have while they are fetched.
    pub fn bytes_in_use(&self) -> u64 {
        self.cache.bytes_in_use()
    }
}

impl LazyResolver {
    fn of(settings: Settings) -> Arc<LazyResolver> {
        Arc::new(LazyResolver { settings, resolver: OnceCell::new() })
    }
}

struct StoredBlobs(Arc<dyn store::Blobs>);

#[async_trait]
impl Blobs for StoredBlobs {
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.blob(sha256).await.map_err(|error| error.to_string())
    }
}
