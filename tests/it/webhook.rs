//! The webhook sender against a scripted receiver.

use std::time::Duration;

use crate::common::deliveries::{account, build, build_on, file, media, mixed_push, push, secret, text_push};
use crate::common::fake_im::{Answer, FakeIm};
use pushcron::clock::ManualClock;
use pushcron::domain::account::SettingValue;
use pushcron::domain::message::{Item, Media};
use pushcron::domain::{Account, Body, Outcome, Report, UtcMs};
use pushcron::senders::{self, Sender};
use serde_json::json;

/// Of the sheet's test vector (others.md §13).
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn account_for(im: &FakeIm, more: Vec<(&'static str, SettingValue)>) -> Account {
    let settings = [("url", secret(im.url("/hook?token=hunter2")))].into_iter().chain(more);
    account("webhook", settings)
}

fn webhook(im: &FakeIm, more: Vec<(&'static str, SettingValue)>) -> Box<dyn Sender> {
    build(&account_for(im, more))
}

/// What the receiver computes: independent of the sender's code but for the hash itself.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    use base64::Engine as _;
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat());
    format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn the_test_signs_as_the_standard_does() {
    let body = br#"{"type":"message.push","data":{"text":"hi"}}"#;
    let signed = signature(b"0123456789abcdef0123456789abcdef", "msg_1", "1700000000", body);
    assert_eq!(signed, "v1,vER9JdnXdYv/hv0HN2ZqlbGNzJmNs2TU8dBDWmGUe88=");
}

#[tokio::test]
async fn a_push_arrives_signed_with_every_secret_and_with_the_same_id_in_every_attempt() {
    let im = FakeIm::start().await;
    im.script("/hook", [Answer::status(500), Answer::status(204)]);
    let clock = ManualClock::new(UtcMs(1_700_000_000_999));
    let secrets = vec![
        ("secret", secret(SECRET)),
        ("old_secret", secret("whsec_b2xkIGtleQ==")),
        ("token", secret("t0ken")),
        ("header", secret("X-Api-Key: k3y")),
    ];
    let webhook = build_on(&account_for(&im, secrets), clock.clone());
    let delivery = text_push("早");
    assert_eq!(webhook.send(&delivery).await.outcome, Outcome::Unknown);
    clock.advance(Duration::from_secs(60));
    let report = webhook.send(&delivery).await;
    assert_eq!(report, Report::sent(Some("key-1".into())).with_status(204));

    let requests = im.requests();
    assert_eq!(requests[0].body, requests[1].body);
    for (request, timestamp) in requests.iter().zip(["1700000000", "1700000060"]) {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
        assert_eq!(request.header("x-api-key"), Some("k3y"));
        assert_eq!(request.header("webhook-id"), Some("key-1"));
        assert_eq!(request.header("webhook-timestamp"), Some(timestamp));
        let signed = |key: &[u8]| signature(key, "key-1", timestamp, &request.body);
        let expected = format!("{} {}", signed(b"0123456789abcdef0123456789abcdef"), signed(b"old key"));
        assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    }
    assert_eq!(
        requests[0].json(),
        json!({
            "type": "message.push",
            "timestamp": "2026-01-01T01:00:00.000Z",
            "data": {
                "job": "daily-report", "triggered_by": "cron", "due_at": "2026-01-01T01:00:00.000Z", "im": "im",
                "target": {"group": "123456"}, "title": null, "kind": "text", "text": "早",
            },
        })
    );
}

#[tokio::test]
async fn media_stand_in_the_body_or_as_their_address_where_they_are_long() {
    let im = FakeIm::start().await;
    im.on("/hook", Answer::status(200));
    let webhook = webhook(&im, vec![("secret", secret(SECRET)), ("embed_limit", SettingValue::Int(4))]);
    let dir = tempfile::tempdir().unwrap();
    let mut long = file(&dir, "b.mp4", "video/mp4", b"long film");
    long.url = Some("https://example.com/b.mp4".into());
    long.cover = Some(Box::new(file(&dir, "c.png", "image/png", b"png")));
    let items = vec![
        Item::Text { text: "see".into() },
        Item::Image(Media { caption: Some("chart".into()), ..media("a.png") }),
        Item::Video(media("https://example.com/b.mp4")),
        Item::At { user: "u1".into() },
        Item::AtAll,
    ];
    let delivery = mixed_push(items, vec![file(&dir, "a.png", "image/png", b"1234"), long]);
    assert_eq!(webhook.send(&delivery).await.outcome, Outcome::Sent);

    let request = im.request("/hook");
    let timestamp = request.header("webhook-timestamp").unwrap();
    let signed = signature(b"0123456789abcdef0123456789abcdef", "key-1", timestamp, &request.body);
    assert_eq!(request.header("webhook-signature"), Some(signed.as_str()), "signed over the streamed body");
    let mut items = request.json()["data"]["items"].clone();
    for media in ["/1/media", "/2/media", "/2/media/cover"] {
        let hash = items.pointer_mut(media).unwrap().as_object_mut().unwrap().remove("sha256");
        assert_eq!(hash.unwrap().as_str().unwrap().len(), 64);
    }
    assert_eq!(
        items,
        json!([
            {"type": "text", "text": "see"},
            {"type": "image", "media": {
                "filename": "a.png", "mime_type": "image/png", "size": 4, "base64": "MTIzNA==", "caption": "chart"}},
            {"type": "video", "media": {
                "filename": "b.mp4", "mime_type": "video/mp4", "size": 9, "url": "https://example.com/b.mp4",
                "cover": {"filename": "c.png", "mime_type": "image/png", "size": 3, "base64": "cG5n"}}},
            {"type": "at", "user": "u1"},
            {"type": "at_all"},
        ])
    );
}

#[tokio::test]
async fn a_long_media_without_an_address_is_rejected_before_anything_is_sent() {
    let im = FakeIm::start().await;
    let webhook = webhook(&im, vec![("embed_limit", SettingValue::Int(4))]);
    let dir = tempfile::tempdir().unwrap();
    let delivery = push(Body::File(media("a.txt")), vec![file(&dir, "a.txt", "text/plain", b"12345")]);
    let report = webhook.send(&delivery).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    assert!(report.error.unwrap().contains("'a.txt' has 5 bytes"));
    assert_eq!(im.requests().len(), 0);
}

#[tokio::test]
async fn each_answer_leads_to_its_class() {
    let im = FakeIm::start().await;
    let webhook = webhook(&im, vec![]);
    let throttled = |seconds: u64| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let rows = [
        (Answer::status(200), Outcome::Sent),
        (Answer::status(202), Outcome::Sent),
        // The verdict is in the status, whatever becomes of the body.
        (Answer::ResetInBody { status: 200 }, Outcome::Sent),
        (Answer::json(200, json!({"ok": true, "message": "error handling is fine"})), Outcome::Sent),
        (Answer::json(201, json!({"code": 201, "error": null, "errors": []})), Outcome::Sent),
        (Answer::json(200, json!({"id": "failed", "data": {"name": "error"}})), Outcome::Sent),
        // A code of the receiver's own, whose yes is not ours to know: its words tell.
        (Answer::json(200, json!({"code": 1, "msg": "ok"})), Outcome::Sent),
        (Answer::json(200, json!({"code": 20000, "message": "Success!", "data": null})), Outcome::Sent),
        (Answer::json(200, json!({"code": "1", "msg": "操作成功", "data": {"code": 1, "msg": "OK"}})), Outcome::Sent),
        (Answer::json(200, json!({"code": 1})), Outcome::Rejected),
        (Answer::json(200, json!({"code": 1, "msg": "not ok"})), Outcome::Rejected),
        (Answer::json(200, json!({"code": 1, "msg": "ok", "message": "no such chat"})), Outcome::Rejected),
        (Answer::json(200, json!({"code": 1, "msg": "ok", "success": false})), Outcome::Rejected),
        (
            Answer::json(200, json!({"code": 1, "msg": "ok", "data": {"code": 7, "msg": "no such chat"}})),
            Outcome::Rejected,
        ),
        (Answer::json(200, json!({"code": 503, "msg": "ok"})), Outcome::Rejected),
        (Answer::json(200, json!({"code": -1, "msg": "ok"})), Outcome::Rejected),
        // In the envelope of a known platform the numbers mean what they mean there.
        (Answer::json(200, json!({"errcode": 0, "data": {"code": 1, "msg": "ok"}})), Outcome::Rejected),
        (Answer::json(200, json!({"StatusCode": 0, "StatusMessage": "success", "code": 19001})), Outcome::Rejected),
        (Answer::json(200, json!({"retcode": 1, "status": "ok", "message": "ok"})), Outcome::Rejected),
        // But where the receiver itself says no, that counts.
        (Answer::json(200, json!({"ok": false})), Outcome::Rejected),
        (Answer::json(202, json!({"success": "false", "message": "no such chat"})), Outcome::Rejected),
        (Answer::json(200, json!({"errcode": 93000, "errmsg": "invalid webhook url"})), Outcome::Rejected),
        (Answer::json(200, json!({"status": "error"})), Outcome::Rejected),
        (Answer::json(200, json!({"error": "no such chat", "success": true})), Outcome::Rejected),
        (Answer::json(200, json!({"type": "about:blank", "status": 503, "detail": "queue full"})), Outcome::Rejected),
        (Answer::json(200, json!({"errors": [{"message": "no such chat"}]})), Outcome::Rejected),
        (Answer::json(200, json!([{"ok": false}])), Outcome::Rejected),
        (Answer::text(200, "\u{feff}{\"ok\": false}"), Outcome::Rejected),
        // One verdict for each of several things, which nobody asked for.
        (Answer::status(207), Outcome::Unknown),
        (Answer::ResetInBody { status: 500 }, Outcome::Unknown),
        (Answer::status(302).header("location", "/other"), Outcome::Rejected),
        (Answer::status(400), Outcome::Rejected),
        (Answer::status(401), Outcome::AccountDown),
        (Answer::status(410), Outcome::TargetGone),
        (Answer::status(429).header("retry-after", "9"), throttled(9)),
        (Answer::status(500), Outcome::Unknown),
        (Answer::status(503).header("retry-after", "9"), throttled(9)),
        (Answer::status(504), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
    ];
    for (answer, outcome) in rows {
        im.on("/hook", answer.clone());
        let report = webhook.send(&text_push("hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}");
        assert!(!format!("{report:?}").contains("hunter2"), "{report:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_safe_only_where_the_receiver_dedupes() {
    let im = FakeIm::start().await;
    for dedupes in [false, true] {
        let account = account_for(&im, vec![("dedupes", SettingValue::Bool(dedupes))]);
        let spec = senders::find("webhook").unwrap().spec;
        assert_eq!((spec.idempotent)(&account.settings), dedupes);
        assert_eq!(build(&account).is_idempotent(&text_push("hi"), UtcMs(0)), dedupes);
    }
}

#[tokio::test]
async fn unusable_settings_are_refused_without_showing_them() {
    let im = FakeIm::start().await;
    let rows = [
        ("url", "hunter2", "url: not an address"),
        ("url", "ftp://hunter2/", "url: expected an http or https address"),
        ("secret", "whsec_hunter2!", "secret: expected whsec_ and base64"),
        ("secret", "whsec_", "secret: expected whsec_ and base64"),
        ("header", "hunter2", "header: expected 'Name: value'"),
        ("token", "hunter2\n", "token: holds characters that no header can carry"),
    ];
    let registered = senders::find("webhook").unwrap();
    for (key, value, expected) in rows {
        let account = account_for(&im, vec![(key, secret(value))]);
        let environment =
            crate::common::deliveries::environment(pushcron::clock::SystemClock::shared(), &std::env::temp_dir());
        let error = (registered.build)(&account, &environment).err().expect(key).to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}
