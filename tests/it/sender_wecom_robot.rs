//! `wecom_robot` against a scripted server: what it sends, and what it makes of each answer.

use std::time::Duration;

use crate::common::deliveries::{delivery, group, media, mixed, next_attempt, outcomes, text, user};
use crate::common::fake_im::{Answer, Refused};
use crate::common::fake_wecom::{self, FakeWecom, Shown};
use crate::common::gate::AskGate;
use crate::common::platforms::CANARY as KEY;
use crate::common::senders::{Bench, Stage, account};
use pushcron::domain::message::Item;
use pushcron::domain::{Body, Outcome, Reason, UtcMs};
use pushcron::senders::Gate;
use serde_json::json;

fn ok() -> Answer {
    Answer::json(200, json!({"errcode": 0, "errmsg": "ok"}))
}

fn refused(code: i64) -> Answer {
    let errmsg = format!("no, hint: [{KEY}], from ip: 192.0.2.7");
    Answer::json(200, json!({"errcode": code, "errmsg": errmsg}))
}

fn uploaded(media_id: &str) -> Answer {
    let body = json!({"errcode": 0, "errmsg": "ok", "type": "file", "media_id": media_id, "created_at": "1767229200"});
    Answer::json(200, body)
}

#[tokio::test]
async fn a_text_goes_out_under_its_key() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    let report = robot.send(&text(group("ops"), "日报\nall fine")).await;
    assert_eq!((&report.outcome, report.http_status, &report.error), (&Outcome::Sent, Some(200), &None));

    let request = stage.im.request("/webhook/send");
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/cgi-bin/webhook/send"));
    assert_eq!(request.query["key"], KEY);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.json(), json!({"msgtype": "text", "text": {"content": "日报\nall fine", "mentioned_list": []}}));
}

#[tokio::test]
async fn a_long_text_is_split_by_bytes_and_a_retry_goes_on_where_it_stopped() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    stage.im.script("/webhook/send", [ok(), refused(-1), ok()]);
    let push = text(group("ops"), &"报".repeat(1500));
    let first = robot.send(&push).await;
    assert_eq!(first.outcome, Outcome::Throttled { wait: None });
    assert_eq!(outcomes(&first), ["sent", "throttled"]);
    let second = robot.send(&next_attempt(&push, &first)).await;
    assert_eq!(second.outcome, Outcome::Sent);

    let contents: Vec<String> =
        stage.sent().iter().map(|body| body["text"]["content"].as_str().unwrap().to_owned()).collect();
    assert!(contents.iter().all(|content| content.len() <= 2048), "each fits 2,048 bytes");
    assert_eq!(contents[1], contents[2], "only the part that failed is repeated");
    let arrived = [&contents[0], &contents[2], &contents[3]].map(String::as_str).concat();
    assert_eq!(arrived, "报".repeat(1500));
}

#[tokio::test]
async fn a_small_image_travels_inside_the_request() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    let png = stage.bench.file("a.png", "image/png", b"\x89PNG picture");
    let report = robot.send(&delivery(group("ops"), Body::Image(media()), vec![png])).await;
    assert_eq!((report.outcome, report.note), (Outcome::Sent, None));
    // As `openssl base64` and `md5sum` have it.
    let image = json!({"base64": "iVBORyBwaWN0dXJl", "md5": "545f88045018675104ab45154150d9aa"});
    assert_eq!(stage.sent(), [json!({"msgtype": "image", "image": image})]);
    assert_eq!(stage.im.requests_to("upload_media").len(), 0);
}

#[tokio::test]
async fn a_service_that_other_clients_proved_shows_every_kind() {
    let bench = Bench::new();
    let wecom = FakeWecom::start().await;
    let url = wecom.im.url(&format!("/cgi-bin/webhook/send?key={}", fake_wecom::KEY));
    let robot = bench.sender("wecom_robot", &[("url", &url), ("markdown", "markdown_v2")]);
    let items = vec![
        Item::Text { text: "日报".repeat(500) },
        Item::Markdown { text: "# done".into() },
        Item::Image(media()),
        Item::Voice(media()),
        Item::Video(media()),
        Item::File(media()),
    ];
    let files = vec![
        bench.file("a.png", "image/png", b"\x89PNG picture"),
        bench.file("a.amr", "audio/amr", &amr(3)),
        bench.file("a.mp4", "video/mp4", b"a film"),
        bench.file("报表.pdf", "application/pdf", b"%PDF document"),
    ];
    let report = robot.send(&mixed(group("ops"), items, files)).await;
    assert_eq!(outcomes(&report), ["sent"; 7]);
    let file = |kind: &str, name: &str, content: &[u8]| Shown::Media {
        kind: kind.into(),
        name: name.into(),
        content: content.to_vec(),
    };
    let shown = wecom.shown();
    assert!(matches!(&shown[..2], [Shown::Text(_), Shown::Text(_)]));
    let expected = [
        Shown::Markdown("# done".into()),
        file("image", "", b"\x89PNG picture"),
        file("voice", "a.amr", &amr(3)),
        file("file", "a.mp4", b"a film"),
        file("file", "报表.pdf", b"%PDF document"),
    ];
    assert_eq!(shown[2..], expected);
    assert_eq!(wecom.service().breaches, Vec::<String>::new());
}

/// An AMR recording of so many frames of 20 ms, each of the smallest mode.
fn amr(frames: usize) -> Vec<u8> {
    [b"#!AMR\n".to_vec(), [&[0x04][..], &[0; 12]].concat().repeat(frames)].concat()
}

#[tokio::test]
async fn every_kind_finds_the_form_that_the_platform_takes() {
    let big = 20 * 1024 * 1024 + 1;
    let rows: [(&str, &str, &str, Vec<u8>, &str, Option<&str>); 9] = [
        ("image", "a.jpg", "image/jpeg", vec![1; 9], "image", None),
        ("image", "a.gif", "image/gif", vec![1; 9], "file", Some("image as file")),
        ("image", "a.png", "image/png", vec![1; 2 * 1024 * 1024 + 1], "file", Some("image as file")),
        ("voice", "a.amr", "audio/amr", amr(3000), "voice", None),
        ("voice", "long.amr", "audio/amr", amr(3001), "file", Some("voice as file")),
        ("voice", "a.mp3", "audio/mpeg", vec![1; 9], "file", Some("voice as file")),
        ("video", "a.mp4", "video/mp4", vec![1; 9], "file", Some("video as file")),
        ("file", "报表.pdf", "application/pdf", vec![1; 9], "file", None),
        ("file", "big.zip", "application/zip", vec![1; big], "text", Some("file as link")),
    ];
    for (kind, name, mime_type, content, msgtype, note) in rows {
        let stage = Stage::of("wecom_robot").await;
        let robot = stage.sender();
        let mut file = stage.bench.file(name, mime_type, &content);
        file.url = Some("https://example.org/it".into());
        let body = match kind {
            "image" => Body::Image(media()),
            "voice" => Body::Voice(media()),
            "video" => Body::Video(media()),
            _ => Body::File(media()),
        };
        let report = robot.send(&delivery(group("ops"), body, vec![file])).await;
        assert_eq!((&report.outcome, report.note.as_deref()), (&Outcome::Sent, note), "{name}");
        let message = stage.sent().remove(0);
        assert_eq!(message["msgtype"], msgtype, "{name}");
        match msgtype {
            "file" | "voice" => {
                let upload = stage.im.request("/webhook/upload_media");
                assert_eq!((upload.query["key"].as_str(), upload.query["type"].as_str()), (KEY, msgtype));
                let head = format!("name=\"media\"; filename=\"{name}\"");
                assert!(upload.text().contains(&head), "{head} in {}", upload.text());
                assert!(upload.body.windows(content.len()).any(|window| window == content));
                assert_eq!(message[msgtype]["media_id"], "M1");
            }
            "text" => assert_eq!(message["text"]["content"], "big.zip\nhttps://example.org/it"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_file_too_large_or_too_small_without_an_address_is_rejected_unseen() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    for content in [vec![0; 5], vec![0; 20 * 1024 * 1024 + 1]] {
        let file = stage.bench.file("f", "application/zip", &content);
        let report = robot.send(&delivery(group("ops"), Body::File(media()), vec![file])).await;
        assert_eq!(report.outcome, Outcome::Rejected);
        assert!(report.error.unwrap().contains(&format!("{} bytes", content.len())));
    }
    assert_eq!(stage.im.requests().len(), 0);
}

#[tokio::test]
async fn a_mixed_message_keeps_its_order_and_its_mentions() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    let file = stage.bench.file("a.png", "image/png", b"\x89PNG picture");
    let items = vec![
        Item::Text { text: "look".into() },
        Item::At { user: "zhangsan".into() },
        Item::AtAll,
        Item::Image(media()),
        Item::Markdown { text: "**done**".into() },
        Item::AtAll,
    ];
    let report = robot.send(&mixed(group("ops"), items, vec![file])).await;
    assert_eq!(outcomes(&report), ["sent"; 4]);
    let messages = stage.sent();
    assert_eq!(messages[0]["text"], json!({"content": "look <@zhangsan>", "mentioned_list": ["@all"]}));
    assert_eq!(messages[1]["msgtype"], "image");
    assert_eq!(messages[2], json!({"msgtype": "markdown", "markdown": {"content": "**done**"}}));
    assert_eq!(messages[3]["text"], json!({"content": "@all", "mentioned_list": ["@all"]}));
}

#[tokio::test]
async fn an_upload_serves_for_three_days_and_over_a_restart() {
    let stage = Stage::of("wecom_robot").await;
    let first = stage.sender();
    let push = |name| {
        let file = stage.bench.file(name, "application/pdf", b"the same content");
        delivery(group("ops"), Body::File(media()), vec![file])
    };
    assert_eq!(first.send(&push("a.pdf")).await.outcome, Outcome::Sent);
    let restarted = stage.sender();
    stage.bench.clock.advance(Duration::from_secs(70 * 3600));
    assert_eq!(restarted.send(&push("b.pdf")).await.outcome, Outcome::Sent);
    assert_eq!(stage.im.requests_to("upload_media").len(), 1);
    stage.bench.clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(restarted.send(&push("c.pdf")).await.outcome, Outcome::Sent);
    assert_eq!(stage.im.requests_to("upload_media").len(), 2);
}

#[tokio::test]
async fn a_forgotten_upload_is_made_again_once() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    stage.im.script("/webhook/upload_media", [uploaded("M1"), uploaded("M2"), uploaded("M3")]);
    stage.im.script("/webhook/send", [ok(), refused(40007), ok(), refused(40007)]);
    let file = stage.bench.file("a.pdf", "application/pdf", b"the content");
    let push = delivery(group("ops"), Body::File(media()), vec![file]);
    assert_eq!(robot.send(&push).await.outcome, Outcome::Sent);
    assert_eq!(robot.send(&push).await.outcome, Outcome::Sent);
    assert_eq!(stage.sent()[2]["file"]["media_id"], "M2");
    assert_eq!(robot.send(&push).await.outcome, Outcome::Rejected, "the second refusal stands");
    assert_eq!(stage.im.requests_to("upload_media").len(), 3);
}

#[tokio::test]
async fn a_form_that_is_refused_is_followed_by_the_next() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    stage.im.script("/webhook/upload_media", [refused(301_017), refused(45001)]);
    let mut file = stage.bench.file("a.amr", "audio/amr", &amr(10));
    file.url = Some("https://example.org/a.amr".into());
    let report = robot.send(&delivery(group("ops"), Body::Voice(media()), vec![file])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("voice as link")));
    let forms: Vec<String> =
        stage.im.requests_to("upload_media").iter().map(|upload| upload.query["type"].clone()).collect();
    assert_eq!(forms, ["voice", "file"]);
}

#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_the_pace_nor_stops_it() {
    for step in [-86_400_000, 86_400_000] {
        let stage = Stage::of("wecom_robot").await;
        let robot = stage.sender();
        let target = group("ops");
        for _ in 0..20 {
            assert_eq!(robot.send(&text(target.clone(), "hi")).await.outcome, Outcome::Sent);
        }
        stage.bench.clock.step_wall_to(UtcMs(stage.bench.now().0 + step));
        let Gate::Closed { until: Some(until), .. } = robot.gate(&target, None, stage.bench.now()) else {
            panic!("{step}: forgotten");
        };
        let left = Duration::from_millis(u64::try_from(until.ms_since(stage.bench.now())).unwrap());
        assert!((59..=61).contains(&left.as_secs()), "{step}: {left:?}");
        stage.bench.clock.advance(left);
        assert_eq!(robot.gate(&target, None, stage.bench.now()), Gate::Open, "{step}");
    }
}

#[tokio::test]
async fn the_twenty_first_message_of_a_minute_is_not_even_tried() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    let target = group("ops");
    for _ in 0..20 {
        assert_eq!(robot.gate(&target, None, stage.bench.now()), Gate::Open);
        assert_eq!(robot.send(&text(target.clone(), "hi")).await.outcome, Outcome::Sent);
        stage.bench.clock.advance(Duration::from_secs(1));
    }
    let Gate::Closed { reason: Reason::RateLimit, until: Some(until) } = robot.gate(&target, None, stage.bench.now())
    else {
        panic!("the gate is open");
    };
    assert!((40_000..=42_000).contains(&until.ms_since(stage.bench.now())), "the first one leaves the minute: {until}");
    let report = robot.send(&text(target.clone(), "hi")).await;
    assert!(matches!(report.outcome, Outcome::Throttled { wait: Some(_) }), "{report:?}");
    assert_eq!(stage.im.requests().len(), 20);

    let restarted = stage.sender();
    restarted.probe().await;
    assert!(
        matches!(restarted.gate(&target, None, stage.bench.now()), Gate::Closed { .. }),
        "a restart forgets nothing"
    );
    stage.bench.clock.advance(Duration::from_millis(u64::try_from(until.ms_since(stage.bench.now())).unwrap()));
    assert_eq!(restarted.gate(&target, None, stage.bench.now()), Gate::Open);
    stage.bench.clock.step_wall_to(UtcMs(stage.bench.now().0 - 86_400_000));
    assert_eq!(
        restarted.gate(&target, None, stage.bench.now()),
        Gate::Open,
        "a clock set back does not lock the robot"
    );
}

#[tokio::test]
async fn what_never_left_does_not_count() {
    let bench = Bench::new();
    let nobody = Refused::new();
    let address = format!("{}/cgi-bin/webhook/send?key={KEY}", nobody.url());
    let robot = bench.sender("wecom_robot", &[("url", &address)]);
    for _ in 0..25 {
        assert_eq!(robot.send(&text(group("ops"), "hi")).await.outcome, Outcome::Unreachable);
    }
    assert_eq!(robot.gate(&group("ops"), None, bench.now()), Gate::Open);
}

#[tokio::test]
async fn too_often_waits_longer_each_time() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    stage.im.script("/webhook/send", [refused(45009), refused(45009), ok(), refused(45009)]);
    let push = text(group("ops"), "hi");
    let mut wait = Duration::ZERO;
    for expected in [60, 120] {
        let Outcome::Throttled { wait: Some(told) } = robot.send(&push).await.outcome else { panic!("not throttled") };
        assert_eq!(told, Duration::from_secs(expected));
        let until = Some(stage.bench.now() + told);
        assert_eq!(
            robot.gate(&push.target, None, stage.bench.now()),
            Gate::Closed { reason: Reason::RateLimit, until }
        );
        stage.bench.clock.advance(told);
        wait += told;
    }
    assert_eq!(robot.send(&push).await.outcome, Outcome::Sent);
    let report = robot.send(&push).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: Some(Duration::from_secs(60)) }, "a success forgives");
}

/// The sheet asks for a minute at least; what a gateway tells in the head can only be longer.
#[tokio::test]
async fn a_wait_that_is_told_is_kept_where_it_is_longer() {
    for (code, told, expected) in [(45009, "7", 60_000), (45009, "90.5", 90_500), (-1, "2.5", 2_500)] {
        let stage = Stage::of("wecom_robot").await;
        let robot = stage.sender();
        stage.im.on("/webhook/send", refused(code).header("retry-after", told));
        let report = robot.send(&text(group("ops"), "hi")).await;
        let wait = Some(Duration::from_millis(expected));
        assert_eq!(report.outcome, Outcome::Throttled { wait }, "{code} {told}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_class_and_no_text_shows_the_key() {
    let throttled = |seconds| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let rows: Vec<(Answer, Outcome)> = vec![
        (refused(-1), Outcome::Throttled { wait: None }),
        (refused(6000), Outcome::Throttled { wait: None }),
        (refused(40014), Outcome::AccountDown),
        (refused(42001), Outcome::AccountDown),
        (refused(41001), Outcome::Rejected),
        (refused(40001), Outcome::AccountDown),
        (refused(40013), Outcome::AccountDown),
        (refused(40056), Outcome::AccountDown),
        (refused(41011), Outcome::AccountDown),
        (refused(40003), Outcome::TargetGone),
        (refused(60111), Outcome::TargetGone),
        (refused(81013), Outcome::TargetGone),
        (refused(82001), Outcome::Rejected),
        (refused(40031), Outcome::Rejected),
        (refused(40033), Outcome::Rejected),
        (refused(40007), Outcome::Rejected),
        (refused(40004), Outcome::Rejected),
        (refused(40009), Outcome::Rejected),
        (refused(45001), Outcome::Rejected),
        (refused(40008), Outcome::Rejected),
        (refused(40035), Outcome::Rejected),
        (refused(40058), Outcome::Rejected),
        (refused(40063), Outcome::Rejected),
        (refused(44001), Outcome::Rejected),
        (refused(44004), Outcome::Rejected),
        (refused(45002), Outcome::Rejected),
        (refused(45008), Outcome::Rejected),
        (refused(45009), throttled(60)),
        (refused(45033), throttled(60)),
        (refused(48002), Outcome::AccountDown),
        (refused(50002), Outcome::Rejected),
        (refused(50003), Outcome::AccountDown),
        (refused(60011), Outcome::Rejected),
        (refused(301_002), Outcome::AccountDown),
        (refused(60020), Outcome::AccountDown),
        (refused(85002), Outcome::Rejected),
        (refused(86001), Outcome::TargetGone),
        (refused(86003), Outcome::TargetGone),
        (refused(86008), Outcome::TargetGone),
        (refused(93000), Outcome::AccountDown),
        (refused(93004), Outcome::AccountDown),
        (refused(93008), Outcome::AccountDown),
        (refused(301_016), Outcome::Rejected),
        (refused(987_654), Outcome::Rejected),
        (Answer::json(200, json!({"errmsg": "ok"})), Outcome::Unknown),
        (Answer::text(200, "<html>welcome</html>"), Outcome::Unknown),
        (Answer::text(401, KEY), Outcome::AccountDown),
        (Answer::text(404, KEY), Outcome::Rejected),
        (Answer::text(429, KEY).header("retry-after", "7"), throttled(7)),
        (Answer::text(500, KEY), Outcome::Unknown),
        (Answer::text(502, KEY), Outcome::Unknown),
        (Answer::text(302, "").header("location", "http://example.org/"), Outcome::Rejected),
        (Answer::Reset, Outcome::Unknown),
        (Answer::ResetInBody { status: 200 }, Outcome::Unknown),
    ];
    for (answer, outcome) in rows {
        let stage = Stage::of("wecom_robot").await;
        let robot = stage.sender();
        stage.im.on("/webhook/send", answer.clone());
        let report = robot.send(&text(group("ops"), "hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}: {report:?}");
        let error = report.error.unwrap();
        assert!(!error.contains(KEY), "{error}");
        if matches!(&answer, Answer::Reply { body, .. } if body.starts_with(b"{\"errcode")) {
            assert!(error.contains("errcode") && error.contains("192.0.2.7"), "{error}");
        }
    }
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_a_broken_upload_is_no_riddle() {
    let refused_port = Refused::new();
    let address = format!("{}/cgi-bin/webhook/send?key={KEY}", refused_port.url());
    let robot_of_nobody = Bench::new().sender("wecom_robot", &[("url", &address)]);
    let report = robot_of_nobody.send(&text(group("ops"), "hi")).await;
    assert_eq!(report.outcome, Outcome::Unreachable);
    assert!(!report.error.unwrap().contains(KEY));

    let stage = Stage::of("wecom_robot").await;
    let robot = stage.sender();
    for answer in [Answer::Reset, Answer::text(502, ""), Answer::json(200, json!({"errcode": 0}))] {
        stage.im.on("/webhook/upload_media", answer);
        let file = stage.bench.file("a.pdf", "application/pdf", b"content");
        let report = robot.send(&delivery(group("ops"), Body::File(media()), vec![file])).await;
        assert_eq!(report.outcome, Outcome::Unreachable, "nobody sees an upload: {report:?}");
    }
    assert_eq!(stage.sent().len(), 0);
}

#[tokio::test]
async fn a_robot_speaks_only_in_its_group() {
    let stage = Stage::of("wecom_robot").await;
    let robot = stage.with(&[("group", "ops")]);
    assert_eq!(robot.send(&text(group("ops"), "hi")).await.outcome, Outcome::Sent);
    for target in [group("dev"), user("zhangsan")] {
        let report = robot.send(&text(target, "hi")).await;
        assert_eq!(report.outcome, Outcome::Rejected);
    }
    assert_eq!(stage.im.requests().len(), 1);
}

#[tokio::test]
async fn an_address_without_a_key_is_refused_when_the_robot_is_made() {
    let bench = Bench::new();
    for url in ["https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "https://qyapi.weixin.qq.com/?key=K", "nonsense"] {
        let problem = bench.try_build(&account("wecom_robot", &[("url", url)])).err().unwrap().to_string();
        assert!(problem.starts_with("account bot: url: "), "{problem}");
    }
}
