//! Deliveries for the unit tests of senders.

use std::time::Duration;

use crate::domain::message::Item;
use crate::domain::{Body, Delivery, MediaFile, Message, RetryPolicy, Target, Trigger, UtcMs};

pub fn text(text: &str) -> Delivery {
    delivery(Body::Text { text: text.to_owned() }, Vec::new())
}

pub fn mixed(items: Vec<Item>, media: Vec<MediaFile>) -> Delivery {
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
    }
}

/// A file that exists by name only.
pub fn file(filename: &str, mime_type: &str, len: u64) -> MediaFile {
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
