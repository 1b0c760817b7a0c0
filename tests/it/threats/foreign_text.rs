//! Texts that try to move a cursor, clear a screen, forge a line or turn the reading direction: from platforms, from
//! messages and targets, from files and command lines. No line of a log, no table and no terminal may obey them.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::daemon::{House, until};
use crate::common::fake_im::Answer;

/// Clears the screen, sets a title, turns the direction, rings, and forges a line of a log and a row of a table.
const HOSTILE: &str =
    "a\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}gpj\u{2066}\u{2028}\u{7f}\r\nERROR forged\n99  forged  sent";

/// As it stands in YAML.
const WRITTEN: &str = r#""a\e[2J\e]0;t\a\x9b31m\u202egpj\u2066\u2028\x7f\r\nERROR forged\n99  forged  sent""#;

#[track_caller]
fn assert_harmless(place: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{place} is no UTF-8: {error}"));
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    for line in text.lines() {
        // `lines` takes the line ends of a terminal away.
        assert!(!line.contains(|c: char| c.is_control() || turns(c)), "{place}: {line:?}");
        assert!(!line.starts_with("ERROR forged") && !line.starts_with("99  forged"), "{place}: {line:?}");
    }
}

/// A house whose platforms, texts and targets are hostile.
async fn house() -> House {
    let house = House::new().await;
    let refusal = json!({"ok": false, "error_code": 400, "description": HOSTILE});
    let failure = json!({"status": "failed", "retcode": 1404, "wording": HOSTILE, "data": null});
    // One is refused as soon as it is probed, the others when they send.
    house.im.on("/bot1:a/", Answer::json(200, refusal.clone()));
    house.im.on("/bot2:b/", Answer::json(200, json!({"ok": true, "result": {"id": 1, "username": HOSTILE}})));
    house.im.on("/bot2:b/sendMessage", Answer::json(200, refusal));
    let status = json!({"online": true, "good": true, "app_name": HOSTILE, "nickname": HOSTILE});
    house.im.on("/onebot/", Answer::json(200, json!({"status": "ok", "retcode": 0, "data": status})));
    house.im.on("/onebot/send_group_msg", Answer::json(200, failure));
    house.im.on("/matrix/", Answer::json(200, json!({"user_id": HOSTILE, "event_id": HOSTILE})));
    house.im.on("/hook", Answer::text(400, HOSTILE));
    let url = |path: &str| house.im.url(path);
    let accounts = format!(
        "  - {{id: t, im: t, sender: telegram, token: '1:a', base_url: '{}', default: true}}\n  \
         - {{id: t2, im: t2, sender: telegram, token: '2:b', base_url: '{}', default: true}}\n  \
         - {{id: o, im: o, sender: onebot11, url: '{}', default: true}}\n  \
         - {{id: m, im: m, sender: matrix, token: x, url: '{}', default: true}}\n  \
         - {{id: screen, im: screen, sender: console, default: true}}\n",
        url(""),
        url(""),
        url("/onebot"),
        url("/matrix"),
    );
    let job = |(im, group): (&str, &str)| {
        format!(
            "  - {{name: {im}, every: 1s, push: {{im: {im}, group: {group}, title: {WRITTEN}, text: {WRITTEN}}}}}\n"
        )
    };
    let jobs =
        [("hook", "1"), ("t", "\"-100\""), ("t2", "\"-100\""), ("o", "1"), ("m", "\"!r:im.test\""), ("screen", "1")];
    house.configure(&accounts, &jobs.map(job).concat());
    house
}

/// What a command says on both channels, once into pipes and once at a terminal.
async fn said(house: &House, words: &[&str]) -> Vec<(String, Vec<u8>)> {
    let output = house.program(words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
    let in_pipes = [output.stdout, output.stderr].concat();
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_pushcron"), quoted.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &line, "/dev/null"]).current_dir(house.dir.path()).env("PUSHCRON_CONFIG", "jobs.yaml");
    // Our own colours are escape sequences too.
    terminal.env("NO_COLOR", "1").stdin(Stdio::null());
    let at_a_terminal = terminal.output().await.expect("`script` of util-linux runs").stdout;
    vec![(format!("{words:?} in pipes"), in_pipes), (format!("{words:?} at a terminal"), at_a_terminal)]
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_text_breaks_no_line_of_a_log_no_table_and_no_terminal() {
    let house = house().await;
    for format in ["human", "json"] {
        let stdout = house.dir.path().join("stdout");
        let mut command = house.program(&["-vvv", "--log-format", format, "run"]);
        command.stdout(std::fs::File::create(&stdout).unwrap());
        let mut daemon = house.start(command).await;
        house.until_at_least(5, "SELECT count(DISTINCT account) FROM attempts WHERE finished_at IS NOT NULL").await;
        house.until_at_least(1, "SELECT count(*) FROM accounts WHERE last_error LIKE '%forged%'").await;
        until("hostile errors are told", async || daemon.log().contains("forged")).await;
        daemon.stop().await;
        assert_harmless(&format!("the {format} log"), daemon.log().as_bytes());
        assert_harmless("standard output", &std::fs::read(stdout).unwrap());
    }
    let stored =
        house.number("SELECT count(*) FROM attempts WHERE error LIKE '%forged%' OR message_id LIKE '%forged%'").await;
    assert!(stored > 0, "nothing hostile was stored");

    house.write(&std::fs::read_to_string(house.dir.path().join("jobs.yaml")).unwrap());
    std::fs::write(
        house.dir.path().join("broken.yaml"),
        format!("{WRITTEN}: {WRITTEN}\njobs: [{{name: {WRITTEN}, every: {WRITTEN}}}]\n"),
    )
    .unwrap();
    let verbs: [&[&str]; 23] = [
        &["check"],
        &["-c", "broken.yaml", "check"],
        &["-c", "broken.yaml", "check", "--json"],
        &["jobs"],
        &["jobs", "--json"],
        &["accounts"],
        &["accounts", "--json"],
        &["accounts", "--probe"],
        &["accounts", "--probe", "--json"],
        &["history"],
        &["history", "--json"],
        &["history", "--state", "failed", "--limit", "3"],
        &["next"],
        &["next", "--json"],
        &["explain", "hook", "2026-01-01"],
        &["explain", "t", "1 minute ago"],
        &["ledger"],
        &["push", "--im", "hook", "--group", HOSTILE, "--text", HOSTILE],
        &["push", "--im", "t", "--group", "-100", "--text", HOSTILE],
        &["push", "--im", HOSTILE, "--group", "1", "--text", "hi"],
        &["fire", HOSTILE],
        &["explain", HOSTILE, HOSTILE],
        &["-c", HOSTILE, "check"],
    ];
    for words in verbs {
        for (place, bytes) in said(&house, words).await {
            assert!(!bytes.is_empty(), "{place}: nothing");
            assert_harmless(&place, &bytes);
        }
    }
    // CSV holds values as they are, and knows no escapes; only who reads it at a terminal is spared.
    for words in [["history", "--csv"], ["accounts", "--csv"]] {
        let [_, (place, at_a_terminal)] = said(&house, &words).await.try_into().unwrap();
        assert_harmless(&place, &at_a_terminal);
    }
    // What is escaped for the eye is the same value for a program.
    let output = house.program(&["history", "--json"]).stdout(Stdio::piped()).output().await.unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(rows.iter().any(|row| row["message_id"] == HOSTILE), "the value is not as it came");
}
