//! `daemon.web`: the HTTP API.

use std::net::{IpAddr, SocketAddr};

use super::decoder::Decoder;
use super::keys::{WEB_KEYS, WEB_SCOPES, WEB_TOKEN_KEYS};
use super::settings::{WebListen, WebSettings, WebToken};
use super::yaml::{At, Node, Value};
use crate::domain::Target;
use crate::texts::{self, Text};

const SOCKET_MODE: u32 = 0o660;
const MAX_BODY: u64 = 1 << 20;
/// Longer bodies are a slip: a picture of the largest size has less.
const MOST_BODY: u64 = 64 << 20;
const PER_MINUTE: u32 = 60;
const MOST_PER_MINUTE: u64 = 6000;

impl Decoder<'_> {
    pub(super) fn web(&mut self, node: &Node) -> Option<WebSettings> {
        let (mut listen, mut mode, mut url, mut body) = (None, SOCKET_MODE, None, MAX_BODY);
        let (mut proxies, mut users, mut tokens) = (Vec::new(), None, Vec::new());
        let errors = self.diagnostics.error_count();
        for entry in self.map("web", node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "listen" => listen = self.web_listen(key, value).map(|listen| (listen, value.at)),
                "socket_mode" => {
                    mode = self.parsed(key, value, texts::an_octal_mode(), octal).unwrap_or(mode);
                }
                "public_url" => url = self.parsed(key, value, texts::a_public_url(), public_url),
                "trusted_proxies" => proxies = self.addresses(key, value),
                "socket_users" => {
                    let names = self.texts(key, value).unwrap_or_default();
                    users = Some(names.into_iter().map(|(_, name)| name.into_owned()).collect());
                }
                "tokens" => tokens = self.web_tokens(value),
                "max_body" => body = self.size(key, value).unwrap_or(body),
                _ => self.unknown_key(entry, Text::same("web"), WEB_KEYS),
            }
        }
        if body > MOST_BODY {
            self.error(node.at, texts::most_body());
        }
        let Some((listen, at)) = listen else {
            if self.diagnostics.error_count() == errors {
                self.error(node.at, texts::web_needs_listen()).hint(texts::ways_to_listen());
            }
            return None;
        };
        self.judge_listen(&listen, url.is_some(), at);
        if tokens.is_empty() && matches!(listen, WebListen::Tcp(_)) && self.diagnostics.error_count() == errors {
            self.warning(at, texts::nobody_is_answered()).hint(texts::make_a_web_token());
        }
        let (socket_mode, public_url, trusted_proxies) = (mode, url, proxies);
        Some(WebSettings {
            listen,
            socket_mode,
            public_url,
            trusted_proxies,
            socket_users: users,
            tokens,
            max_body: body,
        })
    }

    fn web_listen(&mut self, key: &str, node: &Node) -> Option<WebListen> {
        let text = self.text(key, node)?.into_owned();
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') || path.len() > 100 {
                self.wrong(key, node, texts::a_socket_path());
                return None;
            }
            return Some(WebListen::Unix(path.into()));
        }
        let expected = texts::an_address_or_socket();
        self.parsed(key, node, expected, |text| text.parse::<SocketAddr>().ok()).map(WebListen::Tcp)
    }

    /// Whoever listens where others reach it, says that a proxy with TLS stands in front.
    fn judge_listen(&mut self, listen: &WebListen, has_public_url: bool, at: At) {
        let WebListen::Tcp(address) = listen else { return };
        if address.ip().is_loopback() {
            return;
        }
        if has_public_url {
            self.warning(at, texts::open_without_tls()).hint(texts::reach_it_here());
        } else {
            self.error(at, texts::listen_here_only()).hint(texts::publish_by_proxy());
        }
    }

    fn addresses(&mut self, key: &str, node: &Node) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for (at, text) in self.texts(key, node).unwrap_or_default() {
            match text.parse::<IpAddr>() {
                Ok(address) => addresses.push(address.to_canonical()),
                Err(_) => drop(self.error(at, texts::expected_addresses(key))),
            }
        }
        addresses
    }

    fn web_tokens(&mut self, node: &Node) -> Vec<WebToken> {
        let nodes: Vec<&Node> = match node.value() {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let mut tokens: Vec<WebToken> = Vec::new();
        for node in nodes {
            let Some(token) = self.web_token(node) else { continue };
            if tokens.iter().any(|other| other.name == token.name || other.sha256 == token.sha256) {
                self.error(node.at, texts::twin_tokens());
            }
            tokens.push(token);
        }
        tokens
    }

    fn web_token(&mut self, node: &Node) -> Option<WebToken> {
        let (mut name, mut sha256, mut scope, mut to, mut per_minute) = (None, None, None, None, PER_MINUTE);
        let errors = self.diagnostics.error_count();
        for entry in self.map("tokens", node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "name" => name = self.name(key, value),
                "sha256" => sha256 = self.parsed(key, value, texts::a_sha256(), digest),
                "scope" => scope = self.choice(key, value, &WEB_SCOPES),
                "to" => to = Some(self.allowed_targets(key, value)),
                "per_minute" => {
                    let number = self.int(key, value, 1, MOST_PER_MINUTE).and_then(|number| u32::try_from(number).ok());
                    per_minute = number.unwrap_or(per_minute);
                }
                _ => self.unknown_key(entry, Text::same("tokens"), WEB_TOKEN_KEYS),
            }
        }
        if self.diagnostics.error_count() > errors {
            return None;
        }
        match (name, sha256, scope) {
            (Some(name), Some(sha256), Some(scope)) => Some(WebToken { name, sha256, scope, to, per_minute }),
            _ => {
                self.error(node.at, texts::incomplete_token());
                None
            }
        }
    }

    fn allowed_targets(&mut self, key: &str, node: &Node) -> Vec<(String, Target)> {
        let mut targets = Vec::new();
        for (at, text) in self.texts(key, node).unwrap_or_default() {
            let target = text.split_once(' ').and_then(|(im, target)| Some((im.to_owned(), target.parse().ok()?)));
            match target {
                Some(target) => targets.push(target),
                None => drop(self.error(at, texts::im_and_target(key))),
            }
        }
        targets
    }
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777)
}

/// Without the slash at its end.
fn public_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let is_plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && url.has_host() && is_plain).then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn digest(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}
