//! The keys of a mapping of the schema in words, for people: the tables of the docs, and the man page.

use serde_json::Value;

/// What a person reads about a key. Names of keys, values and types stand in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInWords<'s> {
    pub key: &'s str,
    /// What it takes: `duration`, `text, or a list of them`.
    pub takes: String,
    /// What holds where it is absent: a value, or that it must be there. Empty where nothing holds.
    pub absent: String,
    pub about: &'s str,
}

/// Spellings of the plugin SDK, which are described in one place of their own.
pub const SPELLINGS: [&str; 16] = [
    "imType",
    "im_type",
    "groupCode",
    "group_code",
    "userID",
    "user_id",
    "content",
    "imageUrl",
    "voiceUrl",
    "videoUrl",
    "fileUrl",
    "items",
    "fileName",
    "file_name",
    "mimeType",
    "options",
];

/// The keys of a mapping, in the order of the schema.
pub fn keys_in_words(definition: &Value) -> Vec<KeyInWords<'_>> {
    let Some(object) = mapping(definition) else { return Vec::new() };
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let in_words = |(key, property): (&'_ String, &'_ Value)| {
        let absent = match &property["default"] {
            Value::Null if required.contains(&key.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (type_in_words(property).unwrap_or_default(), absent)
    };
    let properties = object["properties"].as_object().into_iter().flatten();
    properties
        .map(|(key, property)| {
            let (takes, absent) = in_words((key, property));
            let about = property["description"].as_str().and_then(|text| text.lines().next()).unwrap_or_default();
            KeyInWords { key, takes, absent, about }
        })
        .collect()
}

/// The definition itself, or the mapping among its alternatives.
fn mapping(definition: &Value) -> Option<&Value> {
    let alternatives = definition["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(definition).chain(alternatives).find(|schema| schema["properties"].is_object())
}

fn type_in_words(schema: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return Some(match reference.trim_start_matches("#/$defs/") {
            "bool" => "true or false".to_owned(),
            "optional_text" | "id" => "text".to_owned(),
            "timeout" => "duration, or milliseconds".to_owned(),
            "report_push" | "prepared_push" => "push".to_owned(),
            name @ ("retry" | "misfire" | "content_from" | "heartbeat" | "on_failure" | "options" | "web"
            | "web_user" | "web_token") => {
                format!("`{name}`")
            }
            name => name.to_owned(),
        });
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return Some(words.join(", "));
    }
    match (schema["type"].as_str(), schema["anyOf"].as_array()) {
        (Some("array"), _) => type_in_words(&schema["items"]).map(|words| format!("list of {words}s")),
        (Some("integer"), _) => Some("whole number".to_owned()),
        (Some("string"), _) => Some("text".to_owned()),
        (Some(word), _) => Some(word.to_owned()),
        // The first alternative is the usual one; a list beside it is told.
        (None, Some(ways)) => {
            let first = ways.first().and_then(type_in_words)?;
            let has_list = ways.iter().skip(1).any(|way| way["type"] == "array");
            Some(if has_list { format!("{first}, or a list of them") } else { first })
        }
        // Several types: any scalar.
        (None, None) => schema["type"].is_array().then(|| "text".to_owned()),
    }
}
