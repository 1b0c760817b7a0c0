//! The webhook sender against a scripted receiver.

use std::time::Duration;

use crate::common::deliveries::{captioned, delivery, group, media, mixed, online, text};
use crate::common::fake_im::Answer;
use crate::common::platforms::CANARY;
use crate::common::senders::{Stage, extended};
use pushcron::domain::message::Item;
use pushcron::domain::{Body, Outcome, Report, Target, UtcMs};
use pushcron::senders;
use serde_json::json;

/// Of the sheet's test vector (others.md §13).
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

async fn receiver() -> Stage {
    Stage::of("webhook").await
}

fn room() -> Target {
    group("123456")
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
    let stage = receiver().await;
    stage.im.script("/hook", [Answer::status(500), Answer::status(204)]);
    let clock = &stage.bench.clock;
    clock.step_wall_to(UtcMs(1_700_000_000_999));
    let webhook = stage.with(&[
        ("secret", SECRET),
        ("old_secret", "whsec_b2xkIGtleQ=="),
        ("token", "t0ken"),
        ("header", "X-Api-Key: k3y"),
    ]);
    let delivery = text(room(), "早");
    assert_eq!(webhook.send(&delivery).await.outcome, Outcome::Unknown);
    clock.advance(Duration::from_secs(60));
    let report = webhook.send(&delivery).await;
    assert_eq!(report, Report::sent(Some("key-1".into())).with_status(204));

    let requests = stage.im.requests();
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
    let stage = receiver().await;
    stage.im.on("/hook", Answer::status(200));
    let (webhook, bench) = (stage.with(&[("secret", SECRET), ("embed_limit", "4")]), &stage.bench);
    let mut long = online(bench.file("b.mp4", "video/mp4", b"long film"), "https://example.com/b.mp4");
    long.cover = Some(Box::new(bench.file("c.png", "image/png", b"png")));
    let items = vec![
        Item::Text { text: "see".into() },
        Item::Image(captioned("chart")),
        Item::Video(media()),
        Item::At { user: "u1".into() },
        Item::AtAll,
    ];
    let delivery = mixed(room(), items, vec![bench.file("a.png", "image/png", b"1234"), long]);
    assert_eq!(webhook.send(&delivery).await.outcome, Outcome::Sent);

    let request = stage.im.request("/hook");
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
    let stage = receiver().await;
    let webhook = stage.with(&[("embed_limit", "4")]);
    let delivery = delivery(room(), Body::File(media()), vec![stage.bench.file("a.txt", "text/plain", b"12345")]);
    let report = webhook.send(&delivery).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    assert!(report.error.unwrap().contains("'a.txt' has 5 bytes"));
    assert_eq!(stage.im.requests().len(), 0);
}

#[tokio::test]
async fn each_answer_leads_to_its_class() {
    let stage = receiver().await;
    let webhook = stage.sender();
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
        stage.im.on("/hook", answer.clone());
        let report = webhook.send(&text(room(), "hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}");
        assert!(!format!("{report:?}").contains(CANARY), "{report:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_safe_only_where_the_receiver_dedupes() {
    let stage = receiver().await;
    for dedupes in [false, true] {
        let account = extended(stage.account.clone(), &[("dedupes", &dedupes.to_string())]);
        let spec = senders::find("webhook").unwrap().spec;
        assert_eq!((spec.idempotent)(&account.settings), dedupes);
        assert_eq!(stage.bench.build(&account).is_idempotent(&text(room(), "hi"), UtcMs(0)), dedupes);
    }
}

#[tokio::test]
async fn unusable_settings_are_refused_without_showing_them() {
    let stage = receiver().await;
    let rows = [
        ("url", "hunter2", "url: not an address"),
        ("url", "ftp://hunter2/", "url: expected an http or https address"),
        ("secret", "whsec_hunter2!", "secret: expected whsec_ and base64"),
        ("secret", "whsec_", "secret: expected whsec_ and base64"),
        ("header", "hunter2", "header: expected 'Name: value'"),
        ("token", "hunter2\n", "token: holds characters that no header can carry"),
    ];
    for (key, value, expected) in rows {
        let error = stage.try_with(&[(key, value)]).err().expect(key).to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}
