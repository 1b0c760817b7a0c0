//! What chat platforms want to know of a voice file: whether it is Opus, and how long it plays.

use std::io::SeekFrom;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// A page has at most 65,307 bytes, so the last page begins within this many.
const TAIL_BYTES: u64 = 66_000;
/// The stream's head is in the first page.
const HEAD_BYTES: u64 = 512;
const OPUS_PER_MS: u64 = 48;

/// How long an Ogg Opus file plays, in milliseconds; None for anything else, an unreadable file included.
pub(crate) async fn opus_duration_ms(path: &Path) -> Option<u64> {
    let mut file = File::open(path).await.ok()?;
    let len = file.metadata().await.ok()?.len();
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES).read_to_end(&mut head).await.ok()?;
    if !head.starts_with(b"OggS") {
        return None;
    }
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES))).await.ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).await.ok()?;
    duration_ms(&head, &tail)
}

/// The end of the last page, counted in samples, less those that a player skips at the start (RFC 7845 §4, §5.1).
fn duration_ms(head: &[u8], tail: &[u8]) -> Option<u64> {
    let opus_head = find(head, b"OpusHead")?;
    let pre_skip = u16::from_le_bytes(head.get(opus_head + 10..opus_head + 12)?.try_into().ok()?);
    let last_page = tail.windows(4).rposition(|window| window == b"OggS")?;
    let end = u64::from_le_bytes(tail.get(last_page + 6..last_page + 14)?.try_into().ok()?);
    Some(end.saturating_sub(u64::from(pre_skip)) / OPUS_PER_MS)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(granule: u64, payload: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0\0".to_vec();
        page.extend(granule.to_le_bytes());
        page.extend([0; 12]);
        page.extend([1, payload.len() as u8]);
        page.extend(payload);
        page
    }

    #[tokio::test]
    async fn an_opus_file_tells_how_long_it_plays_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let opus = [page(0, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"), page(48_312, b"x"), page(96_312, b"y")];
        let rows = [
            ("two seconds", opus.concat(), Some(2000)),
            ("padded", [opus[0].clone(), vec![0; 70_000], opus[2].clone()].concat(), Some(2000)),
            ("vorbis", page(0, b"\x01vorbis"), None),
            ("cut off", opus[0][..36].to_vec(), None),
            ("mp3", b"ID3 OpusHead".to_vec(), None),
            ("empty", Vec::new(), None),
        ];
        for (name, content, expected) in rows {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(opus_duration_ms(&path).await, expected, "{name}");
        }
        assert_eq!(opus_duration_ms(&dir.path().join("none")).await, None);
    }
}
