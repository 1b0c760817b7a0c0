//! Clients that others wrote and our senders, side by side: what ours ask of Telegram, Feishu and DingTalk is what
//! theirs ask. `tests/real/chat_clients.sh` installs the clients, and `chat_clients.py` drives them.

use std::collections::BTreeMap;

use crate::common::deliveries::{captioned, delivery, group, media, opus_of_1001_ms, text, text_item, user};
use crate::common::fake_im::{Answer, FakeIm, Request};
use crate::common::form::form;
use crate::common::senders::Bench;
use pushcron::domain::{Body, Delivery, Item, MediaFile, Outcome, UtcMs};
use pushcron::senders::Sender;
use serde_json::{Value, json};

/// A server that says yes to everybody, the files that all send, and the senders' surroundings.
struct World {
    im: FakeIm,
    bench: Bench,
    png: MediaFile,
    png2: MediaFile,
    voice: MediaFile,
    pdf: MediaFile,
}

impl World {
    async fn new() -> World {
        let im = FakeIm::start().await;
        let message = json!({"message_id": 1, "date": 1, "chat": {"id": 42, "type": "private"}, "id": 1,
            "is_bot": true, "first_name": "bot"});
        im.on("/bot", Answer::json(200, json!({"ok": true, "result": message})));
        // A message for each member of the album.
        im.on("/sendMediaGroup", Answer::json(200, json!({"ok": true, "result": [message, message]})));
        im.on(
            "/tenant_access_token/",
            Answer::json(200, json!({"code": 0, "tenant_access_token": "t", "expire": 7200})),
        );
        let data = json!({"message_id": "om_1", "image_key": "img_1", "file_key": "file_1"});
        im.on("/im/v1/", Answer::json(200, json!({"code": 0, "data": data})));
        im.on("/robot/send", Answer::json(200, json!({"errcode": 0, "errmsg": "ok"})));
        let bench = Bench::new();
        World {
            im,
            png: bench.file("a.png", "image/png", b"\x89PNG first"),
            png2: bench.file("b.png", "image/png", b"\x89PNG second"),
            voice: bench.file("a.ogg", "audio/ogg", &opus_of_1001_ms()),
            pdf: bench.file("a.pdf", "application/pdf", b"%PDF"),
            bench,
        }
    }

    /// What their client asks; None where it is not installed.
    async fn theirs(&self, platform: &str) -> Option<Vec<Request>> {
        let Ok(python) = std::env::var("PUSHCRON_CHAT_PYTHON") else {
            eprintln!("SKIPPED: {platform}: no PUSHCRON_CHAT_PYTHON; run tests/real/chat_clients.sh");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/chat_clients.py");
        let files = self.png.path.parent().unwrap();
        let before = self.im.requests().len();
        let mut client = tokio::process::Command::new(python);
        let output = client.args([script, platform, &self.im.url("")]).arg(files).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(self.im.requests().split_off(before))
    }

    /// What our sender asks.
    async fn ours(&self, sender: &dyn Sender, pushes: Vec<Delivery>) -> Vec<Request> {
        let before = self.im.requests().len();
        for push in pushes {
            let report = sender.send(&push).await;
            assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        }
        self.im.requests().split_off(before)
    }
}

/// A request without what may differ: the way of encoding, the order and the type of its parameters, names that a
/// form gives its files, and parameters that say nothing.
#[derive(Debug, PartialEq)]
struct Asked {
    method: String,
    path: String,
    parameters: BTreeMap<String, Value>,
}

fn asked(request: &Request) -> Asked {
    let mut parameters: BTreeMap<String, Value> =
        request.query.iter().map(|(key, value)| (key.clone(), plain(json!(value)))).collect();
    let kind = request.header("content-type").unwrap_or_default();
    if kind.starts_with("multipart/") {
        let fields = form(request);
        let body = request.text();
        // Files that another parameter refers to are called by their order.
        let attached = fields.iter().filter(|field| body.contains(&format!("attach://{}", field.name)));
        let names: Vec<String> = attached.map(|field| field.name.clone()).collect();
        let renamed = |text: String| {
            let number = |(number, name): (usize, &String)| (name.clone(), format!("#{number}"));
            names.iter().enumerate().map(number).fold(text, |text, (name, short)| text.replace(&name, &short))
        };
        for field in fields {
            parameters.insert(
                renamed(field.name.clone()),
                plain(json!(renamed(String::from_utf8_lossy(&field.content).into()))),
            );
        }
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(&request.body).into_owned();
        parameters.extend(pairs.map(|(key, value)| (key, plain(json!(value)))));
    } else if let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) {
        parameters.extend(body.into_iter().map(|(key, value)| (key, plain(value))));
    }
    parameters.retain(|_, value| !says_nothing(value));
    Asked { method: request.method.clone(), path: request.path.clone(), parameters }
}

/// JSON inside a text as JSON, numbers and flags as their texts, and nothing for what says nothing.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => plain(value),
            _ => json!(text),
        },
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, plain(value)));
            Value::Object(fields.filter(|(_, value)| !says_nothing(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        value => json!(value.to_string()),
    }
}

fn says_nothing(value: &Value) -> bool {
    [json!(""), json!("false"), json!("null"), json!({}), json!([])].contains(value)
}

fn same(theirs: &[Request], ours: &[Request]) {
    let (theirs, ours): (Vec<Asked>, Vec<Asked>) =
        (theirs.iter().map(asked).collect(), ours.iter().map(asked).collect());
    assert_eq!(theirs.len(), ours.len(), "{theirs:#?}\n{ours:#?}");
    for (theirs, ours) in theirs.into_iter().zip(ours) {
        assert_eq!(theirs, ours, "left theirs, right ours");
    }
}

#[tokio::test]
async fn telegram_is_asked_as_python_telegram_bot_asks() {
    let world = World::new().await;
    let Some(theirs) = world.theirs("telegram").await else { return };
    let url = world.im.url("");
    let settings = [("token", "123456:TOKEN"), ("base_url", url.as_str())];
    let marked = [settings[0], settings[1], ("parse_mode", "HTML"), ("silent", "true")];
    let marked = world.bench.sender("telegram", &marked);
    let mut ours = world.ours(&*marked, vec![text(group("42/7"), "<b>hi</b>")]).await;
    let album = Body::Mixed { items: vec![Item::Image(media()), Item::Image(media()), text_item("both")] };
    let pushes = vec![
        delivery(user("42"), Body::Image(captioned("cap")), vec![world.png.clone()]),
        delivery(user("42"), Body::Voice(media()), vec![world.voice.clone()]),
        delivery(user("42"), Body::File(media()), vec![world.pdf.clone()]),
        delivery(user("42"), album, vec![world.png.clone(), world.png2.clone()]),
    ];
    ours.extend(world.ours(&*world.bench.sender("telegram", &settings), pushes).await);
    // Theirs asks who it is before anything else.
    same(&theirs[1..], &ours);
}

#[tokio::test]
async fn feishu_is_asked_as_its_own_sdk_asks() {
    let world = World::new().await;
    let Some(theirs) = world.theirs("feishu").await else { return };
    let url = world.im.url("");
    let settings = [("app_id", "cli_1"), ("app_secret", "SECRET"), ("base_url", url.as_str())];
    let app = world.bench.sender("feishu_app", &settings);
    let pushes = vec![
        text(group("oc_1"), "hi"),
        delivery(group("oc_1"), Body::Image(media()), vec![world.png.clone()]),
        delivery(group("oc_1"), Body::File(media()), vec![world.pdf.clone()]),
        delivery(group("oc_1"), Body::Voice(media()), vec![world.voice.clone()]),
    ];
    same(&theirs, &world.ours(&*app, pushes).await);
}

#[tokio::test]
async fn dingtalk_is_asked_and_signed_as_dingtalkchatbot_does() {
    let world = World::new().await;
    let Some(theirs) = world.theirs("dingtalk").await else { return };
    // The signature holds the instant, so ours is made at theirs.
    world.bench.clock.step_wall_to(UtcMs(theirs[0].query["timestamp"].parse().unwrap()));
    let url = world.im.url("/robot/send?access_token=TOKEN");
    let robot = world.bench.sender("dingtalk_robot", &[("url", &url), ("secret", "SECdemo")]);
    let called = Body::Mixed { items: vec![text_item("hi\n"), Item::At { user: "13800000000".into() }] };
    let marked = Body::Mixed { items: vec![Item::Markdown { text: "**m**".into() }] };
    let pushes = vec![delivery(group("ops"), called, vec![]), delivery(group("ops"), marked, vec![])];
    same(&theirs, &world.ours(&*robot, pushes).await);
}
