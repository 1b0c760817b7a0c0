//! The tools: what each takes, and what it asks of the API.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// So long an assistant waits for the end of a push, in milliseconds, unless it says otherwise: most give up after a minute.
const WAIT: u64 = 20_000;

/// What a token must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Read,
    Act,
    Push,
}

/// One request to the API.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Option<Value>,
    /// Under which it is carried out once.
    pub key: Option<String>,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>) -> Ask {
        Ask { method: Method::GET, path: path.into(), query: Vec::new(), body: None, key: None }
    }

    fn with(self, method: Method, body: Option<Value>) -> Ask {
        Ask { method, body, ..self }
    }
}

type Said = Map<String, Value>;

/// A tool.
pub(super) struct Spec {
    pub name: &'static str,
    pub about: &'static str,
    pub needs: Scope,
    pub takes: fn() -> Value,
    pub ask: fn(Said) -> Result<Ask, String>,
}

pub(super) const TOOLS: [Spec; 7] = [
    Spec {
        name: "push",
        about: "Sends one message to a group or a person, at once, and tells what became of it. `count` is 1 when the platform \
                said that it is sent. Status 202 means that it is recorded and still open: pushcron goes on with it, so do not \
                push it again. State `unknown` means that it may have arrived.",
        needs: Scope::Push,
        takes: push,
        ask: |mut said| {
            let key = taken(&mut said, "key").unwrap_or_else(|| format!("mcp-{:032x}", fastrand::u128(..)));
            said.entry("wait").or_insert(json!(WAIT));
            Ok(Ask { key: Some(key), ..Ask::get("/api/push").with(Method::POST, Some(Value::Object(said))) })
        },
    },
    Spec {
        name: "history",
        about: "Pushes and what became of each, newest first; or with `push` everything about one of them, with its message and \
                its attempts. Instants are UTC.",
        needs: Scope::Read,
        takes: history,
        ask: |mut said| match taken(&mut said, "push") {
            Some(id) => Ok(Ask::get(format!("/api/v1/pushes/{}", encoded(&id)))),
            None => Ok(Ask { query: query(said)?, ..Ask::get("/api/v1/pushes") }),
        },
    },
    Spec {
        name: "explain",
        about: "Tells why a job fired at a time, or did not: in words, with the instants that its schedule calls for and the rows behind them.",
        needs: Scope::Read,
        takes: explain,
        ask: |mut said| {
            let job = taken(&mut said, "job").ok_or("job: expected the name of a job")?;
            Ok(Ask { query: query(said)?, ..Ask::get(format!("/api/v1/jobs/{}/explain", encoded(&job))) })
        },
    },
    Spec {
        name: "next",
        about: "The next fires of all jobs, soonest first, or of one job.",
        needs: Scope::Read,
        takes: next,
        ask: |mut said| {
            let path = match taken(&mut said, "job") {
                Some(job) => format!("/api/v1/jobs/{}/next", encoded(&job)),
                None => "/api/v1/next".to_owned(),
            };
            Ok(Ask { query: query(said)?, ..Ask::get(path) })
        },
    },
    Spec {
        name: "jobs",
        about: "The jobs, with their schedules, their next fires and how their last ones ended; or with `job` one of them with its \
                definition.",
        needs: Scope::Read,
        takes: jobs,
        ask: |mut said| match taken(&mut said, "job") {
            Some(job) => Ok(Ask::get(format!("/api/v1/jobs/{}", encoded(&job)))),
            None => Ok(Ask { query: query(said)?, ..Ask::get("/api/v1/jobs") }),
        },
    },
    Spec {
        name: "add",
        about: "Makes a job that pushes by a schedule, or once: a reminder has `in` or `at`. It survives restarts. It tells the \
                next instant, in UTC.",
        needs: Scope::Act,
        takes: add,
        ask: |said| Ok(Ask::get("/api/v1/jobs").with(Method::POST, Some(Value::Object(said)))),
    },
    Spec {
        name: "cancel",
        about: "Ends an open push, by its number; or a job that was made at run time (as by `add`), by its name, with what waits \
                of it. Its history stays. Jobs of the files are changed there.",
        needs: Scope::Act,
        takes: cancel,
        ask: |mut said| match (taken(&mut said, "push"), taken(&mut said, "job")) {
            (Some(id), None) => {
                Ok(Ask::get(format!("/api/v1/pushes/{}/cancel", encoded(&id))).with(Method::POST, None))
            }
            (None, Some(job)) => Ok(Ask::get(format!("/api/v1/jobs/{}", encoded(&job))).with(Method::DELETE, None)),
            _ => Err("expected push, the number of a push, or job, the name of a job".to_owned()),
        },
    },
];

/// Takes a text or a number out of what was said.
fn taken(said: &mut Said, key: &str) -> Option<String> {
    match said.shift_remove(key)? {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

fn query(said: Said) -> Result<Vec<(String, String)>, String> {
    let pair = |(key, value): (String, Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(Ok((key, text))),
        Value::Number(number) => Some(Ok((key, number.to_string()))),
        _ => Some(Err(format!("{key}: expected a text or a number"))),
    };
    said.into_iter().filter_map(pair).collect()
}

/// A JSON Schema of an object with these keys.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn number(about: &str, most: u64) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": most, "description": about })
}

/// What a push says, and to whom.
fn push_keys() -> Value {
    json!({
        "im": text("The platform, as accounts name it: qq, weixin, telegram …"),
        "group": text("The id of a group on that platform; either this or user."),
        "user": text("The id of a person on that platform."),
        "to": text("A name under `targets` of the configuration, in the place of im, group and user."),
        "title": text("A note: the text where there is no content."),
        "text": text("The text; or one of the other kinds of content."),
        "image": text("An http(s) address, base64://… or data:…"),
        "voice": text("Likewise."),
        "video": text("Likewise."),
        "file": text("Likewise."),
        "mixed": { "type": "array", "items": { "type": "object" }, "description": "A list such as [{\"text\": \"Look: \"}, {\"image\": \"https://…\"}]" },
        "account": text("The account that must send it, and no other."),
    })
}

fn push() -> Value {
    let mut keys = push_keys();
    keys["wait"] = json!({ "type": "integer", "minimum": 0, "maximum": 120_000, "description": "How long to wait for its end, in milliseconds; 20000 when absent." });
    keys["key"] = text("The same key again finds the push that it made, for a day, and pushes nothing.");
    object(keys, &[])
}

fn history() -> Value {
    let keys = json!({
        "push": number("One push, by its number.", i64::MAX as u64),
        "job": text("Of this job."),
        "im": text("To this im."),
        "account": text("Through this account."),
        "state": text("pending, sending, retrying, sent, failed, unknown, expired or cancelled."),
        "target": text("To this target: group:1 or user:1."),
        "since": text("Due at this instant or later: 2026-11-28T09:00:00Z."),
        "until": text("Due at this instant or earlier."),
        "limit": number("How many; 50 when absent.", 500),
        "before": text("`next` of the page before."),
    });
    object(keys, &[])
}

fn explain() -> Value {
    let at = "A time by the clock of the job's zone: 09:00, 2026-01-01T09:00, 2026-01-01 (the whole day), yesterday, 'sat 08:30'.";
    object(json!({ "job": text("The name of the job."), "at": text(at) }), &["job", "at"])
}

fn next() -> Value {
    object(json!({ "job": text("Only this job."), "n": number("How many fires.", 500) }), &[])
}

fn jobs() -> Value {
    let keys = json!({
        "job": text("One job, by its name, with its definition."),
        "limit": number("How many; 50 when absent.", 500),
        "before": text("`next` of the page before."),
    });
    object(keys, &[])
}

fn add() -> Value {
    let keys = json!({
        "name": text("What the job is called."),
        "in": text("Once, after this time: 20m, 1h30m."),
        "at": text("Once: 14:30 (today, else tomorrow) or 2026-12-24T18:00 by the job's zone, or an instant with its offset."),
        "cron": text("Five fields, or six with seconds first: 0 9 * * 1-5."),
        "every": text("A period: 30m."),
        "timezone": text("The zone of the schedule, instead of the daemon's."),
        "until": text("Not later than this."),
        "max_fires": number("So many fires and no more.", 1_000_000),
        "workdays": text("Only on workdays of this list: cn."),
        "push": { "type": "object", "properties": push_keys(), "additionalProperties": false },
    });
    object(keys, &["name", "push"])
}

fn cancel() -> Value {
    let push = number("The number of an open push.", i64::MAX as u64);
    object(json!({ "push": push, "job": text("The name of a job that was made at run time.") }), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tool: &str, said: Value) -> Result<Ask, String> {
        let Value::Object(said) = said else { panic!("no object") };
        (TOOLS.iter().find(|spec| spec.name == tool).unwrap().ask)(said)
    }

    #[test]
    fn each_call_is_one_request_to_the_api() {
        for (tool, said, wanted) in [
            ("history", json!({}), "GET /api/v1/pushes [] null"),
            (
                "history",
                json!({"job": "a", "limit": 5, "im": null}),
                r#"GET /api/v1/pushes [("job", "a"), ("limit", "5")] null"#,
            ),
            ("history", json!({"push": 812}), "GET /api/v1/pushes/812 [] null"),
            ("history", json!({"push": "../me"}), "GET /api/v1/pushes/%2E%2E%2Fme [] null"),
            (
                "explain",
                json!({"job": "日/ x", "at": "09:00"}),
                r#"GET /api/v1/jobs/%E6%97%A5%2F%20x/explain [("at", "09:00")] null"#,
            ),
            ("next", json!({"n": 3}), r#"GET /api/v1/next [("n", "3")] null"#),
            ("next", json!({"job": "a"}), "GET /api/v1/jobs/a/next [] null"),
            ("jobs", json!({"job": ""}), "GET /api/v1/jobs [] null"),
            ("jobs", json!({"job": "a"}), "GET /api/v1/jobs/a [] null"),
            ("add", json!({"name": "tea", "in": "20m"}), r#"POST /api/v1/jobs [] {"name":"tea","in":"20m"}"#),
            ("cancel", json!({"push": 7}), "POST /api/v1/pushes/7/cancel [] null"),
            ("cancel", json!({"job": "tea"}), "DELETE /api/v1/jobs/tea [] null"),
            ("push", json!({"im": "qq", "key": "k"}), r#"POST /api/push [] {"im":"qq","wait":20000}"#),
            ("push", json!({"im": "qq", "wait": 0}), r#"POST /api/push [] {"im":"qq","wait":0}"#),
        ] {
            let Ask { method, path, query, body, .. } = asked(tool, said.clone()).unwrap();
            assert_eq!(format!("{method} {path} {query:?} {}", json!(body)), wanted, "{tool} {said}");
        }
        for (tool, said) in [
            ("explain", json!({"at": "09:00"})),
            ("cancel", json!({})),
            ("cancel", json!({"push": 1, "job": "a"})),
            ("history", json!({"job": ["a"]})),
        ] {
            assert!(asked(tool, said.clone()).is_err(), "{tool} {said}");
        }
    }

    #[test]
    fn a_push_has_a_key_of_its_own_unless_it_is_given_one() {
        let key = |said| asked("push", said).unwrap().key.unwrap();
        assert_eq!(key(json!({"key": "order-7"})), "order-7");
        assert_ne!(key(json!({})), key(json!({})));
    }

    #[test]
    fn every_tool_says_what_it_takes() {
        for spec in &TOOLS {
            let schema = (spec.takes)();
            let properties = schema["properties"].as_object().unwrap();
            assert!(!spec.about.is_empty() && !properties.is_empty(), "{}", spec.name);
            for (key, property) in properties {
                assert!(property["type"].is_string(), "{}: {key}", spec.name);
            }
            let is_there = |key: &Value| properties.contains_key(key.as_str().unwrap());
            assert!(schema["required"].as_array().unwrap().iter().all(is_there), "{}", spec.name);
        }
    }
}
