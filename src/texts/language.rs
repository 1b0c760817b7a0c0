//! The languages, and which one somebody asked for.

use serde::{Deserialize, Serialize};

/// A language that people are told things in. What programs read (JSON, CSV, rows, log lines) is always English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "zh")]
    Chinese,
}

impl Language {
    /// The words of `daemon.language`.
    pub const WORDS: [(&'static str, Language); 2] = [("en", Language::English), ("zh", Language::Chinese)];

    /// The language of a locale: of the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set. None where that is none, or
    /// the locale of machines (`C`, `C.UTF-8`, `POSIX`), which says nothing about who reads.
    pub(crate) fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Option<Language> {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = names.into_iter().filter_map(variable).find(|locale| !locale.is_empty())?;
        match locale.split(['_', '.', '@']).next().unwrap_or_default() {
            "C" | "POSIX" => None,
            "zh" => Some(Language::Chinese),
            _ => Some(Language::English),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_says_the_language_and_the_locale_of_machines_says_none() {
        use Language::{Chinese, English};
        for (all, messages, lang, language) in [
            ("", "", "", None),
            ("", "", "C.UTF-8", None),
            ("", "", "POSIX", None),
            ("", "", "zh_CN.UTF-8", Some(Chinese)),
            ("", "", "zh", Some(Chinese)),
            ("", "", "zh.utf8", Some(Chinese)),
            ("", "", "zh_TW@hant", Some(Chinese)),
            ("", "", "en_US.UTF-8", Some(English)),
            ("", "", "zha_CN", Some(English)),
            ("", "en_GB.UTF-8", "zh_CN.UTF-8", Some(English)),
            ("", "zh_CN.UTF-8", "en_US.UTF-8", Some(Chinese)),
            ("zh_SG", "en_US", "en_US", Some(Chinese)),
            // Who sets LC_ALL=C wants what machines read.
            ("C", "zh_CN.UTF-8", "zh_CN.UTF-8", None),
        ] {
            let variable = |name: &str| {
                let value = match name {
                    "LC_ALL" => all,
                    "LC_MESSAGES" => messages,
                    "LANG" => lang,
                    other => panic!("{other} is asked for"),
                };
                Some(value.to_owned())
            };
            assert_eq!(Language::of_locale(variable), language, "{all:?} {messages:?} {lang:?}");
        }
        assert_eq!(Language::of_locale(|_| None), None);
    }
}
