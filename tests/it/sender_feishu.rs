//! Both feishu senders against a scripted server: what they ask, and what they make of every answer (others.md §2).

use std::time::Duration;

use crate::common::deliveries::{
    NOW, captioned, delivery, group, media, mixed, next_attempt, online, opus_of_1001_ms, text, text_item, user,
};
use crate::common::fake_im::{Answer, Refused};
use crate::common::form::form;
use crate::common::senders::{Bench, Stage};
use pushcron::domain::{Body, Delivery, Item, MediaFile, Message, Outcome, Report, Target};
use pushcron::senders::Probe;
use serde_json::{Value, json};

const HOOK: &str = "/open-apis/bot/v2/hook/CANARY-HOOK";
const SEND: &str = "/im/v1/messages";
const TOKEN: &str = "/tenant_access_token/internal";

async fn app() -> Stage {
    Stage::of("feishu_app").await
}

async fn robot() -> Stage {
    Stage::of("feishu_robot").await
}

impl Stage {
    /// `msg_type` and content of each message that the app sent.
    fn contents(&self) -> Vec<(String, Value)> {
        let message = |body: Value| {
            let content = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
            (body["msg_type"].as_str().unwrap().to_owned(), content)
        };
        self.sent().into_iter().map(message).collect()
    }
}

#[tokio::test]
async fn a_token_answer_that_cannot_be_read_is_not_quoted() {
    for answer in [
        Answer::json(200, json!({"tenant_access_token": "t-CANARY", "expire": 7200})),
        Answer::text(200, r#"{"tenant_access_token": "t-CANARY", "exp"#),
        Answer::json(500, json!({"tenant_access_token": "t-CANARY"})),
    ] {
        let stage = app().await;
        let shown = format!("{answer:?}");
        stage.im.on(TOKEN, answer);
        let report = stage.sender().send(&text(group("oc_1"), "hi")).await;
        let error = report.error.unwrap();
        assert!(error.contains("cannot be read") && !error.contains("CANARY"), "{shown}: {error}");
        assert_eq!(report.outcome, Outcome::Unreachable, "{shown}");
    }
}

fn token(text: &str) -> Answer {
    Answer::json(200, json!({"code": 0, "tenant_access_token": text, "expire": 7200}))
}

fn refused(status: u16, code: i64, msg: &str) -> Answer {
    Answer::json(status, json!({"code": code, "msg": msg}))
}

fn room() -> Target {
    group("oc_1")
}

fn titled(mut push: Delivery, title: &str) -> Delivery {
    push.message = Message { title: Some(title.into()), ..push.message };
    push
}

// ---- The custom bot ----

#[tokio::test]
async fn a_bots_text_is_signed_with_the_seconds_of_its_clock() {
    let stage = robot().await;
    let report = stage.with(&[("secret", "demo")]).send(&text(room(), "hi")).await;
    assert_eq!(report, Report::sent(None).with_status(200));
    let sent = stage.im.request(HOOK).json();
    assert_eq!(sent["content"], json!({"text": "hi"}));
    assert_eq!(sent["timestamp"], json!((NOW.0 / 1000).to_string()));
    assert_eq!(sent["sign"].as_str().map(str::len), Some(44));

    stage.sender().send(&text(room(), "unsigned")).await;
    assert_eq!(stage.im.requests()[1].json(), json!({"msg_type": "text", "content": {"text": "unsigned"}}));
}

#[tokio::test]
async fn a_bots_mixed_message_is_one_post_in_reading_order() {
    let stage = robot().await;
    let items = vec![
        text_item("first\nsecond"),
        Item::At { user: "ou_1".into() },
        Item::Image(captioned("the picture")),
        Item::Markdown { text: "**m**".into() },
        Item::AtAll,
    ];
    let image = online(stage.bench.file("a.png", "image/png", b"x"), "https://a.test/a.png");
    let push = titled(mixed(room(), items, vec![image]), "Report");
    let report = stage.sender().send(&push).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("image as link, markdown as text")));
    let t = |text: &str| json!({"tag": "text", "text": text});
    let expected = json!({"title": "Report", "content": [
        [t("first")],
        [t("second"), t(" "), {"tag": "at", "user_id": "ou_1"}],
        [{"tag": "a", "text": "a.png", "href": "https://a.test/a.png"}],
        [t("the picture")],
        [t("**m**")],
        [{"tag": "at", "user_id": "all"}],
    ]});
    assert_eq!(stage.im.request(HOOK).json(), json!({"msg_type": "post", "content": {"post": {"zh_cn": expected}}}));
}

#[tokio::test]
async fn a_bots_media_go_as_links_or_not_at_all() {
    let stage = robot().await;
    let rows = [
        (Body::Image(media()), "image as link"),
        (Body::Voice(media()), "voice as link"),
        (Body::Video(media()), "video as link"),
        (Body::File(media()), "file as link"),
    ];
    for (body, note) in rows {
        let file = stage.bench.file("a.bin", "application/x", b"x");
        let push = delivery(room(), body.clone(), vec![online(file.clone(), "https://a.test/x")]);
        let report = stage.sender().send(&push).await;
        assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some(note)));

        let before = stage.im.requests().len();
        let report = stage.sender().send(&delivery(room(), body, vec![file])).await;
        assert_eq!(report.outcome, Outcome::Rejected);
        assert!(report.error.unwrap().contains("media 1 ('a.bin')"));
        assert_eq!(stage.im.requests().len(), before, "nothing is sent of a message that cannot be sent whole");
    }
}

#[tokio::test]
async fn a_bot_with_an_app_shows_pictures() {
    let stage = robot().await;
    let robot = stage.with(&[("app_id", "cli_1"), ("app_secret", "CANARY-SECRET")]);
    let image = stage.bench.file("a.png", "image/png", b"x");
    let report = robot.send(&delivery(room(), Body::Image(media()), vec![image.clone()])).await;
    assert_eq!((report.outcome, report.note), (Outcome::Sent, None));
    assert_eq!(stage.im.request(HOOK).json(), json!({"msg_type": "image", "content": {"image_key": "img_1"}}));

    let push = delivery(room(), Body::Image(captioned("cap")), vec![image]);
    robot.send(&push).await;
    let post = &stage.im.requests_to(HOOK)[1].json()["content"]["post"]["zh_cn"]["content"];
    assert_eq!(post, &json!([[{"tag": "img", "image_key": "img_1"}], [{"tag": "text", "text": "cap"}]]));

    let Err(error) = stage.try_with(&[("app_id", "cli_1")]) else { panic!("half an app was taken") };
    assert!(error.to_string().contains("belong together"));
}

#[tokio::test]
async fn no_request_of_a_bot_is_over_20_kb() {
    let lines = "\"quoted\" 早上好\n".repeat(3000);
    let mixed = Body::Mixed { items: vec![text_item(&lines), Item::Markdown { text: "x".repeat(50_000) }] };
    for push in [text(room(), &lines), titled(delivery(room(), mixed, vec![]), "t")] {
        let stage = robot().await;
        let report = stage.with(&[("secret", "demo")]).send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent);
        let requests = stage.im.requests();
        assert!(requests.len() > 1 && requests.len() == report.parts.len());
        assert!(requests.iter().all(|request| request.body.len() <= 20_000));
        let all: String = requests.iter().map(|request| request.text()).collect();
        assert_eq!(all.matches("早上好").count(), 3000);
    }
}

/// The table of §2.1 and that of §0.1.
#[tokio::test]
async fn every_failure_of_a_bot_has_its_outcome() {
    let throttled = || Outcome::Throttled { wait: None };
    let rows = vec![
        (refused(200, 9499, "Bad Request"), Outcome::Rejected),
        (refused(200, 9499, "too many request"), throttled()),
        (refused(200, 19001, "param invalid: incoming webhook access token invalid"), Outcome::AccountDown),
        (refused(200, 19021, "sign match fail or timestamp is not within one hour"), Outcome::AccountDown),
        (refused(200, 19022, "Ip Not Allowed"), Outcome::AccountDown),
        (refused(200, 19024, "Key Words Not Found"), Outcome::Rejected),
        (refused(200, 11232, "frequency limited"), throttled()),
        (refused(400, 11247, "limited"), throttled()),
        (refused(200, 77777, "never heard of"), Outcome::Rejected),
        (Answer::json(200, json!({"StatusCode": 0, "StatusMessage": "success"})), Outcome::Sent),
        (Answer::json(200, json!({"StatusCode": 19024, "StatusMessage": "x"})), Outcome::Rejected),
        (Answer::status(429).header("retry-after", "2"), Outcome::Throttled { wait: Some(Duration::from_secs(2)) }),
        (Answer::status(404), Outcome::Rejected),
        (Answer::status(500), Outcome::Unknown),
        (refused(502, 77777, "upstream"), Outcome::Unknown),
        (Answer::text(200, "ok"), Outcome::Unknown),
        (Answer::json(200, json!({})), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
        (Answer::Silence, Outcome::Unknown),
    ];
    for (answer, expected) in rows {
        let stage = robot().await;
        let shown = format!("{answer:?}");
        stage.im.on(HOOK, answer);
        let mut push = text(room(), "a");
        push.timeout = Duration::from_millis(500);
        let report = stage.with(&[("secret", "CANARY")]).send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
    let nobody = Refused::new();
    let robot = Bench::new().sender("feishu_robot", &[("url", &format!("{}{HOOK}", nobody.url()))]);
    let report = robot.send(&text(room(), "a")).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
    assert!(!format!("{report:?}").contains("CANARY"));
    assert_eq!(robot.probe().await, Probe::assumed_up());
}

// ---- The app ----

#[tokio::test]
async fn an_apps_text_carries_its_uuid_and_goes_to_whom_the_id_says() {
    let stage = app().await;
    let app = stage.sender();
    let rows = [
        (group("oc_1"), "chat_id"),
        (user("ou_1"), "open_id"),
        (user("on_1"), "union_id"),
        (user("a@b.test"), "email"),
        (user("7be5"), "user_id"),
    ];
    for (target, id_type) in &rows {
        let report = app.send(&text(target.clone(), "hi")).await;
        assert_eq!(report, Report::sent(Some("om_1".into())).with_status(200));
        let request = stage.im.requests_to(SEND).pop().unwrap();
        assert_eq!(request.query["receive_id_type"], *id_type);
        assert_eq!(request.header("authorization"), Some("Bearer t-CANARY-1"));
        let expected = json!({
            "receive_id": target.id(), "msg_type": "text", "content": "{\"text\":\"hi\"}",
            "uuid": "key-1-0",
        });
        assert_eq!(request.json(), expected);
    }
    assert_eq!(stage.im.request(TOKEN).json(), json!({"app_id": "cli_1", "app_secret": "CANARY-SECRET"}));
}

#[tokio::test]
async fn an_app_sends_every_kind_in_its_form_or_as_a_file() {
    let key = || json!({"file_key": "file_1"});
    let image = || json!({"image_key": "img_1"});
    let rows = vec![
        (Body::Image(media()), "a.png", "image/png", b"x".to_vec(), "image", image(), None, None),
        (
            Body::Image(media()),
            "a.svg",
            "image/svg+xml",
            b"x".to_vec(),
            "file",
            key(),
            Some("stream"),
            Some("image as file"),
        ),
        (Body::Voice(media()), "a.ogg", "audio/ogg", opus_of_1001_ms(), "audio", key(), Some("opus"), None),
        (
            Body::Voice(media()),
            "a.mp3",
            "audio/mpeg",
            b"x".to_vec(),
            "file",
            key(),
            Some("stream"),
            Some("voice as file"),
        ),
        (Body::Video(media()), "a.mp4", "video/mp4", b"x".to_vec(), "media", key(), Some("mp4"), None),
        (
            Body::Video(media()),
            "a.avi",
            "video/x-msvideo",
            b"x".to_vec(),
            "file",
            key(),
            Some("stream"),
            Some("video as file"),
        ),
        (Body::File(media()), "a.PDF", "application/pdf", b"x".to_vec(), "file", key(), Some("pdf"), None),
        (Body::File(media()), "b.xlsx", "application/x", b"x".to_vec(), "file", key(), Some("xls"), None),
        (Body::File(media()), "voice.mp4", "video/mp4", b"x".to_vec(), "file", key(), Some("stream"), None),
    ];
    for (body, name, mime_type, bytes, msg_type, content, file_type, note) in rows {
        let stage = app().await;
        let file = stage.bench.file(name, mime_type, &bytes);
        let report = stage.sender().send(&delivery(user("ou_1"), body, vec![file])).await;
        assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, note), "{name}");
        assert_eq!(stage.contents(), [(msg_type.to_owned(), content)], "{name}");
        let upload = stage
            .im
            .requests()
            .into_iter()
            .find(|request| request.path.contains("/im/v1/") && !request.path.contains(SEND))
            .unwrap();
        let fields = form(&upload);
        let value = |wanted: &str| fields.iter().find(|field| field.name == wanted).map(|field| field.text());
        assert_eq!(value("file_type").as_deref(), file_type, "{name}");
        assert_eq!(value("duration").as_deref(), (msg_type == "audio").then_some("1001"), "{name}");
        let part = fields.iter().find(|field| field.filename.is_some()).unwrap();
        assert_eq!((part.filename.as_deref(), &part.content), (Some(name), &bytes));
    }
}

#[tokio::test]
async fn a_film_brings_its_cover_and_goes_as_a_file_where_feishu_wants_one() {
    let stage = app().await;
    let film = || stage.bench.file("v.mp4", "video/mp4", b"film");
    let still = stage.bench.file("s.jpg", "image/jpeg", b"still");
    let covered = MediaFile { cover: Some(Box::new(still)), ..film() };
    stage.sender().send(&delivery(room(), Body::Video(media()), vec![covered])).await;
    assert_eq!(stage.contents()[0], ("media".into(), json!({"file_key": "file_1", "image_key": "img_1"})));

    stage.im.script(SEND, [refused(400, 230001, "image_key is empty"), Answer::json(200, json!({"code": 0}))]);
    let report = stage.sender().send(&delivery(room(), Body::Video(media()), vec![film()])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("video as file")));
    assert_eq!(stage.contents()[2].0, "file");
}

#[tokio::test]
async fn an_apps_mixed_message_is_posts_with_voices_and_files_between() {
    let stage = app().await;
    let items = vec![
        text_item("look"),
        Item::Image(media()),
        Item::Markdown { text: "**m**".into() },
        Item::File(captioned("about the file")),
        Item::At { user: "ou_1".into() },
        text_item("bye"),
    ];
    let files = vec![stage.bench.file("a.png", "image/png", b"x"), stage.bench.file("b.txt", "text/plain", b"y")];
    let report = stage.sender().send(&titled(mixed(room(), items, files), "T")).await;
    assert_eq!(report.outcome, Outcome::Sent);
    let post = json!({"zh_cn": {"title": "T", "content": [
        [{"tag": "text", "text": "look"}], [{"tag": "img", "image_key": "img_1"}], [{"tag": "md", "text": "**m**"}],
    ]}});
    let after = json!({"zh_cn": {"title": "", "content": [
        [{"tag": "text", "text": "about the file"}],
        [{"tag": "at", "user_id": "ou_1"}, {"tag": "text", "text": " bye"}],
    ]}});
    let expected =
        [("post".to_owned(), post), ("file".to_owned(), json!({"file_key": "file_1"})), ("post".to_owned(), after)];
    assert_eq!(stage.contents(), expected);
    let uuids: Vec<Value> = stage.im.requests_to(SEND).iter().map(|request| request.json()["uuid"].clone()).collect();
    assert_eq!(uuids, ["key-1-0", "key-1-1", "key-1-2"]);
}

#[tokio::test]
async fn no_post_of_an_app_is_over_30_kb_and_no_text_over_150() {
    let lines = "\"quoted\" 早上好\n".repeat(8000);
    let mixed = || Body::Mixed { items: vec![text_item(&lines), Item::Markdown { text: "\\\n".repeat(20_000) }] };
    for (push, limit) in [(text(room(), &lines), 150_000), (delivery(room(), mixed(), vec![]), 30_000)] {
        let stage = app().await;
        let report = stage.sender().send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent);
        let requests = stage.im.requests_to(SEND);
        assert!(requests.len() > 1);
        let largest = requests.iter().map(|request| request.body.len()).max().unwrap();
        assert!(largest <= limit, "{largest}");
        let all: String = requests.iter().map(|request| request.text()).collect();
        assert_eq!(all.matches("早上好").count(), 8000);
    }
}

#[tokio::test]
async fn the_token_is_fetched_once_and_renewed_before_its_end() {
    let stage = app().await;
    let app = stage.sender();
    let push = text(room(), "a");
    tokio::join!(app.send(&push), app.send(&push), app.send(&push));
    assert_eq!(stage.im.requests_to(TOKEN).len(), 1, "one renewal at a time");
    stage.bench.clock.advance(Duration::from_secs(7200 - 301));
    app.send(&push).await;
    assert_eq!(stage.im.requests_to(TOKEN).len(), 1);
    stage.bench.clock.advance(Duration::from_secs(1));
    app.send(&push).await;
    assert_eq!(stage.im.requests_to(TOKEN).len(), 2);
}

#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_a_token_nor_a_key_nor_prolongs_them() {
    let (hour, hours) = (Duration::from_secs(3600), Duration::from_secs(4 * 3600));
    for now in [NOW + hours, NOW - hours] {
        let stage = app().await;
        let app = stage.sender();
        let mut push = text(room(), "a");
        push.retry.give_up_after = 9 * hour;
        push.expires_at = NOW + 9 * hour;
        stage.im.script(SEND, [Answer::Reset, Answer::Reset, Answer::json(200, json!({"code": 0}))]);
        let report = app.send(&push).await;
        assert_eq!(report.outcome, Outcome::Unknown);
        stage.bench.clock.step_wall_to(now);
        let push = next_attempt(&push, &report);
        assert!(app.is_idempotent(&push, now), "{now}");
        let report = app.send(&push).await;
        assert_eq!((report.outcome.clone(), stage.im.requests_to(SEND).len()), (Outcome::Unknown, 2), "{now}");
        assert_eq!(stage.im.requests_to(TOKEN).len(), 1, "{now}");
        // An hour asleep: the key is forgotten, the token is not.
        stage.bench.clock.suspend(hour);
        let push = next_attempt(&push, &report);
        assert!(!app.is_idempotent(&push, now + hour), "{now}");
        assert_eq!(app.send(&push).await.outcome, Outcome::Unknown);
        assert_eq!(stage.im.requests_to(SEND).len(), 2, "{now}");
        stage.bench.clock.suspend(hour);
        assert_eq!(app.send(&text(room(), "b")).await.outcome, Outcome::Sent);
        assert_eq!(stage.im.requests_to(TOKEN).len(), 2, "{now}");
    }
}

/// §2.2 tells the wait in a header of Feishu's own; gateways write numbers as they like.
#[tokio::test]
async fn a_wait_that_feishu_tells_is_kept_in_every_form() {
    let wait = |ms| Outcome::Throttled { wait: Some(Duration::from_millis(ms)) };
    let limited = |status, code: i64| refused(status, code, "request trigger frequency limit");
    let rows = [
        (limited(429, 99991400).header("x-ogw-ratelimit-reset", "7"), wait(7_000)),
        (limited(400, 99991400).header("x-ogw-ratelimit-reset", " 1.5 "), wait(1_500)),
        (limited(200, 11232).header("x-ogw-ratelimit-reset", "30s"), wait(30_000)),
        (limited(200, 230020).header("retry-after", "3"), wait(3_000)),
        (Answer::json(200, json!({"code": "11247", "msg": "slow"})).header("retry-after", "2.5"), wait(2_500)),
        (Answer::text(429, "slow").header("x-ogw-ratelimit-reset", "9"), wait(9_000)),
        (limited(429, 99991400).header("x-ogw-ratelimit-reset", "soon"), Outcome::Throttled { wait: None }),
        (limited(429, 99991400).header("x-ogw-ratelimit-reset", "1e9"), wait(86_400_000)),
    ];
    for (answer, expected) in rows {
        for (stage, path) in [(app().await, SEND), (robot().await, HOOK)] {
            let shown = format!("{path} {answer:?}");
            stage.im.on(path, answer.clone());
            assert_eq!(stage.sender().send(&text(room(), "a")).await.outcome, expected, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_token_that_feishu_no_longer_takes_is_renewed_once() {
    for code in [99991663, 99991671] {
        let stage = app().await;
        stage.im.script(TOKEN, [token("t-CANARY-1"), token("t-CANARY-2")]);
        stage.im.script(SEND, [refused(400, code, "token invalid"), Answer::json(200, json!({"code": 0}))]);
        let report = stage.sender().send(&text(room(), "a")).await;
        assert_eq!(report.outcome, Outcome::Sent);
        let requests = stage.im.requests_to(SEND);
        assert_eq!(requests[1].header("authorization"), Some("Bearer t-CANARY-2"));
        assert_eq!(requests[0].json()["uuid"], requests[1].json()["uuid"]);

        stage.im.on(SEND, refused(400, code, "token invalid"));
        let report = stage.sender().send(&text(room(), "a")).await;
        assert_eq!(report.outcome, Outcome::AccountDown);
        assert_eq!(stage.im.requests_to(SEND).len(), 4);
    }
}

/// The table of §2.2 and that of §0.1, met at the send itself.
#[tokio::test]
async fn every_failure_of_an_app_has_its_outcome() {
    let throttled = |seconds| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let rows = vec![
        (refused(429, 99991400, "limited").header("x-ogw-ratelimit-reset", "7"), throttled(7)),
        (refused(400, 99991400, "limited"), Outcome::Throttled { wait: None }),
        (refused(400, 230020, "limited"), Outcome::Throttled { wait: None }),
        (refused(400, 230001, "parameter"), Outcome::Rejected),
        (refused(400, 230002, "not in group"), Outcome::TargetGone),
        (refused(400, 230006, "bot off"), Outcome::AccountDown),
        (refused(400, 230013, "out of scope"), Outcome::TargetGone),
        (refused(400, 230022, "sensitive"), Outcome::Rejected),
        (refused(400, 230025, "too long"), Outcome::Rejected),
        (refused(400, 230027, "no permission"), Outcome::Rejected),
        (refused(400, 230028, "dlp"), Outcome::Rejected),
        (refused(400, 232009, "group gone"), Outcome::TargetGone),
        (refused(200, 77777, "never heard of"), Outcome::Rejected),
        (Answer::status(500), Outcome::Unknown),
        (refused(500, 55555, "inner"), Outcome::Unknown),
        (Answer::text(200, "<html>"), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
        (Answer::Silence, Outcome::Unknown),
    ];
    for (answer, expected) in rows {
        let stage = app().await;
        let shown = format!("{answer:?}");
        stage.im.on(SEND, answer);
        let mut push = text(room(), "a");
        push.timeout = Duration::from_millis(500);
        let report = stage.sender().send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
}

#[tokio::test]
async fn what_fails_before_the_send_leaves_no_doubt() {
    let rows = vec![
        (TOKEN, Answer::Reset, Outcome::Unreachable),
        (TOKEN, Answer::status(500), Outcome::Unreachable),
        (TOKEN, refused(200, 10014, "app secret invalid"), Outcome::AccountDown),
        (TOKEN, Answer::json(200, json!({"code": 0})), Outcome::Unreachable),
        ("/im/v1/images", Answer::Reset, Outcome::Unreachable),
        ("/im/v1/images", Answer::status(502), Outcome::Unreachable),
        ("/im/v1/images", refused(400, 234011, "bad image"), Outcome::Rejected),
        ("/im/v1/images", refused(429, 99991400, "limited"), Outcome::Throttled { wait: None }),
    ];
    for (path, answer, expected) in rows {
        let stage = app().await;
        let shown = format!("{path} {answer:?}");
        stage.im.on(path, answer);
        let file = stage.bench.file("a.png", "image/png", b"x");
        let report = stage.sender().send(&delivery(room(), Body::Image(media()), vec![file])).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert_eq!(stage.im.requests_to(SEND).len(), 0);
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
    let stage = app().await;
    for file in [stage.bench.file("e.txt", "text/plain", b""), stage.bench.large_file("l.bin", "a/b", (30 << 20) + 1)] {
        let report = stage.sender().send(&delivery(room(), Body::File(media()), vec![file])).await;
        assert_eq!(report.outcome, Outcome::Rejected);
    }
    assert_eq!(stage.im.requests().len(), 0);
}

#[tokio::test]
async fn a_repeat_is_safe_for_an_hour_and_an_odd_answer_to_it_is_no_failure() {
    let stage = app().await;
    let app = stage.sender();
    let hour = Duration::from_secs(3600);
    let mut push = text(room(), "a");
    push.retry.give_up_after = 3 * hour;
    push.expires_at = NOW + 3 * hour;
    assert!(app.is_idempotent(&push, NOW + hour - Duration::from_millis(1)));
    assert!(!app.is_idempotent(&push, NOW + hour));

    stage.im.script(SEND, [Answer::Reset, refused(400, 77777, "uuid was used"), Answer::json(200, json!({"code": 0}))]);
    let report = app.send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let push = next_attempt(&push, &report);
    assert_eq!(app.send(&push).await.outcome, Outcome::Unknown, "it may mean that the first one was sent");
    stage.bench.clock.advance(hour);
    assert_eq!(app.send(&push).await.outcome, Outcome::Unknown, "the key is forgotten");
    assert_eq!(stage.im.requests_to(SEND).len(), 2);
    let wished =
        Delivery { retry: pushcron::domain::RetryPolicy { resend_unknown: true, ..push.retry.clone() }, ..push };
    assert_eq!(app.send(&wished).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn an_apps_health_is_its_token_and_its_bot() {
    let stage = app().await;
    stage.im.on("/bot/v3/info", Answer::json(200, json!({"code": 0, "bot": {"activate_status": 2}})));
    assert_eq!(stage.sender().probe().await, Probe::up());
    // The call itself is unconfirmed: only the token's refusal counts against the account.
    stage.im.on("/bot/v3/info", refused(400, 99991672, "no such scope"));
    assert_eq!(stage.sender().probe().await, Probe::assumed_up());
    stage.im.on(TOKEN, refused(200, 10014, "app secret invalid"));
    assert_eq!(stage.sender().probe().await, Probe::down("10014: app secret invalid"));
}
