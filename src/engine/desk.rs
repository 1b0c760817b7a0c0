//! Media of pushes under way: resolved right before the first attempt, kept for the attempts that follow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tracing::warn;

use crate::clock::SharedClock;
use crate::domain::{Delivery, Outcome, Report};
use crate::media::{Blobs, Resolved, Resolver, Settings, SetupError, clear_leftovers};
use crate::senders::find;
use crate::store::SharedStore;

/// Resolves the media of deliveries and holds the files until their pushes are done.
pub struct MediaDesk {
    clock: SharedClock,
    blobs: StoredBlobs,
    current: Mutex<Arc<Room>>,
    held: Mutex<HashMap<i64, Resolved>>,
}

/// One configuration's resolver, set up by the first push that needs it: a daemon that sends only text never makes
/// the temp directory.
struct Room {
    settings: Settings,
    resolver: OnceCell<Resolver>,
}

impl MediaDesk {
    /// Also clears what a killed process left, on a thread of its own.
    pub fn new(settings: Settings, clock: SharedClock, store: SharedStore) -> MediaDesk {
        let temp_dir = settings.temp_dir.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = clear_leftovers(&temp_dir) {
                warn!(directory = %temp_dir.display(), %error, "media of an earlier run cannot be removed");
            }
        });
        MediaDesk {
            clock,
            blobs: StoredBlobs(store),
            current: Mutex::new(Room::open(settings)),
            held: Mutex::default(),
        }
    }

    /// From now on, media are read by these settings; what was read before stays.
    pub fn set(&self, settings: Settings) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Room::open(settings);
    }

    /// The delivery with its media, or None where the message has none.
    ///
    /// # Errors
    /// The report of an attempt that ended here, before anything was sent.
    pub async fn with_media(&self, delivery: &Delivery, sender: &str) -> Result<Option<Delivery>, Report> {
        if delivery.message.body.media().is_empty() {
            return Ok(None);
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&delivery.push_id).cloned();
        let resolved = match held {
            Some(resolved) => resolved,
            None => self.resolve(delivery, sender).await?,
        };
        Ok(Some(Delivery { media: resolved.files().to_vec(), ..delivery.clone() }))
    }

    async fn resolve(&self, delivery: &Delivery, sender: &str) -> Result<Resolved, Report> {
        let room = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let resolver = room
            .resolver
            .get_or_try_init(|| async {
                // It locks a directory and clears it, which waits for the disk and for other processes.
                let (settings, clock) = (room.settings.clone(), self.clock.clone());
                let made = tokio::task::spawn_blocking(move || Resolver::new(settings, clock)).await;
                made.unwrap_or_else(|error| Err(SetupError::from(error)))
            })
            .await
            .map_err(|error| Report::failed(Outcome::Unreachable, error.to_string()))?;
        let cap = find(sender).map_or(u64::MAX, |registered| registered.spec.max_media_bytes);
        let resolved = resolver.resolve(&delivery.message, cap, &self.blobs).await.map_err(|error| error.report())?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(delivery.push_id, resolved.clone());
        Ok(resolved)
    }

    /// The push is done: its files may go.
    pub fn release(&self, push_id: i64) {
        let done = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&push_id);
        if done.is_some() {
            // Removing files waits for the disk, and this is called where every push passes.
            tokio::task::spawn_blocking(move || drop(done));
        }
    }
}

impl Room {
    fn open(settings: Settings) -> Arc<Room> {
        Arc::new(Room { settings, resolver: OnceCell::new() })
    }
}

struct StoredBlobs(SharedStore);

#[async_trait]
impl Blobs for StoredBlobs {
    async fn blob(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.blob(sha256).await.map_err(|error| error.to_string())
    }
}
