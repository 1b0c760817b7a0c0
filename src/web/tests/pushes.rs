//! Pushes over HTTP: what is taken, what is refused, and what is never made twice.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{World, request};
use crate::store::View;

#[tokio::test]
async fn the_call_of_the_sdk_is_a_push_in_any_of_its_spellings() {
    let mut world = World::new().await;
    for body in [
        json!({"imType": "qq", "groupCode": "1", "userID": "", "title": null, "content": "hi", "options": {}, "timeout": 8000}),
        json!({"im_type": "qq", "group_code": "1", "content": "hi", "options": {"accountId": "bot"}, "timeout": "8s"}),
        json!({"im": "qq", "group": "1", "text": "hi", "account": "bot"}),
    ] {
        let answer = world.push("push-token", body.clone()).await;
        assert_eq!(answer.status, 202, "{body}: {answer:?}");
        assert_eq!((&answer.body["count"], &answer.body["state"]), (&json!(0), &json!("pending")), "{body}");
        let push_id = answer.body["push_id"].as_i64().unwrap();
        assert_eq!(answer.header("location"), Some(&*format!("/api/v1/pushes/{push_id}")));
        assert_eq!(world.message(push_id).await["text"], "hi");
    }
    let asked =
        json!({"im": "qq", "group": "1", "text": "hi", "trigger": "message", "chat_im": "qq", "chat_account": "bot"});
    let push_id = world.push("push-token", asked).await.body["push_id"].as_i64().unwrap();
    assert_eq!(world.store.push_story(push_id).await.unwrap().unwrap().chat_account.as_deref(), Some("bot"));
}

#[tokio::test]
async fn a_push_that_makes_no_sense_is_refused_with_all_that_is_wrong_and_leaves_no_row() {
    let mut world = World::new().await;
    for (body, status, told) in [
        (json!({"im": "qq", "group": "1", "txt": "hi"}), 422, "did you mean 'text'?"),
        (json!({"im": "qq", "group": "1", "user": "2", "text": "hi"}), 422, "one target"),
        (json!({"im": "qq", "group": ["1", "2"], "text": "hi"}), 422, "one target"),
        (json!({"to": "both", "text": "hi"}), 422, "one target"),
        (json!({"im": "qq", "group": "1", "text": "hi", "account": "nobody"}), 422, "nobody"),
        (json!({"im": "wx", "group": "1", "text": "hi"}), 422, "wx"),
        (json!({"im": "qq", "group": "1"}), 422, "content"),
        (json!({"im": "qq", "group": "1", "text": "hi", "render": true}), 422, "render"),
        (json!({"im": "qq", "group": "1", "text": "hi", "chat_im": "qq"}), 422, "belong together"),
        (json!({"im": "qq", "group": "1", "text": "hi", "trigger": "cron"}), 422, "trigger"),
        (json!([1]), 400, "JSON object"),
    ] {
        let mut body = body;
        if body.is_object() {
            body["wait"] = json!(false);
        }
        let answer = world.ask("push-token", "POST", "/api/push", body.clone()).await;
        let problem = answer.body.to_string();
        assert!(answer.status == status && problem.contains(told), "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let wrong_kind = json!({"im": "qq", "group": "1", "text": "hi"});
    assert_eq!(world.ask("push-token", "POST", "/api/pushImage", wrong_kind).await.status, 422);
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut deep = request("POST", "/api/push", &[("authorization", "Bearer push-token")], json!({}));
    *deep.body_mut() = Bytes::from(nested);
    world.api.rates = Default::default();
    assert_eq!(world.send(deep).await.status, 400);
    assert!(world.store.view(View::PushHistory, &Default::default()).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_text_is_taken_as_it_stands_and_no_file_of_this_machine_is_ever_looked_at() {
    let mut world = World::new().await;
    let there = world.dir.path().join("there.png");
    std::fs::write(&there, "x").unwrap();
    let answer = world.push("push-token", json!({"im": "qq", "group": "1", "text": "${HOME} {{ env.HOME }} $5"})).await;
    let push_id = answer.body["push_id"].as_i64().unwrap();
    assert_eq!(world.message(push_id).await["text"], "${HOME} {{ env.HOME }} $5");
    let mut told = Vec::new();
    for source in [
        there.display().to_string(),
        "/there/is/none.png".to_owned(),
        format!("file://{}", there.display()),
        "relative.png".to_owned(),
    ] {
        for body in [
            json!({"im": "qq", "group": "1", "image": source}),
            json!({"im": "qq", "group": "1", "items": [{"text": "a"}, {"image": source}]}),
            json!({"im": "qq", "group": "1", "video": {"source": "https://host/x.mp4", "cover": source}}),
        ] {
            let answer = world.push("push-token", body.clone()).await;
            assert_eq!(answer.status, 422, "{body}: {answer:?}");
            told.push(answer.body["detail"].to_string());
        }
    }
    told.dedup();
    assert_eq!(told.len(), 1, "the answer tells whether a file is there: {told:?}");
}

#[tokio::test]
async fn a_key_makes_a_push_once_for_each_who_asks() {
    let mut world = World::new().await;
    let mut keyed = async |token: &str, key: &str, text: &str| {
        world.api.rates = Default::default();
        let headers = [("authorization", format!("Bearer {token}")), ("idempotency-key", key.to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let body = json!({"im": "qq", "group": "7", "text": text, "wait": false});
        world.send(request("POST", "/api/push", &headers, body)).await
    };
    let first = keyed("push-token", "\"a b\"", "hi").await;
    let again = keyed("push-token", "a b", "hi").await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body["push_id"], again.body["push_id"]);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    let other = keyed("push-token", "a b", "something else").await;
    assert_eq!((other.status, &other.body["type"]), (422, &json!("/problems/key-reused")));
    let of_another = keyed("other-token", "a b", "hi").await;
    assert_ne!(of_another.body["push_id"], first.body["push_id"]);
    for key in ["\"\"", "\u{e9}", &"x".repeat(256)] {
        assert_eq!(keyed("push-token", key, "hi").await.status, 400, "{key}");
    }
}

#[tokio::test]
async fn a_token_pushes_to_its_own_targets_and_reads_back_its_own_pushes() {
    let mut world = World::new().await;
    let to = |group: &str| json!({"im": "qq", "group": group, "text": "hi"});
    assert_eq!(world.push("other-token", to("1")).await.status, 403);
    assert_eq!(world.push("other-token", json!({"im": "qq", "user": "7", "text": "hi"})).await.status, 403);
    let with_fallback = json!({"im": "qq", "group": "7", "text": "hi", "fallback": {"im": "qq", "group": "1"}});
    assert_eq!(world.push("other-token", with_fallback).await.status, 403);
    let own = world.push("other-token", to("7")).await.body["push_id"].as_i64().unwrap();
    let path = format!("/api/v1/pushes/{own}");
    let seen = world.ask("other-token", "GET", &path, Value::Null).await;
    assert_eq!((seen.status, &seen.body["message"]["text"]), (200, &json!("hi")));
    assert_eq!(world.ask("push-token", "GET", &path, Value::Null).await.status, 403);
    assert_eq!(
        world.ask("push-token", "GET", "/api/v1/pushes/999", Value::Null).await.status,
        403,
        "nor that there is none"
    );
    assert_eq!(world.ask("read-token", "GET", "/api/v1/pushes/999", Value::Null).await.status, 404);
}
