//! Values that somebody else wrote: they call nobody, and are no markup.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Object, Value};
use serde_json::Value as Json;

/// Where a text goes, and so what a foreign value in it must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    Markdown,
    /// A source or the name of a file: nobody reads it as a message.
    Source,
}

/// What stands behind `env.`
#[derive(Debug)]
struct Variables(BTreeMap<String, Value>);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).cloned()
    }
}

/// The variables as they may stand in each place, made once for all pushes.
pub(super) struct Foreign {
    text: Value,
    markdown: Value,
    source: Value,
}

impl Foreign {
    pub(super) fn new(variables: &BTreeMap<String, String>) -> Foreign {
        let safe_in = |place| {
            let safe = variables.iter().map(|(name, value)| (name.clone(), safe(place, value).into()));
            Value::from_object(Variables(safe.collect()))
        };
        Foreign { text: safe_in(Place::Text), markdown: safe_in(Place::Markdown), source: safe_in(Place::Source) }
    }

    pub(super) fn of(&self, place: Place) -> &Value {
        match place {
            Place::Text => &self.text,
            Place::Markdown => &self.markdown,
            Place::Source => &self.source,
        }
    }
}

/// Keeps what stands on both sides together and is not seen.
const JOINER: char = '\u{2060}';

/// The value as it may stand in such a place.
pub(super) fn safe(place: Place, value: &str) -> String {
    match place {
        Place::Source => value.to_owned(),
        Place::Text => without_calls(value),
        Place::Markdown => without_calls(&without_markup(value)),
    }
}

/// A value that somebody else made, with every text in it safe, unless whoever made it is trusted.
pub(super) fn safe_value(place: Place, trusted: bool, value: &Json) -> Value {
    let text = |text: &str| if trusted { text.to_owned() } else { safe(place, text) };
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => number.as_f64().map_or_else(|| Value::from(number.to_string()), Value::from),
        },
        Json::String(value) => Value::from(text(value)),
        Json::Array(values) => values.iter().map(|value| safe_value(place, trusted, value)).collect(),
        Json::Object(keys) => {
            Value::from_pairs(keys.iter().map(|(key, value)| (text(key), safe_value(place, trusted, value))))
        }
    }
}

/// Breaks what platforms take for calling people: `@all`, `<at …>`, `<@…>`, `[@,wxid=…]`, `[CQ:…]`. An address of mail stays
/// as it is.
fn without_calls(value: &str) -> String {
    let mut safe = String::with_capacity(value.len() + 8);
    let mut before = None;
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        safe.push(c);
        let next = rest.as_str();
        let calls = match c {
            // What stands behind the value may go on with it.
            '@' | '＠' => next.is_empty() || !before.is_some_and(|before: char| before.is_ascii_alphanumeric()),
            '<' => next.starts_with('@') || begins_or_ends(next.trim_start_matches('/'), "at"),
            '[' => next.starts_with('@') || begins_or_ends(next, "cq:"),
            _ => false,
        };
        if calls {
            safe.push(JOINER);
        }
        before = Some(c);
    }
    safe
}

/// Whether a text begins with a tag, whatever its case, or ends in the midst of it.
fn begins_or_ends(text: &str, tag: &str) -> bool {
    let common = text.len().min(tag.len());
    text.get(..common).is_some_and(|begin| begin.eq_ignore_ascii_case(&tag[..common]))
}

/// Words that call everybody, on one platform or another.
const EVERYBODY: [&str; 7] = ["all", "everyone", "room", "here", "channel", "所有人", "全体成员"];

/// The text that came of a template, without calls and tags that only came about where a value met what stands around it: a
/// value that says `all` behind an `@`, or `CQ:at,qq=all` behind a `[`. What the template itself says in full stays.
pub(super) fn without_completed(template: &str, text: String) -> String {
    if !text.contains(['@', '＠', '<', '[']) {
        return text;
    }
    let own = template.to_lowercase();
    let mut safe = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        safe.push(c);
        let rest = &text[at + c.len_utf8()..];
        let is_completed = match c {
            '@' | '＠' => everybody(rest).is_some_and(|word| {
                let is_mail = before.is_ascii_alphanumeric() && rest[word.len()..].starts_with('.');
                !is_mail && !own.contains(&format!("{c}{word}").to_lowercase())
            }),
            '[' => is_foreign_tag(&own, &text[at..], ']', &["[cq:", "[@"]),
            '<' => is_foreign_tag(&own, &text[at..], '>', &["<at", "</at", "<@", "<!"]),
            _ => false,
        };
        if is_completed {
            safe.push(JOINER);
        }
        before = c;
    }
    safe
}

/// The word for everybody with which a text begins.
fn everybody(text: &str) -> Option<&str> {
    let is_word = |word: &&str| {
        let begins = text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
        begins && !(word.is_ascii() && text[word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    };
    EVERYBODY.into_iter().find(is_word).map(|word| &text[..word.len()])
}

/// Whether a text begins with a tag of this kind that the template has not, or with one that calls everybody where the one of
/// the template left open whom.
fn is_foreign_tag(own: &str, text: &str, end: char, kinds: &[&str]) -> bool {
    let tag = text.split_inclusive(end).next().unwrap_or(text).to_lowercase();
    let Some(kind) = kinds.iter().find(|kind| tag.starts_with(**kind)) else { return false };
    // Some are told by their name, others by their sign alone.
    let is_named = kind.ends_with(|c: char| c == ':' || c.is_alphabetic());
    let rest = &tag[kind.len()..];
    let letters = rest.find(|c: char| !is_named || !c.is_alphanumeric()).unwrap_or(rest.len());
    let name = &tag[..kind.len() + letters];
    let calls_everybody = || tag.split(|c: char| !c.is_alphanumeric()).any(|word| EVERYBODY.contains(&word));
    !own.contains(name) || (calls_everybody() && !own.contains(&tag))
}

/// With a backslash before every sign that Markdown goes by.
fn without_markup(value: &str) -> String {
    let mut safe = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if c.is_ascii_punctuation() && !matches!(c, ',' | ':' | ';' | '?' | '"' | '\'' | '/' | '@' | '%' | '=' | '.') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
