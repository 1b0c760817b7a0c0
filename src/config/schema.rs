//! The JSON Schema of the YAML, for editors: what `check` accepts, as far as a schema can tell.
//!
//! A schema knows nothing of other places, so names, references, zones, the days of a cron text, files and variables
//! are left to [`super::load`]. `tests/schema.rs` holds both against each other with a validator of others.

use serde_json::{Map, Value, json};

use super::accounts::COMMON_KEYS;
use super::daemon::{DAEMON_KEYS, DEFAULTS_KEYS, HEARTBEAT_KEYS, ON_FAILURE_KEYS};
use super::jobs::JOB_KEYS;
use super::policies::{MISFIRE_KEYS, MOST_ATTEMPTS, MOST_CAUGHT_UP, RETRY_KEYS};
use crate::domain::SenderSpec;
use crate::domain::sender::{SettingKind, SettingSpec};

/// Any value may name a variable instead.
const VARIABLE: &str = r"\$\{";

/// The schema (draft 2020-12) with these senders.
pub fn schema(specs: &[&'static SenderSpec]) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pushcron",
        "description": "The configuration of pushcron: who sends what to whom, and when.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "daemon": about(or_null(reference("daemon")), "The daemon's own settings."),
            "accounts": about(or_null(list_of(reference("account"))), "Who sends. \"The first account online\" is the first in this list."),
            "defaults": about(or_null(reference("defaults")), "What jobs do not say themselves."),
            "jobs": about(or_null(list_of(reference("job"))), "What is sent, to whom, and when."),
            "include": about(or_null(one_or_list("text")), "More files, relative to this one: names or patterns such as jobs.d/*.yaml."),
        },
        "$defs": definitions(specs),
    })
}

fn definitions(specs: &[&'static SenderSpec]) -> Value {
    json!({
        "text": {"type": ["string", "number", "boolean"]},
        "name": {
            "type": ["string", "number", "boolean"],
            "minLength": 1,
            "maxLength": 128,
            "pattern": r"^[^\s/\u0000-\u001f]([^/\u0000-\u001f]*[^\s/\u0000-\u001f])?$",
        },
        "bool": {"anyOf": [
            {"type": "boolean"},
            {"type": "string", "pattern": format!("^(true|True|TRUE|false|False|FALSE)$|{VARIABLE}")},
        ]},
        "duration": {
            "type": "string",
            "pattern": format!(r"^\s*(?=[0-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?\s*$|{VARIABLE}"),
        },
        "size": {"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": format!(r"^\s*[0-9]+\s*([kKmMgGtT][iI][bB]|[kKmMgGtT]?[bB]?)\s*$|{VARIABLE}")},
        ]},
        "path": {"type": ["string", "number", "boolean"], "minLength": 1},
        "address": {"type": "string", "pattern": format!("^[hH][tT][tT][pP][sS]?://.|{VARIABLE}")},
        "id": {"type": ["string", "number", "boolean", "null"], "maxLength": 256},
        "optional_text": {"type": ["string", "number", "boolean", "null"]},
        "source": {
            "type": ["string", "number", "boolean"],
            "minLength": 1,
            "pattern": format!(r"^(https?://.|file:///|base64://.|data:.*;base64,.|(?!data:|base64:)(?![A-Za-z0-9+.\-]+://))|{VARIABLE}"),
        },
        "timeout": {"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 3_600_000},
            {"type": "string", "pattern": "^[0-9]+$"},
            reference("duration"),
        ]},
        "daemon": daemon(),
        "heartbeat": heartbeat(),
        "on_failure": on_failure(),
        "account": account(specs),
        "defaults": defaults(),
        "retry": retry(),
        "misfire": {"anyOf": [choice(&["skip", "latest", "all"]), misfire()]},
        "job": job(),
        "push": push(),
        "report_push": report_push(),
        "options": options(),
        "media": media(),
        "item": item(),
    })
}

fn daemon() -> Value {
    object(
        &DAEMON_KEYS,
        json!({
            "database": with_default(about(reference("path"), "The SQLite file. Relative to $STATE_DIRECTORY, else to the working directory."), "pushcron.db"),
            "timezone": about(reference("text"), "The IANA name of the zone of jobs that name none. The system's zone when absent."),
            "keep_history": with_default(about(reference("duration"), "Finished pushes older than this are deleted. At least 1h."), "90d"),
            "max_history_rows": about(whole(1, None), "The oldest finished pushes beyond this many are deleted. No limit when absent."),
            "max_database_size": about(reference("size"), "The oldest finished pushes are deleted while the database is larger. No limit when absent."),
            "accounts_fallback": with_default(about(choice(&["any", "no_default"]), "Whether the first account online stands in for a default account that cannot send (any), or only where the im has no default at all (no_default)."), "any"),
            "media_roots": about(one_or_list("path"), "Local media are sent from these directories only. The directories of the YAML files when absent."),
            "media_allow_private": with_default(about(reference("bool"), "Whether media may be fetched from loopback, private and link-local addresses."), false),
            "media_max_bytes": with_default(about(reference("size"), "Larger media are refused."), "20MB"),
            "probe_every": with_default(about(reference("duration"), "How often accounts that jobs use are asked whether they are online. At least 1s."), "30s"),
            "metrics_file": about(reference("path"), "Where numbers are written for the textfile collector of Prometheus' node_exporter. Relative to this file."),
            "metrics_listen": about(reference("text"), "Loopback address and port that serve /metrics, such as 127.0.0.1:9464."),
            "heartbeat": about(reference("heartbeat"), "An address that is called while all is well, so that a dead-man service notices silence."),
            "on_failure": about(reference("on_failure"), "Who is told when a push ends failed, unknown or expired, or an account goes down."),
        }),
    )
}

fn heartbeat() -> Value {
    let about_url = "The address to call. It may hold a secret, so it can come from a file or a credential.";
    let mut schema = object(
        &HEARTBEAT_KEYS,
        json!({
            "url": about(reference("address"), about_url),
            "url_file": about(reference("path"), "A private file (mode 0600) with the address."),
            "url_credential": about(reference("text"), "The systemd credential with the address."),
            "every": with_default(about(reference("duration"), "How often. At least 1s."), "1m"),
        }),
    );
    schema["oneOf"] = json!(["url", "url_file", "url_credential"].map(|key| json!({"required": [key]})));
    schema
}

fn on_failure() -> Value {
    let mut schema = object(
        &ON_FAILURE_KEYS,
        json!({
            "push": about(reference("report_push"), "Where the report goes."),
            "command": about(
                json!({"type": "array", "minItems": 1, "items": reference("text")}),
                "A program by its absolute path and its arguments. The report comes on its standard input.",
            ),
            "as_root": with_default(about(reference("bool"), "Run the command although the daemon runs as root."), false),
            "every": with_default(about(reference("duration"), "At most one report in this time; what happens meanwhile is grouped. At least 1s."), "10m"),
        }),
    );
    schema["anyOf"] = json!([{"required": ["push"]}, {"required": ["command"]}]);
    schema
}

fn defaults() -> Value {
    object(
        &DEFAULTS_KEYS,
        json!({
            "retry": about(reference("retry"), "How often and how long a push is tried."),
            "misfire": about(reference("misfire"), "What happens to instants that were noticed too late."),
            "timeout": timeout(),
            "overlap": overlap(),
            "dst_gap": dst_gap(),
        }),
    )
}

fn retry() -> Value {
    object(
        &RETRY_KEYS,
        json!({
            "max_attempts": with_default(about(whole(1, Some(MOST_ATTEMPTS)), "How often a push is tried at most."), 5),
            "backoff": with_default(about(reference("duration"), "The wait after the first attempt."), "5s"),
            "factor": with_default(about(number(1, 100), "How much longer each wait is than the one before."), 2),
            "max_backoff": with_default(about(reference("duration"), "No wait is longer than this."), "10m"),
            "jitter": with_default(about(number(0, 1), "The share of each wait that chance may add or take."), 0.2),
            "give_up_after": with_default(about(reference("duration"), "From the due instant on; later the push is given up. At least 1s."), "1h"),
            "resend_unknown": with_default(about(reference("bool"), "Send again what may have gone out already: better twice than never."), false),
        }),
    )
}

fn misfire() -> Value {
    object(
        &MISFIRE_KEYS,
        json!({
            "policy": with_default(about(choice(&["skip", "latest", "all"]), "Which of the instants fire: none, the last one, or every one."), "latest"),
            "within": with_default(about(reference("duration"), "Older instants are missed, whatever the policy."), "1h"),
            "grace": with_default(about(reference("duration"), "Noticed within this time an instant is merely late and fires as usual."), "60s"),
            "max": with_default(about(whole(1, Some(MOST_CAUGHT_UP)), "With all: at most this many are made up for, the newest ones."), 100),
        }),
    )
}

fn job() -> Value {
    let cron = json!({"type": "string", "pattern": format!(r"^\s*(@[a-zA-Z]+|\S+(\s+\S+){{4,5}})\s*$|{VARIABLE}")});
    let at = json!({"type": "string", "pattern": format!(r"^\s*[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ][0-9]{{2}}:[0-9]{{2}}|{VARIABLE}")});
    let mut schema = object(
        &JOB_KEYS,
        json!({
            "name": about(reference("name"), "Its name, in tables and verbs. A new name is a new job."),
            "cron": about(cron, "Minute, hour, day of month, month, weekday; six fields begin with the second. Names, lists, ranges, steps, L, W and # work, and @hourly, @daily, @weekly, @monthly, @yearly."),
            "every": about(reference("duration"), "A period in whole seconds, counted from the epoch: 30s fires at :00 and :30."),
            "at": about(at, "One instant: 2026-12-24T18:00 in the job's zone, or with an offset or Z."),
            "timezone": about(reference("text"), "The IANA name of the zone. daemon.timezone when absent."),
            "enabled": with_default(about(reference("bool"), "Whether the schedule counts. `fire` works all the same."), true),
            "push": about(
                json!({"anyOf": [reference("push"), {"type": "array", "minItems": 1, "items": reference("push")}]}),
                "What is sent to whom: one push, or a list of them.",
            ),
            "retry": about(reference("retry"), "How often and how long its pushes are tried."),
            "misfire": about(reference("misfire"), "What happens to instants that were noticed too late."),
            "overlap": overlap(),
            "dst_gap": dst_gap(),
        }),
    );
    schema["required"] = json!(["name", "push"]);
    schema["oneOf"] = json!(["cron", "every", "at"].map(|key| json!({"required": [key]})));
    schema
}

const TARGETS: [&str; 6] = ["group", "groupCode", "group_code", "user", "userID", "user_id"];
const CONTENTS: [&str; 12] = [
    "text", "content", "image", "imageUrl", "voice", "voiceUrl", "video", "videoUrl", "file", "fileUrl", "mixed",
    "items",
];

fn push() -> Value {
    let text = "The text.";
    let mut properties = push_properties(text);
    for (keys, what) in [
        (&["image", "imageUrl"], "A picture: an address, a path, base64://…, data:…;base64,…, or a mapping."),
        (&["voice", "voiceUrl"], "A voice message: a source or a mapping."),
        (&["video", "videoUrl"], "A video: a source or a mapping."),
        (&["file", "fileUrl"], "A file: a source or a mapping."),
    ] {
        for key in keys {
            properties[key] = about(or_empty(reference("media")), what);
        }
    }
    for key in ["mixed", "items"] {
        let items = json!({"type": "array", "minItems": 1, "items": reference("item")});
        properties[key] = about(or_empty(items), "Several items in the order of reading.");
    }
    let mut schema = object(&[], properties);
    // One kind of content; the title alone counts as a text.
    let empty = || json!({"enum": ["", null]});
    let mut contents: Vec<Value> = CONTENTS.iter().map(|key| has(key)).collect();
    let mut title_alone = has("title");
    for key in CONTENTS {
        title_alone["properties"][key] = empty();
    }
    contents.push(title_alone);
    schema["allOf"] = json!([one_im(), one_target(), {"oneOf": contents}]);
    schema
}

fn report_push() -> Value {
    let mut schema = object(&[], push_properties("A text before the report."));
    schema["allOf"] = json!([one_im(), one_target()]);
    schema
}

/// The keys of every push, in all spellings.
fn push_properties(text: &str) -> Value {
    let mut properties = json!({});
    for (keys, schema) in [
        (&["im", "imType", "im_type"][..], about(reference("name"), "The im: that of the accounts which may send it.")),
        (&TARGETS[..3], about(reference("id"), "The group's id on the platform. Either this or user.")),
        (&TARGETS[3..], about(reference("id"), "The user's id on the platform. Either this or group.")),
        (
            &["title"],
            about(
                reference("optional_text"),
                "A note. Fills the title where the protocol has one, and is the text where there is no content.",
            ),
        ),
        (&["text", "content"], about(reference("optional_text"), text)),
        (
            &["account"],
            about(
                reference("optional_text"),
                "The id of the account that must send it. When absent the im's default, else the first one online.",
            ),
        ),
        (&["timeout"], timeout()),
        (&["options"], about(or_empty(reference("options")), "The plugin SDK's options.")),
    ] {
        for key in keys {
            properties[key] = schema.clone();
        }
    }
    properties
}

fn options() -> Value {
    let text = |words: &str| about(reference("optional_text"), words);
    let (account, filename, mime) =
        (text("As account of the push."), text("As filename of the media."), text("As mime_type of the media."));
    object(
        &[],
        json!({
            "account_id": account, "accountID": account, "accountId": account,
            "filename": filename, "fileName": filename, "file_name": filename,
            "mime_type": mime, "mimeType": mime,
        }),
    )
}

fn media() -> Value {
    let mut mapping = object(&[], media_properties());
    mapping["required"] = json!(["source"]);
    json!({"anyOf": [reference("source"), mapping]})
}

fn media_properties() -> Value {
    let filename = about(reference("optional_text"), "The name that the receiver sees.");
    let mime = json!({"type": ["string", "null"], "pattern": format!("^$|^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$|{VARIABLE}")});
    let mime = about(mime, "The media type, such as image/png. Told by the content when absent.");
    json!({
        "source": about(reference("source"), "An http or https address, a path (relative to this file), base64://…, or data:…;base64,…"),
        "filename": filename, "fileName": filename, "file_name": filename,
        "mime_type": mime, "mimeType": mime,
        "caption": about(reference("optional_text"), "A text below the media."),
        "cover": about(reference("source"), "The still of a video: a source."),
    })
}

fn item() -> Value {
    let variant = |kind: &str, properties: Value, keys: &[&str], implied: bool| {
        let mut schema = object(&[], properties);
        schema["properties"]["type"] = json!({"const": kind});
        let mut ways: Vec<Value> = keys.iter().map(|key| json!({"required": [key]})).collect();
        if !implied {
            ways = ways.into_iter().map(|way| json!({"allOf": [way, {"required": ["type"]}]})).collect();
        }
        schema["anyOf"] = json!(ways);
        schema
    };
    let text = || json!({"type": ["string", "number", "boolean"], "minLength": 1});
    let user = || json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 256});
    let mut variants = vec![
        variant("text", json!({"text": text(), "content": text()}), &["text", "content"], true),
        variant("markdown", json!({"markdown": text()}), &["markdown"], true),
        variant("markdown", json!({"text": text(), "content": text()}), &["text", "content"], false),
        variant("at", json!({"at": user()}), &["at"], true),
        variant(
            "at",
            json!({"user": user(), "userID": user(), "user_id": user()}),
            &["user", "userID", "user_id"],
            false,
        ),
        variant("at_all", json!({"at_all": {"anyOf": [{"const": true}, {"type": "string"}]}}), &["at_all"], true),
        variant("at_all", json!({}), &["type"], false),
    ];
    for (kind, spelling) in [("image", "imageUrl"), ("voice", "voiceUrl"), ("video", "videoUrl"), ("file", "fileUrl")] {
        for key in [kind, spelling] {
            let mut properties = media_properties();
            properties[key] = reference("media");
            variants.push(variant(kind, properties, &[key], true));
        }
        variants.push(variant(kind, media_properties(), &["source"], false));
    }
    json!({"anyOf": variants})
}

fn account(specs: &[&'static SenderSpec]) -> Value {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let about_senders: Vec<String> = specs.iter().map(|spec| format!("{}: {}", spec.name, spec.about)).collect();
    let common = object(
        &COMMON_KEYS,
        json!({
            "id": about(reference("name"), "Yours, and stable: history and jobs call the account by it."),
            "im": about(reference("name"), "A free name that binds pushes to accounts. The sender's own when absent."),
            "sender": about(choice(&names), &about_senders.join("\n")),
            "default": with_default(about(reference("bool"), "Sends what names no account. At most one per im."), false),
            "concurrency": about(whole(1, Some(1024)), "How many sends may be under way at once. The sender's own value when absent."),
            "min_interval": about(reference("duration"), "The least time between two sends. The sender's own value when absent."),
        }),
    );
    let common = &common["properties"];
    let cases: Vec<Value> = specs
        .iter()
        .map(|spec| {
            json!({
                "if": {"properties": {"sender": {"const": spec.name}}, "required": ["sender"]},
                "then": account_of(spec, common),
            })
        })
        .collect();
    json!({"type": "object", "required": ["id", "sender"], "properties": common, "allOf": cases})
}

/// The keys of an account of this sender, and which of them it needs.
fn account_of(spec: &SenderSpec, common: &Value) -> Value {
    let mut properties = common.clone();
    let mut conditions: Vec<Value> = Vec::new();
    for setting in spec.settings {
        properties[setting.key] = described(setting_type(setting.kind), setting);
        let mut forms = vec![setting.key.to_owned()];
        if matches!(setting.kind, SettingKind::Secret | SettingKind::Url) {
            for (end, what, kind) in [
                ("file", "A private file (mode 0600) with", "path"),
                ("credential", "The systemd credential with", "text"),
            ] {
                let key = format!("{}_{end}", setting.key);
                properties[&key] = about(reference(kind), &format!("{what} {}: {}", setting.key, setting.doc));
                forms.push(key);
            }
        }
        let required: Vec<Value> = forms.iter().map(|key| json!({"required": [key]})).collect();
        if setting.required {
            conditions.push(json!({"oneOf": required}));
        } else if forms.len() > 1 {
            let none = json!({"not": {"anyOf": required}});
            let ways: Vec<Value> = required.into_iter().chain([none]).collect();
            conditions.push(json!({"oneOf": ways}));
        }
    }
    let mut schema = object(&[], properties);
    if !conditions.is_empty() {
        schema["allOf"] = json!(conditions);
    }
    schema
}

fn setting_type(kind: SettingKind) -> Value {
    match kind {
        SettingKind::Text | SettingKind::Secret => reference("text"),
        SettingKind::Url => reference("address"),
        SettingKind::Bool => reference("bool"),
        SettingKind::Int => json!({"anyOf": [
            {"type": "integer"},
            {"type": "string", "pattern": format!("^[+-]?[0-9]+$|{VARIABLE}")},
        ]}),
        SettingKind::Duration => reference("duration"),
        SettingKind::List => one_or_list("text"),
        SettingKind::Path => reference("path"),
        SettingKind::Choice(words) => choice(words),
    }
}

fn described(schema: Value, setting: &SettingSpec) -> Value {
    match setting.default {
        "" => about(schema, setting.doc),
        default => about(schema, &format!("{} (when absent: {default})", setting.doc)),
    }
}

fn timeout() -> Value {
    with_default(
        about(reference("timeout"), "The deadline of one attempt, 100ms to 1h. A bare number counts milliseconds."),
        "15s",
    )
}

fn overlap() -> Value {
    let words = "While pushes of an older fire of the job are open: allow both, skip the new fire, or replace (the older pushes are cancelled).";
    with_default(about(choice(&["allow", "skip", "replace"]), words), "allow")
}

fn dst_gap() -> Value {
    let words =
        "Where summer time swallows the hour of a job: fire at the first instant after the gap, or skip that day.";
    with_default(about(choice(&["fire", "skip"]), words), "fire")
}

// --- building blocks ---------------------------------------------------------------------------------------------

/// A mapping with these keys and no others. `keys` are those that the reader knows; a test holds both together.
fn object(keys: &[&str], properties: Value) -> Value {
    debug_assert!(
        keys.is_empty()
            || properties
                .as_object()
                .is_some_and(|has| has.len() == keys.len() && keys.iter().all(|key| has.contains_key(*key)))
    );
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn about(mut schema: Value, words: &str) -> Value {
    schema["description"] = json!(words);
    schema
}

fn with_default(mut schema: Value, default: impl Into<Value>) -> Value {
    schema["default"] = default.into();
    schema
}

fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// Empty values count as absent.
fn or_empty(schema: Value) -> Value {
    json!({"anyOf": [schema, {"enum": ["", null]}]})
}

fn list_of(schema: Value) -> Value {
    json!({"type": "array", "items": schema})
}

fn one_or_list(name: &str) -> Value {
    json!({"anyOf": [reference(name), list_of(reference(name))]})
}

fn choice(words: &[&str]) -> Value {
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": VARIABLE}]})
}

fn whole(from: u64, to: Option<u64>) -> Value {
    let mut integer = json!({"type": "integer", "minimum": from});
    if let Some(to) = to {
        integer["maximum"] = json!(to);
    }
    json!({"anyOf": [integer, {"type": "string", "pattern": format!("^[0-9]+$|{VARIABLE}")}]})
}

fn number(from: u64, to: u64) -> Value {
    let number = json!({"type": "number", "minimum": from, "maximum": to});
    json!({"anyOf": [number, {"type": "string", "pattern": format!("^[0-9.eE+-]+$|{VARIABLE}")}]})
}

/// The key is there and not empty.
fn has(key: &str) -> Value {
    let mut properties = Map::new();
    properties.insert(key.to_owned(), json!({"not": {"enum": ["", null]}}));
    json!({"required": [key], "properties": properties})
}

fn one_im() -> Value {
    let ways = ["im", "imType", "im_type"].map(has);
    json!({"oneOf": ways})
}

fn one_target() -> Value {
    let ways = TARGETS.map(has);
    json!({"oneOf": ways})
}
