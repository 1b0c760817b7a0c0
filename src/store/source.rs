//! Where the content of a job comes from, as far as two definitions can be compared.

use serde_json::Value;

/// The source that a definition names, with how its answer is read; None where it has none.
pub(super) fn source_of(definition: &str) -> Option<Value> {
    let mut definition: Value = serde_json::from_str(definition).ok()?;
    let content = definition.get_mut("content_from")?.as_object_mut()?;
    let name = ["command", "http", "file"].into_iter().find(|name| content.contains_key(*name))?;
    Some(serde_json::json!([name, content.remove(name), content.remove("format")]))
}
