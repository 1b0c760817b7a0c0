//! Deliveries and media for the tests of senders.

use std::time::Duration;

use pushcron::domain::message::{Item, Media};
use pushcron::domain::{Body, Delivery, MediaFile, Message, Report, RetryPolicy, Target, Trigger, UtcMs};
use tempfile::TempDir;

/// 2026-01-01T01:00:00.000Z, when the benches' clocks start and every push is due and made.
pub(crate) const NOW: UtcMs = UtcMs(1_767_229_200_000);

pub(crate) fn user(id: &str) -> Target {
    Target::User(id.to_owned())
}

pub(crate) fn group(id: &str) -> Target {
    Target::Group(id.to_owned())
}

/// The first attempt of a push, with a timeout of 8 s.
pub(crate) fn delivery(target: Target, body: Body, media: Vec<MediaFile>) -> Delivery {
    Delivery {
        push_id: 1,
        attempt: 1,
        key: "key-1".to_owned(),
        job: Some("daily-report".to_owned()),
        triggered_by: Trigger::Cron,
        due_at: NOW,
        im: "im".to_owned(),
        target,
        message: Message { title: None, body },
        media,
        timeout: Duration::from_secs(8),
        retry: RetryPolicy::default(),
        max_attempts: 5,
        expires_at: NOW + RetryPolicy::default().give_up_after,
        made_at: NOW,
        parts: Vec::new(),
        unmade: None,
    }
}

pub(crate) fn text(target: Target, text: &str) -> Delivery {
    delivery(target, Body::Text { text: text.to_owned() }, Vec::new())
}

/// A mixed push; `files` belong to its media in order.
pub(crate) fn mixed(target: Target, items: Vec<Item>, files: Vec<MediaFile>) -> Delivery {
    delivery(target, Body::Mixed { items }, files)
}

/// The next attempt after one that ended in `report`, as the store hands it out.
pub(crate) fn next_attempt(delivery: &Delivery, report: &Report) -> Delivery {
    Delivery { attempt: delivery.attempt + 1, parts: report.parts.clone(), ..delivery.clone() }
}

/// The outcome words of a report's parts.
pub(crate) fn outcomes(report: &Report) -> Vec<&str> {
    report.parts.iter().map(|part| part.outcome.as_str()).collect()
}

/// A media of a message whose resolved files are given apart.
pub(crate) fn media() -> Media {
    Media { source: "resolved.bin".to_owned(), ..Media::default() }
}

pub(crate) fn captioned(caption: &str) -> Media {
    Media { caption: Some(caption.to_owned()), ..media() }
}

pub(crate) fn text_item(text: &str) -> Item {
    Item::Text { text: text.to_owned() }
}

/// A resolved file with this content in `dir`.
pub(crate) fn file(dir: &TempDir, filename: &str, mime_type: &str, content: &[u8]) -> MediaFile {
    use sha2::Digest as _;
    let path = dir.path().join(filename);
    std::fs::write(&path, content).unwrap();
    MediaFile {
        path,
        len: content.len() as u64,
        filename: filename.to_owned(),
        mime_type: mime_type.to_owned(),
        sha256: sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        url: None,
        cover: None,
    }
}

/// The same with a public address.
pub(crate) fn online(file: MediaFile, url: &str) -> MediaFile {
    MediaFile { url: Some(url.to_owned()), ..file }
}

/// The first and last page of an Ogg Opus file, which are one here.
pub(crate) fn opus_of_1001_ms() -> Vec<u8> {
    let pre_skip: u16 = 312;
    let end = u64::from(pre_skip) + 1001 * 48;
    let head = [b"OpusHead\x01\x01".as_slice(), &pre_skip.to_le_bytes(), b"\x80\xbb\0\0\0\0\0"].concat();
    [b"OggS\0\x04".as_slice(), &end.to_le_bytes(), &[0; 12], &[1, head.len() as u8], &head].concat()
}
