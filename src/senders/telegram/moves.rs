//! Groups that became supergroups, which have another id since. They are remembered over restarts, since jobs go on
//! naming the old one.

use tokio::sync::{Mutex, OnceCell};

use crate::senders::sender::MemoryError;
use crate::senders::shared::wire::Wire;

/// The memory's key for all of them: a JSON list of pairs, old id and new, the latest last.
const KEY: &str = "moves";
/// 0.1.0 kept a key for each old id.
const OLD_KEYS: &str = "moved:";
/// A group moves once in its life. What is forgotten is told again by Telegram.
const MOST: usize = 256;

type Pairs = Vec<(String, String)>;

pub(super) struct Moves {
    wire: Wire,
    known: OnceCell<Mutex<Pairs>>,
}

impl Moves {
    pub(super) fn new(wire: &Wire) -> Moves {
        Moves { wire: wire.clone(), known: OnceCell::new() }
    }

    /// The id that a chat got, if it moved.
    pub(super) async fn of(&self, chat: &str) -> Option<String> {
        let known = self.known().await?.lock().await;
        known.iter().find(|(old, _)| old == chat).map(|(_, new)| new.clone())
    }

    pub(super) async fn save(&self, old: &str, new: &str) {
        self.change(old, Some(new)).await;
    }

    pub(super) async fn forget(&self, old: &str) {
        self.change(old, None).await;
    }

    async fn change(&self, old: &str, new: Option<&str>) {
        let Some(known) = self.known().await else { return };
        // Held while it is written, so that what is written last is what is known.
        let mut known = known.lock().await;
        known.retain(|(known, _)| known != old);
        known.extend(new.map(|new| (old.to_owned(), new.to_owned())));
        let surplus = known.len().saturating_sub(MOST);
        known.drain(..surplus);
        let Ok(text) = serde_json::to_string(&*known) else { return };
        if let Err(error) = self.wire.save(KEY, &text).await {
            tracing::warn!(account = self.wire.account, %error, "cannot save the new id of a chat");
        }
    }

    /// None, and asked again the next time, where the memory cannot be read.
    async fn known(&self) -> Option<&Mutex<Pairs>> {
        let known = self.known.get_or_try_init(|| self.load()).await;
        known
            .inspect_err(
                |error| tracing::warn!(account = self.wire.account, %error, "cannot load the new ids of chats"),
            )
            .ok()
    }

    async fn load(&self) -> Result<Mutex<Pairs>, MemoryError> {
        let notes = self.wire.load().await?;
        let list = notes.iter().find(|(key, _)| key == KEY).and_then(|(_, text)| serde_json::from_str(text).ok());
        let one_by_one = || {
            let moves =
                notes.iter().filter_map(|(key, new)| Some((key.strip_prefix(OLD_KEYS)?.to_owned(), new.clone())));
            moves.collect()
        };
        Ok(Mutex::new(list.unwrap_or_else(one_by_one)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::senders::sender::Memory;
    use crate::senders::shared::samples;

    #[derive(Default)]
    struct Notes {
        kept: Mutex<BTreeMap<String, String>>,
        is_broken: AtomicBool,
    }

    #[async_trait]
    impl Memory for Notes {
        async fn load(&self, _: &str) -> Result<Vec<(String, String)>, MemoryError> {
            if self.is_broken.load(Ordering::Relaxed) {
                return Err(MemoryError("busy".into()));
            }
            Ok(self.kept.lock().await.clone().into_iter().collect())
        }

        async fn save(&self, _: &str, key: &str, value: &str) -> Result<(), MemoryError> {
            self.kept.lock().await.insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    }

    fn moves(notes: &Arc<Notes>) -> Moves {
        Moves::new(&samples::wire(notes.clone()))
    }

    async fn new_id(notes: &Arc<Notes>, old: &str) -> Option<String> {
        moves(notes).of(old).await
    }

    #[tokio::test]
    async fn what_an_older_version_kept_is_known_until_it_is_forgotten() {
        let notes = Arc::new(Notes::default());
        notes.save("bot", "moved:-5", "-100").await.unwrap();
        assert_eq!(new_id(&notes, "-5").await.as_deref(), Some("-100"));
        moves(&notes).forget("-5").await;
        assert_eq!(new_id(&notes, "-5").await, None);
    }

    #[tokio::test]
    async fn no_more_moves_are_kept_than_have_room_and_the_latest_stay() {
        let notes = Arc::new(Notes::default());
        let moves = moves(&notes);
        for chat in 0..=MOST {
            moves.save(&format!("-{chat}"), "-100").await;
        }
        assert_eq!(moves.known().await.unwrap().lock().await.len(), MOST);
        assert_eq!((new_id(&notes, "-0").await, new_id(&notes, "-1").await.as_deref()), (None, Some("-100")));
    }

    #[tokio::test]
    async fn a_memory_that_cannot_be_read_for_a_moment_loses_nothing() {
        let notes = Arc::new(Notes::default());
        moves(&notes).save("-5", "-100").await;
        notes.is_broken.store(true, Ordering::Relaxed);
        let moves = moves(&notes);
        moves.save("-6", "-200").await;
        notes.is_broken.store(false, Ordering::Relaxed);
        assert_eq!(moves.of("-5").await.as_deref(), Some("-100"));
    }
}
