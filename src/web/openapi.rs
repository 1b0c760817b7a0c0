//! The OpenAPI document, made from the table of operations.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::preview::{LONGEST, preview};
use super::routes::{OPERATIONS, Op, Operation, Param, Takes};
use super::who::Needs;
use crate::domain::PushState;

/// As it is answered, and as it lies in docs/openapi.json.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| format!("{:#}\n", document()))
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_ascii_lowercase()] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pushcron",
            "version": "1",
            "description": "The HTTP API of a running pushcron (docs/api.md). Instants are UTC, ids of platforms are texts. \
                            Fields are only ever added.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Problem": problem(),
                "Item": { "type": "object", "description": "A line under the names of its columns (docs/schema.md)." },
                "Page": page(),
                "Done": { "type": "object", "required": ["act"], "properties": { "act": { "type": "string" } } },
                "Job": job(),
                "Push": push(),
                "Pushed": pushed(),
                "Preview": preview(),
            },
        },
        "security": [{ "token": [] }],
    })
}

fn described(operation: &Operation) -> Value {
    let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = names.map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
    );
    let of_query = operation.query.iter().map(|param| {
        json!({
            "name": param.name, "in": "query", "required": is_required(operation, param), "description": param.about,
            "schema": schema_of(param.takes),
        })
    });
    let mut parameters: Vec<Value> = of_path.chain(of_query).collect();
    if matches!(operation.op, Op::MakePush(_)) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key again finds the push that it made, for a day.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" },
        }));
    }
    let scope = match operation.needs {
        Needs::Read => "read or act",
        Needs::OwnPush => "read or act; push, where the push is its own",
        Needs::Act => "act",
        Needs::Push => "push",
    };
    let mut described = json!({
        "operationId": id_of(operation),
        "summary": operation.about,
        "description": format!("Scope: {scope}."),
        "parameters": parameters,
        "responses": answers(operation),
    });
    if let Some(body) = body_of(operation) {
        described["requestBody"] = body;
    }
    described
}

fn id_of(operation: &Operation) -> String {
    let words = operation
        .path
        .split(['/', '{', '}', '-', '.'])
        .filter(|word| !word.is_empty() && *word != "api" && *word != "v1");
    std::iter::once(operation.method.to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

fn is_required(operation: &Operation, param: &Param) -> bool {
    matches!((operation.op, param.name), (Op::Explain, "at") | (Op::Resolve, "outcome") | (Op::Preview, "text"))
}

fn schema_of(takes: Takes) -> Value {
    match takes {
        Takes::Text => json!({ "type": "string", "minLength": 1, "maxLength": 1024 }),
        Takes::Instant => json!({ "type": "string", "format": "date-time" }),
        Takes::Whole { from, to } => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Takes::State => json!({ "enum": PushState::ALL.map(PushState::as_str) }),
        Takes::Outcome => json!({ "enum": ["sent", "failed"] }),
        Takes::Yaml => json!({ "type": "string", "minLength": 1, "maxLength": LONGEST }),
    }
}

fn body_of(operation: &Operation) -> Option<Value> {
    let of_kind = |schema: Value, required: bool| {
        Some(json!({ "required": required, "content": { "application/json": { "schema": schema } } }))
    };
    if matches!(operation.op, Op::MakePush(_)) {
        return of_kind(json!({ "$ref": "#/components/schemas/Push" }), true);
    }
    if operation.op.says_more() {
        let named = if operation.op == Op::MakeJob { &["name", "push"][..] } else { &[] };
        return of_kind(json!({ "allOf": [{ "$ref": "#/components/schemas/Job" }], "required": named }), true);
    }
    if operation.body.is_empty() {
        return None;
    }
    let properties: Map<String, Value> =
        operation.body.iter().map(|param| (param.name.to_owned(), schema_of(param.takes))).collect();
    let required: Vec<&str> =
        operation.body.iter().filter(|param| is_required(operation, param)).map(|param| param.name).collect();
    let schema = json!({
        "type": "object", "additionalProperties": false, "properties": properties, "required": required,
    });
    of_kind(schema, !required.is_empty())
}

/// Every status that an operation answers with.
pub(super) fn statuses(operation: &Operation) -> BTreeSet<u16> {
    // The frame, a token, the scope, a foreign host, the rate, the head's size, a database that is busy, a bug.
    let mut all = BTreeSet::from([200, 400, 401, 403, 421, 422, 429, 431, 500, 503]);
    if operation.path.contains('{') {
        all.insert(404);
    }
    if operation.method == "GET" {
        all.insert(304);
    } else {
        all.extend([408, 413, 415]);
    }
    if matches!(operation.needs, Needs::Act) {
        all.insert(409);
    }
    match operation.op {
        Op::MakePush(_) => drop(all.insert(202)),
        Op::MakeJob => {
            all.remove(&200);
            all.insert(201);
        }
        _ => {}
    }
    all
}

fn answers(operation: &Operation) -> Value {
    let schema = match operation.op {
        Op::MakePush(_) => "Pushed",
        Op::Preview => "Preview",
        _ if operation.method != "GET" => "Done",
        Op::Jobs
        | Op::NextOfAll
        | Op::Next
        | Op::Fires
        | Op::Revisions
        | Op::Accounts
        | Op::Pushes
        | Op::DuePushes
        | Op::UnknownPushes
        | Op::FailuresToday
        | Op::Acts => "Page",
        _ => "Item",
    };
    let answer = |status: u16| {
        let about = match status {
            200 => "It is done, or this is it.",
            201 => "It is made; its place is in Location.",
            202 => "It is recorded; it, or a fallback of it, is not yet at its end. Its place is in Location.",
            304 => "As it was (If-None-Match).",
            _ => "A problem.",
        };
        let told = match status {
            200..=202 => {
                json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
            }
            304 => return json!({ "description": about }),
            _ => json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }),
        };
        json!({ "description": about, "content": told })
    };
    Value::Object(statuses(operation).into_iter().map(|status| (status.to_string(), answer(status))).collect())
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string", "description": "The id of the request, as the log and the table acts have it." },
            "errors": { "type": "array", "items": { "type": "object" } },
            "recorded": { "const": false, "description": "Nothing was recorded: it may be repeated." },
            "state": { "type": "string", "description": "The state of the push now." },
        },
    })
}

fn page() -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": "#/components/schemas/Item" } },
            "next": { "type": ["string", "null"], "description": "`before` of the page that follows; null at the end." },
        },
    })
}

fn push() -> Value {
    let text = || json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "description": "The keys of a job's push and the plugin SDK's own (imType, groupCode, userID, title, content, imageUrl, \
                        items, options, timeout); an empty one is absent. Exactly one group or user.",
        "properties": {
            "imType": text(), "groupCode": text(), "userID": text(), "title": text(), "content": text(),
            "options": { "type": ["object", "null"] },
            "wait": { "description": "true: 60 s; false: not at all; or milliseconds up to 120000." },
            "trigger": { "enum": ["manual", "message", null] },
            "chat_im": text(), "chat_account": text(),
        },
    })
}

fn job() -> Value {
    let text = || json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "description": "The keys of a job in the files; exactly one of cron, every, at, in and on_demand. `at` takes a time of \
                        today or tomorrow too (14:30), `in` a duration (20m). Texts are taken as they stand; content_from, render \
                        and files of the daemon's machine belong in the files.",
        "properties": {
            "name": { "type": "string", "minLength": 1 },
            "cron": text(), "every": text(), "at": text(), "in": text(), "on_demand": { "enum": [true, null] },
            "timezone": text(), "from": text(), "until": text(), "max_fires": { "type": ["integer", "null"], "minimum": 1 },
            "push": { "oneOf": [
                { "$ref": "#/components/schemas/Push" },
                { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/Push" } },
            ] },
            "misfire": { "type": ["object", "null"] }, "overlap": text(), "retry": { "type": ["object", "null"] },
        },
    })
}

fn pushed() -> Value {
    let text = || json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["count", "push_id", "state", "account", "rule", "message_id", "error", "reason"],
        "properties": {
            "count": { "enum": [0, 1], "description": "What the SDK's call gives: 1 when the platform said that it is sent." },
            "push_id": { "type": "integer" },
            "state": text(), "account": text(), "rule": text(), "message_id": text(), "reason": text(),
            "error": {
                "type": ["string", "null"],
                "description": "Why it was not sent: the platform's words, or the reason, with the accounts that could not send \
                                it. Null of one that is sent, open, or was cancelled before any attempt failed.",
            },
        },
    })
}
