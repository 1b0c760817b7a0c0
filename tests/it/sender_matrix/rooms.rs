//! Aliases that move and rooms that are replaced.

use std::sync::Arc;
use std::time::Duration;

use super::{AL, NEW, OLD, SEND, homeserver, refused, segment};
use crate::common::deliveries::{group, next_attempt, outcomes, text, user};
use crate::common::fake_im::Answer;
use pushcron::domain::Outcome;
use pushcron::senders::Sender;
use serde_json::json;

const OPS: &str = "#ops:im.test";

#[tokio::test]
async fn an_alias_is_looked_up_again_when_its_room_refuses() {
    for refusal in [refused(403, "M_FORBIDDEN"), refused(404, "M_NOT_FOUND")] {
        let stage = homeserver().await;
        let sender = stage.sender();
        stage.alias(OPS, OLD);
        let push = text(group(OPS), "a");
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);

        stage.alias(OPS, NEW);
        stage.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), refusal);
        stage.closed_until_joined(NEW);
        let report = sender.send(&push).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        assert_eq!(sender.send(&push).await.outcome, Outcome::Sent);
        assert_eq!(stage.written(), [OLD, OLD, NEW, NEW]);
        assert_eq!(stage.im.requests_to("/join/").len(), 1);
    }
}

#[tokio::test]
async fn an_alias_that_still_leads_to_the_room_that_refuses_is_asked_for_once_a_push() {
    let stage = homeserver().await;
    stage.alias(OPS, OLD);
    stage.forbid(OLD);
    let sender = stage.sender();
    for pushes in 1..=3 {
        let report = sender.send(&text(group(OPS), "a")).await;
        assert_eq!(report.outcome, Outcome::TargetGone);
        assert_eq!(report.error.as_deref(), Some("M_FORBIDDEN: because"));
        assert_eq!(stage.im.requests_to(SEND).len(), pushes);
        assert_eq!(stage.im.requests_to("/directory/").len(), 1 + pushes);
    }
    assert_eq!(stage.im.requests_to("/join/").len(), 0, "the account is in no room into which nobody put it");
}

#[tokio::test]
async fn a_moved_alias_is_noticed_at_a_reload_and_within_minutes_though_the_old_room_still_takes_everything() {
    let stage = homeserver().await;
    let sender = stage.sender();
    let push = text(group(OPS), "a");
    let rooms = ["!1:im.test", "!2:im.test", "!3:im.test"];
    stage.alias(OPS, rooms[0]);
    sender.send(&push).await;
    sender.send(&push).await;
    assert_eq!(stage.im.requests_to("/directory/").len(), 1, "not for every push");
    stage.alias(OPS, rooms[1]);
    sender.reloaded();
    sender.send(&push).await;
    stage.alias(OPS, rooms[2]);
    stage.bench.clock.advance(Duration::from_secs(300));
    sender.send(&push).await;
    assert_eq!(stage.written(), [rooms[0], rooms[0], rooms[1], rooms[2]]);
}

#[tokio::test]
async fn a_replaced_room_is_followed_to_its_last_replacement_though_the_old_one_still_takes_everything() {
    let stage = homeserver().await;
    stage.replace(OLD, "!mid:im.test");
    stage.replace("!mid:im.test", NEW);
    stage.closed_until_joined(NEW);
    let sender = stage.sender();
    for _ in 0..2 {
        let report = sender.send(&text(group(OLD), "a")).await;
        assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
        assert_eq!(report.note.as_deref(), Some("the room was replaced by !new:im.test"));
    }
    assert_eq!(stage.written(), [NEW, NEW]);
    assert_eq!(stage.im.requests_to("/join/").len(), 1);
    assert_eq!(stage.im.request("/join/").query["via"], "im.test");
}

#[tokio::test]
async fn a_room_that_was_replaced_but_lets_nobody_in_is_named() {
    let stage = homeserver().await;
    stage.replace(OLD, NEW);
    stage.closed_until_joined(NEW);
    stage.im.on("/join/", refused(403, "M_FORBIDDEN"));
    stage.im.on(&format!("/join/{}", segment(NEW)), refused(403, "M_FORBIDDEN"));
    let report = stage.sender().send(&text(group(OLD), "a")).await;
    assert_eq!(report.outcome, Outcome::TargetGone);
    let error = report.error.unwrap();
    for word in [OLD, NEW, "replaced", "invite", "M_FORBIDDEN: because"] {
        assert!(error.contains(word), "{word} in {error}");
    }
    assert_eq!(stage.written().len(), 0);
}

#[tokio::test]
async fn a_replacement_that_everybody_may_read_is_joined_all_the_same() {
    let stage = homeserver().await;
    stage.replace(OLD, NEW);
    stage.closed_until_joined(NEW);
    // What a stage-readable room tells those who are not in it.
    for state in ["tombstone", "encryption"] {
        stage.im.on(&format!("/rooms/{}/state/m.room.{state}", segment(NEW)), refused(404, "M_NOT_FOUND"));
    }
    let report = stage.sender().send(&text(group(OLD), "a")).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.written(), [NEW]);
}

#[tokio::test]
async fn rooms_that_replace_each_other_end_the_search() {
    let stage = homeserver().await;
    stage.replace(OLD, NEW);
    stage.replace(NEW, OLD);
    let report = stage.sender().send(&text(group(OLD), "a")).await;
    assert_eq!(report.outcome, Outcome::TargetGone);
    assert!(stage.im.requests_to("m.room.tombstone").len() <= 10);

    // A tombstone that was taken back names no room.
    let stage = homeserver().await;
    stage.im.on("/state/m.room.tombstone", Answer::json(200, json!({})));
    assert_eq!(stage.sender().send(&text(group(OLD), "a")).await.outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_server_that_does_not_tell_about_its_rooms_is_simply_tried() {
    let rows = vec![
        (refused(404, "M_UNRECOGNIZED"), Outcome::Sent),
        (refused(403, "M_FORBIDDEN"), Outcome::Sent),
        (Answer::status(403), Outcome::Sent),
        (Answer::status(405), Outcome::Sent),
        (Answer::Reset, Outcome::Unreachable),
        (refused(500, "M_UNKNOWN"), Outcome::Unreachable),
        (refused(429, "M_LIMIT_EXCEEDED"), Outcome::Throttled { wait: None }),
        (refused(401, "M_UNKNOWN_TOKEN"), Outcome::AccountDown),
    ];
    for (answer, expected) in rows {
        let stage = homeserver().await;
        let shown = format!("{answer:?}");
        stage.im.on("/state/", answer);
        let report = stage.sender().send(&text(group(OLD), "a")).await;
        assert_eq!(report.outcome, expected, "{shown}");
        assert_eq!(stage.written().len(), usize::from(expected == Outcome::Sent));
    }
}

/// Under which circumstances the second try of a push, whose first may have arrived in the old room, is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Second {
    /// By the same process.
    Later,
    /// By the same process, after the definitions were read anew.
    AfterReload,
    /// By another process, which finds an attempt without a result.
    AfterKill,
}

#[tokio::test]
async fn what_may_have_arrived_in_the_old_room_goes_to_the_new_one_only_if_the_job_says_so() {
    for target in [OPS, OLD] {
        for second in [Second::Later, Second::AfterReload, Second::AfterKill] {
            for resend_unknown in [false, true] {
                let case = format!("{target} {second:?} {resend_unknown}");
                let stage = homeserver().await;
                stage.alias(OPS, OLD);
                let sender = stage.sender();
                // The room is known before the push is made.
                sender.send(&text(group(target), "earlier")).await;
                stage.bench.clock.advance(Duration::from_secs(1));
                stage.im.on(&format!("/rooms/{}{SEND}", segment(OLD)), Answer::Reset);
                let mut push = text(group(target), "a");
                push.made_at = push.made_at + Duration::from_secs(1);
                push.retry.resend_unknown = resend_unknown;
                let report = sender.send(&push).await;
                assert_eq!(report.outcome, Outcome::Unknown, "{case}");

                stage.bench.clock.advance(Duration::from_secs(5));
                stage.alias(OPS, NEW);
                stage.replace(OLD, NEW);
                stage.forbid(OLD);
                stage.closed_until_joined(NEW);
                let mut again = next_attempt(&push, &report);
                let sender = match second {
                    Second::Later => sender,
                    Second::AfterReload => {
                        sender.reloaded();
                        sender
                    }
                    Second::AfterKill => {
                        again.parts.clear();
                        stage.sender()
                    }
                };
                let report = sender.send(&again).await;
                let in_the_new_room = stage.written().iter().filter(|room| *room == NEW).count();
                if resend_unknown {
                    assert_eq!((report.outcome, in_the_new_room), (Outcome::Sent, 1), "{case}");
                    continue;
                }
                assert_eq!((&report.outcome, in_the_new_room), (&Outcome::TargetGone, 0), "{case}: {report:?}");
                assert_eq!(outcomes(&report), ["unknown"], "{case}: what the first try did is not known");
                let error = report.error.unwrap();
                assert!(error.contains(OLD) && error.contains(NEW) && error.contains("resend_unknown"), "{error}");
                // A push that was never tried before goes where the room is now.
                let mut next = text(group(target), "b");
                next.key = "key-2".to_owned();
                let report = sender.send(&next).await;
                assert_eq!(report.outcome, Outcome::Sent, "{case}: {report:?}");
                assert_eq!(stage.written().last().unwrap(), NEW, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_repeat_in_the_room_of_its_first_try_is_made_also_long_after_a_replacement_and_over_restarts() {
    let stage = homeserver().await;
    stage.alias(OPS, OLD);
    stage.sender().send(&text(group(OPS), "a")).await;
    stage.alias(OPS, NEW);
    stage.sender().send(&text(group(OPS), "b")).await;

    stage.bench.clock.advance(Duration::from_secs(600));
    stage.im.on(&format!("/rooms/{}{SEND}", segment(NEW)), Answer::Reset);
    let mut push = text(group(OPS), "c");
    push.made_at = push.made_at + Duration::from_secs(600);
    let report = stage.sender().send(&push).await;
    assert_eq!(report.outcome, Outcome::Unknown);
    stage.im.on(&format!("/rooms/{}{SEND}", segment(NEW)), Answer::json(200, json!({"event_id": "$c"})));
    let report = stage.sender().send(&next_attempt(&push, &report)).await;
    assert_eq!(report.outcome, Outcome::Sent, "{report:?}");
    assert_eq!(stage.written(), [OLD, NEW, NEW, NEW]);
}

#[tokio::test]
async fn a_slow_look_up_of_one_alias_holds_up_no_other() {
    let stage = homeserver().await;
    stage.alias(OPS, NEW);
    stage.im.on(&format!("/directory/room/{}", segment("#slow:far.test")), Answer::Silence);
    let sender: Arc<dyn Sender> = stage.sender().into();
    let hanging = sender.clone();
    let slow = tokio::spawn(async move { hanging.send(&text(group("#slow:far.test"), "a")).await.outcome });
    stage.im.wait_for_requests(1).await;
    let report = sender.send(&text(group(OPS), "a")).await;
    assert_eq!(report.outcome, Outcome::Sent);
    assert!(!slow.is_finished(), "the other look-up still hangs");
    slow.abort();
}

#[tokio::test]
async fn a_message_in_an_encrypted_room_is_said_to_be_unencrypted() {
    let stage = homeserver().await;
    let algorithm = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    stage.im.on(&format!("/rooms/{}/state/m.room.encryption", segment(OLD)), Answer::json(200, algorithm));
    let sender = stage.sender();
    let report = sender.send(&text(group(OLD), "a")).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("unencrypted in an encrypted room")));
    let report = sender.send(&text(group(NEW), "a")).await;
    assert_eq!((report.outcome, report.note), (Outcome::Sent, None));

    // Servers may encrypt whatever room is made.
    stage.with_direct_rooms(&[]);
    stage.im.on("/createRoom", Answer::json(200, json!({"room_id": OLD})));
    let report = sender.send(&text(user(AL), "a")).await;
    assert_eq!((report.outcome, report.note.as_deref()), (Outcome::Sent, Some("unencrypted in an encrypted room")));
}
