//! Which source lines may be shown in an error, and what of them.
//!
//! This works on the text alone, because a file with a syntax error has no tree yet, and errs on the side of hiding:
//! in `jobs`, `defaults`, `include` and `daemon` a line is shown unless it has a key that may hold a secret; anywhere
//! else only the keys known to be harmless keep their values.

use std::collections::BTreeSet;

use super::load::TOP_KEYS;
use crate::domain::SenderSpec;
use crate::domain::sender::SettingKind;

const MASK: &str = "****";

/// Longer lines are cut: inline media can have megabytes.
const LONGEST: usize = 160;

/// Words that make a key suspicious wherever it stands.
const SECRET_WORDS: [&str; 8] =
    ["token", "secret", "password", "passwd", "credential", "authorization", "bearer", "key"];

/// Keys by what their values may hold.
pub(super) struct Keys {
    /// Account keys whose values may be shown.
    harmless: BTreeSet<&'static str>,
    /// Keys whose values are secret, or addresses that may hold a secret.
    secret: BTreeSet<&'static str>,
}

impl Keys {
    pub fn new(specs: &[&'static SenderSpec]) -> Keys {
        let mut keys = Keys {
            harmless: BTreeSet::from(["id", "im", "sender", "default", "concurrency", "min_interval"]),
            secret: BTreeSet::from(["heartbeat", "command", "url"]),
        };
        for setting in specs.iter().flat_map(|spec| spec.settings) {
            match setting.kind {
                SettingKind::Secret | SettingKind::Url => keys.secret.insert(setting.key),
                SettingKind::Bool | SettingKind::Int | SettingKind::Duration | SettingKind::Choice(_) => {
                    keys.harmless.insert(setting.key)
                }
                // A text can be an app id or something that its owner would not like to see in a bug report.
                SettingKind::Text | SettingKind::List | SettingKind::Path => false,
            };
        }
        // One sender's choice may be another one's secret.
        keys.harmless.retain(|key| !keys.secret.contains(key));
        keys
    }

    fn is_secret(&self, key: &str) -> bool {
        let lower = key.to_lowercase();
        self.secret.contains(key) || SECRET_WORDS.iter().any(|word| lower.contains(word))
    }

    fn is_harmless(&self, key: &str) -> bool {
        self.harmless.contains(key) || ["_file", "_credential"].iter().any(|end| key.ends_with(end))
    }
}

/// Where the top-level keys of a file stand: byte offset and key, the key being empty where a line at the left margin
/// has none (a file written as one flow mapping).
pub(super) fn sections(text: &str) -> Vec<(usize, &str)> {
    let mut sections = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with([' ', '\t', '#', '-', '\n', '\r']) {
            let key = line.split_once(':').map_or("", |(key, _)| key.trim().trim_matches(['"', '\'']));
            sections.push((start, key));
        }
        start += line.len();
    }
    sections
}

/// The text without the top-level keys other than these, which lie on blank lines then, so that places stay right.
/// A file whose top level is no block mapping is left whole.
pub(super) fn only_sections(text: &str, wanted: &[&str]) -> String {
    let sections = sections(text);
    if sections.iter().any(|(_, key)| !TOP_KEYS.contains(key)) {
        return text.to_owned();
    }
    let starts = sections.iter().map(|(at, _)| *at);
    let ends = starts.clone().skip(1).chain([text.len()]);
    let mut kept = text[..starts.clone().next().unwrap_or(text.len())].to_owned();
    for ((at, key), end) in sections.iter().zip(ends) {
        let section = &text[*at..end];
        if wanted.contains(key) {
            kept.push_str(section);
        } else {
            kept.extend(std::iter::repeat_n('\n', section.matches('\n').count()));
        }
    }
    kept
}

/// `line`, which starts at byte `start` of the file with these sections, as it may be shown; None where nothing of
/// it may be.
pub(super) fn line(sections: &[(usize, &str)], start: usize, line: &str, keys: &Keys) -> Option<String> {
    let section = sections.partition_point(|(at, _)| *at <= start).checked_sub(1).map(|index| sections[index].1);
    let open = matches!(section, Some("jobs" | "defaults" | "include" | "daemon"));
    let shown = match key_of(line) {
        Some((key, _)) if open && !keys.is_secret(key) && !mentions_secret(line, keys) => line.to_owned(),
        Some((key, value)) if !open && keys.is_harmless(key) && !value.contains([',', '{', '[', '&', '*']) => {
            line.to_owned()
        }
        Some((_, value)) if value.trim().is_empty() => line.to_owned(),
        Some((_, value)) => format!("{} {MASK}", &line[..line.len() - value.len()]),
        None if open && !mentions_secret(line, keys) => line.to_owned(),
        None => return None,
    };
    Some(cut(&without_address_secrets(&shown)))
}

/// The first key of a line and the text after its colon.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let entry = line.trim_start().trim_start_matches(['-', ' ', '{', '[']);
    let (key, value) = entry.split_once(':')?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '"' | '\'');
    let ends = value.is_empty() || value.starts_with(' ');
    (ends && !key.is_empty() && key.chars().all(is_name)).then_some((key.trim().trim_matches(['"', '\'']), value))
}

/// Whether any word before a colon or an equals sign is a secret's key, as in flow mappings.
fn mentions_secret(line: &str, keys: &Keys) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let before = rest[..at].trim_end_matches([' ', '"', '\'']);
        let name_start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        if keys.is_secret(&before[name_start..]) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Cuts user names, passwords and queries out of addresses.
fn without_address_secrets(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find([' ', '"', '\'', ',', '}', ']']).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        let address = match address.split_once('@') {
            Some((_, host)) => format!("{MASK}@{host}"),
            None => address.to_owned(),
        };
        match address.split_once('?') {
            Some((path, _)) => {
                shown.push_str(path);
                shown.push('?');
                shown.push_str(MASK);
            }
            None => shown.push_str(&address),
        }
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

/// One printable line of bounded length.
fn cut(line: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = line.chars().take(LONGEST).map(clean).collect();
    if line.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
