//! From a message to the calls that send it.

use crate::domain::{Delivery, Kind, MediaFile, PartReport, is_blank};
use crate::senders::shared::deliver::file;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::markdown;
use crate::senders::shared::parts::Part;
use crate::senders::shared::segments::{Inline, Segment, render, segments};
use crate::senders::shared::text::{Limit, split};

const TEXT_LIMIT: Limit = Limit::Utf16(4096);
const CAPTION_LIMIT: Limit = Limit::Utf16(1024);
const ALBUM_LIMIT: usize = 10;
const PHOTO_MAX_BYTES: u64 = 10 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Html,
    MarkdownV2,
}

/// A text with its markup, and what to fall back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Styled {
    pub text: String,
    pub format: Format,
    /// The same without any markup of ours.
    pub plain: String,
}

/// One call's worth of the message.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    Text {
        text: Styled,
        /// Not a piece of a longer one.
        whole: bool,
        note: Option<&'static str>,
    },
    /// One media, or an album of several.
    Media { media: Vec<Upload<'a>>, caption: Option<Styled>, caption_above: bool },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Upload<'a> {
    pub form: MediaForm,
    pub asked: Kind,
    pub file: &'a MediaFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaForm {
    Photo,
    Voice,
    Video,
    Document,
}

impl MediaForm {
    /// The form in which Telegram takes this file as this kind.
    fn of(kind: Kind, file: &MediaFile) -> MediaForm {
        match (kind, file.mime_type.as_str()) {
            (Kind::Image, "image/jpeg" | "image/png" | "image/webp") if file.len <= PHOTO_MAX_BYTES => MediaForm::Photo,
            (
                Kind::Voice,
                "audio/ogg" | "audio/opus" | "audio/mpeg" | "audio/mp4" | "audio/x-m4a" | "audio/m4a"
                | "application/ogg",
            ) => MediaForm::Voice,
            (Kind::Video, "video/mp4") => MediaForm::Video,
            _ => MediaForm::Document,
        }
    }

    pub(super) fn method(self) -> &'static str {
        match self {
            MediaForm::Photo => "sendPhoto",
            MediaForm::Voice => "sendVoice",
            MediaForm::Video => "sendVideo",
            MediaForm::Document => "sendDocument",
        }
    }

    pub(super) fn field(self) -> &'static str {
        match self {
            MediaForm::Photo => "photo",
            MediaForm::Voice => "voice",
            MediaForm::Video => "video",
            MediaForm::Document => "document",
        }
    }

    /// Albums and captions above the media exist for these only.
    fn is_visual(self) -> bool {
        matches!(self, MediaForm::Photo | MediaForm::Video)
    }
}

impl Part for Step<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Step::Text { .. } => "text",
            Step::Media { media, .. } if media.len() > 1 => "album",
            Step::Media { media, .. } => media.first().map_or("media", |upload| upload.asked.as_str()),
        }
    }

    fn one_by_one(steps: &mut Vec<Self>, index: usize) -> usize {
        let Some(Step::Media { media, caption, caption_above }) = steps.get(index).cloned() else { return 0 };
        let last = media.len() - 1;
        let captioned = if caption_above { 0 } else { last };
        let single = |(at, upload)| {
            let caption = caption.clone().filter(|_| at == captioned);
            let caption_above = caption_above && caption.is_some();
            Step::Media { media: vec![upload], caption, caption_above }
        };
        let singles: Vec<_> = media.into_iter().enumerate().map(single).collect();
        drop(steps.splice(index..=index, singles));
        last + 1
    }

    fn texts_first(steps: &mut Vec<Self>, index: usize) -> usize {
        let (mut texts, mut rest) = (Vec::new(), Vec::new());
        for step in steps.split_off(index) {
            match step {
                Step::Text { .. } => texts.push(step),
                Step::Media { media, caption, .. } => {
                    texts.extend(caption.map(|text| Step::Text { text, whole: true, note: None }));
                    rest.push(Step::Media { media, caption: None, caption_above: false });
                }
            }
        }
        let count = texts.len();
        steps.extend(texts.into_iter().chain(rest));
        count
    }
}

impl Step<'_> {
    pub(super) fn upload_bytes(&self) -> u64 {
        match self {
            Step::Text { .. } => 0,
            Step::Media { media, .. } => media.iter().map(|upload| upload.file.len).sum(),
        }
    }
}

/// The calls that a message takes, in reading order. A text beside a media becomes its caption where it fits, and
/// photos and videos side by side become an album. `format` is the account's own markup.
///
/// # Errors
/// A media's file is not there.
pub(super) fn plan(delivery: &Delivery, format: Option<Format>) -> Result<Vec<Step<'_>>, Failure> {
    let mut planner = Planner { format, steps: Vec::new() };
    planner.plan(delivery)?;
    Ok(as_tried(planner.steps, &delivery.parts))
}

/// The steps as earlier attempts went through them: what they had to cut stays cut, or it would go out twice.
fn as_tried<'a>(planned: Vec<Step<'a>>, earlier: &[PartReport]) -> Vec<Step<'a>> {
    let mut steps = planned.clone();
    for (index, part) in earlier.iter().enumerate() {
        let kind = part.part.split(' ').next().unwrap_or_default();
        match steps.get(index) {
            Some(Step::Media { .. }) if kind == "text" => drop(Step::texts_first(&mut steps, index)),
            Some(Step::Media { media, .. }) if media.len() > 1 && kind != "album" => {
                Step::one_by_one(&mut steps, index);
            }
            _ => {}
        }
    }
    let count = format!("/{}", steps.len());
    if earlier.first().is_some_and(|part| part.part.ends_with(&count)) { steps } else { planned }
}

struct Planner<'a> {
    format: Option<Format>,
    steps: Vec<Step<'a>>,
}

impl<'a> Planner<'a> {
    fn plan(&mut self, delivery: &'a Delivery) -> Result<(), Failure> {
        for segment in segments(&delivery.message.body) {
            match segment {
                Segment::Text(run) => self.text(&run),
                Segment::Media { kind, media, index } => {
                    let file = file(delivery, index)?;
                    let upload = Upload { form: MediaForm::of(kind, file), asked: kind, file };
                    match &media.caption {
                        None => self.media(upload),
                        Some(caption) => {
                            self.steps.push(Step::Media { media: vec![upload], caption: None, caption_above: false });
                            self.text(&[Inline::Text(caption)]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, run: &[Inline]) {
        let styled = self.style(run);
        if is_blank(&styled.plain) {
            return;
        }
        if let Some(Step::Media { caption: caption @ None, .. }) = self.steps.last_mut()
            && CAPTION_LIMIT.fits(&styled.plain)
        {
            *caption = Some(styled);
            return;
        }
        if TEXT_LIMIT.fits(&styled.plain) {
            self.steps.push(Step::Text { text: styled, whole: true, note: None });
            return;
        }
        // Markup of ours would be cut in two, the user's own may be: Telegram says so and it goes out as it is.
        let (format, note) = match self.format {
            Some(format) => (format, None),
            None => (Format::Plain, (styled.format != Format::Plain).then_some("markdown as text")),
        };
        self.steps.extend(split(&styled.plain, TEXT_LIMIT).into_iter().map(|piece| Step::Text {
            text: Styled { text: piece.to_owned(), format, plain: piece.to_owned() },
            whole: false,
            note,
        }));
    }

    fn media(&mut self, upload: Upload<'a>) {
        match self.steps.last_mut() {
            Some(Step::Media { media, caption, caption_above })
                if (caption.is_none() || *caption_above)
                    && media.len() < ALBUM_LIMIT
                    && upload.form.is_visual()
                    && media.iter().all(|upload| upload.form.is_visual()) =>
            {
                media.push(upload);
            }
            Some(Step::Text { text, whole: true, .. })
                if upload.form.is_visual() && CAPTION_LIMIT.fits(&text.plain) =>
            {
                let caption = Some(text.clone());
                self.steps.pop();
                self.steps.push(Step::Media { media: vec![upload], caption, caption_above: true });
            }
            _ => self.steps.push(Step::Media { media: vec![upload], caption: None, caption_above: false }),
        }
    }

    fn style(&self, run: &[Inline]) -> Styled {
        let needs_markup = |inline: &Inline| match inline {
            Inline::Markdown(_) => true,
            Inline::At(user) => is_user_id(user),
            Inline::Text(_) | Inline::AtAll => false,
        };
        let ours = if run.iter().any(needs_markup) { Format::Html } else { Format::Plain };
        let format = self.format.unwrap_or(ours);
        let plain = render(run, |inline| match inline {
            Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
            Inline::At(user) => format!("@{}", user.trim_start_matches('@')),
            Inline::AtAll => "@all".to_owned(),
        });
        let text = render(run, |inline| match (format, inline) {
            (Format::Html, Inline::Text(text)) if self.format.is_none() => markdown::escape(text),
            (_, Inline::Text(text)) => text.to_owned(),
            (Format::Html, Inline::Markdown(text)) => markdown::to_telegram_html(text),
            (_, Inline::Markdown(text)) => text.to_owned(),
            (Format::Html, Inline::At(user)) if is_user_id(user) => {
                format!("<a href=\"tg://user?id={user}\">{user}</a>")
            }
            (Format::MarkdownV2, Inline::At(user)) if is_user_id(user) => format!("[{user}](tg://user?id={user})"),
            (Format::MarkdownV2, Inline::At(user)) => format!("@{}", user.trim_start_matches('@').replace('_', "\\_")),
            (Format::Html, Inline::At(user)) => format!("@{}", markdown::escape(user.trim_start_matches('@'))),
            (Format::Plain, Inline::At(user)) => format!("@{}", user.trim_start_matches('@')),
            (_, Inline::AtAll) => "@all".to_owned(),
        });
        Styled { text, format, plain }
    }
}

/// Users without a name are mentioned by number, which takes markup.
fn is_user_id(user: &str) -> bool {
    !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit())
}
