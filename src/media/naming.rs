//! What a content is and what it is called: told by its bytes first, then by what came with it.

use std::path::Path;

use mime_guess::MimeGuess;

use super::error::Problem;
use super::head::{self, Found, is_text};
use crate::domain::{Kind, Media};

/// What is known of a media beside its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    /// The user's own words, which win.
    pub filename: Option<String>,
    pub mime_type: Option<String>,
    /// The name that the source has: of a file, of the last part of an address, or as its server said.
    pub source_name: Option<String>,
    /// The type that the source claims.
    pub declared_type: Option<String>,
    /// The source stands in the message itself: what it claims was written by the person who wants it sent.
    pub inline: bool,
}

impl Hints {
    pub(super) fn of(media: &Media) -> Hints {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Hints { filename: given(&media.filename), mime_type: given(&media.mime_type), ..Hints::default() }
    }
}

/// How a media is presented to a platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub filename: String,
    pub mime_type: String,
}

/// Containers whose bytes tell less than a name such as `report.docx` or `app.apk`.
const VAGUE: [&str; 5] =
    ["application/zip", "application/gzip", "application/x-ole-storage", "text/xml", "application/octet-stream"];
const UNKNOWN: &str = "application/octet-stream";

/// Names a content whose first bytes are `head`.
///
/// # Errors
/// `Rejected` when the bytes are not of the kind: a web page that calls itself `a.png` would be refused by the
/// platform, or shown broken.
pub(super) fn name(kind: Kind, head: &[u8], hints: Hints) -> Result<Named, Problem> {
    let found = head::detect(head);
    if !fits(kind, found.as_ref(), head, &hints) {
        let content = found.map_or("of unknown type", |found| found.mime);
        return Err(Problem::rejected(format!("expected {}, but the content is {content}", wanted(kind))));
    }
    let source_name = hints.source_name.as_deref().and_then(sanitise);
    let filename = hints.filename.as_deref().and_then(sanitise);
    let guessed = filename.as_deref().or(source_name.as_deref()).and_then(guess);
    let specific = found.as_ref().filter(|found| !VAGUE.contains(&found.mime)).map(|found| found.mime.to_owned());
    let mime_type = hints
        .mime_type
        .or(specific)
        .or(guessed)
        .or(hints.declared_type.filter(|declared| declared != UNKNOWN))
        .or_else(|| found.as_ref().map(|found| found.mime.to_owned()))
        .unwrap_or_else(|| if is_text(head) { "text/plain" } else { UNKNOWN }.to_owned());
    let filename = filename.unwrap_or_else(|| derive(kind, source_name, found.as_ref(), &mime_type));
    Ok(Named { filename, mime_type })
}

/// Whether the content may be shown as one of the kind: by what its bytes tell, or, where they tell nothing, by what a
/// person declared. A server's word is not enough, and a text is never a picture: both are how error pages come.
fn fits(kind: Kind, found: Option<&Found>, head: &[u8], hints: &Hints) -> bool {
    let declared = hints.mime_type.as_deref().or(hints.declared_type.as_deref().filter(|_| hints.inline));
    match (found, declared) {
        (Some(found), _) => is_of(kind, found.mime),
        (None, Some(declared)) if !head.is_empty() && !is_text(head) => is_of(kind, declared),
        (None, _) => is_of(kind, ""),
    }
}

fn is_of(kind: Kind, mime: &str) -> bool {
    match kind {
        Kind::Image => mime.starts_with("image/"),
        // A recording may lie in a container that is mostly used for films, and the other way round.
        Kind::Voice => mime.starts_with("audio/") || matches!(mime, "video/mp4" | "video/webm" | "video/3gpp"),
        Kind::Video => mime.starts_with("video/") || mime == "audio/ogg",
        Kind::File | Kind::Text | Kind::Mixed => true,
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "an image",
        Kind::Voice => "a voice recording",
        Kind::Video => "a video",
        Kind::File | Kind::Text | Kind::Mixed => "a file",
    }
}

fn guess(name: &str) -> Option<String> {
    MimeGuess::from_path(name).first_raw().map(str::to_owned)
}

/// A file keeps the name of its source, ended where it has no end; an image, voice or video gets an ending that is
/// true, since platforms go by it.
fn derive(kind: Kind, source_name: Option<String>, found: Option<&Found>, mime_type: &str) -> String {
    let extension = found.map(|found| found.extension).unwrap_or_else(|| extension_of(mime_type));
    let Some(name) = source_name else { return format!("{kind}.{extension}") };
    let has_ending = Path::new(&name).extension().is_some();
    let true_ending = match found {
        Some(found) if kind != Kind::File => {
            let guesses = MimeGuess::from_path(&name);
            name.to_ascii_lowercase().ends_with(&format!(".{}", found.extension))
                || guesses.iter_raw().any(|guess| guess == found.mime)
        }
        _ => has_ending,
    };
    if true_ending {
        return name;
    }
    let same_sort = |guess: String| guess.split('/').next() == mime_type.split('/').next();
    if guess(&name).is_some_and(same_sort) {
        Path::new(&name).with_extension(extension).to_string_lossy().into_owned()
    } else {
        format!("{name}.{extension}")
    }
}

fn extension_of(mime_type: &str) -> &'static str {
    match mime_type {
        // The list below is in alphabetical order and would say `asm`, `aaf` and `m2a`.
        "text/plain" => "txt",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "image/jpeg" => "jpg",
        "video/mp4" => "mp4",
        "video/mpeg" => "mpg",
        "video/quicktime" => "mov",
        UNKNOWN => "bin",
        mime => mime_guess::get_mime_extensions_str(mime).and_then(|known| known.first()).copied().unwrap_or("bin"),
    }
}

/// The last part of a name, without what breaks headers, shells or Windows; None where nothing is left.
fn sanitise(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_unseen(*c))
        .map(|c| if "\"<>|?*:".contains(c) { '_' } else { c })
        .collect();
    let clean = clean.trim().trim_start_matches('.');
    (!clean.is_empty()).then(|| shorten(clean))
}

/// Characters that nobody sees and that show a name otherwise than it is: with U+202E, `xslx.exe` reads `exe.xlsx`. The
/// two joiners stay, since names of people and emoji need them.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// At most 120 characters, the ending kept.
fn shorten(name: &str) -> String {
    let count = name.chars().count();
    if count <= 120 {
        return name.to_owned();
    }
    let start: String = name.chars().take(100).collect();
    match Path::new(name).extension().map(|ending| ending.to_string_lossy()) {
        Some(ending) if ending.chars().count() < 20 => format!("{start}.{ending}"),
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";

    fn named(kind: Kind, head: &[u8], hints: Hints) -> (String, String) {
        let Named { filename, mime_type } = name(kind, head, hints).unwrap();
        (filename, mime_type)
    }

    #[test]
    fn a_name_gets_an_ending_that_is_true() {
        for (kind, head, source_name, filename, mime_type) in [
            (Kind::Image, PNG, Some("a.png"), "a.png", "image/png"),
            (Kind::Image, PNG, Some("a.jpg"), "a.png", "image/png"),
            (Kind::Image, PNG, Some("image.php"), "image.php.png", "image/png"),
            (Kind::Image, PNG, Some("chart"), "chart.png", "image/png"),
            (Kind::Image, PNG, None, "image.png", "image/png"),
            (Kind::Image, b"\xff\xd8\xff\xe0", Some("A.JPEG"), "A.JPEG", "image/jpeg"),
            (Kind::Voice, b"\x02#!SILK_V3aa", None, "voice.silk", "audio/silk"),
            (Kind::Voice, b"\0\0\0\x20ftypisom\0\0", Some("v.m4a"), "v.m4a.mp4", "video/mp4"),
            (Kind::Video, b"\0\0\0\x20ftyp3gp4\0\0", None, "video.3gp", "video/3gpp"),
            (Kind::File, ZIP, Some("app.apk"), "app.apk", "application/vnd.android.package-archive"),
            (Kind::File, ZIP, Some("stuff"), "stuff.zip", "application/zip"),
            (Kind::File, b"a,b\n", Some("t.csv"), "t.csv", "text/csv"),
            (Kind::File, "日报".as_bytes(), None, "file.txt", "text/plain"),
            (Kind::File, b"\x01\x02\xff", None, "file.bin", "application/octet-stream"),
            (Kind::File, b"", Some("../../etc/x\ny"), "xy.bin", "application/octet-stream"),
        ] {
            let hints = Hints { source_name: source_name.map(Into::into), ..Hints::default() };
            assert_eq!(named(kind, head, hints), (filename.into(), mime_type.into()), "{kind} {source_name:?}");
        }
    }

    #[test]
    fn the_users_words_win() {
        let hints = Hints {
            filename: Some("dir/日报:1".into()),
            mime_type: Some("x/y".into()),
            source_name: Some("a.gif".into()),
            declared_type: Some("image/gif".into()),
            inline: false,
        };
        assert_eq!(named(Kind::Image, PNG, hints), ("日报_1".into(), "x/y".into()));
        let declared = Hints { declared_type: Some("text/csv".into()), ..Hints::default() };
        assert_eq!(named(Kind::File, b"a,b", declared), ("file.csv".into(), "text/csv".into()));
        let long = Hints { filename: Some(format!("{}.pdf", "长".repeat(300))), ..Hints::default() };
        assert_eq!(named(Kind::File, b"", long).0, format!("{}.pdf", "长".repeat(100)));
    }

    #[test]
    fn content_of_another_kind_is_refused() {
        for (kind, head) in [
            (Kind::Image, &b"<!DOCTYPE html><html>"[..]),
            (Kind::Image, b""),
            (Kind::Image, b"root:x:0:0:root:/root:/bin/bash\n"),
            (Kind::Voice, PNG),
            (Kind::Video, b"OggX"),
        ] {
            let refused = name(kind, head, Hints::default()).unwrap_err();
            assert!(matches!(&refused, Problem::Rejected(text) if text.contains("but the content is")), "{refused}");
        }
    }

    #[test]
    fn what_a_person_declares_counts_where_the_content_tells_nothing() {
        let unknown = &b"\x01\x02\xff\xfe\0\0"[..];
        let declared = |mime: &str| Hints { mime_type: Some(mime.into()), ..Hints::default() };
        for (kind, mime, filename) in [
            (Kind::Voice, "audio/mpeg", "voice.mp3"),
            (Kind::Video, "video/mp4", "video.mp4"),
            (Kind::Image, "image/jpeg", "image.jpg"),
        ] {
            assert_eq!(named(kind, unknown, declared(mime)), (filename.into(), mime.into()));
            let inline = Hints { declared_type: Some(mime.into()), inline: true, ..Hints::default() };
            assert_eq!(named(kind, unknown, inline), (filename.into(), mime.into()));
            let from_a_server = Hints { declared_type: Some(mime.into()), ..Hints::default() };
            assert!(name(kind, unknown, from_a_server).is_err(), "servers send error pages as anything");
            for error_page in [&b"<!DOCTYPE html><html>"[..], b"<html>", b"{\"error\": 404}", b"Not Found", b"", PNG] {
                if kind == Kind::Image && error_page == PNG {
                    continue;
                }
                let refused = name(kind, error_page, declared(mime));
                assert!(refused.is_err(), "{kind} declared as {mime}: {}", String::from_utf8_lossy(error_page));
            }
        }
        assert!(name(Kind::Voice, unknown, declared("application/pdf")).is_err());
    }

    #[test]
    fn a_name_is_shown_as_it_is() {
        for (source_name, filename) in [
            ("invoice\u{202e}xslx.exe", "invoicexslx.exe"),
            ("\u{feff}a\u{200b}b\u{2066}.pdf\u{2069}", "ab.pdf"),
            ("\u{202e}", "file.txt"),
            ("گزارش\u{200c}ها.pdf", "گزارش\u{200c}ها.pdf"),
            ("👨\u{200d}👩\u{200d}👧.png", "👨\u{200d}👩\u{200d}👧.png"),
        ] {
            let by_source = Hints { source_name: Some(source_name.into()), ..Hints::default() };
            let by_person = Hints { filename: Some(source_name.into()), ..Hints::default() };
            for hints in [by_source, by_person] {
                assert_eq!(named(Kind::File, b"text", hints).0, filename, "{source_name:?}");
            }
        }
    }
}
