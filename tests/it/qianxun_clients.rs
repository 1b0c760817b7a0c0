//! The tests' Qianxun hook, driven by clients that others wrote, and our sender beside them: what ours asks of the
//! hook is what theirs ask. `tests/real/qianxun.sh` installs the clients.

use crate::common::deliveries::{delivery, file, media, online};
use crate::common::fake_qianxun::{Hook, Taken};
use crate::common::senders::{Bench, account, extended};
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, Media, MediaFile, Outcome, Target};
use serde_json::{Value, json};

/// What a client printed, or None where the clients are not installed.
async fn run(script: &str, arguments: &[String]) -> Option<Value> {
    let Ok(python) = std::env::var("PUSHCRON_QIANXUN_PYTHON") else {
        eprintln!("SKIPPED: {script}: no PUSHCRON_QIANXUN_PYTHON; run tests/real/qianxun.sh");
        return None;
    };
    let script = format!("{}/tests/real/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = tokio::process::Command::new(python).arg(script).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

async fn hook() -> Hook {
    let hook = Hook::start().await;
    hook.set(|state| state.readable = vec!["http://10.0.0.5/".into(), "Z:/share/".into()]);
    hook
}

fn bot(url: String, share: Option<&std::path::Path>) -> Account {
    let mut account = account("qianxun", &[("url", &url), ("wxid", "wxid_bot")]);
    account.min_interval = Some(std::time::Duration::ZERO);
    match share {
        Some(share) => {
            let share = [("shared_dir", share.to_str().unwrap()), ("shared_dir_on_host", "Z:/share")];
            extended(account, &share)
        }
        None => account,
    }
}

async fn send(account: &Account, target: Target, body: Body, media: Vec<MediaFile>) {
    let report = Bench::new().live().build(account).send(&delivery(target, body, media)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
}

fn bob() -> Target {
    Target::User("wxid_bob".into())
}

/// The calls as they arrived, without what differs from send to send.
fn asked(hook: &Hook) -> Vec<(String, Value)> {
    let body = |request: &crate::common::fake_im::Request| request.json();
    hook.im.requests().iter().map(|request| (request.path.clone(), body(request))).collect()
}

#[tokio::test]
async fn the_old_generations_client_and_our_sender_ask_the_same() {
    let theirs = hook().await;
    let (host, port) = (theirs.im.address().ip().to_string(), theirs.im.address().port().to_string());
    let Some(answers) = run("qianxun_old.py", &[host, port, "wxid_bot".into()]).await else { return };
    let codes: Vec<i64> = answers.as_array().unwrap().iter().map(|answer| answer["code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [200, 200, 200, 200, 200, 500]);
    assert_eq!(answers[0]["result"][0]["wxid"], "wxid_bot");
    assert_eq!(answers[1]["result"]["wxid"], "wxid_bot");

    let (ours, dir) = (hook().await, tempfile::tempdir().unwrap());
    let account = bot(ours.im.url("/DaenWxHook/httpapi/"), Some(dir.path()));
    assert_eq!(Bench::new().live().build(&account).probe().await.online, Some(true));
    let items = vec![Item::Text { text: "第一行\n😁".into() }, Item::AtAll];
    send(&account, Target::Group("123".into()), Body::Mixed { items }, Vec::new()).await;
    let png = online(file(&dir, "a.png", "image/png", b"png"), "http://10.0.0.5/a.png");
    send(&account, bob(), Body::Image(media()), vec![png]).await;
    let pdf = file(&dir, "r.pdf", "application/pdf", b"pdf");
    let source = dir.path().join("r.pdf").display().to_string();
    send(&account, bob(), Body::File(Media { source, ..media() }), vec![pdf]).await;

    // Theirs ends with a form that the hook refuses.
    let their_calls = asked(&theirs);
    assert_eq!(asked(&ours), their_calls[..their_calls.len() - 1]);
    assert_eq!(ours.taken(), theirs.taken());
}

#[tokio::test]
async fn the_pro_client_and_our_sender_ask_the_same() {
    let theirs = hook().await;
    let Some(answers) = run("qianxun_pro.py", &[theirs.im.url("/qianxun/httpapi"), "wxid_bot".into()]).await else {
        return;
    };
    let groups = json!([{"wxid": "123@chatroom", "nickname": "a\u{1}b", "memberCount": 4}]);
    assert_eq!(answers, json!([groups, true, true, true, true, false]));

    let (ours, dir) = (hook().await, tempfile::tempdir().unwrap());
    let account = bot(ours.im.url("/qianxun/httpapi"), Some(dir.path()));
    let words = Body::Text { text: "第一行\n😁捂脸".into() };
    send(&account, Target::Group("123".into()), words, Vec::new()).await;
    let png = file(&dir, "a.png", "image/png", b"\x89PNG\r\n\x1a\n");
    send(&account, bob(), Body::Image(media()), vec![png]).await;
    let linked = MediaFile {
        len: 6 << 20,
        url: Some("http://10.0.0.5/a.png".into()),
        ..file(&dir, "a.png", "image/png", b"png")
    };
    send(&account, bob(), Body::Image(media()), vec![linked]).await;
    let pdf = file(&dir, "日 报?.pdf", "application/pdf", b"pdf");
    std::fs::write(dir.path().join("r.pdf"), b"pdf").unwrap();
    let source = dir.path().join("r.pdf").display().to_string();
    send(&account, bob(), Body::File(Media { source, ..media() }), vec![pdf]).await;

    let without_id =
        |taken: Vec<Taken>| taken.into_iter().map(|t| (t.call, t.target, t.content, t.filename)).collect::<Vec<_>>();
    assert_eq!(without_id(ours.taken()), without_id(theirs.taken()));
    // Theirs begins with the list of groups and ends with a path that is not there.
    let their_calls = asked(&theirs);
    assert_eq!(asked(&ours), their_calls[1..their_calls.len() - 1]);
}
