//! JSON bodies for services that want media as base64 inside them: written in ASCII alone, and streamed from disk, so
//! that a film costs no more memory than a word.

use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{Stream, try_unfold};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::domain::MediaFile;

/// A multiple of three, so that the pieces' base64 joins without padding in between.
const CHUNK_BYTES: usize = 48 * 1024;

/// Hands out placeholders for files in a JSON value, until [`Slots::fill`] makes a body of it.
pub(crate) struct Slots {
    /// Drawn after the message was written, so that no text can hold a placeholder.
    nonce: u128,
    files: Vec<FileRange>,
}

#[derive(Clone, Debug)]
struct FileRange {
    path: PathBuf,
    offset: u64,
    len: u64,
}

/// A body ready to be sent, any number of times.
#[derive(Clone, Debug)]
pub(crate) struct JsonBody {
    pieces: VecDeque<Piece>,
    len: u64,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Bytes),
    Base64(FileRange),
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots { nonce: fastrand::u128(..), files: Vec::new() }
    }

    /// The text to put into the JSON where the file's base64 shall stand.
    pub(crate) fn base64(&mut self, file: &MediaFile) -> String {
        self.base64_range(file, 0, file.len)
    }

    /// As [`Slots::base64`], for `len` bytes from `offset`.
    pub(crate) fn base64_range(&mut self, file: &MediaFile, offset: u64, len: u64) -> String {
        self.files.push(FileRange { path: file.path.clone(), offset, len });
        format!("<{:032x}:{}>", self.nonce, self.files.len() - 1)
    }

    /// The body of `value` with the files in their places, in ASCII alone. Slots that the value does not use are
    /// dropped.
    pub(crate) fn fill(&self, value: &impl Serialize) -> JsonBody {
        self.fill_text(to_ascii(value))
    }

    /// As [`Slots::fill`], in UTF-8.
    pub(crate) fn fill_utf8(&self, value: &Value) -> JsonBody {
        self.fill_text(value.to_string())
    }

    fn fill_text(&self, text: String) -> JsonBody {
        if self.files.is_empty() {
            return JsonBody { len: text.len() as u64, pieces: VecDeque::from([Piece::Text(text.into())]) };
        }
        let mut pieces = VecDeque::new();
        let mut rest = &*text;
        let opening = format!("<{:032x}:", self.nonce);
        while let Some((before, after)) = rest.split_once(&opening) {
            let Some((index, after)) = after.split_once('>') else { break };
            pieces.push_back(Piece::Text(Bytes::copy_from_slice(before.as_bytes())));
            let file = index.parse().ok().and_then(|index: usize| self.files.get(index));
            pieces.extend(file.cloned().map(Piece::Base64));
            rest = after;
        }
        pieces.push_back(Piece::Text(Bytes::copy_from_slice(rest.as_bytes())));
        let len = pieces.iter().map(Piece::len).sum();
        JsonBody { pieces, len }
    }
}

impl Default for Slots {
    fn default() -> Self {
        Slots::new()
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Text(text) => text.len() as u64,
            Piece::Base64(file) => file.len.div_ceil(3) * 4,
        }
    }
}

impl JsonBody {
    /// The body's bytes from start to end.
    pub(crate) fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        try_unfold((self.pieces.clone(), None), next_bytes)
    }

    /// `request` with this body.
    pub(crate) fn attach(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header(CONTENT_TYPE, "application/json");
        match self.pieces.front() {
            Some(Piece::Text(text)) if self.pieces.len() == 1 => request.body(text.clone()),
            _ => request.header(CONTENT_LENGTH, self.len).body(Body::wrap_stream(self.stream())),
        }
    }
}

/// The pieces left, and the file under way with the bytes still to read.
type Rest = (VecDeque<Piece>, Option<(File, u64)>);

async fn next_bytes((mut pieces, mut open): Rest) -> io::Result<Option<(Bytes, Rest)>> {
    loop {
        if let Some((file, left)) = &mut open {
            let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(*left).unwrap_or(CHUNK_BYTES))];
            // The length was announced, so a file that became shorter is an error and one that grew is cut.
            file.read_exact(&mut chunk).await?;
            *left -= chunk.len() as u64;
            if *left == 0 {
                open = None;
            }
            return Ok(Some((Bytes::from(STANDARD.encode(chunk)), (pieces, open))));
        }
        match pieces.pop_front() {
            None => return Ok(None),
            Some(Piece::Text(text)) => return Ok(Some((text, (pieces, open)))),
            Some(Piece::Base64(file)) if file.len == 0 => {}
            Some(Piece::Base64(FileRange { path, offset, len })) => {
                let mut file = File::open(path).await?;
                file.seek(SeekFrom::Start(offset)).await?;
                open = Some((file, len));
            }
        }
    }
}

/// JSON in which everything above 0x7F is written as `\uXXXX`. NapCat joins the chunks of a body as text, which
/// turns a character cut by a chunk's end into U+FFFD; plain ASCII passes whole (qq.md §1).
pub(crate) fn to_ascii(value: &impl Serialize) -> String {
    let mut out = Vec::with_capacity(256);
    // Writing values with text as keys to memory cannot fail, and the formatter lets nothing but ASCII through.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, Ascii));
    String::from_utf8(out).unwrap_or_default()
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        loop {
            let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
            writer.write_all(&rest.as_bytes()[..plain])?;
            let Some(c) = rest[plain..].chars().next() else { return Ok(()) };
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[plain + c.len_utf8()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use serde_json::json;

    use super::*;
    use crate::senders::shared::samples;

    #[test]
    fn json_is_ascii_and_means_the_same() {
        let value = json!({"早": "早报\n\"😀\" \u{7f}é", "n": [1, -2.5, null, true]});
        let text = to_ascii(&value);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains(r"\u65e9\u62a5") && text.contains(r"\ud83d\ude00"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[tokio::test]
    async fn files_stand_in_their_places_with_the_length_foretold() {
        let dir = tempfile::tempdir().unwrap();
        for len in [0, 1, 2, 3, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 2] {
            let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut file = samples::file("a.bin", "application/octet-stream", len as u64);
            file.path = dir.path().join("a.bin");
            std::fs::write(&file.path, &content).unwrap();

            let mut slots = Slots::new();
            let value = json!({"first": format!("base64://{}", slots.base64(&file)), "text": "早 <x:0>", "again": slots.base64(&file)});
            let body = slots.fill(&value);
            let bytes: Vec<Bytes> = body.stream().try_collect().await.unwrap();
            let sent = bytes.concat();
            assert_eq!(sent.len() as u64, body.len);
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            let base64 = STANDARD.encode(&content);
            assert_eq!(sent, json!({"first": format!("base64://{base64}"), "text": "早 <x:0>", "again": base64}));
        }
    }

    #[tokio::test]
    async fn a_range_of_a_file_stands_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = samples::file("a.bin", "application/octet-stream", 10);
        file.path = dir.path().join("a.bin");
        std::fs::write(&file.path, b"0123456789").unwrap();
        let mut slots = Slots::new();
        let value = json!([slots.base64_range(&file, 2, 4), slots.base64_range(&file, 9, 1)]);
        let bytes: Vec<Bytes> = slots.fill(&value).stream().try_collect().await.unwrap();
        assert_eq!(String::from_utf8(bytes.concat()).unwrap(), r#"["MjM0NQ==","OQ=="]"#);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_breaks_the_body_off() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = samples::file("a.bin", "application/octet-stream", 10);
        file.path = dir.path().join("a.bin");
        std::fs::write(&file.path, b"short").unwrap();
        let mut slots = Slots::new();
        let value = json!({"file": slots.base64(&file)});
        assert!(slots.fill(&value).stream().try_collect::<Vec<_>>().await.is_err());
    }
}
