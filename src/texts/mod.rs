//! The one table of what people are told: each text in English and in Chinese, side by side.
//!
//! Who says something takes it from here as a [`Text`], which has all languages; who shows it says in which. A text without
//! its translation, and a translation with other arguments, do not compile. What programs read (JSON, CSV, rows, log lines)
//! takes [`Text::english`].

mod language;
mod text;

mod alarm;
mod pushes;
mod reasons;
mod status;

pub(crate) use self::text::{Count, Spoken};
pub use self::{language::Language, text::Text};

pub(crate) use self::{alarm::*, pushes::*, reasons::*, status::*};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every part of the table.
    const PARTS: &[&[(&str, &[&str], &str)]] = &[alarm::ALL, pushes::ALL, reasons::ALL, status::ALL];

    fn is_chinese(c: char) -> bool {
        matches!(c, '\u{4e00}'..='\u{9fff}')
    }

    /// What stands between braces.
    fn arguments(text: &str) -> BTreeSet<&str> {
        let text = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        text.map(|(name, _)| name).filter(|name| !name.is_empty()).collect()
    }

    #[test]
    fn every_text_says_the_same_in_both_languages() {
        let mut names = BTreeSet::new();
        for (name, english, chinese) in PARTS.iter().copied().flatten() {
            assert!(names.insert(*name), "{name} is there twice");
            for english in *english {
                assert_eq!(arguments(english), arguments(chinese), "{name}");
                assert!(!english.chars().any(is_chinese), "{name}: {english}");
                // What is a command or a key to be typed is typed in both.
                for typed in english.split('`').skip(1).step_by(2) {
                    assert!(chinese.contains(typed), "{name}: `{typed}` is not in {chinese}");
                }
            }
        }
        assert!(names.len() > 100, "{}", names.len());
    }

    #[test]
    fn chinese_is_written_with_its_own_signs() {
        for (name, _, chinese) in PARTS.iter().copied().flatten() {
            let signs: Vec<char> = chinese.chars().collect();
            for pair in signs.windows(2) {
                let [before, sign] = pair else { continue };
                let is_western = is_chinese(*before) && matches!(sign, ',' | ';' | ':' | '?' | '!' | '(' | ')' | '.');
                assert!(!is_western, "{name}: {before}{sign} in {chinese}");
            }
            let spaced = ["， ", "； ", "： ", "。 ", "（ ", " ）", " ，", " ；", " ："];
            assert!(!spaced.iter().any(|spaced| chinese.contains(spaced)), "{name}: {chinese}");
        }
    }
}
