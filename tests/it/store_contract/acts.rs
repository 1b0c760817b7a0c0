//! Who did what by hand, and requests that are carried out once.

use std::sync::Arc;

use pushcron::domain::{Next, PushState, Reason, Trigger, UtcMs};
use pushcron::store::{AdHoc, By, Expected, Filter, Once, RequestKey, SharedStore, Table, View};
use serde_json::{Value, json};

use crate::store_contract::world::{World, at, change, job, push};

/// The store in the hands of somebody at a shell.
fn by(world: &World) -> SharedStore {
    world.store.by(By { actor: "uid 1000".to_owned(), via: "cli", request: None })
}

async fn acts(world: &World, filter: Filter) -> Table {
    world.store.view(View::Acts, &filter).await.unwrap()
}

/// These columns of every act, newest first.
async fn told(world: &World, columns: &[&str]) -> Vec<Vec<Value>> {
    let table = acts(world, Filter::default()).await;
    let places: Vec<usize> =
        columns.iter().map(|column| table.columns.iter().position(|name| name == column).unwrap()).collect();
    table.rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect()
}

fn ad_hoc(text: &str) -> AdHoc {
    AdHoc { spec: push("group:1", text), triggered_by: Trigger::Manual, chat: None }
}

fn key(key: char, payload: char) -> RequestKey {
    RequestKey { key: key.to_string().repeat(64), payload: payload.to_string().repeat(64) }
}

pub(super) async fn an_act_leaves_a_row_that_tells_who_did_it_and_what_it_changed(world: Arc<World>) {
    let hands = by(&world);
    let id = world.ended("daily", Next::Unknown { reason: Reason::Unknown }).await;
    hands.resolve(id, false, at(10)).await.unwrap();
    hands.retry(id, at(11)).await.unwrap();
    hands.cancel(id, at(12)).await.unwrap();
    hands.set_paused("daily", true, at(13)).await.unwrap();
    assert!(!hands.set_paused("daily", true, at(14)).await.unwrap());
    hands.set_paused("daily", false, at(15)).await.unwrap();
    assert_eq!(
        told(&world, &["verb", "job", "push_id", "before", "after", "actor", "via"]).await,
        [
            [
                json!("resume"),
                json!("daily"),
                Value::Null,
                json!("paused"),
                json!("active"),
                json!("uid 1000"),
                json!("cli")
            ],
            [
                json!("pause"),
                json!("daily"),
                Value::Null,
                json!("active"),
                json!("paused"),
                json!("uid 1000"),
                json!("cli")
            ],
            [
                json!("cancel"),
                Value::Null,
                json!(id),
                json!("retrying"),
                json!("cancelled"),
                json!("uid 1000"),
                json!("cli")
            ],
            [
                json!("retry"),
                Value::Null,
                json!(id),
                json!("failed"),
                json!("retrying"),
                json!("uid 1000"),
                json!("cli")
            ],
            [
                json!("resolve"),
                Value::Null,
                json!(id),
                json!("unknown"),
                json!("failed"),
                json!("uid 1000"),
                json!("cli")
            ],
        ]
    );
}

pub(super) async fn what_was_refused_and_what_nobody_did_by_hand_leaves_none(world: Arc<World>) {
    let id = world.ended("daily", Next::Sent).await;
    assert!(by(&world).retry(id, at(10)).await.is_err());
    assert!(by(&world).fire_by_hand("nobody", at(10)).await.is_err());
    world.store.set_paused("daily", true, at(11)).await.unwrap();
    world.store.push_ad_hoc(ad_hoc("by the daemon itself"), at(12)).await.unwrap();
    assert_eq!(told(&world, &["verb"]).await, Vec::<Vec<Value>>::new());
}

pub(super) async fn a_fire_and_its_pushes_lead_to_the_act_that_made_them(world: Arc<World>) {
    world.load(&job("daily"), at(0)).await;
    let fired = by(&world).fire_by_hand("daily", at(1)).await.unwrap()[0];
    let pushed = by(&world).push_several(vec![ad_hoc("a"), ad_hoc("b")], at(2)).await.unwrap();
    for (push_id, verb) in [(fired, "fire"), (pushed[0], "push"), (pushed[1], "push")] {
        let table = acts(&world, Filter { push_id: Some(push_id), ..Filter::default() }).await;
        let verbs: Vec<_> = table.rows.iter().map(|row| row[4].clone()).collect();
        assert_eq!(verbs, [json!(verb)], "push {push_id}");
    }
    let of_job = acts(&world, Filter { job: Some("daily".to_owned()), ..Filter::default() }).await;
    assert_eq!(of_job.rows.len(), 1);
}

pub(super) async fn a_job_made_changed_and_removed_by_hand_tells_its_revisions(world: Arc<World>) {
    let hands = by(&world);
    let expected = |revision| vec![Expected { job: Arc::from("tea"), revision }];
    let tea = |text: &str| {
        let mut tea = job("tea");
        tea.push[0].message = push("group:1", text).message;
        let mut change = change(tea, at(60));
        change.source = pushcron::domain::job::JobSource::Verb;
        vec![change]
    };
    hands.apply_by_verb(tea("a"), vec![], expected(None), at(1)).await.unwrap();
    hands.apply_by_verb(tea("b"), vec![], expected(Some(1)), at(2)).await.unwrap();
    hands.apply_by_verb(vec![], vec![Arc::from("tea")], expected(Some(2)), at(3)).await.unwrap();
    assert_eq!(
        told(&world, &["verb", "job", "before", "after"]).await,
        [
            [json!("rm"), json!("tea"), json!("revision 2"), Value::Null],
            [json!("edit"), json!("tea"), json!("revision 1"), json!("revision 2")],
            [json!("add"), json!("tea"), Value::Null, json!("revision 1")],
        ]
    );
}

pub(super) async fn acts_are_read_in_pages_and_pruned_with_the_history(world: Arc<World>) {
    world.load(&job("daily"), at(-2000)).await;
    for second in 0..5 {
        by(&world).set_paused("daily", second % 2 == 0, at(second - 1000)).await.unwrap();
    }
    let page = |after| Filter { limit: Some(2), after, ..Filter::default() };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let table = acts(&world, page(after)).await;
        let Some(last) = table.rows.last() else { break };
        seen.extend(table.rows.iter().map(|row| row[0].as_i64().unwrap()));
        let id = last[0].as_i64().unwrap();
        after = Some(pushcron::store::Mark { id, due_at: UtcMs(0), ordered_at: None });
    }
    assert!(seen.len() == 5 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    world.store.prune(at(-997), 10).await.unwrap();
    assert_eq!(told(&world, &["id"]).await.len(), 2);
}

pub(super) async fn a_request_with_a_key_is_carried_out_once(world: Arc<World>) {
    let once = async |of: RequestKey, seconds: i64| {
        world.store.push_once(vec![ad_hoc("once")], of, at(seconds)).await.unwrap()
    };
    let Once::Recorded(first) = once(key('a', '1'), 0).await else { panic!("it is new") };
    assert_eq!(once(key('a', '1'), 10).await, Once::Replayed(first.clone()));
    assert_eq!(once(key('a', '2'), 11).await, Once::Other);
    let Once::Recorded(other) = once(key('b', '1'), 12).await else { panic!("another key is another request") };
    assert_eq!(world.open_ids().await.iter().filter(|id| first.contains(id) || other.contains(id)).count(), 2);
    // For a day, and for as long as its push is open.
    let (before, after) = (86_399, 86_401);
    assert_eq!(once(key('a', '1'), before).await, Once::Replayed(first.clone()));
    assert_eq!(once(key('a', '1'), after).await, Once::Replayed(first.clone()));
    world.store.cancel(first[0], at(after)).await.unwrap();
    assert_eq!(world.state(first[0]).await, PushState::Cancelled);
    assert!(matches!(once(key('a', '1'), after + 1).await, Once::Recorded(ids) if ids != first));
    assert_eq!(once(key('b', '1'), after + 2).await, Once::Replayed(other));
}
