//! A secret may be short, and its text may stand by chance in an id, a token or an address that a platform gives. Such a
//! value is used as it came, whatever is hidden of it where it is shown.

use crate::common::deliveries::{delivery, group, media, mixed, next_attempt, text, user};
use crate::common::fake_im::{Answer, FakeIm};
use crate::common::senders::{Bench, Stage};
use pushcron::domain::message::Item;
use pushcron::domain::{Body, Outcome};
use pushcron::senders::{Sender, SenderEvent};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// As people choose them for services on their own machine.
const SHORT: &str = "123456";

fn png(bench: &Bench) -> Vec<pushcron::domain::MediaFile> {
    vec![bench.file("a.png", "image/png", b"\x89PNG picture")]
}

#[tokio::test]
async fn feishu_gets_its_tokens_and_keys_back_as_it_gave_them() {
    let stage = Stage::of("feishu_app").await;
    let answer = |body: Value| Answer::json(200, body);
    stage
        .im
        .on("/tenant_access_token/", answer(json!({"code": 0, "tenant_access_token": "t-9123456", "expire": "7200"})));
    stage.im.on("/im/v1/images", answer(json!({"code": 0, "data": {"image_key": "img_9123456"}})));
    stage.im.on("/im/v1/messages", answer(json!({"code": 0, "data": {"message_id": "om_9123456"}})));
    let app = stage.with(&[("app_secret", SHORT)]);
    let report = app.send(&delivery(group("oc_1"), Body::Image(media()), png(&stage.bench))).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let sent = stage.im.request("/im/v1/messages");
    assert_eq!(sent.header("authorization"), Some("Bearer t-9123456"));
    assert!(sent.json()["content"].as_str().unwrap().contains("img_9123456"), "{}", sent.text());
    assert_eq!(report.message_id.as_deref(), Some("om_9****"), "what is shown and kept in rows is hidden");
}

#[tokio::test]
async fn wecom_gets_its_tokens_and_uploads_back_as_it_gave_them() {
    let stage = Stage::of("wecom_app").await;
    let answer = |body: Value| Answer::json(200, body);
    stage.im.on("/gettoken", answer(json!({"errcode": 0, "access_token": "t-9123456", "expires_in": 7200})));
    stage.im.on("/media/upload", answer(json!({"errcode": 0, "media_id": "m-9123456"})));
    stage.im.on("/message/send", answer(json!({"errcode": 0, "msgid": "id-9123456"})));
    let app = stage.with(&[("corp_secret", SHORT)]);
    let report = app.send(&delivery(user("lisi"), Body::Image(media()), png(&stage.bench))).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let sent = stage.im.request("/message/send");
    assert_eq!(sent.query["access_token"], "t-9123456");
    assert_eq!(sent.json()["image"]["media_id"], "m-9123456");
    assert_eq!(report.message_id.as_deref(), Some("id-9****"));
}

#[tokio::test]
async fn onebot_is_asked_for_the_message_by_its_own_id() {
    let stage = Stage::of("onebot11").await;
    let ok = |data: Value| Answer::json(200, json!({"status": "ok", "retcode": 0, "data": data}));
    stage.im.on("/get_version_info", ok(json!({"app_name": "go-cqhttp"})));
    stage.im.on("/send_group_msg", ok(json!({"message_id": "9123456"})));
    stage.im.on("/get_msg", ok(json!({"message": [{"type": "image", "data": {"file": "a"}}]})));
    let bot = stage.with(&[("token", SHORT)]);
    let report = bot.send(&delivery(group("1"), Body::Image(media()), png(&stage.bench))).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.im.request("/get_msg").json()["message_id"], "9123456");
    assert_eq!(report.message_id.as_deref(), Some("9****"));
}

/// The callback brings the id as it is.
#[tokio::test]
async fn qianxun_confirms_a_message_whose_id_holds_the_key() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = Stage::of("qianxun").await.leaping();
    stage
        .im
        .on("/qianxun/httpapi", Answer::json(200, json!({"code": 200, "msg": "ok", "result": {"sendId": "9123456"}})));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let hook: std::sync::Arc<dyn Sender> = stage.with(&[("safekey", SHORT), ("callback_listen", &free)]).into();
    let report = hook.send(&text(user("wxid_bob"), "hi")).await;
    assert_eq!((report.outcome, report.message_id.as_deref()), (Outcome::Sent, Some("9****")));
    let (events, mut heard) = mpsc::channel(4);
    let listening = hook.clone();
    tokio::spawn(async move { listening.listen(events).await });
    let message =
        json!({"fromType": 1, "msgType": 1, "msgSource": 1, "fromWxid": "wxid_bob", "msg": "hi", "sendId": "9123456"});
    let callback =
        json!({"event": 10010, "wxid": "wxid_bot", "data": {"type": "recvMsg", "data": message}}).to_string();
    let mut stream = loop {
        match tokio::net::TcpStream::connect(&free).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", callback.len());
    stream.write_all(format!("{head}{callback}").as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(heard.recv().await, Some(SenderEvent::Confirmed { message_id: "9****".to_owned() }));
}

/// A logged-in bot at a platform whose every value holds the login's token.
async fn ilink(bench: &Bench, im: &FakeIm) -> Box<dyn Sender> {
    let login = json!({"bot_id": "b@im.bot", "user_id": "u@im.wechat", "token": SHORT, "base_url": im.url("")});
    std::fs::create_dir_all(bench.dir.path().join("credentials")).unwrap();
    std::fs::write(bench.dir.path().join("credentials/bot.json"), login.to_string()).unwrap();
    let message = json!({
        "message_type": 1, "from_user_id": "u@im.wechat", "context_token": "ctx/9123456+=",
        "create_time_ms": bench.now().0,
    });
    let poll =
        |msgs: Value, cursor: &str| Answer::json(200, json!({"ret": 0, "msgs": msgs, "get_updates_buf": cursor}));
    im.script("/getupdates", [poll(json!([message]), "cursor-9123456"), Answer::Silence]);
    im.on("/getuploadurl", Answer::json(200, json!({"upload_param": "p-9123456"})));
    im.on("/c2c/upload", Answer::status(200).header("x-encrypted-param", "e-9123456"));
    im.on("/sendmessage", Answer::json(200, json!({"message_id": "9123456"})));
    im.on("/msg/", Answer::json(200, json!({"ret": 0})));
    let sender = bench.sender("ilink", &[("base_url", &im.url("")), ("cdn_url", &im.url("/c2c"))]);
    let (events, mut heard) = mpsc::channel(16);
    // The second poll brings the cursor of the first.
    let polled = async {
        while heard.recv().await.expect("an event") != SenderEvent::GateOpened {}
        im.wait_for_requests(3).await;
    };
    tokio::select! {
        () = sender.listen(events) => panic!("the long poll ended"),
        () = polled => {}
    }
    sender
}

#[tokio::test]
async fn ilink_gets_its_cursor_and_context_and_upload_back_as_it_gave_them() {
    let (bench, im) = (Bench::new().leaping(), FakeIm::start().await);
    let sender = ilink(&bench, &im).await;
    assert_eq!(im.requests_to("/getupdates")[1].json()["get_updates_buf"], "cursor-9123456");
    let report = sender.send(&delivery(user("me"), Body::Image(media()), png(&bench))).await;
    assert_eq!((&report.outcome, report.message_id.as_deref()), (&Outcome::Sent, Some("9****")), "{report:?}");
    assert_eq!(im.request("/c2c/upload").query["encrypted_query_param"], "p-9123456");
    let sent = im.request("/sendmessage").json();
    assert_eq!(sent["msg"]["context_token"], "ctx/9123456+=");
    assert_eq!(sent["msg"]["item_list"][0]["image_item"]["media"]["encrypt_query_param"], "e-9123456");
}

/// The platform may quote the request as JSON inside JSON, in an address or as an HTML page.
#[tokio::test]
async fn what_ilink_grants_is_hidden_in_every_spelling() {
    let (bench, im) = (Bench::new().leaping(), FakeIm::start().await);
    let sender = ilink(&bench, &im).await;
    let mut push = delivery(user("me"), Body::Image(media()), png(&bench));
    for context in [
        r"ctx\/9123456+=",
        "ctx%2F9123456%2B%3D",
        "ctx&#47;9123456&#43;&#61;",
        r"ctx/91\u00323456+=",
        "Y3R4LzkxMjM0NTYrPQ==",
    ] {
        for (path, error) in [
            ("/sendmessage", Answer::json(200, json!({"ret": -7, "errmsg": format!("bad {context} !")}))),
            ("/getconfig", Answer::json(200, json!({"ret": -7, "errmsg": format!("bad {context} !")}))),
        ] {
            im.on(path, error);
        }
        bench.clock.advance(std::time::Duration::from_secs(300));
        let report = sender.send(&push).await;
        push = next_attempt(&push, &report);
        push.parts.clear();
        let error = report.error.unwrap();
        assert!(error.contains("bad **** !"), "{context}: {error}");
    }
    // The CDN quotes the address that it was asked by, and the key under which the file lies there.
    im.handle("/c2c/upload", |request| {
        let quoted = format!("no {} {}", request.query["encrypted_query_param"], request.query["filekey"]);
        Answer::status(400).header("x-error-message", &quoted)
    });
    bench.clock.advance(std::time::Duration::from_secs(300));
    let other = bench.file("b.png", "image/png", b"\x89PNG other");
    let items = vec![Item::Image(media())];
    let report = sender.send(&mixed(user("me"), items, vec![other])).await;
    let error = report.error.unwrap();
    assert!(error.contains("no **** ****"), "{error}");
}
