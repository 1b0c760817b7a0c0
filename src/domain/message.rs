//! What a push says and to whom.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The six kinds of content; a push has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Image,
    Voice,
    Video,
    File,
    Mixed,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Text, Kind::Image, Kind::Voice, Kind::Video, Kind::File, Kind::Mixed];

    /// The word used in YAML, tables and verbs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Image => "image",
            Kind::Voice => "voice",
            Kind::Video => "video",
            Kind::File => "file",
            Kind::Mixed => "mixed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The content of one push, in the very form that `pushes.message` stores as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// A note: fills the protocol's title field where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(flatten)]
    pub body: Body,
}

/// One kind of content and what it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    Text { text: String },
    Image(Media),
    Voice(Media),
    Video(Media),
    File(Media),
    Mixed { items: Vec<Item> },
}

/// A media content: where it comes from and how it is to appear.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// `http(s)://…`, an absolute or relative path, `base64://…`, `data:…;base64,…`, or `blob:SHA256` for inline
    /// content that the store keeps once.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The still of a video: a source like any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
}

/// One item of a mixed message; the order of items is the order of reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    Text { text: String },
    Markdown { text: String },
    Image(Media),
    Voice(Media),
    Video(Media),
    File(Media),
    At { user: String },
    AtAll,
}

impl Body {
    pub fn kind(&self) -> Kind {
        match self {
            Body::Text { .. } => Kind::Text,
            Body::Image(_) => Kind::Image,
            Body::Voice(_) => Kind::Voice,
            Body::Video(_) => Kind::Video,
            Body::File(_) => Kind::File,
            Body::Mixed { .. } => Kind::Mixed,
        }
    }

    /// Every media of the content in reading order: the order in which resolved files are handed to a sender.
    pub fn media(&self) -> Vec<&Media> {
        match self {
            Body::Text { .. } => Vec::new(),
            Body::Image(m) | Body::Voice(m) | Body::Video(m) | Body::File(m) => vec![m],
            Body::Mixed { items } => items.iter().filter_map(Item::media).collect(),
        }
    }

    /// As [`Body::media`], to rewrite sources in place (inline content becomes `blob:…`, paths become absolute).
    pub fn media_mut(&mut self) -> Vec<&mut Media> {
        match self {
            Body::Text { .. } => Vec::new(),
            Body::Image(m) | Body::Voice(m) | Body::Video(m) | Body::File(m) => vec![m],
            Body::Mixed { items } => items.iter_mut().filter_map(Item::media_mut).collect(),
        }
    }
}

impl Item {
    pub fn media(&self) -> Option<&Media> {
        match self {
            Item::Image(m) | Item::Voice(m) | Item::Video(m) | Item::File(m) => Some(m),
            Item::Text { .. } | Item::Markdown { .. } | Item::At { .. } | Item::AtAll => None,
        }
    }

    fn media_mut(&mut self) -> Option<&mut Media> {
        match self {
            Item::Image(m) | Item::Voice(m) | Item::Video(m) | Item::File(m) => Some(m),
            Item::Text { .. } | Item::Markdown { .. } | Item::At { .. } | Item::AtAll => None,
        }
    }

    /// The word that YAML uses for `type:`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Item::Text { .. } => "text",
            Item::Markdown { .. } => "markdown",
            Item::Image(_) => "image",
            Item::Voice(_) => "voice",
            Item::Video(_) => "video",
            Item::File(_) => "file",
            Item::At { .. } => "at",
            Item::AtAll => "at_all",
        }
    }
}

/// Whom a push reaches inside an IM: `group:123456` or `user:10001`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Group(String),
    User(String),
}

impl Target {
    pub fn id(&self) -> &str {
        match self {
            Target::Group(id) | Target::User(id) => id,
        }
    }

    pub fn is_group(&self) -> bool {
        matches!(self, Target::Group(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Group(id) => write!(f, "group:{id}"),
            Target::User(id) => write!(f, "user:{id}"),
        }
    }
}

/// The text was neither `group:ID` nor `user:ID`.
#[derive(Debug, thiserror::Error)]
#[error("expected group:ID or user:ID, got '{0}'")]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;
    fn from_str(text: &str) -> Result<Self, NotATarget> {
        match text.split_once(':') {
            Some(("group", id)) if !id.is_empty() => Ok(Target::Group(id.to_owned())),
            Some(("user", id)) if !id.is_empty() => Ok(Target::User(id.to_owned())),
            _ => Err(NotATarget(text.to_owned())),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether nobody sees a character: what Unicode has for joining, direction and filling.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether there is nothing to see in a text: blanks, controls, and what Unicode has for joining, direction and filling.
/// Platforms refuse such messages, or show an empty bubble.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_from_the_json_that_the_table_holds() {
        let image = Message {
            title: Some("t".into()),
            body: Body::Image(Media { source: "a.png".into(), caption: Some("c".into()), ..Media::default() }),
        };
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(json, r#"{"title":"t","kind":"image","source":"a.png","caption":"c"}"#);
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), image);

        let mixed = Message {
            title: None,
            body: Body::Mixed {
                items: vec![Item::Text { text: "a".into() }, Item::AtAll, Item::At { user: "1".into() }],
            },
        };
        let json = serde_json::to_string(&mixed).unwrap();
        assert_eq!(
            json,
            r#"{"kind":"mixed","items":[{"type":"text","text":"a"},{"type":"at_all"},{"type":"at","user":"1"}]}"#
        );
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), mixed);
    }

    #[test]
    fn a_target_keeps_colons_of_its_id() {
        let room: Target = "group:!abc:im.test".parse().unwrap();
        assert_eq!(room, Target::Group("!abc:im.test".into()));
        assert_eq!(room.to_string(), "group:!abc:im.test");
        assert!("group:".parse::<Target>().is_err());
        assert!("10001".parse::<Target>().is_err());
    }
}
