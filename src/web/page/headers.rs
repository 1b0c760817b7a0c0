//! Fields of the head of a page.

use crate::net::http1::header;

/// What a page of ours may load and where its forms may go: to us alone, and nothing that stands in the page itself is run.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What cannot stand in a header is left out.
pub(super) fn as_header(headers: &mut header::HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = header::HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}
