//! The dingtalk_robot sender against a scripted server: what it asks, and what it makes of every answer (others.md §3).

use std::time::Duration;

use crate::common::deliveries::{NOW, captioned, delivery, group, media, mixed, online, text, text_item};
use crate::common::fake_im::{Answer, Refused};
use crate::common::gate::AskGate;
use crate::common::senders::{Bench, Stage, account};
use pushcron::domain::{Body, Delivery, Item, Outcome, Reason, Report, Target};
use pushcron::senders::{Gate, Probe};
use serde_json::json;

const PATH: &str = "/robot/send";

fn refused(errcode: i64, errmsg: &str) -> Answer {
    Answer::json(200, json!({"errcode": errcode, "errmsg": errmsg}))
}

fn room() -> Target {
    group("ops")
}

fn push() -> Delivery {
    text(room(), "a")
}

#[tokio::test]
async fn a_text_is_signed_in_its_address() {
    let stage = Stage::of("dingtalk_robot").await;
    let report = stage.with(&[("secret", "SECdemo")]).send(&text(room(), "hi")).await;
    assert_eq!(report, Report::sent(None).with_status(200));
    let request = stage.im.request(PATH);
    assert_eq!(request.query["access_token"], "CANARY-TOKEN");
    assert_eq!(request.query["timestamp"], NOW.0.to_string());
    // Encoded once: what the server decodes is base64 again.
    assert!(request.query["sign"].len() == 44 && request.query["sign"].ends_with('='), "{:?}", request.query);
    assert_eq!(request.json(), json!({"msgtype": "text", "text": {"content": "hi"}}));
}

#[tokio::test]
async fn a_mixed_message_is_one_markdown_in_reading_order() {
    let stage = Stage::of("dingtalk_robot").await;
    let items = vec![
        text_item("two\nlines"),
        Item::Image(captioned("cap")),
        Item::File(media()),
        Item::Markdown { text: "**m**".into() },
        Item::At { user: "13800000000".into() },
        Item::At { user: "u1".into() },
        Item::AtAll,
    ];
    let files = vec![
        online(stage.bench.file("a[1].png", "image/png", b"x"), "https://a.test/(a).png"),
        online(stage.bench.file("b.pdf", "application/pdf", b"x"), "https://a.test/b.pdf"),
    ];
    let report = stage.sender().send(&mixed(room(), items, files)).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("image as link, file as link")));
    let markdown = "two  \nlines\n\n![a1.png](https://a.test/%28a%29.png)\n\ncap\n\n[b.pdf](https://a.test/b.pdf)\n\n\
                    **m**  \n@13800000000 @u1 @all";
    let expected = json!({
        "msgtype": "markdown", "markdown": {"title": "daily-report", "text": markdown},
        "at": {"atMobiles": ["13800000000"], "atUserIds": ["u1"], "isAtAll": true},
    });
    assert_eq!(stage.sent(), [expected]);
}

#[tokio::test]
async fn texts_with_mentions_stay_texts_and_media_without_an_address_are_refused() {
    let stage = Stage::of("dingtalk_robot").await;
    let items = vec![Item::AtAll, text_item("hi")];
    stage.sender().send(&mixed(room(), items, vec![])).await;
    assert_eq!(
        stage.sent()[0],
        json!({"msgtype": "text", "text": {"content": "@all hi"},
            "at": {"atMobiles": [], "atUserIds": [], "isAtAll": true}})
    );
    let file = stage.bench.file("a.png", "image/png", b"x");
    let report = stage.sender().send(&delivery(room(), Body::Image(media()), vec![file])).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    assert!(report.error.unwrap().contains("media 1 ('a.png')"));
    assert_eq!(stage.sent().len(), 1);
}

#[tokio::test]
async fn a_long_text_goes_in_parts_and_only_the_first_calls() {
    let stage = Stage::of("dingtalk_robot").await;
    let long = "\"早\"\n".repeat(5000);
    let items = vec![Item::AtAll, text_item(&long)];
    let report = stage.sender().send(&mixed(room(), items, vec![])).await;
    assert_eq!(report.outcome, Outcome::Sent);
    let requests = stage.im.requests();
    assert!(requests.len() > 1 && requests.iter().all(|request| request.body.len() < 20_000));
    let calls: Vec<bool> = stage.sent().iter().map(|body| body.get("at").is_some()).collect();
    assert!(calls[0] && calls[1..].iter().all(|call| !call));
    let all: String = requests.iter().map(|request| request.text()).collect();
    assert_eq!(all.matches('早').count(), 5000);
}

#[tokio::test]
async fn the_twenty_first_message_of_a_minute_waits_and_spends_no_attempt() {
    let stage = Stage::of("dingtalk_robot").await;
    let robot = stage.sender();
    for _ in 0..20 {
        assert_eq!(robot.gate(&room(), None, NOW), Gate::Open);
        assert_eq!(robot.send(&push()).await.outcome, Outcome::Sent);
    }
    let minute = Duration::from_secs(60);
    assert_eq!(robot.gate(&room(), None, NOW), Gate::Closed { reason: Reason::RateLimit, until: Some(NOW + minute) });
    let report = robot.send(&push()).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: Some(minute) });
    // A restart knows it too.
    assert_eq!(stage.sender().send(&push()).await.outcome, Outcome::Throttled { wait: Some(minute) });
    assert_eq!(stage.im.requests().len(), 20);
    stage.bench.clock.advance(minute);
    assert_eq!(robot.gate(&room(), None, NOW + minute), Gate::Open);
    assert_eq!(robot.send(&push()).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_the_pace_nor_stops_it() {
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    for now in [NOW - hour, NOW + hour] {
        let stage = Stage::of("dingtalk_robot").await;
        let robot = stage.sender();
        for _ in 0..20 {
            assert_eq!(robot.send(&push()).await.outcome, Outcome::Sent);
        }
        stage.bench.clock.step_wall_to(now);
        let closed = Gate::Closed { reason: Reason::RateLimit, until: Some(now + minute) };
        assert_eq!(robot.gate(&room(), None, now), closed);
        assert_eq!(robot.send(&push()).await.outcome, Outcome::Throttled { wait: Some(minute) });
        stage.bench.clock.advance(minute);
        assert_eq!(robot.gate(&room(), None, now + minute), Gate::Open);
    }
    // Put back between two runs: a minute and no more.
    let stage = Stage::of("dingtalk_robot").await;
    for _ in 0..20 {
        assert_eq!(stage.sender().send(&push()).await.outcome, Outcome::Sent);
    }
    stage.bench.clock.step_wall_to(NOW - hour);
    assert_eq!(stage.sender().send(&push()).await.outcome, Outcome::Throttled { wait: Some(minute) });
}

#[tokio::test]
async fn a_robot_that_was_shut_out_stays_silent_for_ten_minutes() {
    let stage = Stage::of("dingtalk_robot").await;
    stage.im.on(PATH, refused(130101, "send too fast, exceed 20 times per minute"));
    let robot = stage.sender();
    let ten = Duration::from_secs(600);
    assert_eq!(robot.send(&push()).await.outcome, Outcome::Throttled { wait: Some(ten) });
    let again = stage.sender();
    assert_eq!(again.probe().await, Probe::assumed_up());
    assert_eq!(again.gate(&room(), None, NOW), Gate::Closed { reason: Reason::RateLimit, until: Some(NOW + ten) });
    assert_eq!(again.send(&push()).await.outcome, Outcome::Throttled { wait: Some(ten) });
    assert_eq!(stage.im.requests().len(), 1);
}

/// The table of §3 and that of §0.1.
#[tokio::test]
async fn every_failure_of_the_sheet_has_its_outcome() {
    let wait_ms = |ms| Outcome::Throttled { wait: Some(Duration::from_millis(ms)) };
    let wait = |seconds: u64| wait_ms(seconds * 1000);
    let shut_out = || wait(600);
    let rows = vec![
        (refused(410100, "too fast"), shut_out()),
        (refused(130101, "send too fast"), shut_out()),
        (Answer::json(200, json!({"status": 1111, "wait": 5, "punish": "deny"})), shut_out()),
        (Answer::json(200, json!({"errcode": 0, "status": 1111, "wait": 5, "punish": "deny"})), shut_out()),
        (Answer::json(200, json!({"status": "1111", "wait": "5", "punish": "Deny"})), shut_out()),
        (Answer::json(200, json!({"errcode": "130101", "errmsg": "send too fast", "wait": "900"})), wait(900)),
        (refused(130101, "send too fast").header("retry-after", "1200.5"), wait_ms(1_200_500)),
        (refused(-1, "system busy"), Outcome::Unknown),
        (refused(310000, "keywords not in content"), Outcome::Rejected),
        (refused(310000, "sign not match"), Outcome::AccountDown),
        (refused(310000, "invalid timestamp"), Outcome::AccountDown),
        (refused(310000, "ip not in whitelist"), Outcome::AccountDown),
        (refused(400013, "group gone"), Outcome::TargetGone),
        (refused(400101, "token unknown"), Outcome::AccountDown),
        (refused(400102, "disabled"), Outcome::AccountDown),
        (refused(300001, "token is not exist"), Outcome::AccountDown),
        (refused(300005, "token is not exist"), Outcome::AccountDown),
        (refused(400105, "msgtype"), Outcome::Rejected),
        (refused(400106, "robot missing"), Outcome::AccountDown),
        (refused(430101, "content"), Outcome::Rejected),
        (refused(430104, "content"), Outcome::Rejected),
        (refused(90030, "quota"), Outcome::AccountDown),
        (refused(77777, "never heard of"), Outcome::Rejected),
        (Answer::status(404), Outcome::Rejected),
        (Answer::status(500), Outcome::Unknown),
        (Answer::text(200, "ok"), Outcome::Unknown),
        (Answer::json(200, json!({})), Outcome::Unknown),
        (Answer::Reset, Outcome::Unknown),
        (Answer::ResetInBody { status: 200 }, Outcome::Unknown),
        (Answer::Silence, Outcome::Unknown),
    ];
    for (answer, expected) in rows {
        let stage = Stage::of("dingtalk_robot").await;
        let shown = format!("{answer:?}");
        stage.im.on(PATH, answer);
        let push = Delivery { timeout: Duration::from_millis(500), ..push() };
        let report = stage.with(&[("secret", "CANARY-SECRET")]).send(&push).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
    let nobody = Refused::new();
    let url = format!("{}/robot/send?access_token=CANARY", nobody.url());
    let robot = Bench::new().sender("dingtalk_robot", &[("url", &url)]);
    for _ in 0..21 {
        let report = robot.send(&push()).await;
        assert_eq!(report.outcome, Outcome::Unreachable, "what never left does not count");
        assert!(!format!("{report:?}").contains("CANARY"));
    }
}

#[test]
fn an_address_without_its_token_is_refused() {
    let url = "https://oapi.dingtalk.com/robot/send?access_token=";
    let Err(error) = Bench::new().try_build(&account("dingtalk_robot", &[("url", url)])) else {
        panic!("{url} was taken")
    };
    assert!(error.to_string().contains("access_token"), "{error}");
}

#[tokio::test]
async fn an_attempt_that_is_refused_tells_all_the_same_in_what_form_it_went_out() {
    let stage = Stage::of("dingtalk_robot").await;
    stage.im.on(PATH, refused(430_101, "content refused"));
    let file = online(stage.bench.file("a.png", "image/png", b"x"), "https://a.test/a.png");
    let report = stage.sender().send(&delivery(room(), Body::Image(media()), vec![file])).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Rejected, Some("image as link")));
}
