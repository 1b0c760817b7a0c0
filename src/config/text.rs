//! Values, paths and near matches in the words of a message.

use std::path::Path;

use crate::domain::escaped;

/// A longer word is nobody's typo, and comparing takes the product of the lengths. In bytes.
const LONGEST_WORD: usize = 100;

/// The candidate that a person probably meant by `word`: at most a third of its letters are wrong.
pub(super) fn near_match<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

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
