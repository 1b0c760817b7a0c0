//! Texts and events: what they look like, under which key they go, and what the server's answers mean.

use std::time::Duration;

use super::{ROOM, SEND, homeserver, refused};
use crate::common::deliveries::{NOW, group, media, mixed, next_attempt, text, text_item};
use crate::common::fake_im::{Answer, Refused};
use pushcron::domain::{Item, Outcome, Report, Target};
use pushcron::senders::{self, Probe};
use serde_json::{Value, json};

#[tokio::test]
async fn a_text_goes_to_its_room_under_the_pushs_own_key() {
    let stage = homeserver().await;
    let report = stage.sender().send(&text(group(ROOM), "hi")).await;
    assert_eq!(report, Report::sent(Some("$event".into())).with_status(200));
    let request = stage.im.request(SEND);
    assert_eq!(request.method, "PUT");
    let room = "%21abc%2Fd%3Aim.test";
    assert_eq!(request.path, format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/key-1-0"));
    assert_eq!(request.header("authorization"), Some("Bearer syt_CANARY"));
    assert_eq!(request.json(), json!({"msgtype": "m.text", "body": "hi"}));

    stage.with(&[("notice", "true")]).send(&text(group(ROOM), "psst")).await;
    assert_eq!(stage.sent()[1]["msgtype"], "m.notice");
}

#[tokio::test]
async fn mentions_and_markdown_are_shown_and_named() {
    let stage = homeserver().await;
    let items = vec![
        Item::At { user: "@al:im.test".into() },
        text_item("1 < 2\n"),
        Item::Markdown { text: "*x*".into() },
        Item::AtAll,
    ];
    stage.sender().send(&mixed(group(ROOM), items, vec![])).await;
    let expected = json!({
        "msgtype": "m.text", "body": "@al:im.test 1 < 2\n*x*\n@room",
        "format": "org.matrix.custom.html",
        "formatted_body":
            "<a href=\"https://matrix.to/#/@al:im.test\">@al:im.test</a> 1 &lt; 2<br><p><em>x</em></p>\n@room",
        "m.mentions": {"user_ids": ["@al:im.test"], "room": true},
    });
    assert_eq!(stage.sent(), [expected]);
}

#[tokio::test]
async fn a_retry_goes_on_where_it_stopped_under_the_same_keys_and_uploads_nothing_twice() {
    let stage = homeserver().await;
    stage.im.script(
        SEND,
        [Answer::json(200, json!({"event_id": "$1"})), Answer::Reset, Answer::json(200, json!({"event_id": "$2"}))],
    );
    let items = vec![Item::Image(media()), Item::File(media())];
    let files = vec![stage.bench.file("a.png", "image/png", b"1"), stage.bench.file("b.bin", "application/x", b"22")];
    let first = mixed(group(ROOM), items, files);
    let sender = stage.sender();
    let report = sender.send(&first).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let report = sender.send(&next_attempt(&first, &report)).await;
    assert_eq!((report.outcome, report.message_id.as_deref()), (Outcome::Sent, Some("$1")));
    let keys: Vec<String> =
        stage.im.requests_to(SEND).iter().map(|request| request.path.rsplit('-').next().unwrap().to_owned()).collect();
    assert_eq!(keys, ["0", "1", "1"]);
    assert_eq!(stage.sent()[1], stage.sent()[2], "the repeat has the body of the first try");
    assert_eq!(stage.im.requests_to("/upload").len(), 2);
}

#[tokio::test]
async fn nothing_is_repeated_once_the_server_forgot_the_key() {
    let stage = homeserver().await;
    let sender = stage.sender();
    let mut push = text(group(ROOM), "a");
    let day = Duration::from_secs(24 * 3600);
    push.retry.give_up_after = 2 * day;
    push.expires_at = NOW + 2 * day;
    assert!(sender.is_idempotent(&push, NOW));
    assert!(!sender.is_idempotent(&push, NOW + day));

    stage.im.script(SEND, [Answer::Reset, refused(429, "M_LIMIT_EXCEEDED")]);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let push = next_attempt(&push, &report);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: None });
    stage.bench.clock.advance(day);
    let report = sender.send(&next_attempt(&push, &report)).await;
    assert_eq!(report.outcome, Outcome::Unknown, "the first try may have gone out");
    assert_eq!(stage.im.requests_to(SEND).len(), 2);
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
        let stage = homeserver().await;
        let shown = format!("{answer:?}");
        stage.im.on(SEND, answer);
        let mut push = text(group(ROOM), "a");
        push.timeout = Duration::from_millis(500);
        let report = stage.sender().send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
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
        let stage = homeserver().await;
        stage.im.on(SEND, Answer::json(403, body));
        let report = stage.sender().send(&text(group(ROOM), "a")).await;
        let error = report.error.unwrap();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn health_is_what_whoami_says() {
    let stage = homeserver().await;
    assert_eq!(stage.sender().probe().await, Probe::up());
    stage.im.on("/whoami", refused(401, "M_UNKNOWN_TOKEN"));
    assert_eq!(stage.sender().probe().await, Probe::down("M_UNKNOWN_TOKEN: because"));

    let nobody = Refused::new();
    let sender = stage.with(&[("url", &nobody.url())]);
    assert_eq!(sender.probe().await.online, Some(false));
    let report = sender.send(&text(group(ROOM), "a")).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
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
