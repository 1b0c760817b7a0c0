//! The telegram sender against a scripted server: what it asks, and what it makes of every answer (others.md §1).

use std::time::Duration;

use crate::common::deliveries::{
    captioned, delivery, group, media, mixed, next_attempt, opus_of_1001_ms, outcomes, text, text_item, user,
};
use crate::common::fake_im::{Answer, Refused};
use crate::common::form::{Field, form};
use crate::common::senders::{Bench, Stage, account};
use pushcron::domain::{Body, Delivery, Item, Outcome, Report};
use pushcron::senders::Probe;
use serde_json::{Value, json};

const TOKEN: &str = "123456:CANARY-TOKEN";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0";

impl Stage {
    /// The methods called so far.
    fn methods(&self) -> Vec<String> {
        self.im.paths().iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    }
}

fn ok(id: i64) -> Answer {
    Answer::json(200, json!({"ok": true, "result": {"message_id": id}}))
}

fn refused(code: u16, description: &str, parameters: Value) -> Answer {
    Answer::json(code, json!({"ok": false, "error_code": code, "description": description, "parameters": parameters}))
}

fn field<'a>(fields: &'a [Field], name: &str) -> &'a Field {
    fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("no field {name} in {fields:?}"))
}

#[tokio::test]
async fn a_text_goes_out_with_the_settings_of_its_account() {
    let stage = Stage::of("telegram").await;
    let sender = stage.with(&[("parse_mode", "HTML"), ("silent", "true"), ("link_preview", "false")]);
    let report = sender.send(&text(group("-1001/17"), "<b>hi</b>")).await;
    assert_eq!(report, Report::sent(Some("7".into())).with_status(200));
    let request = stage.im.request("/sendMessage");
    assert_eq!(request.path, format!("/bot{TOKEN}/sendMessage"));
    assert_eq!(
        request.json(),
        json!({
            "chat_id": -1001, "message_thread_id": 17, "disable_notification": true, "text": "<b>hi</b>",
            "parse_mode": "HTML", "link_preview_options": {"is_disabled": true},
        })
    );
}

#[tokio::test]
async fn every_kind_has_its_method_and_its_fallback() {
    let rows: Vec<(Body, &str, &str, &str, Option<&str>)> = vec![
        (Body::Image(media()), "a.png", "image/png", "sendPhoto", None),
        (Body::Image(media()), "a.gif", "image/gif", "sendDocument", Some("image as file")),
        (Body::Voice(media()), "a.ogg", "audio/ogg", "sendVoice", None),
        (Body::Voice(media()), "a.mp3", "audio/mpeg", "sendVoice", None),
        (Body::Voice(media()), "a.amr", "audio/amr", "sendDocument", Some("voice as file")),
        (Body::Video(media()), "a.mp4", "video/mp4", "sendVideo", None),
        (Body::Video(media()), "a.webm", "video/webm", "sendDocument", Some("video as file")),
        (Body::File(media()), "报表.pdf", "application/pdf", "sendDocument", None),
    ];
    for target in [group("-5"), user("42")] {
        for (body, name, mime_type, method, note) in rows.clone() {
            let stage = Stage::of("telegram").await;
            let file = stage.bench.file(name, mime_type, PNG);
            let report = stage.sender().send(&delivery(target.clone(), body, vec![file])).await;
            assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, note), "{name}");
            let fields = form(&stage.im.request(method));
            let part = field(&fields, &method[4..].to_lowercase());
            assert_eq!(part.filename.as_deref(), Some(name));
            assert_eq!(part.mime_type.as_deref(), Some(mime_type));
            assert_eq!(part.content, PNG);
            assert_eq!(field(&fields, "chat_id").text(), target.id());
        }
    }
}

#[tokio::test]
async fn a_photo_over_ten_megabytes_goes_as_a_file_and_a_video_brings_its_cover() {
    let stage = Stage::of("telegram").await;
    let large = stage.bench.large_file("large.png", "image/png", (10 << 20) + 1);
    let report = stage.sender().send(&delivery(user("1"), Body::Image(media()), vec![large])).await;
    assert_eq!(report.note.as_deref(), Some("image as file"));

    let mut video = stage.bench.file("v.mp4", "video/mp4", b"video");
    video.cover = Some(Box::new(stage.bench.file("cover.jpg", "image/jpeg", b"still")));
    stage.sender().send(&delivery(user("1"), Body::Video(media()), vec![video])).await;
    let fields = form(&stage.im.request("/sendVideo"));
    assert_eq!(field(&fields, "cover").text(), "attach://still");
    assert_eq!(fields.iter().find(|field| field.filename.as_deref() == Some("cover.jpg")).unwrap().content, b"still");
    assert_eq!(field(&fields, "supports_streaming").text(), "true");
}

#[tokio::test]
async fn a_voice_tells_how_long_it_plays() {
    let stage = Stage::of("telegram").await;
    let voice = stage.bench.file("a.ogg", "audio/ogg", &opus_of_1001_ms());
    stage.sender().send(&delivery(user("1"), Body::Voice(media()), vec![voice])).await;
    assert_eq!(field(&form(&stage.im.request("/sendVoice")), "duration").text(), "2");
}

#[tokio::test]
async fn texts_beside_media_become_captions_and_pictures_become_an_album() {
    let image = || Item::Image(media());
    let voice = || Item::Voice(media());
    let shown = |caption: &str| Item::Image(captioned(caption));
    let long = "x".repeat(1025);
    // What is expected: per call its method, its caption and whether that stands above.
    type Call<'a> = (&'a str, Option<&'a str>, bool);
    let rows: Vec<(Vec<Item>, Vec<Call>)> = vec![
        (vec![image(), text_item("below")], vec![("sendPhoto", Some("below"), false)]),
        (vec![text_item("above"), image()], vec![("sendPhoto", Some("above"), true)]),
        (
            vec![text_item("above"), image(), text_item("after")],
            vec![("sendPhoto", Some("above"), true), ("sendMessage", Some("after"), false)],
        ),
        (vec![image(), image(), text_item("both")], vec![("sendMediaGroup", Some("both"), false)]),
        (vec![text_item("top"), image(), image()], vec![("sendMediaGroup", Some("top"), true)]),
        (
            vec![image(), text_item("one"), image(), text_item("two")],
            vec![("sendPhoto", Some("one"), false), ("sendPhoto", Some("two"), false)],
        ),
        (vec![shown("mine"), image()], vec![("sendPhoto", Some("mine"), false), ("sendPhoto", None, false)]),
        (
            vec![text_item("say"), voice(), text_item("heard")],
            vec![("sendMessage", Some("say"), false), ("sendVoice", Some("heard"), false)],
        ),
        (
            vec![text_item(&long), image(), text_item(&long)],
            vec![("sendMessage", Some(&long), false), ("sendPhoto", None, false), ("sendMessage", Some(&long), false)],
        ),
        (vec![image(); 12], vec![("sendMediaGroup", None, false), ("sendMediaGroup", None, false)]),
    ];
    for (items, expected) in rows {
        let stage = Stage::of("telegram").await;
        let body = Body::Mixed { items: items.clone() };
        let file = |item: &Item| match item {
            Item::Voice(_) => Some(stage.bench.file("v.ogg", "audio/ogg", b"ogg")),
            item => item.media().map(|_| stage.bench.file("a.png", "image/png", PNG)),
        };
        let files = items.iter().filter_map(file).collect();
        let report = stage.sender().send(&delivery(group("-5"), body, files)).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let calls = stage.im.requests();
        let seen: Vec<(String, Option<String>, bool)> = calls
            .iter()
            .zip(stage.methods())
            .map(|(request, method)| {
                if method == "sendMessage" {
                    return (method, request.json()["text"].as_str().map(str::to_owned), false);
                }
                let fields = form(request);
                let mut about: Value = fields
                    .iter()
                    .filter(|field| field.filename.is_none())
                    .map(|field| (field.name.clone(), json!(field.text())))
                    .collect();
                if method == "sendMediaGroup" {
                    about = serde_json::from_str(about["media"].as_str().unwrap()).unwrap();
                    about = about[0].clone();
                }
                let above = about["show_caption_above_media"].as_str() == Some("true")
                    || about["show_caption_above_media"] == true;
                (method, about["caption"].as_str().map(str::to_owned), above)
            })
            .collect();
        let expected: Vec<_> = expected.into_iter().map(|(m, c, a)| (m.to_owned(), c.map(str::to_owned), a)).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn an_album_names_its_uploads_in_order() {
    let stage = Stage::of("telegram").await;
    stage.im.on(
        "/sendMediaGroup",
        Answer::json(200, json!({"ok": true, "result": [{"message_id": 8}, {"message_id": 9}]})),
    );
    let files =
        vec![stage.bench.file("a.png", "image/png", b"first"), stage.bench.file("b.mp4", "video/mp4", b"second")];
    let items = vec![Item::Image(media()), Item::Video(media())];
    let report = stage.sender().send(&mixed(group("-5"), items, files)).await;
    assert_eq!(report.message_id.as_deref(), Some("8"));
    let fields = form(&stage.im.request("/sendMediaGroup"));
    let entries: Value = serde_json::from_str(&field(&fields, "media").text()).unwrap();
    assert_eq!(entries, json!([{"type": "photo", "media": "attach://f0"}, {"type": "video", "media": "attach://f1"}]));
    assert_eq!(field(&fields, "f0").text(), "first");
    assert_eq!(field(&fields, "f1").text(), "second");
}

#[tokio::test]
async fn a_long_text_is_split_and_a_retry_starts_at_the_first_part_not_sent() {
    let stage = Stage::of("telegram").await;
    stage.im.script(
        "/sendMessage",
        [ok(1), refused(429, "Too Many Requests: retry after 35", json!({"retry_after": 35})), ok(2), ok(3)],
    );
    // Outside the basic plane a character counts twice.
    let long = format!("{}\n{}\n{}", "😀".repeat(2000), "b".repeat(4000), "c".repeat(4000));
    let sender = stage.sender();
    let first = text(user("42"), &long);
    let report = sender.send(&first).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: Some(Duration::from_secs(35)) });
    assert_eq!(outcomes(&report), ["sent", "throttled"]);

    let report = sender.send(&next_attempt(&first, &report)).await;
    assert_eq!((report.outcome.clone(), report.message_id.as_deref()), (Outcome::Sent, Some("1")));
    assert_eq!(outcomes(&report), ["sent", "sent", "sent"]);
    let starts: Vec<char> = stage
        .im
        .requests()
        .iter()
        .map(|request| request.json()["text"].as_str().unwrap().chars().next().unwrap())
        .collect();
    assert_eq!(starts, ['😀', 'b', 'b', 'c']);
}

#[tokio::test]
async fn markdown_and_mentions_are_marked_up_and_text_beside_them_is_shielded() {
    let stage = Stage::of("telegram").await;
    let items = vec![
        text_item("1 < 2"),
        Item::At { user: "99".into() },
        Item::At { user: "@bo".into() },
        Item::Markdown { text: "**done**".into() },
    ];
    stage.sender().send(&mixed(group("-5"), items, vec![])).await;
    let sent = stage.im.request("/sendMessage").json();
    assert_eq!(sent["text"], "1 &lt; 2 <a href=\"tg://user?id=99\">99</a> @bo\n<b>done</b>");
    assert_eq!(sent["parse_mode"], "HTML");
}

#[tokio::test]
async fn markup_that_telegram_cannot_parse_goes_out_as_it_is() {
    let stage = Stage::of("telegram").await;
    stage.im.script("/sendMessage", [refused(400, "Bad Request: can't parse entities: unclosed", json!({})), ok(3)]);
    let report = stage.with(&[("parse_mode", "HTML")]).send(&text(user("1"), "a <b")).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("markup as text")));
    let again = stage.im.requests()[1].json();
    assert_eq!((again["text"].as_str(), again.get("parse_mode")), (Some("a <b"), None));
}

#[tokio::test]
async fn a_photo_that_telegram_will_not_show_goes_as_a_file() {
    let stage = Stage::of("telegram").await;
    stage.im.on("/sendPhoto", refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", json!({})));
    let file = stage.bench.file("tall.png", "image/png", PNG);
    let report = stage.sender().send(&delivery(user("1"), Body::Image(captioned("cap")), vec![file])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("image as file")));
    let fields = form(&stage.im.request("/sendDocument"));
    assert_eq!(field(&fields, "caption").text(), "cap");
    assert_eq!(field(&fields, "document").content, PNG);
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_found_at_once_and_ever_after() {
    let stage = Stage::of("telegram").await;
    let moved = refused(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        json!({"migrate_to_chat_id": -100200300400_i64}),
    );
    stage.im.script("/sendMessage", [moved, ok(1), ok(2)]);
    let report = stage.sender().send(&text(group("-5"), "a")).await;
    assert_eq!(report.outcome, Outcome::Sent);
    // A new sender, as after a restart.
    stage.sender().send(&text(group("-5"), "b")).await;
    let chats: Vec<Value> = stage.im.requests().iter().map(|request| request.json()["chat_id"].clone()).collect();
    assert_eq!(chats, [json!(-5), json!(-100200300400_i64), json!(-100200300400_i64)]);
}

#[tokio::test]
async fn a_group_that_moves_for_ever_is_not_followed_for_ever() {
    let stage = Stage::of("telegram").await;
    stage.im.on("/sendMessage", refused(400, "Bad Request: upgraded", json!({"migrate_to_chat_id": -100})));
    let report = stage.sender().send(&text(group("-5"), "a")).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    assert_eq!(stage.im.requests().len(), 2);
}

fn pictures(stage: &Stage, count: usize, words: &str) -> Delivery {
    let mut items = vec![Item::Image(media()); count];
    items.push(text_item(words));
    let files = (0..count).map(|at| stage.bench.file(&format!("{at}.png"), "image/png", PNG)).collect();
    mixed(group("-5"), items, files)
}

/// The server sends what failed of an album to nobody, and its `#1` counts failures, not pictures.
#[tokio::test]
async fn an_album_with_a_picture_that_telegram_will_not_show_goes_one_by_one() {
    for words in [
        "Bad Request: PHOTO_INVALID_DIMENSIONS",
        "Bad Request: failed to send message #1 with the error message \"PHOTO_INVALID_DIMENSIONS\"",
        "Bad Request: PHOTO_SAVE_FILE_INVALID",
        "Bad Request: IMAGE_PROCESS_FAILED",
    ] {
        let stage = Stage::of("telegram").await;
        stage.im.on("/sendMediaGroup", refused(400, words, json!({})));
        stage.im.script("/sendPhoto", [ok(1), refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", json!({}))]);
        stage.im.on("/sendDocument", ok(2));
        let report = stage.sender().send(&pictures(&stage, 2, "see")).await;
        assert_eq!(
            (&report.outcome, report.note.as_deref()),
            (&Outcome::Sent, Some("album one by one, image as file"))
        );
        assert_eq!(stage.methods(), ["sendMediaGroup", "sendPhoto", "sendPhoto", "sendDocument"], "{words}");
        assert_eq!(field(&form(&stage.im.request("/sendDocument")), "caption").text(), "see");
    }
}

#[tokio::test]
async fn a_retry_of_an_album_that_went_one_by_one_repeats_nothing_that_arrived() {
    let stage = Stage::of("telegram").await;
    stage.im.on("/sendMediaGroup", refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", json!({})));
    stage.im.script("/sendPhoto", [ok(1), refused(429, "Too Many Requests: retry after 3", json!({})), ok(2), ok(3)]);
    let sender = stage.sender();
    let first = pictures(&stage, 3, "see");
    let report = sender.send(&first).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: Some(Duration::from_secs(3)) });
    let report = sender.send(&next_attempt(&first, &report)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.methods(), ["sendMediaGroup", "sendPhoto", "sendPhoto", "sendPhoto", "sendPhoto"]);
    let names: Vec<_> = stage.im.requests_to("/sendPhoto").iter().map(form).collect();
    let names: Vec<_> = names.iter().map(|fields| field(fields, "photo").filename.clone().unwrap()).collect();
    assert_eq!(names, ["0.png", "1.png", "1.png", "2.png"]);
}

#[tokio::test]
async fn a_text_arrives_without_the_pictures_that_the_chat_does_not_allow_and_the_push_is_not_called_sent() {
    for count in [1, 2] {
        let stage = Stage::of("telegram").await;
        let no = || refused(400, "Bad Request: not enough rights to send photos to the chat", json!({}));
        stage.im.on("/sendMediaGroup", no());
        stage.im.on("/sendPhoto", no());
        stage.im.on("/sendMessage", ok(4));
        let sender = stage.sender();
        let first = pictures(&stage, count, "see");
        let report = sender.send(&first).await;
        assert_eq!((&report.outcome, report.note.as_deref()), (&Outcome::Rejected, Some("text without media")));
        assert!(report.error.as_deref().unwrap().contains("not enough rights to send photos"), "{report:?}");
        assert_eq!(outcomes(&report), ["sent", "rejected"]);
        assert_eq!(stage.im.request("/sendMessage").json()["text"], "see");
        // By hand, once more: the text is there.
        sender.send(&next_attempt(&first, &report)).await;
        assert_eq!(stage.im.requests_to("/sendMessage").len(), 1);
    }
}

#[tokio::test]
async fn a_migration_is_followed_in_every_form_and_nothing_is_sent_twice() {
    let number = || json!({"migrate_to_chat_id": -100200});
    let words = "Bad Request: group chat was upgraded to a supergroup chat";
    for answer in [
        refused(400, words, number()),
        refused(403, "Forbidden: the group chat was migrated", number()),
        refused(400, words, json!({"migrate_to_chat_id": "-100200"})),
        refused(400, "Bad Request: group migrated to supergroup, new chat id: -100200", Value::Null),
    ] {
        let stage = Stage::of("telegram").await;
        stage.im.script("/sendMessage", [answer, ok(1)]);
        let report = stage.sender().send(&text(group("-5"), "a")).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let chats: Vec<Value> = stage.im.requests().iter().map(|request| request.json()["chat_id"].clone()).collect();
        assert_eq!(chats, [json!(-5), json!(-100200)]);
    }
    // Where nobody says to where, the target is gone.
    let stage = Stage::of("telegram").await;
    stage.im.on("/sendMessage", refused(400, words, Value::Null));
    let report = stage.sender().send(&text(group("-5"), "a")).await;
    assert_eq!((report.outcome, stage.im.requests().len()), (Outcome::TargetGone, 1));
}

#[tokio::test]
async fn a_remembered_number_that_telegram_denies_is_forgotten() {
    let stage = Stage::of("telegram").await;
    let moved = |to: i64| refused(400, "Bad Request: upgraded", json!({"migrate_to_chat_id": to}));
    let gone = || refused(400, "Bad Request: chat not found", Value::Null);
    stage.im.script("/sendMessage", [moved(-100), ok(1), gone(), moved(-200), ok(2), ok(3)]);
    for _ in 0..3 {
        // Each as after a reload.
        let report = stage.sender().send(&text(group("-5"), "a")).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    }
    let chats: Vec<i64> =
        stage.im.requests().iter().map(|request| request.json()["chat_id"].as_i64().unwrap()).collect();
    assert_eq!(chats, [-5, -100, -100, -5, -200, -200]);
}

#[tokio::test]
async fn a_target_that_is_none_is_refused_before_anything_leaves() {
    let stage = Stage::of("telegram").await;
    for id in
        ["-100123/abc", "-100123/", "-100123:17", "t.me/x", "https://t.me/x", "x", "@", "-", "0", "@a/b", "-100/0"]
    {
        let report = stage.sender().send(&text(group(id), "a")).await;
        assert_eq!(report.outcome, Outcome::Rejected, "{id}");
        let error = report.error.unwrap();
        assert!(error.contains(id) && error.contains("expected a chat's number"), "{error}");
    }
    assert_eq!(stage.im.requests().len(), 0);
    for (id, topic) in [("-100123/17", json!(17)), ("@ops_room/17", json!(17)), ("-100123/1", Value::Null)] {
        stage.sender().send(&text(group(id), "a")).await;
        let sent = stage.im.requests().last().unwrap().json();
        // The general topic has a number that Telegram refuses.
        assert_eq!(sent["message_thread_id"], topic, "{id}");
    }
}

#[tokio::test]
async fn an_album_of_which_less_came_back_is_not_called_sent() {
    let stage = Stage::of("telegram").await;
    stage.im.on("/sendMediaGroup", Answer::json(200, json!({"ok": true, "result": [{"message_id": 8}]})));
    assert_eq!(stage.sender().send(&pictures(&stage, 2, "see")).await.outcome, Outcome::Unknown);
}

/// The error table of others.md §1 and §0.1.
#[tokio::test]
async fn every_failure_of_the_sheet_has_its_outcome() {
    let throttled = |seconds| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let bare = |code: u16, description: &str| refused(code, description, Value::Null);
    let rows = vec![
        (refused(429, "Too Many Requests: retry after 35", json!({"retry_after": 35})), throttled(35)),
        (bare(429, "Too Many Requests").header("retry-after", "9"), throttled(9)),
        (bare(429, "Too Many Requests"), Outcome::Throttled { wait: None }),
        (bare(429, "Too Many Requests: retry after 20"), throttled(20)),
        (refused(429, "Too Many Requests", json!({"retry_after": "3"})), throttled(3)),
        (refused(429, "Too Many Requests", json!({"retry_after": 3.0})), throttled(3)),
        (refused(429, "Too Many Requests", json!({"retry_after": 99999999999_i64})), throttled(86_400)),
        (refused(429, "Too Many Requests: retry after 4", json!({"retry_after": "soon"})), throttled(4)),
        (bare(420, "FLOOD_WAIT_7"), throttled(7)),
        (bare(400, "Bad Request: FLOOD_WAIT_7"), throttled(7)),
        (bare(400, "Bad Request: SLOWMODE_WAIT_30"), throttled(30)),
        (bare(400, "Bad Request: TOPIC_CLOSED"), Outcome::TargetGone),
        (bare(400, "Bad Request: TOPIC_DELETED"), Outcome::TargetGone),
        (bare(400, "Bad Request: message thread not found"), Outcome::TargetGone),
        (bare(400, "Bad Request: PEER_ID_INVALID"), Outcome::TargetGone),
        (bare(400, "Bad Request: group chat was deactivated"), Outcome::TargetGone),
        (bare(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), Outcome::TargetGone),
        (bare(400, "Bad Request: have no rights to send a message"), Outcome::TargetGone),
        (bare(400, "Bad Request: not enough rights to send text messages to the chat"), Outcome::TargetGone),
        (bare(400, "Bad Request: need administrator rights in the channel chat"), Outcome::TargetGone),
        (bare(400, "Bad Request: user is deactivated"), Outcome::TargetGone),
        (bare(403, "Forbidden: bot was kicked from the supergroup chat"), Outcome::TargetGone),
        (bare(403, "Forbidden: bot is not a member of the channel chat"), Outcome::TargetGone),
        (bare(403, "Forbidden: bot can't initiate conversation with a user"), Outcome::TargetGone),
        // A yes beside a no.
        (Answer::json(200, json!({"ok": true, "error_code": 400, "description": "no"})), Outcome::Unknown),
        (Answer::json(200, json!({"ok": true, "result": false})), Outcome::Unknown),
        (Answer::json(400, json!({"ok": true, "result": {"message_id": 7}})), Outcome::Rejected),
        (Answer::json(500, json!({"ok": true, "result": {"message_id": 7}})), Outcome::Unknown),
        (Answer::json(200, json!({"ok": false, "error_code": 400, "description": "no"})), Outcome::Rejected),
        (Answer::json(200, json!({"ok": false, "error_code": "403", "description": "no"})), Outcome::TargetGone),
        (bare(400, "Bad Request: chat not found"), Outcome::TargetGone),
        (bare(400, "Bad Request: message is too long"), Outcome::Rejected),
        (bare(400, "Bad Request: can't parse entities: x"), Outcome::Rejected),
        (bare(400, "Bad Request: wrong file identifier/HTTP URL specified"), Outcome::Rejected),
        (bare(400, "Bad Request: wrong type of the web page content"), Outcome::Rejected),
        (bare(401, "Unauthorized"), Outcome::AccountDown),
        (bare(404, "Not Found"), Outcome::AccountDown),
        (bare(403, "Forbidden: bot was blocked by the user"), Outcome::TargetGone),
        (bare(403, "Forbidden: user is deactivated"), Outcome::TargetGone),
        (bare(413, "Request Entity Too Large"), Outcome::Rejected),
        (bare(500, "Internal Server Error: Request aborted"), Outcome::Unknown),
        (bare(502, "Bad Gateway"), Outcome::Unknown),
        (Answer::status(503).header("retry-after", "3"), throttled(3)),
        (Answer::status(503), Outcome::Unknown),
        (Answer::status(302), Outcome::Rejected),
        (Answer::text(200, "not json"), Outcome::Unknown),
        (Answer::json(200, json!({"surprise": true})), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
        (Answer::ResetInBody { status: 200 }, Outcome::Unknown),
        (Answer::Flood { status: 200 }, Outcome::Unknown),
        (Answer::Garbage, Outcome::Unknown),
        (Answer::Silence, Outcome::Unknown),
    ];
    for (answer, expected) in rows {
        let stage = Stage::of("telegram").await;
        let shown = format!("{answer:?}");
        stage.im.on("/sendMessage", answer);
        let mut delivery = text(user("1"), "a");
        delivery.timeout = Duration::from_millis(500);
        let report = stage.with(&[("parse_mode", "HTML")]).send(&delivery).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
}

#[tokio::test]
async fn a_server_out_of_reach_was_surely_sent_nothing() {
    let nobody = Refused::new();
    let sender = Bench::new().sender("telegram", &[("token", TOKEN), ("base_url", &nobody.url())]);
    let report = sender.send(&text(user("1"), "a")).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
    let probe = sender.probe().await;
    assert_eq!(probe.online, Some(false));
    assert!(!format!("{report:?}{probe:?}").contains("CANARY"));
}

#[tokio::test]
async fn health_is_what_get_me_says() {
    let stage = Stage::of("telegram").await;
    assert_eq!(stage.sender().probe().await, Probe::up());
    stage.im.on("/getMe", refused(401, "Unauthorized", Value::Null));
    assert_eq!(stage.sender().probe().await, Probe::down("401: Unauthorized"));
}

#[tokio::test]
async fn an_unreadable_file_is_told_before_anything_leaves() {
    let stage = Stage::of("telegram").await;
    let file = stage.bench.file("gone.pdf", "application/pdf", b"x");
    std::fs::remove_file(&file.path).unwrap();
    let report = stage.sender().send(&delivery(user("1"), Body::File(media()), vec![file])).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
    assert!(report.error.unwrap().contains("gone.pdf"));
    assert_eq!(stage.im.requests().len(), 0);
}

#[test]
fn a_token_that_would_bend_the_address_is_refused_without_being_shown() {
    for token in ["1:CANARY/../x", "1:CANARY ", "1:CANARY?x", "1:CANARY#"] {
        let Err(error) = Bench::new().try_build(&account("telegram", &[("token", token)])) else {
            panic!("{token} was taken")
        };
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
}
