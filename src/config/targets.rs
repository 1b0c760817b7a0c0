//! `targets:`, whom pushes go to by a name, and the recipients of a push that has several.

use super::decoder::{Decoder, is_name};
use super::diagnostics::Place;
use super::draft::{Ids, Means, Member, RecipientDraft, TargetDraft};
use super::keys::{MOST_RECIPIENTS, TARGET_KEYS};
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::Target;

/// What `to` and the lists of names hold.
const A_NAME: &str = "a name under 'targets'";

/// Something is wrong, and was told.
pub(super) struct Wrong;

impl Decoder<'_> {
    /// The mapping from names to whom they mean, where it stands elsewhere or is written once and used again.
    pub(super) fn targets(&mut self, node: &Node, targets: &mut Vec<TargetDraft>) {
        match node.value() {
            Value::Map(entries) => {
                for entry in entries {
                    targets.extend(self.target_named(&entry.key, entry.key_at, &entry.node));
                }
            }
            _ => {
                self.wrong("targets", node, "a mapping from names to whom they mean");
            }
        }
    }

    /// A name and whom it means. One whose meaning is wrong is there all the same, so that nobody who uses it is told that it
    /// is not.
    pub(super) fn target_named(&mut self, name: &str, name_at: At, node: &Node) -> Option<TargetDraft> {
        if !is_name(name) || name.contains("${") || name == "<<" {
            let expected = "a name of 1 to 128 printable characters without '/' and outer spaces";
            self.error(name_at, format!("targets: expected {expected}, got {}", quoted(name)));
            return None;
        }
        let means = match node.value() {
            Value::List(nodes) => self.members(name, node, nodes),
            _ => self.recipients_of(name, node).map(|draft| Means::Recipients(Box::new(draft))),
        };
        Some(TargetDraft {
            name: name.to_owned(),
            name_at: self.place(name_at),
            means: means.unwrap_or(Means::Unknown),
        })
    }

    /// A list of names, and of mappings where a name is not worth it.
    fn members(&mut self, name: &str, node: &Node, nodes: &[Node]) -> Option<Means> {
        if nodes.is_empty() {
            self.error(node.at, format!("targets: {} has nobody in it", quoted(name)));
            return None;
        }
        let mut members = Vec::with_capacity(nodes.len());
        for node in nodes {
            let member = match node.value() {
                Value::Map(entries) => {
                    if let Some(from) = entries.iter().find(|entry| entry.key == "from") {
                        let hint = "give the list a name of its own under 'targets', and write that name here";
                        self.error(from.key_at, "a list of recipients has no place among others").hint(hint);
                    }
                    self.recipients_of(name, node).map(|draft| Member::Recipients(Box::new(draft)))
                }
                _ => self.name(name, node).map(|name| Member::Name(name, self.place(node.at))),
            };
            members.extend(member);
        }
        (members.len() == nodes.len()).then_some(Means::Members(members))
    }

    /// `{im, group|user, account}`.
    fn recipients_of(&mut self, name: &str, node: &Node) -> Option<RecipientDraft> {
        let Value::Map(entries) = node.value() else {
            self.wrong(name, node, "a mapping with im and group or user, or a list of names");
            return None;
        };
        let errors = self.diagnostics.error_count();
        let (mut im, mut group, mut user, mut account) = (None, None, None, None);
        let entry_of = |key: &str| entries.iter().find(|entry| entry.key == key);
        let (from, at_most) = (entry_of("from"), entry_of("at_most"));
        let list = from.map(|from| self.list(&from.node, at_most.map(|entry| &entry.node)));
        if let Some(at_most) = at_most.filter(|_| from.is_none()) {
            self.error(at_most.key_at, "at_most says how many a list may have: expected a 'from' beside it");
        }
        for entry in entries {
            let value = &entry.node;
            match &*entry.key {
                "from" | "at_most" => {}
                key @ ("group" | "user") if from.is_some() => {
                    let hint = format!("in 'from', {key} names the column with the ids");
                    self.error(entry.key_at, "from says whom it means, so group and user have no place beside it")
                        .hint(hint);
                }
                "im" => im = self.name("im", value).map(|im| (im, self.place(value.at))),
                "group" if !value.is_empty() => group = Some((entry, self.ids("group", value, Target::Group))),
                "user" if !value.is_empty() => user = Some((entry, self.ids("user", value, Target::User))),
                "group" | "user" => {}
                "account" => {
                    let id = self.optional_text("account", value).flatten();
                    account = id.map(|id| (id, self.place(value.at)));
                }
                _ => self.unknown_key(entry, "a target", TARGET_KEYS),
            }
        }
        if !entries.iter().any(|entry| entry.key == "im") {
            self.error(node.at, "a target needs an im").hint("write the im of an account, such as 'im: qq'");
        }
        let ids = match (group, user) {
            (Some((group, _)), Some((user, _))) => {
                let other = self.place(group.key_at);
                self.error(user.key_at, "a target is a group or a user: got both").other("the group is at", other);
                None
            }
            (Some((_, ids)), None) | (None, Some((_, ids))) => ids.ok(),
            (None, None) if from.is_some() => None,
            (None, None) => {
                self.error(node.at, "a target needs a group or a user");
                None
            }
        };
        if self.diagnostics.error_count() > errors {
            return None;
        }
        let (im, im_at) = im?;
        if let (Some(list), Some(from)) = (list, from) {
            let list = list?;
            let ids = vec![(list.target(name), self.place(from.key_at))];
            return Some(RecipientDraft { im, im_at, ids, account, list: Some(Box::new(list.list)) });
        }
        let ids = ids?;
        if ids.is_empty() {
            self.error(node.at, "a target needs a group or a user: its variable holds nothing");
            return None;
        }
        Some(RecipientDraft { im, im_at, ids, account, list: None })
    }

    /// One id, or a list of them; none where a variable holds nothing.
    pub(super) fn ids(&mut self, key: &str, node: &Node, target: fn(String) -> Target) -> Result<Ids, Wrong> {
        let Value::List(nodes) = node.value() else {
            let id = self.target_id(key, node).ok_or(Wrong)?;
            return Ok(id.map(|id| (target(id), self.place(node.at))).into_iter().collect());
        };
        if nodes.is_empty() || nodes.len() > MOST_RECIPIENTS {
            let got = nodes.len();
            self.error(node.at, format!("{key}: expected 1 to {MOST_RECIPIENTS} ids, got {got}"));
            return Err(Wrong);
        }
        let mut ids = Vec::with_capacity(nodes.len());
        for node in nodes {
            match self.target_id(key, node) {
                Some(Some(id)) => ids.push((target(id), self.place(node.at))),
                Some(None) => {
                    self.error(node.at, format!("{key}: expected an id, got nothing"));
                }
                None => {}
            }
        }
        if ids.len() == nodes.len() { Ok(ids) } else { Err(Wrong) }
    }

    /// The names of `to`.
    pub(super) fn names(&mut self, key: &str, node: &Node) -> Option<Vec<(String, Place)>> {
        let one = std::slice::from_ref(node);
        let nodes = match node.value() {
            Value::List(nodes) if nodes.is_empty() => {
                self.error(node.at, format!("{key}: expected {A_NAME}, got an empty list"));
                return None;
            }
            Value::List(nodes) => nodes,
            _ => one,
        };
        let mut names = Vec::with_capacity(nodes.len());
        for node in nodes {
            if let Value::Map(_) = node.value() {
                self.error(node.at, format!("{key}: expected {A_NAME}, got a mapping"))
                    .hint("give it a name under 'targets', or write im and group or user in the push itself");
                continue;
            }
            names.extend(self.name(key, node).map(|name| (name, self.place(node.at))));
        }
        (names.len() == nodes.len()).then_some(names)
    }

    /// Whom a push goes to by `to`, and nothing beside it.
    pub(super) fn refuse_beside_to(&mut self, to: &Entry, beside: &Entry) -> At {
        let other = self.place(to.key_at);
        let message = format!("to says whom the push goes to, so {} has no place beside it", beside.key);
        self.error(beside.key_at, message).other("to is at", other);
        to.node.at
    }
}
