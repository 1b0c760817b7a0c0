//! Pushes over HTTP: what is taken, what is refused, and what is never made twice.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{World, request};
use crate::domain::{Next, Reason};
use crate::store::{Settle, View};

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

/// A push whose body is this text.
async fn written(world: &mut World, body: &str) -> super::Answer {
    let mut asked = request("POST", "/api/push", &[("authorization", "Bearer push-token")], json!({}));
    *asked.body_mut() = Bytes::from(body.to_owned());
    world.api.rates = Default::default();
    world.send(asked).await
}

#[tokio::test]
async fn the_digits_of_a_number_are_those_that_were_written() {
    let mut world = World::new().await;
    for (id, text) in [("12345678901234567890123", "1.50"), ("18446744073709551616", "1e400"), ("1e5", "-0")] {
        let body = format!(r#"{{"im": "qq", "user": {id}, "text": {text}, "wait": false}}"#);
        let answer = written(&mut world, &body).await;
        assert_eq!(answer.status, 202, "{body}: {answer:?}");
        let push_id = answer.body["push_id"].as_i64().unwrap();
        let story = world.store.push_story(push_id).await.unwrap().unwrap();
        assert_eq!(story.fire.pushes[0].target.to_string(), format!("user:{id}"));
        assert_eq!(world.message(push_id).await["text"], text);
    }
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused_as_in_the_files() {
    let mut world = World::new().await;
    for body in [
        r#"{"im": "qq", "user": "1", "user": "2", "text": "a", "wait": false}"#,
        r#"{"im": "qq", "user": "1", "text": "a", "wait": false, "wait": true}"#,
        r#"{"im": "qq", "user": "1", "items": [{"text": "a", "text": "b"}], "wait": false}"#,
    ] {
        let answer = written(&mut world, body).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!("")), "{body}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().ends_with("is there twice"), "{answer:?}");
    }
    let push_id = world.waiting().await;
    let path = format!("/api/v1/pushes/{push_id}/cancel");
    let mut twice = request("POST", &path, &[("authorization", "Bearer act-token")], json!({}));
    *twice.body_mut() = Bytes::from_static(br#"{"seen": "sent", "seen": "pending"}"#);
    assert_eq!(world.send(twice).await.status, 422);
}

#[tokio::test]
async fn what_a_call_cannot_do_is_told_at_the_very_field_that_asks_for_it() {
    let mut world = World::new().await;
    for (path, body, pointer) in [
        ("push", json!({"im": "qq", "group": ["1", "2"], "text": "hi"}), "/group"),
        ("push", json!({"imType": "qq", "groupCode": ["1", "2"], "content": "hi"}), "/groupCode"),
        ("push", json!({"im": "qq", "user": ["1", "2"], "text": "hi"}), "/user"),
        ("push", json!({"to": "both", "text": "hi"}), "/to"),
        ("push", json!({"text": "hi", "to": ["one", "both"]}), "/to"),
        ("pushImage", json!({"im": "qq", "group": "1", "text": "hi"}), "/text"),
        ("pushImage", json!({"imType": "qq", "groupCode": "1", "content": "hi"}), "/content"),
        ("pushImage", json!({"im": "qq", "group": "1", "title": "hi"}), "/title"),
        ("pushVoice", json!({"im": "qq", "group": "1", "imageUrl": "https://host/a.png"}), "/imageUrl"),
        ("pushFile", json!({"im": "qq", "group": "1", "items": [{"text": "a"}]}), "/items"),
        ("push", json!({"im": "wechat", "group": "1", "user": "2", "text": "hi"}), "/user"),
    ] {
        let answer = world.ask("push-token", "POST", &format!("/api/{path}"), body.clone()).await;
        let errors = &answer.body["errors"];
        assert_eq!((answer.status, &errors[0]["pointer"]), (422, &json!(pointer)), "{path} {body}: {answer:?}");
    }
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
        (
            json!({"im": "qq", "group": "1", "text": "hi", "trigger": "message", "chat_im": "qq", "chat_account": "wxbot"}),
            422,
            "the account 'wxbot' is of the im 'wechat', not of 'qq'",
        ),
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
        // What is wrong is told by its place in the body, and by no line that nobody sees.
        let is_placed = answer.body["errors"]
            .as_array()
            .is_some_and(|errors| !errors.is_empty() && errors.iter().all(|error| error["pointer"].is_string()));
        assert!(is_placed == (status == 422) && !problem.contains("command line"), "{body}: {answer:?}");
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
async fn a_key_finds_its_push_however_it_is_spelt_and_whatever_a_reload_brought() {
    let mut world = World::new().await;
    async fn keyed(world: &mut World, body: &Value) -> super::Answer {
        let headers = [("authorization", "Bearer push-token"), ("idempotency-key", "k")];
        world.api.rates = Default::default();
        world.send(request("POST", "/api/push", &headers, body.clone())).await
    }
    let body = json!({"to": "one", "text": "hi", "timeout": 8000, "wait": false});
    let wrong = json!({"to": "nobody", "text": "hi", "wait": false});
    assert_eq!(keyed(&mut world, &wrong).await.status, 422, "what was refused uses no key up");
    let first = keyed(&mut world, &body).await;
    assert_eq!(first.status, 202, "{first:?}");
    let same = [
        body.clone(),
        json!({"to": ["one"], "content": "hi", "timeout": "8s", "group": "", "wait": 0}),
        json!({"wait": false, "timeout": 8000, "text": "hi", "to": "one", "options": {}, "title": null}),
    ];
    let files = super::yaml();
    for yaml in [
        files.clone(),
        files.replace("targets:", "defaults: {timeout: 20s, retry: {max_attempts: 1}}\ntargets:"),
        files.replace("one: {im: qq, group: '1'}", "one: {im: wechat, user: '9'}"),
        files.replace("  one: {im: qq, group: '1'}\n", ""),
        files.replace("{id: bot, im: qq, sender", "{id: bot, im: other, sender").replace("im: qq", "im: other"),
    ] {
        world.reload(&yaml);
        for body in &same {
            let again = keyed(&mut world, body).await;
            assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")), "{yaml}\n{again:?}");
            assert_eq!(again.body["push_id"], first.body["push_id"]);
        }
        for other in [
            json!({"to": "one", "text": "hi", "wait": false}),
            json!({"im": "qq", "group": "1", "text": "hi", "timeout": 8000, "wait": false}),
            json!({"to": "one", "text": "ho", "timeout": 8000, "wait": false}),
            json!({"to": "one", "text": "hi", "timeout": 8000, "fallback": {"to": "both"}, "wait": false}),
        ] {
            let answer = keyed(&mut world, &other).await;
            assert_eq!((answer.status, &answer.body["type"]), (422, &json!("/problems/key-reused")), "{other}");
        }
    }
}

#[tokio::test]
async fn a_push_is_not_at_its_end_while_its_fallback_is_on_its_way() {
    let mut world = World::new().await;
    let ask = async |world: &mut World| {
        let headers = [("authorization", "Bearer push-token"), ("idempotency-key", "k")];
        world.api.rates = Default::default();
        let fallback = json!([{"im": "wechat", "user": "1"}, {"im": "wechat", "user": "2"}]);
        let body = json!({"im": "qq", "group": "1", "text": "hi", "fallback": fallback, "wait": false});
        let answer = world.send(request("POST", "/api/push", &headers, body)).await;
        (answer.status, answer.body["count"].clone(), answer.body["state"].clone())
    };
    let end = async |world: &World, push_id: i64, next: Next| {
        world.store.settle(vec![Settle::of(push_id, next)], super::NOW).await.unwrap();
    };
    let (failed, pending) = (json!("failed"), json!("pending"));
    assert_eq!(ask(&mut world).await, (202, json!(0), pending));
    end(&world, 1, Next::Failed { reason: Reason::NoSender }).await;
    assert_eq!(world.store.fallbacks(1).await.unwrap(), [2, 3]);
    assert_eq!(ask(&mut world).await, (202, json!(0), failed.clone()), "two go in its place");
    end(&world, 2, Next::Failed { reason: Reason::NoSender }).await;
    assert_eq!(ask(&mut world).await, (202, json!(0), failed.clone()), "one goes on");
    end(&world, 3, Next::Sent).await;
    assert_eq!(ask(&mut world).await, (200, json!(1), failed));
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

#[tokio::test]
async fn a_push_that_no_account_could_send_says_whose_fault_it_was() {
    let mut world = World::new().await;
    for (number, next, told) in [
        (1, Next::Failed { reason: Reason::NoSender }, Some("bot: it is offline")),
        (2, Next::Expired { reason: Reason::NoSender }, Some("bot: it is offline")),
        (3, Next::Cancelled { reason: Reason::CancelledByHand }, None),
    ] {
        let key = number.to_string();
        let headers = [("authorization", "Bearer push-token"), ("idempotency-key", &*key)];
        let mut answers = Vec::new();
        for _ in 0..2 {
            let next = next.clone();
            world.api.rates = Default::default();
            let body = json!({"im": "qq", "group": "1", "text": "hi", "wait": false});
            answers.push(world.send(request("POST", "/api/push", &headers, body)).await);
            let detail = Some("bot: it is offline".into());
            let _ = world.store.settle(vec![Settle { detail, ..Settle::of(number, next) }], super::NOW).await;
        }
        assert_eq!((answers[0].status, &answers[0].body["error"]), (202, &Value::Null));
        let (answer, error) = (&answers[1], answers[1].body["error"].as_str());
        assert_eq!((answer.status, &answer.body["count"]), (200, &json!(0)), "{answer:?}");
        assert_eq!(error.is_some(), told.is_some(), "{answer:?}");
        assert!(told.is_none_or(|told| error.unwrap().ends_with(told) && error.unwrap() != told), "{error:?}");
    }
}

#[tokio::test]
async fn pushes_that_wait_leave_room_for_others_and_are_answered_at_once_where_too_many_do() {
    use crate::net::http1::Handler;
    use futures_util::StreamExt;
    use futures_util::stream::FuturesUnordered;
    let mut world = World::new().await;
    world.api.rates = Default::default();
    let (api, more) = (&world.api, 4);
    let push = |_| {
        let headers = [("authorization", "Bearer push-token")];
        api.answer(request("POST", "/api/push", &headers, json!({"im": "qq", "group": "1", "text": "hi"})))
    };
    let mut all: FuturesUnordered<_> = (0..super::super::waits::OF_ONE + more).map(push).collect();
    for _ in 0..more {
        let answer = super::Answer::of(all.next().await.unwrap());
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("pending")));
        assert!(answer.header("location").is_some());
    }
    drop(all);
    // Nobody waits any more.
    assert!(
        (0..super::super::waits::OF_ONE).map(|_| api.waits.begin("token pusher".to_owned())).all(|one| one.is_some())
    );
}
