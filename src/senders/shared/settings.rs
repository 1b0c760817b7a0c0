//! What the senders of several protocols ask of an account's settings.

use reqwest::header::HeaderValue;
use url::Url;

use super::http::Http;
use super::setting::CA_FILE;
use crate::domain::account::Account;
use crate::senders::sender::{BuildError, Environment};
use crate::texts::{self, Text};

/// The client for this account: the shared one, or one that trusts the account's [`CA_FILE`] alone.
pub(crate) fn http(account: &Account, environment: &Environment) -> Result<Http, BuildError> {
    let http = match account.settings.path(CA_FILE.key) {
        Some(file) => Http::trusting(file).map_err(|error| problem(account, Text::same(error.to_string())))?,
        None => environment.http.clone(),
    };
    Ok(http.hiding(&account.settings))
}

/// The http or https address under `key`, or None where the account has none. The error shows nothing of the address,
/// which may hold a token.
pub(crate) fn url(account: &Account, key: &str) -> Result<Option<Url>, BuildError> {
    let Some(text) = account.settings.secret(key) else { return Ok(None) };
    match Url::parse(text.expose()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        Ok(_) => Err(problem(account, texts::expected_http(key))),
        Err(error) => Err(problem(account, texts::no_address(key, error))),
    }
}

/// The address under `key`, which the sender cannot do without.
pub(crate) fn required_url(account: &Account, key: &str) -> Result<Url, BuildError> {
    url(account, key)?.ok_or_else(|| missing(account, key))
}

/// The secret under `key` as `Authorization: Bearer …`; None where there is none or it is empty.
pub(crate) fn bearer(account: &Account, key: &str) -> Result<Option<HeaderValue>, BuildError> {
    let Some(token) = account.settings.secret(key).filter(|token| !token.is_empty()) else { return Ok(None) };
    let value = header_value(&format!("Bearer {}", token.expose()));
    value.map(Some).ok_or_else(|| problem(account, texts::not_for_a_header(key)))
}

/// A header that no Debug shows; None where the text has characters that no header can carry.
pub(crate) fn header_value(secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(secret).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `base` with one more path segment, whether or not it ends in a slash; its query stays.
pub(crate) fn under(base: &Url, segment: &str) -> Url {
    let mut url = base.clone();
    // An http address always has a path, so this cannot fail.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(segment);
    }
    url
}

pub(crate) fn missing(account: &Account, key: &str) -> BuildError {
    problem(account, texts::required(key))
}

pub(crate) fn problem(account: &Account, problem: Text) -> BuildError {
    BuildError { account: account.id.clone(), problem }
}
