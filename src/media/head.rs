//! What a content is, told from its first bytes.

/// A type told from the first bytes.
pub(super) struct Found {
    pub mime: &'static str,
    pub extension: &'static str,
}

const fn found(mime: &'static str, extension: &'static str) -> Option<Found> {
    Some(Found { mime, extension })
}

pub(super) fn detect(head: &[u8]) -> Option<Found> {
    ours(head).or_else(|| infer::get(head).and_then(|it| found(it.mime_type(), it.extension())))
}

/// What `infer` does not know or takes for something else.
fn ours(head: &[u8]) -> Option<Found> {
    // WeChat's and QQ's voice format, with or without Tencent's leading byte.
    if head.starts_with(b"#!SILK_V3") || head.starts_with(b"\x02#!SILK_V3") {
        return found("audio/silk", "silk");
    }
    // Old phones' video.
    if head.get(4..10).is_some_and(|brand| brand == b"ftyp3g") {
        return found("video/3gpp", "3gp");
    }
    if is_old_movie(head) {
        return found("video/quicktime", "mov");
    }
    if is_mpeg_audio(head) {
        return found("audio/mpeg", "mp3");
    }
    if is_adts(head) || head.starts_with(b"ADIF") && !is_text(head) {
        return found("audio/aac", "aac");
    }
    match packets(head) {
        Some(0) => found("video/mp2t", "ts"),
        Some(_) => found("video/mp2t", "m2ts"),
        None => None,
    }
}

/// A QuickTime film from before `ftyp`: it begins with one of its parts. An icon begins with the same zeros, but has a
/// count of pictures where the part has its name.
fn is_old_movie(head: &[u8]) -> bool {
    let Some((size, name)) = head.first_chunk::<8>().map(|start| start.split_at(4)) else { return false };
    let size = size.iter().fold(0_u32, |size, byte| size << 8 | u32::from(*byte));
    match name {
        b"mdat" => true,
        b"moov" | b"wide" | b"free" | b"skip" | b"pnot" => (8..1 << 24).contains(&size),
        _ => false,
    }
}

/// The head of a frame of MPEG audio, layer II or III, of any version and rate, with or without checksum. Not of layer
/// I, which nobody uses: it begins as a text in UTF-16 does.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let Some([0xff, second, third]) = head.first_chunk::<3>() else { return false };
    let (sync, version, layer) = (second >> 5, second >> 3 & 3, second >> 1 & 3);
    let (bitrate, rate) = (third >> 4, third >> 2 & 3);
    sync == 7 && version != 1 && matches!(layer, 1 | 2) && bitrate != 15 && rate != 3
}

/// The head of a frame of AAC, with or without checksum.
fn is_adts(head: &[u8]) -> bool {
    matches!(head.first_chunk::<3>(), Some([0xff, second, third]) if second & 0xf6 == 0xf0 && third >> 2 & 15 < 13)
}

/// Where the first packet of an MPEG transport stream begins, when there are packets: alone, behind a time stamp each
/// (cameras, Blu-ray), or with a checksum behind. Each begins with the same byte, a `G`, which proves nothing in a text.
fn packets(head: &[u8]) -> Option<usize> {
    let begins = |first: usize, len: usize| {
        let starts = (first..head.len()).step_by(len).take(5);
        starts.clone().count() >= 2 && starts.clone().all(|at| head[at] == 0x47)
    };
    let (first, _) = [(0, 188), (4, 192), (0, 204)].into_iter().find(|(first, len)| begins(*first, *len))?;
    (!is_text(head)).then_some(first)
}

pub(super) fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end inside a character.
        Err(error) if error.error_len().is_none() => return !head.contains(&0),
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(head: &[u8]) -> Option<(&'static str, &'static str)> {
        detect(head).map(|found| (found.mime, found.extension))
    }

    #[test]
    fn recordings_are_known_by_every_head_they_begin_with() {
        for second in [0xfb, 0xfa, 0xf3, 0xf2, 0xe3, 0xe2, 0xfd, 0xfc, 0xf5, 0xf4] {
            assert_eq!(told(&[0xff, second, 0x90, 0x64, 0, 0]), Some(("audio/mpeg", "mp3")), "{second:x}");
        }
        for second in [0xf0, 0xf1, 0xf8, 0xf9] {
            assert_eq!(told(&[0xff, second, 0x50, 0x80, 0, 0]), Some(("audio/aac", "aac")), "{second:x}");
        }
        assert_eq!(told(b"ADIF\0\x10\0\0"), Some(("audio/aac", "aac")));
        assert_eq!(told(b"ID3\x04\0\0\0\0"), Some(("audio/mpeg", "mp3")));
        for nothing in
            [&b"ADIF Export of my radio log"[..], b"\xff\xfea\0b\0c\0", b"\xff\xfa\xff\xff", b"\xff\xff\xff", b"\xff"]
        {
            assert_eq!(told(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn films_of_cameras_recorders_and_old_machines_are_known() {
        let stream = |first: usize, len: usize| {
            let mut bytes = vec![0xff; first + 4 * len];
            (0..4).for_each(|packet| bytes[first + packet * len] = 0x47);
            bytes
        };
        assert_eq!(told(&stream(0, 188)), Some(("video/mp2t", "ts")));
        assert_eq!(told(&stream(0, 204)), Some(("video/mp2t", "ts")));
        assert_eq!(told(&stream(4, 192)), Some(("video/mp2t", "m2ts")));
        assert_eq!(told(&stream(0, 188)[..180]), None, "one G is no proof");
        assert_eq!(told(&b"G".repeat(2000)), None);
        assert_eq!(told(b"\0\0\x01\0moov\0\0\0\x6cmvhd"), Some(("video/quicktime", "mov")));
        assert_eq!(told(b"\0\0\0\x08wide\0\x12\x34\x56mdat"), Some(("video/quicktime", "mov")));
        assert_eq!(told(b"\0\0\0\x01mdat\0\0\0\0"), Some(("video/quicktime", "mov")));
        assert_eq!(told(b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0"), Some(("image/vnd.microsoft.icon", "ico")));
    }
}
