//! The matrix sender against a real homeserver, which `tests/real/synapse.sh` starts. Another user reads back what
//! arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::deliveries::{captioned, group, media, next_attempt, text_item, user};
use crate::common::senders::Bench;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pushcron::clock::{Clock, SystemClock};
use pushcron::domain::{Body, Delivery, Item, MediaFile, Outcome, Target};
use pushcron::senders::Probe;
use pushcron::senders::Sender;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The server, a bot and a reader of their own for each test.
struct World {
    url: String,
    client: reqwest::Client,
    bot: Person,
    alice: Person,
    bench: Bench,
}

#[derive(Clone)]
struct Person {
    id: String,
    token: String,
}

impl World {
    /// None where there is no server; the test is then skipped aloud.
    async fn new(test: &str) -> Option<World> {
        let Ok(url) = std::env::var("PUSHCRON_SYNAPSE_URL") else {
            eprintln!("SKIPPED: {test}: no PUSHCRON_SYNAPSE_URL; run tests/real/synapse.sh");
            return None;
        };
        // Installs the provider of TLS that every client in the process needs.
        pushcron::senders::http::Http::new().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let nobody = Person { id: String::new(), token: String::new() };
        let mut world = World { url, client, bot: nobody.clone(), alice: nobody, bench: Bench::new().live() };
        world.bot = world.register("bot").await;
        world.alice = world.register("alice").await;
        Some(world)
    }

    async fn register(&self, name: &str) -> Person {
        let name = format!("{name}-{:x}", fastrand::u64(..));
        let auth = json!({"type": "m.login.dummy"});
        let body = json!({"username": name, "password": "pw", "auth": auth});
        let made = self.ask(None, self.client.post(self.at("register")).json(&body)).await;
        let text = |key: &str| made[key].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Person { id: text("user_id"), token: text("access_token") }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/_matrix/client/v3/{path}", self.url)
    }

    async fn ask(&self, who: Option<&Person>, request: reqwest::RequestBuilder) -> Value {
        let request = match who {
            Some(person) => request.bearer_auth(&person.token),
            None => request,
        };
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A private room of the bot's in which alice is.
    async fn room(&self) -> String {
        let body = json!({"preset": "private_chat", "invite": [self.alice.id]});
        let made = self.ask(Some(&self.bot), self.client.post(self.at("createRoom")).json(&body)).await;
        let room = made["room_id"].as_str().unwrap().to_owned();
        self.join(&room).await;
        room
    }

    async fn join(&self, room: &str) {
        let joined = self.ask(Some(&self.alice), self.client.post(self.at(&format!("join/{}", segment(room))))).await;
        assert_eq!(joined["room_id"], json!(room), "{joined}");
    }

    fn sender(&self) -> Box<dyn Sender> {
        self.sender_at(&self.url)
    }

    fn sender_at(&self, url: &str) -> Box<dyn Sender> {
        self.bench.sender("matrix", &[("url", url), ("token", &self.bot.token)])
    }

    /// What alice sees in the room, oldest first.
    async fn messages(&self, room: &str) -> Vec<Value> {
        let path = format!("rooms/{}/messages?dir=b&limit=100", segment(room));
        let page = self.ask(Some(&self.alice), self.client.get(self.at(&path))).await;
        let events = page["chunk"].as_array().unwrap_or_else(|| panic!("{page}")).iter().rev();
        events.filter(|event| event["type"] == "m.room.message").cloned().collect()
    }

    /// The bytes and the type behind an `mxc://` address, as alice gets them.
    async fn download(&self, uri: &Value) -> (Vec<u8>, String) {
        let place = uri.as_str().unwrap().strip_prefix("mxc://").unwrap();
        let url = format!("{}/_matrix/client/v1/media/download/{place}", self.url);
        let answer = self.client.get(url).bearer_auth(&self.alice.token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mime_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.bytes().await.unwrap().to_vec(), mime_type)
    }
}

/// A push made just now.
fn delivery(target: Target, body: Body, media: Vec<MediaFile>) -> Delivery {
    let now = SystemClock::new().now();
    let delivery = crate::common::deliveries::delivery(target, body, media);
    Delivery { made_at: now, expires_at: now + delivery.retry.give_up_after, ..delivery }
}

fn text(target: Target, text: &str) -> Delivery {
    delivery(target, Body::Text { text: text.to_owned() }, Vec::new())
}

fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

/// Bytes that no text conversion survives.
fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 256) as u8).collect()
}

#[tokio::test]
async fn every_kind_arrives_byte_for_byte() {
    let Some(world) = World::new("every_kind_arrives_byte_for_byte").await else { return };
    let room = world.room().await;
    let sender = world.sender();
    assert_eq!(sender.probe().await, Probe::up());

    let words = "早上好 😀\nsecond line \"quoted\" \\ <b>&amp;";
    let report = sender.send(&text(group(&room), words)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let seen = world.messages(&room).await;
    assert_eq!(seen[0]["content"], json!({"msgtype": "m.text", "body": words}));
    assert_eq!(Some(seen[0]["event_id"].as_str().unwrap()), report.message_id.as_deref());

    let rows = [
        (Body::Image(captioned("the caption")), "图 1.png", "image/png", "m.image", 70_001),
        (Body::Voice(media()), "v.ogg", "audio/ogg", "m.audio", 3),
        (Body::Video(media()), "v.mp4", "video/mp4", "m.video", 200_000),
        (Body::File(media()), "report.pdf", "application/pdf", "m.file", 65_536),
    ];
    for (at, (body, name, mime_type, msgtype, len)) in rows.into_iter().enumerate() {
        let content = binary(len);
        let mut file = world.bench.file(name, mime_type, &content);
        if msgtype == "m.video" {
            file.cover = Some(Box::new(world.bench.file("still.jpg", "image/jpeg", b"still")));
        }
        let mut push = delivery(group(&room), body, vec![file]);
        push.key = format!("kind-{at}");
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let seen = world.messages(&room).await[at + 1]["content"].clone();
        assert_eq!(seen["msgtype"], msgtype);
        assert_eq!((&seen["info"]["mimetype"], &seen["info"]["size"]), (&json!(mime_type), &json!(len)));
        assert_eq!(world.download(&seen["url"]).await, (content, mime_type.to_owned()));
        match msgtype {
            "m.image" => assert_eq!((&seen["body"], &seen["filename"]), (&json!("the caption"), &json!(name))),
            "m.video" => assert_eq!(world.download(&seen["info"]["thumbnail_url"]).await.0, b"still"),
            _ => assert_eq!(seen["body"], json!(name)),
        }
    }
}

#[tokio::test]
async fn a_mixed_message_keeps_its_order_and_calls_whom_it_names() {
    let Some(world) = World::new("a_mixed_message_keeps_its_order_and_calls_whom_it_names").await else { return };
    let room = world.room().await;
    let items = vec![
        Item::At { user: world.alice.id.clone() },
        text_item("look at\nthis"),
        Item::Image(media()),
        text_item("below it"),
        Item::Markdown { text: "**done**".into() },
        Item::File(media()),
    ];
    let files =
        vec![world.bench.file("a.png", "image/png", &binary(50)), world.bench.file("b.txt", "text/plain", b"plain")];
    let report = world.sender().send(&delivery(group(&room), Body::Mixed { items }, files)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let parts: Vec<&str> = report.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(parts, ["text 1/3", "image 2/3", "file 3/3"]);

    let seen = world.messages(&room).await;
    let content = |at: usize| seen[at]["content"].clone();
    assert_eq!(content(0)["body"], json!(format!("{} look at\nthis", world.alice.id)));
    assert_eq!(content(0)["m.mentions"], json!({"user_ids": [world.alice.id]}));
    assert_eq!((&content(1)["body"], &content(1)["filename"]), (&json!("below it\n**done**"), &json!("a.png")));
    assert_eq!(content(1)["formatted_body"], json!("below it\n<p><strong>done</strong></p>"));
    assert_eq!(world.download(&content(1)["url"]).await.0, binary(50));
    assert_eq!(world.download(&content(2)["url"]).await.0, b"plain");
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_text_too_long_for_one_event_arrives_whole() {
    let Some(world) = World::new("a_text_too_long_for_one_event_arrives_whole").await else { return };
    let room = world.room().await;
    // Quotes and line ends are the worst of ordinary text: JSON doubles them.
    let long = "\"早\"\n".repeat(20_000);
    let report = world.sender().send(&text(group(&room), &long)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let seen = world.messages(&room).await;
    let bodies: Vec<&str> = seen.iter().map(|event| event["content"]["body"].as_str().unwrap()).collect();
    assert_eq!(bodies.len(), report.parts.len());
    assert!(bodies.join("\n").trim_end() == long.trim_end(), "{} bytes arrived", bodies.concat().len());
}

/// A proxy that lets the first send reach the server and cuts the connection instead of the answer.
async fn lossy_proxy(upstream: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
    let armed = Arc::new(AtomicBool::new(true));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(carry(client, server, armed.clone()));
        }
    });
    address
}

async fn carry(client: TcpStream, server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (doom, mut doomed) = tokio::sync::watch::channel(false);
    let upward = async move {
        let mut chunk = vec![0; 65_536];
        while let Ok(got @ 1..) = from_client.read(&mut chunk).await {
            let is_send = String::from_utf8_lossy(&chunk[..got]).contains("/send/m.room.message/");
            if is_send && armed.swap(false, Ordering::SeqCst) {
                doom.send_replace(true);
            }
            to_server.write_all(&chunk[..got]).await.unwrap();
        }
    };
    let downward = async move {
        let mut chunk = vec![0; 65_536];
        while let Ok(got @ 1..) = from_server.read(&mut chunk).await {
            if *doomed.borrow_and_update() {
                // The server has answered, so it has acted; its answer gets lost.
                return;
            }
            to_client.write_all(&chunk[..got]).await.unwrap();
        }
    };
    // Whichever ends first takes the connection with it.
    tokio::select! { () = upward => {}, () = downward => {} }
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_does_not_double() {
    let Some(world) = World::new("a_retry_after_a_lost_answer_does_not_double").await else { return };
    let room = world.room().await;
    let file = world.bench.file("a.png", "image/png", &binary(5000));
    let pushes = [text(group(&room), "only once"), delivery(group(&room), Body::Image(media()), vec![file])];
    for (at, mut push) in pushes.into_iter().enumerate() {
        push.key = format!("once-{at}");
        let proxy = lossy_proxy(&world.url).await;
        let report = world.sender_at(&proxy).send(&push).await;
        assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
        assert_eq!(world.messages(&room).await.len(), at + 1, "the message was out before the answer got lost");

        // A new sender, as after a restart: it uploads the picture again and so sends another body.
        let sender = world.sender_at(&proxy);
        assert!(sender.is_idempotent(&push, SystemClock::new().now()));
        let report = sender.send(&next_attempt(&push, &report)).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let seen = world.messages(&room).await;
        assert_eq!(seen.len(), at + 1, "the retry doubled: {seen:#?}");
        assert_eq!(seen[at]["event_id"].as_str(), report.message_id.as_deref());
        if at == 1 {
            assert_eq!(world.download(&seen[at]["content"]["url"]).await.0, binary(5000));
        }
    }
}

#[tokio::test]
async fn a_user_is_written_to_in_one_direct_room() {
    let Some(mut world) = World::new("a_user_is_written_to_in_one_direct_room").await else { return };
    let push = |key: &str, target: Target| {
        let mut push = text(target, key);
        push.key = key.to_owned();
        push
    };
    let alice = user(&world.alice.id);
    let report = world.sender().send(&push("first", alice.clone())).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let list = format!("user/{}/account_data/m.direct", segment(&world.bot.id));
    let direct = world.ask(Some(&world.bot), world.client.get(world.at(&list))).await;
    let room = direct[&world.alice.id][0].as_str().unwrap_or_else(|| panic!("{direct}")).to_owned();

    // Invited but not there yet, then there, then gone: always the same room.
    world.sender().send(&push("second", alice.clone())).await;
    world.join(&room).await;
    world.sender().send(&push("third", alice.clone())).await;
    world.ask(Some(&world.alice), world.client.post(world.at(&format!("rooms/{}/leave", segment(&room))))).await;
    let report = world.sender().send(&push("fourth", alice.clone())).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    world.join(&room).await;

    // Without a memory, the account's own list finds it.
    world.bench = Bench::new().live();
    let report = world.sender().send(&push("fifth", alice)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let seen: Vec<Value> = world.messages(&room).await.iter().map(|event| event["content"]["body"].clone()).collect();
    assert_eq!(seen, ["first", "second", "third", "fourth", "fifth"]);
}

#[tokio::test]
async fn the_servers_refusals_are_understood() {
    let Some(world) = World::new("the_servers_refusals_are_understood").await else { return };
    let room = world.room().await;

    let alias = format!("room-{:x}", fastrand::u64(..));
    let put = world.client.put(world.at(&format!("directory/room/{}", segment(&format!("#{alias}:im.test")))));
    world.ask(Some(&world.bot), put.json(&json!({"room_id": room}))).await;
    let rows = [
        (group("!nowhere:im.test"), Outcome::TargetGone),
        (group("#nowhere:im.test"), Outcome::TargetGone),
        (group(&format!("#{alias}:im.test")), Outcome::Sent),
    ];
    for (target, expected) in rows {
        let report = world.sender().send(&text(target.clone(), "a")).await;
        assert_eq!(report.outcome, expected, "{target}: {report:?}");
    }

    let stranger = world.bench.sender("matrix", &[("url", &world.url), ("token", "syt_CANARY")]);
    let report = stranger.send(&text(group(&room), "a")).await;
    assert_eq!(report.outcome, Outcome::AccountDown, "{report:?}");
    let probe = stranger.probe().await;
    assert_eq!(probe.online, Some(false));
    assert!(!format!("{report:?}{probe:?}").contains("CANARY"));

    let large = world.bench.large_file("large.bin", "application/octet-stream", 22 << 20);
    let report = world.sender().send(&delivery(group(&room), Body::File(media()), vec![large])).await;
    assert_eq!(report.outcome, Outcome::Rejected, "{report:?}");
    assert!(report.error.unwrap().contains("the server takes"));
}

/// Rooms that are made and upgraded through the API, as people do it.
impl World {
    async fn post(&self, who: &Person, path: &str, body: Value) -> Value {
        let answer = self.ask(Some(who), self.client.post(self.at(path)).json(&body)).await;
        assert!(answer["errcode"].is_null(), "{path}: {answer}");
        answer
    }

    /// A room of alice's in which the bot is an ordinary member, and its alias.
    async fn room_of_alices(&self, preset: &str) -> (String, String) {
        let name = format!("ops-{:x}", fastrand::u64(..));
        // From 12 on nobody can take the power from whoever made a room.
        let body = json!({"preset": preset, "room_alias_name": name, "invite": [self.bot.id], "room_version": "10"});
        let room = self.post(&self.alice, "createRoom", body).await["room_id"].as_str().unwrap().to_owned();
        self.post(&self.bot, &format!("join/{}", segment(&room)), json!({})).await;
        (room, format!("#{name}:im.test"))
    }

    /// Replaces the room; the server moves its alias.
    async fn upgrade(&self, who: &Person, room: &str) -> String {
        let path = format!("rooms/{}/upgrade", segment(room));
        let answer = self.post(who, &path, json!({"new_version": "11"})).await;
        answer["replacement_room"].as_str().unwrap().to_owned()
    }

    async fn texts(&self, room: &str) -> Vec<String> {
        let events = self.messages(room).await;
        events.iter().map(|event| event["content"]["body"].as_str().unwrap().to_owned()).collect()
    }

    /// The event of a send under this transaction id, or the refusal.
    async fn put(&self, room: &str, txn: &str) -> Value {
        let path = format!("rooms/{}/send/m.room.message/{txn}", segment(room));
        let content = json!({"msgtype": "m.text", "body": "by hand"});
        self.ask(Some(&self.bot), self.client.put(self.at(&path)).json(&content)).await
    }
}

fn keyed(key: &str, target: Target) -> Delivery {
    Delivery { key: key.to_owned(), ..text(target, key) }
}

#[tokio::test]
async fn a_transaction_id_does_not_reach_into_the_replacement_of_a_room() {
    let Some(world) = World::new("a_transaction_id_does_not_reach_into_the_replacement_of_a_room").await else {
        return;
    };
    let (old, _) = world.room_of_alices("public_chat").await;
    let first = world.put(&old, "txn").await["event_id"].clone();
    assert!(first.is_string());
    let new = world.upgrade(&world.alice, &old).await;
    world.post(&world.bot, &format!("join/{}", segment(&new)), json!({})).await;
    assert_eq!(world.put(&old, "txn").await["event_id"], first, "known, although the old room is closed");
    assert_eq!(world.put(&old, "other").await["errcode"], "M_FORBIDDEN");
    let second = world.put(&new, "txn").await["event_id"].clone();
    assert!(second.is_string() && second != first, "a second message: {second}");
    assert_eq!((world.messages(&old).await.len(), world.messages(&new).await.len()), (1, 1));
}

#[tokio::test]
async fn an_upgraded_room_is_followed_by_its_alias_and_by_its_id() {
    let Some(world) = World::new("an_upgraded_room_is_followed_by_its_alias_and_by_its_id").await else { return };
    let (old, alias) = world.room_of_alices("public_chat").await;
    let sender = world.sender();
    for (key, target) in [("1", group(&alias)), ("2", group(&old))] {
        let report = sender.send(&keyed(key, target)).await;
        assert_eq!((&report.outcome, &report.note), (&Outcome::Sent, &None), "{report:?}");
    }
    let new = world.upgrade(&world.alice, &old).await;
    // By the process that remembers the old room, and by another one.
    for (key, sender) in [("3", sender), ("5", world.sender())] {
        let report = sender.send(&keyed(key, group(&alias))).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let report = sender.send(&keyed(&format!("{key}, by id"), group(&old))).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        assert_eq!(report.note.unwrap(), format!("the room was replaced by {new}"));
    }
    assert_eq!(world.texts(&old).await, ["1", "2"]);
    assert_eq!(world.texts(&new).await, ["3", "3, by id", "5", "5, by id"]);
}

#[tokio::test]
async fn a_replacement_into_which_nobody_asked_us_is_named_and_used_once_we_are_asked() {
    let Some(world) = World::new("a_replacement_into_which_nobody_asked_us_is_named_and_used_once_we_are_asked").await
    else {
        return;
    };
    let (old, alias) = world.room_of_alices("private_chat").await;
    let sender = world.sender();
    assert_eq!(sender.send(&keyed("1", group(&alias))).await.outcome, Outcome::Sent);
    let new = world.upgrade(&world.alice, &old).await;
    for target in [&alias, &old] {
        let report = sender.send(&keyed("2", group(target))).await;
        assert_eq!(report.outcome, Outcome::TargetGone, "{report:?}");
        assert!(report.error.as_deref().unwrap().contains(&new), "{report:?}");
    }
    let invite = json!({"user_id": world.bot.id});
    world.post(&world.alice, &format!("rooms/{}/invite", segment(&new)), invite).await;
    for target in [&alias, &old] {
        let report = sender.send(&keyed(&format!("3 to {target}"), group(target))).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    }
    assert_eq!(world.texts(&new).await.len(), 2);
}

#[tokio::test]
async fn a_room_that_we_replaced_ourselves_takes_nothing_more_though_it_would() {
    let Some(world) = World::new("a_room_that_we_replaced_ourselves_takes_nothing_more_though_it_would").await else {
        return;
    };
    let old = world.room().await;
    let new = world.upgrade(&world.bot, &old).await;
    assert!(world.put(&old, "still").await["event_id"].is_string(), "who has the power may write on");
    let invite = json!({"user_id": world.alice.id});
    world.post(&world.bot, &format!("rooms/{}/invite", segment(&new)), invite).await;
    world.join(&new).await;
    let report = world.sender().send(&keyed("1", group(&old))).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(world.texts(&new).await, ["1"]);
}

#[tokio::test]
async fn a_push_whose_answer_got_lost_before_the_upgrade_is_not_said_again_after_it() {
    let Some(world) = World::new("a_push_whose_answer_got_lost_before_the_upgrade_is_not_said_again_after_it").await
    else {
        return;
    };
    for (resend_unknown, restart) in [(false, false), (false, true), (true, false)] {
        let (old, alias) = world.room_of_alices("public_chat").await;
        let proxy = lossy_proxy(&world.url).await;
        let sender = world.sender_at(&proxy);
        let mut push = keyed(&format!("once {resend_unknown} {restart}"), group(&alias));
        push.retry.resend_unknown = resend_unknown;
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
        assert_eq!(world.texts(&old).await.len(), 1);

        let new = world.upgrade(&world.alice, &old).await;
        let mut again = next_attempt(&push, &report);
        let sender = if restart { world.sender() } else { sender };
        if restart {
            again.parts.clear();
        } else {
            sender.reloaded();
        }
        let report = sender.send(&again).await;
        let seen = world.texts(&new).await.len();
        if resend_unknown {
            assert_eq!((report.outcome, seen), (Outcome::Sent, 1));
        } else {
            assert_eq!((&report.outcome, seen), (&Outcome::TargetGone, 0), "{report:?}");
            assert_eq!(report.parts[0].outcome, "unknown");
            let error = report.error.unwrap();
            assert!(error.contains(&old) && error.contains(&new), "{error}");
        }
    }
}

#[tokio::test]
async fn a_direct_room_that_the_person_upgraded_is_followed() {
    let Some(world) = World::new("a_direct_room_that_the_person_upgraded_is_followed").await else { return };
    let sender = world.sender();
    let alice = user(&world.alice.id);
    assert_eq!(sender.send(&keyed("1", alice.clone())).await.outcome, Outcome::Sent);
    let list = format!("user/{}/account_data/m.direct", segment(&world.bot.id));
    let direct = world.ask(Some(&world.bot), world.client.get(world.at(&list))).await;
    let old = direct[&world.alice.id][0].as_str().unwrap().to_owned();
    world.join(&old).await;
    let new = world.upgrade(&world.alice, &old).await;
    let invite = json!({"user_id": world.bot.id});
    world.post(&world.alice, &format!("rooms/{}/invite", segment(&new)), invite).await;
    sender.reloaded();
    for (key, sender) in [("2", sender), ("3", world.sender())] {
        let report = sender.send(&keyed(key, alice.clone())).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    }
    assert_eq!(world.texts(&new).await, ["2", "3"]);
}

#[tokio::test]
async fn a_message_in_an_encrypted_room_arrives_and_is_said_to_be_unencrypted() {
    let Some(world) = World::new("a_message_in_an_encrypted_room_arrives_and_is_said_to_be_unencrypted").await else {
        return;
    };
    let encryption = json!({"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}});
    let body = json!({"preset": "private_chat", "invite": [world.alice.id], "initial_state": [encryption]});
    let room = world.post(&world.bot, "createRoom", body).await["room_id"].as_str().unwrap().to_owned();
    world.join(&room).await;
    let report = world.sender().send(&keyed("1", group(&room))).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("unencrypted in an encrypted room")));
    assert_eq!(world.texts(&room).await, ["1"]);
}
