//! `defaults:`. It may be spread over several files; each key may be set once.

use super::decoder::Decoder;
use super::draft::DefaultsDraft;
use super::keys::{DEFAULTS_KEYS, DST_GAPS, OVERLAPS};
use super::yaml::Node;
use crate::texts::Text;

impl Decoder<'_> {
    pub(super) fn defaults(&mut self, node: &Node, defaults: &mut DefaultsDraft) {
        for entry in self.map("defaults", node).unwrap_or_default() {
            if DEFAULTS_KEYS.contains(&&*entry.key) && !self.first(&mut defaults.seen, "defaults", entry) {
                continue;
            }
            let (key, node) = (&*entry.key, &entry.node);
            match key {
                "retry" => defaults.retry = self.retry(node).unwrap_or_default(),
                "misfire" => defaults.misfire = self.misfire(node).unwrap_or_default(),
                "timeout" => defaults.timeout = self.timeout(node),
                "overlap" => defaults.overlap = self.choice(key, node, &OVERLAPS),
                "render" => defaults.render = self.bool(key, node),
                "dst_gap" => defaults.dst_gap = self.choice(key, node, &DST_GAPS),
                _ => self.unknown_key(entry, Text::same("defaults"), DEFAULTS_KEYS),
            }
        }
    }
}
