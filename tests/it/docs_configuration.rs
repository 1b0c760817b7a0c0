//! `docs/configuration.md` says what the code says: its tables are written from the JSON Schema.
//! `PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_configuration::` brings them up to date.

use pushcron::{config, senders};
use serde_json::Value;

const DOCS: &str = "docs/configuration.md";

/// Spellings of the plugin SDK, which have a table of their own.
const SPELLINGS: [&str; 18] = [
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
    "options",
    "fileName",
    "file_name",
    "mimeType",
    "url_file",
    "url_credential",
];

#[test]
fn the_tables_are_those_of_the_schema() {
    let schema = config::schema(&senders::specs());
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let mut written = docs.clone();
    for name in [
        "daemon",
        "heartbeat",
        "on_failure",
        "account",
        "target",
        "job",
        "push",
        "fallback",
        "media",
        "calendar",
        "defaults",
        "retry",
        "misfire",
    ] {
        written = with_block(&written, name, &table(&schema["$defs"][name]));
    }
    if std::env::var_os("PUSHCRON_WRITE_DOCS").is_some() {
        std::fs::write(DOCS, &written).unwrap();
    } else {
        assert!(
            docs == written,
            "{DOCS} is out of date: run PUSHCRON_WRITE_DOCS=1 cargo test --test it docs_configuration::"
        );
    }
}

/// `docs` with the text between the marks of that block replaced.
fn with_block(docs: &str, name: &str, content: &str) -> String {
    let (start, end) = (format!("<!-- {name}: written by a test -->\n"), "<!-- end -->");
    let (before, rest) = docs.split_once(&start).unwrap_or_else(|| panic!("{DOCS} lacks the mark {start}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("the block {name} has no end"));
    format!("{before}{start}{content}{end}{after}")
}

fn table(definition: &Value) -> String {
    let object = mapping(definition).unwrap();
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut table = "| key | type | when absent | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for (key, property) in object["properties"].as_object().unwrap() {
        if SPELLINGS.contains(&key.as_str()) {
            continue;
        }
        let absent = match &property["default"] {
            Value::Null if required.contains(&key.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let about = property["description"].as_str().unwrap().lines().next().unwrap();
        // The senders are listed on their own page.
        let (words, about) = match key.as_str() {
            "sender" => ("text".to_owned(), "The protocol: a name of docs/senders.md."),
            _ => (type_words(property).unwrap(), about),
        };
        table.push_str(&format!("| `{key}` | {words} | {absent} | {about} |\n"));
    }
    table
}

/// The definition itself, or the mapping among its alternatives.
fn mapping(definition: &Value) -> Option<&Value> {
    let alternatives = definition["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(definition).chain(alternatives).find(|schema| schema["properties"].is_object())
}

fn type_words(schema: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return Some(match reference.trim_start_matches("#/$defs/") {
            "bool" => "true or false".to_owned(),
            "optional_text" | "id" => "text".to_owned(),
            "timeout" => "duration, or milliseconds".to_owned(),
            "report_push" => "push".to_owned(),
            name @ ("retry" | "misfire" | "heartbeat" | "on_failure" | "options") => format!("`{name}`"),
            name => name.to_owned(),
        });
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return Some(words.join(", "));
    }
    match (schema["type"].as_str(), schema["anyOf"].as_array()) {
        (Some("array"), _) => type_words(&schema["items"]).map(|words| format!("list of {words}s")),
        (Some("integer"), _) => Some("whole number".to_owned()),
        (Some("string"), _) => Some("text".to_owned()),
        (Some(word), _) => Some(word.to_owned()),
        // The first alternative is the usual one; a list beside it is told.
        (None, Some(ways)) => {
            let first = ways.first().and_then(type_words)?;
            let has_list = ways.iter().skip(1).any(|way| way["type"] == "array");
            Some(if has_list { format!("{first}, or a list of them") } else { first })
        }
        // Several types: any scalar.
        (None, None) => schema["type"].is_array().then(|| "text".to_owned()),
    }
}
