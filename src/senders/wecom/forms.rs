//! The forms in which WeCom takes media, and what follows where it does not (sheet B and C2).

use std::time::Duration;

use super::answer::Answer;
use crate::domain::{Kind, MediaFile};
use crate::senders::shared::failure::Failure;
use crate::senders::shared::parts::kind_as;

/// A file of this many bytes or fewer is refused by every upload.
const TOO_SMALL: u64 = 5;
const MIB: u64 = 1024 * 1024;
/// The largest file of any form (part B; C2).
pub(crate) const LARGEST_FILE: u64 = 20 * MIB;
const LARGEST_VOICE: u64 = 2 * MIB;
/// A voice lasts at most 60 s.
const LONGEST_VOICE: Duration = Duration::from_secs(60);

/// How a media goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    Image,
    Voice,
    Video,
    File,
    /// The address of a media that no form takes.
    Link,
}

impl Form {
    /// The word for `type=` of an upload, `msgtype`, and the key of the content.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Form::Image => "image",
            Form::Voice => "voice",
            Form::Video => "video",
            Form::File => "file",
            Form::Link => "link",
        }
    }

    /// What the attempt records when the kind goes out in another form.
    pub(crate) fn note(self, kind: Kind) -> Option<String> {
        kind_as(kind, self.as_str())
    }
}

/// What the forms take, in bytes; 0 for a form that there is not.
pub(crate) struct Limits {
    pub image: u64,
    pub video: u64,
}

/// The form in which a media of `kind` can go out.
///
/// # Errors
/// None takes it, and it has no address to link to.
pub(crate) async fn choose_form(kind: Kind, file: &MediaFile, limits: &Limits) -> Result<Form, Failure> {
    let fits = |limit: u64| (TOO_SMALL + 1..=limit).contains(&file.len);
    let native = match kind {
        Kind::Image => fits(limits.image) && matches!(file.mime_type.as_str(), "image/jpeg" | "image/png"),
        Kind::Video => fits(limits.video) && file.mime_type == "video/mp4",
        Kind::Voice => fits(LARGEST_VOICE) && is_short_amr(file).await?,
        Kind::Text | Kind::File | Kind::Mixed => false,
    };
    match kind {
        Kind::Image if native => Ok(Form::Image),
        Kind::Video if native => Ok(Form::Video),
        Kind::Voice if native => Ok(Form::Voice),
        _ if fits(LARGEST_FILE) => Ok(Form::File),
        _ if file.url.is_some() => Ok(Form::Link),
        _ => {
            let error =
                format!("{} has {} bytes: a file needs {} to {LARGEST_FILE}", file.filename, file.len, TOO_SMALL + 1);
            Err(Failure::rejected(error))
        }
    }
}

/// What to try after an answer to `form`: a plain file, then a link, where the form was refused; else nothing.
pub(crate) fn next_form(form: Form, file: &MediaFile, answer: &Answer) -> Option<Form> {
    match form {
        _ if !is_form_refused(answer.code) => None,
        Form::Image | Form::Voice | Form::Video => Some(Form::File),
        Form::File => file.url.is_some().then_some(Form::Link),
        Form::Link => None,
    }
}

/// Reads a media file that is known to be small.
pub(crate) async fn read(file: &MediaFile) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(&file.path)
        .await
        .map_err(|error| Failure::unreachable(format!("cannot read {}: {error}", file.filename)))
}

async fn is_short_amr(file: &MediaFile) -> Result<bool, Failure> {
    Ok(amr_length(&read(file).await?).is_some_and(|length| length <= LONGEST_VOICE))
}

/// How long an AMR-NB recording plays, or None where the content is none (RFC 4867 §5).
fn amr_length(content: &[u8]) -> Option<Duration> {
    /// Bytes after the type byte of a frame, by frame type.
    const FRAME: [usize; 16] = [12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0];
    let mut rest = content.strip_prefix(b"#!AMR\n")?;
    let mut frames = 0;
    while let Some(head) = rest.first() {
        let size = 1 + FRAME[usize::from(head >> 3 & 0xF)];
        rest = rest.get(size..).unwrap_or_default();
        frames += 1;
    }
    Some(Duration::from_millis(20 * frames))
}

/// The form does not suit this file: it may pass as a plain file or a link.
fn is_form_refused(code: i64) -> bool {
    matches!(code, 40004..=40006 | 40009 | 40011 | 45001 | 45007 | 301_016 | 301_017)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_recording_is_that_of_its_frames() {
        let recording = |heads: &[(u8, usize)]| {
            let frames = heads.iter().flat_map(|(head, size)| [vec![*head], vec![0; *size]].concat());
            [b"#!AMR\n".to_vec(), frames.collect()].concat()
        };
        let ms = |content: &[u8]| amr_length(content).map(|length| length.as_millis());
        // The modes from 4.75 to 12.2 kbit/s, a comfort noise and an empty frame, each with its quality bit.
        let all = [12, 13, 15, 17, 19, 20, 26, 31, 5].into_iter().enumerate();
        let mut heads: Vec<(u8, usize)> = all.map(|(mode, size)| ((mode as u8) << 3 | 4, size)).collect();
        heads.push((0x7C, 0));
        assert_eq!(ms(&recording(&heads)), Some(200));
        assert_eq!(ms(&recording(&[])), Some(0));
        assert_eq!(ms(&recording(&[(0x3C, 30)])), Some(20), "a last frame cut short still plays");
        assert_eq!(ms(b"#!AMR-WB\n"), None);
        assert_eq!(ms(b"ID3"), None);
    }
}
