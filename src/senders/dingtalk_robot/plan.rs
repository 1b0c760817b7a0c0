//! From a message to DingTalk's.

use serde_json::{Value, json};

use crate::domain::{Delivery, Kind, MediaFile, is_blank};
use crate::senders::shared::deliver::file;
use crate::senders::shared::failure::Failure;
use crate::senders::shared::parts::{Part, add_note, kind_as};
use crate::senders::shared::segments::{Inline, Segment, render, segments};
use crate::senders::shared::text::{Limit, split};

/// A request has about 20,000 bytes, of which JSON's escapes and the rest of the body take their part.
const TEXT_MAX_JSON_BYTES: usize = 18_000;
const PIECE_LIMIT: Limit = Limit::Bytes(9_000);

/// One message of DingTalk's.
#[derive(Debug, PartialEq)]
pub(super) struct Planned {
    kind: Kind,
    pub body: Value,
    pub note: Option<String>,
}

impl Part for Planned {
    fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// A text alone is a text; whatever else is one markdown, in reading order. Both are cut where they are too long.
pub(super) fn plan(delivery: &Delivery) -> Result<Vec<Planned>, Failure> {
    let segments = segments(&delivery.message.body);
    let mentions = Mentions::of(&segments);
    let mut markdown = Vec::new();
    let mut note = None;
    if let [Segment::Text(run)] = segments.as_slice()
        && !run.iter().any(|inline| matches!(inline, Inline::Markdown(_)))
    {
        return Ok(in_pieces(&render(run, write), &mentions, |text, mentions| Planned {
            kind: Kind::Text,
            body: mentions.put_into(json!({"msgtype": "text", "text": {"content": text}})),
            note: None,
        }));
    }
    for segment in segments {
        match segment {
            Segment::Text(run) => markdown.push(lines(&render(&run, write))),
            Segment::Media { kind, media, index } => {
                markdown.push(link(kind, file(delivery, index)?, index)?);
                add_note(&mut note, kind_as(kind, "link").as_deref());
                markdown.extend(media.caption.as_deref().map(lines));
            }
        }
    }
    markdown.retain(|block| !is_blank(block));
    let kind = delivery.message.body.kind();
    let title = delivery.message.title.as_deref().or(delivery.job.as_deref()).unwrap_or(kind.as_str());
    let message = |text: &str, mentions: &Mentions| Planned {
        kind,
        body: mentions.put_into(json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}})),
        note: note.clone(),
    };
    Ok(in_pieces(&markdown.join("\n\n"), &mentions, message))
}

/// The text whole where it fits, else cut; the first piece calls whoever is to be called.
fn in_pieces(text: &str, mentions: &Mentions, message: impl Fn(&str, &Mentions) -> Planned) -> Vec<Planned> {
    if is_blank(text) {
        return Vec::new();
    }
    let pieces = match json!(text).to_string().len() {
        0..=TEXT_MAX_JSON_BYTES => vec![text],
        _ => split(text, PIECE_LIMIT),
    };
    let nobody = Mentions::default();
    let called = std::iter::once(mentions).chain(std::iter::repeat(&nobody));
    pieces.into_iter().zip(called).map(|(piece, called)| message(piece, called)).collect()
}

/// Markdown joins lines that have no blanks before their end.
fn lines(text: &str) -> String {
    text.replace('\n', "  \n")
}

fn link(kind: Kind, file: &MediaFile, index: usize) -> Result<String, Failure> {
    let Some(url) = &file.url else {
        let error = format!(
            "media {} ('{}'): a custom robot sends a {kind} only by its public address, so its source must be http(s)",
            index + 1,
            file.filename
        );
        return Err(Failure::rejected(error));
    };
    let url = url.replace('(', "%28").replace(')', "%29").replace(' ', "%20");
    let name: String = file.filename.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    let shown = if kind == Kind::Image { "!" } else { "" };
    Ok(format!("{shown}[{name}]({url})"))
}

/// Whom a message calls. The text must name them too, else nobody is told.
#[derive(Clone, Debug, Default)]
struct Mentions {
    mobiles: Vec<String>,
    users: Vec<String>,
    all: bool,
}

impl Mentions {
    fn of(segments: &[Segment]) -> Mentions {
        let mut mentions = Mentions::default();
        let runs = segments.iter().filter_map(|segment| match segment {
            Segment::Text(run) => Some(run),
            Segment::Media { .. } => None,
        });
        for inline in runs.flatten() {
            match inline {
                Inline::At(user) if is_mobile(user) => mentions.mobiles.push((*user).to_owned()),
                Inline::At(user) => mentions.users.push((*user).to_owned()),
                Inline::AtAll => mentions.all = true,
                Inline::Text(_) | Inline::Markdown(_) => {}
            }
        }
        mentions
    }

    fn put_into(&self, mut body: Value) -> Value {
        if self.all || !self.mobiles.is_empty() || !self.users.is_empty() {
            body["at"] = json!({"atMobiles": self.mobiles, "atUserIds": self.users, "isAtAll": self.all});
        }
        body
    }
}

fn write(inline: Inline) -> String {
    match inline {
        Inline::Text(text) | Inline::Markdown(text) => text.to_owned(),
        Inline::At(user) => format!("@{user}"),
        Inline::AtAll => "@all".to_owned(),
    }
}

/// Members are called by user id or by mobile number.
fn is_mobile(user: &str) -> bool {
    user.len() == 11 && user.starts_with('1') && user.bytes().all(|byte| byte.is_ascii_digit())
}
