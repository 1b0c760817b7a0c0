//! Rooms with one person: opened once, followed, given up for others.

use std::time::Duration;

use super::{AL, NEW, OLD, SEND, homeserver, refused, segment};
use crate::common::deliveries::{next_attempt, outcomes, text, user};
use crate::common::fake_im::Answer;
use crate::common::senders::Stage;
use pushcron::domain::{Delivery, Outcome};
use pushcron::senders::Sender;
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_direct_room_is_opened_once_listed_and_remembered() {
    let stage = homeserver().await;
    stage.im.on("/account_data/m.direct", refused(404, "M_NOT_FOUND"));
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": "!new:im.test"})));
    stage.im.on("/joined_members", Answer::json(200, json!({"joined": {"@bot:im.test": {}, "@al:im.test": {}}})));
    let push = text(user("@al:im.test"), "a");
    let sender = stage.sender();
    let (one, two) = tokio::join!(sender.send(&push), sender.send(&push));
    assert_eq!((one.outcome, two.outcome), (Outcome::Sent, Outcome::Sent));
    let report = stage.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");

    let created = stage.im.request("/createRoom").json();
    assert_eq!((&created["is_direct"], &created["invite"]), (&json!(true), &json!(["@al:im.test"])));
    let listed = stage.im.requests_to("/account_data/m.direct").into_iter().filter(|request| request.method == "PUT");
    assert_eq!(listed.map(|request| request.json()).collect::<Vec<_>>(), [json!({"@al:im.test": ["!new:im.test"]})]);
    for request in stage.im.requests_to(SEND) {
        assert!(request.path.contains("/rooms/%21new%3Aim.test/"), "{}", request.path);
    }
}

#[tokio::test]
async fn a_direct_room_that_cannot_be_opened_leaves_no_doubt() {
    let rows = vec![
        (Answer::Reset, Outcome::Unreachable),
        (refused(403, "M_FORBIDDEN"), Outcome::TargetGone),
        (refused(403, "M_INVITE_BLOCKED"), Outcome::TargetGone),
        (refused(400, "M_INVALID_PARAM"), Outcome::Rejected),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
    ];
    for (answer, expected) in rows {
        let stage = homeserver().await;
        stage.im.on("/account_data/m.direct", refused(404, "M_NOT_FOUND"));
        stage.im.on("/createRoom", answer);
        let report = stage.sender().send(&text(user("@al:im.test"), "a")).await;
        assert_eq!(report.outcome, expected);
        assert_eq!(stage.im.requests_to(SEND).len(), 0);
    }
}

/// A homeserver on which one message to Al went out into the room that there was, and what goes on from there.
async fn al_was_written_to_in_the_old_room() -> (Stage, Box<dyn Sender>, Delivery) {
    let stage = homeserver().await;
    stage.with_direct_rooms(&[OLD]);
    stage.members(OLD, &["@bot:im.test", AL]);
    let sender = stage.sender();
    let push = text(user(AL), "a");
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    (stage, sender, push)
}

#[tokio::test]
async fn a_direct_room_that_was_replaced_is_followed() {
    let (stage, sender, push) = al_was_written_to_in_the_old_room().await;

    // The old room still has both as members.
    stage.replace(OLD, NEW);
    stage.closed_until_joined(NEW);
    stage.members(NEW, &["@bot:im.test", AL]);
    stage.forbid(OLD);
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.written(), [OLD, OLD, NEW]);

    // Another process looks before it writes.
    let report = stage.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.written()[3..], [NEW]);
    assert_eq!(stage.im.requests_to("/createRoom").len(), 0);
}

#[tokio::test]
async fn a_direct_room_of_which_we_are_no_member_is_given_up_for_another() {
    let (stage, sender, push) = al_was_written_to_in_the_old_room().await;

    stage.im.on(&format!("/rooms/{}/joined_members", segment(OLD)), refused(403, "M_FORBIDDEN"));
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    stage.members(NEW, &["@bot:im.test", AL]);
    for _ in 0..2 {
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    }
    assert_eq!(stage.written(), [OLD, NEW, NEW]);
    assert_eq!(stage.im.requests_to("/createRoom").len(), 1);
}

#[tokio::test]
async fn a_listed_direct_room_into_which_the_person_cannot_be_asked_is_passed_over() {
    let stage = homeserver().await;
    stage.with_direct_rooms(&[NEW, OLD]);
    stage.members(OLD, &["@bot:im.test"]);
    stage.members(NEW, &["@bot:im.test", AL]);
    stage.im.on(&format!("/rooms/{}/invite", segment(OLD)), refused(403, "M_FORBIDDEN"));
    let report = stage.sender().send(&text(user(AL), "a")).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.written(), [NEW]);
}

#[tokio::test]
async fn a_person_who_cannot_be_asked_in_again_gets_no_room_a_push() {
    let stage = homeserver().await;
    stage.with_direct_rooms(&[]);
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    stage.members(NEW, &["@bot:im.test"]);
    stage.im.on("/invite", refused(403, "M_FORBIDDEN"));
    let sender = stage.sender();
    let push = text(user(AL), "a");
    assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
    for _ in 0..3 {
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::TargetGone, "{report:?}");
    }
    assert_eq!(stage.im.requests_to("/createRoom").len(), 1);
}

#[tokio::test]
async fn a_list_of_direct_rooms_of_any_shape_and_length_harms_nobody() {
    let long: serde_json::Map<String, Value> =
        (0..2000).map(|at| (format!("@user-{at}:im.test"), json!([format!("!room-{at}:im.test")]))).collect();
    let rows = [json!([]), json!("x"), json!(null), json!({AL: "x"}), json!({AL: [1, null]}), Value::Object(long)];
    for list in rows {
        let stage = homeserver().await;
        let shown: String = list.to_string().chars().take(40).collect();
        stage.im.on("/account_data/m.direct", Answer::json(200, list));
        stage.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
        let report = stage.sender().send(&text(user(AL), "a")).await;
        assert_eq!(report.outcome, Outcome::Sent, "{shown}: {report:?}");
    }

    let stage = homeserver().await;
    let rooms: Vec<String> = (0..500).map(|at| format!("!left-{at}:im.test")).collect();
    stage.with_direct_rooms(&rooms.iter().map(String::as_str).collect::<Vec<_>>());
    stage.im.on("/joined_members", refused(403, "M_FORBIDDEN"));
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    assert_eq!(stage.sender().send(&text(user(AL), "a")).await.outcome, Outcome::Sent);
    assert!(stage.im.requests_to("/joined_members").len() <= 10, "the last few are looked at");
}

#[tokio::test]
async fn what_may_have_arrived_in_one_direct_room_is_not_sent_to_another() {
    let stage = homeserver().await;
    stage.with_direct_rooms(&[OLD]);
    stage.members(OLD, &["@bot:im.test", AL]);
    stage.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), Answer::Reset);
    let sender = stage.sender();
    let push = text(user(AL), "a");
    let report = sender.send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);

    stage.bench.clock.advance(Duration::from_secs(5));
    stage.im.on(&format!("/rooms/{}/joined_members", segment(OLD)), refused(403, "M_FORBIDDEN"));
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": NEW})));
    let report = sender.send(&next_attempt(&push, &report)).await;
    assert_eq!((&report.outcome, outcomes(&report)), (&Outcome::TargetGone, vec!["unknown"]), "{report:?}");
    assert_eq!(stage.written(), [OLD]);
}
