//! How somebody wants to see the page: the language, the zone of its times, the theme. Query parameters say it, a cookie remembers
//! it, and the server renders it, so that it holds without a script.

use jiff::tz::TimeZone;

use super::cookies::Cookie;
use crate::net::http1::{Head, header};
use crate::texts::Language;

/// A year.
const REMEMBERED: u32 = 31_536_000;
const LONGEST_ZONE: usize = 64;

/// In which zone times are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) enum Zone {
    /// Each job's own; what belongs to no job in the daemon's.
    #[default]
    Job,
    /// Always this one, which the system knows.
    Named(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::web) enum Theme {
    /// As the browser wants it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(in crate::web) const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    pub(in crate::web) fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Look {
    pub language: Language,
    pub zone: Zone,
    pub theme: Theme,
}

/// The parameters that say it.
pub(in crate::web) const PARAMETERS: [&str; 3] = ["lang", "tz", "theme"];

impl Look {
    /// As the browser wants it, and the cookie remembers. What that holds and nobody understands counts for nothing.
    pub(in crate::web) fn of(head: &Head, is_https: bool, usual: Option<Language>) -> Look {
        let language = language_wanted(head).or(usual).unwrap_or_default();
        let mut look = Look { language, zone: Zone::default(), theme: Theme::default() };
        if let Some(cookie) = Cookie::Look.of(head, is_https) {
            for (name, value) in url::form_urlencoded::parse(cookie.as_bytes()) {
                look.take(&name, &value);
            }
        }
        look
    }

    /// Takes a parameter. False where that cannot be.
    #[must_use]
    pub(in crate::web) fn says(&mut self, name: &str, value: &str) -> bool {
        self.take(name, value).is_some()
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "lang" => self.language = Language::WORDS.iter().find(|(word, _)| *word == value)?.1,
            "theme" => self.theme = Theme::ALL.into_iter().find(|theme| theme.word() == value)?,
            "tz" if value == "job" => self.zone = Zone::Job,
            "tz" => self.zone = Zone::Named(zone_of(value)?),
            _ => return None,
        }
        Some(())
    }

    /// The field that has the browser remember it.
    pub(in crate::web) fn cookie(&self, is_https: bool) -> String {
        let value = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("lang", self.language_word())
            .append_pair("tz", self.zone_word())
            .append_pair("theme", self.theme.word())
            .finish();
        Cookie::Look.set(&value, Some(REMEMBERED), is_https)
    }

    pub(in crate::web) fn language_word(&self) -> &'static str {
        Language::WORDS.iter().find(|(_, language)| *language == self.language).map_or("en", |(word, _)| word)
    }

    pub(in crate::web) fn zone_word(&self) -> &str {
        match &self.zone {
            Zone::Job => "job",
            Zone::Named(name) => name,
        }
    }
}

/// The name of a zone, as the system spells it.
fn zone_of(name: &str) -> Option<String> {
    if name.len() > LONGEST_ZONE {
        return None;
    }
    TimeZone::get(name.trim()).ok()?.iana_name().map(str::to_owned)
}

/// The first language of those that the browser takes which we speak.
fn language_wanted(head: &Head) -> Option<Language> {
    let wanted = head.headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    wanted.split(',').find_map(|part| {
        let tag = part.split(';').next()?.trim().to_ascii_lowercase();
        match tag.split('-').next()? {
            "en" => Some(Language::English),
            "zh" => Some(Language::Chinese),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http1::Request;

    fn head(name: &str, value: &str) -> Head {
        Request::builder().header(name, value).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_browser_says_the_language_until_somebody_chooses_one() {
        for (field, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("fr, en-GB;q=0.7", Language::English),
            ("fr", Language::Chinese),
        ] {
            let look = Look::of(&head("accept-language", field), false, Some(Language::Chinese));
            assert_eq!(look.language, language, "{field}");
        }
    }

    /// W16.
    #[test]
    fn only_known_words_and_zones_are_taken() {
        let mut look = Look::of(&head("cookie", "pushcron-look=lang=zh&tz=Europe%2FBerlin&theme=dark"), false, None);
        assert_eq!((look.language_word(), look.zone_word(), look.theme), ("zh", "Europe/Berlin", Theme::Dark));
        for (name, value) in [
            ("lang", "de"),
            ("theme", "dark; x"),
            ("theme", ""),
            ("tz", "Mars/Olympus"),
            ("tz", "../../etc/passwd"),
            ("tz", "UTC\r\nSet-Cookie: a=b"),
            ("tz", ""),
            ("size", "1"),
        ] {
            assert!(!look.says(name, value), "{name}={value}");
        }
        assert!(look.says("tz", "asia/shanghai") && look.says("theme", "auto") && look.says("lang", "en"));
        let cookie = look.cookie(false);
        assert!(
            cookie.starts_with("pushcron-look=lang=en&tz=Asia%2FShanghai&theme=auto; Path=/; HttpOnly"),
            "{cookie}"
        );
        let broken = Look::of(&head("cookie", "pushcron-look=lang=xx&tz=%00&theme=%3Cscript%3E"), false, None);
        assert_eq!((broken.zone, broken.theme), (Zone::Job, Theme::Auto));
    }
}
