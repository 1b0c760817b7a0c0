//! The telegram sender against telegram-test-api, an emulator of the Bot API that others wrote and
//! `tests/real/telegram_test_api.sh` starts. It knows texts only; its own client interface reads them back.

use crate::common::deliveries::{delivery, group, media, text, user};
use crate::common::senders::Bench;
use pushcron::domain::{Body, Outcome, Target};
use pushcron::senders::{Probe, Sender};
use serde_json::{Value, json};

const TOKEN: &str = "123456:ABC-DEF";

struct World {
    url: String,
    bench: Bench,
}

impl World {
    /// None where there is no emulator; the test is then skipped aloud.
    fn new(test: &str) -> Option<World> {
        let Ok(url) = std::env::var("PUSHCRON_TELEGRAM_URL") else {
            eprintln!("SKIPPED: {test}: no PUSHCRON_TELEGRAM_URL; run tests/real/telegram_test_api.sh");
            return None;
        };
        Some(World { url, bench: Bench::new().live() })
    }

    fn sender(&self) -> Box<dyn Sender> {
        self.bench.sender("telegram", &[("token", TOKEN), ("base_url", &self.url), ("parse_mode", "HTML")])
    }

    /// What the bot wrote to a chat since the last look.
    async fn updates(&self, chat: i64) -> Vec<Value> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = client.post(format!("{}/getUpdates", self.url)).json(&json!({"token": TOKEN, "chatId": chat}));
        let mut answer: Value = ask.send().await.unwrap().json().await.unwrap();
        serde_json::from_value(answer["result"].take()).unwrap()
    }
}

#[tokio::test]
async fn texts_arrive_as_they_were_written() {
    let Some(world) = World::new("texts_arrive_as_they_were_written") else { return };
    let sender = world.sender();
    assert_eq!(sender.probe().await, Probe::up());
    let words = "早上好 😀\n\"quoted\" \\ &amp; <b>bold</b>";
    let targets: [(i64, Target); 2] = [(42, user("42")), (-100_123, group("-100123"))];
    for (chat, target) in targets {
        let report = sender.send(&text(target, words)).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        let updates = world.updates(chat).await;
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0]["message"], json!({"chat_id": chat, "text": words, "parse_mode": "HTML"}));
        assert_eq!(updates[0]["messageId"].to_string(), report.message_id.unwrap());
    }
}

#[tokio::test]
async fn the_parts_of_a_long_text_arrive_in_order() {
    let Some(world) = World::new("the_parts_of_a_long_text_arrive_in_order") else { return };
    let long = "一二三四五六七八九十\n".repeat(1000);
    let report = world.sender().send(&text(user("43"), &long)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    let updates = world.updates(43).await;
    let texts: Vec<&str> = updates.iter().map(|update| update["message"]["text"].as_str().unwrap()).collect();
    assert!(texts.len() == report.parts.len() && texts.len() > 1);
    assert!(texts.join("\n").trim_end() == long.trim_end());
}

#[tokio::test]
async fn a_method_that_the_server_lacks_is_no_success() {
    let Some(world) = World::new("a_method_that_the_server_lacks_is_no_success") else { return };
    let file = world.bench.file("a.png", "image/png", b"x");
    let report = world.sender().send(&delivery(user("44"), Body::Image(media()), vec![file])).await;
    assert_eq!((report.outcome, report.http_status), (Outcome::Unknown, Some(500)));
}
