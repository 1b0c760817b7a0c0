//! The scripted OneBot implementation, driven by a client that others wrote (`tests/real/aiocqhttp.sh`), and our
//! sender beside it: ours asks what theirs asks.

use std::time::Duration;

use crate::common::deliveries::{group, media, mixed, text, user};
use crate::common::fake_im::{Answer, FakeIm, Request};
use crate::common::senders::{Bench, account};
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Outcome};
use serde_json::{Value, json};

async fn implementation() -> FakeIm {
    let im = FakeIm::start().await;
    let ok = |data: Value| json!({"status": "ok", "retcode": 0, "data": data, "message": "", "wording": ""});
    im.on("/get_status", Answer::json(200, ok(json!({"online": true, "good": true}))));
    im.on("/get_version_info", Answer::json(200, ok(json!({"app_name": "LLOneBot", "app_version": "8.1.7"}))));
    im.handle("/send_", move |request| {
        if request.header("authorization") != Some("Bearer t0ken") {
            return Answer::json(403, json!({"message": "token verify failed!"}));
        }
        match request.json()["group_id"].as_str() {
            Some("404") => Answer::json(200, json!({"status": "failed", "retcode": 200, "message": "群聊不存在"})),
            _ => Answer::json(200, ok(json!({"message_id": -7}))),
        }
    });
    im
}

/// What was asked by a send: the call, who asked, and what.
fn asked(request: &Request) -> (String, Option<String>, Option<String>, Value) {
    let header = |name| request.header(name).map(str::to_owned);
    (request.path.clone(), header("authorization"), header("content-type"), request.json())
}

#[tokio::test]
async fn a_client_that_others_wrote_and_our_sender_ask_the_same() {
    let Ok(python) = std::env::var("PUSHCRON_AIOCQHTTP_PYTHON") else {
        eprintln!("SKIPPED: no PUSHCRON_AIOCQHTTP_PYTHON; run tests/real/aiocqhttp.sh");
        return;
    };
    let theirs = implementation().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/aiocqhttp_client.py");
    let output = tokio::process::Command::new(python).args([script, &theirs.url("/"), "t0ken"]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = json!({"online": true, "good": true});
    assert_eq!(results, json!([{"message_id": -7}, {"message_id": -7}, status, {"failed": 200}]));

    let ours = implementation().await;
    let account = account("onebot11", &[("url", &ours.url("/")), ("token", "t0ken")]);
    let bench = Bench::new().live();
    let bot = bench.build(&Account { min_interval: Some(Duration::ZERO), ..account });
    let items = vec![
        Item::Text { text: "早报".into() },
        Item::At { user: "10001".into() },
        Item::Text { text: "look".into() },
        Item::Image(media()),
    ];
    let mixed = mixed(group("123456"), items, vec![bench.file("a.png", "image/png", b"png")]);
    assert_eq!(bot.send(&mixed).await.outcome, Outcome::Sent);
    assert_eq!(bot.send(&text(user("10001"), "hi")).await.outcome, Outcome::Sent);
    assert_eq!(bot.send(&text(group("404"), "hi")).await.outcome, Outcome::TargetGone);

    let sends = |im: &FakeIm| im.requests_to("/send_").iter().map(asked).collect::<Vec<_>>();
    assert_eq!(sends(&ours), sends(&theirs));
}
