//! A length of time is written in one way: what the files take, every verb, the API and its tools take, and what they refuse,
//! these refuse by the same words.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::common::daemon::House;
use crate::{cli, web};

/// What each verb is told, with `LENGTH` for the length. All of them would else do something.
const VERBS: [&[&str]; 6] = [
    &["push", "--im", "hook", "--group", "1", "--text", "hi", "--wait", "LENGTH"],
    &["add", "made", "--in", "LENGTH", "--im", "hook", "--group", "1", "--text", "hi"],
    &["fire", "known", "--wait=LENGTH"],
    &["retry", "1", "--wait=LENGTH"],
    &["backfill", "known", "--from", "2026-01-01", "--to", "2026-01-02", "--dry-run", "--gap", "LENGTH"],
    &["simulate", "--fail-on", "late>LENGTH"],
];
const WORDS: &str = "expected a duration such as 30s, 10m or 1h30m";

/// No lengths.
const WRONG: [&str; 7] = ["90", "1.5h", "30s1h", "1m1m", "PT1H30M", "1 h", "40000d"];
const RIGHT: [&str; 5] = ["90s", "1h30m", "1m500ms", "2w", " 5s "];

async fn told(house: &House, words: &[&str], length: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| word.replace("LENGTH", length)).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    house.ends(&words).await.1
}

fn with_a_job_every(house: &House, length: &str) {
    let job = format!("  - {{name: known, every: \"{length}\", push: {{im: hook, group: 1, text: hi}}}}\n");
    house.configure("", &job);
}

#[tokio::test]
async fn what_is_no_duration_in_the_files_is_none_for_any_verb_and_by_the_same_words() {
    let house = House::new().await;
    for wrong in WRONG {
        with_a_job_every(&house, wrong);
        let checked = told(&house, &["check"], "").await;
        assert!(checked.contains(WORDS) && checked.contains(wrong), "{wrong}: {checked}");
        with_a_job_every(&house, "1h");
        for verb in VERBS {
            let told = told(&house, verb, wrong).await;
            assert!(told.contains(WORDS) && told.contains(wrong), "{verb:?} {wrong}: {told}");
        }
    }
}

#[tokio::test]
async fn what_is_a_duration_in_the_files_is_one_for_every_verb() {
    let house = House::new().await;
    for right in RIGHT {
        with_a_job_every(&house, right.trim());
        let checked = house.ends(&["check"]).await;
        assert!(!checked.1.contains(WORDS), "{right}: {checked:?}");
        for verb in VERBS {
            let told = told(&house, verb, right).await;
            assert!(!told.contains("duration"), "{verb:?} {right}: {told}");
        }
    }
}

/// Where the API takes one: the path, the key's place in the body, and a body that would else do something.
fn calls(length: &str) -> [(&'static str, &'static str, Value); 4] {
    let push = json!({"im": "qq", "group": "1", "text": "hi"});
    [
        ("/api/v1/jobs", "/every", json!({"name": "made", "every": length, "push": push})),
        ("/api/v1/jobs", "/in", json!({"name": "made", "in": length, "push": push})),
        (
            "/api/v1/jobs",
            "/retry/backoff",
            json!({"name": "made", "every": "1h", "push": push, "retry": {"backoff": length}}),
        ),
        ("/api/push", "/timeout", json!({"im": "qq", "group": "1", "text": "hi", "timeout": length})),
    ]
}

/// A deadline may also be a number, of milliseconds.
fn words_of(place: &str) -> &'static str {
    if place == "/timeout" { "expected a duration such as 8s, or milliseconds" } else { WORDS }
}

/// Asks once it is the turn again of whoever asks: an API hears so many a second.
fn answered<T>(mut ask: impl FnMut() -> T, comes_too_fast: impl Fn(&T) -> bool) -> T {
    loop {
        let told = ask();
        if !comes_too_fast(&told) {
            return told;
        }
    }
}

fn asked(house: &cli::house::House, method: &str, path: &str, body: &Value) -> (u16, Value) {
    answered(|| web::ask(house, method, path, body), |(status, _)| *status == 429)
}

#[test]
fn what_is_no_duration_in_the_files_is_none_for_the_api_and_by_the_same_words() {
    let house = web::on_a_socket();
    let _daemon = web::listening(&house);
    let everywhere = (0..4).map(|place| ("1.5h", place));
    // A number of milliseconds may also be written as a text, so that 90 is not for the last place.
    let by_turns = WRONG.iter().enumerate().map(|(turn, wrong)| (*wrong, turn % 4));
    for (wrong, place) in everywhere.chain(by_turns) {
        let (path, key, body) = calls(wrong)[place].clone();
        let (status, told) = asked(&house, "POST", path, &body);
        let problem = told.to_string();
        assert!(status == 422 && problem.contains(words_of(key)) && problem.contains(key), "{key} {wrong}: {told}");
    }
    // No deadline is longer than an hour.
    for (right, place) in [("90s", 0), ("1h30m", 1), ("1m500ms", 3), ("2w", 2), (" 5s ", 0), (" 5s ", 3)] {
        let (path, key, body) = calls(right)[place].clone();
        let (status, told) = asked(&house, "POST", path, &body);
        assert!(status < 300, "{key} {right}: {status} {told}");
        if path == "/api/v1/jobs" {
            assert_eq!(asked(&house, "DELETE", "/api/v1/jobs/made", &json!({})).0, 200, "{key} {right}");
        }
    }
}

/// An assistant's end of `pushcron mcp`.
struct Assistant {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u32,
}

impl Assistant {
    fn of(house: &cli::house::House) -> Assistant {
        let socket = format!("unix:{}", house.path("web.sock").display());
        let mut command = house.command(["mcp", "--url", &socket]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut assistant = Assistant { child, input, output, asked: 0 };
        let client = json!({"name": "test", "version": "1"});
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        assistant.ask("initialize", &hello);
        writeln!(assistant.input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
        assistant
    }

    /// What comes back for a request.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended before it answered {method}");
        serde_json::from_str::<Value>(&line).unwrap()["result"].take()
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }
}

impl Drop for Assistant {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_no_duration_in_the_files_is_none_for_a_tool_and_by_the_same_words() {
    let house = web::on_a_socket();
    let _daemon = web::listening(&house);
    let mut assistant = Assistant::of(&house);
    let mut call = |tool: &str, arguments: &Value| {
        answered(|| assistant.call(tool, arguments), |told| told["structuredContent"]["status"] == 429)
    };
    let tool = |path| if path == "/api/push" { "push" } else { "add" };
    for (path, key, body) in calls("1.5h") {
        let told = call(tool(path), &body);
        assert_eq!(told["isError"], true, "{key}: {told}");
        assert!(told["content"].to_string().contains(words_of(key)), "{key}: {told}");
    }
    for (path, key, body) in calls("1m30s") {
        let told = call(tool(path), &body);
        assert_ne!(told["isError"], true, "{key}: {told}");
        if tool(path) == "add" {
            assert_ne!(call("cancel", &json!({"job": "made"}))["isError"], true, "{key}");
        }
    }
}
