//! Building blocks of a JSON Schema.

use serde_json::{Map, Value, json};

/// Any value may name a variable instead.
pub(super) const VARIABLE: &str = r"\$\{";

/// A key of a mapping: its name, its type and what it means.
#[derive(Clone)]
pub(super) struct Key {
    name: String,
    schema: Value,
}

impl Key {
    /// With the value that holds where the key is absent.
    pub(super) fn or(mut self, default: impl Into<Value>) -> Key {
        self.schema["default"] = default.into();
        self
    }
}

pub(super) fn key(name: &str, schema: Value, words: &str) -> Key {
    let mut schema = schema;
    schema["description"] = json!(words);
    Key { name: name.to_owned(), schema }
}

/// A mapping with these keys and no others.
pub(super) fn object(keys: impl IntoIterator<Item = Key>) -> Value {
    let properties: Map<String, Value> = keys.into_iter().map(|key| (key.name, key.schema)).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

pub(super) fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// Empty values count as absent.
pub(super) fn or_empty(schema: Value) -> Value {
    json!({"anyOf": [schema, {"enum": ["", null]}]})
}

pub(super) fn list_of(schema: Value) -> Value {
    json!({"type": "array", "items": schema})
}

pub(super) fn one_or_list(name: &str) -> Value {
    json!({"anyOf": [reference(name), list_of(reference(name))]})
}

pub(super) fn choice(words: &[&str]) -> Value {
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": VARIABLE}]})
}

pub(super) fn whole(from: u64, to: Option<u64>) -> Value {
    let mut integer = json!({"type": "integer", "minimum": from});
    if let Some(to) = to {
        integer["maximum"] = json!(to);
    }
    json!({"anyOf": [integer, {"type": "string", "pattern": format!("^[0-9]+$|{VARIABLE}")}]})
}

pub(super) fn number(from: u64, to: u64) -> Value {
    let number = json!({"type": "number", "minimum": from, "maximum": to});
    json!({"anyOf": [number, {"type": "string", "pattern": format!("^[0-9.eE+-]+$|{VARIABLE}")}]})
}

/// The key is there.
pub(super) fn required(key: &str) -> Value {
    json!({"required": [key]})
}

/// Nothing, or a text without anything to see.
fn blank() -> Value {
    json!({"anyOf": [{"type": "null"}, {"type": "string", "pattern": r"^\s*$"}]})
}

/// No [`blank`] one.
pub(super) fn visible() -> Value {
    json!({"anyOf": [
        {"type": ["number", "boolean", "object", "array"]},
        {"type": "string", "pattern": r"\S"},
    ]})
}

/// The key is there and not empty.
pub(super) fn has(key: &str) -> Value {
    let mut schema = required(key);
    schema["properties"][key] = json!({"not": blank()});
    schema
}

pub(super) fn one_of_required(mut schema: Value, keys: &[&str]) -> Value {
    schema["oneOf"] = keys.iter().map(|key| required(key)).collect();
    schema
}

pub(super) fn any_of_required(mut schema: Value, keys: &[&str]) -> Value {
    schema["anyOf"] = keys.iter().map(|key| required(key)).collect();
    schema
}

/// Holds the keys of a mapping against those that the reader knows.
pub(super) fn known(schema: Value, keys: &[&str]) -> Value {
    debug_assert!(
        schema["properties"].as_object().is_some_and(|has| has.keys().eq(keys.iter().copied())),
        "the schema has not the keys {keys:?}"
    );
    schema
}
