//! A message as OneBot takes it: what may stand together in one send and what must go alone (qq.md §2.5).

use crate::domain::{Body, Item, Kind, Message, is_blank};
use crate::senders::shared::markdown::to_plain;
use crate::senders::shared::parts::Part;
use crate::senders::shared::segments::{Inline, Segment, segments};
use crate::senders::shared::text::{Limit, split};

/// QQ's own limit is not published; 4500 characters and 50 images are what the older clients measured (qq.md §5.1).
const TEXT_LIMIT: usize = 4000;
const IMAGE_LIMIT: usize = 50;

/// What one call sends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Send {
    /// Texts, images and mentions in one message.
    Together(Vec<Piece>),
    /// A voice, video or file: the media at `index` of [`Body::media`], alone in its message.
    Alone { kind: Kind, index: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    At(String),
    AtAll,
    /// The media at this index of [`Body::media`].
    Image(usize),
}

impl Send {
    /// Text alone, for which every implementation does the same.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Send::Together(pieces) if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))))
    }
}

impl Part for Send {
    fn kind(&self) -> &'static str {
        match self {
            Send::Alone { kind, .. } => kind.as_str(),
            Send::Together(pieces) => {
                let is_image = |piece: &Piece| matches!(piece, Piece::Image(_));
                match (pieces.iter().any(is_image), pieces.iter().all(is_image)) {
                    (true, true) => "image",
                    (true, false) => "mixed",
                    (false, _) => "text",
                }
            }
        }
    }
}

/// What a message is told in words for want of anything better.
pub(super) fn notes(message: &Message, to_group: bool) -> Vec<&'static str> {
    let Body::Mixed { items } = &message.body else { return Vec::new() };
    let is_mention = |item: &Item| matches!(item, Item::At { .. } | Item::AtAll);
    let has_markdown = items.iter().any(|item| matches!(item, Item::Markdown { .. }));
    let mentions_in_private = !to_group && items.iter().any(is_mention);
    let notes = [(has_markdown, "markdown as text"), (mentions_in_private, "mentions as text")];
    notes.into_iter().filter_map(|(applies, note)| applies.then_some(note)).collect()
}

/// The sends of a message, in reading order.
pub(super) fn plan(message: &Message) -> Vec<Send> {
    let mut plan = Plan::default();
    for segment in segments(&message.body) {
        match segment {
            Segment::Text(run) => run.into_iter().for_each(|inline| plan.inline(inline)),
            Segment::Media { kind: Kind::Image, media, index } => plan.image(index, media.caption.as_deref()),
            Segment::Media { kind, media, index } => plan.alone(kind, index, media.caption.as_deref()),
        }
    }
    plan.end_message();
    plan.sends
}

#[derive(Default)]
struct Plan {
    sends: Vec<Send>,
    open: Vec<Piece>,
    chars: usize,
    images: usize,
}

impl Plan {
    fn inline(&mut self, inline: Inline) {
        match inline {
            Inline::Text(text) => self.text(text),
            Inline::Markdown(text) => self.text(&to_plain(text)),
            Inline::At(user) => self.open.push(Piece::At(user.to_owned())),
            Inline::AtAll => self.open.push(Piece::AtAll),
        }
    }

    fn text(&mut self, text: &str) {
        let follows_mention = matches!(self.open.last(), Some(Piece::At(_) | Piece::AtAll));
        let gap = if follows_mention && !text.starts_with(char::is_whitespace) { " " } else { "" };
        let text = format!("{gap}{text}");
        let limit = Limit::Chars(TEXT_LIMIT);
        if self.chars > 0 && self.chars + limit.measure(&text) > TEXT_LIMIT {
            self.end_message();
        }
        for (index, part) in split(&text, limit).into_iter().enumerate() {
            if index > 0 {
                self.end_message();
            }
            self.chars += limit.measure(part);
            // LLBot drops empty texts, and a message of nothing else is an error.
            if !part.is_empty() {
                self.open.push(Piece::Text(part.to_owned()));
            }
        }
    }

    fn image(&mut self, index: usize, caption: Option<&str>) {
        if self.images == IMAGE_LIMIT {
            self.end_message();
        }
        self.open.push(Piece::Image(index));
        self.images += 1;
        if let Some(caption) = caption {
            self.text(caption);
        }
    }

    fn alone(&mut self, kind: Kind, index: usize, caption: Option<&str>) {
        if let Some(caption) = caption {
            self.text(caption);
        }
        self.end_message();
        self.sends.push(Send::Alone { kind, index });
    }

    fn end_message(&mut self) {
        let open = std::mem::take(&mut self.open);
        if !open.iter().all(|piece| matches!(piece, Piece::Text(text) if is_blank(text))) {
            self.sends.push(Send::Together(open));
        }
        (self.chars, self.images) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Media;

    fn text(text: &str) -> Item {
        Item::Text { text: text.into() }
    }

    fn at() -> Item {
        Item::At { user: "7".into() }
    }

    fn media(caption: Option<&str>) -> Media {
        Media { caption: caption.map(str::to_owned), ..Media::default() }
    }

    /// The sends in short: pieces joined by `+`, images and lone media with their index.
    fn short(message: &Message) -> Vec<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => format!("'{text}'"),
            Piece::At(user) => format!("@{user}"),
            Piece::AtAll => "@all".to_owned(),
            Piece::Image(index) => format!("image#{index}"),
        };
        let send = |send: &Send| match send {
            Send::Together(pieces) => pieces.iter().map(piece).collect::<Vec<_>>().join("+"),
            Send::Alone { kind, index } => format!("{kind}#{index}"),
        };
        plan(message).iter().map(send).collect()
    }

    #[test]
    fn what_may_stand_together_does_and_the_rest_goes_alone_in_its_place() {
        let image = || Item::Image(media(None));
        let rows: Vec<(Vec<Item>, &[&str])> = vec![
            (vec![text("a"), image(), at(), text("b")], &["'a'+image#0+@7+' b'"]),
            (vec![at(), text(" b")], &["@7+' b'"]),
            (vec![Item::AtAll, text("b")], &["@all+' b'"]),
            (vec![text("a"), Item::Voice(media(None)), text("b")], &["'a'", "voice#0", "'b'"]),
            (vec![image(), Item::File(media(Some("c"))), image()], &["image#0+'c'", "file#1", "image#2"]),
            (vec![Item::Video(media(None)), Item::Video(media(None))], &["video#0", "video#1"]),
            (vec![text(""), image()], &["image#0"]),
            (vec![Item::Markdown { text: "*a*".into() }], &["'a'"]),
        ];
        for (items, expected) in rows {
            let message = Message { title: None, body: Body::Mixed { items } };
            assert_eq!(short(&message), expected, "{message:?}");
        }
        let rows: Vec<(Body, &[&str])> = vec![
            (Body::Text { text: "a".into() }, &["'a'"]),
            (Body::Text { text: "".into() }, &[]),
            (Body::Image(media(Some("c"))), &["image#0+'c'"]),
            (Body::Voice(media(None)), &["voice#0"]),
            (Body::Video(media(Some("c"))), &["'c'", "video#0"]),
        ];
        for (body, expected) in rows {
            let message = Message { title: None, body };
            assert_eq!(short(&message), expected, "{message:?}");
        }
    }

    #[test]
    fn a_message_over_the_limits_becomes_several() {
        let lengths = |items: Vec<Item>| -> Vec<usize> {
            let sends = plan(&Message { title: None, body: Body::Mixed { items } });
            let chars = |piece: &Piece| if let Piece::Text(text) = piece { text.chars().count() } else { 1 };
            let length = |send: &Send| match send {
                Send::Together(pieces) => pieces.iter().map(chars).sum(),
                Send::Alone { .. } => 0,
            };
            sends.iter().map(length).collect()
        };
        let chinese = |count| text(&"字".repeat(count));
        assert_eq!(lengths(vec![chinese(4000)]), [4000]);
        assert_eq!(lengths(vec![chinese(4001)]), [4000, 1]);
        assert_eq!(lengths(vec![chinese(9000)]), [4000, 4000, 1000]);
        assert_eq!(lengths(vec![chinese(3000), chinese(2000)]), [3000, 2000]);
        assert_eq!(lengths(vec![Item::Image(media(None)); 51]), [50, 1]);
    }

    #[test]
    fn parts_are_named_after_what_they_hold() {
        let kind = |pieces| Send::Together(pieces).kind();
        assert_eq!(kind(vec![Piece::Image(0)]), "image");
        assert_eq!(kind(vec![Piece::Image(0), Piece::AtAll]), "mixed");
        assert_eq!(kind(vec![Piece::At("7".into())]), "text");
        assert_eq!(Send::Alone { kind: Kind::Video, index: 0 }.kind(), "video");
    }
}
