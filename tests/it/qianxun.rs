//! `qianxun` against a scripted hook: what it sends, what it makes of each answer, and what it hears.

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::deliveries::{delivery, group, media, mixed, next_attempt, online, outcomes, text, user};
use crate::common::fake_im::{Answer, FakeIm, Refused};
use crate::common::fake_qianxun::{Hook, refused};
use crate::common::senders::{Bench, account, extended};
use pushcron::clock::Clock;
use pushcron::domain::message::Item;
use pushcron::domain::{Account, Body, MediaFile, Outcome};
use pushcron::senders::{Probe, Sender, SenderEvent};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const SAFEKEY: &str = "canary-k3y";

fn bot(url: String, more: &[(&'static str, &str)]) -> Account {
    let account = account("qianxun", &[("url", &url), ("wxid", "wxid_bot"), ("safekey", SAFEKEY)]);
    // A pause between parts would wait for the manual clock.
    Account { min_interval: Some(Duration::ZERO), ..extended(account, more) }
}

/// A Pro framework and a sender that speaks to it.
async fn pro(bench: &Bench) -> (Hook, Box<dyn Sender>) {
    let hook = Hook::start().await;
    let sender = bench.build(&bot(hook.im.url(""), &[]));
    (hook, sender)
}

fn png(bench: &Bench) -> MediaFile {
    bench.file("a.png", "image/png", b"picture")
}

fn linked(file: MediaFile) -> MediaFile {
    online(file, "https://a.test/x")
}

#[tokio::test]
async fn every_kind_goes_out_in_its_own_call_or_as_its_fallback() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    let file = |name: &str| bench.file(name, "x/y", b"12345");
    let items = vec![
        Item::Text { text: "see".into() },
        Item::At { user: "wxid_bob".into() },
        Item::Image(media()),
        Item::Markdown { text: "**done**".into() },
    ];
    for (body, files, note, lines) in [
        (Body::Text { text: "hi\nyou".into() }, vec![], None, vec!["sendText 123@chatroom hi\ryou"]),
        (Body::Image(media()), vec![png(&bench)], None, vec!["sendImage 123@chatroom content:7 bytes"]),
        (Body::File(media()), vec![file("r.pdf")], None, vec!["sendFile 123@chatroom content:5 bytes"]),
        (
            Body::Voice(media()),
            vec![file("v.mp3")],
            Some("voice as file"),
            vec!["sendFile 123@chatroom content:5 bytes"],
        ),
        (
            Body::Video(media()),
            vec![file("v.mp4")],
            Some("video as file"),
            vec!["sendFile 123@chatroom content:5 bytes"],
        ),
        (
            Body::Mixed { items },
            vec![png(&bench)],
            Some("mixed as a sequence"),
            vec![
                "sendText 123@chatroom see [@,wxid=wxid_bob,nick=,isAuto=true]",
                "sendImage 123@chatroom content:7 bytes",
                "sendText 123@chatroom done",
            ],
        ),
    ] {
        hook.set(|state| state.taken.clear());
        let kind = body.kind();
        let report = sender.send(&delivery(group("123"), body, files)).await;
        assert_eq!((report.outcome, report.error, report.note.as_deref()), (Outcome::Sent, None, note), "{kind}");
        assert_eq!(hook.lines(), lines, "{kind}");
        assert_eq!(report.message_id.as_ref(), Some(&hook.taken()[0].send_id), "{kind}");
    }
    let request = &hook.im.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/qianxun/httpapi"));
    assert_eq!((request.query["wxid"].as_str(), request.query["safekey"].as_str()), ("wxid_bot", SAFEKEY));
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn targets_are_taken_as_they_are_but_for_a_groups_bare_number() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    for target in [group("123"), group("123@chatroom"), user("filehelper"), user("gh_1"), user("123")] {
        assert_eq!(sender.send(&text(target, "hi")).await.outcome, Outcome::Sent);
    }
    let targets: Vec<String> = hook.taken().into_iter().map(|taken| taken.target).collect();
    assert_eq!(targets, ["123@chatroom", "123@chatroom", "filehelper", "gh_1", "123"]);
}

#[tokio::test]
async fn a_private_chat_gets_mentions_as_text() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    let items = vec![Item::At { user: "wxid_bob".into() }, Item::Text { text: "come".into() }];
    let report = sender.send(&mixed(user("wxid_al"), items, vec![])).await;
    assert_eq!(report.note.as_deref(), Some("mentions as text"));
    assert_eq!(hook.lines(), ["sendText wxid_al @wxid_bob come"]);
}

#[tokio::test]
async fn a_long_text_has_an_id_for_each_part_and_a_retry_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    let push = text(group("1"), &"报".repeat(4000));
    let first = {
        // The second part meets a proxy whose hook is away.
        let sending = sender.send(&push);
        let cut = async {
            hook.im.wait_for_requests(1).await;
            hook.set(|state| state.next_send = Some(Answer::status(502)));
        };
        tokio::join!(sending, cut).0
    };
    assert_eq!(first.outcome, Outcome::Unreachable);
    assert_eq!(outcomes(&first)[0], "sent");
    let second = sender.send(&next_attempt(&push, &first)).await;
    assert_eq!((second.outcome.clone(), outcomes(&second)), (Outcome::Sent, vec!["sent"; 3]));
    let whole: String = hook.taken().iter().map(|taken| taken.content.as_str()).collect();
    assert_eq!(whole, "报".repeat(4000));
    let ids: Vec<_> = second.parts.iter().map(|part| part.message_id.clone().unwrap()).collect();
    assert_eq!(ids, hook.taken().into_iter().map(|taken| taken.send_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_form_that_the_hook_cannot_read_is_followed_by_the_next() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    let missing = || refused(500, "图片不存在或者下载失败");
    let image = |file| delivery(user("bob"), Body::Image(media()), vec![file]);

    hook.set(|state| state.next_send = Some(missing()));
    let report = sender.send(&image(png(&bench))).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("image as file")));

    hook.set(|state| state.readable = vec!["https://a.test/".into()]);
    hook.set(|state| state.next_send = Some(missing()));
    let report = sender.send(&image(linked(png(&bench)))).await;
    assert_eq!((report.outcome, report.note), (Outcome::Sent, None));
    assert_eq!(hook.lines(), ["sendFile bob content:7 bytes", "sendImage bob https://a.test/x"]);
}

#[tokio::test]
async fn what_the_old_generation_cannot_take_becomes_a_link_or_is_refused_with_the_way_out() {
    let (bench, hook) = (Bench::new(), Hook::start().await);
    let sender = bench.build(&bot(hook.im.url("/DaenWxHook/httpapi"), &[]));
    let image = |file| delivery(user("bob"), Body::Image(media()), vec![file]);
    let report = sender.send(&image(png(&bench))).await;
    assert_eq!(report.outcome, Outcome::Rejected);
    assert!(report.error.unwrap().contains("shared_dir"));

    let report = sender.send(&image(linked(png(&bench)))).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("image as link")));
    assert_eq!(hook.lines(), ["Q0001 bob a.png\rhttps://a.test/x"]);
    assert_eq!(report.message_id, None, "the old generation has no ids");
}

#[tokio::test]
async fn a_shared_folder_carries_what_nothing_else_does() {
    let (bench, hook) = (Bench::new(), Hook::start().await);
    hook.set(|state| state.readable = vec!["Z:/in/pushcron-".into()]);
    let share = bench.dir.path().join("share");
    std::fs::create_dir(&share).unwrap();
    let settings = [("shared_dir", share.to_str().unwrap()), ("shared_dir_on_host", r"Z:\in")];
    let sender = bench.build(&bot(hook.im.url("/DaenWxHook/client"), &settings));
    let pdf = bench.file("日 报.pdf", "application/pdf", b"report");
    let report = sender.send(&delivery(user("bob"), Body::File(media()), vec![pdf])).await;
    assert_eq!((report.outcome, report.error), (Outcome::Sent, None));
    let taken = &hook.taken()[0];
    let name = taken.content.strip_prefix("Z:/in/").unwrap();
    assert!(name.ends_with("-日_报.pdf"), "{name}");
    assert_eq!(std::fs::read(share.join(name)).unwrap(), b"report");
    assert!(!hook.im.requests()[0].query.contains_key("wxid"), "one WeChat's own port needs no name");
}

/// Each row of the sheet's §9 that a send can meet, and the class that it says.
#[tokio::test]
async fn each_failure_of_the_sheet_has_its_outcome() {
    let said = |code: u16, msg: &str| refused(code, &format!("{msg} ({SAFEKEY})"));
    let rows: Vec<(&str, Answer, Outcome)> = vec![
        ("timeout after the body was written", Answer::Silence, Outcome::Unknown),
        ("reset after the body was written", Answer::Reset, Outcome::Unknown),
        ("reset inside the answer", Answer::ResetInBody { status: 200 }, Outcome::Unknown),
        ("wrong plan, slash or generation", said(404, "路由不存在"), Outcome::AccountDown),
        ("the same with HTTP 200", said(500, "路由不存在"), Outcome::AccountDown),
        ("bare 404", Answer::status(404), Outcome::AccountDown),
        ("proxy: bad gateway", Answer::status(502), Outcome::Unreachable),
        ("proxy: unavailable", Answer::status(503), Outcome::Unreachable),
        ("proxy: gateway timeout", Answer::status(504), Outcome::Unknown),
        ("proxy: slow down", Answer::status(429), Outcome::Throttled { wait: None }),
        ("200 without JSON", Answer::text(200, "<html>"), Outcome::Unknown),
        ("200 without a code", Answer::json(200, json!({"msg": "ok"})), Outcome::Unknown),
        ("code 200", Answer::json(200, json!({"code": "200", "result": {"sendId": "s1, s2"}})), Outcome::Sent),
        ("licence", said(500, "授权已到期，请续费"), Outcome::AccountDown),
        ("safekey refused", said(403, "safekey错误"), Outcome::AccountDown),
        ("file not found", said(500, "图片不存在或者下载失败: D:/授权.png"), Outcome::Rejected),
        ("another refusal, WeChat online", said(500, "发送失败"), Outcome::Unknown),
    ];
    for (case, answer, outcome) in rows {
        let bench = Bench::new();
        let (hook, sender) = pro(&bench).await;
        let is_silent = matches!(answer, Answer::Silence);
        hook.set(|state| {
            state.safekey = Some(SAFEKEY.into());
            state.next_send = Some(answer);
        });
        let mut push = text(user("bob"), "hi");
        if is_silent {
            push.timeout = Duration::from_millis(200);
        }
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, outcome, "{case}: {:?}", report.error);
        assert_eq!(report.error.is_none(), outcome == Outcome::Sent, "{case}");
        assert!(!format!("{report:?}").contains(SAFEKEY), "{case}: {report:?}");
        if outcome == Outcome::Sent {
            assert_eq!(report.message_id.as_deref(), Some("s1"));
        }
        assert_eq!(hook.taken().len(), 0);
    }

    let (bench, refusing) = (Bench::new(), Refused::new());
    let sender = bench.build(&bot(refusing.url(), &[]));
    assert_eq!(sender.send(&text(user("bob"), "hi")).await.outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn a_refusal_while_wechat_is_away_was_surely_not_sent() {
    let bench = Bench::new();
    let (hook, sender) = pro(&bench).await;
    hook.set(|state| state.bots = vec!["wxid_other".into()]);
    let report = sender.send(&text(user("bob"), "hi")).await;
    assert_eq!(report.outcome, Outcome::AccountDown);
    let error = report.error.unwrap();
    assert!(error.contains("该微信不在线") && error.contains("no WeChat wxid_bot"), "{error}");
}

#[tokio::test]
async fn a_target_that_the_hook_knows_nothing_of_is_given_up_where_asked_to_check() {
    let (bench, hook) = (Bench::new(), Hook::start().await);
    hook.set(|state| state.known_targets = Some(vec!["bob".into()]));
    let sender = bench.build(&bot(hook.im.url(""), &[("check_target", "true")]));
    assert_eq!(sender.send(&text(user("bob"), "hi")).await.outcome, Outcome::Sent);
    assert_eq!(sender.send(&text(user("filehelper"), "hi")).await.outcome, Outcome::Sent);
    assert_eq!(sender.send(&text(user("nobody"), "hi")).await.outcome, Outcome::TargetGone);
    assert_eq!(hook.taken().len(), 2);
}

#[tokio::test]
async fn health_is_login_and_licence() {
    let up = (Some(true), Some(true));
    let down = (Some(false), Some(false));
    type Change = fn(&mut crate::common::fake_qianxun::State);
    let rows: Vec<(&str, &str, Change, _)> = vec![
        ("all is well", "", |_| {}, up),
        ("an old version without the licence call", "", |s| s.knows_licence = false, up),
        ("the bot is gone from the list", "", |s| s.bots = vec!["wxid_other".into()], down),
        ("the licence ended", "", |s| s.licence_expired = true, (Some(true), Some(false))),
        ("a wrong safekey", "", |s| s.safekey = Some("other".into()), down),
        ("a wrong path", "/x", |_| {}, down),
        ("plan 2", "/wechat/httpapi", |_| {}, up),
        ("plan 2, state as text", "/wechat/httpapi", |s| s.login_status = json!("3"), up),
        ("plan 2, login screen", "/wechat/httpapi", |s| s.login_status = json!(4), down),
        ("plan 2, waits for the phone", "/wechat/httpapi", |s| s.login_status = json!("1"), down),
        ("plan 2, another WeChat", "/wechat/httpapi", |s| s.bots = vec!["wxid_other".into()], down),
        ("the old framework", "/DaenWxHook/httpapi/", |_| {}, up),
        ("the old plan 2", "/DaenWxHook/client/", |_| {}, up),
    ];
    for (case, path, change, expected) in rows {
        let (bench, hook) = (Bench::new(), Hook::start().await);
        hook.set(change);
        let api = ("api", "pro_framework");
        let more = if path == "/x" { vec![api] } else { vec![] };
        let Probe { online, sendable, error } = bench.build(&bot(hook.im.url(path), &more)).probe().await;
        assert_eq!((online, sendable), expected, "{case}: {error:?}");
        assert_eq!(error.is_none(), expected == up, "{case}");
        assert!(!format!("{error:?}").contains(SAFEKEY), "{case}");
    }
    let probe = Bench::new().build(&bot(Refused::new().url(), &[])).probe().await;
    assert_eq!(probe.online, Some(false), "{probe:?}");

    let (bench, im) = (Bench::new(), FakeIm::start().await);
    im.on("", refused(500, "稍后再试"));
    let probe = bench.build(&bot(im.url(""), &[])).probe().await;
    assert_eq!((probe.online, probe.sendable), (None, None), "a refusal without a reason says nothing");
    assert_eq!(im.requests().len(), 3, "asked three times");
}

/// A sender with a listener, its events, and the address of its callbacks.
struct Listening {
    bench: Bench,
    hook: Hook,
    sender: std::sync::Arc<dyn Sender>,
    events: mpsc::Receiver<SenderEvent>,
    address: SocketAddr,
}

impl Listening {
    async fn new() -> Listening {
        let (bench, hook) = (Bench::new(), Hook::start().await);
        // Free a moment ago; the sender would try again if somebody took it.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listen = bot(hook.im.url(""), &[("callback_listen", &address.to_string())]);
        let sender: std::sync::Arc<dyn Sender> = bench.build(&listen).into();
        let (sink, events) = mpsc::channel(16);
        let listening = sender.clone();
        tokio::spawn(async move { listening.listen(sink).await });
        let listening = Listening { bench, hook, sender, events, address };
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        listening
    }

    /// One raw request, and the status of its answer.
    async fn say(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.split("\r\n").next().unwrap_or_default().to_owned()
    }

    async fn call_back(&self, callback: Value) {
        let body = callback.to_string();
        let request = format!("POST /cb HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(self.say(request.as_bytes()).await, "HTTP/1.1 200 OK");
    }

    /// The next event, however long the clock must run for it.
    async fn next(&mut self) -> SenderEvent {
        loop {
            tokio::select! {
                event = self.events.recv() => return event.unwrap(),
                () = tokio::task::yield_now() => self.bench.clock.advance(Duration::from_millis(10)),
            }
        }
    }
}

fn message_from_us(send_id: &str, kind: i64, text: &str) -> Value {
    json!({"fromType": 1, "msgType": kind, "msgSource": 1, "fromWxid": "bob", "msg": text, "msgId": "0", "sendId": send_id})
}

fn went_out(send_id: &str, is_framed: bool) -> Value {
    let message = message_from_us(send_id, 1, "");
    let inner = json!({"type": "recvMsg", "des": "收到消息", "data": message, "wxid": "wxid_bot"});
    if is_framed { json!({"event": 10010, "wxid": "wxid_bot", "data": inner}) } else { inner }
}

#[tokio::test]
async fn a_delivery_is_confirmed_when_each_of_its_parts_came_back() {
    let mut it = Listening::new().await;
    let report = it.sender.send(&text(user("bob"), &"报".repeat(3000))).await;
    let ids: Vec<String> = it.hook.taken().into_iter().map(|taken| taken.send_id).collect();
    assert_eq!((report.outcome, ids.len()), (Outcome::Sent, 2));
    it.call_back(went_out(&ids[0], true)).await;
    // A second message of one part overtakes it.
    let single = it.sender.send(&text(user("bob"), "hi")).await.message_id.unwrap();
    it.call_back(went_out(&single, false)).await;
    assert_eq!(it.next().await, SenderEvent::Confirmed { message_id: single });
    it.call_back(went_out(&ids[1], true)).await;
    assert_eq!(it.next().await, SenderEvent::Confirmed { message_id: report.message_id.unwrap() });
}

#[tokio::test]
async fn a_send_whose_answer_was_lost_waits_for_its_own_callback() {
    let mut it = Listening::new().await;
    let file = png(&it.bench);
    for (push, kind, came_back, outcome) in [
        (text(user("bob"), "日报 😁"), 1, "日报 \\uD83D\\uDE01", Outcome::Sent),
        (text(user("bob"), "日报"), 1, "another text", Outcome::Unknown),
        (text(user("al"), "日报"), 1, "日报", Outcome::Unknown),
        (delivery(user("bob"), Body::Image(media()), vec![file]), 3, "[pic=C:/x.jpg,isDecrypt=1]", Outcome::Sent),
    ] {
        it.hook.set(|state| state.next_send = Some(Answer::Reset));
        let sender = it.sender.clone();
        let sending = tokio::spawn(async move { sender.send(&push).await });
        it.hook.im.wait_for_requests(it.hook.im.requests().len() + 1).await;
        let id = format!("lost-{}", it.hook.im.requests().len());
        it.call_back(
            json!({"event": 10010, "wxid": "wxid_bot", "data": {"data": message_from_us(&id, kind, came_back)}}),
        )
        .await;
        while !sending.is_finished() {
            tokio::task::yield_now().await;
            if outcome == Outcome::Unknown {
                it.bench.clock.advance(Duration::from_secs(1));
            }
        }
        let report = sending.await.unwrap();
        assert_eq!(report.outcome, outcome, "{came_back}: {report:?}");
        if outcome == Outcome::Sent {
            assert_eq!(report.message_id.as_ref(), Some(&id));
            assert!(report.note.unwrap().contains("callback came"));
            assert_eq!(it.next().await, SenderEvent::Confirmed { message_id: id });
        }
    }
}

#[tokio::test]
async fn a_callback_is_a_reason_to_look_and_never_the_truth() {
    let mut it = Listening::new().await;
    let health = |event: SenderEvent| match event {
        SenderEvent::Health(probe) => (probe.online, probe.sendable),
        other => panic!("{other:?}"),
    };
    it.call_back(json!({"event": 10014, "wxid": "wxid_other", "data": {"type": 0}})).await;
    let offline = || json!({"event": 10014, "wxid": "wxid_bot", "data": {"type": 0, "port": 8888}});
    let expired = || json!({"event": 99999, "wxid": "wxid_bot", "data": {"expireTime": "2025-11-02 21:48:17"}});
    for lie in [offline(), expired()] {
        it.call_back(lie).await;
        assert_eq!(health(it.next().await), (Some(true), Some(true)), "the hook itself says that all is well");
    }
    it.hook.set(|state| state.licence_expired = true);
    it.call_back(expired()).await;
    assert_eq!(health(it.next().await), (Some(true), Some(false)));
    it.hook.set(|state| (state.licence_expired, state.bots) = (false, vec!["wxid_other".into()]));
    it.call_back(offline()).await;
    assert_eq!(health(it.next().await), (Some(false), Some(false)));
    it.hook.set(|state| state.bots.push("wxid_bot".into()));
    it.call_back(json!({"event": 10014, "wxid": "wxid_bot", "data": {"type": 1}})).await;
    assert_eq!(health(it.next().await), (Some(true), Some(true)), "as a probe says after a login");
}

#[tokio::test]
async fn the_listener_answers_politely_and_takes_no_more_than_it_should() {
    let mut it = Listening::new().await;
    for (request, answer) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP/1.1 405 Method Not Allowed"),
        // What a page in some browser sends, and one whose name was made to lead here.
        (
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 403 Forbidden",
        ),
        (b"POST / HTTP/1.1\r\nHost: evil.example:9898\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 403 Forbidden"),
        (b"POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 411 Length Required"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", "HTTP/1.1 413 Content Too Large"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\ncontent-length: 7\r\n\r\nnothing", "HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 100 Continue"),
        (&[b'x'; 20_000], "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        assert_eq!(it.say(request).await, answer, "{shown}");
    }
    // Those that say nothing hold nobody up, however many there are.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(it.address).await.unwrap());
    }
    let clock = it.bench.clock.clone();
    let before = clock.monotonic();
    let offline = json!({"event": 10014, "wxid": "wxid_bot", "data": {"type": 0}}).to_string();
    let (head, tail) = offline.split_at(20);
    // As clients do that do not know how long their text will be.
    let chunked = format!(
        "POST /cb HTTP/1.1\r\nHost: 192.168.1.9:9898\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
        head.len(),
        tail.len()
    );
    let answer = {
        let mut saying = std::pin::pin!(it.say(chunked.as_bytes()));
        loop {
            tokio::select! {
                biased;
                answer = &mut saying => break answer,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(1)),
            }
        }
    };
    assert_eq!(answer, "HTTP/1.1 200 OK");
    assert!(clock.monotonic() - before < Duration::from_secs(10), "they were not waited for");
    assert!(matches!(it.next().await, SenderEvent::Health(_)));
}

#[test]
fn settings_that_do_not_fit_are_refused_without_a_word_of_the_key() {
    let bench = Bench::new();
    let (pro, other) = (format!("http://h/qianxun/httpapi?safekey={SAFEKEY}"), format!("http://h/{SAFEKEY}/x"));
    let rows: [(&str, &[(&'static str, &str)], &str); 5] = [
        (&pro, &[], "wxid: required"),
        (&other, &[], "url: expected a path"),
        (&pro, &[("api", "old_wechat")], "does not fit"),
        (&pro, &[("wxid", "a"), ("callback_listen", "9898")], "callback_listen: expected IP:PORT"),
        (&pro, &[("wxid", "a"), ("shared_dir_on_host", "Z:")], "give both or neither"),
    ];
    for (url, more, expected) in rows {
        let account = extended(account("qianxun", &[("url", url)]), more);
        let problem = bench.try_build(&account).err().unwrap().to_string();
        assert!(problem.contains(expected), "{problem}");
        assert!(!problem.contains(SAFEKEY), "{problem}");
    }
}
