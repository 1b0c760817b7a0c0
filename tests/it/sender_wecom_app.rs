//! `wecom_app` against a fake WeCom that other people's clients have proved (`weixin_clients.rs`).

use std::time::Duration;

use crate::common::deliveries::{delivery, group, media, mixed, next_attempt, outcomes, text, user};
use crate::common::fake_im::Answer;
use crate::common::fake_wecom::{AGENT, CORP, FakeWecom, SECRET, Shown, refused};
use crate::common::gate::AskGate;
use crate::common::senders::{Bench, account, extended};
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, MediaFile, Outcome, Reason, Report, Target};
use pushcron::senders::{Gate, Probe, Sender};
use serde_json::{Value, json};

fn app_account(wecom: &FakeWecom) -> Account {
    let (agent, base_url) = (AGENT.to_string(), wecom.im.url(""));
    let app = [("corp_id", CORP), ("agent_id", &agent), ("corp_secret", SECRET), ("base_url", &base_url)];
    account("wecom_app", &app)
}

async fn app(bench: &Bench) -> (FakeWecom, Box<dyn Sender>) {
    let wecom = FakeWecom::start().await;
    let sender = bench.build(&app_account(&wecom));
    (wecom, sender)
}

fn bodies(wecom: &FakeWecom, path: &str) -> Vec<Value> {
    wecom.im.requests_to(path).iter().map(|request| request.json()).collect()
}

fn no_breach(wecom: &FakeWecom) {
    assert_eq!(wecom.service().breaches, Vec::<String>::new());
}

#[tokio::test]
async fn a_text_reaches_the_members_with_the_duplicate_check() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let report = app.send(&text(user("zhangsan|lisi"), "日报")).await;
    assert_eq!(report, Report::sent(Some("msg-1".into())).with_status(200));
    let expected = json!({
        "touser": "zhangsan|lisi",
        "agentid": AGENT,
        "msgtype": "text",
        "text": {"content": "日报"},
        "safe": 0,
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 1800,
    });
    assert_eq!(bodies(&wecom, "message/send"), [expected]);
    no_breach(&wecom);
}

#[tokio::test]
async fn departments_tags_and_chats_are_groups() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    for target in ["party:2|3", "tag:7", "chat-1"] {
        assert_eq!(app.send(&text(group(target), "hi")).await.outcome, Outcome::Sent, "{target}");
    }
    let sent = bodies(&wecom, "message/send");
    assert_eq!((&sent[0]["toparty"], &sent[1]["totag"]), (&json!("2|3"), &json!("7")));
    let chat = json!({"chatid": "chat-1", "msgtype": "text", "text": {"content": "hi"}, "safe": 0});
    assert_eq!(bodies(&wecom, "appchat/send"), [chat]);
    assert_eq!(app.send(&text(group("chat-2"), "hi")).await.outcome, Outcome::TargetGone);
    no_breach(&wecom);
}

/// Three frames of the smallest mode.
const AMR: &[u8] = &[
    b'#', b'!', b'A', b'M', b'R', b'\n', 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

#[tokio::test]
async fn every_kind_is_shown_in_the_form_that_the_platform_takes() {
    let png = b"\x89PNG picture".to_vec();
    let film = vec![1; (10 << 20) + 1];
    let rows = [
        ("image", "a.png", "image/png", png.clone(), "image", None),
        ("image", "a.webp", "image/webp", png.clone(), "file", Some("image as file")),
        // The platform refuses it as an image.
        ("image", "b.png", "image/png", b"no picture".to_vec(), "file", Some("image as file")),
        ("voice", "a.amr", "audio/amr", AMR.to_vec(), "voice", None),
        ("voice", "a.mp3", "audio/mpeg", b"ID3 sound".to_vec(), "file", Some("voice as file")),
        ("video", "a.mp4", "video/mp4", b"a film".to_vec(), "video", None),
        ("video", "long.mp4", "video/mp4", film, "file", Some("video as file")),
        ("file", "报表.pdf", "application/pdf", b"%PDF document".to_vec(), "file", None),
    ];
    for target in [user("lisi"), group("chat-1")] {
        for (kind, name, mime_type, content, form, note) in &rows {
            let bench = Bench::new();
            let (wecom, app) = app(&bench).await;
            let file = bench.file(name, mime_type, content);
            let mut push = delivery(target.clone(), body(kind), vec![file]);
            push.message.title = Some("Report".into());
            let report = app.send(&push).await;
            assert_eq!((&report.outcome, report.note.as_deref()), (&Outcome::Sent, *note), "{name}: {report:?}");
            let expected =
                Shown::Media { kind: (*form).to_owned(), name: (*name).to_owned(), content: content.clone() };
            assert_eq!(wecom.shown(), [expected], "{name}");
            if *form == "video" {
                assert_eq!(bodies(&wecom, "/send")[0]["video"]["title"], "Report");
            }
            no_breach(&wecom);
        }
    }
}

fn body(kind: &str) -> Body {
    match kind {
        "image" => Body::Image(media()),
        "voice" => Body::Voice(media()),
        "video" => Body::Video(media()),
        _ => Body::File(media()),
    }
}

#[tokio::test]
async fn what_no_form_takes_becomes_a_card_with_its_address() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let huge = |url: Option<&str>| MediaFile {
        url: url.map(str::to_owned),
        ..bench.file("huge.zip", "application/zip", &vec![0; (20 << 20) + 1])
    };
    let mut push = delivery(user("lisi"), body("file"), vec![huge(Some("https://example.org/huge.zip"))]);
    push.message.title = Some("备份".repeat(40));
    let report = app.send(&push).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("file as link")));
    let card = &bodies(&wecom, "message/send")[0]["textcard"];
    assert_eq!((card["title"].as_str().unwrap().len(), &card["description"]), (126, &json!("huge.zip")));
    let report = app.send(&delivery(user("lisi"), body("file"), vec![huge(None)])).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    no_breach(&wecom);
}

#[tokio::test]
async fn a_mixed_message_is_a_sequence_and_markdown_can_be_turned_off() {
    let bench = Bench::new();
    let wecom = FakeWecom::start().await;
    let push = || {
        let items = vec![
            Item::Text { text: "a".into() },
            Item::At { user: "lisi".into() },
            Item::Markdown { text: "**b**".into() },
            Item::Image(media()),
        ];
        mixed(user("lisi"), items, vec![bench.file("a.png", "image/png", b"\x89PNG picture")])
    };
    let report = bench.build(&app_account(&wecom)).send(&push()).await;
    assert_eq!(outcomes(&report), ["sent"; 3]);
    let account = extended(app_account(&wecom), &[("markdown", "text")]);
    assert_eq!(bench.build(&account).send(&push()).await.outcome, Outcome::Sent);
    let image = || Shown::Media { kind: "image".into(), name: "a.png".into(), content: b"\x89PNG picture".to_vec() };
    let expected = [
        Shown::Text("a @lisi".into()),
        Shown::Markdown("**b**".into()),
        image(),
        Shown::Text("a @lisi\nb".into()),
        image(),
    ];
    assert_eq!(wecom.shown(), expected);
    assert_eq!(wecom.calls("media/upload"), 1, "the second send reuses the upload");
    no_breach(&wecom);
}

#[tokio::test]
async fn a_long_text_is_split_by_bytes() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    assert_eq!(app.send(&text(user("lisi"), &"报".repeat(1000))).await.outcome, Outcome::Sent);
    assert_eq!(wecom.shown().len(), 2);
    no_breach(&wecom);
}

// Tokens

#[tokio::test]
async fn one_token_serves_all_and_is_renewed_five_minutes_early() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let mut pushes = [text(user("lisi"), "a"), text(user("lisi"), "b"), text(user("zhangsan"), "c")];
    for (number, push) in pushes.iter_mut().enumerate() {
        push.key = format!("key-{number}");
    }
    let reports = tokio::join!(app.send(&pushes[0]), app.send(&pushes[1]), app.send(&pushes[2]));
    for report in [reports.0, reports.1, reports.2] {
        assert_eq!(report.outcome, Outcome::Sent);
    }
    assert_eq!(wecom.calls("gettoken"), 1, "the others wait for the one that fetches");
    bench.clock.advance(Duration::from_secs(6899));
    assert_eq!(app.send(&text(user("lisi"), "d")).await.outcome, Outcome::Sent);
    assert_eq!(wecom.calls("gettoken"), 1);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(app.send(&text(user("lisi"), "e")).await.outcome, Outcome::Sent);
    assert_eq!(wecom.calls("gettoken"), 2);
}

/// What is set is the hour; a token lives by the time that passes, asleep or not.
#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_a_token_nor_prolongs_it() {
    let hour = Duration::from_secs(3600);
    for step in [4 * hour, hour / 2] {
        for is_forward in [true, false] {
            let bench = Bench::new();
            let (wecom, app) = app(&bench).await;
            assert_eq!(app.send(&text(user("lisi"), "a")).await.outcome, Outcome::Sent);
            let now = if is_forward { bench.now() + step } else { bench.now() - step };
            bench.clock.step_wall_to(now);
            assert_eq!(app.send(&text(user("lisi"), "b")).await.outcome, Outcome::Sent);
            assert_eq!(wecom.calls("gettoken"), 1, "{step:?} {is_forward}");
            bench.clock.suspend(Duration::from_secs(6900));
            assert_eq!(app.send(&text(user("lisi"), "c")).await.outcome, Outcome::Sent);
            assert_eq!(wecom.calls("gettoken"), 2, "{step:?} {is_forward}");
        }
    }
}

#[tokio::test]
async fn a_void_token_is_renewed_once_and_the_call_repeated() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    for code in [40014, 42001, 40001] {
        wecom.script("message/send", [refused(code)]);
        let report = app.send(&text(user("lisi"), &format!("hi {code}"))).await;
        assert_eq!(report.outcome, Outcome::Sent, "{code}");
    }
    assert_eq!((wecom.calls("gettoken"), wecom.shown().len()), (4, 3));
    wecom.script("message/send", [refused(42001), refused(42001), refused(42001)]);
    assert_eq!(app.send(&text(user("lisi"), "hi")).await.outcome, Outcome::AccountDown);
    assert_eq!(wecom.calls("message/send"), 8, "twice, not more");
    wecom.script("media/upload", [refused(40014)]);
    let file = bench.file("a.pdf", "application/pdf", b"%PDF document");
    wecom.script("message/send", []);
    assert_eq!(app.send(&delivery(user("lisi"), body("file"), vec![file])).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_account_is_at_fault() {
    let rows = [
        (refused(40001), Outcome::AccountDown),
        (refused(40013), Outcome::AccountDown),
        (refused(60020), Outcome::AccountDown),
        (refused(40091), Outcome::AccountDown),
        (refused(45009), Outcome::Throttled { wait: Some(Duration::from_secs(60)) }),
        (Answer::Reset, Outcome::Unreachable),
        (Answer::status(502), Outcome::Unreachable),
        (Answer::json(200, json!({"errcode": 0})), Outcome::Unreachable),
    ];
    for (answer, outcome) in rows {
        let bench = Bench::new();
        let (wecom, app) = app(&bench).await;
        wecom.script("gettoken", [answer.clone()]);
        let report = app.send(&text(user("lisi"), "hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}: {report:?}");
        assert!(!report.error.unwrap().contains("CANARY"));
        assert_eq!(wecom.calls("message/send"), 0);
    }
}

#[tokio::test]
async fn the_probe_tells_a_token_a_switched_off_application_and_a_foreign_address_apart() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    assert_eq!(app.probe().await, Probe::up());
    wecom.script("agent/get", [Answer::json(200, json!({"errcode": 0, "close": 1})), refused(60020)]);
    let probe = app.probe().await;
    assert_eq!((probe.online, probe.sendable), (Some(true), Some(false)));
    assert!(probe.error.unwrap().contains("switched off"));
    let probe = app.probe().await;
    assert_eq!(probe.online, Some(false));
    assert!(probe.error.unwrap().contains("errcode 60020"), "with the address that is not trusted");
    assert!(wecom.service().shown.is_empty());
}

// Members who are left out

#[tokio::test]
async fn members_who_were_left_out_are_named() {
    let bench = Bench::new();
    let (_wecom, app) = app(&bench).await;
    let report = app.send(&text(user("lisi|ghost"), "hi")).await;
    assert_eq!(report.outcome, Outcome::Sent);
    assert!(report.note.unwrap().starts_with("not delivered to ghost: "));
    assert_eq!(app.send(&text(user("ghost"), "hi")).await.outcome, Outcome::TargetGone);
}

#[tokio::test]
async fn a_send_that_reached_nobody_is_no_success() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let answer = json!({"errcode": 0, "errmsg": "ok", "invaliduser": "a|b", "msgid": "m"});
    wecom.script("message/send", [Answer::json(200, answer)]);
    let report = app.send(&text(user("a|b"), "hi")).await;
    assert_eq!((report.outcome, report.message_id), (Outcome::TargetGone, None));
}

#[tokio::test]
async fn people_not_reached_are_known_however_the_platform_spells_them() {
    for (asked, answer) in [
        (user("ZhangSan"), json!({"invaliduser": "zhangsan"})),
        (user("ZhangSan|LiSi"), json!({"invaliduser": "zhangsan, lisi"})),
        (user("ZhangSan|LiSi"), json!({"invaliduser": ["zhangsan"], "unlicenseduser": "LISI"})),
        (group("party:2|3"), json!({"invalidparty": [2, "3"]})),
        (group("tag:7"), json!({"invalidtag": 7})),
    ] {
        let bench = Bench::new();
        let (wecom, app) = app(&bench).await;
        let mut whole = json!({"errcode": 0, "errmsg": "ok", "msgid": "m"});
        whole.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        wecom.script("message/send", [Answer::json(200, whole)]);
        assert_eq!(app.send(&text(asked, "hi")).await.outcome, Outcome::TargetGone, "{answer}");
    }
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let answer = json!({"errcode": 0, "errmsg": "ok", "invaliduser": "zhangsan", "msgid": "m"});
    wecom.script("message/send", [Answer::json(200, answer)]);
    let report = app.send(&text(user("ZhangSan|LiSi"), "hi")).await;
    assert_eq!(report.outcome, Outcome::Sent);
    assert!(report.note.unwrap().contains("not delivered to zhangsan"), "one of two was reached");
}

#[tokio::test]
async fn a_granted_token_is_not_shown_where_the_platform_quotes_the_request() {
    for spell in
        [|line: &str| line.to_owned(), |line: &str| line.replace('-', "%2D"), |line: &str| line.replace('-', "&#45;")]
    {
        let bench = Bench::new();
        let (wecom, app) = app(&bench).await;
        wecom.im.on(
            "gettoken",
            Answer::json(200, json!({"errcode": 0, "access_token": "granted-CANARY-token", "expires_in": 7200})),
        );
        wecom.im.handle("message/send", move |request| {
            let line = spell(&format!("POST {}?access_token={}", request.path, request.query["access_token"]));
            Answer::json(200, json!({"errcode": 44004, "errmsg": format!("bad request: {line}")}))
        });
        let report = app.send(&text(user("lisi"), "hi")).await;
        let error = report.error.unwrap();
        assert!(error.contains("****") && !error.contains("CANARY"), "{error}");
    }
}

// Repeats

/// Shows the message and loses the answer.
fn lose_the_answer(wecom: &FakeWecom) {
    wecom.service().after_showing.push_back(Answer::Reset);
}

#[tokio::test]
async fn a_lost_answer_may_be_repeated_and_is_shown_once() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let push = text(user("lisi"), "hi");
    lose_the_answer(&wecom);
    assert!(app.is_idempotent(&push, bench.now()));
    let first = app.send(&push).await;
    assert_eq!(first.outcome, Outcome::Unknown);
    // A crash in between forgets nothing.
    let restarted = bench.build(&app_account(&wecom));
    bench.clock.advance(Duration::from_secs(20 * 60));
    let retry = next_attempt(&push, &first);
    assert!(restarted.is_idempotent(&retry, bench.now()));
    assert_eq!(restarted.send(&retry).await.outcome, Outcome::Sent);
    assert_eq!(wecom.shown(), [Shown::Text("hi".into())]);
    let sent = bodies(&wecom, "message/send");
    assert_eq!(sent[0], sent[1], "a repeat is the very same request");
}

#[tokio::test]
async fn after_half_an_hour_no_repeat_is_made_unless_the_job_asks() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let push = text(user("lisi"), "hi");
    lose_the_answer(&wecom);
    let first = app.send(&push).await;
    bench.clock.advance(Duration::from_secs(30 * 60));
    let mut retry = next_attempt(&push, &first);
    assert!(!app.is_idempotent(&retry, bench.now()));
    assert_eq!(app.send(&retry).await.outcome, Outcome::Unknown);
    assert_eq!(wecom.calls("message/send"), 1);
    retry.retry.resend_unknown = true;
    assert_eq!(app.send(&retry).await.outcome, Outcome::Sent);
    assert_eq!(wecom.shown().len(), 2, "the job prefers twice to never");
}

#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_what_was_sent_nor_prolongs_the_check() {
    let (minute, hours) = (Duration::from_secs(60), Duration::from_secs(2 * 3600));
    for is_forward in [true, false] {
        let bench = Bench::new();
        let (wecom, app) = app(&bench).await;
        let push = text(user("lisi"), "hi");
        lose_the_answer(&wecom);
        let first = app.send(&push).await;
        bench.clock.step_wall_to(if is_forward { bench.now() + hours } else { bench.now() - hours });
        // The platform still knows it, and what another push says is not swallowed.
        let mut other = text(user("lisi"), "hi");
        other.key = "another".into();
        assert_eq!(app.send(&other).await.outcome, Outcome::Sent);
        assert_eq!(bodies(&wecom, "message/send")[1]["enable_duplicate_check"], 0, "{is_forward}");
        let retry = next_attempt(&push, &first);
        assert!(app.is_idempotent(&retry, bench.now()), "{is_forward}");
        lose_the_answer(&wecom);
        let second = app.send(&retry).await;
        assert_eq!(wecom.calls("message/send"), 3, "{is_forward}: {second:?}");
        // After the half hour it does not, whatever the hour is.
        bench.clock.suspend(30 * minute);
        let retry = next_attempt(&retry, &second);
        assert!(!app.is_idempotent(&retry, bench.now()), "{is_forward}");
        assert_eq!(app.send(&retry).await.outcome, Outcome::Unknown);
        assert_eq!(wecom.calls("message/send"), 3, "{is_forward}");
    }
}

/// Nobody knows how long ago it was, so it is not repeated; and another push is not taken for its repeat.
#[tokio::test]
async fn what_was_sent_before_a_clock_was_put_back_between_two_runs_is_not_repeated() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let push = text(user("lisi"), "hi");
    lose_the_answer(&wecom);
    let first = app.send(&push).await;
    bench.clock.step_wall_to(bench.now() - Duration::from_secs(7200));
    let restarted = bench.build(&app_account(&wecom));
    assert_eq!(restarted.send(&next_attempt(&push, &first)).await.outcome, Outcome::Unknown);
    assert_eq!(wecom.calls("message/send"), 1);
    let mut other = text(user("lisi"), "hi");
    other.key = "another".into();
    assert_eq!(restarted.send(&other).await.outcome, Outcome::Sent);
    assert_eq!(bodies(&wecom, "message/send")[1]["enable_duplicate_check"], 0);
}

#[tokio::test]
async fn a_job_that_says_the_same_every_ten_minutes_is_not_swallowed() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    for fire in 0..4 {
        let mut push = text(user("lisi"), "still alive");
        push.key = format!("fire-{fire}");
        assert_eq!(app.send(&push).await.outcome, Outcome::Sent);
        bench.clock.advance(Duration::from_secs(600));
    }
    assert_eq!(wecom.shown().len(), 4);
    let checks: Vec<Value> =
        bodies(&wecom, "message/send").iter().map(|body| body["enable_duplicate_check"].clone()).collect();
    assert_eq!(checks, [1, 0, 0, 0]);
    // One that went out unchecked and lost its answer is not repeated: the platform would not recognise it.
    let mut push = text(user("lisi"), "still alive");
    push.key = "fire-4".into();
    lose_the_answer(&wecom);
    let first = app.send(&push).await;
    let second = app.send(&next_attempt(&push, &first)).await;
    assert_eq!((second.outcome, wecom.calls("message/send")), (Outcome::Unknown, 5));
}

#[tokio::test]
async fn chats_know_no_duplicate_check() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let push = text(group("chat-1"), "hi");
    assert!(!app.is_idempotent(&push, bench.now()));
    lose_the_answer(&wecom);
    assert_eq!(app.send(&push).await.outcome, Outcome::Unknown);
}

// Limits that the platform does not tell

#[tokio::test]
async fn the_thirty_first_message_of_a_minute_to_a_member_waits() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    let closed = |app: &dyn Sender, target: Target| {
        matches!(app.gate(&target, None, bench.now()), Gate::Closed { reason: Reason::RateLimit, until: Some(_) })
    };
    for number in 0..29 {
        assert_eq!(app.send(&text(user("lisi"), &number.to_string())).await.outcome, Outcome::Sent);
    }
    assert!(!closed(app.as_ref(), user("lisi")));
    assert_eq!(app.send(&text(group("party:1"), "everybody")).await.outcome, Outcome::Sent);
    assert!(closed(app.as_ref(), user("lisi")), "what goes to everybody counts for each");
    assert!(closed(app.as_ref(), user("zhangsan|lisi")) && closed(app.as_ref(), user("@all")));
    assert!(!closed(app.as_ref(), user("zhangsan")) && !closed(app.as_ref(), group("chat-1")));
    let report = app.send(&text(user("lisi"), "one more")).await;
    assert!(matches!(report.outcome, Outcome::Throttled { wait: Some(_) }), "{report:?}");
    assert_eq!(wecom.calls("message/send"), 30);

    let restarted = bench.build(&app_account(&wecom));
    restarted.probe().await;
    assert!(closed(restarted.as_ref(), user("lisi")), "a restart forgets nothing");
    bench.clock.advance(Duration::from_secs(62));
    assert!(!closed(restarted.as_ref(), user("lisi")));
}

#[tokio::test]
async fn each_refusal_has_its_class_and_no_text_shows_a_secret() {
    let throttled = |seconds| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let rows = [
        (-1, Outcome::Throttled { wait: None }),
        (6000, Outcome::Throttled { wait: None }),
        (40056, Outcome::AccountDown),
        (41011, Outcome::AccountDown),
        (40003, Outcome::TargetGone),
        (60111, Outcome::TargetGone),
        (81013, Outcome::TargetGone),
        (82001, Outcome::Rejected),
        (40031, Outcome::Rejected),
        (40032, Outcome::Rejected),
        (40033, Outcome::Rejected),
        (40007, Outcome::Rejected),
        (44004, Outcome::Rejected),
        (45002, Outcome::Rejected),
        (45009, throttled(60)),
        (45033, throttled(60)),
        (48002, Outcome::AccountDown),
        (50002, Outcome::Rejected),
        (50003, Outcome::AccountDown),
        (60011, Outcome::Rejected),
        (301_002, Outcome::AccountDown),
        (60020, Outcome::AccountDown),
        (85002, Outcome::Rejected),
        (86001, Outcome::TargetGone),
    ];
    for (code, outcome) in rows {
        for (target, path) in [(user("lisi"), "message/send"), (group("chat-1"), "appchat/send")] {
            let bench = Bench::new();
            let (wecom, app) = app(&bench).await;
            wecom.script(path, [refused(code)]);
            let report = app.send(&text(target, "hi")).await;
            assert_eq!(report.outcome, outcome, "{code}: {report:?}");
            let error = report.error.unwrap();
            assert!(error.contains(&format!("errcode {code}")) && error.contains("192.0.2.7"), "{error}");
            assert!(!error.contains("CANARY") && !bench.memory.all().contains("CANARY"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_refused_request_is_repeated_without_the_check() {
    let bench = Bench::new();
    let (wecom, app) = app(&bench).await;
    wecom.script("message/send", [refused(-1)]);
    let push = text(user("lisi"), "hi");
    let first = app.send(&push).await;
    assert_eq!(app.send(&next_attempt(&push, &first)).await.outcome, Outcome::Sent);
    // Nobody says whether the platform remembers what it refused.
    assert_eq!(bodies(&wecom, "message/send")[1]["enable_duplicate_check"], 0);
}
