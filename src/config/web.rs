//! `daemon.web`: the page and the HTTP API.

use std::net::{IpAddr, SocketAddr};

use super::decoder::Decoder;
use super::keys::{WEB_KEYS, WEB_SCOPES, WEB_TOKEN_KEYS, WEB_USER_KEYS, WEB_USER_SCOPES};
use super::settings::{WebListen, WebSettings, WebToken, WebUser};
use super::yaml::{At, Node};
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
        let (mut proxies, mut socket_users, mut users, mut tokens) = (Vec::new(), None, Vec::new(), Vec::new());
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
                    socket_users = Some(names.into_iter().map(|(_, name)| name.into_owned()).collect());
                }
                "users" => users = self.web_users(value),
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
        let nobody = tokens.is_empty() && users.is_empty();
        if nobody && matches!(listen, WebListen::Tcp(_)) && self.diagnostics.error_count() == errors {
            self.warning(at, texts::nobody_is_answered()).hint(texts::make_a_web_token());
        }
        let (socket_mode, public_url, trusted_proxies) = (mode, url, proxies);
        Some(WebSettings {
            listen,
            socket_mode,
            public_url,
            trusted_proxies,
            socket_users,
            users,
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

    fn web_users(&mut self, node: &Node) -> Vec<WebUser> {
        let mut users: Vec<WebUser> = Vec::new();
        for node in node.one_or_more() {
            let Some(user) = self.web_user(node) else { continue };
            if users.iter().any(|other| other.name == user.name) {
                self.error(node.at, texts::twin_users());
            }
            users.push(user);
        }
        users
    }

    fn web_user(&mut self, node: &Node) -> Option<WebUser> {
        let (mut name, mut password, mut scope) = (None, None, None);
        let errors = self.diagnostics.error_count();
        for entry in self.map("users", node)? {
            let (key, value) = (&*entry.key, &entry.node);
            match key {
                "name" => name = self.name(key, value),
                "password" => password = self.parsed(key, value, texts::a_password_hash(), password_hash),
                "scope" => scope = self.choice(key, value, &WEB_USER_SCOPES),
                _ => self.unknown_key(entry, Text::same("users"), WEB_USER_KEYS),
            }
        }
        if self.diagnostics.error_count() > errors {
            return None;
        }
        match (name, password, scope) {
            (Some(name), Some(password), Some(scope)) => Some(WebUser { name, password, scope }),
            _ => {
                self.error(node.at, texts::incomplete_user());
                None
            }
        }
    }

    fn web_tokens(&mut self, node: &Node) -> Vec<WebToken> {
        let mut tokens: Vec<WebToken> = Vec::new();
        for node in node.one_or_more() {
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

/// The memory in KiB, the passes and the lanes that a hash may ask of who checks it: a slip must not stop the daemon.
const MOST_OF_A_HASH: [(&str, u32); 3] = [("m", 256 * 1024), ("t", 16), ("p", 16)];

/// `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
fn password_hash(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "argon2id", "v=19", costs, salt, hash] = parts[..] else { return None };
    let costs: Vec<&str> = costs.split(',').collect();
    let fits = |(cost, (name, most)): (&&str, &(&str, u32))| {
        let number = cost.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')?.parse::<u32>().ok());
        number.is_some_and(|number| (1..=*most).contains(&number))
    };
    let is_base64 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    let is_one = costs.len() == MOST_OF_A_HASH.len()
        && costs.iter().zip(&MOST_OF_A_HASH).all(fits)
        && (11..=64).contains(&salt.len())
        && (22..=86).contains(&hash.len())
        && is_base64(salt)
        && is_base64(hash);
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_by_its_hash_and_asks_for_no_more_than_a_daemon_has() {
        let (salt, hash) = ("c29tZXNhbHRzb21lc2FsdA", "U3tWYW5kbGluZyBhbmQgbW9yZSBvZiB0aGF0IGJ5dGVz");
        let of = |head: &str, costs: &str| password_hash(&format!("{head}${costs}${salt}${hash}")).is_some();
        assert!(of("$argon2id$v=19", "m=19456,t=2,p=1"));
        for costs in ["m=19456,t=2", "m=4194304,t=2,p=1", "m=19456,t=0,p=1", "t=2,m=19456,p=1", ""] {
            assert!(!of("$argon2id$v=19", costs), "{costs}");
        }
        for head in ["$argon2i$v=19", "$argon2id$v=16", "argon2id$v=19", "x"] {
            assert!(!of(head, "m=19456,t=2,p=1"), "{head}");
        }
        for text in ["secret", "", "$argon2id$v=19$m=19456,t=2,p=1$salt$hash", "$2b$12$abcdefghijklmnopqrstuv"] {
            assert_eq!(password_hash(text), None, "{text}");
        }
    }
}
