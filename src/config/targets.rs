//! `targets:`, whom pushes go to by a name, and the recipients of a push that has several.

use super::decoder::{Decoder, is_name};
use super::diagnostics::Place;
use super::draft::{Ids, Means, Member, RecipientDraft, TargetDraft};
use super::keys::{MOST_RECIPIENTS, TARGET_KEYS};
use super::text::quoted;
use super::yaml::{At, Entry, Node, Value};
use crate::domain::Target;
use crate::texts::{self, Text};

/// What `to` and the lists of names hold.
const A_NAME: fn() -> Text = texts::a_target_name;

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
                self.wrong("targets", node, texts::targets_form());
            }
        }
    }

    /// A name and whom it means. One whose meaning is wrong is there all the same, so that nobody who uses it is told that it
    /// is not.
    pub(super) fn target_named(&mut self, name: &str, name_at: At, node: &Node) -> Option<TargetDraft> {
        if !is_name(name) || name.contains("${") || name == "<<" {
            let got = texts::got_value(quoted(name));
            self.error(name_at, texts::expected_got("targets", texts::a_name(), got));
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
            self.error(node.at, texts::target_is_empty(quoted(name)));
            return None;
        }
        let mut members = Vec::with_capacity(nodes.len());
        for node in nodes {
            let member = match node.value() {
                Value::Map(entries) => {
                    if let Some(from) = entries.iter().find(|entry| entry.key == "from") {
                        let hint = texts::name_the_list();
                        self.error(from.key_at, texts::list_among_others()).hint(hint);
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
            self.wrong(name, node, texts::target_form());
            return None;
        };
        let errors = self.diagnostics.error_count();
        let (mut im, mut group, mut user, mut account) = (None, None, None, None);
        let entry_of = |key: &str| entries.iter().find(|entry| entry.key == key);
        let (from, at_most) = (entry_of("from"), entry_of("at_most"));
        let list = from.map(|from| self.list(&from.node, at_most.map(|entry| &entry.node)));
        if let Some(at_most) = at_most.filter(|_| from.is_none()) {
            self.error(at_most.key_at, texts::at_most_without_from());
        }
        for entry in entries {
            let value = &entry.node;
            match &*entry.key {
                "from" | "at_most" => {}
                key @ ("group" | "user") if from.is_some() => {
                    let hint = texts::column_in_from(key);
                    self.error(entry.key_at, texts::from_stands_alone()).hint(hint);
                }
                "im" => im = self.name("im", value).map(|im| (im, self.place(value.at))),
                "group" if !value.is_empty() => group = Some((entry, self.ids("group", value, Target::Group))),
                "user" if !value.is_empty() => user = Some((entry, self.ids("user", value, Target::User))),
                "group" | "user" => {}
                "account" => {
                    let id = self.optional_text("account", value).flatten();
                    account = id.map(|id| (id, self.place(value.at)));
                }
                _ => self.unknown_key(entry, texts::a_target(), TARGET_KEYS),
            }
        }
        if !entries.iter().any(|entry| entry.key == "im") {
            self.error(node.at, texts::target_needs_an_im()).hint(texts::write_the_im());
        }
        let ids = match (group, user) {
            (Some((group, _)), Some((user, _))) => {
                let other = self.place(group.key_at);
                self.error(user.key_at, texts::target_has_both()).other(texts::group_is_at(), other);
                None
            }
            (Some((_, ids)), None) | (None, Some((_, ids))) => ids.ok(),
            (None, None) if from.is_some() => None,
            (None, None) => {
                self.error(node.at, texts::target_needs_one());
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
            self.error(node.at, texts::target_variable_empty());
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
            self.error(node.at, texts::wrong_count_of_ids(key, MOST_RECIPIENTS, got));
            return Err(Wrong);
        }
        let mut ids = Vec::with_capacity(nodes.len());
        for node in nodes {
            match self.target_id(key, node) {
                Some(Some(id)) => ids.push((target(id), self.place(node.at))),
                Some(None) => {
                    self.error(node.at, texts::expected_got(key, texts::an_id_of_any(), texts::nothing()));
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
                self.error(node.at, texts::expected_got(key, A_NAME(), texts::an_empty_list()));
                return None;
            }
            Value::List(nodes) => nodes,
            _ => one,
        };
        let mut names = Vec::with_capacity(nodes.len());
        for node in nodes {
            if let Value::Map(_) = node.value() {
                self.error(node.at, texts::expected_got(key, A_NAME(), texts::a_mapping()))
                    .hint(texts::name_the_target());
                continue;
            }
            names.extend(self.name(key, node).map(|name| (name, self.place(node.at))));
        }
        (names.len() == nodes.len()).then_some(names)
    }

    /// Whom a push goes to by `to`, and nothing beside it.
    pub(super) fn refuse_beside_to(&mut self, to: &Entry, beside: &Entry) -> At {
        let other = self.place(to.key_at);
        let message = texts::to_stands_alone(&beside.key);
        self.error(beside.key_at, message).other(texts::to_is_at(), other);
        to.node.at
    }
}
