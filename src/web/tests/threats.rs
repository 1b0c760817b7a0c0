//! Threats to the page and the API that need no daemon, each named by its number in docs/SECURITY.md.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{OPERATIONS, World, example, request};
use crate::net::http1::Handler;
use crate::web::page::{Leaf, SHEETS};

/// Lets tasks that were woken take their turns.
async fn turns() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// W07: who listens is let go of when they sign out.
#[tokio::test]
async fn w07_the_stream_of_a_session_ends_with_it() {
    let mut world = World::with_users().await;
    let (alice, rita) = (world.signed_in("alice").await, world.signed_in("rita").await);
    let mut streams = Vec::new();
    for browser in [&alice, &rita] {
        let headers = [("cookie", &*browser.cookie), ("sec-fetch-site", "same-origin")];
        let response = world.api.answer(request("GET", "/live", &headers, Value::Null)).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        streams.push(response);
    }
    turns().await;
    assert_eq!(world.api.page_memory.live.places.available_permits(), 14);
    assert_eq!(world.post(&alice, "/out", "").await.header("location"), Some("/in"));
    world.clock.advance(Duration::from_secs(15));
    turns().await;
    assert_eq!(world.api.page_memory.live.places.available_permits(), 15, "hers has ended, the other goes on");
}

/// W13: the document is data, no page of it runs anything, and nothing of the address comes back in an answer that a browser shows.
#[tokio::test]
async fn w13_no_address_puts_a_script_into_the_document() {
    let mut world = World::new().await;
    for path in ["/api", "/api/", "/api/docs", "/api/openapi.json", "/api/v1", "/api/v1/status"] {
        for query in ["", "?url=https://evil.example/x.json", "?configUrl=data:,%3Cscript%3Ealert(1)%3C/script%3E"] {
            let answer = world.ask("read-token", "GET", &format!("{path}{query}"), Value::Null).await;
            let told = format!("{path}{query}: {}", answer.status);
            let kind = answer.header("content-type").unwrap();
            assert!(["application/json", "application/problem+json"].contains(&kind), "{told}: {kind}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{told}");
            assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{told}");
            assert!(!answer.text.contains("evil.example") && !answer.text.contains("<script"), "{told}");
        }
    }
}

/// W18: neither the bytes of a picture nor the way to one, for a browser to follow.
#[tokio::test]
async fn w18_no_stored_picture_is_served_and_no_other_is_loaded() {
    const REMOTE: &str = "https://pictures.example/there.png";
    let mut world = World::with_users().await;
    let alice = world.signed_in("alice").await;
    // So large that it is stored beside its push; a short one stands in the message as it came.
    let packed = STANDARD.encode(b"\x89PNG\r\n\x1a\n a picture that nobody may see".repeat(5000));
    let mut ids = Vec::new();
    for image in [format!("base64://{packed}"), REMOTE.to_owned()] {
        let answer = world.push("push-token", json!({"im": "qq", "group": "1", "image": image})).await;
        ids.push(answer.body["push_id"].as_i64().unwrap());
    }
    let shown = |text: &str| text.contains("a picture that nobody may see") || text.contains(&packed[..80]);
    let mut told_of = 0;
    for id in ids {
        for sheet in SHEETS.iter().filter(|sheet| sheet.method == "GET" && sheet.leaf != Leaf::Asset) {
            let path = sheet.path.replace("{job}", "daily").replace("{id}", &id.to_string());
            let answer = world.get(&alice, &path).await;
            assert!(!shown(&answer.text), "{path}");
            for loads in ["<img", "<video", "<audio", "<source", "<object", "<embed", "<iframe", "url(", "srcset"] {
                assert!(!answer.text.contains(loads), "{path}: {loads}");
            }
            for way in ["src", "href", "action"] {
                assert!(!answer.text.contains(&format!("{way}=\"{REMOTE}")), "{path}: {way}");
            }
            told_of += usize::from(answer.text.contains(REMOTE));
        }
        for operation in OPERATIONS.iter().filter(|operation| operation.method == "GET") {
            let (path, _) = example(operation, id);
            let answer = world.ask("read-token", "GET", &path, Value::Null).await;
            assert!(!shown(&answer.text), "{path}");
            assert!(answer.header("content-type").is_none_or(|kind| kind.contains("json")), "{path}: {answer:?}");
        }
    }
    assert!(told_of > 0, "what is to be looked at is on no page");
    let stored = world.message(1).await.to_string();
    let blob = stored.split("blob:").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    for path in [format!("/blob:{blob}"), format!("/blobs/{blob}"), format!("/media/{blob}"), format!("/a/{blob}")] {
        assert_eq!(world.get(&alice, &path).await.status, 404, "{path}");
    }
}
