//! Whom a request is addressed to. A page in somebody's browser whose name was made to lead here (DNS rebinding) says
//! its own name, so a foreign one gives it away.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::http::request::Parts;

/// Every host that the head names: in `Host`, and in a target with a scheme. What is no text is the name "?".
pub fn named(head: &Parts) -> impl Iterator<Item = &str> {
    let fields = head.headers.get_all(HOST).iter().map(|value| value.to_str().map_or("?", str::trim));
    fields.chain(head.uri.authority().map(|authority| authority.as_str()))
}

/// This machine, by a name that only means this machine.
pub fn is_this_machine(host: &str) -> bool {
    let is_port = |rest: &str| rest.is_empty() || rest.starts_with(':');
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| after(host, name).is_some_and(is_port))
}

/// What stands behind this beginning of a host's name, in which letters have no case.
pub fn after<'h>(host: &'h str, begin: &str) -> Option<&'h str> {
    let (head, rest) = host.split_at_checked(begin.len())?;
    head.eq_ignore_ascii_case(begin).then_some(rest)
}

/// An address, or a name that nobody can register for others to see.
pub fn is_local(host: &str) -> bool {
    const ENDS: [&str; 6] = [".local", ".lan", ".internal", ".home.arpa", ".localdomain", ".localhost"];
    if host.is_empty() || host.starts_with('[') {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.').to_lowercase();
    name.parse::<IpAddr>().is_ok() || !name.contains('.') || ENDS.iter().any(|end| name.ends_with(end))
}
