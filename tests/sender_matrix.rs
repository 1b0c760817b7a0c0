//! The matrix sender against a scripted server: what it asks, and what it makes of every answer (others.md §6). How a
//! real homeserver takes it is seen in `matrix_synapse.rs`.

mod common;

use std::time::Duration;

use common::bench::{delivery, group, user};
use common::fake_im::{Answer, FakeIm, Refused};
use common::rig::{Rig, media, opus_of_1001_ms, retry, text, text_item};
use pushcron::domain::{Body, Item, Outcome, Report};
use pushcron::senders::{Probe, Sender};
use serde_json::{Value, json};

const TOKEN: &str = "syt_CANARY";
const ROOM: &str = "!abc/d:im.test";
const SEND: &str = "/send/m.room.message/";

struct World {
    rig: Rig,
    im: FakeIm,
}

impl World {
    async fn new() -> World {
        let im = FakeIm::start().await;
        im.on(SEND, Answer::json(200, json!({"event_id": "$event"})));
        im.on("/upload", Answer::json(200, json!({"content_uri": "mxc://im.test/abc"})));
        im.on("/media/config", Answer::json(200, json!({"m.upload.size": 50_000_000})));
        im.on("/whoami", Answer::json(200, json!({"user_id": "@bot:im.test"})));
        World { rig: Rig::new(), im }
    }

    fn sender(&self) -> Box<dyn Sender> {
        self.rig.sender("matrix", &[("url", &self.im.url("/")), ("token", TOKEN)])
    }

    fn sent(&self) -> Vec<Value> {
        self.im.requests_to(SEND).iter().map(|request| request.json()).collect()
    }
}

fn refused(status: u16, errcode: &str) -> Answer {
    Answer::json(status, json!({"errcode": errcode, "error": "because"}))
}

#[tokio::test]
async fn a_text_goes_to_its_room_under_the_pushs_own_key() {
    let world = World::new().await;
    let report = world.sender().send(&delivery(group(ROOM), text("hi"), vec![])).await;
    assert_eq!(report, Report::sent(Some("$event".into())).with_status(200));
    let request = world.im.request(SEND);
    assert_eq!(request.method, "PUT");
    let room = "%21abc%2Fd%3Aim.test";
    assert_eq!(request.path, format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/key-1-0"));
    assert_eq!(request.header("authorization"), Some("Bearer syt_CANARY"));
    assert_eq!(request.json(), json!({"msgtype": "m.text", "body": "hi"}));

    let url = world.im.url("");
    let notice = world.rig.sender("matrix", &[("url", &url), ("token", TOKEN), ("notice", "true")]);
    notice.send(&delivery(group(ROOM), text("psst"), vec![])).await;
    assert_eq!(world.sent()[1]["msgtype"], "m.notice");
}

#[tokio::test]
async fn media_are_uploaded_first_and_named_in_the_event() {
    let rows = [
        (Body::Image(media(None)), "图.png", "image/png", "m.image"),
        (Body::Voice(media(None)), "a.amr", "audio/amr", "m.audio"),
        (Body::Video(media(None)), "a.mp4", "video/mp4", "m.video"),
        (Body::File(media(None)), "a b&c.pdf", "application/pdf", "m.file"),
    ];
    for (body, name, mime_type, msgtype) in rows {
        let world = World::new().await;
        let file = world.rig.file(name, mime_type, b"content");
        let report = world.sender().send(&delivery(group(ROOM), body, vec![file])).await;
        assert_eq!((report.outcome, report.note), (Outcome::Sent, None));
        let upload = world.im.request("/_matrix/media/v3/upload");
        assert_eq!((upload.query["filename"].as_str(), upload.header("content-type")), (name, Some(mime_type)));
        assert_eq!((upload.text().as_str(), upload.header("content-length")), ("content", Some("7")));
        let expected = json!({
            "msgtype": msgtype, "body": name, "url": "mxc://im.test/abc",
            "info": {"mimetype": mime_type, "size": 7},
        });
        assert_eq!(world.sent(), [expected]);
    }
}

#[tokio::test]
async fn a_voice_tells_how_long_it_plays() {
    let world = World::new().await;
    let voice = world.rig.file("a.ogg", "audio/ogg", &opus_of_1001_ms());
    world.sender().send(&delivery(group(ROOM), Body::Voice(media(None)), vec![voice])).await;
    assert_eq!(world.sent()[0]["info"]["duration"], 1001);
}

#[tokio::test]
async fn a_retry_goes_on_where_it_stopped_under_the_same_keys_and_uploads_nothing_twice() {
    let world = World::new().await;
    world.im.script(
        SEND,
        [Answer::json(200, json!({"event_id": "$1"})), Answer::Reset, Answer::json(200, json!({"event_id": "$2"}))],
    );
    let items = vec![Item::Image(media(None)), Item::File(media(None))];
    let files = vec![world.rig.file("a.png", "image/png", b"1"), world.rig.file("b.bin", "application/x", b"22")];
    let first = delivery(group(ROOM), Body::Mixed { items }, files);
    let sender = world.sender();
    let report = sender.send(&first).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let report = sender.send(&retry(first, &report)).await;
    assert_eq!((report.outcome, report.message_id.as_deref()), (Outcome::Sent, Some("$1")));
    let keys: Vec<String> =
        world.im.requests_to(SEND).iter().map(|request| request.path.rsplit('-').next().unwrap().to_owned()).collect();
    assert_eq!(keys, ["0", "1", "1"]);
    assert_eq!(world.sent()[1], world.sent()[2], "the repeat has the body of the first try");
    assert_eq!(world.im.requests_to("/upload").len(), 2);
}

#[tokio::test]
async fn an_upload_is_used_again_for_an_hour() {
    let world = World::new().await;
    let sender = world.sender();
    let file = world.rig.file("a.png", "image/png", b"1");
    let push = delivery(group(ROOM), Body::Image(media(None)), vec![file]);
    sender.send(&push).await;
    sender.send(&push).await;
    assert_eq!(world.im.requests_to("/upload").len(), 1);
    world.rig.clock().advance(Duration::from_secs(3600));
    sender.send(&push).await;
    assert_eq!(world.im.requests_to("/upload").len(), 2);
}

#[tokio::test]
async fn nothing_is_repeated_once_the_server_forgot_the_key() {
    let world = World::new().await;
    let sender = world.sender();
    let mut push = delivery(group(ROOM), text("a"), vec![]);
    let day = Duration::from_secs(24 * 3600);
    push.retry.give_up_after = 2 * day;
    push.expires_at = common::rig::NOW + 2 * day;
    assert!(sender.is_idempotent(&push, common::rig::NOW));
    assert!(!sender.is_idempotent(&push, common::rig::NOW + day));

    world.im.script(SEND, [Answer::Reset, refused(429, "M_LIMIT_EXCEEDED")]);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let push = retry(push, &report);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: None });
    world.rig.clock().advance(day);
    let report = sender.send(&retry(push, &report)).await;
    assert_eq!(report.outcome, Outcome::Unknown, "the first try may have gone out");
    assert_eq!(world.im.requests_to(SEND).len(), 2);
}

#[tokio::test]
async fn mentions_and_markdown_are_shown_and_named() {
    let world = World::new().await;
    let items = vec![
        Item::At { user: "@al:im.test".into() },
        text_item("1 < 2\n"),
        Item::Markdown { text: "*x*".into() },
        Item::AtAll,
    ];
    world.sender().send(&delivery(group(ROOM), Body::Mixed { items }, vec![])).await;
    let expected = json!({
        "msgtype": "m.text", "body": "@al:im.test 1 < 2\n*x*\n@room",
        "format": "org.matrix.custom.html",
        "formatted_body":
            "<a href=\"https://matrix.to/#/@al:im.test\">@al:im.test</a> 1 &lt; 2<br><p><em>x</em></p>\n@room",
        "m.mentions": {"user_ids": ["@al:im.test"], "room": true},
    });
    assert_eq!(world.sent(), [expected]);
}

/// The error table of others.md §6 and §0.1, met at the send itself.
#[tokio::test]
async fn every_failure_of_the_sheet_has_its_outcome() {
    let throttled = |ms| Outcome::Throttled { wait: Some(Duration::from_millis(ms)) };
    let limited = || Answer::json(429, json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 4740}));
    let rows = vec![
        (limited(), throttled(4740)),
        (limited().header("retry-after", "5"), throttled(5000)),
        (refused(401, "M_UNKNOWN_TOKEN"), Outcome::AccountDown),
        (refused(401, "M_MISSING_TOKEN"), Outcome::AccountDown),
        (refused(403, "M_USER_SUSPENDED"), Outcome::AccountDown),
        (refused(403, "M_FORBIDDEN"), Outcome::TargetGone),
        (refused(400, "M_NOT_JSON"), Outcome::Rejected),
        (refused(400, "M_BAD_JSON"), Outcome::Rejected),
        (refused(404, "M_NOT_FOUND"), Outcome::TargetGone),
        (refused(404, "M_UNRECOGNIZED"), Outcome::Rejected),
        (refused(413, "M_TOO_LARGE"), Outcome::Rejected),
        (Answer::status(413), Outcome::Rejected),
        (refused(500, "M_UNKNOWN"), Outcome::Unknown),
        (Answer::text(502, "<html>bad gateway"), Outcome::Unknown),
        (Answer::status(503).header("retry-after", "3"), throttled(3000)),
        (Answer::status(301), Outcome::Rejected),
        (Answer::text(200, "not json"), Outcome::Unknown),
        (Answer::json(200, json!({})), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
        (Answer::ResetInBody { status: 200 }, Outcome::Unknown),
        (Answer::Silence, Outcome::Unknown),
    ];
    for (answer, expected) in rows {
        let world = World::new().await;
        let shown = format!("{answer:?}");
        world.im.on(SEND, answer);
        let mut push = delivery(group(ROOM), text("a"), vec![]);
        push.timeout = Duration::from_millis(500);
        let report = world.sender().send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
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
        let world = World::new().await;
        let shown = format!("{answer:?}");
        world.im.on("/upload", answer);
        let file = world.rig.file("a.png", "image/png", b"1");
        let mut push = delivery(group(ROOM), Body::Image(media(None)), vec![file]);
        push.timeout = Duration::from_millis(500);
        let report = world.sender().send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert_eq!(world.im.requests_to(SEND).len(), 0);
    }
}

#[tokio::test]
async fn a_file_over_the_servers_cap_is_not_even_uploaded() {
    let world = World::new().await;
    world.im.on("/media/config", Answer::json(200, json!({"m.upload.size": 10})));
    let file = world.rig.file("a.bin", "application/x", b"eleven byte");
    let push = delivery(group(ROOM), Body::File(media(None)), vec![file]);
    let report = world.sender().send(&push).await;
    assert_eq!(report.error.as_deref(), Some("'a.bin' has 11 bytes, the server takes 10"));
    assert_eq!(world.im.requests_to("/upload").len(), 0);

    // A server that does not tell is simply tried.
    world.im.on("/media/config", refused(404, "M_UNRECOGNIZED"));
    assert_eq!(world.sender().send(&push).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_new_direct_room_is_opened_once_listed_and_remembered() {
    let world = World::new().await;
    world.im.on("/account_data/m.direct", refused(404, "M_NOT_FOUND"));
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": "!new:im.test"})));
    world.im.on("/joined_members", Answer::json(200, json!({"joined": {"@bot:im.test": {}, "@al:im.test": {}}})));
    let push = delivery(user("@al:im.test"), text("a"), vec![]);
    let sender = world.sender();
    let (one, two) = tokio::join!(sender.send(&push), sender.send(&push));
    assert_eq!((one.outcome, two.outcome), (Outcome::Sent, Outcome::Sent));
    let report = world.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");

    let created = world.im.request("/createRoom").json();
    assert_eq!((&created["is_direct"], &created["invite"]), (&json!(true), &json!(["@al:im.test"])));
    let listed = world.im.requests_to("/account_data/m.direct").into_iter().filter(|request| request.method == "PUT");
    assert_eq!(listed.map(|request| request.json()).collect::<Vec<_>>(), [json!({"@al:im.test": ["!new:im.test"]})]);
    for request in world.im.requests_to(SEND) {
        assert!(request.path.contains("/rooms/%21new%3Aim.test/"), "{}", request.path);
    }
}

#[tokio::test]
async fn a_direct_room_that_cannot_be_opened_leaves_no_doubt() {
    let rows = vec![
        (Answer::Reset, Outcome::Unreachable),
        (refused(403, "M_FORBIDDEN"), Outcome::TargetGone),
        (refused(400, "M_INVALID_PARAM"), Outcome::Rejected),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
    ];
    for (answer, expected) in rows {
        let world = World::new().await;
        world.im.on("/account_data/m.direct", refused(404, "M_NOT_FOUND"));
        world.im.on("/createRoom", answer);
        let report = world.sender().send(&delivery(user("@al:im.test"), text("a"), vec![])).await;
        assert_eq!(report.outcome, expected);
        assert_eq!(world.im.requests_to(SEND).len(), 0);
    }
}

#[tokio::test]
async fn health_is_what_whoami_says() {
    let world = World::new().await;
    assert_eq!(world.sender().probe().await, Probe::up());
    world.im.on("/whoami", refused(401, "M_UNKNOWN_TOKEN"));
    assert_eq!(world.sender().probe().await, Probe::down("M_UNKNOWN_TOKEN: because"));

    let nobody = Refused::new();
    let sender = world.rig.sender("matrix", &[("url", &nobody.url()), ("token", TOKEN)]);
    assert_eq!(sender.probe().await.online, Some(false));
    let report = sender.send(&delivery(group(ROOM), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
}
