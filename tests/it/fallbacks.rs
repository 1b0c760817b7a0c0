//! What goes out in the place of pushes that ended badly: once, with the same bytes, and whatever happens in between.

use std::time::Duration;

use pushcron::clock::Clock;
use pushcron::domain::{
    BadState, Body, FallbackSpec, Job, Message, Outcome, PushSpec, Rendering, RetryPolicy, Schedule, Target,
    fallback::failed_and_expired,
};
use pushcron::engine::dispatcher::Event;
use pushcron::senders::Probe;

use crate::common::world::{START, World, account, failed, job, text};

const PUSHES: &str = "select id, ordinal, target, state, role, parent_id from pushes order by id";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn to(target: &str, after: &[BadState]) -> FallbackSpec {
    FallbackSpec { im: "qq".to_owned(), target: Target::Group(target.to_owned()), account: None, after: after.to_vec() }
}

fn with_fallback(target: &str, fallback: Vec<FallbackSpec>) -> PushSpec {
    let retry = RetryPolicy { max_attempts: 1, jitter: 0.0, ..RetryPolicy::default() }.into();
    PushSpec { fallback, retry, ..text(target) }
}

fn once(push: Vec<PushSpec>) -> Job {
    Job { push, ..job("once", Schedule::At(START + seconds(1))) }
}

#[tokio::test]
async fn of_twenty_groups_the_one_that_is_gone_has_its_fallback_go_out_once() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers_by(|_, delivery| (delivery.target.id() == "7").then(|| failed(Outcome::TargetGone)));
    let fallback = || vec![to("ops", &failed_and_expired())];
    world.load(&[once((0..20).map(|n| with_fallback(&n.to_string(), fallback())).collect())]).await;
    world.pass(seconds(2)).await;
    let states = "select state, role, count(*) from pushes group by 1, 2 order by 1, 2";
    world.expect(states, &[&["failed", "", "1"], &["sent", "", "19"], &["sent", "fallback", "1"]]).await;
    world.expect(
        "select p.ordinal, p.target, p.message = q.message, q.target from pushes p join pushes q on q.id = p.parent_id",
        &[&["20", "group:ops", "1", "group:7"]],
    )
    .await;
    let told = world.said(&["explain", "once", "2026-01-01T01:00:01"]);
    assert!(told.contains("the fallback of push 8, sent"), "{told}");
    // By hand the failed one is tried again, and it has had its fallback.
    world.store.retry(8, world.clock.now()).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect("select attempts, state from pushes where id = 8", &[&["2", "failed"]]).await;
    world.expect(states, &[&["failed", "", "1"], &["sent", "", "19"], &["sent", "fallback", "1"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn unknown_counts_only_where_it_is_listed_and_a_fallback_has_none() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers_by(|_, delivery| match delivery.target.id() {
        "maybe" | "listed" => Some(failed(Outcome::Unknown)),
        _ => Some(failed(Outcome::Rejected)),
    });
    let pushes = vec![
        with_fallback("maybe", vec![to("x", &failed_and_expired())]),
        with_fallback("listed", vec![to("y", &[BadState::Unknown]), to("z", &[BadState::Failed])]),
    ];
    world.load(&[once(pushes)]).await;
    world.pass(seconds(2)).await;
    world
        .expect(
            PUSHES,
            &[
                &["1", "0", "group:maybe", "unknown", "", ""],
                &["2", "1", "group:listed", "unknown", "", ""],
                &["3", "2", "group:y", "failed", "fallback", "2"],
            ],
        )
        .await;
    // A person who says that it did not arrive has the fallback go out.
    world.store.resolve(1, false, world.clock.now()).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect("select target, state from pushes where parent_id = 1", &[&["group:x", "failed"]]).await;
}

#[tokio::test]
async fn a_push_that_found_no_account_in_its_time_has_its_fallback_go_by_another() {
    let mut world = World::new(vec![account("named", false), account("spare", true)]).await;
    world.platform.set_probe("named", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    let fallback =
        vec![FallbackSpec { account: Some("spare".to_owned()), ..to("1", &[BadState::Expired, BadState::Failed]) }];
    let retry = RetryPolicy { give_up_after: seconds(120), jitter: 0.0, ..RetryPolicy::default() }.into();
    let push = PushSpec { account: Some("named".to_owned()), fallback, retry, ..text("1") };
    world.load(&[once(vec![push])]).await;
    world.pass(seconds(240)).await;
    world
        .expect("select role, account, state from pushes where role = 'fallback'", &[&["fallback", "spare", "sent"]])
        .await;
}

#[tokio::test]
async fn a_kill_between_the_end_of_a_push_and_its_fallback_loses_and_doubles_nothing() {
    let mut world = World::new(vec![account("a", true), account("b", false)]).await;
    world.platform.set_probe("b", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.platform.answers("a", [failed(Outcome::Rejected)]);
    let fallback = vec![FallbackSpec { account: Some("b".to_owned()), ..to("2", &failed_and_expired()) }];
    world.load(&[once(vec![with_fallback("1", fallback)])]).await;
    world.pass(seconds(2)).await;
    let states = "select target, state, role from pushes order by id";
    world.expect(states, &[&["group:1", "failed", ""], &["group:2", "pending", "fallback"]]).await;
    let mut world = world.kill_and_restart().await;
    world.platform.set_probe("b", Probe::up());
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.pass(seconds(60)).await;
    world.expect(states, &[&["group:1", "failed", ""], &["group:2", "sent", "fallback"]]).await;
    world.balanced_ledger();
}

#[tokio::test]
async fn what_nobody_wants_any_more_has_no_fallback() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.set_probe("a", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    let all = [BadState::Failed, BadState::Expired, BadState::Unknown];
    world.load(&[once(vec![with_fallback("1", vec![to("2", &all)]), with_fallback("3", vec![to("4", &all)])])]).await;
    world.pass(seconds(2)).await;
    world.expect("select count(*) from pushes where reason is not null", &[&["2"]]).await;
    world.store.cancel(1, world.clock.now()).await.unwrap();
    world.load(&[]).await;
    world
        .expect(PUSHES, &[&["1", "0", "group:1", "cancelled", "", ""], &["2", "1", "group:3", "cancelled", "", ""]])
        .await;
}

#[tokio::test]
async fn a_text_that_cannot_be_rendered_has_no_fallback_which_could_not_be_either() {
    let mut world = World::new(vec![account("a", true)]).await;
    let message = Message { title: None, body: Body::Text { text: "{{ due.yaer }}".to_owned() } };
    let render = Some(Rendering::in_zone("UTC").into());
    let push = PushSpec { message, render, ..with_fallback("1", vec![to("2", &BadState::ALL)]) };
    world.load(&[once(vec![push])]).await;
    world.pass(seconds(2)).await;
    world.expect("select state, reason, role from pushes", &[&["failed", "content", ""]]).await;
}

#[tokio::test]
async fn what_a_person_said_did_not_arrive_is_tried_again_with_the_others_and_not_called_unknown_any_more() {
    let mut world = World::new(vec![account("a", true)]).await;
    world.platform.answers("a", [failed(Outcome::Unknown), failed(Outcome::Rejected)]);
    world.load(&[once(vec![with_fallback("1", vec![])])]).await;
    world.pass(seconds(2)).await;
    world.expect("select state from pushes", &[&["unknown"]]).await;
    world.store.resolve(1, false, world.clock.now()).await.unwrap();
    world.store.retry(1, world.clock.now()).await.unwrap();
    let open = world.store.open_pushes().await.unwrap();
    assert!(!open[0].perhaps_sent);
    world.events.send(Event::Opened(open)).ok().unwrap();
    world.expect("select attempts, state, reason from pushes", &[&["2", "failed", "rejected"]]).await;
    for words in [&["explain", "once", "2026-01-01T01:00:01"][..], &["show", "1"]] {
        // Lines are broken wherever they are full.
        let said = world.said(words).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("a person said that it did not arrive"), "{said}");
    }
    // It holds for as often as it is tried.
    assert!(world.said(&["retry", "--job", "once"]).contains("push 1 is due again"));
}

#[tokio::test]
async fn why_no_account_could_send_is_told_as_it_was_then() {
    let mut world = World::new(vec![account("a", true), account("b", false)]).await;
    world.platform.set_probe("a", Probe::down("HTTP 401: token refused"));
    world.platform.set_probe("b", Probe::down("logged out"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    let retry = RetryPolicy { give_up_after: seconds(120), jitter: 0.0, ..RetryPolicy::default() }.into();
    world.load(&[once(vec![PushSpec { retry, ..text("1") }])]).await;
    world.pass(seconds(10)).await;
    let then = "a: offline: HTTP 401: token refused; b: offline: logged out";
    world.expect("select state, reason, detail from pushes", &[&["pending", "no_sender", then]]).await;
    // At its end they stand as they stand then.
    world.platform.set_probe("b", Probe::down("muted"));
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select last_error from accounts where id = 'b'", &[&["muted"]]).await;
    world.pass(seconds(240)).await;
    let then = "a: offline: HTTP 401: token refused; b: offline: muted";
    world.expect("select state, reason, detail from pushes", &[&["failed", "no_sender", then]]).await;
    for id in ["a", "b"] {
        world.platform.set_probe(id, Probe::up());
    }
    world.events.send(Event::ProbeAll).ok().unwrap();
    world.expect("select count(*) from accounts where online = 1", &[&["2"]]).await;
    for words in [&["explain", "once", "2026-01-01T01:00:01"][..], &["show", "1"], &["history", "--json"]] {
        let told = world.said(words).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(then), "{words:?}: {told}");
    }
    // What is sent says nothing of it.
    world.store.retry(1, world.clock.now()).await.unwrap();
    world.events.send(Event::Opened(world.store.open_pushes().await.unwrap())).ok().unwrap();
    world.expect("select state, detail from pushes", &[&["sent", ""]]).await;
}
