//! The OneBot sender against a scripted implementation that answers as the real ones do (qq.md §1 to §4).

use std::time::Duration;

use crate::common::deliveries::{captioned, delivery, file, group, media, mixed, text, user};
use crate::common::fake_im::{Answer, Refused};
use crate::common::platforms::CANARY;
use crate::common::senders::{Bench, Stage};
use pushcron::domain::message::Item;
use pushcron::domain::{Body, Outcome, Target, UtcMs};
use pushcron::senders::Probe;
use serde_json::{Value, json};
use tempfile::TempDir;

const NAPCAT: (&str, &str) = ("NapCat.Onebot", "4.18.13");
const LLBOT: (&str, &str) = ("LLOneBot", "8.1.7");
const LAGRANGE: (&str, &str) = ("Lagrange.OneBot", "0.0.3");
const GO_CQHTTP: (&str, &str) = ("go-cqhttp", "v1.2.0");
const ANOTHER: (&str, &str) = ("Shamrock", "1.0");

fn ok(data: Value) -> Answer {
    Answer::json(200, json!({"status": "ok", "retcode": 0, "data": data, "message": "", "wording": ""}))
}

fn failed(retcode: i64, message: &str) -> Answer {
    Answer::json(
        200,
        json!({"status": "failed", "retcode": retcode, "data": null, "message": message, "wording": message}),
    )
}

/// A logged-in implementation that takes everything.
async fn implementation((name, version): (&str, &str)) -> Stage {
    let stage = Stage::of("onebot11").await.leaping().unpaced();
    let product = json!({"app_name": name, "app_version": version, "protocol_version": "v11"});
    stage.im.on("/get_version_info", ok(product));
    stage
}

fn room() -> Target {
    group("123456")
}

/// The segments of all messages sent, as `type:…` in order, one line per message.
fn messages(stage: &Stage) -> Vec<String> {
    let one = |segment: &Value| {
        let data = &segment["data"];
        let value = ["text", "qq", "file"].iter().find_map(|key| data[key].as_str()).unwrap_or_default();
        format!("{}:{value}", segment["type"].as_str().unwrap())
    };
    let message = |request: &crate::common::fake_im::Request| {
        request.json()["message"].as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(" ")
    };
    stage.im.requests_to("/send_").iter().map(message).collect()
}

#[tokio::test]
async fn a_text_goes_to_groups_and_users_as_segments_in_plain_ascii() {
    let stage = implementation(NAPCAT).await;
    // LLBot's ids may be negative, which is no failure.
    stage.im.on("/send_", ok(json!({"message_id": -1489223011})));
    let mut delivery = text(room(), "早报 [CQ:at,qq=all]\n😀");
    let report = stage.sender().send(&delivery).await;
    assert_eq!(report.outcome, Outcome::Sent);
    assert_eq!((report.message_id.as_deref(), report.http_status), (Some("-1489223011"), Some(200)));
    delivery.target = user("10001");
    stage.sender().send(&delivery).await;

    let requests = stage.im.requests();
    assert_eq!(stage.im.paths(), ["/send_group_msg", "/send_private_msg"], "a text needs no other call");
    let message = json!([{"type": "text", "data": {"text": "早报 [CQ:at,qq=all]\n😀"}}]);
    assert_eq!(requests[0].json(), json!({"group_id": "123456", "message": message}));
    assert_eq!(requests[1].json(), json!({"user_id": "10001", "message": message}));
    for request in &requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("authorization"), Some("Bearer CANARY"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.query.is_empty());
        assert!(request.body.is_ascii());
    }
}

#[tokio::test]
async fn a_long_text_goes_in_parts_and_a_retry_starts_at_the_first_part_not_sent() {
    let stage = implementation(NAPCAT).await;
    let timeout = failed(
        200,
        "Timeout: NTEvent serviceAndMethod:NodeIKernelMsgService/sendMsg EventRet:\n{\n    \"result\": 0\n}",
    );
    stage.im.script("/send_", [ok(json!({"message_id": 1})), timeout, ok(json!({"message_id": 2}))]);
    let (bot, mut delivery) = (stage.sender(), text(room(), &"字".repeat(9000)));
    let report = bot.send(&delivery).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    let outcomes: Vec<_> = report.parts.iter().map(|part| (part.part.as_str(), part.outcome.as_str())).collect();
    assert_eq!(outcomes, [("text 1/3", "sent"), ("text 2/3", "unknown")]);

    delivery.attempt = 2;
    delivery.parts = report.parts;
    let report = bot.send(&delivery).await;
    assert_eq!((report.outcome, report.message_id.as_deref()), (Outcome::Sent, Some("1")));
    let lengths: Vec<_> = messages(&stage).iter().map(|message| message.chars().count() - "text:".len()).collect();
    assert_eq!(lengths, [4000, 4000, 4000, 1000]);
}

/// Every kind through every implementation: the calls made, with the base64 of the content `png` as `cG5n`.
#[tokio::test]
async fn each_kind_goes_as_the_implementation_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<((&str, &str), &str, Result<&str, &str>)> = vec![
        (NAPCAT, "image", Ok("image:base64://cG5n")),
        (NAPCAT, "voice", Ok("record:base64://cG5n")),
        (NAPCAT, "video", Ok("video:base64://cG5n")),
        (NAPCAT, "file", Ok("file:base64://cG5n")),
        (LLBOT, "video", Ok("video:base64://cG5n")),
        (LLBOT, "file", Ok("file:base64://cG5n")),
        (LAGRANGE, "image", Ok("image:base64://cG5n")),
        (LAGRANGE, "voice", Ok("record:base64://cG5n")),
        (LAGRANGE, "video", Ok("video:base64://cG5n")),
        (LAGRANGE, "file", Err("Lagrange takes a file by path only: set local_files")),
        (GO_CQHTTP, "image", Ok("image:base64://cG5n")),
        (GO_CQHTTP, "voice", Ok("record:base64://cG5n")),
        (GO_CQHTTP, "video", Err("go-cqhttp takes a video by path or address only")),
        (GO_CQHTTP, "file", Err("go-cqhttp takes a file by path or address only")),
        (ANOTHER, "image", Ok("image:base64://cG5n")),
        (ANOTHER, "file", Ok("upload_group_file base64://cG5n")),
    ];
    for (product, kind, expected) in rows {
        let stage = implementation(product).await;
        let body = match kind {
            "image" => Body::Image(media()),
            "voice" => Body::Voice(media()),
            "video" => Body::Video(media()),
            _ => Body::File(media()),
        };
        let report = stage.sender().send(&delivery(room(), body, vec![file(&dir, "a.png", "image/png", b"png")])).await;
        match expected {
            Ok(expected) => {
                assert_eq!(report.outcome, Outcome::Sent, "{product:?} {kind}: {report:?}");
                let uploads = stage.im.requests_to("/upload_").into_iter().map(|request| {
                    assert_eq!(
                        (&request.json()["name"], &request.json()["upload_file"]),
                        (&json!("a.png"), &json!(true))
                    );
                    format!("{} {}", &request.path[1..], request.json()["file"].as_str().unwrap())
                });
                let sent: Vec<String> = messages(&stage).into_iter().chain(uploads).collect();
                assert_eq!(sent, [expected], "{product:?} {kind}");
            }
            Err(expected) => {
                assert_eq!(report.outcome, Outcome::Rejected, "{product:?} {kind}");
                assert!(report.error.as_deref().unwrap().contains(expected), "{report:?}");
                assert!(messages(&stage).is_empty());
            }
        }
    }
}

#[tokio::test]
async fn files_travel_by_path_where_the_implementation_reads_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let attachment = file(&dir, "日报 #1.pdf", "application/pdf", b"pdf");
    let url = url::Url::from_file_path(&attachment.path).unwrap().to_string();
    assert!(url.ends_with("/%E6%97%A5%E6%8A%A5%20%231.pdf"), "{url}");
    let path = attachment.path.display().to_string();
    for product in [NAPCAT, LLBOT, LAGRANGE, GO_CQHTTP, ANOTHER] {
        let stage = implementation(product).await;
        let bot = stage.with(&[("local_files", "true")]);
        for body in [Body::Image(media()), Body::Video(media()), Body::File(media())] {
            assert_eq!(bot.send(&delivery(room(), body, vec![attachment.clone()])).await.outcome, Outcome::Sent);
        }
        let (image, video, document) = (format!("image:{url}"), format!("video:{url}"), format!("file:{url}"));
        if product == NAPCAT || product == LLBOT {
            assert_eq!(messages(&stage), [image, video, document]);
        } else {
            assert_eq!(messages(&stage), [image, video]);
            let upload = stage.im.request("/upload_group_file").json();
            assert_eq!(upload["file"], path, "not as an address");
            assert_eq!(upload["group_id"], "123456");
        }
    }
}

#[tokio::test]
async fn go_cqhttp_fetches_the_address_of_a_video_or_file_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let stage = implementation(GO_CQHTTP).await;
    stage.im.on("/download_file", ok(json!({"file": "/data/cache/x.cache"})));
    let mut attachment = file(&dir, "a.mp4", "video/mp4", b"film");
    attachment.url = Some("https://example.com/a.mp4".into());
    let bot = stage.sender();
    let mut delivery = delivery(room(), Body::Video(media()), vec![attachment]);
    assert_eq!(bot.send(&delivery).await.outcome, Outcome::Sent);
    assert_eq!(messages(&stage), ["video:https://example.com/a.mp4"]);

    delivery.message.body = Body::File(media());
    delivery.target = user("10001");
    assert_eq!(bot.send(&delivery).await.outcome, Outcome::Sent);
    assert_eq!(stage.im.request("/download_file").json()["url"], "https://example.com/a.mp4");
    let upload = stage.im.request("/upload_private_file").json();
    assert_eq!(
        upload,
        json!({"user_id": "10001", "file": "/data/cache/x.cache", "name": "a.mp4", "upload_file": true})
    );
}

#[tokio::test]
async fn a_video_brings_its_cover_under_the_name_that_the_implementation_knows() {
    let dir = tempfile::tempdir().unwrap();
    let mut film = file(&dir, "a.mp4", "video/mp4", b"film");
    film.cover = Some(Box::new(file(&dir, "c.png", "image/png", b"png")));
    for (product, key) in [(NAPCAT, Some("thumb")), (LLBOT, Some("thumb")), (LAGRANGE, None)] {
        let stage = implementation(product).await;
        stage.sender().send(&delivery(room(), Body::Video(media()), vec![film.clone()])).await;
        let data = stage.im.request("/send_group_msg").json()["message"][0]["data"].clone();
        let mut expected = json!({"file": "base64://ZmlsbQ=="});
        if let Some(key) = key {
            expected[key] = json!("base64://cG5n");
        }
        assert_eq!(data, expected);
    }
}

fn everything(dir: &TempDir) -> pushcron::domain::Delivery {
    let items = vec![
        Item::Text { text: "早".into() },
        Item::Image(captioned("chart")),
        Item::At { user: "10002".into() },
        Item::Text { text: "look".into() },
        Item::Voice(media()),
        Item::AtAll,
        Item::Markdown { text: "**end**".into() },
        Item::File(media()),
    ];
    let files = vec![
        file(dir, "a.png", "image/png", b"png"),
        file(dir, "b.wav", "audio/wav", b"wav"),
        file(dir, "c.pdf", "application/pdf", b"pdf"),
    ];
    mixed(room(), items, files)
}

#[tokio::test]
async fn a_mixed_message_keeps_its_order_over_several_sends() {
    let dir = tempfile::tempdir().unwrap();
    let stage = implementation(NAPCAT).await;
    let report = stage.sender().send(&everything(&dir)).await;
    assert_eq!(report.outcome, Outcome::Sent);
    let parts: Vec<_> = report.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(parts, ["mixed 1/4", "voice 2/4", "text 3/4", "file 4/4"]);
    assert_eq!(report.note.as_deref(), Some("markdown as text"));
    assert_eq!(
        messages(&stage),
        [
            "text:早 image:base64://cG5n text:chart at:10002 text: look",
            "record:base64://d2F2",
            "at:all text: end",
            "file:base64://cGRm",
        ]
    );
}

#[tokio::test]
async fn mentions_in_a_private_chat_are_words() {
    let stage = implementation(NAPCAT).await;
    let items = vec![Item::At { user: "7".into() }, Item::AtAll];
    assert_eq!(
        stage.sender().send(&mixed(user("10001"), items, vec![])).await.note.as_deref(),
        Some("mentions as text")
    );
    assert_eq!(messages(&stage), ["text:@7 text:@全体成员"]);
}

#[tokio::test]
async fn napcat_is_told_to_give_up_before_we_do() {
    let dir = tempfile::tempdir().unwrap();
    let stage = implementation(NAPCAT).await;
    let bot = stage.sender();
    assert_eq!(bot.probe().await, Probe::up());
    bot.send(&text(room(), "hi")).await;
    bot.send(&delivery(room(), Body::Image(media()), vec![file(&dir, "a.png", "image/png", &[0; 1 << 20])])).await;
    let waits: Vec<_> =
        stage.im.requests_to("/send_").iter().map(|request| request.json()["timeout"].as_u64().unwrap()).collect();
    // Of our 8 s: all but 2 s, and 4 s for a MiB.
    assert_eq!(waits, [6000, 10_002]);
}

#[tokio::test]
async fn a_large_file_reaches_napcat_in_chunks_that_add_up_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..11 * 1024 * 1024 + 5).map(|i| (i % 253) as u8).collect();
    let stage = implementation(NAPCAT).await;
    stage.im.handle("/upload_file_stream", |request| {
        // As NapCat does: with line ends behind the JSON and no JSON type.
        let data = match request.json().get("is_complete") {
            Some(_) => json!({"type": "response", "status": "file_complete", "file_path": "/tmp/napcat/film.mp4"}),
            None => json!({"type": "stream", "status": "chunk_received"}),
        };
        let envelope = json!({"status": "ok", "retcode": 0, "data": data, "stream": "stream-action"});
        Answer::text(200, format!("{envelope}\r\n\r\n"))
    });
    let film = file(&dir, "film.mp4", "video/mp4", &content);
    let report = stage.sender().send(&delivery(room(), Body::Video(media()), vec![film.clone()])).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(messages(&stage), ["video:/tmp/napcat/film.mp4"]);

    let mut requests = stage.im.requests_to("/upload_file_stream");
    let end = requests.pop().unwrap().json();
    assert_eq!(end, json!({"stream_id": requests[0].json()["stream_id"], "is_complete": true}));
    let mut received = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        use base64::Engine as _;
        let chunk = request.json();
        assert_eq!((&chunk["chunk_index"], &chunk["total_chunks"]), (&json!(index), &json!(12)));
        assert_eq!((&chunk["file_size"], &chunk["expected_sha256"]), (&json!(content.len()), &json!(film.sha256)));
        let data = chunk["chunk_data"].as_str().unwrap();
        received.extend(base64::engine::general_purpose::STANDARD.decode(data).unwrap());
    }
    assert!(received == content, "the chunks add up to the file");
}

#[tokio::test]
async fn an_upload_that_breaks_leaves_nothing_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let film = file(&dir, "film.mp4", "video/mp4", &vec![0; 11 * 1024 * 1024]);
    for (answer, outcome) in [
        (Answer::Reset, Outcome::Unreachable),
        (Answer::status(502), Outcome::Unreachable),
        (failed(200, "Memory limit exceeded"), Outcome::Unreachable),
        (failed(1400, "chunk_data: required"), Outcome::Rejected),
    ] {
        let stage = implementation(NAPCAT).await;
        stage.im.on("/upload_file_stream", answer);
        let report = stage.sender().send(&delivery(room(), Body::Video(media()), vec![film.clone()])).await;
        assert_eq!(report.outcome, outcome, "{report:?}");
        assert!(report.error.unwrap().starts_with("upload_file_stream: "));
        assert!(messages(&stage).is_empty());
    }
}

#[tokio::test]
async fn what_an_implementation_drops_in_silence_is_told_by_reading_back() {
    let dir = tempfile::tempdir().unwrap();
    let picture = || delivery(room(), Body::Image(media()), vec![file(&dir, "a.png", "image/png", b"png")]);
    let to_all = || mixed(room(), vec![Item::AtAll, Item::Text { text: "hi".into() }], vec![]);
    let back = |message: Value| ok(json!({"message_id": 42, "message": message}));
    let rows = [
        (GO_CQHTTP, picture(), back(json!("[CQ:image,file=a.image]")), Outcome::Sent, None),
        (GO_CQHTTP, picture(), back(json!("")), Outcome::Rejected, Some("dropped 1 of 1 media")),
        (GO_CQHTTP, picture(), back(json!([])), Outcome::Rejected, Some("dropped 1 of 1 media")),
        (GO_CQHTTP, picture(), failed(100, "MSG_NOT_FOUND"), Outcome::Sent, None),
        (GO_CQHTTP, picture(), Answer::Reset, Outcome::Sent, None),
        (LLBOT, to_all(), back(json!([{"type": "text", "data": {"text": "hi"}}])), Outcome::Sent, Some("without @all")),
        (LLBOT, to_all(), back(json!([{"type": "at", "data": {"qq": "all"}}])), Outcome::Sent, None),
    ];
    for (product, delivery, answer, outcome, words) in rows {
        let stage = implementation(product).await;
        stage.im.on("/get_msg", answer.clone());
        let report = stage.sender().send(&delivery).await;
        assert_eq!(report.outcome, outcome, "{answer:?}: {report:?}");
        assert_eq!(stage.im.request("/get_msg").json(), json!({"message_id": "42"}));
        let told = report.error.or(report.note);
        assert_eq!(told.is_some(), words.is_some(), "{told:?}");
        assert!(words.is_none_or(|words| told.unwrap().contains(words)));
    }
    let stage = implementation(NAPCAT).await;
    stage.sender().send(&picture()).await;
    assert!(stage.im.requests_to("/get_msg").is_empty(), "NapCat tells by itself");
}

/// What each implementation answers to each mistake (qq.md §1.1), and the class that it means.
#[tokio::test]
async fn each_implementations_own_answers_lead_to_their_class() {
    let stage = implementation(NAPCAT).await;
    let bot = stage.sender();
    let html = "<html>Bad Gateway</html>";
    let rows = [
        (Answer::status(401).header("www-authenticate", "Bearer"), Outcome::AccountDown),
        (Answer::json(403, json!({"message": "token verify failed!"})), Outcome::AccountDown),
        (Answer::text(400, "Invalid JSON"), Outcome::Rejected),
        (failed(400, "Unexpected token"), Outcome::Rejected),
        (Answer::status(404), Outcome::Rejected),
        (failed(404, ""), Outcome::Rejected),
        (failed(200, "不支持的Api send_group_msg"), Outcome::Rejected),
        (Answer::status(406), Outcome::Rejected),
        (Answer::status(413), Outcome::Rejected),
        (Answer::status(429).header("retry-after", "3"), Outcome::Throttled { wait: Some(Duration::from_secs(3)) }),
        (Answer::text(502, html), Outcome::Unknown),
        (Answer::text(504, html), Outcome::Unknown),
        (Answer::text(200, html), Outcome::Unknown),
        (Answer::text(200, ""), Outcome::Unknown),
        (Answer::json(200, json!({"status": "ok"})), Outcome::Unknown),
        (Answer::json(200, json!({"status": "async", "retcode": 1, "data": null})), Outcome::Unknown),
        (Answer::json(200, json!({"status": "upload failed: x", "retcode": 200, "data": null})), Outcome::Unreachable),
        (failed(200, "消息体无法解析"), Outcome::Rejected),
        (Answer::Reset, Outcome::Unknown),
        // The number alone is a yes; beside a status that says no, or a sentence in its place, it is none.
        (Answer::json(202, json!({"retcode": 0})), Outcome::Sent),
        (Answer::json(200, json!({"status": "failed", "retcode": 0, "message": "群不存在"})), Outcome::TargetGone),
        (Answer::json(200, json!({"status": "the file is gone", "retcode": 0})), Outcome::Rejected),
        (Answer::json(200, json!({"status": "async", "retcode": 0})), Outcome::Unknown),
    ];
    for (answer, outcome) in rows {
        stage.im.on("/send_", answer.clone());
        let report = bot.send(&text(room(), "hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}: {report:?}");
        assert_eq!(report.error.is_none(), outcome == Outcome::Sent);
    }
}

#[tokio::test]
async fn an_implementation_that_is_not_there_is_unreachable_and_offline() {
    let refused = Refused::new();
    let bot = Bench::new().sender("onebot11", &[("url", &refused.url())]);
    assert_eq!(bot.send(&text(room(), "hi")).await.outcome, Outcome::Unreachable);
    let probe = bot.probe().await;
    assert_eq!((probe.online, probe.sendable), (Some(false), Some(false)));
    assert!(probe.error.unwrap().starts_with("get_status: cannot connect"));
}

#[tokio::test]
async fn a_probe_believes_the_implementation_and_checks_who_is_logged_in() {
    let offline = |error: &str| Probe::down(error);
    let unclear = Probe { online: None, sendable: None, error: None };
    let rows = [
        (json!({"online": true, "good": true}), "10001", Probe::up()),
        (json!({"online": true}), "10001", Probe::up()),
        (json!({"online": null, "good": true}), "10001", unclear),
        (json!({"online": false, "good": true}), "10001", offline("QQ is offline (get_status)")),
        (json!({"online": true, "good": false}), "10001", offline("QQ is offline (get_status)")),
        (json!({"online": true, "good": true}), "999", offline("logged in as '10001', expected self_id 999")),
    ];
    for (status, self_id, expected) in rows {
        let stage = implementation(LLBOT).await;
        stage.im.on("/get_status", ok(status.clone()));
        let bot = stage.with(&[("self_id", self_id)]);
        assert_eq!(bot.probe().await, expected, "{status}");
    }
    let stage = implementation(LLBOT).await;
    stage.im.on("/get_status", Answer::json(403, json!({"message": "token verify failed"})));
    let error = stage.sender().probe().await.error.unwrap();
    assert!(error.contains("HTTP 403") && !error.contains(CANARY), "{error}");
}

#[tokio::test]
async fn failures_of_one_target_after_the_other_look_like_risk_control() {
    let stage = implementation(NAPCAT).await;
    let swallowed = failed(200, "Timeout: NTEvent EventRet:\n{\n    \"result\": 0\n}");
    stage.im.on("/send_", swallowed);
    let (bot, clock) = (stage.sender(), &stage.bench.clock);
    for group in ["1", "2", "3"] {
        assert_eq!(bot.probe().await, Probe::up());
        assert_eq!(bot.send(&text(Target::Group(group.into()), "hi")).await.outcome, Outcome::Unknown);
    }
    let probe = bot.probe().await;
    assert_eq!((probe.online, probe.sendable), (Some(true), Some(false)));
    clock.advance(Duration::from_secs(600));
    assert_eq!(bot.probe().await, Probe::up(), "it gets a new chance");
    // The minutes pass while the machine sleeps, too, and no hour that is set brings the chance sooner or later.
    assert_eq!(bot.send(&text(group("4"), "hi")).await.outcome, Outcome::Unknown);
    for wall in [UtcMs(9_000_000_000), UtcMs(0)] {
        clock.step_wall_to(wall);
        assert_eq!(bot.probe().await.sendable, Some(false), "{wall}");
    }
    clock.suspend(Duration::from_secs(600));
    assert_eq!(bot.probe().await, Probe::up());
}

#[tokio::test]
async fn the_suspicion_of_risk_control_ends_with_the_cause_that_was_told() {
    let online = || ok(json!({"online": true, "good": true}));
    for told in [ok(json!({"online": false, "good": true})), Answer::json(403, json!({"message": "log in first"}))] {
        let stage = implementation(NAPCAT).await;
        stage.im.on("/send_", failed(200, "Timeout: NTEvent EventRet:\n{\n    \"result\": 0\n}"));
        let bot = stage.sender();
        let fail = async |groups: [&str; 3]| {
            for id in groups {
                assert_eq!(bot.send(&text(group(id), "hi")).await.outcome, Outcome::Unknown);
            }
        };
        fail(["1", "2", "3"]).await;
        assert_eq!(bot.probe().await.sendable, Some(false));
        // The account was offline, and says so; what goes out meanwhile fails as well.
        stage.im.on("/get_status", told);
        assert_eq!(bot.probe().await.online, Some(false));
        fail(["4", "5", "6"]).await;
        stage.im.on("/get_status", online());
        assert_eq!(bot.probe().await, Probe::up(), "it is back, and rests for nothing");
        fail(["1", "2", "3"]).await;
        assert_eq!(bot.probe().await.sendable, Some(false), "what fails from now on is suspected as ever");
    }
}
