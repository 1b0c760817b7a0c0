//! Deliveries for the unit tests of senders.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::http::Http;
use super::wire::Wire;
use crate::clock::ManualClock;
use crate::domain::account::Settings;
use crate::domain::message::Item;
use crate::domain::{Account, Body, Delivery, MediaFile, Message, RetryPolicy, Target, Trigger, UtcMs};
use crate::senders::sender::{Environment, Memory, MemoryError};

pub(crate) fn text(text: &str) -> Delivery {
    delivery(Body::Text { text: text.to_owned() }, Vec::new())
}

pub(crate) fn mixed(items: Vec<Item>, media: Vec<MediaFile>) -> Delivery {
    delivery(Body::Mixed { items }, media)
}

fn delivery(body: Body, media: Vec<MediaFile>) -> Delivery {
    // 2026-01-01T01:00:00.000Z
    let due_at = UtcMs(1_767_229_200_000);
    Delivery {
        push_id: 1,
        attempt: 1,
        key: "key-1".to_owned(),
        job: Some("daily-report".to_owned()),
        triggered_by: Trigger::Cron,
        due_at,
        im: "qq".to_owned(),
        target: Target::Group("123456".to_owned()),
        message: Message { title: None, body },
        media,
        timeout: Duration::from_secs(8),
        retry: RetryPolicy::default(),
        max_attempts: 5,
        expires_at: due_at + Duration::from_secs(3600),
        made_at: due_at,
        parts: Vec::new(),
        unmade: None,
    }
}

/// A file that exists by name only.
pub(crate) fn file(filename: &str, mime_type: &str, len: u64) -> MediaFile {
    MediaFile {
        path: filename.into(),
        len,
        filename: filename.to_owned(),
        mime_type: mime_type.to_owned(),
        sha256: String::new(),
        url: None,
        cover: None,
    }
}

/// What the account `bot` speaks with, on this memory.
pub(crate) fn wire(memory: Arc<dyn Memory>) -> Wire {
    let account = Account {
        id: "bot".to_owned(),
        im: "im".to_owned(),
        sender: "some".to_owned(),
        is_default: true,
        concurrency: None,
        min_interval: None,
        settings: Settings::default(),
    };
    let (clock, http) = (ManualClock::new(UtcMs(0)), Http::new().unwrap());
    Wire::new(&account, &Environment { clock, http, memory, state_dir: "unread".into() }).unwrap()
}

/// A memory that keeps nothing.
pub(crate) struct Forgetful;

#[async_trait]
impl Memory for Forgetful {
    async fn load(&self, _: &str) -> Result<Vec<(String, String)>, MemoryError> {
        Ok(Vec::new())
    }

    async fn save(&self, _: &str, _: &str, _: &str) -> Result<(), MemoryError> {
        Ok(())
    }
}
