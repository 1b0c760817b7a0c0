//! Values and paths in the words of a message.

use std::path::Path;

use crate::domain::escaped;

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    escaped(&path.display().to_string()).into_owned()
}

/// A value for a message: quoted, cut to a readable length, control characters escaped.
pub(super) fn quoted(value: &str) -> String {
    let cut: String = value.chars().take(60).collect();
    let dots = if cut.len() < value.len() { "…" } else { "" };
    format!("'{}{dots}'", escaped(&cut))
}
