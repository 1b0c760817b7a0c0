//! What a person probably meant by a word that nobody knows.

/// A longer word is nobody's typo, and comparing takes the product of the lengths. In bytes.
const LONGEST_WORD: usize = 100;

/// The candidate that a person probably meant by `word`: at most a third of its letters are wrong.
pub fn near_match<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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

/// The most similar of the known names, unless none is as similar as `least`, of 1.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, least: f64) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known))
        .filter(|(similarity, _)| *similarity > least)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_few_wrong_letters_is_meant_and_another_one_is_not() {
        let known = ["schedule", "timezone"];
        assert_eq!(near_match("shedule", known), Some("schedule"));
        assert_eq!(near_match("TimeZone", known), Some("timezone"));
        assert_eq!(near_match("message", known), None);
        assert_eq!(near_match(&"s".repeat(LONGEST_WORD + 1), known), None);
    }

    #[test]
    fn the_nearest_name_is_told_where_it_is_near_enough() {
        let known = ["daily-report", "weekly-report"];
        assert_eq!(nearest("dayly-report", known, 0.8), Some("daily-report"));
        assert_eq!(nearest("backup", known, 0.8), None);
    }
}
