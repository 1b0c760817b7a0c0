//! The two forms of a record that go to standard error.

use std::fmt::Write;

use serde_json::{Map, Value};
use tracing::Level;

use super::fields::Fields;
use super::record::Record;
use crate::domain::{escaped, escaped_json};

/// `2026-01-01T01:00:00.000Z WARN  push failed push=12 error="no route to host"`
pub(super) fn human(record: &Record, colours: bool) -> String {
    let (dim, colour, end) = match (colours, record.level) {
        (false, _) => ("", "", ""),
        (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
        (true, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
        (true, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
        (true, _) => ("\x1b[2m", "\x1b[2m", "\x1b[0m"),
    };
    let source = if is_ours(record.target) { String::new() } else { format!("{}: ", record.target) };
    let Record { at, level, fields, .. } = record;
    format!("{dim}{at}{end} {colour}{level:<5}{end} {source}{}\n", text(fields))
}

fn is_ours(target: &str) -> bool {
    target == "pushcron" || target.starts_with("pushcron::")
}

/// The message and its keys on one line.
pub(super) fn text(fields: &Fields) -> String {
    let mut line = escaped(&fields.message).into_owned();
    for (key, value) in &fields.rest {
        let separator = if line.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(line, "{separator}{key}={}", quoted(value));
    }
    line
}

/// A text with spaces is quoted, so that a value cannot pass for a key of its own.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
            format!("\"{}\"", escaped(text).replace('"', "\\\""))
        }
        Value::String(text) => escaped(text).into_owned(),
        other => other.to_string(),
    }
}

/// `{"at":"…","level":"warn","target":"pushcron::engine","message":"…","push":12}`
pub(super) fn json(record: &Record) -> String {
    let mut object = Map::new();
    object.insert("at".into(), record.at.to_string().into());
    object.insert("level".into(), record.level.as_str().to_ascii_lowercase().into());
    object.insert("target".into(), record.target.into());
    object.insert("message".into(), record.fields.message.as_str().into());
    for (key, value) in &record.fields.rest {
        object.entry(*key).or_insert_with(|| value.clone());
    }
    format!("{}\n", escaped_json(&Value::Object(object).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UtcMs;

    fn record() -> Record<'static> {
        let rest = vec![
            ("push", Value::from(12)),
            ("error", "said \"no\"\nERROR forged\u{1b}[0m\u{202e}".into()),
            ("job", "日报".into()),
            ("account", "".into()),
        ];
        let fields = Fields { message: "push failed\r\nINFO all is well".into(), rest };
        Record { at: UtcMs(1_767_229_200_000), level: Level::WARN, target: "pushcron::engine", fields }
    }

    #[test]
    fn foreign_text_can_neither_forge_a_second_line_nor_move_the_cursor() {
        insta::assert_snapshot!(human(&record(), false), @r#"2026-01-01T01:00:00.000Z WARN  push failed\r\nINFO all is well push=12 error="said \"no\"\nERROR forged\u{1b}[0m\u{202e}" job=日报 account="""#);
        insta::assert_snapshot!(json(&record()), @r#"{"at":"2026-01-01T01:00:00.000Z","level":"warn","target":"pushcron::engine","message":"push failed\r\nINFO all is well","push":12,"error":"said \"no\"\nERROR forged\u001b[0m\u202e","job":"日报","account":""}"#);
        for line in [human(&record(), false), json(&record())] {
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
        }
    }

    #[test]
    fn an_event_of_a_library_names_it() {
        let record = Record { target: "hyper::client", ..record() };
        assert!(human(&record, true).contains("\x1b[33mWARN \x1b[0m hyper::client: push failed"));
    }
}
