//! Contents that are made for each fire.

use serde_json::{Value, json};

use super::blocks::{
    Key, VARIABLE, choice, key, known, object, one_of_required, one_or_list, reference, required, whole,
};
use crate::config::keys::{CONTENT_HTTP_KEYS, CONTENT_KEYS, LIST_KEYS, MOST_ATTEMPTS, MOST_CONTENTS};

pub(super) fn at_once() -> Key {
    let words = "How many sources of contents are asked at once (`content_from` of jobs).";
    key("content_at_once", whole(1, Some(MOST_CONTENTS)), words).or(4)
}

pub(super) fn content_from() -> Value {
    let variables = json!({"type": "object", "additionalProperties": reference("text")});
    let schema = object([
        key(
            "command",
            json!({"type": "array", "minItems": 1, "items": reference("text")}),
            "A program by its absolute path and its arguments; what it prints is the content. It runs without a shell, as \
             the daemon's user, in / and with no environment but PATH, LANG and env. Exit 0: good; 99: nothing to say; \
             else it is tried again.",
        ),
        key("env", variables, "Environment variables of the command."),
        key("as_root", reference("bool"), "Run the command although the daemon runs as root.").or(false),
        key(
            "http",
            json!({"anyOf": [reference("address"), reference("content_http")]}),
            "An address, or a mapping with more of it; what lies there is the content. The rules of media hold: no private addresses, and https, unless \
             daemon.media_allow_private says otherwise.",
        ),
        key(
            "file",
            reference("path"),
            "A file in one of daemon.media_roots; what stands in it is the content. Relative to this file.",
        ),
        key("max_age", reference("duration"), "An older file is no content, and the source has failed. At least 1s."),
        key("timeout", reference("duration"), "How long the source may take. 100ms to 1h.").or("30s"),
        key("max_bytes", reference("size"), "More than this is no content, and the source has failed. Up to 1MiB.")
            .or("64KiB"),
        key("attempts", whole(1, Some(MOST_ATTEMPTS)), "How often a source that fails is asked for one fire.").or(2),
        key("backoff", reference("duration"), "The wait before it is asked again. Up to 1h.").or("10s"),
        key("format", choice(&["text", "json"]), "What it says: a text, or JSON whose parts templates know as `data`.")
            .or("text"),
        key("trusted", reference("bool"), "What templates take of it may call people and be markup.").or(false),
        key(
            "empty",
            choice(&["skip", "fail", "send"]),
            "Where it has nothing to say: the pushes are cancelled (content_empty), or fail, or send their own content.",
        )
        .or("skip"),
        key(
            "unchanged",
            choice(&["send", "skip"]),
            "Where a target was sent the same content the last time: send it again, or cancel its push \
             (content_unchanged).",
        )
        .or("send"),
        stale("Where the source fails in the end: the pushes fail, or send what it said the last time it was well."),
        stale_at_most(),
        key(
            "at",
            choice(&["instant", "release"]),
            "When it is made: at the instant of the fire, less lead; or once the first of its pushes can go out, however long \
             that takes.",
        )
        .or("instant"),
        key(
            "lead",
            reference("duration"),
            "So long before the instant the source is asked, so that the content is there in time. Up to 1h.",
        )
        .or("0s"),
    ]);
    one_of_required(known(schema, &CONTENT_KEYS), &["command", "http", "file"])
}

/// An address that is asked for more than its body.
pub(super) fn content_http() -> Value {
    let status = json!({"anyOf": [
        {"type": "integer", "minimum": 200, "maximum": 599, "not": {"minimum": 300, "maximum": 399}},
        {"type": "string", "pattern": format!("^\\s*[245][0-9][0-9]\\s*$|{VARIABLE}")},
    ]});
    let some = json!({"type": "array", "items": status, "minItems": 1});
    let mut schema = object([
        key("url", reference("address"), "The address."),
        key(
            "headers_file",
            reference("path"),
            "A file for the daemon alone, whose lines are headers that go along: 'Authorization: Bearer …'. It is read \
             whenever the address is asked, and they go to no other server.",
        ),
        key(
            "expect",
            json!({"anyOf": [status, some]}),
            "The status, or some, whose body counts; any other is a failure. Those of success (200 to 299 but 206) when \
             absent.",
        ),
        key(
            "allow_private",
            reference("bool"),
            "It may be http:// and lead to private addresses, whatever daemon.media_allow_private says of all others.",
        )
        .or(false),
    ]);
    schema["required"] = json!(["url"]);
    known(schema, &CONTENT_HTTP_KEYS)
}

fn stale(words: &str) -> Key {
    key("stale", choice(&["fail", "last_good"]), words).or("fail")
}

fn stale_at_most() -> Key {
    key("stale_at_most", reference("duration"), "With stale: last_good, an older one is not taken. At least 1s.")
        .or("24h")
}

/// `from` of a target.
pub(super) fn list() -> Value {
    let file = || json!({"anyOf": [reference("path"), reference("content_http")]});
    let variables = json!({"type": "object", "additionalProperties": reference("text")});
    let command = json!({"type": "array", "minItems": 1, "items": reference("text")});
    let schema = object([
        key(
            "csv",
            file(),
            "A file or an address (which may be a mapping): a line of names, and a line for each recipient.",
        ),
        key("lines", file(), "A file or an address (which may be a mapping): an id a line."),
        key("json", file(), "A file or an address (which may be a mapping): a list of objects, or of ids."),
        key(
            "command",
            command,
            "A program by its absolute path and its arguments, which prints the list. As in `content_from`.",
        ),
        key("format", choice(&["csv", "lines", "json"]), "What the command prints.").or("csv"),
        key("user", reference("text"), "The column with the ids of users. Of lines any word will do."),
        key("group", reference("text"), "The column with the ids of groups, instead of user."),
        key("fields", one_or_list("text"), "Columns that templates may use by their names."),
        key("env", variables, "Environment variables of the command."),
        key("as_root", reference("bool"), "Run the command although the daemon runs as root.").or(false),
        key("trusted", reference("bool"), "Its columns may call people and be markup.").or(false),
        stale("Where it cannot be read in the end: its fires fail, or go to those who stood there the last time."),
        stale_at_most(),
    ]);
    let mut schema = known(schema, &LIST_KEYS);
    schema["oneOf"] = json!(["csv", "lines", "json", "command"].map(required));
    schema["allOf"] = json!([{"oneOf": [required("user"), required("group")]}]);
    schema
}
