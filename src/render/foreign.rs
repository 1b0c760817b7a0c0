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
            '@' | '＠' => !before.is_some_and(|before: char| before.is_ascii_alphanumeric()),
            '<' => next.trim_start_matches('/').to_ascii_lowercase().starts_with("at") || next.starts_with('@'),
            '[' => next.starts_with('@') || next.get(..3).is_some_and(|tag| tag.eq_ignore_ascii_case("cq:")),
            _ => false,
        };
        if calls {
            safe.push(JOINER);
        }
        before = Some(c);
    }
    safe
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
