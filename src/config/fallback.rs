//! `fallback:` of a push: who gets the same message once it has ended badly.

use super::decoder::Decoder;
use super::draft::FallbackDraft;
use super::keys::{BAD_STATES, FALLBACK_KEYS};
use super::yaml::{Node, Value};
use crate::domain::fallback::failed_and_expired;
use crate::domain::{BadState, Target};
use crate::texts;

impl Decoder<'_> {
    /// One mapping, or a list of them.
    pub(super) fn fallbacks(&mut self, node: &Node) -> Option<Vec<FallbackDraft>> {
        let one = std::slice::from_ref(node);
        let nodes = match node.value() {
            Value::List(nodes) if nodes.is_empty() => {
                self.error(node.at, texts::fallback_empty());
                return None;
            }
            Value::List(nodes) => nodes,
            _ => one,
        };
        let drafts: Vec<FallbackDraft> = nodes.iter().filter_map(|node| self.fallback(node)).collect();
        (drafts.len() == nodes.len()).then_some(drafts)
    }

    fn fallback(&mut self, node: &Node) -> Option<FallbackDraft> {
        let entries = self.map("fallback", node)?;
        let errors = self.diagnostics.error_count();
        let (mut to, mut im, mut ids, mut account) = (None, None, None, None);
        let mut after = failed_and_expired();
        for entry in entries {
            let value = &entry.node;
            match &*entry.key {
                "to" | "group" | "user" | "account" if value.is_empty() => {}
                "to" => to = Some((entry, self.names("to", value))),
                "im" => im = self.name("im", value).map(|name| (entry, (name, self.place(value.at)))),
                key @ ("group" | "user") => {
                    let target = if key == "group" { Target::Group } else { Target::User };
                    let read = self.ids(key, value, target).unwrap_or_default();
                    if ids.replace((entry, read)).is_some() {
                        self.error(entry.key_at, texts::fallback_has_both());
                    }
                }
                "account" => {
                    let id = self.optional_text("account", value).flatten();
                    account = id.map(|id| (id, self.place(value.at)));
                }
                "after" => after = self.bad_states(value).unwrap_or_default(),
                "fallback" => {
                    let message = texts::fallback_of_a_fallback();
                    self.error(entry.key_at, message);
                }
                _ => self.unknown_key(entry, texts::a_fallback(), FALLBACK_KEYS),
            }
        }
        let beside = im.as_ref().map(|(entry, _)| *entry).or(ids.as_ref().map(|(entry, _)| *entry));
        if let (Some((to, _)), Some(beside)) = (&to, beside) {
            self.refuse_beside_to(to, beside);
        } else if to.is_none() && im.is_some() && ids.is_none() {
            self.error(node.at, texts::fallback_needs_a_target());
        } else if to.is_none() && ids.is_none() && account.is_none() {
            self.error(node.at, texts::fallback_needs_something());
        }
        if self.diagnostics.error_count() > errors {
            return None;
        }
        let names = to.and_then(|(_, names)| names).unwrap_or_default();
        let (im, ids) = (im.map(|(_, im)| im), ids.map(|(_, ids)| ids).unwrap_or_default());
        Some(FallbackDraft { at: self.place(node.at), names, im, ids, account, after })
    }

    /// One word, or a list of them.
    fn bad_states(&mut self, node: &Node) -> Option<Vec<BadState>> {
        let one = std::slice::from_ref(node);
        let nodes = match node.value() {
            Value::List(nodes) if nodes.is_empty() => {
                self.wrong("after", node, texts::some_bad_states());
                return None;
            }
            Value::List(nodes) => nodes,
            _ => one,
        };
        nodes.iter().map(|node| self.choice("after", node, &BAD_STATES)).collect()
    }
}
