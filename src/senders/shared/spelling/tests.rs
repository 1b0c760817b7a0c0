//! Whatever the secret, and whatever the spelling: nothing of it is shown, and nothing else is hidden.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use crate::senders::shared::secrets::Secrets;

/// A spelling and its name.
type Spelling = (&'static str, fn(&str) -> String);

fn each_byte(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn each_unit(text: &str, write: impl Fn(u16) -> String) -> String {
    text.encode_utf16().map(write).collect()
}

fn json(text: &str) -> String {
    json!(text).to_string().trim_matches('"').to_owned()
}

fn json_in_ascii(text: &str) -> String {
    json(text).chars().map(|c| if c.is_ascii() { c.to_string() } else { each_unit(&c.to_string(), unit) }).collect()
}

fn unit(unit: u16) -> String {
    format!("\\u{unit:04x}")
}

/// As the common encoders write it.
const SPELLINGS: [Spelling; 19] = [
    ("as it is", str::to_owned),
    ("percent", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
    ("percent, small letters", |text| each_byte(text, |byte| format!("%{byte:02x}"))),
    ("percent twice", |text| {
        let once = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        utf8_percent_encode(&once, NON_ALPHANUMERIC).to_string()
    }),
    ("percent of old scripts", |text| each_unit(text, |unit| format!("%u{unit:04X}"))),
    ("a form's", |text| byte_serialize(text.as_bytes()).collect()),
    ("JSON", json),
    ("JSON in ASCII", json_in_ascii),
    ("JSON, nothing as it is", |text| each_unit(text, |unit| format!("\\u{unit:04X}"))),
    ("JSON in JSON", |text| json(&json_in_ascii(text))),
    ("JSON of percent", |text| json(&utf8_percent_encode(text, NON_ALPHANUMERIC).to_string())),
    ("HTML, decimal", |text| text.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
    ("HTML, hexadecimal", |text| text.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
    ("HTML", |text| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")),
    ("bytes in hex", |text| each_byte(text, |byte| format!("\\x{byte:02x}"))),
    ("bytes in octal", |text| each_byte(text, |byte| format!("\\{byte:03o}"))),
    ("Rust", |text| text.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect()),
    ("hex", |text| each_byte(text, |byte| format!("{byte:02x}"))),
    ("hex, capitals", |text| each_byte(text, |byte| format!("{byte:02X}"))),
];

/// What may be done to base64 on its way, line breaks and all.
const WRAPPINGS: [Spelling; 5] = [
    ("as it is", str::to_owned),
    ("JSON", json),
    ("JSON with slashes escaped", |text| json(text).replace('/', "\\/")),
    ("percent", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
    ("HTML", |text| text.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
];

/// What people and platforms make tokens and pass phrases of, and what gets in the way of reading them.
fn secret() -> impl Strategy<Value = String> {
    let letters = "abcXYZ0189+/=-_ %&\\\"'<>;#?:@äßéπ日本語密钥🔑👍".chars().collect::<Vec<_>>();
    let inner = proptest::collection::vec(select(letters), 4..30);
    // Where it begins and ends is what tells it from the text around it.
    ("[a-zA-Z0-9]", inner, "[a-zA-Z0-9]").prop_map(|(first, inner, last)| {
        inner.into_iter().fold(first, |mut text, c| {
            let _ = write!(text, "{c}");
            text
        }) + &last
    })
}

/// In lines of so many letters.
fn broken(text: &str, length: usize, by: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(length).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join(by)
}

fn knowing(secret: &str) -> Secrets {
    Secrets::default().and(vec![secret.to_owned()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_secret_it_is_hidden_in_every_spelling(secret in secret()) {
        let secrets = knowing(&secret);
        for (name, spell) in SPELLINGS {
            let said = format!("wrong, namely ({}), and so on: 早 é", spell(&secret));
            let shown = secrets.hide_in_text(&said);
            prop_assert_eq!(&*shown, "wrong, namely (****), and so on: 早 é", "{}: {}", name, said);
        }
    }

    #[test]
    fn whatever_the_secret_it_is_hidden_in_base64_of_any_alphabet_padding_and_length_of_lines(
        secret in secret(),
        (before, behind) in ("(|u:|user:|another one: |密:)", "(| and more|\n)"),
        (length, by) in (1..90_usize, select(vec!["\n", "\r\n", "\r\n ", "\n\t", "\r", " \n"])),
        twice in any::<bool>(),
    ) {
        let secrets = knowing(&secret);
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let once = engine.encode(format!("{before}{secret}{behind}"));
            let encoded = if twice { engine.encode(once) } else { once };
            for (name, wrap) in WRAPPINGS {
                for in_lines in [wrap(&encoded), wrap(&broken(&encoded, length, by))] {
                    let said = format!("Basic ({in_lines}) is wrong");
                    let shown = secrets.hide_in_text(&said);
                    prop_assert_eq!(&*shown, "Basic (****) is wrong", "{}: {}", name, said);
                }
            }
        }
    }

    #[test]
    fn honest_texts_stay_as_they_are(secret in secret(), text in "[a-zA-Z0-9 +/=%\\\\&;\n早é]{0,200}") {
        prop_assume!(!text.contains(&secret));
        let shown = knowing(&secret).hide_in_text(&text).into_owned();
        prop_assert_eq!(shown, text);
    }
}

/// Found by the dice: read all at once it is too short to be looked for.
#[test]
fn a_secret_that_looks_like_an_escape_is_known_where_another_kind_spells_it() {
    assert_eq!(knowing("Aaa&\\r").hide_in_text("(Aaa&amp;\\r)"), "(****)");
    assert_eq!(knowing("%41%42&").hide_in_text("(%41%42&amp;)"), "(****)");
}

#[test]
fn a_base64_word_ends_with_its_paragraph() {
    let secrets = knowing("abc/def+ghi=jkl");
    let said = format!("wrong: {}\n\nplease try again", STANDARD.encode("abc/def+ghi=jkl"));
    assert_eq!(secrets.hide_in_text(&said), "wrong: ****\n\nplease try again");
}

#[test]
fn a_secret_that_is_written_with_escapes_is_known_by_what_it_means() {
    let secrets = knowing("p%C3%A4ss%40w%C3%B6rd");
    for said in ["pä ss", "pass@word"] {
        assert_eq!(secrets.hide_in_text(said), said);
    }
    for said in ["päss@wörd", "p%C3%A4ss%40w%C3%B6rd", "p%25C3%25A4ss%2540w%25C3%25B6rd"] {
        assert_eq!(secrets.hide_in_text(said), "****");
    }
    assert_eq!(secrets.hide_in_text(&STANDARD.encode("user:päss@wörd")), "****");
}
