//! Takes secrets out of what a platform answers: some quote in an error what they were sent, address and headers and all.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::domain::Secret;
use crate::domain::account::{SettingValue, Settings};

/// Shorter ones are words that stand in honest answers as well, and hide nothing.
const SHORTEST: usize = 6;
/// Parts of a path are taken for tokens from this length on: `webhook` or `httpapi` are none.
const SHORTEST_SEGMENT: usize = 16;
/// What the names of secrets in a query hold: `key`, `safekey`, `access_token`.
const SECRET_NAMES: [&str; 5] = ["key", "token", "secret", "sign", "pass"];

/// Texts that no answer may show, the longest first.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<[Secret]>);

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
        Secrets::new(texts)
    }

    fn new(mut texts: Vec<String>) -> Secrets {
        texts.retain(|text| text.len() >= SHORTEST);
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Secrets(texts.into_iter().map(Secret::new).collect())
    }

    /// These, and those that a request carries in its headers, such as a token that the platform itself gave.
    pub fn with_headers(&self, headers: &HeaderMap) -> Secrets {
        let sensitive = headers.values().filter(|value| value.is_sensitive());
        let mut texts: Vec<String> = sensitive
            .filter_map(|value| value.to_str().ok()?.rsplit(' ').next())
            .filter(|text| self.0.iter().all(|known| known.expose() != *text))
            .map(str::to_owned)
            .collect();
        if texts.is_empty() {
            return self.clone();
        }
        texts.extend(self.0.iter().map(|secret| secret.expose().to_owned()));
        Secrets::new(texts)
    }

    pub fn hide_in_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let quoted = self.0.iter().filter(|secret| text.contains(secret.expose()));
        quoted.fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret.expose(), "****")))
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

fn in_address(url: &Url, texts: &mut Vec<String>) {
    if let Some(password) = url.password() {
        texts.push(password.to_owned());
        texts.push(STANDARD.encode(format!("{}:{password}", url.username())));
    }
    let segments = url.path_segments().into_iter().flatten();
    texts.extend(segments.filter(|segment| segment.len() >= SHORTEST_SEGMENT).map(str::to_owned));
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
            ("123456:ABCDEF", "no bot at /bot123456%3AABCDEF/getMe", "no bot at /bot123456%3A****/getMe"),
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
    fn a_token_that_was_granted_is_known_from_the_header_that_carries_it() {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_static("Bearer granted-token");
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        headers.insert("x-open", HeaderValue::from_static("not-a-secret"));
        let secrets = secrets(&["longer-than-that-token"]).with_headers(&headers);
        let mut answer =
            json!({"granted-token": ["longer-than-that-token", {"said": "granted-token, not-a-secret"}, 7]});
        secrets.hide_in(&mut answer);
        assert_eq!(answer, json!({"granted-token": ["****", {"said": "****, not-a-secret"}, 7]}));
    }
}
