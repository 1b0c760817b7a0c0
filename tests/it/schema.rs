//! The JSON Schema and the reader say the same of good and of spoiled files, in the eyes of a validator that others
//! wrote (`tests/real/schema.sh`).

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pushcron::config::{self, LoadEnvironment, Sight};
use pushcron::domain::UtcMs;
use pushcron::senders;
use serde_json::{Value, json};

fn accepts(text: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pushcron.yaml");
    std::fs::write(&file, text).unwrap();
    let around = LoadEnvironment {
        now: UtcMs(1_767_225_600_000),
        variable: Box::new(|name| match name {
            "PERIOD" => Some("1m".to_owned()),
            "FLAG" => Some("true".to_owned()),
            _ => Some("https://example.org/x".to_owned()),
        }),
        working_directory: PathBuf::from("/"),
        timezone: Some("UTC".to_owned()),
        sight: Sight::Service,
        fetched: Box::new(Vec::new),
        user: rustix::process::geteuid().as_raw(),
    };
    config::load(&[file], &senders::specs(), &around).is_ok()
}

/// One console account and what stands before and after it.
fn with_account(rest: &str) -> String {
    let accounts = "accounts: [{id: screen, sender: console}, {id: hook, sender: webhook, url: 'http://h'}]";
    let targets = "targets: {ops: {im: console, user: u}, all: [ops, {im: console, group: [g, 5]}]}";
    format!("{accounts}\n{targets}\n{rest}\n")
}

fn job(keys: &str) -> String {
    with_account(&format!("jobs: [{{name: j, push: {{im: console, user: u, text: hi}}, {keys}}}]"))
}

fn push(push: &str) -> String {
    with_account(&format!("jobs: [{{name: j, every: 1m, push: {push}}}]"))
}

fn item(item: &str) -> String {
    push(&format!("{{im: console, user: u, mixed: [{item}]}}"))
}

fn account(account: &str) -> String {
    format!("accounts: [{account}]\n")
}

fn daemon(keys: &str) -> String {
    with_account(&format!("daemon: {{{keys}}}"))
}

/// Good and spoiled alike: the reader says which.
fn files() -> Vec<String> {
    let mut files = vec![std::fs::read_to_string("jobs.example.yaml").unwrap()];
    files.extend(
        [
            "",
            "jobs:",
            "accounts: []",
            "[]",
            "jobs: 3",
            "accounts: {}",
            "jbos: []",
            "include: none-*.yml",
            "include: {}",
        ]
        .map(str::to_owned),
    );
    files.extend(
        [
            "every: 30s",
            "every: 1h30m",
            "every: 30",
            "every: 30m1h",
            "every: ''",
            "cron: '* * * * *'",
            "cron: '@daily'",
            "cron: '* *'",
            "at: 2030-01-01T10:00",
            "at: 2030-01-01",
            "at: '2030-01-01 10:00'",
            "every: 1m, cron: '* * * * *'",
            "timezone: UTC",
            "every: 1m, timezone: [UTC]",
            "every: 1m, enabled: false",
            "every: 1m, enabled: 'true'",
            "every: 1m, enabled: 'yes'",
            "every: 1m, enabled: 1",
            "every: 1m, overlap: skip",
            "every: 1m, overlap: none",
            "every: 1m, dst_gap: fire",
            "every: 1m, dst_gap: true",
            "every: 1m, misfire: all",
            "every: 1m, misfire: some",
            "every: 1m, misfire: {policy: latest, within: 2h, grace: 1m, max: 5}",
            "every: 1m, misfire: {max: 0}",
            "every: 1m, misfire: {polcy: all}",
            "every: 1m, retry: {max_attempts: 3, factor: 1.5, jitter: 0.5}",
            "every: 1m, retry: {max_attempts: 0}",
            "every: 1m, retry: {max_attempts: 2.5}",
            "every: 1m, retry: {factor: 0.5}",
            "every: 1m, retry: {jitter: 1.5}",
            "every: 1m, retry: {resend_unknown: maybe}",
            "every: 1m, retry: 3",
            "every: 1m, retry: {backoff: 5}",
            "every: 1m, crom: x",
            "every: '${PERIOD}'",
            "every: 1m, enabled: '${FLAG}'",
        ]
        .map(job),
    );
    files.extend(
        [
            "{im: console, user: u, text: hi}",
            "{im: console, user: 1, text: 2}",
            "{im: console, group: g, user: , text: hi}",
            "{im: console, group: g, user: '', content: hi}",
            "{im: console, group: g, user: u, text: hi}",
            "{im: console, text: hi}",
            "{im: console, group: '', text: hi}",
            "{user: u, text: hi}",
            "{im: console, imType: console, user: u, text: hi}",
            "{imType: console, userID: u, content: hi, timeout: 5000}",
            "{im_type: console, group_code: 1, content: hi}",
            "{im: console, user: u, group_code: 1, text: hi}",
            "{im: console, user: u}",
            "{im: console, user: u, title: T}",
            "{im: console, user: u, title: T, text: ''}",
            "{im: console, user: u, title: T, text: '  '}",
            "{im: console, user: u, text: '  '}",
            "{im: console, user: u, title: '', text: ''}",
            "{im: console, user: u, text: a, content: b}",
            "{im: console, user: u, text: a, image: b}",
            "{im: console, user: u, text: '', image: b}",
            "{im: console, user: u, image: b, title: T}",
            "{im: console, user: u, image: {source: b, caption: c, cover: d, filename: e.png, mime_type: image/png}}",
            "{im: console, user: u, image: {caption: c}}",
            "{im: console, user: u, image: {source: b, size: 3}}",
            "{im: console, user: u, image: 'ftp://h/a'}",
            "{im: console, user: u, image: 'https://h/a'}",
            "{im: console, user: u, image: 'file:///a'}",
            "{im: console, user: u, file: 'base64://QUJD'}",
            "{im: console, user: u, file: 'data:text/plain;base64,QUJD'}",
            "{im: console, user: u, file: 'data:text/plain,a'}",
            "{im: console, user: u, image: {source: b, mime_type: png}}",
            "{im: console, user: u, voice: [a]}",
            "{im: console, user: u, imageUrl: a.png, options: {account_id: screen, fileName: a, mimeType: image/png}}",
            "{im: console, user: u, text: a, options: {acount: b}}",
            "{im: console, user: u, text: a, timeout: 8s}",
            "{im: console, user: u, text: a, timeout: 5}",
            "{im: console, user: u, text: a, timeout: soon}",
            "{im: console, user: u, text: a, account: screen}",
            "{im: console, user: u, text: a, account: ''}",
            "{im: console, user: u, text: a, retry: {}}",
            "[]",
            "hello",
            "{im: console, user: u, mixed: []}",
            "[{im: console, user: u, text: a}, {im: console, group: g, text: b}]",
            "[{im: console, user: u, text: a}, {im: console}]",
            "{im: console, user: [u], text: a}",
            "{im: console, user: [u, 5], text: a}",
            "{im: console, user: [], text: a}",
            "{im: console, user: [u, ''], text: a}",
            "{im: console, user: [u, [v]], text: a}",
            "{im: console, user: [u], group: [g], text: a}",
            "{to: ops, text: a}",
            "{to: [ops, all], text: a}",
            "{to: [], text: a}",
            "{to: '', im: console, user: u, text: a}",
            "{to: ops, im: console, text: a}",
            "{to: ops, user: u, text: a}",
            "{to: {im: console}, text: a}",
            "{to: a/b, text: a}",
            "{im: console, user: u, text: {a: b}}",
            "{im: a/b, user: u, text: a}",
            "{im: console, user: u, text: '${X}', timeout: '5000'}",
        ]
        .map(push),
    );
    files.extend(
        [
            "{text: a}",
            "{type: text, text: a}",
            "{type: text, content: a}",
            "{content: a}",
            "{markdown: a}",
            "{type: markdown, text: a}",
            "{image: a.png}",
            "{type: image, source: a.png}",
            "{type: image, imageUrl: a.png}",
            "{imageUrl: a.png}",
            "{type: image, url: 'https://h/a'}",
            "{type: voice, path: a.amr}",
            "{type: video, file: a.mp4}",
            "{url: 'https://h/a'}",
            "{video: {source: a.mp4, cover: b.png}}",
            "{type: video, source: a.mp4, cover: b.png, caption: c}",
            "{file: a.pdf, filename: b.pdf}",
            "{voice: a.amr}",
            "{at: 5}",
            "{type: at, user: 5}",
            "{at_all: true}",
            "{type: at_all}",
            "{at_all: false}",
            "{at: }",
            "{text: ''}",
            "{type: imag, source: a}",
            "{colour: red}",
            "{text: a, image: b}",
            "{type: text, text: a, source: b}",
            "bare",
            "{type: text}",
            "{type: image}",
            "{}",
            "{type: at, text: a}",
            "{at: 5, text: a}",
        ]
        .map(item),
    );
    files.extend(
        [
            "{id: a, sender: console}",
            "{id: a, sender: console, format: json}",
            "{id: a, sender: console, format: xml}",
            "{sender: console}",
            "{id: a}",
            "{id: a, sender: consol}",
            "{id: '', sender: console}",
            "{id: 5, sender: console, im: x, default: true}",
            "{id: a, sender: console, default: maybe}",
            "{id: a, sender: console, concurrency: 0}",
            "{id: a, sender: console, concurrency: 2}",
            "{id: a, sender: console, min_interval: 1s}",
            "{id: a, sender: console, min_interval: 1}",
            "{id: a, sender: console, url: 'http://h'}",
            "{id: a, sender: webhook}",
            "{id: a, sender: webhook, url: 'http://h'}",
            "{id: a, sender: webhook, url: h}",
            "{id: a, sender: webhook, url: 'http://h', secret: s, token: '${T}'}",
            "{id: a, sender: webhook, url: '${U}'}",
            "{id: a, sender: webhook, url: 'http://h', secret: s, secret_file: f}",
            "{id: a, sender: webhook, url: 'http://h', secret: [s]}",
            "{id: a, sender: webhook, url: 'http://h', tokne: s}",
            "{id: a, sender: webhook, url: 'http://h', dedupes: sure}",
            "{id: a, sender: webhook, url: 'http://h', embed_limit: 5}",
            "{id: a, sender: webhook, url: 'http://h', embed_limit: lots}",
            "{id: a, sender: telegram, token: t, silent: true}",
            "{id: a, sender: telegram}",
            "{id: a, sender: ilink, window: 2h, quota: 5}",
            "{id: a, sender: ilink, window: 2}",
            "text",
            "{id: a, sender: matrix, url: 'https://m', token: ${T}}",
        ]
        .map(account),
    );
    files.extend(
        [
            "database: a.db",
            "database: ''",
            "keep_history: 30d",
            "keep_history: 30",
            "max_history_rows: 5",
            "max_history_rows: 0",
            "max_database_size: 2GiB",
            "max_database_size: 2000",
            "max_database_size: two",
            "accounts_fallback: no_default",
            "accounts_fallback: none",
            "media_roots: /",
            "media_roots: [/, /tmp]",
            "media_allow_private: true",
            "media_allow_private: lan",
            "media_max_bytes: 20MB",
            "media_max_bytes: 20XB",
            "probe_every: 30s",
            "metrics_file: a.prom",
            "metrics_listen: '127.0.0.1:9464'",
            "metrics_listen: [a]",
            "metrics_listen: '0.0.0.0:9464', metrics_allow: 10.0.0.0/8",
            "metrics_listen: '0.0.0.0:9464', metrics_allow: {}",
            "metrics_listen: '0.0.0.0:9464', metrics_token: '0123456789abcdef'",
            "metrics_listen: '0.0.0.0:9464', metrics_token_file: [a]",
            "heartbeat: {url: 'https://h/x', every: 1m}",
            "heartbeat: {every: 1m}",
            "heartbeat: {url: h}",
            "heartbeat: {url: 'https://h', url_file: a}",
            "on_failure: {push: {im: console, user: u}}",
            "on_failure: {}",
            "on_failure: {push: {im: console, user: u, image: a}}",
            "on_failure: {command: [/bin/true]}",
            "on_failure: {command: []}",
            "on_failure: {command: /bin/true}",
            "on_failure: {every: 1m}",
            "retry: {}",
            "timezone: Asia/Shanghai",
        ]
        .map(daemon),
    );
    files.extend(
        [
            "retry: {max_attempts: 3}",
            "misfire: skip",
            "timeout: 3000",
            "timeout: 3s",
            "overlap: skip",
            "dst_gap: skip",
            "retires: {}",
            "timeout: x",
        ]
        .map(|keys| with_account(&format!("defaults: {{{keys}}}"))),
    );
    files.extend(
        [
            "{im: console, user: u}",
            "{im: console, user: [u, v], account: screen}",
            "{im: console, user: []}",
            "{im: console, user: u, group: ''}",
            "{im: console, user: u, group: g}",
            "{im: console}",
            "{user: u}",
            "{im: console, user: u, quiet: true}",
            "[]",
            "[{im: console, user: u}]",
            "[{im: console}]",
            "u",
            "5",
            "[5]",
            "[[a]]",
        ]
        .map(|target| {
            format!(
                "accounts: [{{id: screen, sender: console}}]\ntargets: {{5: {{im: console, user: u}}, t: {target}}}\n"
            )
        }),
    );
    files.push(with_account(
        "jobs:\n  - &a {name: a, every: 1m, push: {im: console, user: u, text: hi}}\n  - {<<: *a, name: b}",
    ));
    files.push(with_account("jobs:\n  - {name: a, name: b, every: 1m, push: {im: console, user: u, text: hi}}"));
    files
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let Ok(python) = std::env::var("PUSHCRON_SCHEMA_PYTHON") else {
        eprintln!("SKIPPED: no PUSHCRON_SCHEMA_PYTHON; run tests/real/schema.sh");
        return;
    };
    let files = files();
    let asked = json!({"schema": config::schema(&senders::specs()), "files": files});
    let mut child =
        Command::new(python).arg("tests/real/schema.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let verdicts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts.len(), files.len());
    let (mut good, mut spoiled, mut differ) = (0, 0, Vec::new());
    for (text, verdict) in files.iter().zip(&verdicts) {
        match (accepts(text), verdict.is_null()) {
            (true, true) => good += 1,
            (false, false) => spoiled += 1,
            (ours, _) => differ.push(format!(
                "the reader {}, the schema says {verdict}:\n{text}",
                if ours { "accepts" } else { "refuses" }
            )),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    assert!(good > 80 && spoiled > 80, "{good} good, {spoiled} spoiled");
    eprintln!("{good} good and {spoiled} spoiled files: the schema and the reader agree");
}

/// Every key has its words, so that an editor can show them.
#[test]
fn every_key_is_described() {
    fn walk(schema: &Value, path: &str) {
        let properties = schema["properties"].as_object();
        for (key, property) in properties.into_iter().flatten().filter(|(key, _)| *key != "type") {
            let is_condition = property.get("not").is_some() || property.get("const").is_some();
            let is_spelling = path.contains("item") || property.get("enum").is_some();
            assert!(
                property["description"].is_string() || is_condition || is_spelling,
                "{path}.{key} has no description"
            );
        }
        match schema {
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"))),
            Value::Array(list) => list.iter().for_each(|value| walk(value, path)),
            _ => {}
        }
    }
    walk(&config::schema(&senders::specs()), "schema");
}

/// Settings of senders have their own page, spellings of the plugin SDK their own table in `docs/configuration.md`.
#[test]
fn every_key_stands_in_the_example() {
    let example = std::fs::read_to_string("jobs.example.yaml").unwrap();
    let schema = config::schema(&senders::specs());
    let missing = |definition: &str| {
        let schema = &schema["$defs"][definition];
        let ways = schema["anyOf"].as_array().into_iter().flatten();
        let properties = std::iter::once(schema).chain(ways).filter_map(|schema| schema["properties"].as_object());
        let keys: Vec<String> = properties.flat_map(|properties| properties.keys().cloned()).collect();
        keys.into_iter().filter(|key| !example.contains(&format!("{key}:")) && !key.contains(char::is_uppercase))
    };
    let definitions = [
        "daemon",
        "heartbeat",
        "on_failure",
        "account",
        "target",
        "defaults",
        "retry",
        "misfire",
        "job",
        "content_from",
        "push",
        "media",
    ];
    let missing: Vec<String> = definitions.into_iter().flat_map(missing).collect();
    let spelt = [
        "im_type",
        "group_code",
        "user_id",
        "file_name",
        "items",
        "url_file",
        "url_credential",
        "metrics_token_file",
        "metrics_token_credential",
    ];
    let missing: Vec<_> = missing.iter().filter(|key| !spelt.contains(&key.as_str())).collect();
    assert!(missing.is_empty(), "jobs.example.yaml lacks {missing:?}");
}
