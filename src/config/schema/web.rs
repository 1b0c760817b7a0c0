//! `daemon.web`.

use serde_json::{Value, json};

use super::blocks::{Key, choice, key, known, object, one_or_list, reference, whole};
use crate::config::keys::{WEB_KEYS, WEB_TOKEN_KEYS, WEB_USER_KEYS};

/// The key of `daemon`.
pub(super) fn of_daemon() -> Key {
    key("web", reference("web"), "The page (docs/web.md) and the HTTP API (docs/api.md). Absent: nothing listens.")
}

pub(super) fn web() -> Value {
    let tokens = json!({"anyOf": [reference("web_token"), {"type": "array", "items": reference("web_token")}]});
    let users = json!({"anyOf": [reference("web_user"), {"type": "array", "items": reference("web_user")}]});
    let schema = object([
        key(
            "listen",
            reference("text"),
            "A loopback address and port such as 127.0.0.1:8600, or unix:/run/pushcron/web.sock. Another address takes a public_url.",
        ),
        key("socket_mode", reference("text"), "The mode of the socket's file, in octal digits.").or("0660"),
        key(
            "public_url",
            reference("text"),
            "How the world sees it behind a proxy with TLS: https://push.example.org/cron. Its host may be asked for, and its path is a prefix.",
        ),
        key(
            "trusted_proxies",
            one_or_list("text"),
            "Addresses of proxies whose X-Forwarded-For tells who asks, for limits.",
        ),
        key(
            "socket_users",
            one_or_list("text"),
            "Users, by name or number, who need no token and no sign-in on the socket. root and the daemon's own user when absent. Never a proxy's.",
        ),
        key("users", users, "Who may sign in at the page. `pushcron web password NAME` makes the line of one."),
        key("tokens", tokens, "Who may ask the API. `pushcron web token NAME` makes one."),
        key("max_body", reference("size"), "The longest body that is taken.").or("1MiB"),
    ]);
    let mut schema = known(schema, &WEB_KEYS);
    schema["required"] = json!(["listen"]);
    schema
}

pub(super) fn user() -> Value {
    let schema = object([
        key("name", reference("name"), "Who it is; acts tell it."),
        key(
            "password",
            reference("text"),
            "The argon2id hash of the password, as `pushcron web password NAME` prints it: no secret, but private all the same.",
        ),
        key("scope", choice(&["read", "act"]), "read: look at everything; act: and fire, pause, retry and the like."),
    ]);
    let mut schema = known(schema, &WEB_USER_KEYS);
    schema["required"] = json!(["name", "password", "scope"]);
    schema
}

pub(super) fn token() -> Value {
    let schema = object([
        key("name", reference("name"), "Whose it is; acts and pushes tell it."),
        key("sha256", reference("text"), "The SHA-256 of the token: no secret."),
        key(
            "scope",
            choice(&["read", "act", "push"]),
            "read: look at everything; act: and fire, pause, retry and the like; push: push, and read back its own pushes.",
        ),
        key("to", one_or_list("text"), "The only targets that it may push to, each with its im: 'qq group:123456'."),
        key("per_minute", whole(1, Some(6000)), "So many pushes in a minute.").or(60),
    ]);
    let mut schema = known(schema, &WEB_TOKEN_KEYS);
    schema["required"] = json!(["name", "sha256", "scope"]);
    schema
}
