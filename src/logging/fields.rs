//! The message and the keys of one event or span, with their types.

use std::fmt::Debug;

use serde_json::Value;
use tracing::field::{Field, Visit};

#[derive(Default)]
pub(super) struct Fields {
    pub message: String,
    /// In the order in which they were written.
    pub rest: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Adds the fields of an enclosing span; what the event itself says of a key stands.
    pub(super) fn add_outer(&mut self, outer: &Fields) {
        for (key, value) in &outer.rest {
            if !self.rest.iter().any(|(known, _)| known == key) {
                self.rest.push((key, value.clone()));
            }
        }
    }

    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            // Left by the bridge from the `log` crate; they repeat the metadata.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.rest.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    /// An error with its causes, as in the messages of the verbs.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(value), |error| error.source());
        let chain: Vec<String> = causes.map(ToString::to_string).collect();
        self.set(field, chain.join(": ").into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }
}
