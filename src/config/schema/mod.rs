//! The JSON Schema of the YAML, for editors: what `check` accepts, as far as a schema can tell.
//!
//! A schema knows nothing of other places, so names, references, zones, the days of a cron text, files and variables
//! are left to [`super::load`]. `tests/it/schema.rs` holds both against each other with a validator of others, and
//! `docs/configuration.md` and pushcron.yaml(5) take their tables from here.

mod accounts;
mod blocks;
mod calendars;
mod contents;
mod pushes;
mod web;
mod words;

use serde_json::{Value, json};

use self::blocks::{
    Key, VARIABLE, any_of_required, choice, key, known, list_of, number, object, one_of_required, one_or_list, or_null,
    reference, required, whole,
};
pub use self::words::{KeyInWords, SPELLINGS, keys_in_words};
use super::keys::{
    DAEMON_KEYS, DEFAULTS_KEYS, HEARTBEAT_KEYS, JOB_KEYS, MISFIRE_KEYS, MOST_ATTEMPTS, MOST_CAUGHT_UP, MOST_FIRES,
    ON_FAILURE_KEYS, RETRY_KEYS, SCHEDULE_KEYS,
};
use crate::domain::SenderSpec;

/// The schema (draft 2020-12) with these senders.
pub fn schema(specs: &[&'static SenderSpec]) -> Value {
    let mut schema = object([
        key("daemon", or_null(reference("daemon")), "The daemon's own settings."),
        key(
            "accounts",
            or_null(list_of(reference("account"))),
            "Who sends. \"The first account online\" is the first in this list.",
        ),
        key(
            "targets",
            or_null(json!({"type": "object", "additionalProperties": reference("target")})),
            "Whom pushes go to, by a name.",
        ),
        key("jobs", or_null(list_of(reference("job"))), "What is sent, to whom, and when."),
        key("defaults", or_null(reference("defaults")), "What jobs do not say themselves."),
        key(
            "calendars",
            or_null(json!({"type": "object", "additionalProperties": reference("calendar")})),
            "Lists of days by name; 'cn' is there without one.",
        ),
        key(
            "include",
            or_null(one_or_list("text")),
            "More files, relative to this one: names or patterns such as jobs.d/*.yaml.",
        ),
    ]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("pushcron");
    schema["description"] = json!("The configuration of pushcron: who sends what to whom, and when.");
    schema["type"] = json!(["object", "null"]);
    schema["$defs"] = definitions(specs);
    schema
}

fn definitions(specs: &[&'static SenderSpec]) -> Value {
    let mut definitions = scalars();
    for (name, definition) in [
        ("daemon", daemon()),
        ("heartbeat", heartbeat()),
        ("on_failure", on_failure()),
        ("web", web::web()),
        ("web_user", web::user()),
        ("web_token", web::token()),
        ("account", accounts::account(specs)),
        ("defaults", defaults()),
        ("retry", retry()),
        ("misfire", json!({"anyOf": [choice(&["skip", "latest", "all"]), misfire()]})),
        ("calendar", calendars::calendar()),
        ("day_sets", calendars::day_sets()),
        ("job", job()),
        ("content_from", contents::content_from()),
        ("content_http", contents::content_http()),
        ("list", contents::list()),
        ("push", pushes::push()),
        ("target", pushes::target()),
        ("fallback", pushes::fallback()),
        ("prepared_push", pushes::prepared_push()),
        ("report_push", pushes::report_push()),
        ("options", pushes::options()),
        ("media", pushes::media()),
        ("item", pushes::item()),
    ] {
        definitions[name] = definition;
    }
    definitions
}

/// Values without parts. A text is any scalar, and any value may name a variable instead.
fn scalars() -> Value {
    let pattern = |pattern: &str| format!("{pattern}|{VARIABLE}");
    let duration = r"^\s*(?=[0-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?\s*$";
    let size = r"^\s*[0-9]+\s*([kKmMgGtT][iI][bB]|[kKmMgGtT]?[bB]?)\s*$";
    let source = r"^(https?://.|file:///|base64://.|data:.*;base64,.|(?!data:|base64:)(?![A-Za-z0-9+.\-]+://))";
    json!({
        "text": {"type": ["string", "number", "boolean"]},
        "optional_text": {"type": ["string", "number", "boolean", "null"]},
        "name": {
            "type": ["string", "number", "boolean"],
            "minLength": 1,
            "maxLength": 128,
            "pattern": r"^[^\s/\u0000-\u001f]([^/\u0000-\u001f]*[^\s/\u0000-\u001f])?$",
            "not": {"enum": [".", ".."]},
        },
        "id": {"type": ["string", "number", "boolean", "null"], "maxLength": 256},
        "bool": {"anyOf": [
            {"type": "boolean"},
            {"type": "string", "pattern": pattern("^(true|True|TRUE|false|False|FALSE)$")},
        ]},
        "duration": {"type": "string", "pattern": pattern(duration)},
        "timeout": {"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 3_600_000},
            {"type": "string", "pattern": "^[0-9]+$"},
            reference("duration"),
        ]},
        "size": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": pattern(size)}]},
        "path": {"type": ["string", "number", "boolean"], "minLength": 1},
        "address": {"type": "string", "pattern": pattern("^[hH][tT][tT][pP][sS]?://.")},
        "source": {"type": ["string", "number", "boolean"], "minLength": 1, "pattern": pattern(source)},
    })
}

const ON_FAILURE: &str = "Who is told when a push ends failed, unknown or expired, or an account goes down.";

const LANGUAGE: &str = "Of reports on failures, English when absent; and of what `check`, `push` and `status` tell where the locale \
                        (LC_ALL, LC_MESSAGES, LANG) names no language.";

fn daemon() -> Value {
    let first = [
        key(
            "database",
            reference("path"),
            "The SQLite file. Relative to $STATE_DIRECTORY, else to the working directory.",
        )
        .or("pushcron.db"),
        key(
            "timezone",
            reference("text"),
            "The IANA name of the zone of jobs that name none. The system's when absent.",
        ),
        key("language", choice(&["en", "zh"]), LANGUAGE),
        key("keep_history", reference("duration"), "Finished pushes older than this are deleted. At least 1h.")
            .or("90d"),
        key(
            "max_history_rows",
            whole(1, None),
            "The oldest finished pushes beyond this many are deleted. No limit when absent.",
        ),
        key(
            "max_database_size",
            reference("size"),
            "The oldest finished pushes are deleted while the database is larger. No limit when absent.",
        ),
        key(
            "accounts_fallback",
            choice(&["any", "no_default"]),
            "When the first account online stands in: where the im has no default account or that one cannot send \
             (any), or only where it has none at all (no_default).",
        )
        .or("any"),
        key(
            "media_roots",
            one_or_list("path"),
            "Local media are sent from these directories only. The directories of the YAML files when absent.",
        ),
        key(
            "media_allow_private",
            reference("bool"),
            "Whether media may be fetched from loopback, private and link-local addresses.",
        )
        .or(false),
        key("media_max_bytes", reference("size"), "Larger media are refused.").or("20MB"),
        contents::at_once(),
        key(
            "probe_every",
            reference("duration"),
            "How often accounts that jobs use are asked whether they are online. At least 1s.",
        )
        .or("30s"),
    ];
    let last = [
        key(
            "heartbeat",
            reference("heartbeat"),
            "An address that is called while all is well, so that a dead-man service notices silence.",
        ),
        key("on_failure", reference("on_failure"), ON_FAILURE),
        calendars::on_missing(),
        key(
            "template_env",
            one_or_list("text"),
            "Environment variables that templates may use, as {{ env.NAME }}. None that an account uses.",
        ),
        reload(),
        web::of_daemon(),
    ];
    let schema = object(first.into_iter().chain(metrics()).chain(last));
    known(schema, &DAEMON_KEYS)
}

/// Where numbers go, and who may read them.
fn metrics() -> [Key; 6] {
    [
        key(
            "metrics_file",
            reference("path"),
            "Where numbers are written for the textfile collector of Prometheus' node_exporter. Relative to this file.",
        ),
        key(
            "metrics_listen",
            reference("text"),
            "Address and port that serve /metrics, such as 127.0.0.1:9464. Others than this machine read it only with \
             `metrics_allow` or a token.",
        ),
        key(
            "metrics_allow",
            one_or_list("text"),
            "Networks whose readers are heard beside this machine, such as 10.0.0.0/8.",
        ),
        key(
            "metrics_token",
            reference("text"),
            "What every reader has to bring as `Authorization: Bearer TOKEN`. At least 16 characters, and better in a file.",
        ),
        key("metrics_token_file", reference("path"), "A private file (mode 0600) with this token."),
        key("metrics_token_credential", reference("text"), "The systemd credential with this token."),
    ]
}

fn reload() -> Key {
    let words = "When the files are read again: at a SIGHUP (signal), or also once they were changed, they and the token files \
                 that they name (watch).";
    key("reload", choice(&["signal", "watch"]), words).or("signal")
}

fn heartbeat() -> Value {
    let url = "The address to call. It may hold a secret, so it can come from a file or a credential.";
    let schema = object([
        key("url", reference("address"), url),
        key("url_file", reference("path"), "A private file (mode 0600) with the address."),
        key("url_credential", reference("text"), "The systemd credential with the address."),
        key("every", reference("duration"), "How often. At least 1s.").or("1m"),
    ]);
    one_of_required(known(schema, &HEARTBEAT_KEYS), &["url", "url_file", "url_credential"])
}

fn on_failure() -> Value {
    let schema = object([
        key("push", reference("report_push"), "Where the report goes."),
        key(
            "command",
            json!({"type": "array", "minItems": 1, "items": reference("text")}),
            "A program by its absolute path and its arguments. The report comes on its standard input.",
        ),
        key("as_root", reference("bool"), "Run the command although the daemon runs as root.").or(false),
        key(
            "every",
            reference("duration"),
            "At most one report in this time; what happens meanwhile is grouped. At least 1s.",
        )
        .or("10m"),
    ]);
    any_of_required(known(schema, &ON_FAILURE_KEYS), &["push", "command"])
}

fn defaults() -> Value {
    let schema = object([
        key("retry", reference("retry"), "How often and how long a push is tried."),
        key("misfire", reference("misfire"), "What happens to instants that were noticed too late."),
        pushes::timeout(),
        overlap(),
        dst_gap(),
        pushes::render(),
    ]);
    known(schema, &DEFAULTS_KEYS)
}

fn retry() -> Value {
    let schema = object([
        key("max_attempts", whole(1, Some(MOST_ATTEMPTS)), "How often a push is tried at most.").or(5),
        key("backoff", reference("duration"), "The wait after the first attempt.").or("5s"),
        key("factor", number(1, 100), "How much longer each wait is than the one before.").or(2),
        key("max_backoff", reference("duration"), "No wait is longer than this.").or("10m"),
        key("jitter", number(0, 1), "The share of each wait that chance may add or take.").or(0.2),
        key(
            "give_up_after",
            reference("duration"),
            "From the due instant on; later the push is given up. At least 1s.",
        )
        .or("1h"),
        key("resend_unknown", reference("bool"), "Send again what may have gone out already: better twice than never.")
            .or(false),
    ]);
    known(schema, &RETRY_KEYS)
}

fn misfire() -> Value {
    let policy = choice(&["skip", "latest", "all"]);
    let schema = object([
        key("policy", policy, "Which of the instants fire: none, the last one, or every one.").or("latest"),
        key("within", reference("duration"), "Older instants are missed, whatever the policy.").or("1h"),
        key("grace", reference("duration"), "Noticed within this time an instant is merely late and fires as usual.")
            .or("60s"),
        key("max", whole(1, Some(MOST_CAUGHT_UP)), "With all: at most this many are made up for, the newest ones.")
            .or(100),
    ]);
    known(schema, &MISFIRE_KEYS)
}

fn job() -> Value {
    let matching = |pattern: &str| json!({"type": "string", "pattern": format!("{pattern}|{VARIABLE}")});
    let cron = matching(r"^\s*(@[a-zA-Z]+|\S+(\s+\S+){4,5})\s*$");
    let at = matching(r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}");
    let pushes =
        |push: &str| json!({"anyOf": [reference(push), {"type": "array", "minItems": 1, "items": reference(push)}]});
    let push = pushes("prepared_push");
    let schema = object(
        [
            key("name", reference("name"), "Its name, in tables and verbs. A new name is a new job."),
            key(
                "cron",
                cron,
                "Minute, hour, day of month, month, weekday; six fields begin with the second. Names, lists, ranges, \
             steps, L, W and # work, and @hourly, @daily, @weekly, @monthly, @yearly.",
            ),
            key(
                "every",
                reference("duration"),
                "A period in whole seconds, counted from the epoch: 30s fires at :00 and :30.",
            ),
            key("at", at.clone(), "One instant: 2026-12-24T18:00 in the job's zone, or with an offset or Z."),
            key(
                "on_demand",
                json!({"type": "boolean", "const": true}),
                "Instead of a schedule: it fires when `fire` says so, with its own message or another one.",
            ),
            key("timezone", reference("text"), "The IANA name of the zone. daemon.timezone when absent."),
            key("enabled", reference("bool"), "Whether the schedule counts. `fire` works all the same.").or(true),
            key("push", push, "What is sent to whom: one push, or a list of them."),
            key(
                "content_from",
                reference("content_from"),
                "What makes the content of its pushes anew for each fire. A push without a content of its own sends it.",
            ),
            key("retry", reference("retry"), "How often and how long its pushes are tried."),
            key("misfire", reference("misfire"), "What happens to instants that were noticed too late."),
            overlap(),
            dst_gap(),
            key("from", at.clone(), "With cron or every: it fires at no earlier instant. A time as for at."),
            key("until", at, "With cron or every: it fires at no later instant, and has come to its end then. A time as for at."),
            key(
                "max_fires",
                whole(1, Some(MOST_FIRES)),
                "With cron or every: it has come to its end with so many fires by its schedule; those skipped, missed or by \
                 hand do not count. A changed schedule counts anew.",
            ),
        ]
        .into_iter()
        .chain(calendars::job_keys())
        .chain([pushes::render()]),
    );
    let mut schema = one_of_required(known(schema, &JOB_KEYS), &SCHEDULE_KEYS);
    schema["required"] = json!(["name", "push"]);
    // Only what is made for them lets pushes be without a content.
    schema["if"] = json!({"not": required("content_from")});
    let push = key("push", pushes("push"), "What is sent to whom: one push, or a list of them, each with a content.");
    schema["then"] = json!({"properties": object([push])["properties"]});
    schema
}

fn overlap() -> blocks::Key {
    let words = "While pushes of an older fire of the job are open: allow both, skip the new fire, or replace (the \
                 older pushes are cancelled; one that is being sent at that moment ends as it ends and is not \
                 tried again, so that the older message never comes after the newer one).";
    key("overlap", choice(&["allow", "skip", "replace"]), words).or("allow")
}

fn dst_gap() -> blocks::Key {
    let words = "Where summer time swallows the hour of a job: fire at the first instant after the gap, or skip that \
                 day.";
    key("dst_gap", choice(&["fire", "skip"]), words).or("fire")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::TOP_KEYS;

    #[test]
    fn the_schema_has_the_keys_that_the_reader_knows() {
        // Building it holds every mapping against the reader's keys.
        known(schema(&[]), &TOP_KEYS);
    }
}
