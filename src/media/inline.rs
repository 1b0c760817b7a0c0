//! Inline content: decoding it, and taking large ones out of messages.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use super::error::Problem;
use super::source::Source;
use crate::domain::hex::sha256;
use crate::domain::{Media, Message};

/// People paste with and without padding, and libraries leave stray bits in the last letter.
const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);

/// The bytes behind a base64 text of either alphabet, if there are at most `cap`.
pub(super) fn decode(text: &str, cap: u64) -> Result<Vec<u8>, Problem> {
    let mut text = Cow::Borrowed(text);
    if text.contains('%') {
        let unescaped = percent_decode_str(&text).decode_utf8().map(Cow::into_owned);
        text = Cow::Owned(unescaped.map_err(|_| Problem::rejected("the base64 content holds stray percent signs"))?);
    }
    if text.contains(|c: char| c.is_ascii_whitespace()) {
        text = Cow::Owned(text.split_ascii_whitespace().collect());
    }
    // Told from the length first, so that nothing large is decoded in vain.
    if base64::decoded_len_estimate(text.len()) as u64 > cap.saturating_add(3) {
        return Err(super::spool::too_large(cap));
    }
    let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine.decode(text.as_bytes()).map_err(|error| Problem::rejected(format!("the base64 content is damaged: {error}")))
}

/// Takes inline contents of more than `threshold` bytes out of the message: their sources become `blob:SHA256`, and
/// the contents are handed back with their hashes for the store to keep once, so that rows stay small. A damaged
/// content stays where it is; resolving will name it.
pub fn extract_inline(message: &mut Message, threshold: usize) -> Vec<(String, Vec<u8>)> {
    let mut contents: Vec<(String, Vec<u8>)> = Vec::new();
    for Media { source, mime_type, cover, .. } in message.body.media_mut() {
        for (source, mime_type) in [(Some(source), Some(mime_type)), (cover.as_mut(), None)] {
            let Some(source) = source else { continue };
            let Some((declared, bytes)) = large_inline(source, threshold) else { continue };
            let sha256 = sha256(&bytes);
            *source = format!("blob:{sha256}");
            if let Some(mime_type) = mime_type
                && mime_type.is_none()
            {
                *mime_type = declared;
            }
            if !contents.iter().any(|(known, _)| *known == sha256) {
                contents.push((sha256, bytes));
            }
        }
    }
    contents
}

fn large_inline(source: &str, threshold: usize) -> Option<(Option<String>, Vec<u8>)> {
    if source.len() <= threshold {
        return None;
    }
    match Source::parse(source) {
        Ok(Source::Inline { declared, base64 }) => {
            decode(base64, u64::MAX).ok().filter(|bytes| bytes.len() > threshold).map(|bytes| (declared, bytes))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Body, Item};

    #[test]
    fn both_alphabets_line_breaks_and_missing_padding_are_read() {
        let bytes = [0xfb, 0xff, 0xfe, 0x01];
        for text in ["+//+AQ==", "+//+AQ", "-__-AQ", "+//\n  +AQ==\n", "%2B%2F%2F%2BAQ%3D%3D"] {
            assert_eq!(decode(text, 4).unwrap(), bytes, "{text}");
        }
        for text in ["+//+A?==", "%ff", "AAAA*"] {
            assert!(matches!(decode(text, 100), Err(Problem::Rejected(_))), "{text}");
        }
        assert!(decode(&"A".repeat(4_000), 100).unwrap_err().to_string().contains("more than 100 bytes"));
    }

    #[test]
    fn large_inline_content_is_taken_out_once() {
        let source = format!("data:image/png;base64,{}", STANDARD.encode([7; 100]));
        let media = |source: &str| Media { source: source.into(), ..Media::default() };
        let with_cover = Media { cover: Some(source.clone()), ..media("/v.mp4") };
        let items = vec![
            Item::Image(media(&source)),
            Item::Image(media("base64://QUJD")),
            Item::Video(with_cover),
            Item::File(media(&format!("base64://{}*", "A".repeat(400)))),
        ];
        let mut message = Message { title: None, body: Body::Mixed { items } };
        let contents = extract_inline(&mut message, 64);
        assert_eq!(contents, [(sha256(&[7; 100]), vec![7; 100])]);
        let media = message.body.media();
        let blob = format!("blob:{}", contents[0].0);
        assert_eq!((media[0].source.as_str(), media[0].mime_type.as_deref()), (blob.as_str(), Some("image/png")));
        assert_eq!(media[1].source, "base64://QUJD");
        assert_eq!(media[2].cover.as_deref(), Some(blob.as_str()));
        assert!(media[3].source.starts_with("base64://AAAA"), "damaged content stays for resolving to name it");
    }
}
