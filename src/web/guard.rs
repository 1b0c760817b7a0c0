//! Who is let in: what is judged of a request before its body is asked for.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::problem::Problem;
use super::rates::Rate;
use super::routes::{Found, OPERATIONS, Op, Operation, find};
use super::state::{Accepted, Api};
use super::who::{Needs, Unknown, Who};
use crate::net::hosts;
use crate::net::http1::{Head, Peer, Response, StatusCode, header};

/// Wrong tokens from one address.
const WRONG: Rate = Rate::per_minute(5);
pub(super) const READS: Rate = Rate::per_second(10);
pub(super) const ACTS: Rate = Rate::per_second(2);
/// Each may take a processor for two seconds.
pub(super) const PREVIEWS: Rate = Rate::per_minute(6);
/// Of users of the socket, who have no row that says more.
const SOCKET_PUSHES: Rate = Rate::per_minute(600);

/// A request that was let in.
pub(super) struct Admitted {
    pub who: Who,
    pub operation: &'static Operation,
    pub names: Vec<String>,
}

impl Api {
    /// Judges a head, and counts it.
    pub(super) fn admit(&self, head: &Head) -> Result<(), Problem> {
        let accepted = self.accepted();
        must_be_framed(head)?;
        must_be_ours(head, &accepted)?;
        if !is_of_the_api(path_of(head, &accepted)) {
            return self.admit_page(head, &accepted);
        }
        must_be_no_foreign_page(head, &accepted)?;
        let admitted = self.admitted(head, &accepted)?;
        self.keep_to_rates(&admitted)?;
        must_be_json(head, admitted.operation)
    }

    /// Whoever asks and for what; counts only wrong tokens.
    pub(super) fn admitted(&self, head: &Head, accepted: &Arc<Accepted>) -> Result<Admitted, Problem> {
        let path = path_of(head, accepted);
        let (operation, names) = match find(OPERATIONS, head.method.as_str(), path) {
            Found::One(operation, names) => (operation, names),
            Found::Other(methods) => return Err(Problem::other_method(path, methods)),
            Found::Nothing => {
                return Err(Problem::not_found(format!("there is no {path}; /api/openapi.json tells what there is")));
            }
        };
        let who = self.somebody(head, accepted)?;
        if !who.may(operation.needs) {
            let name = who.name();
            tracing::debug!(who = name, path, "this was not allowed");
            let needs = match operation.needs {
                Needs::Read | Needs::OwnPush => "read or act",
                Needs::Act => "act",
                Needs::Push => "push",
            };
            let detail = format!("{name} has not the scope that this takes: {needs}");
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Ok(Admitted { who, operation, names })
    }

    fn somebody(&self, head: &Head, accepted: &Accepted) -> Result<Who, Problem> {
        let now = self.inside.clock.boottime();
        let from = address_of(head, accepted);
        let too_fast = |seconds| Problem::too_fast("too many wrong tokens came from this address", seconds);
        self.rates.look(&from, WRONG, now).map_err(too_fast)?;
        match Who::of(head, accepted) {
            Ok(who) => Ok(who),
            Err(unknown) => {
                let detail = match unknown {
                    Unknown::NoToken => {
                        let why = Who::why_not_on_socket(head, accepted).map(|why| why + "; ").unwrap_or_default();
                        format!("{why}send a token: 'Authorization: Bearer TOKEN'; `pushcron web token` makes one")
                    }
                    Unknown::WrongToken => {
                        "this token is not among daemon.web.tokens, or not of the running configuration".to_owned()
                    }
                };
                if unknown == Unknown::WrongToken && self.rates.take(&from, WRONG, now).is_ok() {
                    tracing::warn!(from, "a wrong token came to the HTTP API");
                }
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
            }
        }
    }

    fn keep_to_rates(&self, admitted: &Admitted) -> Result<(), Problem> {
        let Admitted { who, operation, .. } = admitted;
        if operation.op == Op::Preview {
            return self.keep_to("preview", who, PREVIEWS);
        }
        let (kind, rate) = match (operation.needs, who) {
            (Needs::Push, Who::Token(token)) => ("push", Rate::per_minute(token.per_minute)),
            (Needs::Push, Who::Socket { .. } | Who::Person(_)) => ("push", SOCKET_PUSHES),
            (Needs::Act, _) => ("act", ACTS),
            (Needs::Read | Needs::OwnPush, _) => ("read", READS),
        };
        self.keep_to(kind, who, rate).map_err(|problem| problem.with("recorded", false.into()))
    }

    /// Counts a request of this kind.
    pub(super) fn keep_to(&self, kind: &str, who: &Who, rate: Rate) -> Result<(), Problem> {
        let (name, now) = (who.name(), self.inside.clock.boottime());
        let taken = self.rates.take(&format!("{kind} {name}"), rate, now);
        taken.map_err(|seconds| Problem::too_fast(format!("{name} asks too often"), seconds))
    }
}

/// A message whose end two fields tell differently is two messages to somebody else.
fn must_be_framed(head: &Head) -> Result<(), Problem> {
    let has = |name| head.headers.contains_key(name);
    let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter().count();
    if lengths > 1 || (has(header::CONTENT_LENGTH) && has(header::TRANSFER_ENCODING)) {
        let detail = "where the body ends is told in two ways";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
    }
    Ok(())
}

/// A page whose name was made to lead here says its own name.
fn must_be_ours(head: &Head, accepted: &Accepted) -> Result<(), Problem> {
    let public = accepted.settings.public_url.as_deref().and_then(authority);
    let is_ours = |host: &str| {
        let name = hosts::after(host, "pushcron.").unwrap_or(host);
        hosts::is_this_machine(name) || public.is_some_and(|public| public.eq_ignore_ascii_case(host))
    };
    let mut named = hosts::named(head).peekable();
    if named.peek().is_some() && named.all(is_ours) {
        return Ok(());
    }
    let host = hosts::named(head).collect::<Vec<_>>().join(", ");
    let detail = format!(
        "Host is '{host}': expected localhost, 127.0.0.1, [::1], or the host of daemon.web.public_url, which is {}",
        accepted.settings.public_url.as_deref().unwrap_or("not set")
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", detail))
}

/// `host:port` of an address.
pub(super) fn authority(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    Some(rest.split('/').next().unwrap_or(rest))
}

/// Browsers say of what page a request is; no page of another site has any business here.
fn must_be_no_foreign_page(head: &Head, accepted: &Accepted) -> Result<(), Problem> {
    let value = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = |what: String| Err(Problem::new(StatusCode::FORBIDDEN, "foreign-page", what));
    if let Some(site) = value("sec-fetch-site").filter(|site| !["same-origin", "none"].contains(site)) {
        return foreign(format!("Sec-Fetch-Site is '{site}': expected a request of no page, or of one of ours"));
    }
    let Some(origin) = value("origin") else { return Ok(()) };
    if is_ours_of(origin, head, accepted) {
        return Ok(());
    }
    foreign(format!("Origin is '{origin}': expected none, or that of daemon.web.public_url"))
}

/// Whether pages of this origin are ours.
pub(super) fn is_ours_of(origin: &str, head: &Head, accepted: &Accepted) -> bool {
    let public = accepted.settings.public_url.as_deref().and_then(|url| Some(format!("https://{}", authority(url)?)));
    let own = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(|host| format!("http://{host}"));
    [public, own].iter().flatten().any(|ours| ours.eq_ignore_ascii_case(origin))
}

/// Whether programs ask there, with tokens; elsewhere people do, with cookies.
pub(super) fn is_of_the_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// A form of a page can send no JSON.
fn must_be_json(head: &Head, operation: &Operation) -> Result<(), Problem> {
    let wrong = |detail: &str| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
    if operation.method == "GET" {
        return Ok(());
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return wrong("a body comes as it is, without Content-Encoding");
    }
    let kind = head.headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?"));
    let is_json =
        |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let has_body = head.headers.contains_key(header::TRANSFER_ENCODING)
        || head.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    match kind {
        Some(kind) if is_json(kind) => Ok(()),
        None if !has_body && !operation.op.says_more() => Ok(()),
        _ => wrong("expected Content-Type: application/json"),
    }
}

/// The path behind the prefix of the public address.
pub(super) fn path_of<'a>(head: &'a Head, accepted: &Accepted) -> &'a str {
    let path = head.uri.path();
    prefix_of(accepted)
        .and_then(|prefix| path.strip_prefix(prefix))
        .filter(|path| path.starts_with('/'))
        .unwrap_or(path)
}

/// The path of the public address.
pub(super) fn prefix_of(accepted: &Accepted) -> Option<&str> {
    let rest = accepted.settings.public_url.as_deref()?.split_once("://")?.1;
    rest.find('/').map(|at| &rest[at..])
}

/// Whence it came: the last that no trusted proxy vouches for.
pub(super) fn address_of(head: &Head, accepted: &Accepted) -> String {
    let peer = match head.extensions.get::<Peer>() {
        Some(Peer::Tcp(peer)) => *peer,
        Some(Peer::Unix { uid: Some(uid) }) => return format!("uid {uid}"),
        Some(Peer::Unix { uid: None }) | None => return "somebody".to_owned(),
    };
    let trusted = &accepted.settings.trusted_proxies;
    if !trusted.contains(&peer) {
        return peer.to_string();
    }
    let fields = head.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = fields.flat_map(|field| field.split(',')).map(str::trim).collect();
    let mut from = peer;
    for hop in hops.into_iter().rev() {
        let Ok(hop) = hop.parse::<IpAddr>() else { break };
        from = hop.to_canonical();
        if !trusted.contains(&from) {
            break;
        }
    }
    from.to_string()
}

/// What stands on every answer.
pub(super) fn dress(response: &mut Response<Bytes>, request: &str) {
    const HEADERS: [(&str, &str); 6] = [
        ("content-security-policy", "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        // A page says more of itself.
        headers.entry(name).or_insert(header::HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(header::HeaderValue::from_static("no-store"));
    if let Ok(request) = request.parse() {
        headers.insert("request-id", request);
    }
}
