//! Every request of the OneBot sender against NapCat's published schema, which Prism checks: `tests/real/prism.sh`.

use std::time::Duration;

use crate::common::deliveries::{captioned, delivery, file, group, media, text};
use crate::common::fake_im::{Answer, FakeIm};
use crate::common::senders::{Bench, account};
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, Delivery, Outcome, Target};
use pushcron::senders::{Probe, Sender};
use serde_json::json;
use tempfile::TempDir;

/// The mock's address and a client that asks it, or None where there is none.
fn prism(test: &str) -> Option<(String, reqwest::Client)> {
    let Ok(url) = std::env::var("PUSHCRON_PRISM_URL") else {
        eprintln!("SKIPPED: {test}: no PUSHCRON_PRISM_URL; run tests/real/prism.sh");
        return None;
    };
    // Installs the provider of TLS that every client in the process needs.
    pushcron::senders::http::Http::new().unwrap();
    Some((url, reqwest::Client::builder().no_proxy().build().unwrap()))
}

fn bot(url: String, local_files: bool) -> Box<dyn Sender> {
    let local_files = local_files.to_string();
    let account = account("onebot11", &[("url", &url), ("token", "t"), ("local_files", &local_files)]);
    Bench::new().live().build(&Account { min_interval: Some(Duration::ZERO), ..account })
}

/// A push of every kind to a group and to a user.
fn pushes(dir: &TempDir) -> Vec<Delivery> {
    let picture = file(dir, "图 1.png", "image/png", b"png");
    let mut film = file(dir, "a.mp4", "video/mp4", b"film");
    film.cover = Some(Box::new(picture.clone()));
    let items = vec![
        Item::Text { text: "早报".into() },
        Item::At { user: "10001".into() },
        Item::Markdown { text: "**b**".into() },
        Item::Image(captioned("chart")),
        Item::AtAll,
        Item::Voice(media()),
        Item::Video(media()),
        Item::File(media()),
        Item::Text { text: "end".into() },
    ];
    let voice = file(dir, "a.wav", "audio/wav", b"wav");
    let report = file(dir, "报表.xlsx", "application/vnd.ms-excel", b"xlsx");
    let pushes = [
        text(group("123456"), "早报 😀"),
        text(group("123456"), &"字".repeat(5000)),
        delivery(group("123456"), Body::Image(media()), vec![picture.clone()]),
        delivery(group("123456"), Body::Voice(media()), vec![voice.clone()]),
        delivery(group("123456"), Body::Video(media()), vec![film.clone()]),
        delivery(group("123456"), Body::File(media()), vec![report.clone()]),
        delivery(group("123456"), Body::Mixed { items }, vec![picture, voice, film, report]),
    ];
    let targets = [Target::Group("123456".into()), Target::User("10001".into())];
    let to = |target: &Target| pushes.clone().map(|push| Delivery { target: target.clone(), ..push });
    targets.iter().flat_map(to).collect()
}

#[tokio::test]
async fn every_kind_is_taken_by_the_mock_of_the_schema() {
    let Some((url, client)) = prism("every_kind_is_taken_by_the_mock_of_the_schema") else { return };
    let dir = tempfile::tempdir().unwrap();
    let number = json!({"group_id": 1, "message": []});
    let answer = client.post(format!("{url}/send_group_msg")).json(&number).send().await.unwrap();
    assert_eq!(answer.status(), 422, "the mock checks what it is sent");

    let bot = bot(url, false);
    assert_eq!(bot.probe().await, Probe::up());
    for push in pushes(&dir) {
        let report = bot.send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent, "{:?} to {}: {report:?}", push.message.body.kind(), push.target);
        assert!(report.message_id.is_some());
    }
}

/// What is asked of other implementations fits the schema too, wherever NapCat knows the action.
#[tokio::test]
async fn every_request_to_every_implementation_fits_the_schema() {
    let Some((url, client)) = prism("every_request_to_every_implementation_fits_the_schema") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut actions = std::collections::BTreeSet::new();
    for product in ["NapCat.Onebot", "LLOneBot", "Lagrange.OneBot", "go-cqhttp", "Shamrock"] {
        let im = FakeIm::start().await;
        let data =
            json!({"app_name": product, "app_version": "4.18.13", "message_id": 7, "file": "/a", "online": true});
        im.on("", Answer::json(200, json!({"status": "ok", "retcode": 0, "data": data})));
        for local_files in [false, true] {
            let bot = bot(im.url(""), local_files);
            bot.probe().await;
            for push in pushes(&dir) {
                bot.send(&push).await;
            }
        }
        for request in im.requests() {
            let asked = client.post(format!("{url}{}", request.path)).header("content-type", "application/json");
            let answer = asked.body(request.body.clone()).send().await.unwrap();
            let (status, verdict) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(status, 200, "{product} {} {}: {verdict}", request.path, request.text());
            actions.insert(request.path);
        }
    }
    let expected = [
        "/get_msg",
        "/get_status",
        "/get_version_info",
        "/send_group_msg",
        "/send_private_msg",
        "/upload_group_file",
        "/upload_private_file",
    ];
    assert_eq!(actions.into_iter().collect::<Vec<_>>(), expected, "all of these were asked");
}
