//! Takes secrets out of what a platform answers: some quote in an error what they were sent, address and headers and all.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::spelling::{Reading, SHORTEST, Sought};
use crate::domain::Secret;
use crate::domain::account::{SettingValue, Settings};

/// Parts of a path are taken for tokens from this length on: `webhook` or `httpapi` are none.
const SHORTEST_SEGMENT: usize = 16;
/// What the names of secrets in a query hold: `key`, `safekey`, `access_token`, `encrypted_query_param`.
const SECRET_NAMES: [&str; 6] = ["key", "token", "secret", "sign", "pass", "query_param"];

/// Texts that no answer may show, the longest first.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<[Arc<Hidden>]>);

/// One of them, and what its other spellings are known by.
struct Hidden {
    text: Secret,
    sought: Sought,
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(f)
    }
}

impl Secrets {
    /// Those of an account: its secrets, and what may be one in its addresses.
    pub fn of(settings: &Settings) -> Secrets {
        let mut texts = Vec::new();
        for value in settings.values.values() {
            let SettingValue::Secret(secret) = value else { continue };
            match Url::parse(secret.expose()) {
                Ok(url) if url.has_host() => in_address(&url, &mut texts),
                _ => in_text(secret.expose(), &mut texts),
            }
        }
        Secrets::default().and(texts)
    }

    /// These, and those that a request carries in its headers and its query, such as a token that the platform gave.
    pub fn with_request(&self, headers: &HeaderMap, url: &Url) -> Secrets {
        let sensitive = headers.values().filter(|value| value.is_sensitive());
        let mut texts: Vec<String> =
            sensitive.filter_map(|value| value.to_str().ok()?.rsplit(' ').next()).map(str::to_owned).collect();
        in_query(url, &mut texts);
        self.and(texts)
    }

    /// These, and what an answer grants: whatever stands in it under the name of a token or secret.
    pub fn with_granted(&self, answer: &[u8]) -> Secrets {
        let names = |part: &[u8]| part.eq_ignore_ascii_case(b"token") || part.eq_ignore_ascii_case(b"secre");
        if !answer.windows(5).any(names) {
            return self.clone();
        }
        let mut texts = Vec::new();
        granted_in(&serde_json::from_slice(answer).unwrap_or_default(), false, &mut texts);
        self.and(texts)
    }

    /// These and others.
    pub fn and(&self, mut texts: Vec<String>) -> Secrets {
        texts.retain(|text| text.len() >= SHORTEST && self.0.iter().all(|known| known.text.expose() != text));
        if texts.is_empty() {
            return self.clone();
        }
        texts.sort();
        texts.dedup();
        let hidden = |text: String| Arc::new(Hidden { sought: Sought::new(&text), text: Secret::new(text) });
        let mut all: Vec<Arc<Hidden>> = self.0.iter().cloned().chain(texts.into_iter().map(hidden)).collect();
        all.sort_by_key(|hidden| Reverse(hidden.text.expose().len()));
        Secrets(all.into())
    }

    /// The text with `****` in the place of each secret, in whatever spelling it stands there.
    pub fn hide_in_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // All are looked for in the text as it is: where a short one was replaced first, a longer one around it in another
        // spelling would not be known any more.
        let readings = Reading::all_of(text);
        let in_any = |hidden: &Arc<Hidden>| {
            readings.iter().flat_map(|reading| hidden.sought.find_in(reading)).collect::<Vec<_>>()
        };
        let mut places: Vec<_> = self.0.iter().flat_map(in_any).collect();
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        places.sort_by_key(|place| (place.start, place.end));
        let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
        for place in places {
            if place.start >= end {
                shown.push_str(&text[end..place.start]);
                shown.push_str("****");
            }
            end = end.max(place.end);
        }
        shown.push_str(&text[end..]);
        Cow::Owned(shown)
    }

    /// Hides them in every text of an answer. Keys stay, which a token that is a plain word must not garble.
    pub fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(hidden) = self.hide_in_text(text) {
                    *text = hidden;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value)),
            Value::Object(entries) => entries.values_mut().for_each(|value| self.hide_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A secret alone, and what stands behind a colon in it: `X-Key: TOKEN`, `123456:TOKEN`.
fn in_text(text: &str, texts: &mut Vec<String>) {
    texts.push(text.to_owned());
    if let Some((_, behind)) = text.rsplit_once(':') {
        texts.push(behind.trim().to_owned());
    }
}

/// Every text under the name of a token or secret.
fn granted_in(value: &Value, is_named: bool, texts: &mut Vec<String>) {
    let names = |key: &str| ["token", "secret"].iter().any(|word| key.to_lowercase().contains(word));
    match value {
        Value::String(text) if is_named => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| granted_in(value, is_named, texts)),
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| granted_in(value, is_named || names(key), texts));
        }
        _ => {}
    }
}

fn in_address(url: &Url, texts: &mut Vec<String>) {
    if let Some(password) = url.password() {
        texts.push(password.to_owned());
        texts.push(STANDARD.encode(format!("{}:{password}", url.username())));
    }
    let segments = url.path_segments().into_iter().flatten();
    texts.extend(segments.filter(|segment| segment.len() >= SHORTEST_SEGMENT).map(str::to_owned));
    in_query(url, texts);
}

fn in_query(url: &Url, texts: &mut Vec<String>) {
    for pair in url.query().unwrap_or_default().split('&') {
        let (name, raw) = pair.split_once('=').unwrap_or_default();
        // Others, such as the account's own id, stand in answers on purpose.
        if SECRET_NAMES.iter().any(|part| name.to_lowercase().contains(part)) {
            texts.push(raw.to_owned());
            texts.extend(form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use reqwest::header::{AUTHORIZATION, HeaderValue};
    use serde_json::json;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let value = |text: &str| SettingValue::Secret(Secret::new(text.to_owned()));
        let values = values.iter().enumerate().map(|(index, text)| (index.to_string(), value(text))).collect();
        Secrets::of(&Settings { values })
    }

    #[test]
    fn what_an_answer_quotes_of_the_request_is_hidden_and_nothing_else() {
        let uuid = "0f8c2e9a-77aa-4c1d-9a30-5b1f2c3d4e5f";
        let hook = format!("https://h/open-apis/bot/v2/hook/{uuid}");
        // Setting, what the platform says, what is shown.
        let table = [
            ("s3cret-token", "bad token s3cret-token!", "bad token ****!"),
            ("123456:ABCDEF", "no bot at /bot123456:ABCDEF/getMe", "no bot at /bot****/getMe"),
            ("123456:ABCDEF", "no bot at /bot123456%3AABCDEF/getMe", "no bot at /bot****/getMe"),
            ("X-Key: abcdefg", "x-key abcdefg is wrong", "x-key **** is wrong"),
            ("word", "a word of honour", "a word of honour"),
            (
                &hook,
                "POST /open-apis/bot/v2/hook/0f8c2e9a-77aa-4c1d-9a30-5b1f2c3d4e5f",
                "POST /open-apis/bot/v2/hook/****",
            ),
            ("https://h/send?access_token=012345", "token 012345 expired", "token **** expired"),
            ("https://h/send?safeKey=0123%2Bf", "0123+f, 0123%2Bf", "****, ****"),
            ("https://h/send?wxid=wxid_0123456789abcd", "wxid_0123456789abcd", "wxid_0123456789abcd"),
            ("https://user:pass-word@h/", "Basic dXNlcjpwYXNzLXdvcmQ= (pass-word)", "Basic **** (****)"),
        ];
        for (setting, said, shown) in table {
            assert_eq!(secrets(&[setting]).hide_in_text(said), shown, "{setting}");
        }
    }

    #[test]
    fn a_secret_is_known_in_every_spelling() {
        let secrets = secrets(&["abc/def+ghi=jkl"]);
        for said in [
            r#"{"bad": "abc\/def+ghi=jkl"}"#,
            r#"abc\u002fdef\u002Bghi\u003djkl"#,
            r#"\"abc\\\/def+ghi=jkl\""#,
            "abc%2Fdef%2bghi%3Djkl",
            "abc%252Fdef%252Bghi%253Djkl",
            "abc&#x2F;def&#43;ghi&#61;jkl",
            "abc&sol;def&plus;ghi&equals;jkl",
            r"abc\x2fdef+ghi=jkl",
            "%61%62%63/def+ghi=jkl",
        ] {
            let shown = secrets.hide_in_text(said);
            assert!(shown.contains("****") && !shown.contains("def") && !shown.contains("jkl"), "{said}: {shown}");
        }
        for before in ["", "u:", "user:", "user1:"] {
            let said = format!("Basic {} is wrong", STANDARD.encode(format!("{before}abc/def+ghi=jkl and more")));
            assert_eq!(secrets.hide_in_text(&said), "Basic **** is wrong", "{before}");
        }
        for honest in ["100% of a&b; \\n %zz &x; 早%E6%97%A9", "abc/def", ""] {
            assert_eq!(secrets.hide_in_text(honest), honest);
        }
    }

    #[test]
    fn a_secret_is_known_in_hex_octal_and_base64_of_base64() {
        let secrets = secrets(&["abc/def+ghi=jkl"]);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let octal = |text: &str| text.bytes().map(|byte| format!("\\{byte:03o}")).collect::<String>();
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let token = "abc/def+ghi=jkl";
        for before in ["", "u:", "user:", "user1:", "another"] {
            let plain = format!("{before}{token} and more");
            let (once, url_safe) = (STANDARD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain));
            let twice = |text: &str| percent(&percent(text));
            for (said, shown) in [
                (hex(token.as_bytes()), "****".to_owned()),
                (hex(plain.as_bytes()).to_uppercase(), "****".to_owned()),
                (format!("0x{}!", hex(plain.as_bytes())), "0x****!".to_owned()),
                (octal(&plain), format!("{}****{}", octal(before), octal(" and more"))),
                (twice(&plain), format!("{}****{}", twice(before), twice(" and more"))),
                (percent(&twice(token)), "****".to_owned()),
                (STANDARD.encode(&once), "****".to_owned()),
                (STANDARD.encode(format!("{before}{once}")), "****".to_owned()),
                (URL_SAFE_NO_PAD.encode(&url_safe), "****".to_owned()),
                (once.replace('/', "\\/").replace('=', "\\u003d"), "****".to_owned()),
                (percent(&once), "****".to_owned()),
                (octal(&once), "****".to_owned()),
                (STANDARD.encode(&once).replace('=', "%3D"), "****".to_owned()),
            ] {
                assert_eq!(secrets.hide_in_text(&said), shown, "{before}: {said}");
            }
        }
        for honest in ["deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4", r"\0 \101 \189"]
        {
            assert_eq!(secrets.hide_in_text(honest), honest);
        }
    }

    #[test]
    fn what_an_answer_grants_is_hidden_where_it_is_quoted() {
        let answer = br#"{"data": {"tenant_access_token": "t-0123456789", "expire": 7200}, "id": "om_123456"}"#;
        let shown =
            Secrets::default().with_granted(answer).hide_in_text(std::str::from_utf8(answer).unwrap()).into_owned();
        assert!(!shown.contains("t-0123456789") && shown.contains("om_123456"), "{shown}");
    }

    #[test]
    fn a_token_that_was_granted_is_known_from_the_header_that_carries_it() {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_static("Bearer granted-token");
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        headers.insert("x-open", HeaderValue::from_static("not-a-secret"));
        let secrets = secrets(&["longer-than-that-token"])
            .with_request(&headers, &"https://h/send?access_token=granted-in-query&id=7777777".parse().unwrap());
        let mut answer = json!({"granted-token": ["longer-than-that-token", {"said": "granted-token, not-a-secret, granted-in-query, 7777777"}, 7]});
        secrets.hide_in(&mut answer);
        assert_eq!(answer, json!({"granted-token": ["****", {"said": "****, not-a-secret, ****, 7777777"}, 7]}));
    }
}
