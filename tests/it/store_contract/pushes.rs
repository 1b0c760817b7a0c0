//! open_pushes, settle, cancel, retry, resolve, confirm.

use std::sync::Arc;

use pushcron::domain::{Next, Outcome, PushState, Reason};
use pushcron::store::{Settle, StoreError};
use serde_json::json;

use crate::store_contract::world::{World, at, change, cursor, failed, fire, job};

/// One push in each state, under its word.
async fn one_of_each(world: &World) -> Vec<(PushState, i64)> {
    let mut pushes = Vec::new();
    for (state, next) in [
        (PushState::Sent, Next::Sent),
        (PushState::Failed, Next::Failed { reason: Reason::TooLate }),
        (PushState::Unknown, Next::Unknown { reason: Reason::TooLate }),
        (PushState::Expired, Next::Expired { reason: Reason::TooLate }),
        (PushState::Cancelled, Next::Cancelled { reason: Reason::TooLate }),
        (PushState::Retrying, Next::Retry { at: at(90), reason: Reason::TooLate }),
    ] {
        pushes.push((state, world.ended(state.as_str(), next).await));
    }
    pushes.push((PushState::Pending, world.waiting("pending").await.id));
    let sending = world.waiting("sending").await.id;
    world.begin(sending, at(0)).await;
    pushes.push((PushState::Sending, sending));
    pushes
}

pub(super) async fn open_pushes_come_oldest_first_without_those_being_sent(world: Arc<World>) {
    let (early, late) = (job("early"), job("late"));
    world.load(&late, at(0)).await;
    world.load(&early, at(0)).await;
    let last = world.fire(&late, at(8)).await.pushes.remove(0).id;
    let first = world.fire(&early, at(2)).await.pushes.remove(0).id;
    let sending = world.fire(&early, at(3)).await.pushes.remove(0).id;
    world.begin(sending, at(3)).await;
    world.ended("over", Next::Sent).await;
    assert_eq!(world.open_ids().await, [first, last]);
}

pub(super) async fn thousands_of_open_pushes_are_all_read(world: Arc<World>) {
    let daily = job("daily");
    world.store.apply_jobs(vec![change(daily.clone(), at(0))], vec![], at(0)).await.unwrap();
    let fires = (0..5000).rev().map(|i| fire(&daily, at(i))).collect();
    let recorded = world.store.record_fires(fires, vec![cursor(&daily, at(0), at(5000))], at(0)).await.unwrap();
    assert_eq!(recorded.pushes.len(), 5000);
    let open = world.store.open_pushes().await.unwrap();
    assert_eq!(open.iter().map(|push| push.due_at).collect::<Vec<_>>(), (0..5000).map(at).collect::<Vec<_>>());
}

pub(super) async fn a_push_can_be_put_back_without_an_attempt(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let next = Next::Retry { at: at(30), reason: Reason::NoSender };
    world.store.settle(vec![Settle::of(push.id, next)], at(1)).await.unwrap();
    let open = world.store.open_pushes().await.unwrap();
    assert_eq!((open[0].attempts, open[0].next_attempt_at), (0, at(30)));
    assert_eq!(world.history(push.id).await["reason"], "no_sender");
    assert_eq!(world.begin(push.id, at(31)).await.attempt, 1);
}

pub(super) async fn a_push_can_end_without_an_attempt(world: Arc<World>) {
    let push = world.waiting("daily").await;
    let sending = world.waiting("sending").await;
    world.begin(sending.id, at(0)).await;
    let settle = |push_id| Settle::of(push_id, Next::Failed { reason: Reason::NoSender });
    world.store.settle(vec![settle(push.id), settle(sending.id), settle(4711)], at(1)).await.unwrap();
    let row = world.history(push.id).await;
    assert_eq!((&row["state"], &row["finished_at"]), (&json!("failed"), &json!(at(1))));
    assert_eq!(world.state(sending.id).await, PushState::Sending);
}

pub(super) async fn what_was_begun_or_put_off_does_not_end_as_untouched(world: Arc<World>) {
    let untouched = world.waiting("untouched").await.id;
    let sending = world.waiting("sending").await.id;
    world.begin(sending, at(0)).await;
    let tried = world.waiting("tried").await.id;
    let retry = Next::Retry { at: at(30), reason: Reason::Unknown };
    let unknown = failed(&world.begin(tried, at(0)).await, Outcome::Unknown, retry, at(0));
    world.store.finish_attempts(vec![unknown]).await.unwrap();
    let put_off = world.waiting("put off").await.id;
    let next = Next::Retry { at: at(30), reason: Reason::NoSender };
    world.store.settle(vec![Settle::of(put_off, next)], at(1)).await.unwrap();
    let late = |push_id| Settle::of(push_id, Next::Expired { reason: Reason::TooLate });
    let all = [sending, untouched, tried, put_off, 4711].map(late).to_vec();
    assert_eq!(world.store.end_untouched(all, at(2)).await.unwrap(), [untouched]);
    assert_eq!(world.history(untouched).await["finished_at"], json!(at(2)));
    let states = [
        (untouched, PushState::Expired),
        (sending, PushState::Sending),
        (tried, PushState::Retrying),
        (put_off, PushState::Pending),
    ];
    for (id, state) in states {
        assert_eq!(world.state(id).await, state, "{id}");
    }
}

pub(super) async fn only_what_waits_can_be_cancelled(world: Arc<World>) {
    for (state, id) in one_of_each(&world).await {
        let answer = world.store.cancel(id, at(5)).await;
        if matches!(state, PushState::Pending | PushState::Retrying) {
            answer.unwrap();
            let row = world.history(id).await;
            assert_eq!((&row["state"], &row["reason"]), (&json!("cancelled"), &json!("cancelled by hand")));
        } else {
            says(answer, id, state);
            assert_eq!(world.state(id).await, state);
        }
    }
}

pub(super) async fn only_what_failed_can_be_retried(world: Arc<World>) {
    for (state, id) in one_of_each(&world).await {
        let answer = world.store.retry(id, at(5000)).await;
        if matches!(state, PushState::Failed | PushState::Unknown | PushState::Expired | PushState::Cancelled) {
            answer.unwrap();
            let open = world.store.open_pushes().await.unwrap();
            let open = open.iter().find(|push| push.id == id).unwrap();
            assert_eq!((open.next_attempt_at, open.expires_at), (at(5000), at(5000 + 3600)));
        } else {
            says(answer, id, state);
            assert_eq!(world.state(id).await, state);
        }
    }
    // A push that has used all its attempts gets one more.
    let mut last = job("last");
    Arc::make_mut(&mut last.push[0].retry).max_attempts = 1;
    world.load(&last, at(0)).await;
    let push = world.fire(&last, at(0)).await.pushes.remove(0);
    let delivery = world.begin(push.id, at(0)).await;
    let given_up = Next::Failed { reason: Reason::TooLate };
    world.store.finish_attempts(vec![failed(&delivery, Outcome::Unreachable, given_up, at(1))]).await.unwrap();
    world.store.retry(push.id, at(2)).await.unwrap();
    let again = world.begin(push.id, at(2)).await;
    assert_eq!((again.attempt, again.max_attempts), (2, 2));
}

pub(super) async fn only_an_unknown_push_can_be_resolved(world: Arc<World>) {
    for (state, id) in one_of_each(&world).await {
        let answer = world.store.resolve(id, true, at(5)).await;
        if state == PushState::Unknown {
            answer.unwrap();
            let row = world.history(id).await;
            assert_eq!((&row["state"], &row["reason"]), (&json!("sent"), &json!("resolved by hand")));
        } else {
            says(answer, id, state);
            assert_eq!(world.state(id).await, state);
        }
    }
    let id = world.ended("other", Next::Unknown { reason: Reason::TooLate }).await;
    world.store.resolve(id, false, at(5)).await.unwrap();
    assert_eq!(world.state(id).await, PushState::Failed);
}

/// A refusal names the push and its state, or what is happening to it.
#[track_caller]
fn says(answer: Result<(), StoreError>, id: i64, state: PushState) {
    let error = answer.unwrap_err();
    let word = if state == PushState::Sending { "being sent" } else { state.as_str() };
    assert!(
        matches!(&error, StoreError::NotAllowed(text) if text.contains(&id.to_string()) && text.contains(word)),
        "{error}"
    );
}

pub(super) async fn a_proof_of_delivery_settles_the_push(world: Arc<World>) {
    let sent = world.ended("sent", Next::Sent).await;
    assert!(world.store.confirm("bot_a", &format!("m{sent}"), at(9)).await.unwrap());
    let row = world.history(sent).await;
    assert_eq!((&row["finished_at"], &row["confirmed_at"]), (&json!(at(1)), &json!(at(9))));

    for next in [Next::Unknown { reason: Reason::TooLate }, Next::Retry { at: at(60), reason: Reason::TooLate }] {
        let name = next.state().as_str();
        let push = world.waiting(name).await;
        let delivery = world.begin(push.id, at(0)).await;
        let mut finish = failed(&delivery, Outcome::Unknown, next, at(1));
        finish.report.message_id = Some(format!("x-{name}"));
        world.store.finish_attempts(vec![finish]).await.unwrap();
        assert!(!world.store.confirm("bot_b", &format!("x-{name}"), at(9)).await.unwrap(), "another account's");
        assert!(world.store.confirm("bot_a", &format!("x-{name}"), at(9)).await.unwrap());
        assert_eq!(world.state(push.id).await, PushState::Sent, "{name}");
    }
    assert!(!world.store.confirm("bot_a", "never heard of", at(9)).await.unwrap());
}

pub(super) async fn an_unknown_id_is_told_as_such(world: Arc<World>) {
    let answers = [
        world.store.cancel(4711, at(0)).await,
        world.store.retry(4711, at(0)).await,
        world.store.resolve(4711, true, at(0)).await,
    ];
    for answer in answers {
        let error = answer.unwrap_err();
        assert!(matches!(&error, StoreError::NotFound(text) if text.contains("4711")), "{error}");
    }
    assert_eq!(world.store.push_state(4711).await.unwrap(), None);
}
