//! A message cut where text and media meet, for platforms that take both in one message.

use crate::domain::{Body, Item, Kind, Media};

/// A stretch of text, or one media.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Segment<'a> {
    Text(Vec<Inline<'a>>),
    /// The media at `index` of [`Body::media`].
    Media {
        kind: Kind,
        media: &'a Media,
        index: usize,
    },
}

/// What a stretch of text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inline<'a> {
    Text(&'a str),
    Markdown(&'a str),
    At(&'a str),
    AtAll,
}

/// The segments of a message in reading order, with no two stretches of text side by side.
pub(crate) fn segments(body: &Body) -> Vec<Segment<'_>> {
    let media = |kind, media| vec![Segment::Media { kind, media, index: 0 }];
    match body {
        Body::Text { text } => vec![Segment::Text(vec![Inline::Text(text)])],
        Body::Image(image) => media(Kind::Image, image),
        Body::Voice(voice) => media(Kind::Voice, voice),
        Body::Video(video) => media(Kind::Video, video),
        Body::File(file) => media(Kind::File, file),
        Body::Mixed { items } => of_items(items),
    }
}

fn of_items(items: &[Item]) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut index = 0;
    for item in items {
        let (kind, media) = match item {
            Item::Text { text } => {
                push_inline(&mut segments, Inline::Text(text));
                continue;
            }
            Item::Markdown { text } => {
                push_inline(&mut segments, Inline::Markdown(text));
                continue;
            }
            Item::At { user } => {
                push_inline(&mut segments, Inline::At(user));
                continue;
            }
            Item::AtAll => {
                push_inline(&mut segments, Inline::AtAll);
                continue;
            }
            Item::Image(media) => (Kind::Image, media),
            Item::Voice(media) => (Kind::Voice, media),
            Item::Video(media) => (Kind::Video, media),
            Item::File(media) => (Kind::File, media),
        };
        segments.push(Segment::Media { kind, media, index });
        index += 1;
    }
    segments
}

fn push_inline<'a>(segments: &mut Vec<Segment<'a>>, inline: Inline<'a>) {
    match segments.last_mut() {
        Some(Segment::Text(run)) => run.push(inline),
        _ => segments.push(Segment::Text(vec![inline])),
    }
}

/// The run as one text, each piece written by `write`: a mention must not grow onto its neighbours, and markdown
/// keeps its own lines.
pub(crate) fn render<'a>(run: &[Inline<'a>], write: impl Fn(Inline<'a>) -> String) -> String {
    let mut out = String::new();
    let mut before: Option<Inline> = None;
    for inline in run {
        let blank = |text: &str, edge: fn(&str) -> Option<char>| edge(text).is_none_or(char::is_whitespace);
        let parted = match (before, inline) {
            (Some(Inline::Text(text)), _) if blank(text, |text| text.chars().next_back()) => true,
            (_, Inline::Text(text)) if blank(text, |text| text.chars().next()) => true,
            _ => false,
        };
        if let (Some(before), false) = (before, parted) {
            out.push_str(gap(before, *inline));
        }
        out.push_str(&write(*inline));
        before = Some(*inline);
    }
    out
}

fn gap(before: Inline, after: Inline) -> &'static str {
    match (before, after) {
        (Inline::Markdown(_), _) | (_, Inline::Markdown(_)) => "\n",
        (Inline::Text(_), Inline::Text(_)) => "",
        _ => " ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_media_alternate_in_reading_order() {
        let image = Media { source: "a.png".into(), ..Media::default() };
        let items = vec![
            Item::Text { text: "a".into() },
            Item::At { user: "u".into() },
            Item::Image(image.clone()),
            Item::Voice(image.clone()),
            Item::AtAll,
        ];
        let body = Body::Mixed { items };
        let expected = vec![
            Segment::Text(vec![Inline::Text("a"), Inline::At("u")]),
            Segment::Media { kind: Kind::Image, media: &image, index: 0 },
            Segment::Media { kind: Kind::Voice, media: &image, index: 1 },
            Segment::Text(vec![Inline::AtAll]),
        ];
        assert_eq!(segments(&body), expected);
    }

    #[test]
    fn pieces_are_joined_as_a_reader_expects() {
        use Inline::{At, AtAll, Markdown, Text};
        let rows: &[(&[Inline], &str)] = &[
            (&[Text("a"), Text("b")], "ab"),
            (&[Text("hi"), At("bo"), Text("now")], "hi @bo now"),
            (&[Text("hi "), At("bo"), At("al"), Text("\nnow")], "hi @bo @al\nnow"),
            (&[AtAll, Text("go")], "@all go"),
            (&[Text("a"), Markdown("*b*"), Text("c")], "a\n*b*\nc"),
            (&[Text(""), At("bo")], "@bo"),
        ];
        for (run, expected) in rows {
            let rendered = render(run, |inline| match inline {
                Text(text) | Markdown(text) => text.to_owned(),
                At(user) => format!("@{user}"),
                AtAll => "@all".to_owned(),
            });
            assert_eq!(rendered, *expected, "{run:?}");
        }
    }
}
