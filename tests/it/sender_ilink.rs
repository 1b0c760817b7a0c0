//! `ilink` against a fake iLink service that other people's client has proved (`weixin_clients.rs`).

use std::time::Duration;

use crate::common::deliveries::{NOW, delivery, group, media, mixed, next_attempt, outcomes, text, user};
use crate::common::fake_ilink::{Arrived, BOT, FakeIlink, TOKEN, USER};
use crate::common::fake_im::{Answer, Refused};
use crate::common::gate::AskGate;
use crate::common::senders::{Bench, account, extended};
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, Delivery, Outcome, PartReport, Reason, Report, UtcMs};
use pushcron::senders::{Gate, Probe, Sender, SenderEvent};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const HOUR: Duration = Duration::from_secs(3600);
const CONTEXT: &str = "ctx-CANARY";

fn ilink_account(service: &FakeIlink) -> Account {
    account("ilink", &[("base_url", &service.im.url("")), ("cdn_url", &service.im.url("/c2c"))])
}

/// Puts a login where the verb would put it.
fn log_in(bench: &Bench, service: &FakeIlink, token: &str) {
    let folder = bench.dir.path().join("credentials");
    std::fs::create_dir_all(&folder).unwrap();
    let login = json!({"bot_id": BOT, "user_id": USER, "token": token, "base_url": service.im.url("")});
    std::fs::write(folder.join("bot.json"), login.to_string()).unwrap();
}

/// A service and the sender of a logged-in account to whom the user has just written. Pauses pass at once.
async fn open_window(bench: &Bench) -> (FakeIlink, Box<dyn Sender>) {
    let service = FakeIlink::start().await;
    log_in(bench, &service, TOKEN);
    let sender = bench.build(&ilink_account(&service));
    hear(bench, &service, sender.as_ref()).await;
    (service, sender)
}

/// The user writes, and the sender's long poll hears it.
async fn hear(bench: &Bench, service: &FakeIlink, sender: &dyn Sender) {
    service.user_writes(CONTEXT, bench.now().0);
    let (events, mut heard) = mpsc::channel(16);
    let opened = async { while heard.recv().await.expect("an event") != SenderEvent::GateOpened {} };
    tokio::select! {
        () = sender.listen(events) => panic!("the long poll ended"),
        () = opened => {}
        () = patience() => panic!("the message was not heard: {:?}", service.im.paths()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a watchdog against a test that would hang")]
async fn patience() {
    tokio::time::sleep(Duration::from_secs(10)).await;
}

fn no_breach(service: &FakeIlink) {
    assert_eq!(service.service().breaches, Vec::<String>::new());
}

fn window_closed() -> Gate {
    Gate::Closed { reason: Reason::WindowClosed, until: None }
}

// The window

#[tokio::test]
async fn the_gate_opens_when_the_user_writes_and_closes_after_ten_sends() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    log_in(&bench, &service, TOKEN);
    let sender = bench.build(&ilink_account(&service));
    assert_eq!(sender.probe().await, Probe::up());
    let target = user("me");
    assert_eq!(sender.gate(&target, None, bench.now()), window_closed(), "the user never wrote");

    hear(&bench, &service, sender.as_ref()).await;
    for sent in 0..10 {
        assert_eq!(sender.gate(&target, None, bench.now()), Gate::Open, "after {sent}");
        assert_eq!(sender.send(&text(target.clone(), "hi")).await.outcome, Outcome::Sent);
        bench.clock.advance(HOUR / 60);
    }
    assert_eq!(sender.gate(&target, None, bench.now()), window_closed());
    let report = sender.send(&text(target.clone(), "hi")).await;
    assert_eq!(report.outcome, Outcome::Throttled { wait: None });
    assert!(report.error.unwrap().contains("window_closed: 0 of 10 sends are left"));
    assert_eq!(service.calls("sendmessage"), 10, "what cannot pass is not tried");

    hear(&bench, &service, sender.as_ref()).await;
    assert_eq!(sender.gate(&target, None, bench.now()), Gate::Open);
    no_breach(&service);
}

#[tokio::test]
async fn the_window_ends_an_hour_before_the_day_and_a_restart_remembers_it() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    assert_eq!(sender.send(&text(user(USER), "hi")).await.outcome, Outcome::Sent);
    let described = vec![(
        USER.to_owned(),
        "last message 2026-01-01T01:00:00.000Z, window open until 2026-01-02T00:00:00.000Z, 9 of 10 pushes left"
            .to_owned(),
    )];
    assert_eq!(sender.contacts(bench.now()).await, described);

    let restarted = bench.build(&ilink_account(&service));
    assert_eq!(restarted.contacts(bench.now()).await, described);
    let almost = NOW + 23 * HOUR - Duration::from_millis(1);
    assert_eq!(restarted.gate(&user(USER), None, almost), Gate::Open);
    assert_eq!(restarted.gate(&user(USER), None, NOW + 23 * HOUR), window_closed());
    assert_eq!(restarted.gate(&user("stranger@im.wechat"), None, bench.now()), window_closed());
}

#[tokio::test]
async fn a_message_waits_where_not_all_its_parts_can_pass() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    for _ in 0..7 {
        assert_eq!(sender.send(&text(user("me"), "hi")).await.outcome, Outcome::Sent);
        bench.clock.advance(HOUR / 60);
    }
    let image = || Item::Image(media());
    let three = mixed(user("me"), vec![image(), image(), image()], Vec::new());
    let four = mixed(user("me"), vec![Item::Text { text: "a".into() }, image(), image(), image()], Vec::new());
    assert_eq!(sender.gate(&user("me"), Some(&three), bench.now()), Gate::Open);
    assert_eq!(sender.gate(&user("me"), Some(&four), bench.now()), window_closed());
    // What went out in an earlier attempt needs no room any more.
    let part = PartReport { part: "text 1/4".into(), outcome: "sent".into(), message_id: None };
    let rest = Delivery { parts: vec![part], ..four };
    assert_eq!(sender.gate(&user("me"), Some(&rest), bench.now()), Gate::Open);
    no_breach(&service);
}

#[tokio::test]
async fn the_window_and_its_quota_can_be_set() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    log_in(&bench, &service, TOKEN);
    let account = extended(ilink_account(&service), &[("window", "3600"), ("quota", "1")]);
    let sender = bench.build(&account);
    hear(&bench, &service, sender.as_ref()).await;
    assert_eq!(sender.gate(&user("me"), None, NOW + HOUR), window_closed());
    assert_eq!(sender.send(&text(user("me"), "hi")).await.outcome, Outcome::Sent);
    assert_eq!(sender.gate(&user("me"), None, bench.now()), window_closed());
}

#[tokio::test]
async fn six_sends_in_five_minutes_are_enough() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let push = text(user("me"), "hi");
    for _ in 0..6 {
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    }
    // The first went out at once, the sixth after five pauses of two seconds.
    let until = Some(NOW + HOUR / 12);
    assert_eq!(sender.gate(&push.target, None, bench.now()), Gate::Closed { reason: Reason::RateLimit, until });
    let wait = Some(HOUR / 12 - Duration::from_secs(10));
    assert_eq!(sender.send(&push).await.outcome, Outcome::Throttled { wait });
    assert_eq!(service.calls("sendmessage"), 6);
}

#[tokio::test]
async fn a_clock_that_is_set_neither_forgets_the_pace_nor_stops_it() {
    for step in [-3_600_000, 3_600_000] {
        let bench = Bench::new().leaping();
        let (_service, sender) = open_window(&bench).await;
        let push = text(user("me"), "hi");
        for _ in 0..6 {
            assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
        }
        bench.clock.step_wall_to(UtcMs(bench.now().0 + step));
        let left = HOUR / 12 - Duration::from_secs(10);
        let closed = Gate::Closed { reason: Reason::RateLimit, until: Some(bench.now() + left) };
        assert_eq!(sender.gate(&push.target, None, bench.now()), closed, "{step}");
        bench.clock.advance(left);
        assert_eq!(sender.gate(&push.target, None, bench.now()), Gate::Open, "{step}");
    }
}

// What goes out

#[tokio::test]
async fn a_text_is_one_message_with_the_users_context() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let report = sender.send(&text(user("me"), "日报")).await;
    assert_eq!(report, Report::sent(Some("7438000000000100001".into())).with_status(200));
    let expected = json!({
        "from_user_id": "",
        "to_user_id": USER,
        "client_id": "key-1-0",
        "message_type": 2,
        "message_state": 2,
        "item_list": [{"type": 1, "text_item": {"text": "日报"}}],
        "context_token": CONTEXT,
    });
    assert_eq!(service.service().messages, [expected]);
    no_breach(&service);
}

#[tokio::test]
async fn every_kind_arrives_decrypted_as_it_was() {
    let film = vec![9; 200_000];
    let rows: Vec<(Body, &str, &str, Vec<u8>, Option<&str>)> = vec![
        (Body::Image(media()), "a.png", "image/png", b"\x89PNG picture".to_vec(), None),
        (Body::Image(media()), "a.bin", "application/octet-stream", vec![1; 16], Some("image as file")),
        (Body::Voice(media()), "a.mp3", "audio/mpeg", vec![2; 15], Some("voice as file")),
        (Body::Video(media()), "a.mp4", "video/mp4", film, None),
        (Body::Video(media()), "a.flv", "application/x-flv", vec![3; 17], Some("video as file")),
        (Body::File(media()), "报表.pdf", "application/pdf", Vec::new(), None),
    ];
    for full_upload_url in [false, true] {
        for (body, name, mime_type, content, note) in &rows {
            let bench = Bench::new().leaping();
            let (service, sender) = open_window(&bench).await;
            service.service().full_upload_url = full_upload_url;
            let file = bench.file(name, mime_type, content);
            let report = sender.send(&delivery(user("me"), body.clone(), vec![file])).await;
            assert_eq!((&report.outcome, report.note.as_deref()), (&Outcome::Sent, *note), "{name}: {report:?}");
            let content = content.clone();
            let expected = match mime_type.split('/').next() {
                Some("image") => Arrived::Image(content),
                Some("video") => Arrived::Video(content),
                _ => Arrived::File { name: (*name).to_owned(), content },
            };
            assert_eq!(service.service().arrived, [expected]);
            no_breach(&service);
        }
    }
}

#[tokio::test]
async fn a_mixed_message_is_a_sequence_with_two_seconds_in_between() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let items = vec![
        Item::Text { text: "look at".into() },
        Item::At { user: "bo".into() },
        Item::Markdown { text: "**now**".into() },
        Item::Image(media()),
        Item::Voice(media()),
    ];
    let files = vec![bench.file("a.png", "image/png", b"picture"), bench.file("a.mp3", "audio/mpeg", b"sound")];
    let mut push = mixed(user("me"), items, files);
    // The pauses are no part of what the timeout means.
    push.timeout = Duration::from_secs(1);
    let report = sender.send(&push).await;
    assert_eq!((outcomes(&report), report.note.as_deref()), (vec!["sent"; 3], Some("voice as file")));
    assert_eq!(bench.now(), NOW + Duration::from_secs(4));
    let sound = Arrived::File { name: "a.mp3".into(), content: b"sound".to_vec() };
    let expected = [Arrived::Text("look at @bo\nnow".into()), Arrived::Image(b"picture".to_vec()), sound];
    assert_eq!(service.service().arrived, expected);
    let ids: Vec<Value> = service.service().messages.iter().map(|message| message["client_id"].clone()).collect();
    assert_eq!(ids, ["key-1-0", "key-1-1", "key-1-2"]);
    no_breach(&service);
}

#[tokio::test]
async fn a_long_text_is_split_and_a_retry_keeps_the_client_id_of_the_part_that_failed() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let push = text(user("me"), &"😀".repeat(8000));
    service.script("sendmessage", [Answer::json(200, json!({"message_id": "1"})), Answer::Reset]);
    let first = sender.send(&push).await;
    assert_eq!((&first.outcome, outcomes(&first)), (&Outcome::Unknown, vec!["sent", "unknown"]));
    let second = sender.send(&next_attempt(&push, &first)).await;
    assert_eq!((&second.outcome, outcomes(&second)), (&Outcome::Sent, vec!["sent"; 3]));
    let sent = service.im.requests_to("sendmessage");
    let ids: Vec<String> = sent.iter().map(|request| request.json()["msg"]["client_id"].to_string()).collect();
    assert_eq!(ids, ["\"key-1-0\"", "\"key-1-1\"", "\"key-1-1\"", "\"key-1-2\""]);
    no_breach(&service);
}

#[tokio::test]
async fn a_group_is_refused() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    assert_eq!(sender.send(&text(group("1"), "hi")).await.outcome, Outcome::Rejected);
    assert_eq!(service.calls("sendmessage"), 0);
}

// Failures

#[tokio::test]
async fn each_answer_has_its_class_and_no_text_shows_a_secret() {
    let ret = |body: Value| Answer::json(200, body);
    let throttled = |seconds| Outcome::Throttled { wait: Some(Duration::from_secs(seconds)) };
    let echo = format!("no: {TOKEN} {CONTEXT}");
    let rows: Vec<(Answer, Outcome, &str)> = vec![
        (ret(json!({"ret": -14, "errmsg": echo})), Outcome::AccountDown, "login needed: run `pushcron login bot`"),
        (ret(json!({"errcode": -14})), Outcome::AccountDown, "login needed"),
        (ret(json!({"ret": -2, "errmsg": "prepare failed"})), throttled(90), "ret -2: prepare failed"),
        (ret(json!({"ret": 0, "errcode": -2})), throttled(90), "ret -2"),
        (ret(json!({"ret": -2, "errmsg": "unknown error"})), throttled(90), "unknown error"),
        (ret(json!({"ret": 0})), Outcome::Unknown, "accepted, unverified"),
        (ret(json!({})), Outcome::Unknown, "accepted, unverified"),
        (ret(json!({"ret": -7, "errmsg": echo})), Outcome::Rejected, "ret -7: no: **** ****"),
        (ret(json!(["no", "object"])), Outcome::Unknown, "no JSON object"),
        (Answer::text(200, echo.clone()), Outcome::Unknown, "no JSON object"),
        (Answer::text(400, echo.clone()), Outcome::Rejected, "HTTP 400"),
        (Answer::text(401, echo.clone()), Outcome::AccountDown, "HTTP 401"),
        (Answer::text(403, echo.clone()), Outcome::AccountDown, "HTTP 403"),
        (Answer::text(404, echo.clone()), Outcome::Rejected, "HTTP 404"),
        (Answer::text(429, echo.clone()).header("retry-after", "7"), throttled(7), "HTTP 429"),
        (Answer::text(500, echo.clone()), Outcome::Unknown, "HTTP 500"),
        (Answer::text(502, echo.clone()), Outcome::Unknown, "HTTP 502"),
        (Answer::text(302, "").header("location", "http://example.org"), Outcome::Rejected, "HTTP 302"),
        (Answer::Reset, Outcome::Unknown, "the connection broke"),
        (Answer::ResetInBody { status: 200 }, Outcome::Unknown, "broke off"),
    ];
    for (answer, outcome, words) in rows {
        let bench = Bench::new().leaping();
        let (service, sender) = open_window(&bench).await;
        service.script("sendmessage", [answer.clone()]);
        let report = sender.send(&text(user("me"), "hi")).await;
        assert_eq!(report.outcome, outcome, "{answer:?}: {report:?}");
        let error = report.error.unwrap();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
        let left = if outcome == Outcome::Unknown { "9 of 10" } else { "10 of 10" };
        let known = sender.contacts(bench.now()).await.remove(0).1;
        assert!(known.contains(left), "what may have gone out counts: {known} after {answer:?}");
    }
}

#[tokio::test]
async fn nobody_at_home_is_unreachable() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let nobody = Refused::new();
    let login = json!({"bot_id": BOT, "user_id": USER, "token": TOKEN, "base_url": nobody.url()});
    std::fs::write(bench.dir.path().join("credentials/bot.json"), login.to_string()).unwrap();
    assert_eq!(sender.send(&text(user("me"), "hi")).await.outcome, Outcome::Unreachable);
    assert_eq!(service.calls("sendmessage"), 0);
}

#[tokio::test]
async fn a_refusal_is_never_hammered_and_the_users_word_ends_it() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    let refusal = || Answer::json(200, json!({"ret": -2, "errmsg": "prepare failed"}));
    service.script("sendmessage", (0..9).map(|_| refusal()));
    let push = text(user("me"), "hi");
    for (calls, seconds) in [(1, 90), (2, 1800), (3, 3600)] {
        let wait = Duration::from_secs(seconds);
        assert_eq!(sender.send(&push).await.outcome, Outcome::Throttled { wait: Some(wait) });
        // A restart remembers.
        let restarted = bench.build(&ilink_account(&service));
        assert_eq!(restarted.probe().await.sendable, Some(false));
        let until = Some(bench.now() + wait);
        assert_eq!(restarted.gate(&push.target, None, bench.now()), Gate::Closed { reason: Reason::RateLimit, until });
        assert_eq!(restarted.send(&push).await.outcome, Outcome::Throttled { wait: Some(wait) });
        assert_eq!(service.calls("sendmessage"), calls);
        bench.clock.advance(wait);
    }
    assert_eq!(sender.send(&push).await.outcome, Outcome::Throttled { wait: Some(2 * HOUR) });
    hear(&bench, &service, sender.as_ref()).await;
    service.script("sendmessage", []);
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn an_unknown_error_of_a_stale_login_is_told_from_a_refusal() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    service.script("sendmessage", [Answer::json(200, json!({"ret": -2, "errmsg": "unknown error"}))]);
    service.script("getconfig", [Answer::json(200, json!({"ret": -14}))]);
    assert_eq!(sender.send(&text(user("me"), "hi")).await.outcome, Outcome::AccountDown);
}

#[tokio::test]
async fn a_stale_login_is_not_used_again_until_a_new_one_comes() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    service.service().stale = true;
    let push = text(user("me"), "hi");
    assert_eq!(sender.send(&push).await.outcome, Outcome::AccountDown);
    assert_eq!(sender.send(&push).await.outcome, Outcome::AccountDown);
    assert_eq!(service.calls("sendmessage"), 1);
    let probe = sender.probe().await;
    assert_eq!(probe, Probe::down("login needed: run `pushcron login bot`"));
    service.service().stale = false;
    log_in(&bench, &service, "another-token");
    assert_eq!(sender.probe().await, Probe::up());
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn without_a_login_the_account_is_down_and_says_what_to_do() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    let sender = bench.build(&ilink_account(&service));
    let words = "login needed: run `pushcron login bot`";
    assert_eq!(sender.probe().await, Probe::down(words));
    let report = sender.send(&text(user("me"), "hi")).await;
    assert_eq!((report.outcome, report.error.as_deref()), (Outcome::AccountDown, Some(words)));
    assert_eq!(service.im.requests().len(), 0);
}

// Uploads

#[tokio::test]
async fn a_refused_upload_address_is_asked_for_once_more_and_then_the_link_goes() {
    let refusal = || Answer::json(200, json!({"ret": -1}));
    for (url, outcome) in [(Some("https://example.org/a.png"), Outcome::Sent), (None, Outcome::Rejected)] {
        let bench = Bench::new().leaping();
        let (service, sender) = open_window(&bench).await;
        service.script("getuploadurl", [refusal(), refusal()]);
        let mut file = bench.file("a.png", "image/png", b"picture");
        file.url = url.map(str::to_owned);
        let push = delivery(user("me"), Body::Image(media()), vec![file]);
        let first = sender.send(&push).await;
        assert_eq!(first.outcome, Outcome::Throttled { wait: Some(Duration::from_secs(60)) });
        bench.clock.advance(HOUR / 60);
        let second = sender.send(&next_attempt(&push, &first)).await;
        assert_eq!(second.outcome, outcome);
        if let Some(url) = url {
            assert_eq!(second.note.as_deref(), Some("image as link"));
            assert_eq!(service.service().arrived, [Arrived::Text(format!("a.png\n{url}"))]);
        }
    }
}

#[tokio::test]
async fn a_cdn_that_stumbles_is_tried_again_and_one_that_refuses_gets_a_new_file_key() {
    let refused = || Answer::status(403).header("x-error-message", "bad task");
    let rows: Vec<(Vec<Answer>, Outcome, usize, usize)> = vec![
        // answers of the CDN, outcome, tries at the CDN, upload addresses
        (vec![Answer::status(500), Answer::Reset], Outcome::Sent, 3, 1),
        (vec![Answer::status(200)], Outcome::Sent, 2, 1),
        (vec![Answer::status(500), Answer::status(200), Answer::status(502)], Outcome::Unreachable, 3, 1),
        (vec![refused()], Outcome::Sent, 2, 2),
        (vec![refused(), refused()], Outcome::Rejected, 2, 2),
    ];
    for (answers, outcome, tries, addresses) in rows {
        let bench = Bench::new().leaping();
        let (service, sender) = open_window(&bench).await;
        service.script("c2c/upload", answers.clone());
        let file = bench.file("a.png", "image/png", b"picture");
        let report = sender.send(&delivery(user("me"), Body::Image(media()), vec![file])).await;
        assert_eq!(report.outcome, outcome, "{answers:?}: {report:?}");
        assert_eq!((service.calls("c2c/upload"), service.calls("getuploadurl")), (tries, addresses), "{answers:?}");
        if outcome == Outcome::Rejected {
            assert!(report.error.unwrap().contains("bad task"));
        }
        let keys: Vec<Value> =
            service.im.requests_to("getuploadurl").iter().map(|request| request.json()["filekey"].clone()).collect();
        assert!(keys.len() < 2 || keys[0] != keys[1], "each address has a key of its own");
    }
}

// The long poll

#[tokio::test]
async fn the_poll_keeps_its_cursor_and_nothing_of_the_login() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    hear(&bench, &service, sender.as_ref()).await;
    let restarted = bench.build(&ilink_account(&service));
    hear(&bench, &service, restarted.as_ref()).await;
    let mut cursors: Vec<String> = service
        .im
        .requests_to("getupdates")
        .iter()
        .map(|request| request.json()["get_updates_buf"].as_str().unwrap().to_owned())
        .collect();
    // A poll that was under way when the listener was dropped comes again with the same cursor.
    cursors.dedup();
    assert_eq!(cursors[..3], ["", "cursor-1", "cursor-2"]);
    assert!(!bench.memory.all().contains(TOKEN));
    no_breach(&service);
}

#[tokio::test]
async fn the_bots_own_messages_and_repeats_open_no_window() {
    let bench = Bench::new().leaping();
    let (service, sender) = open_window(&bench).await;
    assert_eq!(sender.send(&text(user("me"), "hi")).await.outcome, Outcome::Sent);
    let message = |kind: u64, ms: i64| json!({"from_user_id": USER, "message_type": kind, "create_time_ms": ms, "context_token": "new"});
    // Its own message, one from before, and one from the future.
    let msgs = [message(2, NOW.0 + 1), message(1, NOW.0 - 1), message(1, NOW.0 + 999_999)];
    let batch = json!({"ret": 0, "msgs": msgs, "get_updates_buf": "cursor-1"});
    service.script("getupdates", [Answer::json(200, batch)]);
    let (events, mut heard) = mpsc::channel(16);
    tokio::select! {
        () = sender.listen(events) => {}
        () = async { while heard.recv().await != Some(SenderEvent::GateOpened) {} } => {}
    }
    let known = sender.contacts(bench.now()).await.remove(0).1;
    assert!(known.starts_with("last message 2026-01-01T01:00:00.000Z") && known.contains("9 of 10"), "{known}");
}

#[tokio::test]
async fn a_great_many_messages_at_once_do_not_stop_the_poll() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    log_in(&bench, &service, TOKEN);
    for _ in 0..1000 {
        service.user_writes(CONTEXT, bench.now().0);
    }
    let sender = bench.build(&ilink_account(&service));
    hear(&bench, &service, sender.as_ref()).await;
    assert_eq!(sender.gate(&user("me"), None, bench.now()), Gate::Open);
}

#[tokio::test]
async fn failed_polls_wait_two_seconds_and_thirty_after_the_third() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    log_in(&bench, &service, TOKEN);
    let sender = bench.build(&ilink_account(&service));
    let bad = || Answer::json(200, json!({"ret": -1, "errmsg": "busy"}));
    service.script("getupdates", [bad(), Answer::status(502), Answer::Reset, bad()]);
    let (events, mut heard) = mpsc::channel(16);
    tokio::select! {
        () = sender.listen(events) => {}
        // notifystart, and the fifth poll, which is held.
        () = service.im.wait_for_requests(6) => {}
    }
    assert_eq!(*bench.slept.lock().unwrap(), [2, 2, 30, 2].map(Duration::from_secs));
    let SenderEvent::Health(probe) = heard.recv().await.unwrap() else { panic!("no health") };
    assert_eq!((probe.online, heard.try_recv().is_err()), (Some(false), true), "told once, after the third");
}

#[tokio::test]
async fn a_login_that_comes_or_goes_is_told_and_the_platform_hears_of_both_ends() {
    let bench = Bench::new().leaping();
    let service = FakeIlink::start().await;
    let sender = bench.build(&ilink_account(&service));
    let (events, mut heard) = mpsc::channel(16);
    let down = || SenderEvent::Health(Probe::down("login needed: run `pushcron login bot`"));
    let story = async {
        assert_eq!(heard.recv().await.unwrap(), down());
        log_in(&bench, &service, TOKEN);
        service.im.wait_for_requests(2).await;
        service.user_writes(CONTEXT, bench.now().0);
        let mut next = Vec::new();
        while next.len() < 2 {
            next.push(heard.recv().await.unwrap());
        }
        next.sort_by_key(|event| *event == SenderEvent::GateOpened);
        assert_eq!(next, [SenderEvent::Health(Probe::up()), SenderEvent::GateOpened]);
        service.service().stale = true;
        service.user_writes(CONTEXT, bench.now().0);
        assert_eq!(heard.recv().await.unwrap(), down());
    };
    tokio::select! {
        () = sender.listen(events) => {}
        () = story => {}
        () = patience() => panic!("{:?}", service.im.paths()),
    }
    tokio::select! {
        () = async { while service.calls("notifystop") == 0 { tokio::task::yield_now().await } } => {}
        () = patience() => panic!("no notifystop: {:?}", service.im.paths()),
    }
    assert_eq!(service.calls("notifystart"), 1);
}
