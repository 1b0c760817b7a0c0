//! Which source lines may be shown in an error, and what of them.
//!
//! This works on the text alone, because a file with a syntax error has no tree yet, and errs on the side of hiding:
//! in `jobs`, `targets`, `defaults`, `include`, `daemon` and lists of days a line is shown unless it has a key that may hold a secret (in
//! `daemon` any address may, since that of a heartbeat is one); anywhere else only the keys known to be harmless keep
//! their values.

use std::collections::BTreeSet;

use super::keys::{SCRIPT_KEYS, TOP_KEYS};
use super::text::quoted;
use crate::domain::SenderSpec;
use crate::domain::sender::SettingKind;

const MASK: &str = "****";

/// A file with more lines at the left margin than this is none of ours, and none of its lines is shown as if it were.
const MOST_SECTIONS: usize = 1000;

/// The top-level keys of a configuration, and those of a list of days in a file of its own (but for its `url`), whose lines are
/// shown but for what may be a secret.
const OPEN: [&str; 17] = [
    "jobs",
    "targets",
    "defaults",
    "include",
    "daemon",
    "calendars",
    "calendar",
    "version",
    "based_on",
    "covers",
    "weekend",
    "rest",
    "work",
    "every_year",
    "years",
    "ics",
    "work_if",
];

/// Words that make a key suspicious wherever it stands.
const SECRET_WORDS: [&str; 8] =
    ["token", "secret", "password", "passwd", "credential", "authorization", "bearer", "key"];

/// SecretKeys by what their values may hold.
pub(super) struct SecretKeys {
    /// Account keys whose values may be shown.
    harmless: BTreeSet<&'static str>,
    /// SecretKeys whose values are secret, or addresses that may hold a secret.
    secret: BTreeSet<&'static str>,
    senders: BTreeSet<&'static str>,
    /// Top-level keys whose lines are shown but for what may be a secret.
    open: &'static [&'static str],
}

impl SecretKeys {
    /// For a script of a simulation, which holds no secrets. What does not stand under its own keys may be another file,
    /// named by mistake.
    pub(super) fn of_script(specs: &[&'static SenderSpec]) -> SecretKeys {
        SecretKeys { open: &SCRIPT_KEYS, ..SecretKeys::new(specs) }
    }

    pub(super) fn new(specs: &[&'static SenderSpec]) -> SecretKeys {
        let mut keys = SecretKeys {
            harmless: BTreeSet::from([
                "id",
                "im",
                "sender",
                "default",
                "concurrency",
                "min_interval",
                "every",
                "old_after",
            ]),
            secret: BTreeSet::from(["heartbeat", "command", "url"]),
            senders: specs.iter().map(|spec| spec.name).collect(),
            open: &OPEN,
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
        if sections.len() > MOST_SECTIONS {
            return vec![(0, "")];
        }
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

/// A line as it may be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MaskedLine {
    pub text: String,
    /// Where each piece begins in the line and in the text; a masked one is as long as the mask.
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
struct Piece {
    line_at: usize,
    shown_at: usize,
    kept: bool,
}

impl MaskedLine {
    /// Where byte `at` of the line is in the text, and how much may be marked there: the whole mask, if it is masked.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let index = self.pieces.partition_point(|piece| piece.line_at <= at).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return (0, 1) };
        let next = self.pieces.get(index + 1).map_or(self.text.len(), |next| next.shown_at);
        match piece.kept {
            true => ((piece.shown_at + at - piece.line_at).min(next), usize::MAX),
            false => (piece.shown_at, MASK.len()),
        }
    }

    fn keep(&mut self, line: &str, from: usize, to: usize) {
        if from < to {
            self.pieces.push(Piece { line_at: from, shown_at: self.text.len(), kept: true });
            // Of the same length, so that places stay right.
            let plain = |c: char| if c.is_ascii_control() { ' ' } else { c };
            self.text.extend(line[from..to].chars().map(plain));
        }
    }

    fn mask(&mut self, from: usize, to: usize) {
        if from < to {
            self.pieces.push(Piece { line_at: from, shown_at: self.text.len(), kept: false });
            self.text.push_str(MASK);
        }
    }

    /// Keeps a stretch but for user names, passwords and queries of addresses.
    fn keep_addresses(&mut self, line: &str, from: usize, to: usize) {
        let mut done = from;
        while let Some(scheme) = line[done..to].find("://") {
            let start = done + scheme + 3;
            let end = line[start..to].find([' ', '"', '\'', ',', '}', ']']).map_or(to, |end| start + end);
            let host = line[start..end].rfind('@').map_or(start, |at| start + at);
            let query = line[host..end].find(['?', '#']).map_or(end, |at| host + at + 1);
            self.keep(line, done, start);
            self.mask(start, host);
            self.keep(line, host, query);
            self.mask(query, end);
            done = end;
        }
        self.keep(line, done, to);
    }
}

/// A line under the top-level key `section` as it may be shown; None where nothing of it may be.
pub(super) fn line(section: Option<&str>, line: &str, keys: &SecretKeys) -> Option<MaskedLine> {
    let open = section.is_some_and(|section| keys.open.contains(&section));
    let is_address_secret = section == Some("daemon");
    let pairs = pairs(line);
    let first = pairs.first().map_or(line.len(), |pair| pair.key_at);
    let lead_is_plain = line[..first].chars().all(|c| " -{[,\t".contains(c));
    if !open && (pairs.is_empty() || !lead_is_plain) || pairs.is_empty() && is_address_secret && line.contains("://") {
        return line.trim().is_empty().then(MaskedLine::default);
    }
    let mut shown = MaskedLine::default();
    shown.keep_addresses(line, 0, first);
    for (index, pair) in pairs.iter().enumerate() {
        let end = pairs.get(index + 1).map_or(line.len(), |next| next.key_at);
        let value = &line[pair.value_at..end];
        let core = core(value);
        let visible = match open {
            true if keys.is_secret(pair.key) || is_address_secret && core.contains("://") => false,
            // An address or a token may stand here by mistake.
            true => section != Some("daemon") || !matches!(pair.key, "daemon" | "every") || is_plain_value(core),
            false => keys.is_harmless(pair.key) && is_shown(pair.key, core, keys),
        };
        let key_end = pair.key_at + pair.key.len();
        if open || is_plain_key(pair.key) || keys.is_harmless(pair.key) || keys.secret.contains(pair.key) {
            shown.keep(line, pair.key_at, key_end);
        } else {
            shown.mask(pair.key_at, key_end);
        }
        shown.keep(line, key_end, pair.value_at);
        if visible {
            shown.keep_addresses(line, pair.value_at, pair.value_at + core.len());
        } else {
            shown.mask(pair.value_at, pair.value_at + core.len());
        }
        shown.keep(line, pair.value_at + core.len(), end);
    }
    Some(shown)
}

/// The value itself, without what ends the mapping or list around it.
fn core(value: &str) -> &str {
    let mut core = value.trim_end_matches([' ', ',', '{', '[', '\t']);
    loop {
        let ends_more =
            |open: char, close: char| core.ends_with(close) && core.matches(close).count() > core.matches(open).count();
        if !ends_more('{', '}') && !ends_more('[', ']') {
            return if core.chars().all(|c| "[]{} ".contains(c)) { "" } else { core };
        }
        core = core[..core.len() - 1].trim_end_matches([' ', ',', '\t']);
    }
}

/// Whether the value of a harmless key may be shown. Even there somebody may have put a secret by mistake.
fn is_shown(key: &str, value: &str, keys: &SecretKeys) -> bool {
    let bare = value.trim_matches(['"', '\'']);
    match key {
        // These are told in tables and messages all the time.
        "id" | "im" => bare.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c)),
        "sender" => keys.senders.contains(bare) || is_plain_value(bare),
        key if ["_file", "_credential"].iter().any(|end| key.ends_with(end)) => {
            !is_token_like(bare) && bare.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c))
        }
        _ => is_plain_value(bare),
    }
}

/// A word or a number with its unit, and surely no secret; or a variable, which is named and not shown.
pub(super) fn is_plain_value(value: &str) -> bool {
    let is_word = value.chars().count() <= 12 && value.chars().all(|c| c.is_alphabetic() || c == '_');
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let is_number =
        value.len() <= 10 && unit.len() < value.len() && unit.len() <= 3 && unit.chars().all(char::is_alphabetic);
    let name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    is_word || is_number || name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Whether somebody put the secret itself where the name of its file belongs.
pub(super) fn is_token_like(value: &str) -> bool {
    let has = |is: fn(char) -> bool| value.contains(is);
    let is_mixed = value.len() >= 16 && has(|c| c.is_ascii_digit()) && has(char::is_alphabetic);
    !has(|c| c == '/') && (has(|c| c == ':') || is_mixed)
}

/// Written as keys are, so that no token is taken for one.
fn is_plain_key(key: &str) -> bool {
    key.len() <= 24 && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '<')
}

/// An unknown key for a message, masked as in the line beside it.
pub(super) fn key(key: &str) -> String {
    if is_plain_key(key) { quoted(key) } else { MASK.to_owned() }
}

/// A key in a line and where its value begins.
struct Pair<'l> {
    key: &'l str,
    key_at: usize,
    value_at: usize,
}

/// The keys of a line: names before a colon and a space, outside of quoted values.
fn pairs(line: &str) -> Vec<Pair<'_>> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|at| from + at) {
        let after = &line[colon + 1..];
        let name = line[from..colon].trim_end_matches(['"', '\'']);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '<');
        let name_at =
            from + name.rfind(|c| !is_name(c)).map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
        let key = &line[name_at..from + name.len()];
        from = colon + 1;
        if key.is_empty() || !(after.is_empty() || after.starts_with([' ', '\t'])) {
            continue;
        }
        let value_at = colon + 1 + (after.len() - after.trim_start().len());
        pairs.push(Pair { key, key_at: name_at, value_at });
        // What stands in quotes holds no keys; a quote that does not end hides the rest.
        if let Some(quote) = line[value_at..].chars().next().filter(|c| matches!(c, '"' | '\'')) {
            from = line[value_at + 1..].find(quote).map_or(line.len(), |end| value_at + 1 + end + 1);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_what_is_surely_no_secret() {
        let keys = SecretKeys::new(&[]);
        for (section, given, expected) in [
            (
                "jobs",
                "  - {name: a, image: \"https://u:p@h/x.png?k=v\"}",
                Some("  - {name: a, image: \"https://****@h/x.png?****\"}"),
            ),
            ("jobs", "    text: token is abc", Some("    text: token is abc")),
            ("jobs", "    token: abc, def", Some("    token: ****")),
            ("jobs", "  just text", Some("  just text")),
            (
                "calendars",
                "  work25: {url: https://h/abc, every: 10s, covers: 2026}",
                Some("  work25: {url: ****, every: 10s, covers: 2026}"),
            ),
            ("calendars", "  a: {ics: https://u:p@h/x}", Some("  a: {ics: https://****@h/x}")),
            ("covers", "covers: 20261", Some("covers: 20261")),
            ("every", "every: 10s", Some("every: 10s")),
            ("url", "url: https://h/abc", Some("url: ****")),
            ("daemon", "  keep_history: 90", Some("  keep_history: 90")),
            ("daemon", "  heartbeat: {url: https://h/abc, every: 1m}", Some("  heartbeat: {url: ****, every: 1m}")),
            ("daemon", "  url https://h/abc", None),
            (
                "accounts",
                "  - {id: a, sender: wire, token: \"a, id: b\", url: http://h/x}",
                Some("  - {id: a, sender: wire, token: ****, url: ****}"),
            ),
            ("accounts", "    token: abc, id", Some("    token: ****")),
            ("accounts", "    token: \"abc", Some("    token: ****")),
            ("accounts", "    tokne: abc", Some("    tokne: ****")),
            ("accounts", "    id: a b", Some("    id: ****")),
            ("accounts", "    token:", Some("    token:")),
            ("accounts", "    token: ${QQ_TOKEN}", Some("    token: ****")),
            ("accounts", "  - {id: a, token: \"${T}\"}", Some("  - {id: a, token: ****}")),
            ("accounts", "  - {id: a, rooms: [{b: ${T}}]}", Some("  - {id: a, rooms: [{b: ****}]}")),
            ("accounts", "    concurrency: a1b2c3d4e5", Some("    concurrency: ****")),
            ("accounts", "    default: maybe", Some("    default: maybe")),
            ("accounts", "    min_interval: 1500ms", Some("    min_interval: 1500ms")),
            ("accounts", "    sender: AbCdEf123", Some("    sender: ****")),
            ("accounts", "    AbC123: x", Some("    ****: ****")),
            ("accounts", "    abc", None),
            ("accounts", "    abc id: x", None),
            ("", "{accounts: [{id: a, token: abc}]}", Some("{accounts: [{id: a, token: ****}]}")),
        ] {
            let shown = line(Some(section), given, &keys);
            assert_eq!(shown.as_ref().map(|shown| shown.text.as_str()), expected, "{section}: {given}");
        }
    }

    #[test]
    fn a_place_in_a_masked_value_is_the_beginning_of_its_mask() {
        let given = "  - {token: abcdefgh, id: x}";
        let shown = line(Some("accounts"), given, &SecretKeys::new(&[])).unwrap();
        assert_eq!(shown.text, "  - {token: ****, id: x}");
        let place = |text: &str| shown.place(given.find(text).unwrap()).0;
        assert_eq!(place("token"), 5);
        assert_eq!((place("abc"), place("def")), (12, 12));
        assert_eq!(place("id"), 18);
    }
}
