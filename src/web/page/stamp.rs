//! Instants, and names in addresses.

use askama::Template;
use askama::filters::HtmlSafe;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answers::when;
use crate::domain::UtcMs;

/// A name as a part of a path.
pub(super) fn encoded(name: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
    utf8_percent_encode(name, PLAIN).to_string()
}

/// An instant: for people in a zone that is told, for programs and the script in UTC.
#[derive(Clone, Template)]
#[template(
    source = r#"<time datetime="{{ utc }}">{{ day }} <b>{{ clock }}</b> <i>{{ offset }}</i></time>"#,
    ext = "html"
)]
pub(super) struct Stamp {
    utc: String,
    day: String,
    clock: String,
    offset: String,
}

impl HtmlSafe for Stamp {}

/// To the minute, and to the second where that is not a full one.
pub(super) fn stamp(at: UtcMs, zone: &str) -> Stamp {
    let shown = when::shown(at, &when::zone(zone), at.0 % 60_000 != 0, true);
    let mut words = shown.splitn(3, ' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    Stamp { utc: at.to_string(), day: next(), clock: next(), offset: next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_says_its_zone_and_the_same_to_programs() {
        let at = "2026-11-28T01:00:00.000Z".parse().unwrap();
        let told = stamp(at, "Asia/Shanghai").to_string();
        assert_eq!(told, r#"<time datetime="2026-11-28T01:00:00.000Z">2026-11-28 <b>09:00</b> <i>+08</i></time>"#);
        let later = stamp(UtcMs(at.0 + 1500), "UTC").to_string();
        assert!(later.contains("<b>01:00:01</b> <i>+00</i>"), "{later}");
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("日/报 ?#.&"), "%E6%97%A5%2F%E6%8A%A5%20%3F%23%2E%26");
    }
}
