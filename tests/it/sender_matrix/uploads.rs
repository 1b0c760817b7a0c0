//! Media: uploaded first, once, and only where the server takes them.

use std::time::Duration;

use super::{ROOM, SEND, homeserver, refused};
use crate::common::deliveries::{delivery, group, media, opus_of_1001_ms};
use crate::common::fake_im::Answer;
use pushcron::domain::{Body, Outcome};
use serde_json::json;

#[tokio::test]
async fn media_are_uploaded_first_and_named_in_the_event() {
    let rows = [
        (Body::Image(media()), "图.png", "image/png", "m.image"),
        (Body::Voice(media()), "a.amr", "audio/amr", "m.audio"),
        (Body::Video(media()), "a.mp4", "video/mp4", "m.video"),
        (Body::File(media()), "a b&c.pdf", "application/pdf", "m.file"),
    ];
    for (body, name, mime_type, msgtype) in rows {
        let stage = homeserver().await;
        let file = stage.bench.file(name, mime_type, b"content");
        let report = stage.sender().send(&delivery(group(ROOM), body, vec![file])).await;
        assert_eq!((report.outcome, report.note), (Outcome::Sent, None));
        let upload = stage.im.request("/_matrix/media/v3/upload");
        assert_eq!((upload.query["filename"].as_str(), upload.header("content-type")), (name, Some(mime_type)));
        assert_eq!((upload.text().as_str(), upload.header("content-length")), ("content", Some("7")));
        let expected = json!({
            "msgtype": msgtype, "body": name, "url": "mxc://im.test/abc",
            "info": {"mimetype": mime_type, "size": 7},
        });
        assert_eq!(stage.sent(), [expected]);
    }
}

#[tokio::test]
async fn a_voice_tells_how_long_it_plays() {
    let stage = homeserver().await;
    let voice = stage.bench.file("a.ogg", "audio/ogg", &opus_of_1001_ms());
    stage.sender().send(&delivery(group(ROOM), Body::Voice(media()), vec![voice])).await;
    assert_eq!(stage.sent()[0]["info"]["duration"], 1001);
}

#[tokio::test]
async fn an_upload_is_used_again_for_an_hour() {
    let stage = homeserver().await;
    let sender = stage.sender();
    let file = stage.bench.file("a.png", "image/png", b"1");
    let push = delivery(group(ROOM), Body::Image(media()), vec![file]);
    sender.send(&push).await;
    sender.send(&push).await;
    assert_eq!(stage.im.requests_to("/upload").len(), 1);
    stage.bench.clock.advance(Duration::from_secs(3600));
    sender.send(&push).await;
    assert_eq!(stage.im.requests_to("/upload").len(), 2);
}

#[tokio::test]
async fn a_failed_upload_never_leaves_a_doubt() {
    let rows = vec![
        (Answer::Reset, Outcome::Unreachable),
        (refused(500, "M_UNKNOWN"), Outcome::Unreachable),
        (Answer::Silence, Outcome::Unreachable),
        (Answer::json(200, json!({})), Outcome::Unreachable),
        (refused(413, "M_TOO_LARGE"), Outcome::Rejected),
        (refused(403, "M_FORBIDDEN"), Outcome::Rejected),
        (refused(401, "M_UNKNOWN_TOKEN"), Outcome::AccountDown),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
    ];
    for (answer, expected) in rows {
        let stage = homeserver().await;
        let shown = format!("{answer:?}");
        stage.im.on("/upload", answer);
        let file = stage.bench.file("a.png", "image/png", b"1");
        let mut push = delivery(group(ROOM), Body::Image(media()), vec![file]);
        push.timeout = Duration::from_millis(500);
        let report = stage.sender().send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert_eq!(stage.im.requests_to(SEND).len(), 0);
    }
}

#[tokio::test]
async fn a_file_over_the_servers_cap_is_not_even_uploaded() {
    let stage = homeserver().await;
    stage.im.on("/media/config", Answer::json(200, json!({"m.upload.size": 10})));
    let file = stage.bench.file("a.bin", "application/x", b"eleven byte");
    let push = delivery(group(ROOM), Body::File(media()), vec![file]);
    let report = stage.sender().send(&push).await;
    assert_eq!(report.error.as_deref(), Some("'a.bin' has 11 bytes, the server takes 10"));
    assert_eq!(stage.im.requests_to("/upload").len(), 0);

    // A server that does not tell is simply tried.
    stage.im.on("/media/config", refused(404, "M_UNRECOGNIZED"));
    assert_eq!(stage.sender().send(&push).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn the_servers_cap_is_asked_for_again_after_an_hour_and_after_a_refusal() {
    let stage = homeserver().await;
    let cap = |bytes: u64| Answer::json(200, json!({"m.upload.size": bytes}));
    stage.im.on("/media/config", cap(10));
    let sender = stage.sender();
    let file = stage.bench.file("a.bin", "application/x", b"eleven byte");
    let push = delivery(group(ROOM), Body::File(media()), vec![file]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(stage.im.requests_to("/media/config").len(), 1);

    stage.im.on("/media/config", cap(20));
    stage.bench.clock.advance(Duration::from_secs(3600));
    stage.im.script("/upload", [refused(413, "M_TOO_LARGE"), Answer::json(200, json!({"content_uri": "mxc://a/b"}))]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    assert_eq!(stage.im.requests_to("/media/config").len(), 3);
}
