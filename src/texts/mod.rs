//! The one table of what people are told: each text in English and in Chinese, side by side.
//!
//! Who says something takes it from here as a [`Text`], which has all languages; who shows it says in which. A text without
//! its translation, and a translation with other arguments, do not compile. What programs read (JSON, CSV, rows, log lines)
//! takes [`Text::english`].

mod language;
mod text;

mod accounts;
mod acts;
mod alarm;
mod check;
mod days;
mod files;
mod jobs;
mod notes;
mod pages;
mod phrases;
mod pushes;
mod reasons;
mod scripts;
mod show;
mod status;
mod story;
mod tables;
mod usage;
mod values;
mod web;

pub(crate) use self::text::{Count, Spoken};
pub use self::{language::Language, text::Text};

pub(crate) use self::{
    accounts::*, acts::*, alarm::*, check::*, days::*, files::*, jobs::*, notes::*, pages::*, phrases::*, pushes::*,
    reasons::*, scripts::*, show::*, status::*, story::*, tables::*, usage::*, values::*, web::*,
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::phrases::phrase as phrase_of;
    use super::*;

    /// Every part of the table.
    const PARTS: &[&[(&str, &[&str], &str)]] = &[
        accounts::ALL,
        acts::ALL,
        alarm::ALL,
        check::ALL,
        days::ALL,
        files::ALL,
        jobs::ALL,
        notes::ALL,
        pages::ALL,
        phrases::ALL,
        pushes::ALL,
        reasons::ALL,
        scripts::ALL,
        show::ALL,
        status::ALL,
        story::ALL,
        tables::ALL,
        usage::ALL,
        values::ALL,
        web::ALL,
    ];

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
    fn the_first_hour_in_chinese_quotes_what_is_told_in_chinese() {
        let page = include_str!("../../docs/zh/first-hour.md");
        let reason = super::reason_in_words("no_sender");
        for text in [super::variable_not_set("token", "QQ_TOKEN"), super::no_account_for("'wx'"), reason] {
            assert!(page.contains(text.chinese()), "{}", text.chinese());
        }
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

    /// Files that hold phrases which [`phrase`] translates: in quotes behind these words.
    #[test]
    fn what_senders_and_fields_say_of_themselves_is_known() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = 0;
        let mut look = |file: &str, before: &[&str]| {
            let text = std::fs::read_to_string(root.join(file)).unwrap().replace("\\\n", "\u{0}");
            // A literal that goes on in the next line goes on behind its blanks.
            let text: String = text.split('\u{0}').map(str::trim_start).collect();
            for rest in before.iter().flat_map(|before| text.split(before).skip(1)) {
                let phrase: &'static str = rest.split('"').next().unwrap().to_owned().leak();
                assert_ne!(phrase_of(phrase).chinese(), phrase, "{file}: add it to texts/phrases.rs");
                found += 1;
            }
        };
        look("policy/schedule/field.rs", &["name: \"", "expected: \"", "Some((\"", "backwards = \""]);
        for file in ["wecom_robot.rs", "ilink/mod.rs", "feishu_robot.rs", "dingtalk_robot/mod.rs"] {
            look(&format!("senders/{file}"), &["Support::Refused(\""]);
        }
        look("senders/telegram/place.rs", &["problem: \"", "expected: \""]);
        look("senders/shared/targets.rs", &["problem: \"", "expected: \""]);
        assert!(found > 20, "{found}");
    }
}
