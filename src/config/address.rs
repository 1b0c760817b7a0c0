//! Addresses of the web that nothing is fetched from.

use crate::domain::address::host_not_public;
use crate::texts::{self, Text};

/// Why nothing is fetched from there unless somebody says that it is meant, as far as the address itself tells; what its name
/// leads to is seen when it is asked. What is no address of the web is nobody's business here.
pub(super) fn refused(url: &str, needs_https: bool) -> Option<Text> {
    let parsed = url::Url::parse(url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if let Some((host, kind)) = parsed.host_str().and_then(|host| Some((host, host_not_public(host)?))) {
        return Some(texts::address_not_public(host, texts::phrase(kind)));
    }
    (needs_https && parsed.scheme() == "http").then(texts::expected_https)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_by_its_host_and_where_that_is_asked_for_without_tls() {
        let told = |url, needs_https| refused(url, needs_https).map(|text| text.english().to_owned());
        assert_eq!(told("https://10.0.0.7/a", true).unwrap(), "10.0.0.7: nothing is fetched from private addresses");
        assert_eq!(
            told("http://localhost:1/a", false).unwrap(),
            "localhost: nothing is fetched from loopback addresses"
        );
        assert_eq!(told("http://example.com/a", true).unwrap(), "expected an address that begins with https://");
        for taken in [told("http://example.com/a", false), told("https://example.com", true), told("/a/file", true)] {
            assert_eq!(taken, None);
        }
    }
}
