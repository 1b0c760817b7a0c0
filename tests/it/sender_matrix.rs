//! The matrix sender against a scripted server: what it asks, and what it makes of every answer (others.md §6). How a
//! real homeserver takes it is seen in `matrix_synapse.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::bench::{delivery, group, outcomes, user};
use crate::common::fake_im::{Answer, FakeIm, Refused};
use crate::common::rig::{Rig, media, opus_of_1001_ms, retry, text, text_item};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pushcron::domain::{Body, Item, Outcome, Report, Target};
use pushcron::senders::{self, Probe, Sender};
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
        im.on("/state/", refused(404, "M_NOT_FOUND"));
        im.on("/join/", Answer::json(200, json!({"room_id": ROOM})));
        World { rig: Rig::new(), im }
    }

    fn sender(&self) -> Box<dyn Sender> {
        self.rig.sender("matrix", &[("url", &self.im.url("/")), ("token", TOKEN)])
    }

    /// The directory says that this alias stands for this room.
    fn alias(&self, alias: &str, room: &str) {
        let answer = json!({"room_id": room, "servers": ["im.test"]});
        self.im.on(&format!("/directory/room/{}", segment(alias)), Answer::json(200, answer));
    }

    /// The room was replaced by an upgrade. Who may write in the old one may go on doing so.
    fn replace(&self, old: &str, new: &str) {
        let tombstone = json!({"body": "This room has been replaced", "replacement_room": new});
        self.im.on(&format!("/rooms/{}/state/m.room.tombstone", segment(old)), Answer::json(200, tombstone));
    }

    /// Only members may look into the room or write in it, and the account becomes one by joining.
    fn closed_until_joined(&self, room: &str) {
        let joined = Arc::new(AtomicBool::new(false));
        let (at_join, room) = (joined.clone(), room.to_owned());
        let answers = [
            ("/send/", Answer::json(200, json!({"event_id": "$event"}))),
            ("/state/m.room.tombstone", refused(404, "M_NOT_FOUND")),
            ("/state/m.room.encryption", refused(404, "M_NOT_FOUND")),
        ];
        for (part, answer) in answers {
            let joined = joined.clone();
            self.im.handle(&format!("/rooms/{}{part}", segment(&room)), move |_| {
                if joined.load(Ordering::SeqCst) { answer.clone() } else { refused(403, "M_FORBIDDEN") }
            });
        }
        self.im.handle(&format!("/join/{}", segment(&room)), move |_| {
            at_join.store(true, Ordering::SeqCst);
            Answer::json(200, json!({"room_id": room}))
        });
    }

    /// Writing in this room is refused, as after an upgrade to those without power.
    fn forbid(&self, room: &str) {
        self.im.on(&format!("/rooms/{}{SEND}", segment(room)), refused(403, "M_FORBIDDEN"));
    }

    /// The rooms that were written to, in order.
    fn written(&self) -> Vec<String> {
        let room = |path: &str| {
            let room = path.split("/rooms/").nth(1).unwrap().split('/').next().unwrap().to_owned();
            percent_encoding::percent_decode_str(&room).decode_utf8().unwrap().into_owned()
        };
        self.im.requests_to(SEND).iter().map(|request| room(&request.path)).collect()
    }

    fn sent(&self) -> Vec<Value> {
        self.im.requests_to(SEND).iter().map(|request| request.json()).collect()
    }
}

fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().replace("%2D", "-").replace("%2E", ".").replace("%5F", "_")
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
    push.expires_at = crate::common::rig::NOW + 2 * day;
    assert!(sender.is_idempotent(&push, crate::common::rig::NOW));
    assert!(!sender.is_idempotent(&push, crate::common::rig::NOW + day));

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
    let told = |wait: Value| Answer::json(429, json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": wait}));
    let limited = || told(json!(4740));
    let rows = vec![
        (limited(), throttled(4740)),
        (limited().header("retry-after", "5"), throttled(5000)),
        (limited().header("retry-after", "Thu, 01 Jan 2026 01:00:07 GMT"), throttled(7000)),
        (limited().header("retry-after", "soon"), throttled(4740)),
        (told(json!(4740.5)), Outcome::Throttled { wait: Some(Duration::from_micros(4_740_500)) }),
        (told(json!("4740")), throttled(4740)),
        (told(json!(" 4740.5 ")), Outcome::Throttled { wait: Some(Duration::from_micros(4_740_500)) }),
        (told(json!(0)), throttled(0)),
        (told(json!(1e300)), throttled(86_400_000)),
        (told(json!(-1)), Outcome::Throttled { wait: None }),
        (told(json!("soon")), Outcome::Throttled { wait: None }),
        (told(json!(null)), Outcome::Throttled { wait: None }),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
        (Answer::json(429, json!({"errcode": "M_UNKNOWN", "retry_after_ms": 4740})), throttled(4740)),
        (refused(401, "M_UNKNOWN_TOKEN"), Outcome::AccountDown),
        (refused(401, "M_MISSING_TOKEN"), Outcome::AccountDown),
        (refused(401, "M_UNAUTHORIZED"), Outcome::AccountDown),
        (refused(401, "M_USER_LOCKED"), Outcome::AccountDown),
        (refused(403, "M_USER_SUSPENDED"), Outcome::AccountDown),
        (refused(403, "M_USER_DEACTIVATED"), Outcome::AccountDown),
        (refused(403, "M_GUEST_ACCESS_FORBIDDEN"), Outcome::AccountDown),
        (refused(403, "ORG_MATRIX_EXPIRED_ACCOUNT"), Outcome::AccountDown),
        (refused(403, "M_CONSENT_NOT_GIVEN"), Outcome::AccountDown),
        (refused(403, "M_RESOURCE_LIMIT_EXCEEDED"), Outcome::AccountDown),
        (refused(400, "M_RESOURCE_LIMIT_EXCEEDED"), Outcome::AccountDown),
        (refused(403, "M_USER_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
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
        (Answer::json(200, json!({"event_id": ""})), Outcome::Unknown),
        (Answer::json(200, json!({"event_id": "$e", "errcode": "M_UNKNOWN", "error": "not stored"})), Outcome::Unknown),
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
        (refused(403, "M_INVITE_BLOCKED"), Outcome::TargetGone),
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

// ---- Rooms that are replaced ----

const OPS: &str = "#ops:im.test";
const OLD: &str = "!old:im.test";
const NEW: &str = "!new:im.test";

#[tokio::test]
async fn an_alias_is_looked_up_again_when_its_room_refuses() {
    for refusal in [refused(403, "M_FORBIDDEN"), refused(404, "M_NOT_FOUND")] {
        let world = World::new().await;
        let sender = world.sender();
        world.alias(OPS, OLD);
        let push = delivery(group(OPS), text("a"), vec![]);
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);

        world.alias(OPS, NEW);
        world.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), refusal);
        world.closed_until_joined(NEW);
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
        assert_eq!(world.written(), [OLD, OLD, NEW, NEW]);
        assert_eq!(world.im.requests_to("/join/").len(), 1);
    }
}

#[tokio::test]
async fn an_alias_that_still_leads_to_the_room_that_refuses_is_asked_for_once_a_push() {
    let world = World::new().await;
    world.alias(OPS, OLD);
    world.forbid(OLD);
    let sender = world.sender();
    for pushes in 1..=3 {
        let report = sender.send(&delivery(group(OPS), text("a"), vec![])).await;
        assert_eq!(report.outcome, Outcome::TargetGone);
        assert_eq!(report.error.as_deref(), Some("M_FORBIDDEN: because"));
        assert_eq!(world.im.requests_to(SEND).len(), pushes);
        assert_eq!(world.im.requests_to("/directory/").len(), 1 + pushes);
    }
    assert_eq!(world.im.requests_to("/join/").len(), 0, "the account is in no room into which nobody put it");
}

#[tokio::test]
async fn a_moved_alias_is_noticed_at_a_reload_and_within_minutes_though_the_old_room_still_takes_everything() {
    let world = World::new().await;
    let sender = world.sender();
    let push = delivery(group(OPS), text("a"), vec![]);
    let rooms = ["!1:im.test", "!2:im.test", "!3:im.test"];
    world.alias(OPS, rooms[0]);
    sender.send(&push).await;
    sender.send(&push).await;
    assert_eq!(world.im.requests_to("/directory/").len(), 1, "not for every push");
    world.alias(OPS, rooms[1]);
    sender.reloaded();
    sender.send(&push).await;
    world.alias(OPS, rooms[2]);
    world.rig.clock().advance(Duration::from_secs(300));
    sender.send(&push).await;
    assert_eq!(world.written(), [rooms[0], rooms[0], rooms[1], rooms[2]]);
}

#[tokio::test]
async fn a_replaced_room_is_followed_to_its_last_replacement_though_the_old_one_still_takes_everything() {
    let world = World::new().await;
    world.replace(OLD, "!mid:im.test");
    world.replace("!mid:im.test", NEW);
    world.closed_until_joined(NEW);
    let sender = world.sender();
    for _ in 0..2 {
        let report = sender.send(&delivery(group(OLD), text("a"), vec![])).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        assert_eq!(report.note.as_deref(), Some("the room was replaced by !new:im.test"));
    }
    assert_eq!(world.written(), [NEW, NEW]);
    assert_eq!(world.im.requests_to("/join/").len(), 1);
    assert_eq!(world.im.request("/join/").query["via"], "im.test");
}

#[tokio::test]
async fn a_room_that_was_replaced_but_lets_nobody_in_is_named() {
    let world = World::new().await;
    world.replace(OLD, NEW);
    world.closed_until_joined(NEW);
    world.im.on("/join/", refused(403, "M_FORBIDDEN"));
    world.im.on(&format!("/join/{}", segment(NEW)), refused(403, "M_FORBIDDEN"));
    let report = world.sender().send(&delivery(group(OLD), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::TargetGone);
    let error = report.error.unwrap();
    for word in [OLD, NEW, "replaced", "invite", "M_FORBIDDEN: because"] {
        assert!(error.contains(word), "{word} in {error}");
    }
    assert_eq!(world.written().len(), 0);
}

#[tokio::test]
async fn a_replacement_that_everybody_may_read_is_joined_all_the_same() {
    let world = World::new().await;
    world.replace(OLD, NEW);
    world.closed_until_joined(NEW);
    // What a world-readable room tells those who are not in it.
    for state in ["tombstone", "encryption"] {
        world.im.on(&format!("/rooms/{}/state/m.room.{state}", segment(NEW)), refused(404, "M_NOT_FOUND"));
    }
    let report = world.sender().send(&delivery(group(OLD), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.written(), [NEW]);
}

#[tokio::test]
async fn rooms_that_replace_each_other_end_the_search() {
    let world = World::new().await;
    world.replace(OLD, NEW);
    world.replace(NEW, OLD);
    let report = world.sender().send(&delivery(group(OLD), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::TargetGone);
    assert!(world.im.requests_to("m.room.tombstone").len() <= 10);

    // A tombstone that was taken back names no room.
    let world = World::new().await;
    world.im.on("/state/m.room.tombstone", Answer::json(200, json!({})));
    assert_eq!(world.sender().send(&delivery(group(OLD), text("a"), vec![])).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_server_that_does_not_tell_about_its_rooms_is_simply_tried() {
    let rows = vec![
        (refused(404, "M_UNRECOGNIZED"), Outcome::Sent),
        (refused(403, "M_FORBIDDEN"), Outcome::Sent),
        (Answer::status(403), Outcome::Sent),
        (Answer::status(405), Outcome::Sent),
        (Answer::Reset, Outcome::Unreachable),
        (refused(500, "M_UNKNOWN"), Outcome::Unreachable),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
        (refused(401, "M_UNKNOWN_TOKEN"), Outcome::AccountDown),
    ];
    for (answer, expected) in rows {
        let world = World::new().await;
        let shown = format!("{answer:?}");
        world.im.on("/state/", answer);
        let report = world.sender().send(&delivery(group(OLD), text("a"), vec![])).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert_eq!(world.written().len(), usize::from(expected == Outcome::Sent));
    }
}

/// Under which circumstances the second try of a push, whose first may have arrived in the old room, is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Second {
    /// By the same process.
    Later,
    /// By the same process, after the definitions were read anew.
    AfterReload,
    /// By another process, which finds an attempt without a result.
    AfterKill,
}

#[tokio::test]
async fn what_may_have_arrived_in_the_old_room_goes_to_the_new_one_only_if_the_job_says_so() {
    for target in [OPS, OLD] {
        for second in [Second::Later, Second::AfterReload, Second::AfterKill] {
            for resend_unknown in [false, true] {
                let case = format!("{target} {second:?} {resend_unknown}");
                let world = World::new().await;
                world.alias(OPS, OLD);
                let sender = world.sender();
                // The room is known before the push is made.
                sender.send(&delivery(group(target), text("earlier"), vec![])).await;
                world.rig.clock().advance(Duration::from_secs(1));
                world.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), Answer::Reset);
                let mut push = delivery(group(target), text("a"), vec![]);
                push.made_at = push.made_at + Duration::from_secs(1);
                push.retry.resend_unknown = resend_unknown;
                let report = sender.send(&push).await;
                assert_eq!(report.outcome, Outcome::Unknown, "{case}");

                world.rig.clock().advance(Duration::from_secs(5));
                world.alias(OPS, NEW);
                world.replace(OLD, NEW);
                world.forbid(OLD);
                world.closed_until_joined(NEW);
                let mut again = retry(push, &report);
                let sender = match second {
                    Second::Later => sender,
                    Second::AfterReload => {
                        sender.reloaded();
                        sender
                    }
                    Second::AfterKill => {
                        again.parts.clear();
                        world.sender()
                    }
                };
                let report = sender.send(&again).await;
                let in_the_new_room = world.written().iter().filter(|room| *room == NEW).count();
                if resend_unknown {
                    assert_eq!((report.outcome, in_the_new_room), (Outcome::Sent, 1), "{case}");
                    continue;
                }
                assert_eq!((&report.outcome, in_the_new_room), (&Outcome::TargetGone, 0), "{case}: {report:?}");
                assert_eq!(outcomes(&report), ["unknown"], "{case}: what the first try did is not known");
                let error = report.error.unwrap();
                assert!(error.contains(OLD) && error.contains(NEW) && error.contains("resend_unknown"), "{error}");
                // A push that was never tried before goes where the room is now.
                let mut next = delivery(group(target), text("b"), vec![]);
                next.key = "key-2".to_owned();
                let report = sender.send(&next).await;
                assert_eq!(report.outcome, Outcome::Sent, "{case}: {report:?}");
                assert_eq!(world.written().last().unwrap(), NEW, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_repeat_in_the_room_of_its_first_try_is_made_also_long_after_a_replacement_and_over_restarts() {
    let world = World::new().await;
    world.alias(OPS, OLD);
    world.sender().send(&delivery(group(OPS), text("a"), vec![])).await;
    world.alias(OPS, NEW);
    world.sender().send(&delivery(group(OPS), text("b"), vec![])).await;

    world.rig.clock().advance(Duration::from_secs(600));
    world.im.on(&format!("/rooms/{}{SEND}", segment(NEW)), Answer::Reset);
    let mut push = delivery(group(OPS), text("c"), vec![]);
    push.made_at = push.made_at + Duration::from_secs(600);
    let report = world.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    world.im.on(&format!("/rooms/{}{SEND}", segment(NEW)), Answer::json(200, json!({"event_id": "$c"})));
    let report = world.sender().send(&retry(push, &report)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.written(), [OLD, NEW, NEW, NEW]);
}

#[tokio::test]
async fn a_slow_look_up_of_one_alias_holds_up_no_other() {
    let world = World::new().await;
    world.alias(OPS, NEW);
    world.im.on(&format!("/directory/room/{}", segment("#slow:far.test")), Answer::Silence);
    let sender: Arc<dyn Sender> = world.sender().into();
    let hanging = sender.clone();
    let slow =
        tokio::spawn(async move { hanging.send(&delivery(group("#slow:far.test"), text("a"), vec![])).await.outcome });
    world.im.wait_for_requests(1).await;
    let report = sender.send(&delivery(group(OPS), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::Sent);
    assert!(!slow.is_finished(), "the other look-up still hangs");
    slow.abort();
}

#[tokio::test]
async fn a_message_in_an_encrypted_room_is_said_to_be_unencrypted() {
    let world = World::new().await;
    let algorithm = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    world.im.on(&format!("/rooms/{}/state/m.room.encryption", segment(OLD)), Answer::json(200, algorithm));
    let sender = world.sender();
    let report = sender.send(&delivery(group(OLD), text("a"), vec![])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("unencrypted in an encrypted room")));
    let report = sender.send(&delivery(group(NEW), text("a"), vec![])).await;
    assert_eq!((report.outcome, report.note), (Outcome::Sent, None));

    // Servers may encrypt whatever room is made.
    world.with_direct_rooms(&[]);
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": OLD})));
    let report = sender.send(&delivery(user(AL), text("a"), vec![])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("unencrypted in an encrypted room")));
}

// ---- Direct rooms ----

const AL: &str = "@al:im.test";

impl World {
    /// Both are in the room, or only we.
    fn members(&self, room: &str, users: &[&str]) {
        let joined: serde_json::Map<String, Value> = users.iter().map(|user| ((*user).to_owned(), json!({}))).collect();
        let answer = Answer::json(200, json!({"joined": joined}));
        self.im.on(&format!("/rooms/{}/joined_members", segment(room)), answer);
    }

    fn with_direct_rooms(&self, rooms: &[&str]) {
        self.im.on("/account_data/m.direct", Answer::json(200, json!({AL: rooms})));
    }
}

#[tokio::test]
async fn a_direct_room_that_was_replaced_is_followed() {
    let world = World::new().await;
    world.with_direct_rooms(&[OLD]);
    world.members(OLD, &["@bot:im.test", AL]);
    let sender = world.sender();
    let push = delivery(user(AL), text("a"), vec![]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);

    // The old room still has both as members.
    world.replace(OLD, NEW);
    world.closed_until_joined(NEW);
    world.members(NEW, &["@bot:im.test", AL]);
    world.forbid(OLD);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.written(), [OLD, OLD, NEW]);

    // Another process looks before it writes.
    let report = world.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.written()[3..], [NEW]);
    assert_eq!(world.im.requests_to("/createRoom").len(), 0);
}

#[tokio::test]
async fn a_direct_room_of_which_we_are_no_member_is_given_up_for_another() {
    let world = World::new().await;
    world.with_direct_rooms(&[OLD]);
    world.members(OLD, &["@bot:im.test", AL]);
    let sender = world.sender();
    let push = delivery(user(AL), text("a"), vec![]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);

    world.im.on(&format!("/rooms/{}/joined_members", segment(OLD)), refused(403, "M_FORBIDDEN"));
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    world.members(NEW, &["@bot:im.test", AL]);
    for _ in 0..2 {
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    }
    assert_eq!(world.written(), [OLD, NEW, NEW]);
    assert_eq!(world.im.requests_to("/createRoom").len(), 1);
}

#[tokio::test]
async fn a_listed_direct_room_into_which_the_person_cannot_be_asked_is_passed_over() {
    let world = World::new().await;
    world.with_direct_rooms(&[NEW, OLD]);
    world.members(OLD, &["@bot:im.test"]);
    world.members(NEW, &["@bot:im.test", AL]);
    world.im.on(&format!("/rooms/{}/invite", segment(OLD)), refused(403, "M_FORBIDDEN"));
    let report = world.sender().send(&delivery(user(AL), text("a"), vec![])).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.written(), [NEW]);
}

#[tokio::test]
async fn a_person_who_cannot_be_asked_in_again_gets_no_room_a_push() {
    let world = World::new().await;
    world.with_direct_rooms(&[]);
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    world.members(NEW, &["@bot:im.test"]);
    world.im.on("/invite", refused(403, "M_FORBIDDEN"));
    let sender = world.sender();
    let push = delivery(user(AL), text("a"), vec![]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    for _ in 0..3 {
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::TargetGone, "{report:?}");
    }
    assert_eq!(world.im.requests_to("/createRoom").len(), 1);
}

#[tokio::test]
async fn a_list_of_direct_rooms_of_any_shape_and_length_harms_nobody() {
    let long: serde_json::Map<String, Value> =
        (0..2000).map(|at| (format!("@user-{at}:im.test"), json!([format!("!room-{at}:im.test")]))).collect();
    let rows = [json!([]), json!("x"), json!(null), json!({AL: "x"}), json!({AL: [1, null]}), Value::Object(long)];
    for list in rows {
        let world = World::new().await;
        let shown: String = list.to_string().chars().take(40).collect();
        world.im.on("/account_data/m.direct", Answer::json(200, list));
        world.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
        let report = world.sender().send(&delivery(user(AL), text("a"), vec![])).await;
        assert_eq!(report.outcome, Outcome::Sent, "{shown}: {report:?}");
    }

    let world = World::new().await;
    let rooms: Vec<String> = (0..500).map(|at| format!("!left-{at}:im.test")).collect();
    world.with_direct_rooms(&rooms.iter().map(String::as_str).collect::<Vec<_>>());
    world.im.on("/joined_members", refused(403, "M_FORBIDDEN"));
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    assert_eq!(world.sender().send(&delivery(user(AL), text("a"), vec![])).await.outcome, Outcome::Sent);
    assert!(world.im.requests_to("/joined_members").len() <= 10, "the last few are looked at");
}

#[tokio::test]
async fn what_may_have_arrived_in_one_direct_room_is_not_sent_to_another() {
    let world = World::new().await;
    world.with_direct_rooms(&[OLD]);
    world.members(OLD, &["@bot:im.test", AL]);
    world.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), Answer::Reset);
    let sender = world.sender();
    let push = delivery(user(AL), text("a"), vec![]);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);

    world.rig.clock().advance(Duration::from_secs(5));
    world.im.on(&format!("/rooms/{}/joined_members", segment(OLD)), refused(403, "M_FORBIDDEN"));
    world.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    let report = sender.send(&retry(push, &report)).await;
    assert_eq!((&report.outcome, outcomes(&report)), (&Outcome::TargetGone, vec!["unknown"]), "{report:?}");
    assert_eq!(world.written(), [OLD]);
}

// ---- What is remembered ----

#[tokio::test]
async fn the_servers_cap_is_asked_for_again_after_an_hour_and_after_a_refusal() {
    let world = World::new().await;
    let cap = |bytes: u64| Answer::json(200, json!({"m.upload.size": bytes}));
    world.im.on("/media/config", cap(10));
    let sender = world.sender();
    let file = world.rig.file("a.bin", "application/x", b"eleven byte");
    let push = delivery(group(ROOM), Body::File(media(None)), vec![file]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(world.im.requests_to("/media/config").len(), 1);

    world.im.on("/media/config", cap(20));
    world.rig.clock().advance(Duration::from_secs(3600));
    world.im.script("/upload", [refused(413, "M_TOO_LARGE"), Answer::json(200, json!({"content_uri": "mxc://a/b"}))]);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Rejected);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    assert_eq!(world.im.requests_to("/media/config").len(), 3);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let rows = [
        (json!({"errcode": "M_UNKNOWN_TOKEN", "error": "gone", "soft_logout": true}), "same device"),
        (
            json!({"errcode": "M_CONSENT_NOT_GIVEN", "error": "agree", "consent_uri": "https://im.test/terms"}),
            "https://im.test/terms",
        ),
        (
            json!({"errcode": "M_RESOURCE_LIMIT_EXCEEDED", "error": "full", "admin_contact": "mailto:a@im.test"}),
            "mailto:a@im.test",
        ),
    ];
    for (body, word) in rows {
        let world = World::new().await;
        world.im.on(SEND, Answer::json(403, body));
        let report = world.sender().send(&delivery(group(ROOM), text("a"), vec![])).await;
        let error = report.error.unwrap();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_target_without_the_sign_of_matrix_is_none() {
    let judge = senders::find("matrix").unwrap().spec.target;
    for id in ["!room:im.test", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "#ops:im.test"] {
        assert_eq!(judge(&Target::Group(id.to_owned())), Ok(()));
    }
    assert_eq!(judge(&Target::User("@alice:im.test".to_owned())), Ok(()));
    for id in ["ops", "#ops", "@alice:im.test", "https://matrix.to/#/@alice:im.test"] {
        let told = judge(&Target::Group(id.to_owned())).unwrap_err().told("'it'");
        let said = "'it' is no room of Matrix: expected a room's id (!…) or its alias such as #name:example.org";
        assert_eq!(told, said, "{id}");
    }
    for id in ["alice", "@alice", "!room:im.test"] {
        assert!(judge(&Target::User(id.to_owned())).is_err(), "{id}");
    }
    let linked = |target: Target| judge(&target).unwrap_err().meant;
    let room = linked(Target::Group("https://matrix.to/#/!room:im.test?via=im.test".to_owned()));
    assert_eq!(room.as_deref(), Some("!room:im.test"));
    let user = linked(Target::User("https://matrix.to/#/@alice:im.test".to_owned()));
    assert_eq!(user.as_deref(), Some("@alice:im.test"));
}
