//! From a message to Feishu's messages.

use serde_json::{Value, json};

use crate::domain::{Delivery, Kind, MediaFile, Message, is_blank};
use crate::senders::shared::deliver::file;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::parts::{Part, add_note};
use crate::senders::shared::segments::{Inline, Segment, render, segments};
use crate::senders::shared::text::{Limit, split};

const IMAGE_MAX_BYTES: u64 = 10 * 1024 * 1024;
/// What an image's tag adds to a post, whose size is reckoned before the upload gives its key.
const IMAGE_TAG_BYTES: usize = 160;

const MARKDOWN_AS_TEXT: &str = "markdown as text";

/// One message of Feishu's.
#[derive(Clone, Debug)]
pub(crate) struct Planned<'a> {
    pub content: Content<'a>,
    /// What the user asked for.
    pub kind: Kind,
    /// In what other form than asked for it goes out.
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content<'a> {
    Text(String),
    Post { title: String, lines: Vec<Vec<Element<'a>>> },
    Image(&'a MediaFile),
    Audio { file: &'a MediaFile, duration_ms: u64 },
    Video(&'a MediaFile),
    File(&'a MediaFile),
}

/// A piece of a post.
#[derive(Clone, Debug)]
pub(crate) enum Element<'a> {
    Tag(Value),
    Image(&'a MediaFile),
}

/// How a media takes part.
pub(crate) enum Place<'a> {
    InPost(Element<'a>),
    Alone(Content<'a>),
}

/// The place of a media, and in what other form than asked for it goes out.
pub(crate) type Placed<'a> = (Place<'a>, Option<String>);

impl Part for Planned<'_> {
    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// What one of the two senders allows.
pub(crate) struct Rules {
    /// Bytes of a post and of a text as [`Rules::measure`] counts them.
    pub post_max: usize,
    pub text_max: usize,
    pub measure: fn(&Value) -> usize,
    /// The most that escaping makes of one byte, for cutting what is too long.
    pub escape_factor: usize,
    /// Whether posts may hold markdown.
    pub markdown: bool,
}

/// The messages of a delivery in reading order; `place` says how each media takes part, and in what other form than
/// asked for.
///
/// # Errors
/// A media that cannot be carried at all, or whose file is not there.
pub(crate) fn plan<'a>(
    delivery: &'a Delivery,
    rules: &Rules,
    mut place: impl FnMut(Kind, &'a MediaFile, usize) -> Result<Placed<'a>, Failure>,
) -> Result<Vec<Planned<'a>>, Failure> {
    let Message { title, body } = &delivery.message;
    let mut planner = Planner { rules, title: title.as_deref(), open: Vec::new(), planned: Vec::new() };
    for segment in segments(body) {
        match segment {
            Segment::Text(run) => planner.open.push(Block::Run(run)),
            Segment::Media { kind, media, index } => {
                let (place, note) = place(kind, file(delivery, index)?, index)?;
                match place {
                    Place::InPost(element) => planner.open.push(Block::Media { kind, element, note }),
                    Place::Alone(content) => {
                        planner.close();
                        planner.planned.push(Planned { content, kind, note });
                    }
                }
                if let Some(caption) = &media.caption {
                    planner.open.push(Block::Run(vec![Inline::Text(caption)]));
                }
            }
        }
    }
    planner.close();
    Ok(planner.planned)
}

enum Block<'a> {
    Run(Vec<Inline<'a>>),
    Media { kind: Kind, element: Element<'a>, note: Option<String> },
}

struct Planner<'a, 'r> {
    rules: &'r Rules,
    /// Until a post has taken it.
    title: Option<&'a str>,
    /// What the message under way will hold.
    open: Vec<Block<'a>>,
    planned: Vec<Planned<'a>>,
}

impl<'a> Planner<'a, '_> {
    fn close(&mut self) {
        let mut blocks = std::mem::take(&mut self.open);
        blocks.retain(|block| !matches!(block, Block::Run(run) if shows_nothing(run)));
        match blocks.as_slice() {
            [] => {}
            [Block::Run(run)] if self.title.is_none() && !(self.rules.markdown && has_markdown(run)) => self.text(run),
            [Block::Media { element: Element::Image(image), note, .. }] if self.title.is_none() => {
                self.planned.push(Planned { content: Content::Image(image), kind: Kind::Image, note: note.clone() });
            }
            _ => self.posts(blocks),
        }
    }

    fn text(&mut self, run: &[Inline]) {
        let text = render(run, |inline| match inline {
            Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
            Inline::At(user) => format!("<at user_id=\"{user}\"></at>"),
            Inline::AtAll => "<at user_id=\"all\"></at>".to_owned(),
        });
        let note = has_markdown(run).then(|| MARKDOWN_AS_TEXT.to_owned());
        let pieces = self.pieces(&text, self.rules.text_max);
        let planned =
            |piece: &str| Planned { content: Content::Text(piece.to_owned()), kind: Kind::Text, note: note.clone() };
        self.planned.extend(pieces.into_iter().map(planned));
    }

    /// The text whole where it fits, else in pieces that fit even if every byte must be escaped.
    fn pieces<'t>(&self, text: &'t str, max: usize) -> Vec<&'t str> {
        if (self.rules.measure)(&json!(text)) <= max {
            return vec![text];
        }
        split(text, Limit::Bytes(max / self.rules.escape_factor))
    }

    /// The blocks as one post, or as several where they are too large for one.
    fn posts(&mut self, blocks: Vec<Block<'a>>) {
        let kind = match blocks.as_slice() {
            [Block::Media { kind, .. }, ..] => *kind,
            _ => Kind::Text,
        };
        let mut note = None;
        let mut lines = Vec::new();
        for block in blocks {
            match block {
                Block::Run(run) => {
                    if has_markdown(&run) && !self.rules.markdown {
                        add_note(&mut note, Some(MARKDOWN_AS_TEXT));
                    }
                    self.lines_of(&run, &mut lines);
                }
                Block::Media { element, note: said, .. } => {
                    add_note(&mut note, said.as_deref());
                    lines.push(vec![element]);
                }
            }
        }
        let title = self.title.take().unwrap_or_default().to_owned();
        let mut post: Vec<Vec<Element>> = Vec::new();
        let mut size = (self.rules.measure)(&json!(title));
        let mut titles = std::iter::once(title).chain(std::iter::repeat(String::new()));
        let mut finished = Vec::new();
        for line in lines {
            let more = self.size_of(&line);
            if size + more > self.rules.post_max && !post.is_empty() {
                finished.push(std::mem::take(&mut post));
                size = 0;
            }
            size += more;
            post.push(line);
        }
        finished.push(post);
        for lines in finished {
            let title = titles.next().unwrap_or_default();
            self.planned.push(Planned { content: Content::Post { title, lines }, kind, note: note.clone() });
        }
    }

    fn size_of(&self, line: &[Element]) -> usize {
        let element = |element: &Element| match element {
            Element::Tag(tag) => (self.rules.measure)(tag),
            Element::Image(_) => IMAGE_TAG_BYTES,
        };
        line.iter().map(element).sum::<usize>() + 8
    }

    /// The run as lines of a post. Mentions stand between blanks.
    fn lines_of(&self, run: &[Inline], lines: &mut Vec<Vec<Element<'a>>>) {
        // Half of what a post may have, so that each piece has a line of its own.
        let piece_max = self.rules.post_max / 2;
        let mut line: Vec<Element> = Vec::new();
        for inline in run {
            match inline {
                Inline::Text(text) => self.text_lines(text, &mut line, lines),
                Inline::Markdown(text) if self.rules.markdown => {
                    if !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                    }
                    let tag = |piece: &str| vec![Element::Tag(json!({"tag": "md", "text": piece}))];
                    lines.extend(self.pieces(text, piece_max).into_iter().map(tag));
                }
                Inline::Markdown(text) => {
                    if !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                    }
                    self.text_lines(text, &mut line, lines);
                    lines.push(std::mem::take(&mut line));
                }
                Inline::At(user) => at(user, &mut line),
                Inline::AtAll => at("all", &mut line),
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }

    fn text_lines(&self, text: &str, line: &mut Vec<Element<'a>>, lines: &mut Vec<Vec<Element<'a>>>) {
        for (number, text) in text.split('\n').enumerate() {
            if number > 0 {
                lines.push(std::mem::take(line));
            }
            let after_mention = matches!(line.last(), Some(Element::Tag(tag)) if tag["tag"] == "at");
            for (number, piece) in self.pieces(text, self.rules.post_max / 2).into_iter().enumerate() {
                if number > 0 {
                    lines.push(std::mem::take(line));
                }
                let blank =
                    if number == 0 && after_mention && !piece.starts_with(char::is_whitespace) { " " } else { "" };
                line.push(Element::Tag(json!({"tag": "text", "text": format!("{blank}{piece}")})));
            }
        }
    }
}

fn at(user: &str, line: &mut Vec<Element>) {
    let parted = match line.last() {
        Some(Element::Tag(tag)) => {
            tag["text"].as_str().is_some_and(|text| text.is_empty() || text.ends_with(char::is_whitespace))
        }
        _ => true,
    };
    if !parted {
        line.push(Element::Tag(json!({"tag": "text", "text": " "})));
    }
    line.push(Element::Tag(json!({"tag": "at", "user_id": user})));
}

fn shows_nothing(run: &[Inline]) -> bool {
    run.iter().all(|inline| matches!(inline, Inline::Text(text) | Inline::Markdown(text) if is_blank(text)))
}

fn has_markdown(run: &[Inline]) -> bool {
    run.iter().any(|inline| matches!(inline, Inline::Markdown(_)))
}

/// Whether Feishu shows this file as a picture.
pub(crate) fn is_image(file: &MediaFile) -> bool {
    let shown = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/x-icon"];
    file.len <= IMAGE_MAX_BYTES && shown.contains(&file.mime_type.as_str())
}
