//! Contents that are made for each fire.

use serde_json::{Value, json};

use super::blocks::{Key, choice, key, known, object, one_of_required, one_or_list, reference, required, whole};
use crate::config::keys::{CONTENT_KEYS, LIST_KEYS, MOST_ATTEMPTS, MOST_CONTENTS};

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
            reference("address"),
            "An address; what lies there is the content. The rules of media hold: no private addresses, and https, unless \
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
        key(
            "lead",
            reference("duration"),
            "So long before the instant the source is asked, so that the content is there in time. Up to 1h.",
        )
        .or("0s"),
    ]);
    one_of_required(known(schema, &CONTENT_KEYS), &["command", "http", "file"])
}

/// `from` of a target.
pub(super) fn list() -> Value {
    let variables = json!({"type": "object", "additionalProperties": reference("text")});
    let command = json!({"type": "array", "minItems": 1, "items": reference("text")});
    let schema = object([
        key("csv", reference("path"), "A file or an address: a line of names, and a line for each recipient."),
        key("lines", reference("path"), "A file or an address: an id a line."),
        key("json", reference("path"), "A file or an address: a list of objects, or of ids."),
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
    ]);
    let mut schema = known(schema, &LIST_KEYS);
    schema["oneOf"] = json!(["csv", "lines", "json", "command"].map(required));
    schema["allOf"] = json!([{"oneOf": [required("user"), required("group")]}]);
    schema
}
