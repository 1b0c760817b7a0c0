//! Addresses that are asked for a content or a list: with headers of a file of their own, and for what they are to answer.

use super::decoder::Decoder;
use super::environment::Sight;
use super::keys::CONTENT_HTTP_KEYS;
use super::text::shown;
use super::yaml::{Node, Value};
use crate::domain::content::ContentHttp;
use crate::policy::headers::headers;
use crate::texts::{self, Text};

impl Decoder<'_> {
    /// An address alone, or a mapping with its `url`.
    pub(super) fn content_http(&mut self, key: &str, node: &Node) -> Option<ContentHttp> {
        if !matches!(node.value(), Value::Map(_)) {
            return self.content_url(key, node).map(ContentHttp::plain);
        }
        let (mut url, mut http) = (None, ContentHttp::plain(String::new()));
        let owner = key;
        for entry in self.map(owner, node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "url" => url = Some(self.content_url(key, value)),
                "headers_file" => http.headers_file = self.headers_file(key, value),
                "expect" => http.expect = self.statuses(key, value),
                "allow_private" => http.allow_private = self.bool(key, value).unwrap_or_default(),
                _ => self.unknown_key(entry, Text::same(owner.to_owned()), CONTENT_HTTP_KEYS),
            }
        }
        if url.is_none() {
            self.error(node.at, texts::needs_a_url(key));
        }
        Some(ContentHttp { url: url??, ..http })
    }

    pub(super) fn content_url(&mut self, key: &str, node: &Node) -> Option<String> {
        if let Value::Scalar(scalar) = node.value()
            && let Some(text) = self.half_seen(key, &scalar.text, node.at)
        {
            return Some(text.to_owned());
        }
        self.parsed(key, node, texts::address_with_http(), |text| {
            let url = url::Url::parse(text.trim()).ok()?;
            let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some();
            (fits && url.username().is_empty() && url.password().is_none()).then(|| url.to_string())
        })
    }

    /// A file that is there and private, with headers in it. It is read again whenever the address is asked.
    fn headers_file(&mut self, key: &str, node: &Node) -> Option<std::path::PathBuf> {
        let path = self.path(key, node)?;
        if self.is_beside(key, node.at, texts::the_file()) {
            return Some(path);
        }
        // No verb says it of a job: it was so before, and is no reason to refuse what is said.
        if !self.of_verb && self.sight != Sight::Onlooker {
            let text = self.secret_file(key, node, &path)?;
            if let Err(problem) = headers(text.expose()) {
                self.error(node.at, texts::of_file_of_key(key, shown(&path), problem));
                return None;
            }
        }
        Some(path)
    }

    fn statuses(&mut self, key: &str, node: &Node) -> Vec<u16> {
        let mut statuses = Vec::new();
        if matches!(node.value(), Value::List(nodes) if nodes.is_empty()) {
            self.error(node.at, texts::some_statuses(key));
        }
        for node in node.one_or_more() {
            let expected = texts::a_status();
            let read = |text: &str| text.trim().parse().ok().filter(|status| matches!(status, 200..=299 | 400..=599));
            statuses.extend(self.parsed::<u16>(key, node, expected, read));
        }
        statuses
    }
}
