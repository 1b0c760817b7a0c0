//! Items of a mixed message: each tells what it is by `type`, or by the key of its content.

use super::decoder::Decoder;
use super::keys::SOURCES;
use super::yaml::{Entry, Node, Value};
use crate::domain::{Item, Media};
use crate::texts::{self, Text};

/// Every type of an item of a mixed message; each is also the key of an item that names no type.
const ITEM_TYPES: [&str; 8] = ["text", "markdown", "image", "voice", "video", "file", "at", "at_all"];

impl Decoder<'_> {
    pub(super) fn items(&mut self, key: &str, node: &Node) -> Option<Vec<Item>> {
        let Value::List(nodes) = node.value() else {
            self.wrong(key, node, texts::a_list_of_items());
            return None;
        };
        if nodes.is_empty() {
            self.error(node.at, texts::no_items(key));
            return None;
        }
        let items: Vec<Option<Item>> =
            nodes.iter().enumerate().map(|(index, node)| self.item(&format!("{key}[{index}]"), node)).collect();
        items.into_iter().collect()
    }

    /// One item of a mixed message. `owner` names it with its index.
    fn item(&mut self, owner: &str, node: &Node) -> Option<Item> {
        let entries = self.map(owner, node)?;
        let type_entry = entries.iter().find(|entry| entry.key == "type");
        let (kind, own) = match type_entry {
            Some(entry) => {
                let types = ITEM_TYPES.map(|name| (name, name));
                (self.choice(&format!("{owner}: type"), &entry.node, &types)?, None)
            }
            None => {
                let mut typed = entries.iter().filter_map(|entry| item_type(&entry.key).map(|kind| (kind, entry)));
                let Some((kind, entry)) = typed.next() else {
                    let message = texts::item_needs_a_type(owner, ITEM_TYPES.join(", "));
                    self.error(node.at, message);
                    return None;
                };
                if let Some((other, entry)) = typed.next() {
                    self.error(entry.key_at, texts::item_is_two_things(owner, kind, other));
                    return None;
                }
                (kind, Some(entry))
            }
        };
        let rest: Vec<&Entry> = entries.iter().filter(|entry| entry.key != "type" && !is_same(own, entry)).collect();
        match kind {
            "text" | "markdown" => self.text_item(owner, kind, own, &rest, node),
            "at" => self.at_item(owner, own, &rest, node),
            "at_all" => {
                let wanted = own.is_none_or(|entry| self.bool("at_all", &entry.node) == Some(true));
                if !wanted {
                    self.error(node.at, texts::at_all_true(owner));
                }
                (self.no_more(owner, &rest, &[]) && wanted).then_some(Item::AtAll)
            }
            _ => self.media_item(owner, kind, own, &rest, node),
        }
    }

    fn text_item(
        &mut self,
        owner: &str,
        kind: &str,
        own: Option<&Entry>,
        rest: &[&Entry],
        node: &Node,
    ) -> Option<Item> {
        let (entry, rest) = own_or(own, rest, &["text", "content"]);
        let Some(entry) = entry.filter(|entry| !entry.node.is_empty()) else {
            self.error(node.at, texts::expected(owner, texts::a_text()));
            return None;
        };
        self.warn_of_cut(entry);
        let text = self.text(&format!("{owner}: {}", entry.key), &entry.node);
        let alone = self.no_more(owner, &rest, &["text"]);
        let text = text?.into_owned();
        alone.then(|| if kind == "text" { Item::Text { text } } else { Item::Markdown { text } })
    }

    fn at_item(&mut self, owner: &str, own: Option<&Entry>, rest: &[&Entry], node: &Node) -> Option<Item> {
        let (entry, rest) = own_or(own, rest, &["user", "userID", "user_id"]);
        let Some(entry) = entry.filter(|entry| !entry.node.is_empty()) else {
            self.error(node.at, texts::expected(owner, texts::a_user()));
            return None;
        };
        let user = self.target_id(&format!("{owner}: {}", entry.key), &entry.node);
        let alone = self.no_more(owner, &rest, &["user"]);
        let user = user??;
        alone.then_some(Item::At { user })
    }

    fn media_item(
        &mut self,
        owner: &str,
        kind: &str,
        own: Option<&Entry>,
        rest: &[&Entry],
        node: &Node,
    ) -> Option<Item> {
        let mut media = match own {
            Some(entry) => self.media(&format!("{owner}: {}", entry.key), &entry.node)?,
            None => Media::default(),
        };
        let mut complete = true;
        for entry in rest {
            // With `type: image` the SDK still writes `imageUrl`, and its runtime `url`, `path` or `file`.
            let is_source = item_type(&entry.key) == Some(kind) || SOURCES.contains(&&*entry.key);
            if own.is_none() && is_source {
                if !media.source.is_empty() {
                    self.error(entry.key_at, texts::source_twice(owner));
                }
                let source = self.source(&format!("{owner}: {}", entry.key), &entry.node);
                complete &= source.map(|source| media.source = source).is_some();
            } else {
                complete &= self.media_key(owner, entry, &mut media);
            }
        }
        if !complete {
            return None;
        }
        if media.source.is_empty() {
            self.error(node.at, texts::expected(owner, texts::a_source()));
            return None;
        }
        Some(match kind {
            "image" => Item::Image(media),
            "voice" => Item::Voice(media),
            "video" => Item::Video(media),
            _ => Item::File(media),
        })
    }

    /// Refuses what is left over. Returns whether nothing was.
    fn no_more(&mut self, owner: &str, rest: &[&Entry], known: &[&'static str]) -> bool {
        for entry in rest {
            self.unknown_key(entry, Text::same(owner.to_owned()), known.iter().copied());
        }
        rest.is_empty()
    }
}

/// The type of an item that this key tells.
fn item_type(key: &str) -> Option<&'static str> {
    match key {
        "content" => Some("text"),
        "imageUrl" => Some("image"),
        "voiceUrl" => Some("voice"),
        "videoUrl" => Some("video"),
        "fileUrl" => Some("file"),
        _ => ITEM_TYPES.into_iter().find(|name| *name == key),
    }
}

/// The entry that tells the type, else the first one with one of these keys; and the others.
fn own_or<'n, 's>(
    own: Option<&'n Entry<'s>>,
    rest: &[&'n Entry<'s>],
    keys: &[&str],
) -> (Option<&'n Entry<'s>>, Vec<&'n Entry<'s>>) {
    let entry = own.or_else(|| rest.iter().find(|entry| keys.contains(&&*entry.key)).copied());
    (entry, rest.iter().filter(|other| !is_same(entry, other)).copied().collect())
}

fn is_same(entry: Option<&Entry>, other: &Entry) -> bool {
    entry.is_some_and(|entry| std::ptr::eq(entry, other))
}
